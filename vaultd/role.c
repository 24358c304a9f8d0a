// SPDX-License-Identifier: Apache-2.0
// Putting the vault core together. May touch: before the sandbox, what main.c says;
// afterwards, accepting on the three sockets it was given.
#include "vaultd/role.h"

#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"
#include "common/spawn.h"
#include "vaultd/admin.h"
#include "vaultd/audit_link.h"
#include "vaultd/audit_note.h"
#include "vaultd/catalogue_store.h"
#include "vaultd/exchange.h"
#include "vaultd/gateway.h"
#include "vaultd/issuer.h"
#include "vaultd/head.h"
#include "vaultd/lane_ctl.h"
#include "vaultd/rsa.h"
#include "vaultd/self_test.h"
#include "vaultd/token.h"
#include "vaultd/unlock.h"

#define SECRET_KIB_DEFAULT 4096U
#define SECRET_KIB_MAX	   65536U
#define TICK_MS		   250
#define TICKS_PER_SAVE	   20U
#define ACCEPTS_PER_TURN   16

static const char usage[] =
    "Usage: sallyport-vaultd --dir DIR --unlock METHOD --gateway-uid N --audit-uid N\n"
    "                        --admin-uid N [--run-as UID:GID]\n"
    "\n"
    "The vault: holds the provider keys and decides who may use them. Started by\n"
    "systemd or `sallyport up`, which pass the sockets gateway, admin and audit.\n"
    "\n"
    "  --dir DIR            state directory, mode 0700\n"
    "  --unlock METHOD      keyfile:PATH, credential:NAME or passphrase\n"
    "  --gateway-uid N      only this user may connect to the gateway socket\n"
    "  --audit-uid N        only this user may connect to the audit socket\n"
    "  --admin-uid N        only this user and root may connect to the admin socket\n"
    "  --run-as UID:GID     become this user (started as root)\n"
    "  --secret-kib N       secret memory, default 4096\n"
    "  --accept-new-audit-log  forget the audit log witnessed so far (once, on purpose)\n"
    "  --help, --version\n";

enum {
	OPT_DIR = 256,
	OPT_UNLOCK,
	OPT_GATEWAY,
	OPT_AUDIT,
	OPT_ADMIN,
	OPT_RUN_AS,
	OPT_SECRET,
	OPT_NEW_LOG,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
    {"dir", required_argument, NULL, OPT_DIR},
    {"unlock", required_argument, NULL, OPT_UNLOCK},
    {"gateway-uid", required_argument, NULL, OPT_GATEWAY},
    {"audit-uid", required_argument, NULL, OPT_AUDIT},
    {"admin-uid", required_argument, NULL, OPT_ADMIN},
    {"run-as", required_argument, NULL, OPT_RUN_AS},
    {"secret-kib", required_argument, NULL, OPT_SECRET},
    {"accept-new-audit-log", no_argument, NULL, OPT_NEW_LOG},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

// --- flags ---------------------------------------------------------------------------

static unsigned
parse_uid(const char *flag, const char *s)
{
	uid_t uid;
	if (sock_uid_of(s, &uid) != 0)
		log_fatal("%s: there is no user '%s'", flag, s);
	return uid;
}

static void
print_and_leave(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		exit(1);
	exit(0);
}

static void
take_option(int opt, struct role_options *o, unsigned *seen)
{
	switch (opt) {
	case OPT_DIR:
		o->dir = optarg;
		break;
	case OPT_UNLOCK:
		o->unlock = optarg;
		break;
	case OPT_GATEWAY:
		o->gateway_uid = parse_uid("--gateway-uid", optarg);
		*seen |= 1;
		break;
	case OPT_AUDIT:
		o->audit_uid = parse_uid("--audit-uid", optarg);
		*seen |= 2;
		break;
	case OPT_ADMIN:
		o->admin_uid = parse_uid("--admin-uid", optarg);
		*seen |= 4;
		break;
	case OPT_RUN_AS:
		o->run_as = optarg;
		break;
	case OPT_SECRET:
		o->secret_kib = (unsigned)strtoul(optarg, NULL, 10);
		break;
	case OPT_NEW_LOG:
		o->new_audit_log = true;
		break;
	case OPT_HELP:
		print_and_leave(usage);
		break;
	case OPT_VERSION:
		print_and_leave("sallyport-vaultd " SALLYPORT_VERSION "\n");
		break;
	default:
		exit(2); // getopt said what is wrong
	}
}

void
role_parse(int argc, char **argv, struct role_options *o)
{
	unsigned seen = 0;
	*o = (struct role_options){.secret_kib = SECRET_KIB_DEFAULT};
	for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;)
		take_option(opt, o, &seen);
	if (optind != argc)
		log_fatal("unexpected argument '%s'; see --help", argv[optind]);
	if (o->dir == NULL || o->unlock == NULL || seen != 7)
		log_fatal(
		    "--dir, --unlock, --gateway-uid, --audit-uid and --admin-uid are needed; see "
		    "--help");
	if (o->secret_kib < 512 || o->secret_kib > SECRET_KIB_MAX)
		log_fatal("--secret-kib takes 512 to %u", SECRET_KIB_MAX);
}

