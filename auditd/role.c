// SPDX-License-Identifier: Apache-2.0
// Flags, directory checks, self-test, signals. May touch: the log directory.
#include "auditd/role.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "auditd/serve.h"
#include "common/log.h"
#include "common/sock.h"

#define NS_PER_S  UINT64_C(1000000000)
#define PROBE_DIR "probe.tmp"

// --- flags -----------------------------------------------------------------------------

static const char usage[] =
    "usage: sallyport-auditd --dir DIR --gateway-uid USER --vault-uid USER --admin-uid USER\n"
    "                        [--vault-socket PATH] [--run-as UID:GID]\n"
    "                        [--orphan-after SECONDS] [--reserve BYTES] [--ballast BYTES]\n"
    "                        [--segment-records N] [--segment-bytes N] [--segment-age SECONDS]\n"
    "Keeps the audit log in DIR. Listens on the sockets `events` and `query` that the\n"
    "service manager (or `sallyport up`) passes, and dials the vault.\n";

static uint64_t
number(const char *flag, const char *text, uint64_t min, uint64_t max)
{
	char *end;
	errno = 0;
	uint64_t v = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || v < min || v > max)
		log_fatal("--%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'", flag,
		    min, max, text);
	return v;
}

static void
absolute_path(const char *path, char *out, size_t size)
{
	char cwd[4096] = "";
	if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		log_fatal("getcwd: %s", strerror(errno));
	int n = snprintf(out, size, "%s%s%s", cwd, path[0] == '/' ? "" : "/", path);
	if (n < 0 || (size_t)n >= size)
		log_fatal("--vault-socket: path too long (at most %zu bytes): %s", size - 1, path);
}

enum flag {
	F_HELP,
	F_DIR,
	F_VAULT_SOCKET,
	F_VAULT_UID,
	F_GATEWAY_UID,
	F_ADMIN_UID,
	F_RUN_AS,
	F_ORPHAN_AFTER,
	F_RESERVE,
	F_BALLAST,
	F_SEGMENT_RECORDS,
	F_SEGMENT_BYTES,
	F_SEGMENT_AGE,
};

static const struct option flags[] = {
    {"help", no_argument, NULL, F_HELP},
    {"dir", required_argument, NULL, F_DIR},
    {"vault-socket", required_argument, NULL, F_VAULT_SOCKET},
    {"vault-uid", required_argument, NULL, F_VAULT_UID},
    {"gateway-uid", required_argument, NULL, F_GATEWAY_UID},
    {"admin-uid", required_argument, NULL, F_ADMIN_UID},
    {"run-as", required_argument, NULL, F_RUN_AS},
    {"orphan-after", required_argument, NULL, F_ORPHAN_AFTER},
    {"reserve", required_argument, NULL, F_RESERVE},
    {"ballast", required_argument, NULL, F_BALLAST},
    {"segment-records", required_argument, NULL, F_SEGMENT_RECORDS},
    {"segment-bytes", required_argument, NULL, F_SEGMENT_BYTES},
    {"segment-age", required_argument, NULL, F_SEGMENT_AGE},
    {NULL, 0, NULL, 0},
};

static uid_t
user(const char *name, const char *arg)
{
	uid_t uid;
	if (sock_uid_of(arg, &uid) != 0)
		log_fatal("--%s: no such user: %s", name, arg);
	return uid;
}

static void
take_flag(struct role_options *o, int flag, const char *name, const char *arg)
{
	switch (flag) {
	case F_HELP:
		fputs(usage, stdout);
		exit(0);
	case F_DIR:
		o->dir = arg;
		break;
	case F_VAULT_SOCKET:
		absolute_path(arg, o->vault_socket, sizeof(o->vault_socket));
		o->have_vault = true;
		break;
	case F_VAULT_UID:
		o->vault_uid = user(name, arg);
		break;
	case F_GATEWAY_UID:
		o->gateway_uid = user(name, arg);
		break;
	case F_ADMIN_UID:
		o->admin_uid = user(name, arg);
		break;
	case F_RUN_AS:
		o->run_as = arg;
		break;
	case F_ORPHAN_AFTER:
		o->orphan_after_s = number(name, arg, 1, 86400);
		break;
	case F_RESERVE:
		o->reserve = number(name, arg, 0, UINT64_C(1) << 50);
		break;
	case F_BALLAST:
		o->ballast = number(name, arg, 0, UINT64_C(1) << 40);
		break;
	case F_SEGMENT_RECORDS:
		o->ledger.segment_records = number(name, arg, 16, 1U << 20);
		break;
	case F_SEGMENT_BYTES:
		o->ledger.segment_bytes = number(name, arg, 65536, 1U << 30);
		break;
	case F_SEGMENT_AGE:
		o->ledger.segment_age_ns = number(name, arg, 1, 86400) * NS_PER_S;
		break;
	default:
		fputs(usage, stderr);
		exit(1);
	}
}

