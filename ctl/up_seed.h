// SPDX-License-Identifier: Apache-2.0
// What `sallyport up` puts into a stack that has just started: credentials for the
// demo provider (or one for a real provider) and a virtual key. Repeated starts on
// one directory keep what is there.
#ifndef CTL_UP_SEED_H
#define CTL_UP_SEED_H

#include "common/secmem.h"
#include "ctl/up_stack.h"

// Keys that the demo provider will accept: DIR/provider.keys, made once.
int up_seed_keys(const struct up_stack *s) MUST_CHECK;

// A real provider instead of the demo's.
struct up_real {
	const char *provider; // NULL: none
	const char *host;
	const char *region;
	const char *access_key_id;
	struct secret secret; // empty: keep the stored one
	struct secret session_token;
};

// Talks to the running vault and writes DIR/demo.env with SALLYPORT_URL and
// SALLYPORT_KEY. `fresh_ca`: the demo's authority is new, so credentials that carry
// the old one are replaced. -1 after saying why.
int up_seed(const struct up_stack *s, const char *url, const char *tls_url, bool demo,
    bool fresh_ca, const struct up_real *real) MUST_CHECK;

#endif