void
role_sockets(struct role_sockets *s)
{
	s->gateway = sock_activated("gateway");
	s->admin = sock_activated("admin");
	s->audit = sock_activated("audit");
	if (s->gateway < 0 || s->admin < 0 || s->audit < 0)
		log_fatal("the sockets `gateway`, `admin` and `audit` were not passed: start with "
			  "`sallyport up` or systemd");
}

// --- opening -------------------------------------------------------------------------

static void
open_secret_memory(struct core *core, unsigned kib)
{
	struct rlimit rl = {0};
	core->memory = secmem_init((size_t)kib * 1024);
	if (core->memory == SECMEM_NONE) {
		int e = errno;
		(void)getrlimit(RLIMIT_MEMLOCK, &rl);
		log_fatal(
		    "no secret memory of %u KiB: %s (locked memory is limited to %llu KiB; raise "
		    "LimitMEMLOCK, or lower --secret-kib)",
		    kib, strerror(e), (unsigned long long)rl.rlim_cur / 1024);
	}
	size_t size = (size_t)kib * 1024;
	core->secret_limit = size - MIN(size / 4, (size_t)ADMIN_MAX * 2 * FRAME_PAYLOAD_MAX);
	if (core->memory == SECMEM_LOCKED)
		log_msg(LOG_WARN,
		    "the kernel has no memfd_secret: secrets are in locked memory, which root "
		    "can read");
}

void
role_open(struct core *core, const struct role_options *o)
{
	if (sodium_init() < 0)
		log_fatal("libsodium does not start");
	rsa_init();
	open_secret_memory(core, o->secret_kib);
	core->started_ns = clock_mono_ns();
	core->store = store_open(o->dir, "store.mdb", o->run_as);
	core->seal = unlock_store(core->store, o->unlock, o->run_as);
	core->catalogue = catalogue_store_load(core->store, core->seal, &core->catalogue_version);
	core->creds = cred_table_new(core->store, core->seal);
	core->issuer = issuer_load(core->store, core->seal);
	core->vkeys = vkey_table_new(core->store, core->seal);
	core->work = secmem_alloc(sizeof(*core->work));
	if (core->work == NULL)
		log_fatal("secret memory is too small: raise --secret-kib");
	self_test_set_dir(o->dir);
	log_msg(LOG_INFO, "%zu credentials, %zu keys, catalogue %llu of %.*s",
	    cred_count(core->creds), vkey_count(core->vkeys),
	    (unsigned long long)core->catalogue->version, (int)core->catalogue->as_of.len,
	    core->catalogue->as_of.p);
}

static void
sealer_path(char *path, size_t size)
{
	static const char name[] = "/sallyport-sealer";
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash = n <= 0 ? NULL : memrchr(path, '/', (size_t)n);
	if (slash == NULL || (size_t)(slash - path) + sizeof(name) > size)
		log_fatal("cannot find the directory of this program (is /proc mounted?)");
	memcpy(slash, name, sizeof(name));
}

