// SPDX-License-Identifier: Apache-2.0
// Getting at the store key. May touch: the key file or credential, the terminal,
// the store; before the sandbox only.
#include "vaultd/unlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "common/log.h"

#define KEY_MIN 32U
#define KEY_MAX 4096U

// Stored form, a msgpack array: format 1, method, salt, opslimit, memlimit, sealed.
enum method { METHOD_KEY = 1, METHOD_PASSPHRASE = 2 };
#define PASS_OPS	3U
#define PASS_MEM	(128U * 1024U * 1024U)
#define PASS_MEM_MAX	(1024U * 1024U * 1024U)
#define PASS_MIN_LENGTH 12U
#define SEALED_LEN	(24U + SEAL_KEY_LEN + 16U)

struct wrapped {
	uint64_t method;
	uint64_t ops;
	uint64_t mem;
	struct view salt;
	struct view sealed;
};

static uint8_t *
secret_room(size_t len)
{
	uint8_t *p = secmem_alloc(len);
	if (p == NULL)
		log_fatal("secret memory is too small to unlock the store");
	return p;
}

// --- where the bytes come from -----------------------------------------------------

static void
strip_end(struct secret *k)
{
	while (k->len > 0 && strchr(" \t\r\n", k->p[k->len - 1]) != NULL)
		k->len--;
}

static void
read_all(int fd, struct secret *k, const char *what)
{
	k->p = secret_room(KEY_MAX + 1);
	for (ssize_t n = 1; n > 0; k->len += (size_t)n) {
		if (k->len > KEY_MAX)
			log_fatal("%s holds more than %u bytes: not a key", what, KEY_MAX);
		n = read(fd, k->p + k->len, KEY_MAX + 1 - k->len);
		if (n < 0)
			log_fatal("cannot read %s: %s", what, strerror(errno));
	}
	strip_end(k);
}

static void
make_key_file(const char *path, const char *owner)
{
	uint8_t *raw = secret_room(KEY_MIN);
	char *hex = (char *)secret_room(2 * KEY_MIN + 2);
	randombytes_buf(raw, KEY_MIN);
	sodium_bin2hex(hex, 2 * KEY_MIN + 1, raw, KEY_MIN);
	hex[2 * KEY_MIN] = '\n';
	unsigned uid, gid;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, hex, 2 * KEY_MIN + 1) != (ssize_t)(2 * KEY_MIN + 1) ||
	    fsync(fd) != 0)
		log_fatal("cannot make the key file %s: %s", path, strerror(errno));
	if (owner != NULL && geteuid() == 0 && sscanf(owner, "%u:%u", &uid, &gid) == 2 &&
	    fchown(fd, uid, gid) != 0)
		log_fatal("cannot give %s to %s: %s", path, owner, strerror(errno));
	close(fd);
	secmem_free(raw);
	secmem_free(hex);
	log_msg(LOG_WARN, "made the key file %s; keep a copy apart from the store's backups", path);
}

static void
read_key_file(const char *path, bool fresh, const char *owner, struct secret *k)
{
	if (path[0] == '\0')
		log_fatal("--unlock keyfile: needs a path, as in keyfile:/etc/sallyport/vault.key");
	if (fresh && access(path, F_OK) != 0)
		make_key_file(path, owner);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		log_fatal(
		    "cannot open the key file %s: %s; bring back the file that this store was "
		    "made with",
		    path, strerror(errno));
	struct stat st;
	if (fstat(fd, &st) != 0 || (st.st_mode & 077) != 0)
		log_fatal("key file %s can be read by others: chmod 600 %s", path, path);
	read_all(fd, k, path);
	close(fd);
}

