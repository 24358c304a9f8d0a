// SPDX-License-Identifier: Apache-2.0
// Durable audit records a second: plays the vault with N producers, each of which waits
// for its acknowledgement before it says the next intent. Prints one line per N.
// usage: audit_rate BUILD DIR SECONDS. May touch: DIR, the daemon that it starts.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "common/spawn.h"
#include "proto/chan.h"

#define PRODUCERS_MAX 1024U
#define SAMPLES	      4000000U
#define AUDIT_UID     "64102"

static uint64_t *took;
static size_t samples;
static uint64_t sent_at[PRODUCERS_MAX];

static void
say_intent(struct chan *c, uint64_t id)
{
	static uint64_t use;
	uint8_t request_id[16];
	clock_uuid7(request_id);
	struct msg_append a = {.event = EVENT_KEY_INTENT,
	    .time_ns = clock_wall_ns(),
	    .request_id = {.p = (char *)request_id, .len = 16},
	    .tenant = VIEW("acme"),
	    .workspace = VIEW("research"),
	    .user = VIEW("vk_0123456789abcdef"),
	    .conversation = VIEW("c-0123456789abcdef"),
	    .key_id = VIEW("openai-main"),
	    .key_version = 3,
	    .key_use = ++use,
	    .num_count = 1,
	    .text_count = 5};
	a.num[0] = (struct msg_attr_num){.key = ATTR_BYTES_IN, .value = 4096};
	a.text[0] = (struct msg_attr_text){.key = ATTR_OPERATION, .value = VIEW("chat")};
	a.text[1] = (struct msg_attr_text){.key = ATTR_PROVIDER, .value = VIEW("openai")};
	a.text[2] = (struct msg_attr_text){.key = ATTR_MODEL, .value = VIEW("gpt-4o-mini")};
	a.text[3] =
	    (struct msg_attr_text){.key = ATTR_UPSTREAM_HOST, .value = VIEW("api.openai.com")};
	a.text[4] = (struct msg_attr_text){.key = ATTR_BODY_SHA256,
	    .value = VIEW("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")};
	sent_at[id] = clock_mono_ns();
	chan_send(c, MSG_APPEND, id, &a);
}

static void
flush(struct chan *c)
{
	enum chan_status st;
	while ((st = chan_flush(c)) == CHAN_AGAIN) {
		struct pollfd p = {.fd = chan_fd(c), .events = POLLOUT};
		poll(&p, 1, -1);
	}
	if (st != CHAN_OK)
		exit(1);
}

// Takes all answers that wait; with again, each producer goes on at once.
static size_t
answers(struct chan *c, bool again)
{
	struct frame f;
	struct msg_ack ack;
	size_t n = 0;
	struct pollfd p = {.fd = chan_fd(c), .events = POLLIN};
	poll(&p, 1, -1);
	if (chan_read(c) == CHAN_EOF)
		exit(1);
	while (chan_next(c, &f) == CHAN_OK) {
		if (f.type != MSG_ACK || chan_decode(c, &f, &ack) != CHAN_OK)
			exit(1);
		if (samples < SAMPLES)
			took[samples++] = clock_mono_ns() - sent_at[f.id];
		n++;
		if (again)
			say_intent(c, f.id);
	}
	flush(c);
	return n;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void
measure(struct chan *c, unsigned producers, unsigned seconds)
{
	samples = 0;
	uint64_t began = clock_mono_ns(), end = began;
	size_t n = 0, waiting = producers;
	for (unsigned i = 0; i < producers; i++)
		say_intent(c, i);
	flush(c);
	for (; end - began < seconds * 1000000000ULL; end = clock_mono_ns())
		n += answers(c, true);
	double rate = (double)n * 1e9 / (double)(end - began);
	while (waiting != 0)
		waiting -= answers(c, false);
	qsort(took, samples, sizeof(*took), compare);
	printf(
	    "%4u producers: %8.0f durable records/s, ack p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms\n",
	    producers, rate, (double)took[samples / 2] / 1e6,
	    (double)took[samples * 99 / 100] / 1e6, (double)took[samples * 999 / 1000] / 1e6);
	fflush(stdout);
}

static pid_t
start_daemon(const char *build, const char *dir, int *vault_r)
{
	static char path[512], log[512], vault[512], events[512], query[512], uid[16];
	snprintf(path, sizeof(path), "%s/sallyport-auditd", build);
	snprintf(log, sizeof(log), "%s/log", dir);
	snprintf(vault, sizeof(vault), "%s/audit.sock", dir);
	snprintf(events, sizeof(events), "%s/events.sock", dir);
	snprintf(query, sizeof(query), "%s/query.sock", dir);
	snprintf(uid, sizeof(uid), "%u", geteuid());
	if (mkdir(log, 0700) != 0 || chmod(dir, 0755) != 0 ||
	    (geteuid() == 0 && chown(log, 64102, 64102) != 0))
		exit(1);
	*vault_r = sock_listen_unix(vault, 0666);
	struct spawn_fd fds[] = {{.from = sock_listen_unix(events, 0666), .to = 3},
	    {.from = sock_listen_unix(query, 0666), .to = 4}};
	char *argv[] = {path, "--dir", log, "--vault-socket", vault, "--vault-uid", uid,
	    "--gateway-uid", uid, "--admin-uid", uid, geteuid() == 0 ? "--run-as" : NULL,
	    AUDIT_UID ":" AUDIT_UID, NULL};
	char *envp[] = {"LISTEN_FDS=2", "LISTEN_FDNAMES=events:query", NULL};
	struct spawn s = {.path = path,
	    .argv = argv,
	    .envp = envp,
	    .fds = fds,
	    .fd_count = 2,
	    .listen_env = true,
	    .die_with_parent = true};
	return spawn_start(&s);
}

int
main(int argc, char **argv)
{
	static const unsigned producers[] = {1, 4, 16, 64, 256};
	int listener;
	if (argc != 4)
		return 2;
	took = base_calloc(SAMPLES, sizeof(*took));
	pid_t pid = start_daemon(argv[1], argv[2], &listener);
	struct pollfd p = {.fd = listener, .events = POLLIN};
	if (pid < 0 || poll(&p, 1, 10000) != 1)
		return 1;
	struct chan *c = chan_new(sock_accept(listener), ROLE_AUDITD_AT_CORE, 0);
	struct frame f;
	while (chan_next(c, &f) == CHAN_AGAIN)
		if (poll(&(struct pollfd){.fd = chan_fd(c), .events = POLLIN}, 1, 10000) != 1 ||
		    chan_read(c) == CHAN_EOF)
			return 1;
	chan_set_state(c, CHANNEL_READY);
	for (size_t i = 0; i < ARRAY_LEN(producers); i++)
		measure(c, producers[i], (unsigned)strtoul(argv[3], NULL, 10));
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return 0;
}
