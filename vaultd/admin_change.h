// SPDX-License-Identifier: Apache-2.0
// One change of credentials or virtual keys, from its check over its audit record to
// its effect. At most one runs at a time, so what was checked is still true when it is
// made.
#ifndef VAULTD_ADMIN_CHANGE_H
#define VAULTD_ADMIN_CHANGE_H

#include "proto/msg.h"
#include "vaultd/admin_check.h"
#include "vaultd/core.h"

struct admin_result {
	const struct admin_error *error;      // NULL: done
	const struct msg_vkey_issued *issued; // of a new virtual key
	uint64_t version;
};

typedef void admin_done_fn(
    void *cookie, uint64_t admin, uint64_t frame, const struct admin_result *r);

struct admin_who {
	struct core *core;
	unsigned uid;
	uint64_t admin; // handed back to done
	uint64_t frame;
	admin_done_fn *done; // called once if the change was begun
	void *cookie;
};

// Each returns true if the change was begun; false with e->code set if it is refused,
// or with e->code NULL if there is nothing to change.
bool admin_change_put(
    const struct admin_who *who, struct msg_credential_put *m, struct admin_error *e) MUST_CHECK;
bool admin_change_set(const struct admin_who *who, const struct msg_credential_set *m,
    struct admin_error *e) MUST_CHECK;
bool admin_change_issue(
    const struct admin_who *who, struct msg_vkey_issue *m, struct admin_error *e) MUST_CHECK;
bool admin_change_revoke(
    const struct admin_who *who, const struct msg_vkey_revoke *m, struct admin_error *e) MUST_CHECK;

// The new signing key is made here, before the record: a tenth of a second.
bool admin_change_issuer(
    const struct admin_who *who, const struct msg_issuer_set *m, struct admin_error *e) MUST_CHECK;

// Takes ownership of next, whatever becomes of it.
bool admin_change_catalogue(
    const struct admin_who *who, struct catalogue *next, struct admin_error *e) MUST_CHECK;

bool admin_change_running(const struct core *core);

#endif
