// SPDX-License-Identifier: Apache-2.0
// The issuer. May touch: the store; secret memory for as long as a key is made or used.
// Stored value: u64 version (big-endian), sealed [url, [[kid, n, e, created, signs from,
// retired, sealed key] ...]].
#include "vaultd/issuer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proto/grammar.h"
#include "vaultd/jwt.h"
#include "vaultd/rsa.h"

#define ID	   VIEW("issuer")
#define SEALED_MAX (RSA_KEY_DER_MAX + SEAL_OVERHEAD)
#define PLAIN_MAX  (MSG_ISSUER_KEYS_MAX * (SEALED_MAX + 1200U) + 300U)
#define JTI_BYTES  16U

struct issuer_key {
	char id[44]; // RFC 7638 thumbprint
	char n[700]; // base64url
	char e[12];
	uint64_t created_s;
	uint64_t signs_from_s;
	uint64_t retired_s; // signs no more from then on; 0: no end is known
	uint8_t sealed[SEALED_MAX];
	size_t sealed_len;
};

struct issuer {
	uint64_t version; // 0: never set
	char url[256];
	size_t count;
	struct issuer_key key[MSG_ISSUER_KEYS_MAX]; // by age
};

void
issuer_free(struct issuer *i)
{
	free(i);
}

uint64_t
issuer_version(const struct issuer *i)
{
	return i->version;
}

const char *
issuer_key_id(const struct issuer *i)
{
	return i->count == 0 ? "" : i->key[i->count - 1].id;
}

// --- the record ------------------------------------------------------------------------

static int
get_text(struct mp_in *in, char *out, size_t size)
{
	struct view v;
	return mp_get_str(in, size - 1, &v) == 0 ? view_copy(v, out, size) : -1;
}

static int
get_key(struct mp_in *in, struct issuer_key *k)
{
	size_t n;
	struct view sealed;
	if (mp_get_array(in, 7, &n) != 0 || n != 7 || get_text(in, k->id, sizeof(k->id)) != 0 ||
	    get_text(in, k->n, sizeof(k->n)) != 0 || get_text(in, k->e, sizeof(k->e)) != 0 ||
	    mp_get_uint(in, UINT64_MAX, &k->created_s) != 0 ||
	    mp_get_uint(in, UINT64_MAX, &k->signs_from_s) != 0 ||
	    mp_get_uint(in, UINT64_MAX, &k->retired_s) != 0 ||
	    mp_get_bin(in, SEALED_MAX, &sealed) != 0 || sealed.len <= SEAL_OVERHEAD)
		return -1;
	memcpy(k->sealed, sealed.p, sealed.len);
	k->sealed_len = sealed.len;
	return 0;
}

static int
get_all(struct view plain, struct issuer *i)
{
	struct mp_in in;
	size_t n;
	mp_in_init(&in, (const uint8_t *)plain.p, plain.len);
	if (mp_get_array(&in, 2, &n) != 0 || n != 2 || get_text(&in, i->url, sizeof(i->url)) != 0 ||
	    mp_get_array(&in, MSG_ISSUER_KEYS_MAX, &i->count) != 0)
		return -1;
	for (size_t k = 0; k < i->count; k++)
		if (get_key(&in, &i->key[k]) != 0)
			return -1;
	return mp_in_done(&in) ? 0 : -1;
}

struct issuer *
issuer_load(struct store *store, struct seal *seal)
{
	struct view v;
	struct issuer *i = base_calloc(1, sizeof(*i));
	if (store_get(store, STORE_ISSUER, ID, &v) != 0)
		return i;
	if (v.len < 8 + SEAL_OVERHEAD || v.len > 8 + PLAIN_MAX + SEAL_OVERHEAD)
		log_fatal("the issuer's record is damaged; bring back a backup");
	for (size_t n = 0; n < 8; n++)
		i->version = i->version << 8 | (uint8_t)v.p[n];
	uint8_t *plain = base_realloc(NULL, PLAIN_MAX);
	struct view text = {(const char *)plain, v.len - 8 - SEAL_OVERHEAD};
	if (seal_open(
		seal, SEAL_ISSUER, ID, i->version, (const uint8_t *)v.p + 8, v.len - 8, plain) != 0)
		log_fatal("the issuer's record does not open: somebody changed the store; bring "
			  "back a backup");
	if (get_all(text, i) != 0)
		log_fatal("the issuer's record does not parse; bring back a backup");
	free(plain);
	return i;
}

