// SPDX-License-Identifier: Apache-2.0
// The parser for server-sent events: a table of streams and their events, each
// stream fed whole, cut at every byte, and byte by byte, from exact heap copies;
// the raw spans must always add up to the stream.
#include "common/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct transcript {
	char text[8192]; // "<name|data>" per event, "-" for one without data
	size_t len;
	char raw[4096];
	size_t raw_len;
};

static void
note_event(struct transcript *t, const struct sse_event *e)
{
	assert_true(t->raw_len + e->raw.len <= sizeof(t->raw));
	memcpy(t->raw + t->raw_len, e->raw.p, e->raw.len);
	t->raw_len += e->raw.len;
	int n = snprintf(t->text + t->len, sizeof(t->text) - t->len,
	    e->has_data ? "<%.*s|%.*s>%s" : "-%.*s%.*s%s", (int)e->name.len,
	    e->name.len == 0 ? "" : e->name.p, (int)e->data.len, e->data.len == 0 ? "" : e->data.p,
	    e->complete ? "" : "?");
	assert_true(n >= 0 && (size_t)n < sizeof(t->text) - t->len);
	t->len += (size_t)n;
}

static void
feed_piece(struct transcript *t, struct sse_parser *s, const char *piece, size_t len)
{
	char *copy = malloc(len == 0 ? 1 : len);
	assert_non_null(copy);
	memcpy(copy, piece, len);
	for (size_t at = 0;;) {
		size_t used = 99;
		enum sse_result r = sse_feed(s, copy + at, len - at, &used);
		assert_true(used <= len - at);
		at += used;
		if (r == SSE_NEED_MORE) {
			assert_int_equal(at, len);
			break;
		}
		assert_int_equal(r, SSE_EVENT);
		assert_true(s->event.complete);
		note_event(t, &s->event);
	}
	free(copy);
}

static void
run(struct transcript *t, struct view in, size_t cut, size_t step)
{
	struct sse_parser s;
	*t = (struct transcript){0};
	sse_init(&s, 0);
	if (step == 0) {
		feed_piece(t, &s, in.p, cut);
		feed_piece(t, &s, in.p + cut, in.len - cut);
	} else {
		for (size_t at = 0; at < in.len; at += step)
			feed_piece(t, &s, in.p + at, MIN(step, in.len - at));
	}
	if (sse_eof(&s) == SSE_EVENT)
		note_event(t, &s.event);
	assert_int_equal(sse_eof(&s), SSE_NEED_MORE);
	assert_int_equal(t->raw_len, in.len);
	assert_memory_equal(t->raw, in.p, in.len);
	sse_free(&s);
	sse_free(&s);
}

#define CASE(in, text)                                                                             \
	{                                                                                          \
		__LINE__, VIEW(in), text                                                           \
	}

static const struct {
	int line;
	struct view in;
	const char *text;
} cases[] = {
    CASE("", ""),
    CASE("data: a\n\n", "<|a>"),
    CASE("data: a\r\n\r\n", "<|a>"),
    CASE("data: a\r\r", "<|a>"),
    CASE("data:a\n\ndata: b\n\n", "<|a><|b>"),
    CASE("data:a\r\n\r\ndata: b\r\n\r\n", "<|a><|b>"),
    CASE("data:a\r\rdata: b\r\r", "<|a><|b>"),
    CASE("data:  a \n\n", "<| a >"),
    CASE("event: message_start\ndata: {\"a\":1}\n\n", "<message_start|{\"a\":1}>"),
    CASE("event: x\nevent: y\ndata: 1\n\n", "<y|1>"),
    CASE("event\ndata\n\n", "<|>"),
    CASE("data\ndata\n\n", "<|\n>"),
    CASE("data:\ndata:b\n\n", "<|\nb>"),
    CASE("data: a\ndata: b\r\ndata: c\rdata\n\n", "<|a\nb\nc\n>"),
    CASE("data:a\n\ndata:b\ndata:c\n\ndata:d\ndata:e\n\ndata:f\n\n", "<|a><|b\nc><|d\ne><|f>"),
    CASE(": OPENROUTER PROCESSING\n\ndata: a\n\n", "-<|a>"),
    CASE(":\n:data: no\ndata: a\n:x\n\n", "<|a>"),
    CASE("id: 1\nretry: 5\nunknown: x\n\n", "-"),
    CASE("\n\n\ndata: a\n\n\n\n", "---<|a>--"),
    CASE("data : a\nDATA: b\n data: c\n\n", "-"),
    CASE("event: ping\n\ndata: a\n\n", "-ping<|a>"),
    // Mixed line ends.
    CASE("data: a\n\r\ndata: b\r\n\n", "<|a><|b>"),
    CASE("data: a\n\rdata: b\n\n", "<|a><|b>"),
    CASE("data: a\r\r\ndata: b\r\n\r\n", "<|a><|b>"),
    CASE("data: a\r\r\n\ndata: b\r\r\n\r\n", "<|a>-<|b>-"),
    CASE("\r\r\rdata: a\r\r", "---<|a>"),
    CASE("\r\n\r\r\n\n", "----"),
    // BOM: only at the start of the stream.
    CASE("\xef\xbb\xbf"
	 "data: a\n\n\xef\xbb\xbf"
	 "data: b\n\n",
	"<|a>-"),
    CASE("\xef\xbb\xbf\xef\xbb\xbf"
	 "data: a\n\n",
	"-"),
    CASE("\xef\xbb"
	 "data: a\n\n",
	"-"),
    // A character of several bytes; cut anywhere by the test.
    CASE("data: \xf0\x9f\x98\x80\n\n", "<|\xf0\x9f\x98\x80>"),
    // Ends.
    CASE("data: a\n", "<|a>?"),
    CASE("data: a", "<|a>?"),
    CASE("data: a\r", "<|a>?"),
    CASE("data: a\r\n", "<|a>?"),
    CASE("data: a\r\n\r", "<|a>"),
    CASE("data: a\n\r", "<|a>"),
    CASE("data: a\n\ndata: [DONE]", "<|a><|[DONE]>?"),
    CASE("data: a\n\n:", "<|a>-?"),
    CASE("data: a\r\r\n", "<|a>-?"),
    CASE("data: a\ndata: b", "<|a\nb>?"),
    CASE("dat", "-?"),
};

