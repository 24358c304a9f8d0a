// SPDX-License-Identifier: Apache-2.0
// Directory, lock, keys, sockets and gateway configuration of a stack.
#include "ctl/up_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sock.h"
#include "ctl/up_cert.h"

// Numeric users of a stack that root starts; they need no entry in /etc/passwd.
#define UID_VAULT    64101U
#define UID_AUDIT    64102U
#define UID_GATEWAY  64103U
#define UID_PROVIDER 64104U

#define SUN_PATH_MAX 108U

void
up_stack_path(const struct up_stack *s, const char *name, char out[CLI_PATH_MAX])
{
	int n = snprintf(out, CLI_PATH_MAX, "%s/%s", s->dir, name);
	BUG_IF(n < 0 || (size_t)n >= CLI_PATH_MAX);
}

static int
fail(const char *what, const char *path)
{
	cli_fail("cannot %s %s: %s", what, path, strerror(errno));
	return -1;
}

// --- directory -------------------------------------------------------------------

static int
make_dir(const struct up_stack *s, const char *name, mode_t mode, uid_t owner)
{
	char path[CLI_PATH_MAX];
	up_stack_path(s, name, path);
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return fail("make the directory", path);
	if (chmod(path, mode) != 0 || (s->split && chown(path, owner, owner) != 0))
		return fail("set the owner of", path);
	return 0;
}

// The daemons' own users must be able to walk down to the sockets.
static int
check_reachable(const struct up_stack *s)
{
	char path[CLI_PATH_MAX];
	struct stat st;
	memcpy(path, s->dir, sizeof(path));
	for (char *slash = strrchr(path, '/'); slash != NULL && slash != path;
	     slash = strrchr(path, '/')) {
		*slash = '\0';
		if (stat(path, &st) == 0 && (st.st_mode & 0001) == 0) {
			cli_fail("%s cannot be entered by the daemons, which do not run as root. "
				 "Choose another --dir, for example under /tmp or /var/lib, or: "
				 "chmod o+x %s",
			    path, path);
			return -1;
		}
	}
	return 0;
}

static int
take_lock(struct up_stack *s)
{
	char path[CLI_PATH_MAX];
	char pid[24] = "";
	up_stack_path(s, "up.lock", path);
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return fail("open", path);
	if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = read(s->lock, pid, sizeof(pid) - 1);
		pid[n < 0 ? 0 : n] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		cli_fail(
		    "a stack already runs in %s (process %s). Stop it, or choose another --dir",
		    s->dir, pid);
		return -1;
	}
	int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(s->lock, 0) != 0 || write(s->lock, pid, (size_t)n) != n)
		return fail("write", path);
	return 0;
}

static int
make_vault_key(const struct up_stack *s)
{
	unsigned char raw[32];
	char hex[sizeof(raw) * 2 + 2] = {0};
	if (up_stack_has(s, "vault.key"))
		return 0;
	randombytes_buf(raw, sizeof(raw));
	sodium_bin2hex(hex, sizeof(hex), raw, sizeof(raw));
	hex[2 * sizeof(raw)] = '\n';
	int r = up_stack_write(s, "vault.key", hex, s->vault);
	sodium_memzero(raw, sizeof(raw));
	sodium_memzero(hex, sizeof(hex));
	return r;
}

static void
choose_users(struct up_stack *s)
{
	uid_t me = geteuid();
	s->split = me == 0;
	s->vault = s->split ? UID_VAULT : me;
	s->audit = s->split ? UID_AUDIT : me;
	s->gateway = s->split ? UID_GATEWAY : me;
	s->demo = s->split ? UID_PROVIDER : me;
	s->admin = me;
}

int
up_stack_open(struct up_stack *s, const char *dir)
{
	*s = (struct up_stack){.lock = -1, .provider = -1};
	for (size_t i = 0; i < UP_SOCKET_COUNT; i++)
		s->sockets[i] = -1;
	choose_users(s);
	if (mkdir(dir, s->split ? 0711 : 0700) != 0 && errno != EEXIST)
		return fail("make the directory", dir);
	char real[PATH_MAX];
	if (realpath(dir, real) == NULL)
		return fail("use the directory", dir);
	if (strlen(real) + sizeof("/run/gateway.sock") > SUN_PATH_MAX) {
		cli_fail("the path %s is too long for a Unix socket (at most %zu bytes): choose a "
			 "shorter --dir",
		    real, SUN_PATH_MAX - sizeof("/run/gateway.sock"));
		return -1;
	}
	snprintf(s->dir, sizeof(s->dir), "%s", real);
	struct stat st;
	if (stat(s->dir, &st) != 0 || st.st_uid != geteuid()) {
		cli_fail("%s belongs to another user: choose another --dir", s->dir);
		return -1;
	}
	if (s->split && (st.st_mode & 0111) != 0111 && chmod(s->dir, st.st_mode | 0111) != 0)
		return fail("open up", s->dir);
	if ((s->split && check_reachable(s) != 0) || take_lock(s) != 0 ||
	    make_dir(s, "run", s->split ? 0711 : 0700, 0) != 0 ||
	    make_dir(s, "log", 0700, 0) != 0 || make_dir(s, "tls", 0755, 0) != 0 ||
	    make_dir(s, "vault", 0700, s->vault) != 0 || make_dir(s, "audit", 0700, s->audit) != 0)
		return -1;
	return make_vault_key(s);
}

