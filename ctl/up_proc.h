// SPDX-License-Identifier: Apache-2.0
// The daemons of one stack: start, wait for READY=1, log, restart with back-off,
// stop. The listening sockets belong to the caller and stay open throughout, so a
// restart loses no connection attempt. May touch: its children, their logs, the
// notify socket.
#ifndef CTL_UP_PROC_H
#define CTL_UP_PROC_H

#include "common/base.h"

#define UP_PROC_FDS_MAX	 4U
#define UP_PROC_ARGS_MAX 24U

struct up_program {
	const char *name;		    // "vault": in messages and as name of the log file
	const char *program;		    // "sallyport-vaultd", beside this executable
	const char *argv[UP_PROC_ARGS_MAX]; // without argv[0]; ends with NULL
	size_t fd_count;		    // passed as systemd does, from descriptor 3 on
	int fds[UP_PROC_FDS_MAX];
	const char *fd_names[UP_PROC_FDS_MAX];
};

struct up_run;

// The strings of every program must outlive the run. NULL after saying why.
struct up_run *up_run_new(const char *log_dir, const char *notify_path);
void up_run_add(struct up_run *r, const struct up_program *p);

// Starts all and waits until each is ready. -1 after printing what went wrong and
// the last lines of the log of whoever failed; up_run_stop is then still due.
int up_run_start(struct up_run *r, unsigned timeout_ms) MUST_CHECK;

// Restarts whoever dies, until SIGINT or SIGTERM.
void up_run_supervise(struct up_run *r);

// Ends all, last added first, and waits. Frees r.
void up_run_stop(struct up_run *r);

#endif
