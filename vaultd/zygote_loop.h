// SPDX-License-Identifier: Apache-2.0
// The zygote's loop: FORK in, a sealer out, EXITED back when it ends.
#ifndef VAULTD_ZYGOTE_LOOP_H
#define VAULTD_ZYGOTE_LOOP_H

#include "common/base.h"

// Blocks SIGCHLD and returns a descriptor that tells of it; fatal on failure.
int zygote_loop_watch_children(void) MUST_CHECK;

// Serves the core on this channel until it closes. Takes ownership of both
// descriptors. Returns the exit code: 0, or 1 when the core broke the protocol.
int zygote_loop_run(int core, int children);

#endif
