// SPDX-License-Identifier: Apache-2.0
// An admin client of the stack that was just started. May touch: DIR/provider.keys, the
// files of up_env.h, the vault's admin socket.
#include "ctl/up_seed.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/credential_test.h"
#include "ctl/secret_in.h"
#include "ctl/spec.h"
#include "ctl/up_cert.h"
#include "ctl/up_env.h"

#define KEYS_FILE   "provider.keys"
#define VKEY_NAME   "demo"
#define DEMO_REGION "us-east-1"

#define AUDIT_WAIT_MS 10000U
#define AUDIT_POLL_MS 2U

// --- keys of the demo provider -----------------------------------------------------

static void
random_text(char *out, size_t n, const char *alphabet)
{
	uint32_t size = (uint32_t)strlen(alphabet);
	for (size_t i = 0; i < n; i++)
		out[i] = alphabet[randombytes_uniform(size)];
	out[n] = '\0';
}

int
up_seed_keys(const struct up_stack *s)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	char openai[49], anthropic[81], akid[17], secret[41], text[512];
	if (up_stack_has(s, KEYS_FILE))
		return 0;
	random_text(openai, 48, letters);
	random_text(anthropic, 80, letters);
	random_text(akid, 16, capitals);
	random_text(secret, 40, letters);
	snprintf(text, sizeof(text),
	    "openai sk-demo-%s\nanthropic sk-ant-demo-%s\nbedrock AKIA%s %s " DEMO_REGION "\n",
	    openai, anthropic, akid, secret);
	int r = up_stack_write(s, KEYS_FILE, text, s->demo);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(openai, sizeof(openai));
	sodium_memzero(anthropic, sizeof(anthropic));
	sodium_memzero(secret, sizeof(secret));
	return r;
}

