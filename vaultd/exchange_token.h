// SPDX-License-Identifier: Apache-2.0
// Fetching temporary credentials: which exchange a credential needs, what its answer means
// for the cache, and whom it wakes. One fetch at a time for each credential.
#ifndef VAULTD_EXCHANGE_TOKEN_H
#define VAULTD_EXCHANGE_TOKEN_H

#include "vaultd/core.h"
#include "vaultd/cred.h"
#include "vaultd/deny.h"

// Whether requests of this credential carry a temporary one that is fetched.
bool exchange_token_needed(const struct cred *c);
// Whether they carry one that is signed here, without asking anybody.
bool exchange_token_signed(const struct cred *c);

// The one that is good now, after exchange_token_want said GO; or makes one, of those
// that are signed here. The caller wipes both. False and *d if there is none.
bool exchange_token_open(struct core *core, const struct cred *c, struct secret *secret_r,
    struct secret *session_r, struct view *access_key_id_r, struct deny *d) MUST_CHECK;

enum exchange_token_want { EXCHANGE_TOKEN_GO, EXCHANGE_TOKEN_WAIT, EXCHANGE_TOKEN_NO };

// Makes sure that there is one, or begins to fetch it through the worker `prefer` (or any).
// WAIT: use_wait_wake() follows for this credential. NO: *d says why.
enum exchange_token_want exchange_token_want(
    struct core *core, const struct cred *c, uint64_t prefer, struct deny *d) MUST_CHECK;

// Fetches another one whatever there is, for a test: cred_test_on_token() follows, unless
// false is returned (*why_r).
struct exchange_result;
bool exchange_token_renew(
    struct core *core, const struct cred *c, struct exchange_result *why_r) MUST_CHECK;

// Unix seconds of the provider's clock, as far as its answers told it.
uint64_t exchange_token_time(const struct core *core, const struct cred *c);

#endif
