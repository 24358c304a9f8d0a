// SPDX-License-Identifier: Apache-2.0
// Forms of a secret, their windows, and the two tests for a window: a bit filter
// by a keyed multiplication, then the keyed digest. May touch: its own memory; the
// hash keys and the window in work are in secret memory.
#include "vaultd/sealer_needle.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"

#define NEEDLE_MAGIC  0x6e65646cU
#define PLAIN_WINDOW  12U
#define CODED_WINDOW  SEALER_NEEDLE_WINDOW_MAX
#define DIGEST_LEN    16U
#define CLASSES_MAX   8U
#define BITS_PER_ITEM 32U
#define BLOCK	      8U
// A run of this many characters holds a whole block, wherever the run begins.
#define RUN_MIN (2U * BLOCK - 1U)

struct sealer_keys {
	uint64_t mul[4];
	uint8_t digest[crypto_generichash_KEYBYTES];
	uint8_t window[32];
};

// All windows of one length. bits is a filter of 1 << log2 bits.
struct needle_class {
	size_t w;
	size_t items;
	unsigned log2;
	uint64_t *bits;
};

struct sealer_needle {
	unsigned magic;
	struct sealer_keys *k;
	uint8_t id[16];
	size_t class_count;
	struct needle_class class[CLASSES_MAX];
	size_t mask; // slots of the digest table, minus 1
	uint8_t (*digest)[DIGEST_LEN];
};

// --- forms ---------------------------------------------------------------------

enum form {
	FORM_RAW,
	FORM_BASE64_0, // the secret begins at byte 0, 1, 2 of a group of three
	FORM_BASE64_1,
	FORM_BASE64_2,
	FORM_BASE64URL_0,
	FORM_BASE64URL_1,
	FORM_BASE64URL_2,
	FORM_HEX_LOWER,
	FORM_HEX_UPPER,
	FORM_PERCENT_LOWER,
	FORM_PERCENT_UPPER,
	FORM_COUNT,
};

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

static size_t
base64_shift(enum form f)
{
	return (size_t)(f - FORM_BASE64_0) % 3;
}

// Characters of the form that depend on the secret alone.
static size_t
form_len(enum form f, size_t len)
{
	if (f == FORM_RAW)
		return len;
	if (f >= FORM_PERCENT_LOWER)
		return 3 * len;
	if (f >= FORM_HEX_LOWER)
		return 2 * len;
	size_t a = base64_shift(f);
	return (len + a) * 8 / 6 - (a * 8 + 5) / 6;
}

static uint8_t
base64_char(const char *alphabet, size_t shift, const uint8_t *s, size_t len, size_t i)
{
	size_t bit = 6 * (i + (shift * 8 + 5) / 6) - 8 * shift;
	size_t at = bit / 8;
	unsigned two = (unsigned)s[at] << 8 | (at + 1 < len ? s[at + 1] : 0U);
	return (uint8_t)alphabet[two >> (10 - bit % 8) & 63];
}

static uint8_t
hex_char(const char *digits, uint8_t byte, bool high)
{
	return (uint8_t)digits[high ? byte >> 4 : byte & 15];
}

// Character number i of the form.
static uint8_t
form_char(enum form f, const uint8_t *s, size_t len, size_t i)
{
	switch (f) {
	case FORM_RAW:
		return s[i];
	case FORM_HEX_LOWER:
		return hex_char(hex_lower, s[i / 2], i % 2 == 0);
	case FORM_HEX_UPPER:
		return hex_char(hex_upper, s[i / 2], i % 2 == 0);
	case FORM_PERCENT_LOWER:
		return i % 3 == 0 ? '%' : hex_char(hex_lower, s[i / 3], i % 3 == 1);
	case FORM_PERCENT_UPPER:
		return i % 3 == 0 ? '%' : hex_char(hex_upper, s[i / 3], i % 3 == 1);
	default:
		return base64_char(
		    f < FORM_BASE64URL_0 ? base64 : base64url, base64_shift(f), s, len, i);
	}
}

static size_t
form_window(enum form f, size_t len)
{
	return MIN(f >= FORM_HEX_LOWER ? CODED_WINDOW : PLAIN_WINDOW, form_len(f, len));
}

// --- hashing -------------------------------------------------------------------

struct sealer_keys *
sealer_keys_new(void)
{
	struct sealer_keys *k = secmem_alloc(sizeof(*k));
	if (k != NULL)
		randombytes_buf(k, sizeof(*k));
	return k;
}

void
sealer_keys_free(struct sealer_keys *k)
{
	secmem_free(k);
}

