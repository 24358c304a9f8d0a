// SPDX-License-Identifier: Apache-2.0
// The serving loop of a sealer over its two channels: control (vault core) and
// lanes (one gateway worker). One credential, one version of it, many lanes.
#ifndef VAULTD_SEALER_LOOP_H
#define VAULTD_SEALER_LOOP_H

#include "common/base.h"

// Exit codes of a sealer; the core sees them in EXITED.
enum sealer_exit {
	SEALER_EXIT_OK = 0,	     // a channel closed
	SEALER_EXIT_MEMORY = 3,	     // no memory for secrets could be had
	SEALER_EXIT_GATEWAY = 4,     // the gateway broke the protocol
	SEALER_EXIT_CORE = 5,	     // the vault core broke the protocol
	SEALER_EXIT_CONFIG = 6,	     // host or CA certificates cannot be used
	SEALER_EXIT_SELFTEST = 7,    // TLS does not work under the sandbox
	SEALER_EXIT_NOT_STARTED = 8, // the zygote could not fork
};

// Secret memory that a sealer needs: two control buffers, one record of scratch,
// the scanner's keys; in exchange mode one record and the answer.
#define SEALER_SECMEM_SIZE (384U * 1024U)

// Takes ownership of both descriptors; secmem_init() has been called. Returns when
// either channel ends.
enum sealer_exit sealer_loop_run(int control, int lanes);

#endif
