// SPDX-License-Identifier: Apache-2.0
// The cache of temporary credentials. May touch: its own memory, the seal.
#include "vaultd/token.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mp.h"

#define PLAIN_MAX   16512U // two texts of 8 KiB in msgpack
#define SKEW_IGNORE 3	   // Date has whole seconds, and the answer took a while

struct token {
	uint64_t version;
	bool fetching;
	bool has;
	char access_key_id[129];
	uint8_t *sealed;
	size_t sealed_len;
	uint64_t serial; // of the sealed value: never the same twice
	uint64_t got_s;
	uint64_t refresh_s;
	uint64_t expires_s;
	unsigned failures;
	uint64_t retry_s;
	enum deny_kind kind;
	char message[256];
	int64_t skew_s;
};

struct tokens {
	struct seal *seal;
	struct token *token; // by credential handle - 1
	size_t count;
	uint64_t serial;
};

struct tokens *
token_set_new(struct seal *seal)
{
	struct tokens *t = base_calloc(1, sizeof(*t));
	t->seal = seal;
	return t;
}

static void
empty(struct token *k)
{
	free(k->sealed);
	k->sealed = NULL;
	k->sealed_len = 0;
	k->has = false;
}

void
token_set_free(struct tokens *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		empty(&t->token[i]);
	free(t->token);
	free(t);
}

static struct token *
get(struct tokens *t, uint64_t credential)
{
	BUG_IF(credential == 0 || credential > 1U << 20);
	if (credential > t->count) {
		t->token = base_realloc(t->token, credential * sizeof(*t->token));
		memset(t->token + t->count, 0, (credential - t->count) * sizeof(*t->token));
		t->count = credential;
	}
	return &t->token[credential - 1];
}

static const struct token *
look(const struct tokens *t, uint64_t credential)
{
	return credential == 0 || credential > t->count ? NULL : &t->token[credential - 1];
}

static bool
good(const struct token *k, uint64_t now_s)
{
	return k->has && now_s + TOKEN_MARGIN_S < k->expires_s;
}

// How long it is until the next try. More than the longest back-off means that the clock went
// back since, and then nothing is known about the time.
static uint64_t
wait_s(const struct token *k, uint64_t now_s)
{
	uint64_t wait = k->retry_s > now_s ? k->retry_s - now_s : 0;
	return wait > TOKEN_BACKOFF_MAX_S ? 0 : wait;
}

// A changed credential begins anew.
static struct token *
get_version(struct tokens *t, uint64_t credential, uint64_t version)
{
	struct token *k = get(t, credential);
	if (k->version == version)
		return k;
	empty(k);
	k->version = version;
	k->fetching = false;
	k->failures = 0;
	k->retry_s = 0;
	return k;
}

bool
token_renew(struct tokens *t, uint64_t credential, uint64_t version)
{
	struct token *k = get_version(t, credential, version);
	bool begin = !k->fetching;
	k->fetching = true;
	return begin;
}

enum token_state
token_ask(struct tokens *t, uint64_t credential, uint64_t version, uint64_t now_s)
{
	struct token *k = get_version(t, credential, version);
	bool wait = wait_s(k, now_s) != 0;
	if (good(k, now_s)) {
		if (k->fetching || wait || now_s < k->refresh_s)
			return TOKEN_GOOD;
		k->fetching = true;
		return TOKEN_GOOD_REFRESH;
	}
	if (k->fetching)
		return TOKEN_COMING;
	if (wait)
		return TOKEN_BROKEN;
	k->fetching = true;
	return TOKEN_FETCH;
}

static void
label(uint64_t credential, char text[32], struct view *v)
{
	snprintf(text, 32, "token %llu", (unsigned long long)credential);
	*v = view_of(text);
}