int
role_start_zygote(const struct role_options *o)
{
	int pair[2];
	char path[PATH_MAX];
	sealer_path(path, sizeof(path));
	if (access(path, X_OK) != 0)
		log_fatal("cannot start %s: %s", path, strerror(errno));
	if (sock_pair(pair) != 0)
		log_fatal("socketpair: %s", strerror(errno));
	static char run_as_flag[] = "--run-as";
	char *argv[] = {path, NULL, NULL, NULL};
	if (o->run_as != NULL) {
		argv[1] = run_as_flag;
		argv[2] = (char *)(uintptr_t)o->run_as;
	}
	struct spawn s = {.path = path,
	    .argv = argv,
	    .fds = &(struct spawn_fd){.from = pair[1], .to = 3},
	    .fd_count = 1,
	    .die_with_parent = true};
	if (spawn_start(&s) < 0)
		log_fatal("cannot start %s: %s", path, strerror(errno));
	close(pair[1]);
	return pair[0];
}

// --- the loop ------------------------------------------------------------------------

struct listener {
	struct core *core;
	const char *name;
	unsigned uid;
	bool root_too;
};

static bool
peer_allowed(const struct listener *l, int fd, uid_t *uid_r)
{
	if (sock_peer_uid(fd, uid_r, NULL) != 0)
		return false;
	return *uid_r == l->uid || (l->root_too && *uid_r == 0);
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	const struct listener *l = arg;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		uid_t uid = 0;
		int peer = sock_accept(fd);
		if (peer < 0)
			return;
		if (!peer_allowed(l, peer, &uid)) {
			log_msg(LOG_ERROR, "%s socket: refused a connection of uid %u", l->name,
			    (unsigned)uid);
			close(peer);
		} else if (strcmp(l->name, "gateway") == 0) {
			gateway_accept(l->core->gateways, peer);
		} else if (strcmp(l->name, "audit") == 0) {
			audit_link_accept(l->core->audit, peer);
		} else {
			admin_accept(l->core->admins, peer, uid);
		}
	}
}

static void
listen_on(struct core *core, int fd, const char *name, unsigned uid, bool root_too)
{
	struct listener *l = base_calloc(1, sizeof(*l)); // lives as long as the process
	*l = (struct listener){core, name, uid, root_too};
	struct event *e = event_new(core->base, fd, EV_READ | EV_PERSIST, on_accept, l);
	if (e == NULL || event_add(e, NULL) != 0)
		log_fatal("cannot watch the %s socket", name);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	static unsigned ticks;
	struct core *core = arg;
	bool save = ++ticks % TICKS_PER_SAVE == 0;
	audit_link_tick(core->audit, save);
	audit_note_tick(core->notes);
	gateway_tick(core->gateways);
	if (save)
		lane_ctl_tick(core->lanes);
}

static void
on_term(evutil_socket_t sig, short what, void *arg)
{
	(void)sig, (void)what;
	struct core *core = arg;
	event_base_loopbreak(core->base);
}

static void
add_event(struct event *e, const struct timeval *tv)
{
	if (e == NULL || event_add(e, tv) != 0)
		log_fatal("cannot make the event loop");
}

void
role_serve(
    struct core *core, const struct role_options *o, const struct role_sockets *s, int zygote)
{
	struct event_config *cfg = event_config_new();
	if (cfg == NULL || event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK) != 0 ||
	    (core->base = event_base_new_with_config(cfg)) == NULL)
		log_fatal("cannot make the event loop");
	event_config_free(cfg);
	core->notes = audit_note_new(core);
	core->audit = audit_link_new(core, o->new_audit_log);
	core->gateways = gateway_set_new(core);
	core->exchanges = exchange_set_new(core);
	core->tokens = token_set_new(core->seal);
	core->admins = admin_set_new(core);
	core->lanes = lane_ctl_new(core, zygote);
	listen_on(core, s->gateway, "gateway", o->gateway_uid, false);
	listen_on(core, s->audit, "audit", o->audit_uid, false);
	listen_on(core, s->admin, "admin", o->admin_uid, true);
	add_event(event_new(core->base, -1, EV_PERSIST, on_tick, core),
	    &(struct timeval){.tv_usec = TICK_MS * 1000});
	add_event(evsignal_new(core->base, SIGTERM, on_term, core), NULL);
	add_event(evsignal_new(core->base, SIGINT, on_term, core), NULL);
}

int
role_loop(struct core *core)
{
	event_base_dispatch(core->base);
	log_msg(LOG_INFO, "stopping");
	sock_notify("STOPPING=1");
	audit_link_free(core->audit); // also stores what was witnessed
	audit_note_free(core->notes);
	secmem_free(core->work);
	seal_free(core->seal);
	store_close(core->store);
	return 0;
}