// The whole key file in secret memory, NUL-terminated.
static char *
read_keys(const struct up_stack *s)
{
	char path[CLI_PATH_MAX];
	up_stack_path(s, KEYS_FILE, path);
	size_t cap = 32768;
	char *text = secmem_alloc(cap);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || text == NULL ? -1 : read(fd, text, cap - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0) {
		cli_fail("cannot read %s: %s", path, n == 0 ? "it is empty" : strerror(errno));
		secmem_free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

// Word number `index` of the first line that begins with `kind`.
static struct view
key_word(const char *text, const char *kind, unsigned index)
{
	size_t n = strlen(kind);
	for (const char *p = text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strncmp(p, kind, n) != 0 || p[n] != ' ')
			continue;
		for (unsigned i = 0; i < index; i++) {
			p += strcspn(p, " \n");
			p += strspn(p, " ");
		}
		return (struct view){p, strcspn(p, " \n")};
	}
	return (struct view){"", 0};
}

// --- what the vault has --------------------------------------------------------------

struct found {
	const char *name;
	const char *host; // that the credential should have
	uint64_t port;
	bool exists, same_place;
};

static void
on_credential(void *cookie, const union client_reply *r)
{
	struct found *f = cookie;
	if (!view_eq_str(r->credential.name, f->name))
		return;
	f->exists = true;
	f->same_place = f->host == NULL ||
			(view_eq_str(r->credential.host, f->host) && r->credential.port == f->port);
}

static void
on_vkey(void *cookie, const union client_reply *r)
{
	bool *found = cookie;
	if (view_eq_str(r->vkey.name, VKEY_NAME) && !r->vkey.revoked)
		*found = true;
}

static int
put(struct client *c, const struct spec_credential *spec, struct view secret, struct view token)
{
	struct msg_credential_put m;
	union client_reply r;
	char error[SPEC_ERROR_MAX];
	if (spec_credential(spec, &m, error) != 0) {
		cli_fail("%s", error);
		return -1;
	}
	m.secret = secret;
	m.session_token = token;
	struct found f = {.name = spec->name};
	if (!client_each(c, MSG_CREDENTIAL_LIST, "list of credentials", on_credential, &f))
		return -1;
	m.expect_version = f.exists ? SPEC_ANY_VERSION : 0;
	return client_call(c, MSG_CREDENTIAL_PUT, &m, spec->name, &r) == MSG_DONE ? 0 : -1;
}

// --- demo credentials ----------------------------------------------------------------

static char *
read_ca(const struct up_stack *s)
{
	char path[CLI_PATH_MAX];
	up_stack_path(s, "tls/ca.pem", path);
	char *pem = base_calloc(1, SPEC_CA_MAX + 1);
	FILE *f = fopen(path, "re");
	size_t n = f == NULL ? 0 : fread(pem, 1, SPEC_CA_MAX, f);
	if (f != NULL)
		fclose(f);
	if (n != 0)
		return pem;
	cli_fail("cannot read %s: %s", path, strerror(errno));
	free(pem);
	return NULL;
}

static int
demo_credential(const struct up_stack *s, struct client *c, const char *provider, const char *host,
    const char *keys, const char *ca, bool fresh_ca)
{
	char name[64];
	char place[300];
	char akid[129] = "";
	bool aws = strcmp(provider, "bedrock") == 0;
	snprintf(name, sizeof(name), "%s-demo", provider);
	snprintf(place, sizeof(place), "%s:%u", host, s->provider_port);
	struct found f = {.name = name, .host = host, .port = s->provider_port};
	if (!client_each(c, MSG_CREDENTIAL_LIST, "list of credentials", on_credential, &f))
		return -1;
	if (f.exists && f.same_place && !fresh_ca)
		return 0;
	struct view id = key_word(keys, provider, 1);
	if (aws && view_copy(id, akid, sizeof(akid)) != 0)
		akid[0] = '\0';
	struct spec_credential spec = {
	    .name = name,
	    .provider = provider,
	    .host = place,
	    .region = aws ? DEMO_REGION : NULL,
	    .auth = aws ? "sigv4" : NULL, // the built-in provider is no STS
	    .access_key_id = akid,
	    .ca_pem = ca,
	};
	return put(c, &spec, aws ? key_word(keys, provider, 2) : id,
	    aws ? key_word(keys, provider, 4) : VIEW(""));
}

static int
demo_credentials(const struct up_stack *s, struct client *c, bool fresh_ca)
{
	char *keys = read_keys(s);
	char *ca = read_ca(s);
	int r = -1;
	if (keys != NULL && ca != NULL &&
	    demo_credential(s, c, "openai", UP_CERT_OPENAI, keys, ca, fresh_ca) == 0 &&
	    demo_credential(s, c, "anthropic", UP_CERT_ANTHROPIC, keys, ca, fresh_ca) == 0 &&
	    demo_credential(s, c, "bedrock", UP_CERT_BEDROCK, keys, ca, fresh_ca) == 0)
		r = 0;
	secmem_free(keys);
	free(ca);
	return r;
}

static int
real_credential(struct client *c, const struct up_real *real)
{
	return put(c, &real->spec, secret_in_view(&real->in.secret),
	    secret_in_view(&real->in.session_token));
}

// --- virtual key -----------------------------------------------------------------------

static int
virtual_key(const struct up_stack *s, struct client *c, const struct up_urls *urls,
    const struct up_real *real)
{
	const struct spec_credential *spec = real->spec.provider == NULL ? NULL : &real->spec;
	char key[512];
	bool known = false;
	union client_reply r;
	if (!client_each(c, MSG_VKEY_LIST, "list of virtual keys", on_vkey, &known))
		return -1;
	if (known && up_env_stored_key(s, key, sizeof(key)))
		return up_env_write(s, urls, spec, view_of(key));
	if (known && client_call(c, MSG_VKEY_REVOKE, &(struct msg_vkey_revoke){VIEW(VKEY_NAME)},
			 "virtual key", &r) != MSG_DONE)
		return -1;
	struct msg_vkey_issue issue;
	char error[SPEC_ERROR_MAX];
	if (spec_vkey(&(struct spec_vkey){.name = VKEY_NAME}, &issue, error) != 0)
		BUG("own virtual key is not valid");
	if (client_call(c, MSG_VKEY_ISSUE, &issue, "virtual key", &r) != MSG_VKEY_ISSUED)
		return -1;
	return up_env_write(s, urls, spec, r.issued.key);
}

// The vault changes nothing without its audit trail, which dials it on its own time.
static int
wait_for_audit(struct client *c)
{
	union client_reply r;
	for (unsigned ms = 0; ms < AUDIT_WAIT_MS; ms += AUDIT_POLL_MS) {
		if (client_call(c, MSG_STATUS, &(struct msg_empty){0}, "status", &r) !=
		    MSG_STATUS_REPLY)
			return -1;
		if (r.status.audit_connected)
			return 0;
		usleep(AUDIT_POLL_MS * 1000);
	}
	cli_fail("the audit daemon did not connect to the vault within %u s; see the logs",
	    AUDIT_WAIT_MS / 1000);
	return -1;
}

int
up_seed(const struct up_stack *s, const struct up_urls *urls, bool demo, bool fresh_ca,
    const struct up_real *real)
{
	char path[CLI_PATH_MAX];
	up_stack_path(s, "run/admin.sock", path);
	struct client *c = client_open(path);
	if (c == NULL)
		return -1;
	int r = wait_for_audit(c);
	if (r == 0 && demo)
		r = demo_credentials(s, c, fresh_ca);
	if (r == 0 && real->spec.provider != NULL)
		r = real_credential(c, real);
	if (r == 0)
		r = virtual_key(s, c, urls, real);
	client_close(c);
	return r;
}

void
up_seed_try(const struct up_stack *s, const struct up_real *real)
{
	char path[CLI_PATH_MAX];
	up_stack_path(s, "run/admin.sock", path);
	struct client *c = client_open(path);
	if (c != NULL)
		(void)!credential_test_new(c, real->spec.name);
	client_close(c);
}