static void
read_credential(const char *name, struct secret *k)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];
	if (name[0] == '\0' || strchr(name, '/') != NULL)
		log_fatal("--unlock credential: needs a name, as in credential:vault.key");
	if (dir == NULL)
		log_fatal("--unlock credential:%s: no CREDENTIALS_DIRECTORY; add "
			  "LoadCredentialEncrypted=%s:... to the unit",
		    name, name);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		log_fatal("--unlock credential: the path is too long");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		log_fatal(
		    "cannot open the credential %s: %s; add LoadCredentialEncrypted=%s:... to "
		    "the unit",
		    name, strerror(errno), name);
	read_all(fd, k, name);
	close(fd);
}

// Reads one line by single bytes: no stdio buffer ever holds the passphrase.
static void
read_line(int fd, struct secret *k)
{
	k->p = secret_room(KEY_MAX + 1);
	k->len = 0;
	while (read(fd, k->p + k->len, 1) == 1 && k->p[k->len] != '\n')
		if (++k->len > KEY_MAX)
			log_fatal("the passphrase is longer than %u bytes", KEY_MAX);
}

static void
prompt(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		log_fatal("cannot write to the terminal: %s", strerror(errno));
}

static void
ask(int fd, const char *text, struct secret *k)
{
	prompt(fd, text);
	read_line(fd, k);
	prompt(fd, "\n");
}

static void
read_passphrase(bool fresh, struct secret *k)
{
	struct termios old, quiet;
	if (!isatty(STDIN_FILENO)) {
		read_line(STDIN_FILENO, k);
	} else {
		if (tcgetattr(STDIN_FILENO, &old) != 0)
			log_fatal("tcgetattr: %s", strerror(errno));
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		ask(STDIN_FILENO, "Passphrase of the Sallyport vault: ", k);
		if (fresh) {
			struct secret again = {0};
			ask(STDIN_FILENO, "The same again: ", &again);
			if (again.len != k->len || sodium_memcmp(again.p, k->p, k->len) != 0) {
				tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
				log_fatal("the two passphrases differ: start again");
			}
			secret_wipe(&again);
		}
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	}
	if (fresh && k->len < PASS_MIN_LENGTH)
		log_fatal("the passphrase needs at least %u characters", PASS_MIN_LENGTH);
}

// --- wrapping ----------------------------------------------------------------------

static void
wrap_key(const struct wrapped *w, const struct secret *k, uint8_t out[32])
{
	if (w->method == METHOD_PASSPHRASE) {
		if (crypto_pwhash(out, 32, (const char *)k->p, k->len, (const uint8_t *)w->salt.p,
			w->ops, (size_t)w->mem, crypto_pwhash_ALG_ARGON2ID13) != 0)
			log_fatal("not enough memory for Argon2id (%llu MiB)",
			    (unsigned long long)(w->mem >> 20));
		return;
	}
	crypto_generichash(
	    out, 32, k->p, k->len, (const uint8_t *)w->salt.p, crypto_pwhash_SALTBYTES);
}

static void
save(struct store *s, const struct wrapped *w)
{
	uint8_t buf[256];
	struct mp_out o;
	mp_out_init(&o, buf, sizeof(buf));
	mp_put_array(&o, 6);
	mp_put_uint(&o, 1);
	mp_put_uint(&o, w->method);
	mp_put_bin(&o, w->salt);
	mp_put_uint(&o, w->ops);
	mp_put_uint(&o, w->mem);
	mp_put_bin(&o, w->sealed);
	BUG_IF(o.failed);
	if (store_put(s, STORE_KEY, VIEW("store"), (struct view){(const char *)buf, o.len}) != 0)
		log_fatal("cannot write the new store");
}

static int
load(struct view v, struct wrapped *w)
{
	struct mp_in in;
	size_t n;
	uint64_t format;
	mp_in_init(&in, (const uint8_t *)v.p, v.len);
	if (mp_get_array(&in, 6, &n) != 0 || n != 6 || mp_get_uint(&in, 1, &format) != 0 ||
	    mp_get_uint(&in, METHOD_PASSPHRASE, &w->method) != 0 ||
	    mp_get_bin(&in, crypto_pwhash_SALTBYTES, &w->salt) != 0 ||
	    mp_get_uint(&in, 64, &w->ops) != 0 || mp_get_uint(&in, PASS_MEM_MAX, &w->mem) != 0 ||
	    mp_get_bin(&in, SEALED_LEN, &w->sealed) != 0 || !mp_in_done(&in))
		return -1;
	return format == 1 && w->method != 0 && w->salt.len == crypto_pwhash_SALTBYTES &&
		       w->sealed.len == SEALED_LEN
		   ? 0
		   : -1;
}

