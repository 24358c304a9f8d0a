// SPDX-License-Identifier: Apache-2.0
// USEs that wait for a temporary credential: each holds its plan and its lane, and is
// judged from the beginning when the fetch has ended, whatever its end was. A thousand of
// them would fill a sealer's channel with heads at once, so they are judged as fast as
// auditd and sealers take them, the oldest first.
#ifndef VAULTD_USE_WAIT_H
#define VAULTD_USE_WAIT_H

#include "vaultd/gateway.h"

// The plan of this USE is in flight and its lane held until use_wait_wake().
void use_wait_add(
    struct gateway *gw, const struct frame *f, uint64_t credential, uint64_t sealer, uint64_t lane);
void use_wait_wake(struct core *core, uint64_t credential);
void use_wait_free(struct core *core); // nobody is judged any more

#endif