void
role_parse(int argc, char **argv, struct role_options *o_r)
{
	const uid_t unset = (uid_t)-1;
	*o_r = (struct role_options){.vault_uid = unset,
	    .gateway_uid = unset,
	    .admin_uid = unset,
	    .orphan_after_s = 900,
	    .reserve = 32U << 20,
	    .ballast = 16U << 20,
	    .ledger = {.dir = ".",
		.segment_records = 1U << 20,
		.segment_bytes = 1U << 30,
		.segment_age_ns = 24 * 3600 * NS_PER_S}};
	for (int flag, i = 0; (flag = getopt_long(argc, argv, "", flags, &i)) != -1;)
		take_flag(o_r, flag, flag == '?' ? "" : flags[i].name, optarg);
	if (optind != argc)
		log_fatal("unexpected argument '%s'", argv[optind]);
	if (o_r->dir == NULL)
		log_fatal("--dir DIR is missing: where the audit log lives");
	if (o_r->vault_uid == unset || o_r->gateway_uid == unset || o_r->admin_uid == unset)
		log_fatal("--vault-uid, --gateway-uid and --admin-uid are needed: who may connect");
}

// --- directory ---------------------------------------------------------------------------

int
role_open_dir(const struct role_options *o)
{
	int fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		log_fatal("cannot open %s: %s (make it with mode 0700, owned by the audit user)",
		    o->dir, strerror(errno));
	if (fchdir(fd) != 0)
		log_fatal("cannot enter %s: %s", o->dir, strerror(errno));
	return fd;
}

void
role_check_dir(const struct role_options *o, int dir_fd)
{
	// Memory maps and flushes of these are not those of a local disk.
	static const uint32_t remote[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC,
	    SMB2_SUPER_MAGIC, AFS_SUPER_MAGIC, CEPH_SUPER_MAGIC, V9FS_MAGIC, CODA_SUPER_MAGIC};
	struct stat st;
	struct statfs fs;
	if (fstat(dir_fd, &st) != 0 || fstatfs(dir_fd, &fs) != 0)
		log_fatal("cannot look at %s: %s", o->dir, strerror(errno));
	if (st.st_uid != geteuid())
		log_fatal("%s belongs to uid %u, but the daemon runs as %u: chown it", o->dir,
		    st.st_uid, geteuid());
	if ((st.st_mode & 077) != 0)
		log_fatal("%s is open to others (mode %04o): chmod 700 %s", o->dir,
		    (unsigned)st.st_mode & 07777U, o->dir);
	for (size_t i = 0; i < ARRAY_LEN(remote); i++)
		if ((uint32_t)fs.f_type == remote[i])
			log_fatal("%s is on a network file system, which cannot promise that a "
				  "record is durable: put the log on a local disk",
			    o->dir);
	if (flock(dir_fd, LOCK_EX | LOCK_NB) != 0)
		log_fatal("%s is in use by another sallyport-auditd (or by `audit verify --path`)",
		    o->dir);
}

// --- self-test ---------------------------------------------------------------------------

static void
nothing_answered(void *cookie, void *source, uint64_t id, const struct commit_answer *a)
{
	(void)cookie, (void)source, (void)id, (void)a;
}

static void
nothing_done(void *cookie, bool fatal)
{
	(void)cookie, (void)fatal;
}

static void
clear_probe(void)
{
	uint64_t *first = NULL;
	size_t n = 0;
	if (store_list(PROBE_DIR, &first, &n) == 0)
		for (size_t i = 0; i < n; i++)
			(void)store_remove(PROBE_DIR, first[i]);
	free(first);
	(void)unlink(PROBE_DIR "/LOG"); // may not be there
	(void)unlink(PROBE_DIR "/ballast");
	(void)rmdir(PROBE_DIR);
}

// Many open intents: listing them sorts, and a long sort asks for the size of memory.
static void
probe_intents(void)
{
	size_t n;
	struct chain_intents *set = chain_intents_new();
	for (uint64_t i = 0; i < 10000; i++)
		chain_intent_set(set, i * 7919 % 10007, INTENT_OPEN, i);
	free(chain_intent_list(set, INTENT_OPEN, &n));
	chain_intents_free(set);
}

