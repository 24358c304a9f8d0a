// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 writers: exact bytes, exact fit, refusal of anything that would
// change the framing, and that the project's own parser reads back what they wrote.
#include "common/http_write.h"

#include "common/http_parse.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
put_answer(struct http_out *o)
{
	http_put_status(o, 200);
	http_put_header_str(o, "Content-Type", "text/event-stream");
	http_put_header(o, VIEW("X-Empty"), (struct view){0});
	http_put_header_u64(o, "X-Max", UINT64_MAX);
	http_put_chunked(o);
	http_put_end(o);
	http_put_chunk(o, VIEW("0123456789abcdef"));
	http_put_chunk(o, VIEW(""));
	http_put_last_chunk(o);
}

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Empty: \r\n"
			     "X-Max: 18446744073709551615\r\ntransfer-encoding: chunked\r\n\r\n"
			     "10\r\n0123456789abcdef\r\n0\r\n\r\n";

static void
test_bytes(void **state)
{
	(void)state;
	char buf[512];
	struct http_out o;
	http_out_init(&o, buf, sizeof(buf));
	put_answer(&o);
	assert_false(o.failed);
	assert_int_equal(o.len, sizeof(answer) - 1);
	assert_memory_equal(buf, answer, o.len);

	http_out_init(&o, buf, sizeof(buf));
	http_put_request(&o, VIEW("POST"), VIEW("/v1/messages?beta=true"));
	http_put_header_str(&o, "Host", "a");
	http_put_content_length(&o, 0);
	http_put_end(&o);
	http_put_bytes(&o, VIEW("body"));
	static const char want[] = "POST /v1/messages?beta=true HTTP/1.1\r\nHost: a\r\n"
				   "content-length: 0\r\n\r\nbody";
	assert_false(o.failed);
	assert_int_equal(o.len, sizeof(want) - 1);
	assert_memory_equal(buf, want, o.len);
}

// Exact heap buffers of every smaller size: fails, and writes nothing behind them.
static void
test_every_capacity(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < sizeof(answer); cap++) {
		char *buf = malloc(cap == 0 ? 1 : cap);
		assert_non_null(buf);
		struct http_out o;
		http_out_init(&o, buf, cap);
		put_answer(&o);
		assert_int_equal(o.failed, cap < sizeof(answer) - 1);
		free(buf);
	}
}

static void
test_failure_stays(void **state)
{
	(void)state;
	char buf[64];
	struct http_out o;
	http_out_init(&o, buf, sizeof(buf));
	http_put_header_str(&o, "bad name", "x");
	http_put_header_str(&o, "good", "x");
	http_put_end(&o);
	assert_true(o.failed);
	assert_int_equal(o.len, 0);
}

static void
test_refused(void **state)
{
	(void)state;
	static const struct {
		struct view name, value;
	} headers[] = {
	    {VIEW(""), VIEW("x")},
	    {VIEW("a:"), VIEW("x")},
	    {VIEW("a\r\nb"), VIEW("x")},
	    {VIEW("a\0"), VIEW("x")},
	    {VIEW("a"), VIEW("x\r\ny: z")},
	    {VIEW("a"), VIEW("x\ny")},
	    {VIEW("a"), VIEW("x\ry")},
	    {VIEW("a"), VIEW("x\0")},
	    {VIEW("a"), VIEW("x\x7f")},
	    {VIEW("a"), VIEW(" x")},
	    {VIEW("a"), VIEW("x ")},
	};
	static const struct {
		struct view method, target;
	} requests[] = {
	    {VIEW(""), VIEW("/")},
	    {VIEW("GET "), VIEW("/")},
	    {VIEW("GET"), VIEW("")},
	    {VIEW("GET"), VIEW("a")},
	    {VIEW("GET"), VIEW("/ HTTP/1.1\r\nX:")},
	    {VIEW("GET"), VIEW("/a b")},
	    {VIEW("GET"), VIEW("/#")},
	    {VIEW("GET"), VIEW("/\xc3\xa4")},
	};
	char buf[128];
	struct http_out o;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		http_out_init(&o, buf, sizeof(buf));
		http_put_header(&o, headers[i].name, headers[i].value);
		assert_true(o.failed);
	}
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		http_out_init(&o, buf, sizeof(buf));
		http_put_request(&o, requests[i].method, requests[i].target);
		assert_true(o.failed);
	}
}

static void
test_chunk_head(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 9, 10, 15, 16, 255, 256, 16384, 65535, SIZE_MAX};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char got[HTTP_CHUNK_HEAD_MAX], want[32];
		int n = snprintf(want, sizeof(want), "%zx\r\n", sizes[i]);
		assert_int_equal(http_chunk_head(got, sizes[i]), n);
		assert_memory_equal(got, want, (size_t)n);
	}
}

static void
test_reasons(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 1000; s++) {
		const char *r = http_reason(s);
		assert_non_null(r);
		assert_true(http_is_field_value(view_of(r)) && *r != '\0');
	}
	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(599), "Unknown");
}

// Every status is read back by the parser with the same number and phrase.
static void
test_round_trip(void **state)
{
	(void)state;
	for (unsigned s = 200; s < 600; s++) {
		char buf[128];
		struct http_out o;
		http_out_init(&o, buf, sizeof(buf));
		http_put_status(&o, s);
		http_put_content_length(&o, 0);
		http_put_end(&o);
		assert_false(o.failed);
		struct http_parser p;
		size_t used;
		http_parser_init(&p, HTTP_RESPONSE, NULL);
		assert_int_equal(http_parse_feed(&p, o.buf, o.len, &used), HTTP_HEAD);
		assert_int_equal(used, o.len);
		assert_int_equal(p.status, s);
		assert_true(view_eq_str(p.reason, http_reason(s)));
		http_parser_free(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_every_capacity),
	    cmocka_unit_test(test_failure_stays),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_chunk_head),
	    cmocka_unit_test(test_reasons),
	    cmocka_unit_test(test_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
