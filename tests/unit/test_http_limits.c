// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 parser's limits, each at its edge and one past it, in one piece and
// byte by byte; what an idle parser costs; and the look-up of fields.
#include "common/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct http_limits small = {
    .head_max = 200,
    .start_line_max = 50,
    .headers_max = 3,
    .trailer_max = 20,
    .body_max = 10,
};

// Feeds all of in, in pieces of `step` bytes, up to END or FAILED or the last byte.
static enum http_event
feed_all(struct http_parser *p, struct view in, size_t step)
{
	enum http_event ev = HTTP_NEED_MORE;
	for (size_t at = 0; at < in.len;) {
		size_t used, n = MIN(step, in.len - at);
		ev = http_parse_feed(p, in.p + at, n, &used);
		at += used;
		if (ev == HTTP_END || ev == HTTP_FAILED)
			return ev;
	}
	size_t used;
	do
		ev = http_parse_feed(p, NULL, 0, &used);
	while (ev == HTTP_HEAD || ev == HTTP_BODY || ev == HTTP_INFORMATIONAL);
	return ev;
}

struct edge {
	int line;
	enum http_kind kind;
	const char *before;
	char filler;
	size_t fits; // so many fillers pass, one more does not
	const char *after;
	unsigned status;
	const char *reason;
};

#define P "POST / HTTP/1.1\r\nHost: a\r\n"
#define C P "Transfer-Encoding: chunked\r\n\r\n"
#define R "HTTP/1.1 200 OK\r\n"

static const struct edge edges[] = {
    {__LINE__, HTTP_REQUEST, "GET /", 'a', 34, " HTTP/1.1\r\nHost: a\r\n\r\n", 414,
	"start line too long"},
    {__LINE__, HTTP_REQUEST, P "X: ", 'a', 167, "\r\n\r\n", 431, "head too large"},
    {__LINE__, HTTP_REQUEST, P "Content-Length: 1", '0', 1, "\r\n\r\n0123456789", 413,
	"body too large"},
    {__LINE__, HTTP_REQUEST, C "5\r\nhello\r\n", '0', 15, "5\r\nhello\r\n0\r\n\r\n", 400,
	"chunk size too long"},
    {__LINE__, HTTP_REQUEST, C "1\r\nx\r\n0", '0', 15, "\r\n\r\n", 400, "chunk size too long"},
    {__LINE__, HTTP_REQUEST, C "1;", 'e', 256, "\r\nx\r\n0\r\n\r\n", 400,
	"chunk extensions too long"},
    {__LINE__, HTTP_REQUEST, C "0\r\nX:", 't', 14, "\r\n\r\n", 431, "trailers too large"},
    {__LINE__, HTTP_RESPONSE, R "\r\n", 'b', 10, "", 502, "body too large"},
    {__LINE__, HTTP_RESPONSE, "HTTP/1.1 200 ", 'a', 35, "\r\nContent-Length: 0\r\n\r\n", 502,
	"start line too long"},
};

static void
test_edges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		for (size_t over = 0; over < 2; over++)
			for (size_t step = 1; step < 2000; step += 1998) {
				const struct edge *e = &edges[i];
				char in[1024], fill[512];
				memset(fill, e->filler, sizeof(fill));
				int n = snprintf(in, sizeof(in), "%s%.*s%s", e->before,
				    (int)(e->fits + over), fill, e->after);
				struct http_parser p;
				http_parser_init(&p, e->kind, &small);
				enum http_event ev =
				    feed_all(&p, (struct view){in, (size_t)n}, step);
				if (over == 0 && ev == HTTP_FAILED)
					fail_msg("line %d: %s", e->line, p.error_reason);
				if (over == 0 && ev != HTTP_END && !p.until_close)
					fail_msg("line %d: no end", e->line);
				if (over == 1 &&
				    (ev != HTTP_FAILED || p.error_status != e->status ||
					strcmp(p.error_reason, e->reason) != 0))
					fail_msg("line %d step %zu: %d %s", e->line, step, ev,
					    p.error_reason);
				http_parser_free(&p);
			}
}