// A scratch log beside the real one: begin, commit, rotate, read, verify at a second
// opening; plus loop, ballast and dialing.
static int
probe_log(const struct role_options *o)
{
	struct ledger_config lc = {.dir = PROBE_DIR,
	    .segment_records = 3,
	    .segment_bytes = 1U << 30,
	    .segment_age_ns = UINT64_MAX,
	    .map_bytes = 1U << 20};
	struct space *space = space_new(PROBE_DIR, 0, o->ballast == 0 ? 0 : 4096);
	for (int round = 0; round < 2; round++) {
		struct event_base *base = event_base_new();
		struct ledger *l = ledger_open(&lc);
		if (base == NULL || event_base_priority_init(base, COMMIT_PRIORITIES) != 0)
			return -1;
		struct commit_config cc = {
		    .ledger = l, .space = space, .answer = nothing_answered, .done = nothing_done};
		struct commit *c = commit_new(NULL, &cc);
		for (int i = 0; i < 4; i++) {
			commit_push(c, commit_entry_own(EVENT_AUDIT_START, 0, "self-test", 1));
			commit_run(c);
		}
		commit_tick(c);
		commit_free(c);
		if (ledger_head_seq(l) < 4)
			return -1;
		ledger_close(l);
		event_base_loop(base, EVLOOP_NONBLOCK);
		event_base_free(base);
	}
	space_exhausted(space);
	space_free(space);
	probe_intents();
	return 0;
}

// The calls of dialing and greeting, without bothering the vault.
static int
probe_sockets(void)
{
	int pair[2];
	uid_t uid;
	int fd = sock_connect_unix(PROBE_DIR "/none", false);
	if (fd >= 0)
		close(fd);
	if (sock_pair(pair) != 0)
		return -1;
	int rc = sock_peer_uid(pair[0], &uid, NULL);
	close(pair[0]);
	close(pair[1]);
	return rc;
}

int
role_selftest(void *options)
{
	log_init("sallyport-auditd", LOG_WARN);
	clear_probe();
	if (mkdir(PROBE_DIR, 0700) != 0)
		return -1;
	int rc = probe_log(options);
	if (rc == 0)
		rc = probe_sockets();
	clear_probe();
	return rc;
}

// --- start and loop ------------------------------------------------------------------------

struct serve *
role_start(const struct role_options *o, struct event_base *base, int events_fd, int query_fd)
{
	signal(SIGXFSZ, SIG_IGN); // a file size limit is an error code, never a signal
	struct ledger *l = ledger_open(&o->ledger);
	struct serve_config sc = {.events_fd = events_fd,
	    .query_fd = query_fd,
	    .vault_socket = o->have_vault ? o->vault_socket : NULL,
	    .vault_uid = o->vault_uid,
	    .gateway_uid = o->gateway_uid,
	    .admin_uid = o->admin_uid,
	    .ledger = l,
	    .space = space_new(o->ledger.dir, o->reserve, o->ballast),
	    .orphan_after_ns = o->orphan_after_s * NS_PER_S};
	struct serve *s = serve_new(base, &sc);
	struct commit *c = serve_commit(s);
	char version[96];
	snprintf(version, sizeof(version), "%s, %s", SALLYPORT_VERSION, store_library());
	struct commit_entry *e = commit_entry_own(EVENT_AUDIT_START, 0, version, 0);
	e->record.attr[0].key = ATTR_VERSION;
	commit_push(c, e);
	commit_orphans(c, true);
	uint64_t before = ledger_head_seq(l);
	while (commit_waiting(c) != 0)
		commit_run(c);
	if (ledger_head_seq(l) == before)
		log_fatal("cannot record the start: the file system of %s is full", o->dir);
	return s;
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig, (void)what;
	event_base_loopbreak(arg);
}

int
role_loop(struct event_base *base, struct serve *s)
{
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
	struct event *intr = evsignal_new(base, SIGINT, on_signal, base);
	BUG_IF(term == NULL || intr == NULL || event_add(term, NULL) != 0 ||
	       event_add(intr, NULL) != 0);
	sock_notify("READY=1");
	int rc = event_base_dispatch(base);
	sock_notify("STOPPING=1");
	serve_stop(s);
	event_free(term);
	event_free(intr);
	return rc < 0 ? 1 : 0;
}
