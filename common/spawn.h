// SPDX-License-Identifier: Apache-2.0
// fork and exec of a role with an exact descriptor list and environment; every
// other descriptor is closed in the child. May touch: its child only.
#ifndef COMMON_SPAWN_H
#define COMMON_SPAWN_H

#include "common/base.h"

struct spawn_fd {
	int from; // in this process
	int to;	  // in the child
};

struct spawn {
	const char *path;
	char *const *argv;
	char *const *envp; // NULL: empty environment
	const struct spawn_fd *fds;
	size_t fd_count; // 0, 1 and 2 are inherited unless listed
	bool listen_env; // add LISTEN_PID of the child (systemd socket activation)
	bool die_with_parent;
	bool own_group; // Ctrl-C at the terminal reaches only the supervisor
};

// Returns the pid, or -1 with errno. The caller keeps its descriptors.
pid_t spawn_start(const struct spawn *s) MUST_CHECK;

#endif
