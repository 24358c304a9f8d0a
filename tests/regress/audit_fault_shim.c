// SPDX-License-Identifier: Apache-2.0
// Preloaded into the daemon by audit_fault.py: the N-th call of one write function
// after its start fails, or kills the process before or after it. SP_FAULT is
// "FUNCTION:N:WHAT", WHAT an errno number, "kill" or "killafter".
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char function[32];
static long left;
static char what[16];
static int ready;

static void
setup(void)
{
	const char *s = getenv("SP_FAULT");
	ready = 1;
	if (s == NULL || sscanf(s, "%31[^:]:%ld:%15s", function, &left, what) != 3)
		function[0] = '\0';
}

// 1: fail now with errno set.
static int
strike(const char *name)
{
	if (!ready)
		setup();
	if (strcmp(name, function) != 0 || --left != 0)
		return 0;
	if (strcmp(what, "kill") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(what, "killafter") == 0)
		return 2;
	errno = (int)strtol(what, NULL, 10);
	return 1;
}

#define WRAP(type, name, params, args)                                                             \
	type name params                                                                           \
	{                                                                                          \
		static type(*real) params;                                                         \
		if (real == NULL)                                                                  \
			real = (type(*) params)dlsym(RTLD_NEXT, #name);                            \
		int s = strike(#name);                                                             \
		if (s == 1)                                                                        \
			return -1;                                                                 \
		type r = real args;                                                                \
		if (s == 2)                                                                        \
			kill(getpid(), SIGKILL);                                                   \
		return r;                                                                          \
	}

WRAP(int, fdatasync, (int fd), (fd))
WRAP(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t o), (fd, p, n, o))
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(int, fsync, (int fd), (fd))
