// SPDX-License-Identifier: Apache-2.0
// The two views of an answer and the search in them. May touch: the caller's
// buffer and state; the guard owns its needles.
#include "vaultd/sealer_scan.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct sealer_guard {
	struct sealer_keys *keys;
	struct sealer_needle *needle[SEALER_GUARD_SECRETS];
	size_t count;
	size_t oldest; // next to be replaced when all places are taken
};

// --- guard ---------------------------------------------------------------------

struct sealer_guard *
sealer_guard_new(void)
{
	struct sealer_keys *k = sealer_keys_new();
	if (k == NULL)
		return NULL;
	struct sealer_guard *g = base_calloc(1, sizeof(*g));
	g->keys = k;
	return g;
}

void
sealer_guard_free(struct sealer_guard *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->count; i++)
		sealer_needle_free(g->needle[i]);
	sealer_keys_free(g->keys);
	free(g);
}

SENSITIVE void
sealer_guard_learn(struct sealer_guard *g, const uint8_t *secret, size_t len)
{
	if (len < SEALER_NEEDLE_SECRET_MIN)
		return;
	uint8_t id[16];
	sealer_needle_identity(g->keys, secret, len, id);
	for (size_t i = 0; i < g->count; i++)
		if (sealer_needle_is(g->needle[i], id))
			return;
	size_t place = g->count;
	if (place == SEALER_GUARD_SECRETS) {
		place = g->oldest;
		g->oldest = (g->oldest + 1) % SEALER_GUARD_SECRETS;
		sealer_needle_free(g->needle[place]);
	} else {
		g->count++;
	}
	g->needle[place] = sealer_needle_new(g->keys, secret, len);
}

size_t
sealer_guard_count(const struct sealer_guard *g)
{
	return g->count;
}

// --- the stream as it is ---------------------------------------------------------

static size_t
scan_plain(struct sealer_scan *s, const struct sealer_guard *g, uint8_t *p, size_t n)
{
	size_t back = s->tail_len, cut = n;
	memcpy(p - back, s->tail, back);
	for (size_t i = 0; i < g->count; i++) {
		ssize_t at = sealer_needle_find(g->needle[i], p - back, back + n);
		if (at >= 0)
			cut = MIN(cut, (size_t)at > back ? (size_t)at - back : 0);
	}
	size_t keep = MIN(back + n, SEALER_SCAN_ROOM);
	memcpy(s->tail, p + n - keep, keep);
	s->tail_len = (uint8_t)keep;
	return cut;
}

// --- the stream without chunk framing ---------------------------------------------

// One call's view: the last bytes, and where in this record each came from (0 for
// those of earlier records). Longer than a window, so that it is shifted seldom.
#define JOINED_CAP 128U

struct joined {
	struct sealer_scan *s;
	const struct sealer_guard *g;
	size_t cut;
	size_t len;
	uint8_t byte[JOINED_CAP];
	size_t pos[JOINED_CAP];
};

static void
keep_last(struct joined *j)
{
	size_t drop = j->len - SEALER_SCAN_ROOM;
	memmove(j->byte, j->byte + drop, SEALER_SCAN_ROOM);
	memmove(j->pos, j->pos + drop, SEALER_SCAN_ROOM * sizeof(j->pos[0]));
	j->len = SEALER_SCAN_ROOM;
}

static void
push(struct joined *j, uint8_t byte, size_t pos)
{
	if (j->len == JOINED_CAP)
		keep_last(j);
	j->byte[j->len] = byte;
	j->pos[j->len++] = pos;
	if (j->s->fresh == 0)
		return;
	j->s->fresh--;
	for (size_t i = 0; i < j->g->count; i++) {
		size_t w = sealer_needle_ends(j->g->needle[i], j->byte, j->len);
		if (w != 0)
			j->cut = MIN(j->cut, j->pos[j->len - w]);
	}
}

