// SPDX-License-Identifier: Apache-2.0
// SHA-256 through OpenSSL, the compact range of the tree, and the set of intents
// that wait for completion. Memory only.
#include "auditd/chain.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

// --- hashing -------------------------------------------------------------------

static EVP_MD *sha256;
static EVP_MD_CTX *ctx; // every process of ours is single-threaded

void
chain_init(void)
{
	if (sha256 != NULL)
		return;
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	// Fetched once: an implicit fetch costs 40 % of the hash of a record.
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ctx = EVP_MD_CTX_new();
	BUG_IF(sha256 == NULL || ctx == NULL);
	uint8_t warm[CHAIN_HASH];
	chain_leaf(warm, NULL, 0);
}

struct piece {
	const void *p;
	size_t len;
};

#define GATHER_MAX 2048U // longer than any record; one update is cheaper than three

static void
hash(uint8_t out[CHAIN_HASH], const struct piece *pieces, size_t n)
{
	uint8_t gathered[GATHER_MAX];
	size_t len = 0;
	BUG_IF(sha256 == NULL);
	bool ok = EVP_DigestInit_ex2(ctx, sha256, NULL) == 1;
	for (size_t i = 0; i < n; i++) {
		if (len + pieces[i].len > sizeof(gathered)) {
			ok = ok && EVP_DigestUpdate(ctx, gathered, len) == 1;
			len = 0;
		}
		if (pieces[i].len > sizeof(gathered)) {
			ok = ok && EVP_DigestUpdate(ctx, pieces[i].p, pieces[i].len) == 1;
		} else if (pieces[i].len != 0) {
			memcpy(gathered + len, pieces[i].p, pieces[i].len);
			len += pieces[i].len;
		}
	}
	ok = ok && EVP_DigestUpdate(ctx, gathered, len) == 1;
	BUG_IF(!ok || EVP_DigestFinal_ex(ctx, out, NULL) != 1);
}

void
chain_leaf(uint8_t out[CHAIN_HASH], const uint8_t *record, size_t len)
{
	hash(out, (struct piece[]){{"\x00", 1}, {record, len}}, 2);
}

static void
node_hash(uint8_t out[CHAIN_HASH], const uint8_t *l, const uint8_t *r)
{
	hash(out, (struct piece[]){{"\x01", 1}, {l, CHAIN_HASH}, {r, CHAIN_HASH}}, 3);
}

void
chain_genesis(uint8_t out[CHAIN_HASH], const uint8_t log_id[CHAIN_LOG_ID])
{
	static const char domain[] = "sallyport/audit/genesis/v1"; // with its NUL
	hash(out, (struct piece[]){{domain, sizeof(domain)}, {log_id, CHAIN_LOG_ID}}, 2);
}

// --- compact range ---------------------------------------------------------------

unsigned
chain_edge_count(uint64_t size)
{
	return (unsigned)__builtin_popcountll(size);
}

void
chain_edge_add(struct chain_edge *e, const uint8_t leaf[CHAIN_HASH])
{
	unsigned n = chain_edge_count(e->size);
	uint8_t h[CHAIN_HASH];
	memcpy(h, leaf, CHAIN_HASH);
	// Each trailing one bit of the size is a perfect subtree that closes with its twin.
	for (uint64_t s = e->size; s & 1; s >>= 1)
		node_hash(h, e->node[--n], h);
	memcpy(e->node[n], h, CHAIN_HASH);
	e->size++;
}

void
chain_edge_root(const struct chain_edge *e, uint8_t out[CHAIN_HASH])
{
	unsigned n = chain_edge_count(e->size);
	if (n == 0) {
		hash(out, NULL, 0);
		return;
	}
	memcpy(out, e->node[n - 1], CHAIN_HASH);
	while (--n > 0)
		node_hash(out, e->node[n - 1], out);
}

// --- intents ---------------------------------------------------------------------
// Open addressing with linear probing; a removed slot is refilled by shifting its
// run back, so there are no tombstones. slot.state NONE is an empty slot.

struct chain_intents {
	struct chain_intent *slot;
	size_t cap; // power of two
	size_t used;
	size_t count[3]; // by state
};

struct chain_intents *
chain_intents_new(void)
{
	struct chain_intents *s = base_calloc(1, sizeof(*s));
	s->cap = 64;
	s->slot = base_calloc(s->cap, sizeof(*s->slot));
	return s;
}

void
chain_intents_free(struct chain_intents *s)
{
	if (s == NULL)
		return;
	free(s->slot);
	free(s);
}

static size_t
home(const struct chain_intents *s, uint64_t seq)
{
	return (size_t)(seq * 0x9e3779b97f4a7c15ULL >> 20) & (s->cap - 1);
}

// The slot that holds seq, or the empty one where it would go.
static size_t
find(const struct chain_intents *s, uint64_t seq)
{
	size_t i = home(s, seq);
	while (s->slot[i].state != INTENT_NONE && s->slot[i].seq != seq)
		i = (i + 1) & (s->cap - 1);
	return i;
}

enum chain_intent_state
chain_intent_get(const struct chain_intents *s, uint64_t seq)
{
	return s->slot[find(s, seq)].state;
}

static void
grow(struct chain_intents *s)
{
	struct chain_intent *old = s->slot;
	size_t old_cap = s->cap;
	s->cap *= 2;
	s->slot = base_calloc(s->cap, sizeof(*s->slot));
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].state != INTENT_NONE)
			s->slot[find(s, old[i].seq)] = old[i];
	free(old);
}

static void
shift_back(struct chain_intents *s, size_t hole)
{
	size_t mask = s->cap - 1;
	for (size_t i = (hole + 1) & mask; s->slot[i].state != INTENT_NONE; i = (i + 1) & mask) {
		size_t h = home(s, s->slot[i].seq);
		// It may move only if its home does not lie cyclically in (hole, i].
		if (((i - h) & mask) >= ((i - hole) & mask)) {
			s->slot[hole] = s->slot[i];
			hole = i;
		}
	}
	s->slot[hole].state = INTENT_NONE;
}

void
chain_intent_set(
    struct chain_intents *s, uint64_t seq, enum chain_intent_state state, uint64_t since)
{
	struct chain_intent *at = &s->slot[find(s, seq)];
	if (at->state == INTENT_NONE && state == INTENT_NONE)
		return;
	if (state == INTENT_NONE) {
		s->count[at->state]--;
		s->used--;
		shift_back(s, (size_t)(at - s->slot));
		return;
	}
	if (at->state != INTENT_NONE) {
		s->count[at->state]--;
		since = at->since;
	} else {
		s->used++;
	}
	*at = (struct chain_intent){.seq = seq, .since = since, .state = state};
	s->count[state]++;
	if (s->used > s->cap / 2)
		grow(s);
}

size_t
chain_intent_count(const struct chain_intents *s, enum chain_intent_state state)
{
	return s->count[state];
}

static int
by_seq(const void *a, const void *b)
{
	uint64_t x = ((const struct chain_intent *)a)->seq;
	uint64_t y = ((const struct chain_intent *)b)->seq;
	return x < y ? -1 : x > y;
}

struct chain_intent *
chain_intent_list(const struct chain_intents *s, enum chain_intent_state state, size_t *n_r)
{
	*n_r = 0;
	if (s->count[state] == 0)
		return NULL;
	struct chain_intent *out = base_calloc(s->count[state], sizeof(*out));
	for (size_t i = 0; i < s->cap; i++)
		if (s->slot[i].state == state)
			out[(*n_r)++] = s->slot[i];
	qsort(out, *n_r, sizeof(*out), by_seq);
	return out;
}
