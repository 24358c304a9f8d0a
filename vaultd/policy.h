// SPDX-License-Identifier: Apache-2.0
// Which credentials may serve a request, and in which order. Pure: tables in, choice
// or refusal out; asked once to make the plan and again for every attempt.
//
// A credential is a candidate if it is of the key's workspace, of a provider that
// speaks the operation and, when the key lists credentials, on that list (whose order
// is then the order of attempts; otherwise the order is by name). It serves if it is
// enabled and allows operation and model. A Bedrock ARN must be of its region.
#ifndef VAULTD_POLICY_H
#define VAULTD_POLICY_H

#include "vaultd/catalogue.h"
#include "vaultd/cred.h"
#include "vaultd/deny.h"
#include "vaultd/vkey.h"

struct policy_request {
	const struct vkey *vkey;
	const struct catalogue_op *op;
	struct view model;
};

struct policy_choice {
	size_t count;
	uint64_t handle[MSG_ATTEMPTS_MAX];
};

// True and a choice of at least one, or false and *d.
bool policy_choose(const struct policy_request *r, const struct cred_table *creds,
    struct policy_choice *choice_r, struct deny *d) MUST_CHECK;

// The same checks for one credential of a plan (NULL: it was removed).
bool policy_recheck(
    const struct policy_request *r, const struct cred *c, struct deny *d) MUST_CHECK;

// Whether an attempt that ended with this HTTP status (0: none was received) may be
// followed by the next one of the plan. Client errors never are.
bool policy_may_fall_back(uint64_t previous_status);

#endif