static void
test_table(void **state)
{
	(void)state;
	static struct transcript t;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t cut = 0; cut <= cases[i].in.len + 3; cut++) {
			size_t step = cut > cases[i].in.len ? cut - cases[i].in.len : 0;
			run(&t, cases[i].in, cut, step);
			if (strcmp(t.text, cases[i].text) != 0)
				fail_msg("line %d cut %zu step %zu: want %s got %s", cases[i].line,
				    cut, step, cases[i].text, t.text);
		}
}

// The first empty line of a CR stream gives the event at once, without the next byte.
static void
test_no_event_late(void **state)
{
	(void)state;
	static const char *const streams[] = {"data: a\n\n", "data: a\r\n\r\n", "data: a\r\r"};
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		struct sse_parser s;
		size_t used;
		sse_init(&s, 0);
		assert_int_equal(sse_feed(&s, streams[i], strlen(streams[i]), &used), SSE_EVENT);
		assert_int_equal(used, strlen(streams[i]));
		sse_free(&s);
	}
}

static void
test_nul_is_data(void **state)
{
	(void)state;
	struct sse_parser s;
	size_t used;
	struct view in = VIEW("data: a\0b\n\n");
	sse_init(&s, 0);
	assert_int_equal(sse_feed(&s, in.p, in.len, &used), SSE_EVENT);
	assert_true(view_eq(s.event.data, VIEW("a\0b")));
	sse_free(&s);
}

// Whole events are not copied; a cut one is, and its memory is given back.
static void
test_in_place(void **state)
{
	(void)state;
	struct sse_parser s;
	size_t used;
	struct view in = VIEW("data: a\n\n");
	sse_init(&s, 0);
	assert_int_equal(sse_feed(&s, in.p, in.len, &used), SSE_EVENT);
	assert_ptr_equal(s.event.raw.p, in.p);
	assert_null(s.buf);
	char *big = malloc(100000);
	assert_non_null(big);
	memset(big, 'x', 100000);
	memcpy(big, "data:", 5);
	assert_int_equal(sse_feed(&s, big, 100000, &used), SSE_NEED_MORE);
	assert_int_equal(sse_feed(&s, "\n\n", 2, &used), SSE_EVENT);
	assert_int_equal(s.event.data.len, 100000 - 5);
	assert_int_equal(sse_feed(&s, NULL, 0, &used), SSE_NEED_MORE);
	assert_null(s.buf);
	free(big);
	sse_free(&s);
}

static void
test_limit(void **state)
{
	(void)state;
	struct view fits = VIEW("data: 1234\n\n"), over = VIEW("data: 12345\n\n");
	for (size_t step = 1; step < 100; step += 98) {
		struct sse_parser s;
		size_t used;
		enum sse_result r = SSE_NEED_MORE;
		sse_init(&s, fits.len);
		for (size_t round = 0; round < 3; round++)
			for (size_t at = 0; at < fits.len; at += used) {
				r = sse_feed(&s, fits.p + at, MIN(step, fits.len - at), &used);
				assert_int_not_equal(r, SSE_TOO_LARGE);
			}
		assert_int_equal(r, SSE_EVENT);
		for (size_t at = 0; at < over.len && r != SSE_TOO_LARGE; at += used)
			r = sse_feed(&s, over.p + at, MIN(step, over.len - at), &used);
		assert_int_equal(r, SSE_TOO_LARGE);
		assert_int_equal(sse_feed(&s, "\n\n", 2, &used), SSE_TOO_LARGE);
		assert_int_equal(sse_eof(&s), SSE_TOO_LARGE);
		sse_free(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_no_event_late),
	    cmocka_unit_test(test_nul_is_data),
	    cmocka_unit_test(test_in_place),
	    cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
