// SPDX-License-Identifier: Apache-2.0
// The table of credentials and its records. May touch: the store, secret memory.
#include "vaultd/cred.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proto/grammar.h"
#include "vaultd/text.h"

// Format 1 ends before settings and deployments; it is read, never written.
#define FORMAT	      2U
#define RECORD_FIELDS 20U
#define FIELDS_OF_1   18U
#define SECRET_MAX    8192U
#define PLAIN_MAX     (2U * SECRET_MAX + 16U) // secret and token in msgpack
#define HINT_FROM     20U		      // shorter secrets get no hint

struct cred_table {
	struct store *store;
	struct seal *seal;
	struct cred **slot;
	size_t slots;
	size_t count;
	uint8_t *buf; // STORE_RECORD_MAX bytes each: plain record, stored value
	uint8_t *value;
};

// --- the record --------------------------------------------------------------------

static void
put_record(const struct cred *c, struct mp_out *o)
{
	mp_put_array(o, RECORD_FIELDS);
	mp_put_uint(o, FORMAT);
	mp_put_str(o, view_of(c->name));
	mp_put_uint(o, c->provider);
	mp_put_uint(o, c->auth);
	mp_put_str(o, view_of(c->host));
	mp_put_uint(o, c->port);
	mp_put_str(o, view_of(c->region));
	mp_put_str(o, view_of(c->access_key_id));
	mp_put_str(o, view_of(c->hint));
	mp_put_str(o, view_of(c->workspace));
	mp_put_uint(o, c->rate_per_minute);
	mp_put_bool(o, c->enabled);
	mp_put_bool(o, c->has_session_token);
	mp_put_uint(o, c->operations);
	mp_put_str(o, c->ca_pem);
	names_put(&c->models, o);
	mp_put_uint(o, c->secret_version);
	mp_put_bin(o, (struct view){(const char *)c->sealed_secret, c->sealed_len});
	cred_extra_put(&c->extra, o); // two fields
}

static int
get_text(struct mp_in *in, char *dst, size_t size)
{
	struct view v;
	return mp_get_str(in, size - 1, &v) == 0 ? view_copy(v, dst, size) : -1;
}

static int
get_scalars(struct cred *c, struct mp_in *in, uint64_t *format_r)
{
	size_t n;
	if (mp_get_array(in, RECORD_FIELDS, &n) != 0 || mp_get_uint(in, FORMAT, format_r) != 0 ||
	    *format_r == 0 || n != (*format_r == 1 ? FIELDS_OF_1 : RECORD_FIELDS) ||
	    get_text(in, c->name, sizeof(c->name)) != 0 ||
	    mp_get_uint(in, UINT32_MAX, &c->provider) != 0 ||
	    mp_get_uint(in, UINT32_MAX, &c->auth) != 0 ||
	    get_text(in, c->host, sizeof(c->host)) != 0 || mp_get_uint(in, 65535, &c->port) != 0 ||
	    get_text(in, c->region, sizeof(c->region)) != 0 ||
	    get_text(in, c->access_key_id, sizeof(c->access_key_id)) != 0 ||
	    get_text(in, c->hint, sizeof(c->hint)) != 0 ||
	    get_text(in, c->workspace, sizeof(c->workspace)) != 0)
		return -1;
	return mp_get_uint(in, UINT32_MAX, &c->rate_per_minute) == 0 &&
		       mp_get_bool(in, &c->enabled) == 0 &&
		       mp_get_bool(in, &c->has_session_token) == 0 &&
		       mp_get_uint(in, UINT64_MAX, &c->operations) == 0
		   ? 0
		   : -1;
}

static struct view
own_view(struct view v)
{
	return (struct view){.p = v.len == 0 ? NULL : base_strndup(v.p, v.len), .len = v.len};
}

static void
own_sealed(struct cred *c, const uint8_t *p, size_t len)
{
	c->sealed_secret = base_realloc(NULL, len);
	memcpy(c->sealed_secret, p, len);
	c->sealed_len = len;
}

static void
read_expiry(struct cred *c)
{
	c->expires_s = 0;
	if (c->extra.setting[SETTING_EXPIRES] != NULL &&
	    grammar_number(cred_setting(c, SETTING_EXPIRES), &c->expires_s) != 0)
		c->expires_s = 1; // what cannot be read is over
}

static int
get_record(struct cred *c, const uint8_t *p, size_t len)
{
	struct mp_in in;
	struct view ca, sealed;
	uint64_t format;
	mp_in_init(&in, p, len);
	if (get_scalars(c, &in, &format) != 0 || mp_get_str(&in, STORE_RECORD_MAX, &ca) != 0 ||
	    names_get(&c->models, &in) != 0 ||
	    mp_get_uint(&in, UINT64_MAX, &c->secret_version) != 0 ||
	    mp_get_bin(&in, STORE_RECORD_MAX, &sealed) != 0 ||
	    (format != 1 && cred_extra_get(&c->extra, &in) != 0) || !mp_in_done(&in))
		return -1;
	read_expiry(c);
	c->ca_pem = own_view(ca);
	own_sealed(c, (const uint8_t *)sealed.p, sealed.len);
	return 0;
}

