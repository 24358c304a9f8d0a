// SPDX-License-Identifier: Apache-2.0
// fork, arrange descriptors exactly, exec. May touch: the child it makes.
#include "common/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FD_MAX 32

// Moves the sources out of the way first, so that no target overwrites a source.
static int
arrange(const struct spawn *s, int *high_r)
{
	int high = 2;
	int parked[FD_MAX];
	for (size_t i = 0; i < s->fd_count; i++) {
		parked[i] = fcntl(s->fds[i].from, F_DUPFD, 100);
		if (parked[i] < 0)
			return -1;
		high = MAX(high, s->fds[i].to);
	}
	for (size_t i = 0; i < s->fd_count; i++)
		if (dup2(parked[i], s->fds[i].to) < 0)
			return -1;
	*high_r = high;
	return 0;
}

static bool
is_target(const struct spawn *s, int fd)
{
	for (size_t i = 0; i < s->fd_count; i++)
		if (s->fds[i].to == fd)
			return true;
	return false;
}

static char **
child_environment(const struct spawn *s, char *listen_pid, size_t size)
{
	size_t n = 0;
	while (s->envp != NULL && s->envp[n] != NULL)
		n++;
	char **env = base_calloc(n + 2, sizeof(*env));
	for (size_t i = 0; i < n; i++)
		env[i] = s->envp[i];
	if (s->listen_env) {
		snprintf(listen_pid, size, "LISTEN_PID=%d", (int)getpid());
		env[n] = listen_pid;
	}
	return env;
}

NORETURN
static void
child(const struct spawn *s, pid_t parent)
{
	char listen_pid[32];
	int high;
	sigset_t none;
	// The parent's handlers must not run here: they would write into its event loop.
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (s->die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
	}
	if (s->own_group)
		setpgid(0, 0);
	if (arrange(s, &high) != 0)
		_exit(127);
	for (int fd = 3; fd <= high; fd++)
		if (!is_target(s, fd))
			close(fd);
	close_range((unsigned)high + 1, ~0U, 0);
	execve(s->path, s->argv, child_environment(s, listen_pid, sizeof(listen_pid)));
	dprintf(STDERR_FILENO, "cannot execute %s: %s\n", s->path, strerror(errno));
	_exit(127);
}

pid_t
spawn_start(const struct spawn *s)
{
	BUG_IF(s->fd_count > FD_MAX);
	pid_t parent = getpid();
	sigset_t all;
	sigset_t old;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old); // until the child has reset its handlers
	pid_t pid = fork();
	if (pid == 0)
		child(s, parent);
	int e = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = e;
	return pid;
}