static void
test_counts(void **state)
{
	(void)state;
	struct http_parser p;
	http_parser_init(&p, HTTP_REQUEST, &small);
	assert_int_equal(feed_all(&p, VIEW(P "B: 1\r\nC: 1\r\n\r\n"), 999), HTTP_END);
	http_parser_reset(&p);
	assert_int_equal(feed_all(&p, VIEW(P "B: 1\r\nC: 1\r\nD: 1\r\n\r\n"), 999), HTTP_FAILED);
	assert_string_equal(p.error_reason, "too many headers");
	assert_int_equal(p.error_status, 431);
	http_parser_reset(&p);
	assert_int_equal(feed_all(&p, VIEW(C "0\r\na:\r\nb:\r\nc:\r\n\r\n"), 999), HTTP_END);
	http_parser_reset(&p);
	assert_int_equal(
	    feed_all(&p, VIEW(C "0\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n"), 999), HTTP_FAILED);
	assert_string_equal(p.error_reason, "too many trailers");
	http_parser_free(&p);
}

static void
test_many_informational(void **state)
{
	(void)state;
	struct http_parser p;
	http_parser_init(&p, HTTP_RESPONSE, NULL);
	enum http_event ev = HTTP_NEED_MORE;
	int n = 0;
	for (; n < 100 && ev != HTTP_FAILED; n++) {
		size_t used;
		struct view in = VIEW("HTTP/1.1 102 Processing\r\n\r\n");
		ev = http_parse_feed(&p, in.p, in.len, &used);
	}
	assert_int_equal(n, 17);
	assert_string_equal(p.error_reason, "too many informational responses");
	http_parser_free(&p);
}

// Chunks of one byte with long extensions must not cost us 256 bytes each for ever.
static void
test_extension_total(void **state)
{
	(void)state;
	char chunk[300];
	memset(chunk, 'e', sizeof(chunk));
	memcpy(chunk, "1;", 2);
	memcpy(chunk + 202, "\r\nx\r\n", 5);
	struct http_parser p;
	size_t used;
	http_parser_init(&p, HTTP_REQUEST, NULL);
	assert_int_equal(http_parse_feed(&p, C, sizeof(C) - 1, &used), HTTP_HEAD);
	enum http_event ev = HTTP_NEED_MORE;
	int n = 0;
	for (; n < 1000 && ev != HTTP_FAILED; n++)
		for (size_t at = 0; at < 207 && ev != HTTP_FAILED; at += used)
			ev = http_parse_feed(&p, chunk + at, 207 - at, &used);
	assert_int_equal(n, 16384 / 200 + 1);
	assert_string_equal(p.error_reason, "chunk extensions too long");
	http_parser_free(&p);
}

static void
test_idle_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct http_parser) < 300);
	struct http_parser p;
	http_parser_init(&p, HTTP_REQUEST, NULL);
	assert_null(p.head.p);
	assert_true(http_parse_idle(&p));
	assert_int_equal(feed_all(&p, VIEW(P "\r\n"), 7), HTTP_END);
	assert_non_null(p.head.p);
	assert_false(http_parse_idle(&p));
	http_parser_reset(&p);
	assert_null(p.head.p);
	assert_null(p.line.p);
	assert_null(p.fields);
	assert_true(http_parse_idle(&p));
	http_parser_free(&p);
}

// The head must not follow the caller's buffer, and must survive the body.
static void
test_head_outlives_input(void **state)
{
	(void)state;
	struct http_parser p;
	http_parser_init(&p, HTTP_REQUEST, NULL);
	char in[] = P "X: kept\r\nTransfer-Encoding: chunked\r\n\r\n";
	size_t used;
	assert_int_equal(http_parse_feed(&p, in, sizeof(in) - 1, &used), HTTP_HEAD);
	struct view x = http_header(&p, "x"), method = p.method;
	memset(in, 'z', sizeof(in));
	assert_int_equal(
	    feed_all(&p, VIEW("1\r\nx\r\n0\r\nT: a long trailer\r\n\r\n"), 3), HTTP_END);
	assert_true(view_eq_str(x, "kept"));
	assert_true(view_eq_str(method, "POST"));
	http_parser_free(&p);
}