SENSITIVE
int
token_put(struct tokens *t, uint64_t credential, uint64_t version, const struct token_value *v,
    uint64_t now_s)
{
	struct token *k = get(t, credential);
	if (k->version != version)
		return 0;
	k->fetching = false;
	uint8_t *plain = secmem_alloc(PLAIN_MAX);
	if (plain == NULL)
		return -1;
	struct mp_out o;
	char text[32];
	struct view id;
	mp_out_init(&o, plain, PLAIN_MAX);
	mp_put_array(&o, 2);
	mp_put_bin(&o, v->secret);
	mp_put_bin(&o, v->session_token);
	BUG_IF(o.failed || view_copy(v->access_key_id, k->access_key_id, 129) != 0);
	empty(k);
	label(credential, text, &id);
	k->serial = ++t->serial;
	k->sealed_len = o.len + SEAL_OVERHEAD;
	k->sealed = base_realloc(NULL, k->sealed_len);
	seal_close(t->seal, SEAL_TOKEN, id, k->serial, plain, o.len, k->sealed);
	secmem_free(plain);
	k->has = true;
	k->got_s = now_s;
	k->expires_s = v->expires_s;
	// At 80 percent, up to 5 percent sooner: several vaults must not ask together.
	uint64_t life = v->expires_s > now_s ? v->expires_s - now_s : 0;
	k->refresh_s = now_s + life * (800 - randombytes_uniform(51)) / 1000;
	k->failures = 0;
	k->retry_s = 0;
	return 0;
}

void
token_fail(struct tokens *t, uint64_t credential, uint64_t version, enum deny_kind kind,
    const char *message, uint64_t now_s)
{
	struct token *k = get(t, credential);
	if (k->version != version)
		return;
	k->fetching = false;
	uint64_t wait =
	    MIN((uint64_t)TOKEN_BACKOFF_S << MIN(k->failures, 10U), TOKEN_BACKOFF_MAX_S);
	k->failures++;
	k->retry_s = now_s + wait;
	k->kind = kind;
	snprintf(k->message, sizeof(k->message), "%s", message);
}

void
token_why(const struct tokens *t, uint64_t credential, uint64_t now_s, struct deny *d)
{
	const struct token *k = look(t, credential);
	BUG_IF(k == NULL);
	deny_set(d, k->kind == DENY_NONE ? DENY_TOKEN_FAILED : k->kind, "%s", k->message);
	d->retry_after_ms = wait_s(k, now_s) * 1000;
}

bool
token_drop(struct tokens *t, uint64_t credential, uint64_t now_s)
{
	struct token *k = get(t, credential);
	if (!k->has || (now_s >= k->got_s && now_s < k->got_s + TOKEN_DROP_S))
		return false;
	empty(k);
	return true;
}

SENSITIVE
int
token_open(struct tokens *t, uint64_t credential, uint64_t version, uint64_t now_s,
    struct secret *secret_r, struct secret *session_r, struct view *access_key_id_r)
{
	const struct token *k = look(t, credential);
	*secret_r = *session_r = (struct secret){0};
	if (k == NULL || k->version != version || !good(k, now_s))
		return -1;
	size_t len = k->sealed_len - SEAL_OVERHEAD;
	uint8_t *plain = secmem_alloc(len);
	if (plain == NULL)
		return -1;
	char text[32];
	struct view id, secret, session;
	struct mp_in in;
	size_t n;
	label(credential, text, &id);
	if (seal_open(t->seal, SEAL_TOKEN, id, k->serial, k->sealed, k->sealed_len, plain) != 0)
		BUG("a token that was sealed here does not open");
	mp_in_init(&in, plain, len);
	if (mp_get_array(&in, 2, &n) != 0 || mp_get_bin(&in, 8192, &secret) != 0 ||
	    mp_get_bin(&in, 8192, &session) != 0 || !mp_in_done(&in))
		BUG("a token that was sealed here does not parse");
	int r = secret_set(secret_r, secret.p, secret.len);
	if (r == 0 && session.len != 0)
		r = secret_set(session_r, session.p, session.len);
	if (r != 0)
		secret_wipe(secret_r);
	secmem_free(plain);
	*access_key_id_r = view_of(k->access_key_id);
	return r;
}

uint64_t
token_expires_s(const struct tokens *t, uint64_t credential, uint64_t now_s)
{
	const struct token *k = look(t, credential);
	return k != NULL && good(k, now_s) ? k->expires_s : 0;
}

int64_t
token_skew_s(const struct tokens *t, uint64_t credential)
{
	const struct token *k = look(t, credential);
	return k == NULL ? 0 : k->skew_s;
}

bool
token_set_skew(struct tokens *t, uint64_t credential, uint64_t server_s, uint64_t now_s)
{
	int64_t skew = (int64_t)server_s - (int64_t)now_s;
	if (skew > (int64_t)TOKEN_SKEW_MAX_S || skew < -(int64_t)TOKEN_SKEW_MAX_S)
		return false;
	get(t, credential)->skew_s = skew >= -SKEW_IGNORE && skew <= SKEW_IGNORE ? 0 : skew;
	return true;
}
