// SPDX-License-Identifier: Apache-2.0
// Fetching temporary credentials: which exchange a credential needs, what its answer means
// for the cache, and whom it wakes. One fetch at a time for each credential.
#ifndef VAULTD_EXCHANGE_TOKEN_H
#define VAULTD_EXCHANGE_TOKEN_H

#include "vaultd/core.h"
#include "vaultd/cred.h"
#include "vaultd/deny.h"

// Whether requests of this credential carry a temporary one.
bool exchange_token_needed(const struct cred *c);

enum exchange_token_want { EXCHANGE_TOKEN_GO, EXCHANGE_TOKEN_WAIT, EXCHANGE_TOKEN_NO };

// Makes sure that there is one, or begins to fetch it through the worker `prefer` (or any).
// WAIT: use_wait_wake() follows for this credential. NO: *d says why.
enum exchange_token_want exchange_token_want(
    struct core *core, const struct cred *c, uint64_t prefer, struct deny *d) MUST_CHECK;

// Unix seconds of the provider's clock, as far as its answers told it.
uint64_t exchange_token_time(const struct core *core, const struct cred *c);

#endif