static void
digest(const struct sealer_keys *k, const uint8_t *p, size_t len, uint8_t out[DIGEST_LEN])
{
	crypto_generichash(out, DIGEST_LEN, p, len, k->digest, sizeof(k->digest));
}

void
sealer_needle_identity(
    const struct sealer_keys *k, const uint8_t *secret, size_t len, uint8_t id_r[16])
{
	digest(k, secret, len, id_r);
}

static inline uint64_t
load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
load32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
multiply(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 m = (unsigned __int128)a * b;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

// Keyed hash of the window of w bytes at p, 4 <= w <= 24. Not linear in the bytes,
// and only a few bits of it are ever stored.
static inline uint64_t
window_hash(const struct sealer_keys *k, const uint8_t *p, size_t w)
{
	if (w < 8)
		return multiply(load32(p) ^ k->mul[0], load32(p + w - 4) ^ k->mul[1]);
	uint64_t h = multiply(load64(p) ^ k->mul[0], load64(p + w - 8) ^ k->mul[1]);
	return w <= 16 ? h : multiply(h ^ load64(p + 8), k->mul[2] | 1U);
}

static inline unsigned
bit_at(const struct needle_class *c, uint64_t h)
{
	uint64_t i = h >> (64 - c->log2);
	return (unsigned)(c->bits[i / 64] >> (i % 64) & 1U);
}

static void
set_bit(struct needle_class *c, uint64_t h)
{
	uint64_t i = h >> (64 - c->log2);
	c->bits[i / 64] |= 1ULL << (i % 64);
}

// The same filter is asked twice, with the two ends of the hash.
static inline uint64_t
second(uint64_t h)
{
	return h << 32 | h >> 32;
}

static const uint8_t empty_slot[DIGEST_LEN];

static bool
known_digest(const struct sealer_needle *n, const uint8_t *p, size_t w)
{
	uint8_t d[DIGEST_LEN];
	digest(n->k, p, w, d);
	for (size_t i = load64(d) & n->mask;; i = (i + 1) & n->mask) {
		if (memcmp(n->digest[i], d, DIGEST_LEN) == 0)
			return true;
		if (memcmp(n->digest[i], empty_slot, DIGEST_LEN) == 0)
			return false;
	}
}

static void
keep_digest(struct sealer_needle *n, const uint8_t *p, size_t w)
{
	uint8_t d[DIGEST_LEN];
	digest(n->k, p, w, d);
	size_t i = load64(d) & n->mask;
	while (memcmp(n->digest[i], empty_slot, DIGEST_LEN) != 0 &&
	       memcmp(n->digest[i], d, DIGEST_LEN) != 0)
		i = (i + 1) & n->mask;
	memcpy(n->digest[i], d, DIGEST_LEN);
}

// --- building ------------------------------------------------------------------

static struct needle_class *
class_of(struct sealer_needle *n, size_t w)
{
	for (size_t i = 0; i < n->class_count; i++)
		if (n->class[i].w == w)
			return &n->class[i];
	BUG_IF(n->class_count == CLASSES_MAX);
	struct needle_class *c = &n->class[n->class_count++];
	c->w = w;
	return c;
}

static unsigned
log2_above(size_t v)
{
	unsigned bits = 6;
	while (((size_t)1 << bits) < v)
		bits++;
	return bits;
}

static void
make_tables(struct sealer_needle *n, size_t len)
{
	size_t items = 0;
	for (enum form f = 0; f < FORM_COUNT; f++) {
		size_t w = form_window(f, len);
		size_t count = form_len(f, len) - w + 1;
		class_of(n, w)->items += count;
		items += count;
	}
	for (size_t i = 0; i < n->class_count; i++) {
		struct needle_class *c = &n->class[i];
		c->log2 = log2_above(c->items * BITS_PER_ITEM);
		c->bits = base_calloc(((size_t)1 << c->log2) / 64, sizeof(uint64_t));
	}
	size_t slots = (size_t)1 << log2_above(items * 2);
	n->mask = slots - 1;
	n->digest = base_calloc(slots, DIGEST_LEN);
}

static void
add_form(struct sealer_needle *n, enum form f, const uint8_t *s, size_t len)
{
	size_t w = form_window(f, len), end = form_len(f, len);
	struct needle_class *c = class_of(n, w);
	uint8_t *window = n->k->window;
	for (size_t i = 0; i < end; i++) {
		memmove(window, window + 1, w - 1);
		window[w - 1] = form_char(f, s, len, i);
		if (i + 1 < w)
			continue;
		uint64_t h = window_hash(n->k, window, w);
		set_bit(c, h);
		set_bit(c, second(h));
		keep_digest(n, window, w);
	}
	sodium_memzero(window, sizeof(n->k->window));
}

SENSITIVE struct sealer_needle *
sealer_needle_new(struct sealer_keys *k, const uint8_t *secret, size_t len)
{
	BUG_IF(len < SEALER_NEEDLE_SECRET_MIN);
	struct sealer_needle *n = base_calloc(1, sizeof(*n));
	n->magic = NEEDLE_MAGIC;
	n->k = k;
	digest(k, secret, len, n->id);
	make_tables(n, len);
	for (enum form f = 0; f < FORM_COUNT; f++)
		add_form(n, f, secret, len);
	return n;
}

void
sealer_needle_free(struct sealer_needle *n)
{
	if (n == NULL)
		return;
	CHECK_OBJ(n, NEEDLE_MAGIC);
	n->magic = 0;
	for (size_t i = 0; i < n->class_count; i++)
		free(n->class[i].bits);
	free(n->digest);
	free(n);
}

bool
sealer_needle_is(const struct sealer_needle *n, const uint8_t id[16])
{
	return sodium_memcmp(n->id, id, sizeof(n->id)) == 0;
}

// --- finding -------------------------------------------------------------------

static inline bool
is_window(const struct sealer_needle *n, const struct needle_class *c, const uint8_t *p, size_t w)
{
	uint64_t h = window_hash(n->k, p, w);
	return bit_at(c, h) && bit_at(c, second(h)) && known_digest(n, p, w);
}

// Inlined with a constant w for the usual case: then about a nanosecond a byte.
static inline ssize_t
find_plain(const struct sealer_needle *n, const struct needle_class *c, const uint8_t *p,
    size_t len, size_t w)
{
	size_t i = 0;
	for (; i + BLOCK - 1 + w <= len; i += BLOCK) {
		unsigned hits = 0;
		for (unsigned j = 0; j < BLOCK; j++)
			hits |= bit_at(c, window_hash(n->k, p + i + j, w)) << j;
		for (; hits != 0; hits &= hits - 1) {
			size_t at = i + (size_t)__builtin_ctz(hits);
			if (is_window(n, c, p + at, w))
				return (ssize_t)at;
		}
	}
	for (; i + w <= len; i++)
		if (is_window(n, c, p + i, w))
			return (ssize_t)i;
	return -1;
}

static const uint8_t coded[256] = {
    ['0' ... '9'] = 1,
    ['a' ... 'f'] = 1,
    ['A' ... 'F'] = 1,
    ['%'] = 1,
};

static bool
block_is_coded(const uint8_t *p)
{
	for (size_t i = 0; i < BLOCK; i++)
		if (!coded[p[i]])
			return false;
	return true;
}

// Windows of hexadecimal and percent forms lie in runs of those characters, and
// such runs are rare: only they are looked at.
static ssize_t
find_coded(
    const struct sealer_needle *n, const struct needle_class *c, const uint8_t *p, size_t len)
{
	size_t end = 0;
	for (size_t i = 0; i + BLOCK <= len; i += BLOCK) {
		if (i < end || !block_is_coded(p + i))
			continue;
		size_t start = i;
		while (start > 0 && coded[p[start - 1]])
			start--;
		end = i + BLOCK;
		while (end < len && coded[p[end]])
			end++;
		ssize_t at = find_plain(n, c, p + start, end - start, c->w);
		if (at >= 0)
			return at + (ssize_t)start;
	}
	return -1;
}

ssize_t
sealer_needle_find(const struct sealer_needle *n, const uint8_t *p, size_t len)
{
	ssize_t first = -1;
	for (size_t i = 0; i < n->class_count; i++) {
		const struct needle_class *c = &n->class[i];
		ssize_t at;
		if (c->w == PLAIN_WINDOW)
			at = find_plain(n, c, p, len, PLAIN_WINDOW);
		else if (c->w < RUN_MIN)
			at = find_plain(n, c, p, len, c->w);
		else
			at = find_coded(n, c, p, len);
		if (at >= 0 && (first < 0 || at < first))
			first = at;
	}
	return first;
}

size_t
sealer_needle_ends(const struct sealer_needle *n, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < n->class_count; i++) {
		const struct needle_class *c = &n->class[i];
		if (len >= c->w && is_window(n, c, p + len - c->w, c->w))
			return c->w;
	}
	return 0;
}