// --- stored value: u64 version (big-endian), sealed record ---------------------------

static int
store_write(struct cred_table *t, const struct cred *c)
{
	struct mp_out o;
	mp_out_init(&o, t->buf, STORE_RECORD_MAX - 8 - SEAL_OVERHEAD);
	put_record(c, &o);
	BUG_IF(o.failed);
	for (size_t i = 0; i < 8; i++)
		t->value[i] = (uint8_t)(c->version >> (56 - 8 * i));
	seal_close(
	    t->seal, SEAL_CREDENTIAL, view_of(c->id), c->version, o.buf, o.len, t->value + 8);
	struct view v = {(const char *)t->value, 8 + o.len + SEAL_OVERHEAD};
	return store_put(t->store, STORE_CREDENTIAL, view_of(c->id), v);
}

static void
add_slot(struct cred_table *t, struct cred *c)
{
	t->slot = base_realloc(t->slot, (t->slots + 1) * sizeof(struct cred *));
	t->slot[t->slots++] = c;
	t->count++;
}

static int
load_one(void *cookie, struct view id, struct view value)
{
	struct cred_table *t = cookie;
	struct cred *c = base_calloc(1, sizeof(*c));
	if (view_copy(id, c->id, sizeof(c->id)) != 0 || value.len < 8 + SEAL_OVERHEAD)
		goto damaged;
	for (size_t i = 0; i < 8; i++)
		c->version = c->version << 8 | (uint8_t)value.p[i];
	if (seal_open(t->seal, SEAL_CREDENTIAL, id, c->version, (const uint8_t *)value.p + 8,
		value.len - 8, t->buf) != 0 ||
	    get_record(c, t->buf, value.len - 8 - SEAL_OVERHEAD) != 0)
		goto damaged;
	limits_init(&c->limits, c->rate_per_minute);
	add_slot(t, c);
	return 0;
damaged:
	log_fatal("credential record %.*s does not open: somebody changed the store; bring back a "
		  "backup",
	    (int)id.len, id.p);
}

struct cred_table *
cred_table_new(struct store *store, struct seal *seal)
{
	struct cred_table *t = base_calloc(1, sizeof(*t));
	t->store = store;
	t->seal = seal;
	t->buf = base_realloc(NULL, STORE_RECORD_MAX);
	t->value = base_realloc(NULL, STORE_RECORD_MAX);
	if (store_each(store, STORE_CREDENTIAL, load_one, t) != 0)
		log_fatal("cannot read the credentials");
	return t;
}

void
cred_free(struct cred *c)
{
	if (c == NULL)
		return;
	names_clear(&c->models);
	cred_extra_clear(&c->extra);
	free((void *)(uintptr_t)c->ca_pem.p);
	free(c->sealed_secret);
	free(c);
}

void
cred_table_free(struct cred_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->slots; i++)
		cred_free(t->slot[i]);
	free(t->slot);
	free(t->buf);
	free(t->value);
	free(t);
}

// --- looking -----------------------------------------------------------------------

size_t
cred_count(const struct cred_table *t)
{
	return t->count;
}

size_t
cred_slots(const struct cred_table *t)
{
	return t->slots;
}

struct cred *
cred_at(const struct cred_table *t, size_t slot)
{
	return slot < t->slots ? t->slot[slot] : NULL;
}

struct cred *
cred_by_handle(const struct cred_table *t, uint64_t handle)
{
	return handle == 0 || handle > t->slots ? NULL : t->slot[handle - 1];
}

struct cred *
cred_by_name(const struct cred_table *t, struct view name)
{
	for (size_t i = 0; i < t->slots; i++)
		if (t->slot[i] != NULL && view_eq_str(name, t->slot[i]->name))
			return t->slot[i];
	return NULL;
}

uint64_t
cred_handle(const struct cred_table *t, const struct cred *c)
{
	for (size_t i = 0; i < t->slots; i++)
		if (t->slot[i] == c)
			return i + 1;
	BUG("credential is not in its table");
}

bool
cred_allows_operation(const struct cred *c, uint64_t operation)
{
	if (operation == 0 || operation >= 64)
		return false;
	return c->operations == 0 || (c->operations >> operation & 1) != 0;
}

struct view
cred_setting(const struct cred *c, enum setting_id id)
{
	return view_of(c->extra.setting[id]);
}

