// SPDX-License-Identifier: Apache-2.0
// Small lists of names that credentials and virtual keys carry: models (a trailing
// '*' matches any rest) and credential names. Owned copies. Pure.
#ifndef VAULTD_NAMES_H
#define VAULTD_NAMES_H

#include "proto/msg.h"

struct names {
	size_t count;
	char *name[MSG_NAMES_MAX];
};

void names_set(struct names *n, const struct msg_name *from, size_t count); // copies
void names_clear(struct names *n);
void names_fill(const struct names *n, struct msg_name *to, size_t *count_r); // borrows

bool names_equal(const struct names *a, const struct names *b); // same order too
bool names_has(const struct names *n, struct view name);	// exact
// True if the list is empty, or an entry equals the model, or an entry that ends in
// '*' has the rest as a prefix of it.
bool names_allow_model(const struct names *n, struct view model);

// One entry of such a list against a model.
bool names_pattern_fits(struct view pattern, struct view model);

// Stored form: a msgpack array of strings.
void names_put(const struct names *n, struct mp_out *o);
int names_get(struct names *n, struct mp_in *in) MUST_CHECK;

#endif
