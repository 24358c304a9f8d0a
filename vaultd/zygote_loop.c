// SPDX-License-Identifier: Apache-2.0
// Forks sealers for the vault core and reports how they end. The only process on
// the vault side that receives descriptors, from the core alone.
#include "vaultd/zygote_loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "proto/chan.h"
#include "vaultd/sealer_loop.h"
#include "vaultd/zygote_child.h"

#define CHILDREN_MAX 4096U

struct child {
	pid_t pid;
	uint64_t sealer;
};

struct zygote {
	struct chan *core;
	int children_fd;
	struct child *child;
	size_t count;
};

int
zygote_loop_watch_children(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		log_fatal("sigprocmask: %s", strerror(errno));
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		log_fatal("signalfd: %s", strerror(errno));
	return fd;
}

static void
report(struct zygote *z, uint64_t sealer, unsigned exit_code, unsigned signal_no)
{
	struct msg_exited m = {.sealer = sealer, .exit_code = exit_code, .signal = signal_no};
	(void)chan_send(z->core, MSG_EXITED, 0, &m);
}

static void
start_sealer(struct zygote *z, uint64_t sealer, int control, int lanes)
{
	pid_t pid = z->count < CHILDREN_MAX ? fork() : -1;
	if (pid == 0)
		zygote_child_run(control, lanes);
	close(control);
	close(lanes);
	if (pid < 0) {
		log_msg(LOG_ERROR, "cannot start a sealer: %s",
		    z->count < CHILDREN_MAX ? strerror(errno) : "too many of them");
		report(z, sealer, SEALER_EXIT_NOT_STARTED, 0);
		return;
	}
	z->child[z->count++] = (struct child){.pid = pid, .sealer = sealer};
}

static enum chan_status
on_fork(struct zygote *z, const struct frame *f)
{
	struct msg_fork m;
	if (chan_decode(z->core, f, &m) != CHAN_OK)
		return CHAN_REJECT;
	int control = chan_take_fd(z->core);
	int lanes = chan_take_fd(z->core);
	if (lanes < 0) {
		// The kernel took no more descriptors from the core: this sealer does not
		// start, the others are not concerned.
		if (control >= 0)
			close(control);
		log_msg(LOG_ERROR, "cannot start a sealer: its descriptors did not come");
		report(z, m.sealer, SEALER_EXIT_NOT_STARTED, 0);
		return CHAN_OK;
	}
	start_sealer(z, m.sealer, control, lanes);
	return CHAN_OK;
}

static void
reap(struct zygote *z)
{
	struct signalfd_siginfo info;
	while (read(z->children_fd, &info, sizeof(info)) > 0)
		; // signals coalesce: only waitpid knows how many ended
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		size_t i = 0;
		while (i < z->count && z->child[i].pid != pid)
			i++;
		if (i == z->count)
			continue;
		unsigned code = WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 0;
		unsigned signal_no = WIFSIGNALED(status) ? (unsigned)WTERMSIG(status) : 0;
		report(z, z->child[i].sealer, code, signal_no);
		z->child[i] = z->child[--z->count];
	}
}

static enum chan_status
drain(struct zygote *z)
{
	enum chan_status s = chan_read(z->core);
	struct frame f;
	while (s == CHAN_OK && (s = chan_next(z->core, &f)) == CHAN_OK)
		s = on_fork(z, &f);
	return s == CHAN_AGAIN ? CHAN_OK : s;
}

static enum chan_status
turn(struct zygote *z)
{
	short out = chan_backlog(z->core) != 0 ? POLLOUT : 0;
	struct pollfd fd[2] = {
	    {.fd = chan_fd(z->core), .events = (short)(POLLIN | out)},
	    {.fd = z->children_fd, .events = POLLIN},
	};
	if (ppoll(fd, 2, NULL, NULL) < 0)
		return errno == EINTR ? CHAN_OK : CHAN_EOF;
	enum chan_status s = CHAN_OK;
	if (fd[0].revents & ~POLLOUT)
		s = drain(z);
	if (fd[1].revents != 0)
		reap(z);
	if (chan_flush(z->core) == CHAN_EOF && s == CHAN_OK)
		s = CHAN_EOF;
	return s;
}

int
zygote_loop_run(int core, int children)
{
	struct zygote z = {
	    .core = chan_new(core, ROLE_CORE_AT_ZYGOTE, CHAN_FDS),
	    .children_fd = children,
	    .child = base_calloc(CHILDREN_MAX, sizeof(struct child)),
	};
	enum chan_status s;
	do
		s = turn(&z);
	while (s == CHAN_OK);
	if (s == CHAN_REJECT)
		log_msg(LOG_ERROR, "vault rejected: %s", chan_reason(z.core));
	chan_free(z.core);
	close(z.children_fd);
	free(z.child);
	return s == CHAN_REJECT ? 1 : 0;
}
