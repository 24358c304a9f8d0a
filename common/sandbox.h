// SPDX-License-Identifier: Apache-2.0
// The steps by which a process gives up what it does not need, in the order every
// main.c calls them: expect_fds, drop, probe, enter. Every failure is fatal and
// named. A policy is a text file beside the code, one rule and one reason a line,
// embedded at build time and loaded through libseccomp:
//
//   read                          # reason
//   socketpair arg0=1             # only AF_UNIX; up to three argN=NUMBER or argN&MASK=NUMBER
//   openat     errno=13           # answer EACCES instead of killing (libc probes)
//
// Anything else kills the process (SIGSYS). The architecture is checked first;
// x32 and foreign architectures are killed.
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include "common/base.h"

struct sandbox {
	const char *role;	  // for messages
	const char *policy;	  // the policy text
	const int *landlock_dirs; // directories that stay reachable; NULL: none at all
	size_t landlock_dir_count;
	bool landlock_tcp;	// may connect and bind TCP (gateway)
	void (*in_probe)(void); // runs in the probe's child before the filter: what a child
				// does not inherit (secret memory) is made anew; may be NULL
	uint64_t max_files;	// RLIMIT_NOFILE
	uint64_t max_file_size; // RLIMIT_FSIZE in bytes; 0: left as it is
};

// Every open descriptor must be in fds (0, 1, 2 are implied); else fatal, naming
// the stray one. An inherited descriptor is a hole in every later step.
void sandbox_expect_fds(const int *fds, size_t n);

// "UID:GID" numeric. Sets groups, gid, uid for good. When already running as
// another non-root user: fatal if it differs. run_as NULL as root: fatal (nothing
// runs as root in service).
void sandbox_drop(const char *run_as);

// Runs fn in a forked child under the same policy, with a trap in place of the
// kill, so that a system call that a library upgrade brought along stops the
// start by name ("auditd: blocked system call newfstatat") and not the first request.
void sandbox_probe(const struct sandbox *s, int (*fn)(void *), void *cookie);

// rlimits (no core files; children are the policy's matter), not dumpable,
// no_new_privs, Landlock, seccomp.
void sandbox_enter(const struct sandbox *s);

#endif
