// SPDX-License-Identifier: Apache-2.0
// The request that tests a credential: the cheapest one that the provider answers
// differently for each thing that can be wrong. Without a model a list of models where
// there is one (free), else a token count (free), else one token of a cheap model. With a
// model one real answer of at most a few tokens, because quota, access and profiles only
// show there. Pure.
#ifndef VAULTD_CRED_PROBE_H
#define VAULTD_CRED_PROBE_H

#include "vaultd/admin_error.h"
#include "vaultd/head.h"
#include "vaultd/policy_resolve.h"

struct cred_probe {
	const struct catalogue_op *op; // of the catalogue that was given
	struct view model;	       // upstream; empty: none is named
	bool known;		       // the catalogue has it
	bool asked;		       // it is the administrator's choice, not ours
	bool no_profile;	       // nothing can be asked: no inference profile fits
	struct msg_use use;	       // what head_build wants; points into this struct
	size_t body_len;
	char body[4096];
	uint8_t sha256[32];
	char asked_text[2049]; // the model as given: views may point here
	char sent_text[2049];  // the model upstream: the credential may change meanwhile
	struct policy_target target;
};

// False and *e if nothing can be asked: the model is none of this provider's, or is not
// spelled like one. The struct must stay where it is; the catalogue must outlive it.
bool cred_probe_make(struct cred_probe *p, const struct catalogue *cat, const struct cred *c,
    struct view model, struct admin_error *e) MUST_CHECK;

#endif
