// SPDX-License-Identifier: Apache-2.0
// The two public documents of our OIDC issuer, from what the vault tells about it: the
// gateway serves them, and the command exports them for hosting elsewhere, byte for byte
// the same. Sources: OpenID Connect Discovery 1.0 section 3, RFC 7517, RFC 7518 6.3.1;
// what AWS asks of them: IAM User Guide, "Create an OpenID Connect identity provider". Pure.
#ifndef PROTO_ISSUER_DOC_H
#define PROTO_ISSUER_DOC_H

#include "common/buf.h"
#include "proto/msg.h"

// Below the issuer's URL.
#define ISSUER_DOC_CONFIGURATION_PATH "/.well-known/openid-configuration"
#define ISSUER_DOC_JWKS_PATH	      "/.well-known/jwks.json"

#define ISSUER_DOC_MAX 16384U // room for either, for buf_init()

// Both append one JSON text with a line end. The URL's slash at the end, if it has one,
// is part of the issuer's name but not doubled in jwks_uri.
void issuer_doc_configuration(const struct msg_issuer_item *m, struct buf *out);
// All keys that are told, retired ones too: a token that one signed may still be checked.
void issuer_doc_jwks(const struct msg_issuer_item *m, struct buf *out);

#endif
