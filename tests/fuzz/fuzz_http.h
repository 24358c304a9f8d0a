// SPDX-License-Identifier: Apache-2.0
// What the two HTTP fuzz targets share: everything a caller can see of a stream is
// folded into a digest, and the digest must not depend on how the input is cut.
#ifndef TESTS_FUZZ_HTTP_H
#define TESTS_FUZZ_HTTP_H

#include <stdlib.h>
#include <string.h>

#include "common/http_parse.h"
#include "common/http_write.h"

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

// Small, so that the fuzzer reaches every limit.
static const struct http_limits fuzz_limits = {
    .head_max = 512,
    .start_line_max = 128,
    .headers_max = 8,
    .trailer_max = 64,
    .body_max = 300,
};

struct digest {
	uint64_t all;
	uint64_t body; // folded in when the message ends: a fault may come earlier or later
	bool failed;
};

static inline uint64_t
fold(uint64_t h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)p[i]) * 0x100000001b3u;
	return h;
}

static inline uint64_t
fold_view(uint64_t h, struct view v)
{
	return fold(h, v.p, v.len) * 31 + v.len;
}

static inline uint64_t
fold_head(uint64_t h, const struct http_parser *p)
{
	h = fold_view(fold_view(h, p->method), p->target);
	h = fold_view(fold_view(h, p->path), p->query);
	h = fold_view(h, p->reason);
	uint64_t facts[] = {p->status, p->minor, p->chunked, p->has_length, p->has_body,
	    p->until_close, p->keep_alive, p->expect_continue, p->content_length};
	for (size_t i = 0; i < http_header_count(p); i++) {
		struct view n, v;
		http_header_at(p, i, &n, &v);
		REQUIRE(http_is_token(n) && http_is_field_value(v));
		h = fold_view(fold_view(h, n), v);
	}
	return fold(h, (const char *)facts, sizeof(facts));
}

// A piece in exact memory; returns false when the stream is over.
static inline bool
fuzz_piece(struct digest *d, struct http_parser *p, const uint8_t *data, size_t len,
    void (*on_head)(const struct http_parser *))
{
	char *copy = malloc(len == 0 ? 1 : len);
	REQUIRE(copy != NULL);
	memcpy(copy, data, len);
	size_t at = 0;
	enum http_event ev;
	do {
		size_t used;
		ev = http_parse_feed(p, copy + at, len - at, &used);
		REQUIRE(used <= len - at);
		at += used;
		if (ev == HTTP_HEAD || ev == HTTP_INFORMATIONAL) {
			d->all = fold_head(d->all, p);
			if (on_head != NULL)
				on_head(p);
		} else if (ev == HTTP_BODY) {
			REQUIRE(p->body.len > 0 && p->body.p >= copy);
			REQUIRE(p->body.p + p->body.len <= copy + at);
			REQUIRE(p->body_seen <= fuzz_limits.body_max);
			d->body = fold(d->body, p->body.p, p->body.len);
		} else if (ev == HTTP_END) {
			REQUIRE(
			    !p->has_length || !p->has_body || p->body_seen == p->content_length);
			d->all = fold(d->all, (const char *)&d->body, sizeof(d->body));
			d->body = 0;
			http_parser_reset(p);
			ev = at < len ? HTTP_END : HTTP_NEED_MORE;
		} else if (ev == HTTP_FAILED) {
			d->failed = true;
			d->all = fold_view(d->all * 31 + p->error_status, view_of(p->error_reason));
		} else {
			REQUIRE(at == len);
		}
	} while (ev != HTTP_NEED_MORE && ev != HTTP_FAILED);
	free(copy);
	return ev != HTTP_FAILED;
}

// step 0: in one piece.
static inline struct digest
fuzz_stream(enum http_kind kind, bool no_body, const uint8_t *data, size_t size, size_t step,
    void (*on_head)(const struct http_parser *))
{
	struct digest d = {0};
	struct http_parser p;
	http_parser_init(&p, kind, &fuzz_limits);
	if (no_body)
		http_parser_expect_no_body(&p);
	bool alive = true;
	if (step == 0)
		step = size;
	for (size_t at = 0; alive && at < size; at += step)
		alive = fuzz_piece(&d, &p, data + at, MIN(step, size - at), on_head);
	if (alive) {
		d.all = d.all * 31 + http_parse_eof(&p);
		d.all = fold(d.all, (const char *)&d.body, sizeof(d.body));
	}
	http_parser_free(&p);
	return d;
}

// The first byte of the input says how to cut the rest (and, for answers, whether
// the request was HEAD).
static inline void
fuzz_http(enum http_kind kind, const uint8_t *data, size_t size,
    void (*on_head)(const struct http_parser *))
{
	if (size == 0)
		return;
	bool no_body = kind == HTTP_RESPONSE && (data[0] & 0x80) != 0;
	size_t step = 1 + (data[0] & 0x3f);
	struct digest whole = fuzz_stream(kind, no_body, data + 1, size - 1, 0, on_head);
	struct digest cut = fuzz_stream(kind, no_body, data + 1, size - 1, step, NULL);
	REQUIRE(whole.failed == cut.failed && whole.all == cut.all);
}

#endif