struct view
cred_deployment(const struct cred *c, struct view model)
{
	for (size_t i = 0; i < c->extra.deployment_count; i++)
		if (view_eq_str(model, c->extra.deployment[i].model))
			return view_of(c->extra.deployment[i].name);
	return (struct view){0};
}

uint64_t
cred_variant(const struct cred *c)
{
	return c->provider == PROVIDER_AZURE && cred_setting(c, SETTING_API_VERSION).len != 0;
}

bool
cred_expired(const struct cred *c, uint64_t now_s)
{
	return c->expires_s != 0 && c->expires_s <= now_s;
}

// --- changing ----------------------------------------------------------------------

static void
new_id(char id[CRED_ID_SIZE])
{
	uint8_t raw[12];
	struct text t;
	randombytes_buf(raw, sizeof(raw));
	text_init(&t, id, CRED_ID_SIZE - 1);
	text_str(&t, "cr_");
	text_hex(&t, raw, sizeof(raw));
	id[t.len] = '\0';
}

static int
seal_secret(struct cred_table *t, struct cred *c, const struct msg_credential_put *put)
{
	uint8_t *plain = secmem_alloc(PLAIN_MAX);
	if (plain == NULL)
		return -1;
	struct mp_out o;
	mp_out_init(&o, plain, PLAIN_MAX);
	mp_put_array(&o, 2);
	mp_put_bin(&o, put->secret);
	mp_put_bin(&o, put->session_token);
	BUG_IF(o.failed);
	c->secret_version = c->version;
	c->sealed_len = o.len + SEAL_OVERHEAD;
	c->sealed_secret = base_realloc(NULL, c->sealed_len);
	seal_close(
	    t->seal, SEAL_SECRET, view_of(c->id), c->version, plain, o.len, c->sealed_secret);
	secmem_free(plain);
	c->has_session_token = put->session_token.len != 0;
	c->hint[0] = '\0';
	// The end of a private key says nothing to a reader.
	if (put->secret.len >= HINT_FROM && put->provider != PROVIDER_VERTEX)
		memcpy(c->hint, put->secret.p + put->secret.len - 4, 4);
	return 0;
}

static void
keep_secret(struct cred *c, const struct cred *old)
{
	c->secret_version = old->secret_version;
	c->has_session_token = old->has_session_token;
	memcpy(c->hint, old->hint, sizeof(c->hint));
	own_sealed(c, old->sealed_secret, old->sealed_len);
}

static void
copy_text(char *dst, size_t size, struct view v)
{
	BUG_IF(view_copy(v, dst, size) != 0);
}

static void
copy_fields(struct cred *c, const struct msg_credential_put *put)
{
	copy_text(c->name, sizeof(c->name), put->name);
	copy_text(c->host, sizeof(c->host), put->host);
	copy_text(c->region, sizeof(c->region), put->region);
	copy_text(c->access_key_id, sizeof(c->access_key_id), put->access_key_id);
	copy_text(c->workspace, sizeof(c->workspace), put->workspace);
	c->provider = put->provider;
	c->auth = put->auth;
	c->port = put->port;
	c->rate_per_minute = put->rate_per_minute;
	c->enabled = put->enabled;
	c->ca_pem = own_view(put->ca_pem);
	names_set(&c->models, put->model, put->model_count);
	cred_extra_set(&c->extra, put);
	read_expiry(c);
	for (size_t i = 0; i < put->operation_count; i++)
		c->operations |= UINT64_C(1) << ids_operation_of(put->operation[i].name);
}

bool
cred_is_same(const struct cred *c, const struct msg_credential_put *put)
{
	struct cred next = {0};
	if (put->secret.len != 0)
		return false;
	copy_fields(&next, put);
	bool same = strcmp(c->name, next.name) == 0 && strcmp(c->host, next.host) == 0 &&
		    strcmp(c->region, next.region) == 0 &&
		    strcmp(c->access_key_id, next.access_key_id) == 0 &&
		    strcmp(c->workspace, next.workspace) == 0 && c->provider == next.provider &&
		    c->auth == next.auth && c->port == next.port &&
		    c->rate_per_minute == next.rate_per_minute && c->enabled == next.enabled &&
		    c->operations == next.operations && view_eq(c->ca_pem, next.ca_pem) &&
		    names_equal(&c->models, &next.models) &&
		    cred_extra_equal(&c->extra, &next.extra);
	names_clear(&next.models);
	cred_extra_clear(&next.extra);
	free((void *)(uintptr_t)next.ca_pem.p);
	return same;
}