static void
put_all(const struct issuer *i, struct mp_out *o)
{
	mp_put_array(o, 2);
	mp_put_str(o, view_of(i->url));
	mp_put_array(o, i->count);
	for (const struct issuer_key *k = i->key; k < i->key + i->count; k++) {
		mp_put_array(o, 7);
		mp_put_str(o, view_of(k->id));
		mp_put_str(o, view_of(k->n));
		mp_put_str(o, view_of(k->e));
		mp_put_uint(o, k->created_s);
		mp_put_uint(o, k->signs_from_s);
		mp_put_uint(o, k->retired_s);
		mp_put_bin(o, (struct view){(const char *)k->sealed, k->sealed_len});
	}
	BUG_IF(o->failed);
}

int
issuer_save(struct store *store, struct seal *seal, const struct issuer *i)
{
	struct mp_out o;
	uint8_t *plain = base_realloc(NULL, PLAIN_MAX);
	mp_out_init(&o, plain, PLAIN_MAX);
	put_all(i, &o);
	size_t size = 8 + o.len + SEAL_OVERHEAD;
	uint8_t *value = base_realloc(NULL, size);
	for (size_t n = 0; n < 8; n++)
		value[n] = (uint8_t)(i->version >> (56 - 8 * n));
	seal_close(seal, SEAL_ISSUER, ID, i->version, plain, o.len, value + 8);
	int r = store_put(store, STORE_ISSUER, ID, (struct view){(const char *)value, size});
	free(plain);
	free(value);
	return r;
}

// --- changes ---------------------------------------------------------------------------

// https, a name, no port, no query; AWS compares it byte for byte with that of its
// provider object.
static bool
url_valid(struct view v)
{
	static const char scheme[] = "https://";
	const size_t n = sizeof(scheme) - 1;
	if (v.len <= n || v.len > 255 || memcmp(v.p, scheme, n) != 0)
		return false;
	struct view rest = {v.p + n, v.len - n};
	const char *slash = memchr(rest.p, '/', rest.len);
	struct view host = {rest.p, slash == NULL ? rest.len : (size_t)(slash - rest.p)};
	if (!grammar_host_valid(host) || memchr(host.p, '.', host.len) == NULL)
		return false;
	if (slash == NULL)
		return true;
	struct view path = {slash + 1, rest.len - host.len - 1};
	return grammar_text_valid(path, 1, 255, "/._~-") && path.p[path.len - 1] != '/' &&
	       path.p[0] != '/';
}

