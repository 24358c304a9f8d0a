// SPDX-License-Identifier: Apache-2.0
// The administrator's channels (the sallyport command): status, credentials, virtual
// keys. Every change is recorded by auditd before it is made, and made before it is
// acknowledged; one change at a time. Secrets only come in: no answer holds one, but
// a new virtual key, once. The channels live in secret memory.
#ifndef VAULTD_ADMIN_H
#define VAULTD_ADMIN_H

#include "vaultd/core.h"

#define ADMIN_MAX 8U // channels at one time

struct admins *admin_set_new(struct core *core);
void admin_set_free(struct admins *a);

// Takes ownership of fd, a connection of the administrator with this uid.
void admin_accept(struct admins *a, int fd, unsigned uid);

#endif
