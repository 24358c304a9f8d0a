// SPDX-License-Identifier: Apache-2.0
// What some kinds of credentials have beyond the common fields: settings (enum
// setting_id, text) and Azure's deployments (model -> name). Owned copies. Pure.
#ifndef VAULTD_CRED_EXTRA_H
#define VAULTD_CRED_EXTRA_H

#include "proto/msg.h"

struct cred_extra {
	char *setting[SETTING_LAST + 1]; // NULL: absent
	size_t deployment_count;
	struct {
		char *model;
		char *name;
	} deployment[MSG_DEPLOYMENTS_MAX];
};

void cred_extra_set(struct cred_extra *x, const struct msg_credential_put *put); // copies
void cred_extra_clear(struct cred_extra *x);
bool cred_extra_equal(const struct cred_extra *a, const struct cred_extra *b);

// Borrows: what a message of the credential says.
void cred_extra_fill_settings(
    const struct cred_extra *x, struct msg_named *setting, size_t *count_r);
void cred_extra_fill_deployments(
    const struct cred_extra *x, struct msg_deployment *deployment, size_t *count_r);

// Stored form: two msgpack arrays, of (id, text) and of (model, name).
void cred_extra_put(const struct cred_extra *x, struct mp_out *o);
int cred_extra_get(struct cred_extra *x, struct mp_in *in) MUST_CHECK;

#endif
