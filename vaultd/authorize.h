// SPDX-License-Identifier: Apache-2.0
// AUTHORIZE makes a plan: which attempts a request may take, each a credential, an
// operation and a model upstream. It promises nothing: USE (use.h) judges all of it
// again, with the checks and refusals that are shared here.
#ifndef VAULTD_AUTHORIZE_H
#define VAULTD_AUTHORIZE_H

#include "vaultd/gateway.h"
#include "vaultd/policy.h"

struct authorize_subject {
	const struct vkey *vkey; // NULL: unknown
	const struct cred *cred; // NULL: none chosen
	uint64_t operation;
	struct view model;
};

enum chan_status authorize_on_frame(struct gateway *gw, const struct frame *f);

// Answers DENY and has the refusal audited.
void authorize_refuse(struct gateway *gw, uint64_t request, const struct deny *d,
    const struct authorize_subject *about);

// Each true, or false and *d.
bool authorize_audit_up(const struct core *core, struct deny *d);
bool authorize_check_key_rate(const struct vkey *k, struct deny *d);
// Always false.
bool authorize_rate_limited(struct deny *d, uint64_t wait_ms, const char *whose, const char *name);

// What a plan asks the policy, with the catalogue and the time of now.
struct policy_request authorize_request(const struct core *core, const struct plan *p);

#endif