struct cred *
cred_prepare(struct cred_table *t, const struct cred *old, const struct msg_credential_put *put)
{
	struct cred *c = base_calloc(1, sizeof(*c));
	copy_fields(c, put);
	c->version = old == NULL ? 1 : old->version + 1;
	if (old == NULL)
		new_id(c->id);
	else
		memcpy(c->id, old->id, sizeof(c->id));
	limits_init(&c->limits, c->rate_per_minute);
	if (old != NULL) {
		c->limits.full_at = old->limits.full_at;
		c->uses = old->uses;
		c->last_used_s = old->last_used_s;
	}
	// A kind without a secret seals an empty one, whatever was there before.
	if (old != NULL && put->secret.len == 0 && put->auth == old->auth) {
		keep_secret(c, old);
	} else if (seal_secret(t, c, put) != 0) {
		cred_free(c);
		return NULL;
	}
	return c;
}

static bool
same_secret(struct cred_table *t, const struct cred *a, const struct cred *b)
{
	struct secret sa, sb, ta, tb;
	if (cred_open_secret(t, a, &sa, &ta) != 0)
		return false;
	bool same = false;
	if (cred_open_secret(t, b, &sb, &tb) == 0) {
		same = sa.len == sb.len && ta.len == tb.len &&
		       (sa.len == 0 || sodium_memcmp(sa.p, sb.p, sa.len) == 0) &&
		       (ta.len == 0 || sodium_memcmp(ta.p, tb.p, ta.len) == 0);
		secret_wipe(&sb);
		secret_wipe(&tb);
	}
	secret_wipe(&sa);
	secret_wipe(&ta);
	return same;
}

bool
cred_same(struct cred_table *t, const struct cred *a, const struct cred *b)
{
	if (a->provider != b->provider || a->auth != b->auth || a->port != b->port ||
	    a->rate_per_minute != b->rate_per_minute || a->enabled != b->enabled ||
	    a->operations != b->operations || strcmp(a->host, b->host) != 0 ||
	    strcmp(a->region, b->region) != 0 || strcmp(a->access_key_id, b->access_key_id) != 0 ||
	    strcmp(a->workspace, b->workspace) != 0 || !view_eq(a->ca_pem, b->ca_pem) ||
	    !names_equal(&a->models, &b->models) || !cred_extra_equal(&a->extra, &b->extra))
		return false;
	return same_secret(t, a, b);
}

int
cred_commit(struct cred_table *t, struct cred *next)
{
	if (store_write(t, next) != 0) {
		cred_free(next);
		return -1;
	}
	for (size_t i = 0; i < t->slots; i++) {
		struct cred *old = t->slot[i];
		if (old == NULL || strcmp(old->id, next->id) != 0)
			continue;
		next->uses = old->uses;
		next->last_used_s = old->last_used_s;
		t->slot[i] = next;
		cred_free(old);
		return 0;
	}
	add_slot(t, next);
	return 0;
}

int
cred_set_enabled(struct cred_table *t, struct cred *c, bool enabled)
{
	bool before = c->enabled;
	c->enabled = enabled;
	c->version++;
	if (store_write(t, c) == 0)
		return 0;
	c->enabled = before;
	c->version--;
	return -1;
}

int
cred_remove(struct cred_table *t, struct cred *c)
{
	if (store_delete(t->store, STORE_CREDENTIAL, view_of(c->id)) != 0)
		return -1;
	t->slot[cred_handle(t, c) - 1] = NULL;
	t->count--;
	cred_free(c);
	return 0;
}

// --- the secret --------------------------------------------------------------------

SENSITIVE
int
cred_open_secret(
    struct cred_table *t, const struct cred *c, struct secret *secret_r, struct secret *token_r)
{
	*secret_r = *token_r = (struct secret){0};
	BUG_IF(c->sealed_len < SEAL_OVERHEAD || c->sealed_len > PLAIN_MAX + SEAL_OVERHEAD);
	size_t len = c->sealed_len - SEAL_OVERHEAD;
	uint8_t *plain = secmem_alloc(len);
	if (plain == NULL)
		return -1;
	// The record around it was authenticated at load, so this cannot fail.
	if (seal_open(t->seal, SEAL_SECRET, view_of(c->id), c->secret_version, c->sealed_secret,
		c->sealed_len, plain) != 0)
		BUG("a loaded secret does not open");
	struct mp_in in;
	size_t n;
	struct view secret, token;
	mp_in_init(&in, plain, len);
	if (mp_get_array(&in, 2, &n) != 0 || mp_get_bin(&in, SECRET_MAX, &secret) != 0 ||
	    mp_get_bin(&in, SECRET_MAX, &token) != 0 || !mp_in_done(&in))
		BUG("a loaded secret does not parse");
	int r = secret.len == 0 ? 0 : secret_set(secret_r, secret.p, secret.len);
	if (r == 0 && token.len != 0)
		r = secret_set(token_r, token.p, token.len);
	if (r != 0)
		secret_wipe(secret_r);
	secmem_free(plain);
	return r;
}
