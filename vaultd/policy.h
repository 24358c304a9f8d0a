// SPDX-License-Identifier: Apache-2.0
// Which credentials may serve a request, and in which order. Pure: tables in, choice
// or refusal out; asked once to make the plan and again for every attempt.
//
// A credential is a candidate if it is of the key's workspace, of a provider that can
// serve the operation and model (policy_resolve.h) and, when the key lists credentials,
// on that list, whose order is then the order of attempts; otherwise those that speak
// the operation natively come before those that need a translation, each by name. It
// serves if it is enabled, has not expired, allows the upstream operation, and both its
// and the key's list of models allow the model under one of its names: as asked, with
// or without provider, the catalogue's name, or the id upstream.
#ifndef VAULTD_POLICY_H
#define VAULTD_POLICY_H

#include "vaultd/catalogue.h"
#include "vaultd/cred.h"
#include "vaultd/deny.h"
#include "vaultd/policy_resolve.h"
#include "vaultd/vkey.h"

struct policy_request {
	const struct vkey *vkey;
	const struct catalogue *cat;
	uint64_t operation; // as the client asked
	bool stream;
	struct view model;
	uint64_t now_s; // Unix time
};

struct policy_attempt {
	uint64_t handle;
	uint64_t operation; // upstream
	struct view model;  // upstream; into the question, the tables or the choice
};

struct policy_choice {
	size_t count;
	struct policy_attempt attempt[MSG_ATTEMPTS_MAX];
	struct policy_target target[MSG_ATTEMPTS_MAX]; // what the views may point into
};

// True and a choice of at least one (a listing of models may have none), or false and
// *d. The choice must stay where it is.
bool policy_choose(const struct policy_request *r, const struct cred_table *creds,
    struct policy_choice *choice_r, struct deny *d) MUST_CHECK;

// The same checks for one attempt of a plan (c NULL: it was removed); operation and
// model upstream must still be those.
bool policy_recheck(const struct policy_request *r, const struct cred *c,
    const struct policy_attempt *a, struct deny *d) MUST_CHECK;

// Whether the worker can answer it from its catalogue: a list of all models, or one.
bool policy_lists(const struct policy_request *r);
// Bit per enum provider: what the key has an enabled, unexpired credential of.
uint64_t policy_reach(
    const struct vkey *k, const struct cred_table *creds, uint64_t now_s) MUST_CHECK;

// What the lists of these credentials allow, by provider, as a PLAN tells it; borrowed.
void policy_served(
    const struct vkey *k, const struct cred_table *creds, uint64_t now_s, struct msg_plan *m);

// Whether an attempt that ended so may be followed by the next one of the plan. The
// class decides; without one (CLASS_NONE) the HTTP status, 0: none was received. What
// the client did wrong is never tried elsewhere.
bool policy_may_fall_back(uint64_t previous_class, uint64_t previous_status);

#endif
