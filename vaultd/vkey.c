// SPDX-License-Identifier: Apache-2.0
// The table of virtual keys, its hash index and its records. May touch: the store.
#include "vaultd/vkey.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vaultd/text.h"

#define RECORD_FIELDS 9U
#define RECORD_MAX    16384U

struct vkey_table {
	struct store *store;
	struct seal *seal;
	struct vkey **slot;
	size_t slots;
	size_t live;
	uint32_t *index;   // open addressing by the first bytes of the hash; slot + 1, 0: free
	size_t index_size; // power of two, at least twice the slots
	uint8_t buf[RECORD_MAX];
	uint8_t value[RECORD_MAX + SEAL_OVERHEAD];
};

// --- index: hashes are keyed, so nobody outside can choose where an entry falls ------

static size_t
index_start(const struct vkey_table *t, const uint8_t hash[SEAL_HASH_LEN])
{
	uint64_t h;
	memcpy(&h, hash, sizeof(h));
	return (size_t)h & (t->index_size - 1);
}

static void
index_add(struct vkey_table *t, size_t slot)
{
	size_t i = index_start(t, t->slot[slot]->hash);
	while (t->index[i] != 0)
		i = (i + 1) & (t->index_size - 1);
	t->index[i] = (uint32_t)slot + 1;
}

static void
add_slot(struct vkey_table *t, struct vkey *k)
{
	t->slot = base_realloc(t->slot, (t->slots + 1) * sizeof(struct vkey *));
	t->slot[t->slots++] = k;
	t->live += !k->revoked;
	if (t->slots * 2 <= t->index_size) {
		index_add(t, t->slots - 1);
		return;
	}
	t->index_size = MAX(t->index_size * 2, 64U);
	free(t->index);
	t->index = base_calloc(t->index_size, sizeof(*t->index));
	for (size_t i = 0; i < t->slots; i++)
		index_add(t, i);
}

struct vkey *
vkey_find(struct vkey_table *t, struct view text)
{
	uint8_t hash[SEAL_HASH_LEN];
	if (text.len != VKEY_TEXT_LEN || memcmp(text.p, "sp-", 3) != 0 || t->index_size == 0)
		return NULL;
	seal_hash(t->seal, text, hash);
	for (size_t i = index_start(t, hash); t->index[i] != 0; i = (i + 1) & (t->index_size - 1)) {
		struct vkey *k = t->slot[t->index[i] - 1];
		if (sodium_memcmp(k->hash, hash, sizeof(hash)) == 0)
			return k;
	}
	return NULL;
}

// --- records ---------------------------------------------------------------------

static void
put_record(const struct vkey *k, struct mp_out *o)
{
	mp_put_array(o, RECORD_FIELDS);
	mp_put_uint(o, 1); // format
	mp_put_str(o, view_of(k->name));
	mp_put_str(o, view_of(k->workspace));
	mp_put_bin(o, (struct view){(const char *)k->hash, sizeof(k->hash)});
	mp_put_bool(o, k->revoked);
	mp_put_uint(o, k->created_s);
	mp_put_uint(o, k->rate_per_minute);
	names_put(&k->credentials, o);
	names_put(&k->models, o);
}

static int
get_record(struct vkey *k, const uint8_t *p, size_t len)
{
	struct mp_in in;
	size_t n;
	uint64_t format;
	struct view name, workspace, hash;
	mp_in_init(&in, p, len);
	if (mp_get_array(&in, RECORD_FIELDS, &n) != 0 || n != RECORD_FIELDS ||
	    mp_get_uint(&in, 1, &format) != 0 || mp_get_str(&in, 64, &name) != 0 ||
	    mp_get_str(&in, 64, &workspace) != 0 || mp_get_bin(&in, SEAL_HASH_LEN, &hash) != 0 ||
	    hash.len != SEAL_HASH_LEN || mp_get_bool(&in, &k->revoked) != 0 ||
	    mp_get_uint(&in, UINT64_MAX, &k->created_s) != 0 ||
	    mp_get_uint(&in, UINT32_MAX, &k->rate_per_minute) != 0 ||
	    names_get(&k->credentials, &in) != 0 || names_get(&k->models, &in) != 0 ||
	    !mp_in_done(&in))
		return -1;
	memcpy(k->hash, hash.p, SEAL_HASH_LEN);
	return view_copy(name, k->name, sizeof(k->name)) == 0 &&
		       view_copy(workspace, k->workspace, sizeof(k->workspace)) == 0
		   ? 0
		   : -1;
}

// A key changes once in its life, when it is revoked; that is its version.
static uint64_t
version_of(const struct vkey *k)
{
	return k->revoked ? 2 : 1;
}

