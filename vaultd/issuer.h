// SPDX-License-Identifier: Apache-2.0
// Our OIDC issuer, which AWS asks for sessions: its name, its signing keys and their
// rotation. A new key is published at once and signs a day later, since AWS keeps what it
// fetched; the old one signs until then and stays published for another day, since its
// last tokens may still be on their way. At most one rotation runs.
//
// The keys are made here and never leave: sealed in the store each on its own, opened
// for one signature. Sources: OpenID Connect Core 1.0, section 2; RFC 7638 (key ids);
// AWS IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM".
#ifndef VAULTD_ISSUER_H
#define VAULTD_ISSUER_H

#include "proto/msg.h"
#include "vaultd/admin_error.h"
#include "vaultd/seal.h"
#include "vaultd/store.h"
#include "vaultd/text.h"

#define ISSUER_OVERLAP_S    86400U // from publishing a key to signing with it
#define ISSUER_KEEP_S	    86400U // from its last signature to its end
#define ISSUER_TOKEN_LIFE_S 600U
#define ISSUER_BEFORE_S	    30U // a token is dated back, for clocks that are a little behind
#define ISSUER_AUDIENCE	    "sts.amazonaws.com"

struct issuer;

// Fatal if the record was changed by others. Without a record: one without a name.
struct issuer *issuer_load(struct store *store, struct seal *seal) MUST_CHECK;
void issuer_free(struct issuer *i);
// Durable; -1: the store refused (logged).
int issuer_save(struct store *store, struct seal *seal, const struct issuer *i) MUST_CHECK;

// A new state: another name, or a rotation begun, or both. NULL with e->code set if it is
// refused, or with e->code NULL if there is nothing to change.
struct issuer *issuer_change(const struct issuer *i, struct seal *seal,
    const struct msg_issuer_set *m, uint64_t now_s, struct admin_error *e) MUST_CHECK;

uint64_t issuer_version(const struct issuer *i);
// Public data, borrowed. key_id: of the newest key, "" if there is none.
void issuer_tell(const struct issuer *i, uint64_t now_s, struct msg_issuer_item *m_r);
const char *issuer_key_id(const struct issuer *i);

// Appends a token to t, which lies in secret memory. now_s: of the verifier's clock.
// -1: secret memory is full. -2: there is no issuer, or a claim that no token can hold.
int issuer_sign(const struct issuer *i, struct seal *seal, struct view subject,
    struct view audience, uint64_t now_s, struct text *t) MUST_CHECK;

#endif