static void
thumbprint(struct issuer_key *k)
{
	char json[sizeof(k->n) + 64];
	uint8_t digest[crypto_hash_sha256_BYTES];
	struct text t;
	text_init(&t, json, sizeof(json));
	text_str(&t, "{\"e\":\"");
	text_str(&t, k->e);
	text_str(&t, "\",\"kty\":\"RSA\",\"n\":\"");
	text_str(&t, k->n);
	text_str(&t, "\"}");
	BUG_IF(t.failed);
	crypto_hash_sha256(digest, (const uint8_t *)json, t.len);
	sodium_bin2base64(
	    k->id, sizeof(k->id), digest, sizeof(digest), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void
set_number(char *out, size_t size, struct view v)
{
	sodium_bin2base64(
	    out, size, (const uint8_t *)v.p, v.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

SENSITIVE
static int
make_key(struct seal *seal, struct issuer_key *k)
{
	struct rsa_key parts;
	struct secret der;
	if (rsa_generate(&der) != 0)
		return -1;
	BUG_IF(rsa_key_read((struct view){(const char *)der.p, der.len}, &parts) != 0);
	set_number(k->n, sizeof(k->n), parts.part[RSA_KEY_N]);
	set_number(k->e, sizeof(k->e), parts.part[RSA_KEY_E]);
	thumbprint(k);
	seal_close(seal, SEAL_ISSUER_KEY, view_of(k->id), 1, der.p, der.len, k->sealed);
	k->sealed_len = der.len + SEAL_OVERHEAD;
	secret_wipe(&der);
	return 0;
}

static bool
gone(const struct issuer_key *k, uint64_t now_s)
{
	return k->retired_s != 0 && k->retired_s + ISSUER_KEEP_S <= now_s;
}

static void
drop_gone(struct issuer *i, uint64_t now_s)
{
	size_t n = 0;
	for (size_t k = 0; k < i->count; k++) {
		if (gone(&i->key[k], now_s))
			continue;
		if (n != k)
			i->key[n] = i->key[k];
		n++;
	}
	i->count = n;
}

static bool
add_key(struct issuer *i, struct seal *seal, uint64_t now_s, struct admin_error *e)
{
	// One of a later day than any can be was made while the clock was wrong.
	if (i->count > 1 && i->key[i->count - 1].signs_from_s > now_s + ISSUER_OVERLAP_S)
		i->key[--i->count - 1].retired_s = 0;
	struct issuer_key *last = i->count == 0 ? NULL : &i->key[i->count - 1];
	if (last != NULL && i->count > 1 && last->signs_from_s > now_s)
		return admin_check_fail(e, "rotation_running",
		    "A new key was published already and signs in %llu minutes; the next rotation "
		    "can begin then.",
		    (unsigned long long)(last->signs_from_s - now_s + 59) / 60);
	BUG_IF(i->count == MSG_ISSUER_KEYS_MAX); // one signs, one has ended, at most
	struct issuer_key *k = &i->key[i->count];
	*k = (struct issuer_key){
	    .created_s = now_s, .signs_from_s = last == NULL ? now_s : now_s + ISSUER_OVERLAP_S};
	if (make_key(seal, k) != 0)
		return admin_check_fail(
		    e, "vault_busy", "The vault's secret memory is full. Try again.");
	if (last != NULL)
		last->retired_s = k->signs_from_s;
	i->count++;
	return true;
}

struct issuer *
issuer_change(const struct issuer *i, struct seal *seal, const struct msg_issuer_set *m,
    uint64_t now_s, struct admin_error *e)
{
	bool same = m->url.len == 0 || view_eq_str(m->url, i->url);
	if (m->url.len != 0 && !url_valid(m->url)) {
		(void)admin_check_fail(e, "bad_url",
		    "The issuer's URL is https://HOST or https://HOST/PATH: lower case, no port, "
		    "no "
		    "query, no slash at its end, 255 characters at most.");
		return NULL;
	}
	if (i->version == 0 && m->url.len == 0) {
		(void)admin_check_fail(e, "no_issuer",
		    "There is no issuer yet. Name the URL under which its documents will be "
		    "public: sallyport issuer set https://HOST/PATH");
		return NULL;
	}
	if (same && !m->rotate)
		return NULL; // it is so already
	struct issuer *next = base_calloc(1, sizeof(*next));
	*next = *i;
	next->version++;
	if (!same)
		BUG_IF(view_copy(m->url, next->url, sizeof(next->url)) != 0);
	drop_gone(next, now_s);
	if ((m->rotate || next->count == 0) && !add_key(next, seal, now_s, e)) {
		issuer_free(next);
		return NULL;
	}
	return next;
}

// --- use -------------------------------------------------------------------------------

void
issuer_tell(const struct issuer *i, uint64_t now_s, struct msg_issuer_item *m)
{
	*m = (struct msg_issuer_item){.url = view_of(i->url)};
	for (const struct issuer_key *k = i->key; k < i->key + i->count; k++)
		if (!gone(k, now_s))
			m->key[m->key_count++] = (struct msg_issuer_key){.kid = view_of(k->id),
			    .n = view_of(k->n),
			    .e = view_of(k->e),
			    .created_s = k->created_s,
			    .signs_from_s = k->signs_from_s,
			    .retired_s = k->retired_s};
}

// The youngest that signs already. A clock that went back finds the oldest.
static const struct issuer_key *
signing(const struct issuer *i, uint64_t now_s)
{
	const struct issuer_key *found = i->count == 0 ? NULL : &i->key[0];
	for (size_t k = 1; k < i->count; k++)
		if (i->key[k].signs_from_s <= now_s)
			found = &i->key[k];
	return found;
}

SENSITIVE
int
issuer_sign(const struct issuer *i, struct seal *seal, struct view subject, struct view audience,
    uint64_t now_s, struct text *t)
{
	uint8_t random[JTI_BYTES];
	char jti[2 * JTI_BYTES];
	struct text id;
	const struct issuer_key *k = signing(i, now_s);
	if (k == NULL)
		return -2;
	struct secret der = {.p = secmem_alloc(k->sealed_len)};
	if (der.p == NULL)
		return -1;
	der.len = k->sealed_len - SEAL_OVERHEAD;
	// The record around it was authenticated at load, so this cannot fail.
	if (seal_open(seal, SEAL_ISSUER_KEY, view_of(k->id), 1, k->sealed, k->sealed_len, der.p) !=
	    0)
		BUG("a loaded signing key does not open");
	randombytes_buf(random, sizeof(random));
	text_init(&id, jti, sizeof(jti));
	text_hex(&id, random, sizeof(random));
	struct jwt_claims c = {.issuer = view_of(i->url),
	    .subject = subject,
	    .audience = audience.len != 0 ? audience : VIEW(ISSUER_AUDIENCE),
	    .id = text_done(&id),
	    .issued_s = now_s - ISSUER_BEFORE_S,
	    .expires_s = now_s + ISSUER_TOKEN_LIFE_S};
	int r = jwt_sign(t, &der, view_of(k->id), &c);
	secret_wipe(&der);
	return r;
}