void
up_stack_close(struct up_stack *s)
{
	for (size_t i = 0; i < UP_SOCKET_COUNT; i++)
		if (s->sockets[i] >= 0)
			close(s->sockets[i]);
	if (s->provider >= 0)
		close(s->provider);
	if (s->lock >= 0)
		close(s->lock);
}

// --- files -----------------------------------------------------------------------

bool
up_stack_has(const struct up_stack *s, const char *name)
{
	char path[CLI_PATH_MAX];
	up_stack_path(s, name, path);
	return access(path, F_OK) == 0;
}

int
up_stack_write(const struct up_stack *s, const char *name, const char *text, uid_t owner)
{
	char path[CLI_PATH_MAX];
	char fresh[CLI_PATH_MAX];
	up_stack_path(s, name, path);
	int n = snprintf(fresh, sizeof(fresh), "%s.new", path);
	BUG_IF(n < 0 || (size_t)n >= sizeof(fresh));
	unlink(fresh);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail("write", fresh);
	size_t len = strlen(text);
	bool ok = write(fd, text, len) == (ssize_t)len &&
		  (!s->split || fchown(fd, owner, owner) == 0) && fsync(fd) == 0;
	close(fd);
	if (!ok || rename(fresh, path) != 0)
		return fail("write", path);
	return 0;
}

// The listener's key belongs to who serves with it, and reads it again on SIGHUP.
static int
give_tls_key(const struct up_stack *s)
{
	char path[CLI_PATH_MAX];
	up_stack_path(s, "tls/server.key", path);
	if (s->split && chown(path, s->gateway, s->gateway) != 0)
		return fail("set the owner of", path);
	return 0;
}

// --- sockets ---------------------------------------------------------------------

static int
listen_one(struct up_stack *s, enum up_socket which, const char *name, uid_t owner, uid_t peer)
{
	char path[CLI_PATH_MAX];
	up_stack_path(s, name, path);
	s->sockets[which] = sock_listen_unix(path, s->split ? 0660 : 0600);
	if (s->sockets[which] < 0)
		return fail("listen on", path);
	// The daemon that may dial is let in by its group; the daemon behind the socket
	// checks the peer's user id once more.
	if (s->split && chown(path, owner, peer) != 0)
		return fail("set the owner of", path);
	return 0;
}

// The same port as the last time, since the stored credentials name it.
static int
listen_provider(struct up_stack *s)
{
	char path[CLI_PATH_MAX];
	char address[32];
	unsigned port = 0;
	up_stack_path(s, "provider.port", path);
	FILE *f = fopen(path, "re");
	if (f != NULL) {
		if (fscanf(f, "%u", &port) != 1 || port > 65535)
			port = 0;
		fclose(f);
	}
	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	s->provider = sock_listen_tcp(address, false);
	if (s->provider < 0 && port != 0)
		s->provider = sock_listen_tcp("127.0.0.1:0", false);
	if (s->provider < 0)
		return fail("listen for the demo provider on", address);
	s->provider_port = sock_local_port(s->provider);
	snprintf(address, sizeof(address), "%u\n", s->provider_port);
	return up_stack_write(s, "provider.port", address, 0);
}

int
up_stack_listen(struct up_stack *s, bool with_provider)
{
	if (listen_one(s, UP_GATEWAY, "run/gateway.sock", s->vault, s->gateway) != 0 ||
	    listen_one(s, UP_ADMIN, "run/admin.sock", s->vault, s->admin) != 0 ||
	    listen_one(s, UP_AUDIT, "run/audit.sock", s->vault, s->audit) != 0 ||
	    listen_one(s, UP_EVENTS, "run/events.sock", s->audit, s->gateway) != 0 ||
	    listen_one(s, UP_QUERY, "run/query.sock", s->audit, s->admin) != 0)
		return -1;
	return with_provider ? listen_provider(s) : 0;
}

// --- sallyport.yaml ----------------------------------------------------------------

int
up_stack_config(const struct up_stack *s, const struct up_listen *l)
{
	static const char *const names[] = {UP_CERT_OPENAI, UP_CERT_ANTHROPIC, UP_CERT_BEDROCK};
	char text[4096];
	size_t n = 0;
	if (l->tls != NULL && give_tls_key(s) != 0)
		return -1;
	n += (size_t)snprintf(text, sizeof(text),
	    "# Written by `sallyport up` at every start; sallyport.yaml(5) explains the keys.\n"
	    "listen:\n  plain: \"%s\"\n",
	    l->plain);
	if (l->tls != NULL)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "  tls:\n    address: \"%s\"\n    certificate: \"%s/tls/server.pem\"\n"
		    "    key: \"%s/tls/server.key\"\n",
		    l->tls, s->dir, s->dir);
	if (l->workers != NULL)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "workers: %s\n", l->workers);
	n += (size_t)snprintf(text + n, sizeof(text) - n,
	    "vault_socket: \"%s/run/gateway.sock\"\naudit_socket: \"%s/run/events.sock\"\n"
	    "limits:\n  drain_timeout_s: 5\nresolve:\n",
	    s->dir, s->dir);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "  - host: \"%s\"\n    address: \"127.0.0.1\"\n", names[i]);
	return up_stack_write(s, "sallyport.yaml", text, s->gateway);
}
