// SPDX-License-Identifier: Apache-2.0
// Checks what an administrator asks for and fills in what may be left out, before
// anything is sealed or stored. An error has a stable code and names the fix; it
// never repeats a secret. Pure.
#ifndef VAULTD_ADMIN_CHECK_H
#define VAULTD_ADMIN_CHECK_H

#include "vaultd/admin_error.h"
#include "vaultd/cred.h"
#include "vaultd/cred_kind.h"
#include "vaultd/vkey.h"

// Completes *put in place: auth, host, port, region, expiry and workspace by kind when
// they are empty; for a change of `old` (NULL: a new credential) also region, access key
// id, CA, settings, deployments and secret as stored. room must live as long as *put.
// False and *e if it cannot be accepted. A stored secret is never given a new
// destination.
bool admin_check_credential(struct msg_credential_put *put, const struct cred *old,
    const struct catalogue *cat, uint64_t now_s, struct cred_kind_room *room,
    struct admin_error *e) MUST_CHECK;

// Completes the workspace; the named credentials must exist there.
bool admin_check_vkey(struct msg_vkey_issue *m, const struct cred_table *creds,
    const struct vkey_table *vkeys, struct admin_error *e) MUST_CHECK;

#endif
