// SPDX-License-Identifier: Apache-2.0
// A small supervisor on libevent. Speaks systemd's protocols to the daemons
// (LISTEN_FDS, NOTIFY_SOCKET), so that they have one way to be started.
#include "ctl/up_proc.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/spawn.h"
#include "ctl/cli.h"
#include "ctl/up_log.h"

#define PROGRAMS_MAX	6U
#define BACKOFF_MIN_MS	100U
#define BACKOFF_MAX_MS	1000U
#define SETTLED_MS	10000U // up for that long: the next death starts anew at 100 ms
#define GRACE_MS	8000U  // for the first to stop, which drains
#define GRACE_OTHERS_MS 5000U

struct proc {
	struct up_run *run;
	struct up_program program;
	pid_t pid; // 0: not running
	bool ready;
	bool failed; // died, or could not be started, before it was first ready
	uint64_t started_ns;
	unsigned backoff_ms;
	struct event *restart;
	struct up_log *log;
};

enum run_phase { STARTING, SERVING, STOPPING };

struct up_run {
	struct event_base *base;
	enum run_phase phase;
	const char *log_dir;
	const char *notify_path;
	int notify_fd;
	struct event *notify, *chld, *intr, *term, *hup, *deadline;
	bool interrupted;
	bool timed_out;
	size_t n;
	struct proc proc[PROGRAMS_MAX];
};

// --- starting one ----------------------------------------------------------------

static void
sibling_path(const char *program, char out[CLI_PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, CLI_PATH_MAX - 1);
	out[n < 0 ? 0 : n] = '\0';
	char *slash = strrchr(out, '/');
	size_t dir = slash == NULL ? 0 : (size_t)(slash - out) + 1;
	snprintf(out + dir, CLI_PATH_MAX - dir, "%s", program);
	// Installed, the command is in bin and the daemons in lib/sallyport.
	if (access(out, X_OK) != 0 && dir >= 5 && memcmp(out + dir - 5, "/bin/", 5) == 0)
		snprintf(out + dir - 4, CLI_PATH_MAX - dir + 4, "lib/sallyport/%s", program);
}

// The daemon's environment: where to report, what was passed, sanitizer settings.
static size_t
environment(const struct proc *p, char *text, size_t size, char **env, size_t max)
{
	static const char *const kept[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
	size_t at = 0;
	size_t n = 0;
	env[n++] = text + at;
	at += (size_t)snprintf(text + at, size - at, "NOTIFY_SOCKET=%s", p->run->notify_path) + 1;
	if (p->program.fd_count != 0) {
		env[n++] = text + at;
		at +=
		    (size_t)snprintf(text + at, size - at, "LISTEN_FDS=%zu", p->program.fd_count) +
		    1;
		env[n++] = text + at;
		at += (size_t)snprintf(text + at, size - at, "LISTEN_FDNAMES=");
		for (size_t i = 0; i < p->program.fd_count; i++)
			at += (size_t)snprintf(text + at, size - at, "%s%s", i == 0 ? "" : ":",
			    p->program.fd_names[i]);
		at++;
	}
	for (size_t i = 0; i < ARRAY_LEN(kept) && n + 1 < max; i++) {
		const char *v = getenv(kept[i]);
		if (v == NULL || strlen(v) + 32 > size - at)
			continue;
		env[n++] = text + at;
		at += (size_t)snprintf(text + at, size - at, "%s=%s", kept[i], v) + 1;
	}
	env[n] = NULL;
	return n;
}

static pid_t
launch(struct proc *p, int out_fd)
{
	char path[CLI_PATH_MAX];
	char text[4096];
	char *env[10];
	char *argv[UP_PROC_ARGS_MAX + 2] = {path};
	struct spawn_fd fds[UP_PROC_FDS_MAX + 3];
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sibling_path(p->program.program, path);
	for (size_t i = 0; p->program.argv[i] != NULL; i++)
		argv[i + 1] = (char *)(uintptr_t)p->program.argv[i];
	environment(p, text, sizeof(text), env, ARRAY_LEN(env));
	fds[0] = (struct spawn_fd){null_fd, 0};
	fds[1] = (struct spawn_fd){out_fd, 1};
	fds[2] = (struct spawn_fd){out_fd, 2};
	for (size_t i = 0; i < p->program.fd_count; i++)
		fds[i + 3] = (struct spawn_fd){p->program.fds[i], (int)i + 3};
	struct spawn s = {
	    .path = path,
	    .argv = argv,
	    .envp = env,
	    .fds = fds,
	    .fd_count = p->program.fd_count + 3,
	    .listen_env = p->program.fd_count != 0,
	    .die_with_parent = true,
	    .own_group = true,
	};
	pid_t pid = null_fd < 0 ? -1 : spawn_start(&s);
	close(null_fd);
	return pid;
}

static void
proc_start(struct proc *p)
{
	int out_fd = up_log_open_pipe(p->log);
	pid_t pid = out_fd < 0 ? -1 : launch(p, out_fd);
	if (out_fd >= 0)
		close(out_fd);
	p->ready = false;
	p->started_ns = clock_mono_ns();
	p->pid = pid < 0 ? 0 : pid;
	if (pid < 0) {
		cli_fail("cannot start %s: %s", p->program.name, strerror(errno));
		p->failed = true;
		event_base_loopbreak(p->run->base);
	}
}

// --- events ----------------------------------------------------------------------

static bool
all_ready(const struct up_run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->proc[i].ready)
			return false;
	return true;
}