static int
store_write(struct vkey_table *t, const struct vkey *k)
{
	struct mp_out o;
	mp_out_init(&o, t->buf, sizeof(t->buf));
	put_record(k, &o);
	BUG_IF(o.failed);
	t->value[0] = (uint8_t)version_of(k);
	seal_close(t->seal, SEAL_VKEY, view_of(k->id), version_of(k), o.buf, o.len, t->value + 1);
	return store_put(t->store, STORE_VKEY, view_of(k->id),
	    (struct view){(const char *)t->value, 1 + o.len + SEAL_OVERHEAD});
}

static int
load_one(void *cookie, struct view id, struct view value)
{
	struct vkey_table *t = cookie;
	struct vkey *k = base_calloc(1, sizeof(*k));
	if (view_copy(id, k->id, sizeof(k->id)) != 0 || value.len < 1 + SEAL_OVERHEAD ||
	    value.len > sizeof(t->value) ||
	    seal_open(t->seal, SEAL_VKEY, id, (uint8_t)value.p[0], (const uint8_t *)value.p + 1,
		value.len - 1, t->buf) != 0 ||
	    get_record(k, t->buf, value.len - 1 - SEAL_OVERHEAD) != 0)
		log_fatal(
		    "virtual key record %.*s does not open: somebody changed the store; bring "
		    "back a backup",
		    (int)id.len, id.p);
	limits_init(&k->limits, k->rate_per_minute);
	add_slot(t, k);
	return 0;
}

struct vkey_table *
vkey_table_new(struct store *store, struct seal *seal)
{
	struct vkey_table *t = base_calloc(1, sizeof(*t));
	t->store = store;
	t->seal = seal;
	if (store_each(store, STORE_VKEY, load_one, t) != 0)
		log_fatal("cannot read the virtual keys");
	return t;
}

void
vkey_free(struct vkey *k)
{
	if (k == NULL)
		return;
	names_clear(&k->credentials);
	names_clear(&k->models);
	free(k);
}

void
vkey_table_free(struct vkey_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->slots; i++)
		vkey_free(t->slot[i]);
	free(t->slot);
	free(t->index);
	free(t);
}

size_t
vkey_count(const struct vkey_table *t)
{
	return t->live;
}

size_t
vkey_slots(const struct vkey_table *t)
{
	return t->slots;
}

struct vkey *
vkey_at(const struct vkey_table *t, size_t slot)
{
	BUG_IF(slot >= t->slots);
	return t->slot[slot];
}

struct vkey *
vkey_by_id_or_name(const struct vkey_table *t, struct view v)
{
	for (size_t i = 0; i < t->slots; i++) {
		struct vkey *k = t->slot[i];
		if (view_eq_str(v, k->id) || (!k->revoked && view_eq_str(v, k->name)))
			return k;
	}
	return NULL;
}

// --- changing ----------------------------------------------------------------------

SENSITIVE
static void
make_text(char text[VKEY_TEXT_LEN])
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	// 43 characters of 6 bits; the last one carries 4 bits, as base64url of 32 bytes does.
	randombytes_buf(text, VKEY_TEXT_LEN);
	memcpy(text, "sp-", 3);
	for (size_t i = 3; i < VKEY_TEXT_LEN; i++) {
		unsigned mask = i == VKEY_TEXT_LEN - 1 ? 0x3cU : 0x3fU;
		text[i] = alphabet[(uint8_t)text[i] & mask];
	}
}

struct vkey *
vkey_prepare(
    struct vkey_table *t, const struct msg_vkey_issue *m, uint64_t now_s, char text[VKEY_TEXT_LEN])
{
	struct vkey *k = base_calloc(1, sizeof(*k));
	uint8_t raw[12];
	struct text id;
	randombytes_buf(raw, sizeof(raw));
	text_init(&id, k->id, sizeof(k->id) - 1);
	text_str(&id, "vk_");
	text_hex(&id, raw, sizeof(raw));
	BUG_IF(view_copy(m->name, k->name, sizeof(k->name)) != 0 ||
	       view_copy(m->workspace, k->workspace, sizeof(k->workspace)) != 0);
	k->created_s = now_s;
	k->rate_per_minute = m->rate_per_minute;
	names_set(&k->credentials, m->credential, m->credential_count);
	names_set(&k->models, m->model, m->model_count);
	limits_init(&k->limits, k->rate_per_minute);
	make_text(text);
	seal_hash(t->seal, (struct view){text, VKEY_TEXT_LEN}, k->hash);
	return k;
}

int
vkey_commit(struct vkey_table *t, struct vkey *k)
{
	if (store_write(t, k) != 0) {
		vkey_free(k);
		return -1;
	}
	add_slot(t, k);
	return 0;
}

int
vkey_revoke(struct vkey_table *t, struct vkey *k)
{
	BUG_IF(k->revoked);
	k->revoked = true;
	if (store_write(t, k) == 0) {
		t->live--;
		return 0;
	}
	k->revoked = false;
	return -1;
}
