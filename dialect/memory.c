// SPDX-License-Identifier: Apache-2.0
// Thought signatures by tool call id: a bounded table, least recently used goes first.
// Heap only. Entries are found by a hash keyed with the tenant's scope (BLAKE2b, 256
// bits), so that one tenant cannot name another's entry, and ids are not kept.
#include "dialect/dialect.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONE	      UINT32_MAX
#define KEY_SIZE      32U
#define SIGNATURE_MAX ((size_t)64 << 10)
#define ENTRY_MEAN    2048U // bytes of signature for each entry, on the whole

struct entry {
	unsigned char key[KEY_SIZE];
	char *signature; // owned; NULL: unused
	size_t len;
	uint32_t chain;	       // next of the same bucket
	uint32_t newer, older; // by use
};

struct dialect_memory {
	struct entry *entry;
	uint32_t *bucket;
	uint32_t count;
	uint32_t spare; // unused entries, by chain
	uint32_t newest, oldest;
	size_t bytes, bytes_max;
	unsigned char scope[KEY_SIZE];
};

struct dialect_memory *
dialect_memory_new(size_t entries)
{
	BUG_IF(entries == 0 || entries >= NONE / 2);
	struct dialect_memory *m = base_calloc(1, sizeof(*m));
	m->count = (uint32_t)entries;
	m->entry = base_calloc(entries, sizeof(*m->entry));
	m->bucket = base_calloc(entries, sizeof(*m->bucket));
	memset(m->bucket, 0xff, entries * sizeof(*m->bucket)); // NONE
	for (uint32_t i = 0; i < m->count; i++)
		m->entry[i].chain = i + 1 < m->count ? i + 1 : NONE;
	m->newest = m->oldest = NONE;
	m->bytes_max = MAX(entries * ENTRY_MEAN, SIGNATURE_MAX);
	return m;
}

void
dialect_memory_free(struct dialect_memory *m)
{
	if (m == NULL)
		return;
	for (uint32_t i = 0; i < m->count; i++)
		free(m->entry[i].signature);
	free(m->entry);
	free(m->bucket);
	free(m);
}

static void
hash(unsigned char out[KEY_SIZE], struct view v, const unsigned char *key)
{
	int rc = crypto_generichash(
	    out, KEY_SIZE, (const unsigned char *)v.p, v.len, key, key == NULL ? 0 : KEY_SIZE);
	BUG_IF(rc != 0);
}

void
dialect_memory_scope(struct dialect_memory *m, struct view scope)
{
	hash(m->scope, scope, NULL);
}

static uint32_t *
bucket_of(struct dialect_memory *m, const unsigned char key[KEY_SIZE])
{
	uint32_t h;
	memcpy(&h, key, sizeof(h));
	return &m->bucket[h % m->count];
}

static uint32_t
find(struct dialect_memory *m, const unsigned char key[KEY_SIZE])
{
	uint32_t i = *bucket_of(m, key);
	while (i != NONE && memcmp(m->entry[i].key, key, KEY_SIZE) != 0)
		i = m->entry[i].chain;
	return i;
}

static void
unlink_use(struct dialect_memory *m, uint32_t i)
{
	struct entry *e = &m->entry[i];
	*(e->newer == NONE ? &m->newest : &m->entry[e->newer].older) = e->older;
	*(e->older == NONE ? &m->oldest : &m->entry[e->older].newer) = e->newer;
}

static void
link_newest(struct dialect_memory *m, uint32_t i)
{
	m->entry[i].newer = NONE;
	m->entry[i].older = m->newest;
	*(m->newest == NONE ? &m->oldest : &m->entry[m->newest].newer) = i;
	m->newest = i;
}

static void
forget(struct dialect_memory *m, uint32_t i)
{
	struct entry *e = &m->entry[i];
	uint32_t *at = bucket_of(m, e->key);
	while (*at != i)
		at = &m->entry[*at].chain;
	*at = e->chain;
	unlink_use(m, i);
	m->bytes -= e->len;
	free(e->signature);
	*e = (struct entry){.chain = m->spare};
	m->spare = i;
}

void
dialect_memory_put(struct dialect_memory *m, struct view call_id, struct view signature)
{
	if (call_id.len == 0 || signature.len == 0 || signature.len > SIGNATURE_MAX)
		return;
	unsigned char key[KEY_SIZE];
	hash(key, call_id, m->scope);
	uint32_t i = find(m, key);
	if (i != NONE)
		forget(m, i);
	while (m->bytes + signature.len > m->bytes_max || m->spare == NONE)
		forget(m, m->oldest);
	i = m->spare;
	struct entry *e = &m->entry[i];
	m->spare = e->chain;
	uint32_t *bucket = bucket_of(m, key);
	memcpy(e->key, key, KEY_SIZE);
	e->signature = base_strndup(signature.p, signature.len);
	e->len = signature.len;
	e->chain = *bucket;
	*bucket = i;
	link_newest(m, i);
	m->bytes += e->len;
}

struct view
dialect_memory_get(struct dialect_memory *m, struct view call_id)
{
	if (call_id.len == 0)
		return VIEW("");
	unsigned char key[KEY_SIZE];
	hash(key, call_id, m->scope);
	uint32_t i = find(m, key);
	if (i == NONE)
		return VIEW("");
	unlink_use(m, i);
	link_newest(m, i);
	return (struct view){m->entry[i].signature, m->entry[i].len};
}
