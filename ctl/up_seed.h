// SPDX-License-Identifier: Apache-2.0
// What `sallyport up` puts into a stack that has just started: credentials for the
// demo provider (or one for a real provider) and a virtual key. Repeated starts on
// one directory keep what is there.
#ifndef CTL_UP_SEED_H
#define CTL_UP_SEED_H

#include "ctl/credential_in.h"
#include "ctl/up_env.h"

// Keys that the demo provider will accept: DIR/provider.keys, made once.
int up_seed_keys(const struct up_stack *s) MUST_CHECK;

// A real provider instead of the demo's.
struct up_real {
	struct spec_credential spec; // provider NULL: none
	struct credential_in in;
};

// Talks to the running vault and writes the files of up_env.h. `fresh_ca`: the demo's
// authority is new, so credentials that carry the old one are replaced. -1 after saying
// why.
int up_seed(const struct up_stack *s, const struct up_urls *urls, bool demo, bool fresh_ca,
    const struct up_real *real) MUST_CHECK;

// Tries the real provider's key, and prints what came of it.
void up_seed_try(const struct up_stack *s, const struct up_real *real);

#endif