static struct proc *
proc_of(struct up_run *r, pid_t pid)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->proc[i].pid == pid && pid > 0)
			return &r->proc[i];
	return NULL;
}

static void
on_ready(struct up_run *r, struct proc *p)
{
	if (r->phase == SERVING && !p->ready)
		fprintf(stderr, "sallyport: %s is up again\n", p->program.name);
	p->ready = true;
	if (r->phase == STARTING && all_ready(r))
		event_base_loopbreak(r->base);
}

// Any local process can send to the socket; the kernel says who did.
static void
on_notify(evutil_socket_t fd, short what, void *cookie)
{
	(void)what;
	struct up_run *r = cookie;
	char text[512];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr mh = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cm = n < 0 ? NULL : CMSG_FIRSTHDR(&mh);
	if (cm == NULL || cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_CREDENTIALS)
		return;
	struct ucred cred;
	memcpy(&cred, CMSG_DATA(cm), sizeof(cred));
	struct proc *p = proc_of(r, cred.pid);
	text[n] = '\0';
	if (p != NULL && strstr(text, "READY=1") != NULL)
		on_ready(r, p);
}

static void
describe_death(const struct proc *p, int status)
{
	if (WIFSIGNALED(status))
		fprintf(stderr, "sallyport: %s died by signal %d (%s)", p->program.name,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		fprintf(stderr, "sallyport: %s ended with status %d", p->program.name,
		    WEXITSTATUS(status));
}

static void
schedule_restart(struct proc *p, int status)
{
	uint64_t up_ms = (clock_mono_ns() - p->started_ns) / 1000000;
	if (up_ms > SETTLED_MS || p->backoff_ms == 0)
		p->backoff_ms = BACKOFF_MIN_MS;
	else
		p->backoff_ms = MIN(p->backoff_ms * 2, BACKOFF_MAX_MS);
	describe_death(p, status);
	fprintf(stderr, "; starting it again in %u ms\n", p->backoff_ms);
	struct timeval tv = {
	    .tv_sec = p->backoff_ms / 1000, .tv_usec = (int)(p->backoff_ms % 1000) * 1000};
	evtimer_add(p->restart, &tv);
}

static bool
none_left(const struct up_run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->proc[i].pid != 0)
			return false;
	return true;
}

static void
on_child(evutil_socket_t sig, short what, void *cookie)
{
	(void)sig;
	(void)what;
	struct up_run *r = cookie;
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct proc *p = proc_of(r, pid);
		if (p == NULL)
			continue;
		p->pid = 0;
		p->ready = false;
		up_log_drain(p->log);
		if (r->phase == STARTING) {
			describe_death(p, status);
			fprintf(stderr, " before it was ready\n");
			p->failed = true;
			event_base_loopbreak(r->base);
		} else if (r->phase == SERVING) {
			schedule_restart(p, status);
		} else {
			event_base_loopbreak(r->base);
		}
	}
}

static void
on_restart(evutil_socket_t fd, short what, void *cookie)
{
	(void)fd;
	(void)what;
	struct proc *p = cookie;
	if (p->run->phase == SERVING && p->pid == 0) {
		proc_start(p);
		if (p->pid == 0)
			schedule_restart(p, 127 << 8);
	}
}

static void
on_stop_signal(evutil_socket_t sig, short what, void *cookie)
{
	(void)sig;
	(void)what;
	struct up_run *r = cookie;
	if (r->interrupted && r->phase == STOPPING) // asked twice: do not wait
		for (size_t i = 0; i < r->n; i++)
			if (r->proc[i].pid != 0)
				kill(r->proc[i].pid, SIGKILL);
	r->interrupted = true;
	event_base_loopbreak(r->base);
}

static void
on_deadline(evutil_socket_t fd, short what, void *cookie)
{
	(void)fd;
	(void)what;
	struct up_run *r = cookie;
	r->timed_out = true;
	event_base_loopbreak(r->base);
}

// --- life ------------------------------------------------------------------------