#define AD     ((const uint8_t *)"sallyport store key 1")
#define AD_LEN 21

SENSITIVE
static struct seal *
create(struct store *s, enum method m, const struct secret *k)
{
	uint8_t salt[crypto_pwhash_SALTBYTES], sealed[SEALED_LEN];
	struct wrapped w = {.method = m,
	    .ops = m == METHOD_PASSPHRASE ? PASS_OPS : 0,
	    .mem = m == METHOD_PASSPHRASE ? PASS_MEM : 0,
	    .salt = {(const char *)salt, sizeof(salt)},
	    .sealed = {(const char *)sealed, sizeof(sealed)}};
	uint8_t *keys = secret_room(64); // store key, wrapping key
	randombytes_buf(salt, sizeof(salt));
	randombytes_buf(keys, 32);
	randombytes_buf(sealed, 24);
	wrap_key(&w, k, keys + 32);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    sealed + 24, NULL, keys, 32, AD, AD_LEN, NULL, sealed, keys + 32);
	save(s, &w);
	struct seal *seal = seal_new(keys);
	secmem_free(keys);
	log_msg(LOG_INFO, "made a new store");
	return seal;
}

SENSITIVE
static struct seal *
open_existing(const struct wrapped *w, const struct secret *k, const char *method)
{
	uint8_t *keys = secret_room(64);
	const uint8_t *sealed = (const uint8_t *)w->sealed.p;
	wrap_key(w, k, keys + 32);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(keys, NULL, NULL, sealed + 24,
		w->sealed.len - 24, AD, AD_LEN, sealed, keys + 32) != 0)
		log_fatal(
		    "--unlock %s: this is not the key that the store was made with; nothing was "
		    "changed. Give the right one, or move the store away to begin a new one",
		    method);
	struct seal *seal = seal_new(keys);
	secmem_free(keys);
	return seal;
}

static enum method
read_method(const char *method, bool fresh, const char *owner, struct secret *k)
{
	if (strncmp(method, "keyfile:", 8) == 0) {
		read_key_file(method + 8, fresh, owner, k);
	} else if (strncmp(method, "credential:", 11) == 0) {
		read_credential(method + 11, k);
	} else if (strcmp(method, "passphrase") == 0) {
		read_passphrase(fresh, k);
		return METHOD_PASSPHRASE;
	} else {
		log_fatal(
		    "--unlock takes keyfile:PATH, credential:NAME or passphrase, not '%s'", method);
	}
	if (k->len < KEY_MIN)
		log_fatal("--unlock %s: the key is shorter than %u bytes", method, KEY_MIN);
	return METHOD_KEY;
}

struct seal *
unlock_store(struct store *s, const char *method, const char *owner)
{
	struct view stored = {0};
	struct wrapped w = {0};
	bool fresh = store_get(s, STORE_KEY, VIEW("store"), &stored) != 0;
	if (!fresh && load(stored, &w) != 0)
		log_fatal("the store's key record is damaged: restore the store from a backup");
	struct secret k = {0};
	enum method m = read_method(method, fresh, owner, &k);
	if (!fresh && m != w.method)
		log_fatal("this store was made with %s: give that to --unlock",
		    w.method == METHOD_PASSPHRASE ? "a passphrase" : "a key file or credential");
	struct seal *seal = fresh ? create(s, m, &k) : open_existing(&w, &k, method);
	secret_wipe(&k);
	if (seal == NULL)
		log_fatal("secret memory is too small to unlock the store");
	return seal;
}
