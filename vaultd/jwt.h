// SPDX-License-Identifier: Apache-2.0
// Signed tokens (JWT, RFC 7519; JWS compact form, RFC 7515), RS256 only, written from
// typed fields: nobody else's text becomes part of header or claims.
#ifndef VAULTD_JWT_H
#define VAULTD_JWT_H

#include "common/secmem.h"
#include "vaultd/text.h"

// A claim that is empty is left out.
struct jwt_claims {
	struct view issuer;
	struct view subject;
	struct view audience;
	struct view scope; // OAuth 2.0
	struct view id;
	uint64_t issued_s; // Unix time, as the verifier's clock has it
	uint64_t expires_s;
};

// Appends the token to t, which must lie in secret memory: it is as good as a key while
// it lives. key: any form of rsa_key.h; key_id goes into the header, empty: none. -1:
// secret memory is full. -2: not a usable key, or a claim holds what is not printable
// ASCII, a quote or a backslash. An overflow of t stays with t.
int jwt_sign(struct text *t, const struct secret *key, struct view key_id,
    const struct jwt_claims *c) MUST_CHECK;

// Unpadded base64url of RFC 7515 (public data).
void jwt_base64url(struct text *t, const void *p, size_t len);

#endif