static int
open_notify(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int one = 1;
	if (strlen(path) >= sizeof(sun.sun_path))
		return -1;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    chmod(path, 0666) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct up_run *
up_run_new(const char *log_dir, const char *notify_path)
{
	int fd = open_notify(notify_path);
	if (fd < 0) {
		cli_fail("cannot make the socket %s: %s", notify_path, strerror(errno));
		return NULL;
	}
	struct up_run *r = base_calloc(1, sizeof(*r));
	r->base = event_base_new();
	BUG_IF(r->base == NULL);
	r->log_dir = log_dir;
	r->notify_path = notify_path;
	r->notify_fd = fd;
	r->notify = event_new(r->base, fd, EV_READ | EV_PERSIST, on_notify, r);
	r->chld = evsignal_new(r->base, SIGCHLD, on_child, r);
	r->intr = evsignal_new(r->base, SIGINT, on_stop_signal, r);
	r->term = evsignal_new(r->base, SIGTERM, on_stop_signal, r);
	r->hup = evsignal_new(r->base, SIGHUP, on_stop_signal, r); // the terminal went away
	r->deadline = evtimer_new(r->base, on_deadline, r);
	BUG_IF(r->notify == NULL || r->chld == NULL || r->intr == NULL || r->term == NULL ||
	       r->hup == NULL || r->deadline == NULL);
	event_add(r->notify, NULL);
	event_add(r->chld, NULL);
	event_add(r->intr, NULL);
	event_add(r->term, NULL);
	event_add(r->hup, NULL);
	return r;
}

void
up_run_add(struct up_run *r, const struct up_program *p)
{
	BUG_IF(r->n == PROGRAMS_MAX);
	struct proc *q = &r->proc[r->n++];
	q->run = r;
	q->program = *p;
	q->log = up_log_new(r->base, r->log_dir, p->name);
	q->restart = evtimer_new(r->base, on_restart, q);
	BUG_IF(q->restart == NULL);
}

static void
arm(struct up_run *r, unsigned ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (int)(ms % 1000) * 1000};
	r->timed_out = false;
	evtimer_add(r->deadline, &tv);
}

static void
explain_failure(struct up_run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct proc *p = &r->proc[i];
		if (r->timed_out && !p->ready)
			cli_fail("%s was not ready in time", p->program.name);
		if (p->failed || (r->timed_out && !p->ready))
			up_log_print_tail(p->log);
	}
}

int
up_run_start(struct up_run *r, unsigned timeout_ms)
{
	bool failed = false;
	for (size_t i = 0; i < r->n; i++) {
		proc_start(&r->proc[i]);
		failed = failed || r->proc[i].failed;
	}
	arm(r, timeout_ms);
	while (!failed && !all_ready(r) && !r->timed_out && !r->interrupted) {
		event_base_dispatch(r->base);
		for (size_t i = 0; i < r->n; i++)
			failed = failed || r->proc[i].failed;
	}
	evtimer_del(r->deadline);
	if (failed || r->timed_out)
		explain_failure(r);
	if (failed || r->timed_out || r->interrupted)
		return -1;
	r->phase = SERVING;
	return 0;
}

void
up_run_supervise(struct up_run *r)
{
	while (!r->interrupted)
		event_base_dispatch(r->base);
}

static void
stop_wait(struct up_run *r, const struct proc *one, unsigned ms)
{
	arm(r, ms);
	while (!r->timed_out && (one == NULL ? !none_left(r) : one->pid != 0))
		event_base_dispatch(r->base);
	evtimer_del(r->deadline);
}

void
up_run_stop(struct up_run *r)
{
	r->phase = STOPPING;
	for (size_t i = r->n; i-- > 0;) {
		struct proc *p = &r->proc[i];
		evtimer_del(p->restart);
		if (p->pid == 0)
			continue;
		kill(p->pid, SIGTERM);
		stop_wait(r, p, i + 1 == r->n ? GRACE_MS : GRACE_OTHERS_MS);
	}
	for (size_t i = 0; i < r->n; i++)
		if (r->proc[i].pid != 0) {
			cli_fail("%s did not stop in time; killing it", r->proc[i].program.name);
			kill(r->proc[i].pid, SIGKILL);
		}
	stop_wait(r, NULL, GRACE_OTHERS_MS);
	for (size_t i = 0; i < r->n; i++) {
		event_free(r->proc[i].restart);
		up_log_free(r->proc[i].log);
	}
	event_free(r->notify);
	event_free(r->chld);
	event_free(r->intr);
	event_free(r->term);
	event_free(r->hup);
	event_free(r->deadline);
	event_base_free(r->base);
	close(r->notify_fd);
	unlink(r->notify_path);
	free(r);
}
