// SPDX-License-Identifier: Apache-2.0
// From a fork of the zygote to a serving sealer: every step by which the child
// gives up what the zygote could do. Never returns.
#ifndef VAULTD_ZYGOTE_CHILD_H
#define VAULTD_ZYGOTE_CHILD_H

#include "common/sandbox.h"

extern const struct sandbox zygote_child_sandbox; // of a sealer

// control and lanes are the only descriptors that survive, beside 0, 1 and 2.
NORETURN void zygote_child_run(int control, int lanes);

// For sandbox_probe(): the self-test of a sealer, then that of the zygote, which is
// to make such a child. Both return 0 on success.
int zygote_child_probe_sealer(void *cookie);
int zygote_child_probe_fork(void *cookie);

#endif