// Plain bytes [from, to) of the record. Only those just behind a removed line need
// a look: all other windows are windows of the stream itself, too.
static void
push_run(struct joined *j, const uint8_t *p, size_t from, size_t to)
{
	size_t at = from;
	while (at < to && j->s->fresh != 0) {
		push(j, p[at], at);
		at++;
	}
	if (to - at >= SEALER_SCAN_ROOM) {
		at = to - SEALER_SCAN_ROOM;
		j->len = 0;
	}
	for (; at < to; at++)
		push(j, p[at], at);
}

enum line_state { IN_DATA, SEEN_CR, SEEN_LF, IN_SIZE, IN_EXTENSION, SEEN_END_CR };

static bool
is_hex(uint8_t b)
{
	return (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'f');
}

// The state after b, or IN_DATA when the line is no chunk-size line after all.
static enum line_state
line_step(enum line_state st, uint8_t b)
{
	switch (st) {
	case SEEN_CR:
		return b == '\n' ? SEEN_LF : IN_DATA;
	case SEEN_LF:
		return is_hex(b) ? IN_SIZE : IN_DATA;
	case IN_SIZE:
		if (is_hex(b))
			return IN_SIZE;
		if (b == ';' || b == ' ' || b == '\t')
			return IN_EXTENSION;
		return b == '\r' ? SEEN_END_CR : IN_DATA;
	case IN_EXTENSION:
		return b == '\r' ? SEEN_END_CR : b == '\n' ? IN_DATA : IN_EXTENSION;
	default:
		return IN_DATA;
	}
}

// The line was data: give it back. at is where the record continues.
static void
give_back(struct joined *j, size_t at)
{
	struct sealer_scan *s = j->s;
	for (size_t k = 0; k < s->line_len; k++) {
		size_t behind = (size_t)s->line_len - k;
		push(j, s->line[k], at > behind ? at - behind : 0);
	}
	s->line_len = 0;
	s->state = IN_DATA;
}

// One byte of a line that may be chunk framing. False: it is not, and the byte
// must be looked at again as data.
static bool
line_byte(struct joined *j, uint8_t b, size_t at)
{
	struct sealer_scan *s = j->s;
	if (s->state == SEEN_END_CR && b == '\n') {
		s->line_len = 0;
		s->state = IN_DATA;
		s->fresh = SEALER_SCAN_ROOM;
		return true;
	}
	enum line_state next = line_step((enum line_state)s->state, b);
	if (next == IN_DATA || s->line_len == SEALER_SCAN_LINE) {
		give_back(j, at);
		return false;
	}
	s->line[s->line_len++] = b;
	s->state = (uint8_t)next;
	return true;
}

static size_t
scan_joined(struct sealer_scan *s, const struct sealer_guard *g, const uint8_t *p, size_t n)
{
	struct joined j = {.s = s, .g = g, .cut = n, .len = s->joined_len};
	memcpy(j.byte, s->joined, s->joined_len);
	for (size_t i = 0; i < n;) {
		if (s->state != IN_DATA) {
			if (line_byte(&j, p[i], i))
				i++;
			continue;
		}
		const uint8_t *cr = memchr(p + i, '\r', n - i);
		size_t end = cr == NULL ? n : (size_t)(cr - p);
		push_run(&j, p, i, end);
		i = end;
		if (cr == NULL)
			break;
		s->line[0] = '\r';
		s->line_len = 1;
		s->state = SEEN_CR;
		i++;
	}
	size_t keep = MIN(j.len, SEALER_SCAN_ROOM);
	memcpy(s->joined, j.byte + j.len - keep, keep);
	s->joined_len = (uint8_t)keep;
	sodium_memzero(j.byte, sizeof(j.byte)); // it may hold what was just found
	return j.cut;
}

size_t
sealer_scan_feed(struct sealer_scan *s, const struct sealer_guard *g, uint8_t *p, size_t n)
{
	size_t plain = scan_plain(s, g, p, n);
	size_t joined = scan_joined(s, g, p, n);
	return MIN(plain, joined);
}