// After a fault in the head no view may point into a buffer that has moved.
static void
test_no_views_after_bad_head(void **state)
{
	(void)state;
	struct http_parser p;
	http_parser_init(&p, HTTP_REQUEST, NULL);
	assert_int_equal(feed_all(&p, VIEW(P "Bad Name: 1\r\n\r\n"), 1), HTTP_FAILED);
	assert_null(p.method.p);
	assert_null(p.target.p);
	assert_null(p.path.p);
	http_parser_free(&p);
}

static void
test_preface(void **state)
{
	(void)state;
	struct http_parser p;
	http_parser_init(&p, HTTP_REQUEST, NULL);
	assert_int_equal(feed_all(&p, VIEW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 5), HTTP_FAILED);
	assert_true(p.error_h2_preface);
	http_parser_reset(&p);
	assert_int_equal(feed_all(&p, VIEW("GET / HTTP/2.0\r\n"), 99), HTTP_FAILED);
	assert_false(p.error_h2_preface);
	http_parser_free(&p);
}

static void
test_lookup(void **state)
{
	(void)state;
	struct http_parser p;
	http_parser_init(&p, HTTP_REQUEST, NULL);
	struct view in =
	    VIEW(P "Accept: text/event-stream;q=1, */*\r\nEmpty:\r\nX-A: 1\r\nx-a: 2\r\n"
		   "Connection: a,, b ,\r\nconnection: C\r\n\r\n");
	assert_int_equal(feed_all(&p, in, 10), HTTP_END);
	assert_true(view_eq_str(http_header(&p, "X-a"), "1"));
	assert_int_equal(http_header_repeats(&p, "x-A"), 2);
	assert_int_equal(http_header_repeats(&p, "x-"), 0);
	assert_null(http_header(&p, "x").p);
	assert_non_null(http_header(&p, "empty").p);
	assert_int_equal(http_header(&p, "empty").len, 0);
	assert_int_equal(http_header_count(&p), 7);
	assert_true(http_header_has_token(&p, "accept", "text/event-stream"));
	assert_true(http_header_has_token(&p, "accept", "*/*"));
	assert_false(http_header_has_token(&p, "accept", "text"));
	assert_true(http_header_has_token(&p, "connection", "A"));
	assert_true(http_header_has_token(&p, "connection", "b"));
	assert_true(http_header_has_token(&p, "connection", "c"));
	assert_false(http_header_has_token(&p, "connection", "d"));
	assert_false(http_header_has_token(&p, "empty", "a"));
	struct view n, v;
	http_header_at(&p, 4, &n, &v);
	assert_true(view_eq_str(n, "x-a"));
	assert_true(view_eq_str(v, "2"));
	http_parser_free(&p);
}

static void
test_characters(void **state)
{
	(void)state;
	assert_true(http_is_token(VIEW("x-api-key")));
	assert_false(http_is_token(VIEW("")));
	assert_false(http_is_token(VIEW("a b")));
	assert_false(http_is_token(VIEW("a:")));
	assert_true(http_is_field_value(VIEW("")));
	assert_true(http_is_field_value(VIEW("a \t b")));
	assert_false(http_is_field_value(VIEW(" a")));
	assert_false(http_is_field_value(VIEW("a\t")));
	assert_false(http_is_field_value(VIEW("a\r\nb")));
	assert_false(http_is_field_value(VIEW("a\0b")));
	assert_true(http_view_eq_nocase(VIEW("aB"), "Ab"));
	assert_false(http_view_eq_nocase(VIEW("aB"), "Abc"));
	assert_true(http_view_eq_nocase((struct view){0}, ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_many_informational),
	    cmocka_unit_test(test_extension_total),
	    cmocka_unit_test(test_idle_is_small),
	    cmocka_unit_test(test_head_outlives_input),
	    cmocka_unit_test(test_no_views_after_bad_head),
	    cmocka_unit_test(test_preface),
	    cmocka_unit_test(test_lookup),
	    cmocka_unit_test(test_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
