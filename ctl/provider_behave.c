// SPDX-License-Identifier: Apache-2.0
// Model names that mean something, and the text of an answer in pieces. Pure.
#include "ctl/provider_behave.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define NUMBER_MAX (256U * 1024U * 1024U)

static const struct {
	const char *prefix; // with '-' at its end: a number follows
	enum provider_behave_kind kind;
} names[] = {
    {"echo-headers", BEHAVE_ECHO},
    {"echo-split-", BEHAVE_ECHO_SPLIT},
    {"count-", BEHAVE_COUNT},
    {"bytes-", BEHAVE_BYTES},
    {"slow-", BEHAVE_SLOW},
    {"stamp-", BEHAVE_STAMP},
    {"drip-", BEHAVE_DRIP},
    {"hang", BEHAVE_HANG},
    {"status-", BEHAVE_STATUS},
    {"truncate", BEHAVE_TRUNCATE},
    {"truncate-tls", BEHAVE_TRUNCATE_TLS},
    {"truncate-marker", BEHAVE_TRUNCATE_MARKER},
    {"stream-error", BEHAVE_STREAM_ERROR},
};

static bool
number(struct view v, uint64_t *n_r)
{
	uint64_t n = 0;
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] < '0' || v.p[i] > '9' || n > NUMBER_MAX)
			return false;
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	*n_r = n;
	return v.len != 0 && n <= NUMBER_MAX;
}

static bool
in_range(enum provider_behave_kind kind, uint64_t n)
{
	if (kind == BEHAVE_STATUS)
		return n >= 300 && n <= 599;
	return n != 0 || kind == BEHAVE_COUNT || kind == BEHAVE_BYTES || kind == BEHAVE_SLOW;
}

// What follows the prefix: N, or N-MS for stamps.
static bool
numbers(struct view v, struct provider_behave *b)
{
	if (b->kind == BEHAVE_STAMP) {
		const char *dash = memchr(v.p, '-', v.len);
		if (dash == NULL)
			return false;
		size_t first = (size_t)(dash - v.p);
		if (!number((struct view){dash + 1, v.len - first - 1}, &b->pause_ms))
			return false;
		v.len = first;
	}
	if (!number(v, &b->n) || !in_range(b->kind, b->n))
		return false;
	if (b->kind == BEHAVE_SLOW)
		b->pause_ms = b->n;
	return true;
}

struct provider_behave
provider_behave_of(struct view model)
{
	for (size_t i = 0; i < model.len; i++)
		if (model.p[i] == '/' || model.p[i] == '.')
			return provider_behave_of(
			    (struct view){model.p + i + 1, model.len - i - 1});
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t len = strlen(names[i].prefix);
		struct provider_behave b = {.kind = names[i].kind};
		if (names[i].prefix[len - 1] != '-') {
			if (view_eq_str(model, names[i].prefix))
				return b;
			continue;
		}
		if (model.len > len && memcmp(model.p, names[i].prefix, len) == 0 &&
		    numbers((struct view){model.p + len, model.len - len}, &b))
			return b;
	}
	return (struct provider_behave){.kind = BEHAVE_NORMAL};
}

// --- text ----------------------------------------------------------------------

#define FILLER_PIECE 1024U
#define COUNT_PIECE  5U
#define PIECE_MAX    48U
#define ECHO_MAX     65536U // a reflected header stays whole in one event

static const char filler[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+ ";

static struct view
filler_view(uint64_t n)
{
	static char page[FILLER_PIECE];
	if (page[0] == '\0')
		for (size_t i = 0; i < sizeof(page); i++)
			page[i] = filler[i % (sizeof(filler) - 1)];
	return (struct view){page, (size_t)MIN(n, (uint64_t)sizeof(page))};
}

void
provider_text_init(struct provider_text *t, struct provider_behave how, struct view text)
{
	*t = (struct provider_text){0};
	if (how.kind == BEHAVE_COUNT) {
		t->filler = how.n * COUNT_PIECE;
		t->filler_piece = COUNT_PIECE;
		t->total = t->filler;
	} else if (how.kind == BEHAVE_STAMP) {
		t->stamps = how.n;
	} else if (how.kind == BEHAVE_BYTES) {
		t->filler = how.n;
		t->filler_piece = FILLER_PIECE;
		t->total = t->filler;
	} else {
		t->text = base_strndup(text.p, text.len);
		t->len = text.len;
		t->total = text.len;
		t->piece_max =
		    how.kind == BEHAVE_ECHO || how.kind == BEHAVE_ECHO_SPLIT ? ECHO_MAX : PIECE_MAX;
	}
}

void
provider_text_free(struct provider_text *t)
{
	free(t->text);
	*t = (struct provider_text){0};
}

// A word with the space behind it, or max bytes of a longer one.
static size_t
word_length(const char *p, size_t len, size_t max)
{
	size_t n = 0;
	while (n < len && p[n] != ' ' && p[n] != '\n' && n < max)
		n++;
	if (n < len && (p[n] == ' ' || p[n] == '\n'))
		return n + 1;
	while (n > 1 && n < len && ((unsigned char)p[n] & 0xC0) == 0x80)
		n--;
	return n;
}

bool
provider_text_next(struct provider_text *t, struct view *piece_r)
{
	if (t->stamps != 0) {
		t->stamps--;
		int n = snprintf(
		    t->stamp, sizeof(t->stamp), "%llu", (unsigned long long)clock_mono_ns());
		*piece_r = (struct view){t->stamp, (size_t)n};
	} else if (t->text == NULL) {
		if (t->filler == 0)
			return false;
		*piece_r = filler_view(MIN(t->filler, t->filler_piece));
		t->filler -= piece_r->len;
	} else {
		if (t->at == t->len)
			return false;
		*piece_r = (struct view){t->text + t->at, 0};
		piece_r->len = word_length(piece_r->p, t->len - t->at, t->piece_max);
		t->at += piece_r->len;
	}
	t->pieces++;
	return true;
}
