// SPDX-License-Identifier: Apache-2.0
// Supervision. May touch: the configured listeners, certificate and key files, its
// children.
#include "gatewayd/master.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/sock.h"
#include "gatewayd/control.h"
#include "gatewayd/resolve.h"
#include "gatewayd/tls.h"
#include "gatewayd/worker.h"
#include "policies.h"

#define RESTART_WAIT_MS 250

struct child {
	pid_t pid; // 0: not running
	int control;
	bool ready;
	uint64_t retry_ns; // when a dead one is started again
	int plain, tls;	   // its listening sockets, kept open over its death
};

struct pem {
	char *p;
	size_t len;
};

struct master {
	const struct config *config;
	struct resolver *resolver;
	struct pem certificate, key;
	int dirs[2]; // of certificate and key: what Landlock leaves reachable
	size_t dir_count;
	int signals;
	bool announced, stopping;
	struct child child[CONFIG_WORKERS_MAX];
};

// --- certificate -----------------------------------------------------------------------

static int
read_pem(const char *path, struct pem *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	char *p = base_calloc(1, CONTROL_PEM_MAX + 1);
	size_t len = 0;
	ssize_t n;
	while (len <= CONTROL_PEM_MAX && (n = read(fd, p + len, CONTROL_PEM_MAX + 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (len == 0 || len > CONTROL_PEM_MAX) {
		sodium_memzero(p, len);
		free(p);
		errno = len == 0 ? ENODATA : EFBIG;
		return -1;
	}
	*to = (struct pem){.p = p, .len = len};
	return 0;
}

static void
forget_pem(struct pem *pem)
{
	if (pem->p != NULL)
		sodium_memzero(pem->p, pem->len);
	free(pem->p);
	*pem = (struct pem){0};
}

static struct view
pem_view(const struct pem *pem)
{
	return (struct view){.p = pem->p, .len = pem->len};
}

// Reads and checks both files; on a fault the ones in use stay.
static int
load_certificate(struct master *m, char *error_r, size_t error_size)
{
	const struct config_tls *t = m->config->listen.tls;
	struct pem certificate = {0}, key = {0};
	struct tls *check = NULL;
	if (read_pem(t->certificate, &certificate) != 0)
		snprintf(error_r, error_size, "%s: %s", t->certificate, strerror(errno));
	else if (read_pem(t->key, &key) != 0)
		snprintf(error_r, error_size, "%s: %s", t->key, strerror(errno));
	else
		check = tls_new(pem_view(&certificate), pem_view(&key), error_r, error_size);
	if (check == NULL) {
		forget_pem(&certificate);
		forget_pem(&key);
		return -1;
	}
	tls_free(check);
	forget_pem(&m->certificate);
	forget_pem(&m->key);
	m->certificate = certificate;
	m->key = key;
	return 0;
}

static void
reload(struct master *m)
{
	char error[512];
	if (m->config->listen.tls == NULL)
		return;
	if (load_certificate(m, error, sizeof(error)) != 0) {
		log_msg(LOG_ERROR, "certificate not replaced: %s", error);
		return;
	}
	log_msg(LOG_INFO, "certificate read again from %s", m->config->listen.tls->certificate);
	for (unsigned i = 0; i < m->config->workers; i++) {
		struct child *c = &m->child[i];
		if (c->pid != 0 &&
		    control_send(c->control, pem_view(&m->certificate), pem_view(&m->key)) != 0)
			log_msg(LOG_ERROR, "worker %u does not take the new certificate", i);
	}
}

// --- opening -----------------------------------------------------------------------------

static int
open_dir_of(const char *file)
{
	char path[4096];
	if (strlen(file) >= sizeof(path))
		log_fatal("%s: path too long", file);
	memcpy(path, file, strlen(file) + 1);
	int fd = open(dirname(path), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		log_fatal("%s: %s", path, strerror(errno));
	return fd;
}

// One socket for each worker, so that the kernel shares connections out and a
// worker's death loses none that wait.
static void
open_listeners(struct master *m, const char *address, bool tls)
{
	char again[128];
	for (unsigned i = 0; i < m->config->workers; i++) {
		int fd = sock_listen_tcp(i == 0 ? address : again, m->config->workers > 1);
		if (fd < 0)
			log_fatal("cannot listen on %s: %s", address, strerror(errno));
		if (i == 0) {
			int host = (int)(strrchr(address, ':') - address);
			snprintf(
			    again, sizeof(again), "%.*s:%u", host, address, sock_local_port(fd));
			log_msg(LOG_INFO, "listening on %s%s", again, tls ? " (TLS)" : "");
		}
		*(tls ? &m->child[i].tls : &m->child[i].plain) = fd;
	}
}

struct master *
master_open(const struct config *c)
{
	struct master *m = base_calloc(1, sizeof(*m));
	char error[512];
	m->config = c;
	m->signals = -1;
	tzset(); // reads /etc/localtime now; OpenSSL's look at a certificate's dates would later
	for (size_t i = 0; i < CONFIG_WORKERS_MAX; i++)
		m->child[i].plain = m->child[i].tls = m->child[i].control = -1;
	if (c->listen.plain != NULL)
		open_listeners(m, c->listen.plain, false);
	if (c->listen.tls != NULL) {
		open_listeners(m, c->listen.tls->address, true);
		if (load_certificate(m, error, sizeof(error)) != 0)
			log_fatal("listen.tls: %s", error);
		m->dirs[m->dir_count++] = open_dir_of(c->listen.tls->certificate);
		m->dirs[m->dir_count++] = open_dir_of(c->listen.tls->key);
	}
	m->resolver = resolver_load(c);
	return m;
}

size_t
master_fds(const struct master *m, int *fds, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < m->dir_count && n < max; i++)
		fds[n++] = m->dirs[i];
	for (unsigned i = 0; i < m->config->workers && n + 2 <= max; i++) {
		if (m->child[i].plain >= 0)
			fds[n++] = m->child[i].plain;
		if (m->child[i].tls >= 0)
			fds[n++] = m->child[i].tls;
	}
	return n;
}

void
master_confine(struct master *m)
{
	struct worker_start probe = {.config = m->config,
	    .resolver = m->resolver,
	    .certificate = pem_view(&m->certificate),
	    .key = pem_view(&m->key)};
	worker_probe(&probe);
	struct sandbox worker;
	worker_sandbox(m->config, &worker);

	const struct config_tls *t = m->config->listen.tls;
	if (t != NULL && (access(t->certificate, R_OK) != 0 || access(t->key, R_OK) != 0))
		log_msg(LOG_WARN, "certificate or key is not readable for this user: SIGHUP will "
				  "not be able to read them again");
	sigset_t set;
	sigemptyset(&set);
	int wanted[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals < 0)
		log_fatal("signalfd: %s", strerror(errno));

	struct sandbox self = {.role = "gateway master",
	    .policy = policy_master,
	    .landlock_dirs = m->dirs,
	    .landlock_dir_count = m->dir_count,
	    .landlock_tcp = true, // its workers need it, and inherit
	    .max_files = worker.max_files};
	sandbox_enter(&self);
}

// --- children ----------------------------------------------------------------------------

// In the child: only what this worker needs stays open.
static int
become_worker(struct master *m, unsigned index, int control)
{
	struct child own = m->child[index];
	for (unsigned i = 0; i < m->config->workers; i++) {
		const struct child *c = &m->child[i];
		int fds[] = {c->control, i == index ? -1 : c->plain, i == index ? -1 : c->tls};
		for (size_t k = 0; k < ARRAY_LEN(fds); k++)
			if (fds[k] >= 0)
				close(fds[k]);
	}
	for (size_t i = 0; i < m->dir_count; i++)
		close(m->dirs[i]);
	close(m->signals);
	signal(SIGINT, SIG_IGN); // from a terminal it reaches all; the master decides
	signal(SIGHUP, SIG_IGN);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	struct worker_start s = {
	    .config = m->config,
	    .resolver = m->resolver,
	    .index = index,
	    .control = control,
	    .plain = own.plain,
	    .tls = own.tls,
	    .certificate = pem_view(&m->certificate),
	    .key = pem_view(&m->key),
	};
	return worker_run(&s);
}

static void
start(struct master *m, unsigned index)
{
	struct child *c = &m->child[index];
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		log_fatal("socketpair: %s", strerror(errno));
	int room = 2 * (int)CONTROL_PEM_MAX + 4096;
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	pid_t pid = fork();
	if (pid < 0)
		log_fatal("fork: %s", strerror(errno));
	if (pid == 0) {
		close(pair[0]);
		_exit(become_worker(m, index, pair[1]));
	}
	close(pair[1]);
	c->pid = pid;
	c->control = pair[0];
	c->ready = false;
}

static void
reap(struct master *m)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		for (unsigned i = 0; i < m->config->workers; i++) {
			struct child *c = &m->child[i];
			if (c->pid != pid)
				continue;
			if (!m->stopping)
				log_msg(LOG_ERROR, "worker %u ended (%s %d); starting it again", i,
				    WIFSIGNALED(status) ? "signal" : "status",
				    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			// A worker that cannot even start is a fault of the set-up.
			if (!c->ready && !m->announced && !m->stopping)
				log_fatal("worker %u could not start", i);
			close(c->control);
			c->control = -1;
			c->pid = 0;
			c->retry_ns = clock_mono_ns() + RESTART_WAIT_MS * 1000000ULL;
		}
	}
}

static void
stop(struct master *m)
{
	if (m->stopping)
		return;
	m->stopping = true;
	sock_notify("STOPPING=1");
	log_msg(LOG_INFO, "stopping: workers finish what runs");
	for (unsigned i = 0; i < m->config->workers; i++)
		if (m->child[i].pid != 0)
			kill(m->child[i].pid, SIGTERM);
}

static void
on_signals(struct master *m)
{
	struct signalfd_siginfo si;
	while (read(m->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			reap(m);
		else if (si.ssi_signo == SIGHUP)
			reload(m);
		else
			stop(m);
	}
}

static void
on_worker(struct master *m, unsigned index)
{
	struct child *c = &m->child[index];
	if (c->ready || control_is_ready(c->control) != 1)
		return;
	c->ready = true;
	bool all = true;
	for (unsigned i = 0; i < m->config->workers; i++)
		all = all && m->child[i].ready;
	if (all && !m->announced) {
		m->announced = true;
		log_msg(LOG_INFO, "serving with %u workers", (unsigned)m->config->workers);
		sock_notify("READY=1");
	}
}

// Starts what is due; returns how long poll may sleep, in milliseconds.
static int
restart_due(struct master *m)
{
	int wait = -1;
	uint64_t now = clock_mono_ns();
	for (unsigned i = 0; i < m->config->workers && !m->stopping; i++) {
		struct child *c = &m->child[i];
		if (c->pid != 0)
			continue;
		if (c->retry_ns <= now)
			start(m, i);
		else
			wait = RESTART_WAIT_MS;
	}
	return wait;
}

static size_t
running(const struct master *m)
{
	size_t n = 0;
	for (unsigned i = 0; i < m->config->workers; i++)
		n += m->child[i].pid != 0;
	return n;
}

int
master_run(struct master *m)
{
	for (;;) {
		int wait = restart_due(m);
		if (m->stopping && running(m) == 0)
			return 0;
		struct pollfd fds[1 + CONFIG_WORKERS_MAX];
		fds[0] = (struct pollfd){.fd = m->signals, .events = POLLIN};
		for (unsigned i = 0; i < m->config->workers; i++) {
			const struct child *c = &m->child[i];
			// A ready worker says nothing more; its end is told by SIGCHLD.
			fds[1 + i] = (struct pollfd){
			    .fd = c->pid != 0 && !c->ready ? c->control : -1, .events = POLLIN};
		}
		if (poll(fds, 1 + m->config->workers, wait) < 0 && errno != EINTR)
			log_fatal("poll: %s", strerror(errno));
		for (unsigned i = 0; i < m->config->workers; i++)
			if (fds[1 + i].fd >= 0 && (fds[1 + i].revents & POLLIN) != 0)
				on_worker(m, i);
		if (fds[0].revents != 0)
			on_signals(m);
	}
}
