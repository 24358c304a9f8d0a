// SPDX-License-Identifier: Apache-2.0
// AWS event stream framing: the published vectors (boto/botocore, test_eventstream.py)
// and our own, read whole and at every split from exact heap copies and written again
// to the same bytes; every single-bit fault; the order of the checks; the limits.
#include "common/eventstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHUNK                                                                                      \
	"000000870000004b87ea2bf30b3a6576656e742d747970650700056368756e6b0d3a636f6e74656e742d"     \
	"747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576"     \
	"656e747b226279746573223a2265794a306558426c496a6f696257567a6332466e5a56397a64473977496e"   \
	"303d227dba48ab22"
#define DELTA                                                                                      \
	"0000009400000057b4ab9aee0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c"     \
	"74610d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d65737361"     \
	"67652d747970650700056576656e747b22636f6e74656e74426c6f636b496e646578223a302c2264656c"     \
	"7461223a7b2274657874223a224869227d7d1f944657"
#define THROTTLED                                                                                  \
	"0000008e00000061514180540f3a657863657074696f6e2d747970650700137468726f74746c696e6745"     \
	"7863657074696f6e0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a"   \
	"6d6573736167652d74797065070009657863657074696f6e7b226d657373616765223a22546f6f206d616e"   \
	"7920746f6b656e73227dc81b1ec1"
#define ALL_TYPES                                                                                  \
	"000000620000005203b5cb9c0130000131010132020201330300030134040000000401350500000000"       \
	"000000050136060005627974657301370700047574663801380800000000000000080139093031323334"     \
	"3536373839616263646566"                                                                   \
	"63353671"

static const struct {
	const char *hex;
	const char *text; // "{name:type=value}..payload"
} vectors[] = {
    {"000000100000000005c248eb7d98c8ff", ""},
    {"0000001700000007298601580462797465"
     "02ffc2f869dc",
	"{byte:2=-1}"},
    {"0000001900000009710e923e0573686f7274"
     "03ffffb27cb6cc",
	"{short:3=-1}"},
    {"0000001d0000000d83e3f0e707696e7465676572"
     "04ffffffff8b8e12eb",
	"{integer:4=-1}"},
    {"0000001e0000000e5d4adb8d046c6f6e67"
     "05ffffffffffffffff4bc232da",
	"{long:5=-1}"},
    {"0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936", "{'foo':'bar'}"},
    {"0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a73"
     "6f6e7b27666f6f273a27626172277d8d9c08b1",
	"{content-type:7=application/json}{'foo':'bar'}"},
    {ALL_TYPES, "{0:0=1}{1:1=0}{2:2=2}{3:3=3}{4:4=4}{5:5=5}{6:6=bytes}{7:7=utf8}{8:8=8}"
		"{9:9=0123456789abcdef}"},
    {"0000005200000042bf23637e0d3a6d6573736167652d747970650700056572726f720b3a6572726f722d63"
     "6f6465070004636f64650e3a6572726f722d6d6573736167650700076d6573736167656b6cea3d",
	"{:message-type:7=error}{:error-code:7=code}{:error-message:7=message}"},
    {CHUNK, "{:event-type:7=chunk}{:content-type:7=application/json}{:message-type:7=event}"
	    "{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0=\"}"},
    {DELTA, "{:event-type:7=contentBlockDelta}{:content-type:7=application/json}"
	    "{:message-type:7=event}{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}"},
    {THROTTLED, "{:exception-type:7=throttlingException}{:content-type:7=application/json}"
		"{:message-type:7=exception}{\"message\":\"Too many tokens\"}"},
};

static size_t
unhex(const char *hex, char *out, size_t cap)
{
	size_t n = strlen(hex) / 2;
	assert_true(n <= cap);
	for (size_t i = 0; i < n; i++) {
		unsigned byte;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (char)(uint8_t)byte;
	}
	return n;
}

static void
describe(const struct eventstream_message *m, char *out, size_t cap)
{
	struct view rest = m->headers;
	struct eventstream_header h;
	size_t at = 0;
	out[0] = '\0';
	while (eventstream_next(&rest, &h)) {
		bool bytes = h.bytes.p != NULL;
		at += (size_t)snprintf(
		    out + at, cap - at, "{%.*s:%d=", (int)h.name.len, h.name.p, h.type);
		if (bytes)
			at += (size_t)snprintf(
			    out + at, cap - at, "%.*s}", (int)h.bytes.len, h.bytes.p);
		else
			at += (size_t)snprintf(out + at, cap - at, "%lld}", (long long)h.number);
	}
	if (m->payload.len > 0)
		snprintf(out + at, cap - at, "%.*s", (int)m->payload.len, m->payload.p);
}

// Feeds one piece from an exact copy; appends the text of each message.
static bool
feed_piece(struct eventstream *e, const char *piece, size_t len, char *text, size_t cap)
{
	char *copy = malloc(len == 0 ? 1 : len);
	assert_non_null(copy);
	memcpy(copy, piece, len);
	bool alive = true;
	for (size_t at = 0;;) {
		size_t used = 99;
		enum eventstream_result r = eventstream_feed(e, copy + at, len - at, &used);
		assert_true(used <= len - at);
		at += used;
		if (r == EVENTSTREAM_NEED_MORE) {
			assert_int_equal(at, len);
			break;
		}
		if (r == EVENTSTREAM_FAILED) {
			assert_non_null(e->error);
			assert_int_equal(eventstream_feed(e, copy, 0, &used), EVENTSTREAM_FAILED);
			alive = false;
			break;
		}
		size_t n = strlen(text);
		describe(&e->message, text + n, cap - n);
		n = strlen(text);
		snprintf(text + n, cap - n, "\n");
	}
	free(copy);
	return alive;
}

// What the whole stream gives; cut > len means pieces of (cut - len) bytes.
static const char *
run(const char *in, size_t len, size_t cut, char *text, size_t cap)
{
	static char error[64];
	struct eventstream e;
	bool alive = true;
	eventstream_init(&e, 0);
	text[0] = '\0';
	if (cut <= len)
		alive = feed_piece(&e, in, cut, text, cap) &&
			feed_piece(&e, in + cut, len - cut, text, cap);
	else
		for (size_t at = 0, step = cut - len; alive && at < len; at += step)
			alive = feed_piece(&e, in + at, MIN(step, len - at), text, cap);
	snprintf(error, sizeof(error), "%s",
	    !alive ? e.error : (eventstream_clean(&e) ? "clean" : "cut"));
	eventstream_free(&e);
	eventstream_free(&e);
	return error;
}

static void
test_vectors(void **state)
{
	(void)state;
	static char stream[4096], want[8192], got[8192];
	size_t len = 0, want_len = 0;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		len += unhex(vectors[i].hex, stream + len, sizeof(stream) - len);
		want_len += (size_t)snprintf(
		    want + want_len, sizeof(want) - want_len, "%s\n", vectors[i].text);
	}
	for (size_t cut = 0; cut < len + 40; cut++) {
		assert_string_equal(run(stream, len, cut, got, sizeof(got)), "clean");
		assert_string_equal(got, want);
	}
	assert_string_equal(run(stream, len - 1, 0, got, sizeof(got)), "cut");
	assert_string_equal(run(stream, 11, 11, got, sizeof(got)), "cut");
	assert_string_equal(run(stream, 0, 0, got, sizeof(got)), "clean");
}

// What is read can be written, and gives the same bytes, headers of all types included.
static void
test_write_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		char in[512], out[512];
		size_t used, len = unhex(vectors[i].hex, in, sizeof(in));
		struct eventstream e;
		eventstream_init(&e, 0);
		assert_int_equal(eventstream_feed(&e, in, len, &used), EVENTSTREAM_MESSAGE);
		assert_int_equal(used, len);
		assert_ptr_equal(e.message.raw.p, in); // not copied
		assert_int_equal(e.message.raw.len, len);
		for (size_t cap = 0; cap <= len; cap++) {
			struct eventstream_out o;
			struct eventstream_header h;
			struct view rest = e.message.headers;
			eventstream_begin(&o, out, cap);
			while (eventstream_next(&rest, &h))
				eventstream_put_header(&o, &h);
			size_t n = eventstream_end(&o, e.message.payload);
			assert_int_equal(n, cap == len ? len : 0);
		}
		assert_memory_equal(in, out, len);
		eventstream_free(&e);
	}
}

static void
test_string(void **state)
{
	(void)state;
	char in[512];
	size_t used, len = unhex(ALL_TYPES, in, sizeof(in));
	struct eventstream e;
	eventstream_init(&e, 0);
	assert_int_equal(eventstream_feed(&e, in, len, &used), EVENTSTREAM_MESSAGE);
	assert_true(view_eq_str(eventstream_string(&e.message, "7"), "utf8"));
	assert_null(eventstream_string(&e.message, "6").p); // bytes, not a string
	assert_null(eventstream_string(&e.message, "77").p);
	eventstream_free(&e);
}

// Whichever bit of a message is wrong, it is refused (or waits for more when the
// length grew, which the prelude's checksum never lets happen).
static void
test_every_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		char in[512], text[2048];
		size_t len = unhex(vectors[i].hex, in, sizeof(in));
		for (size_t bit = 0; bit < len * 8; bit++) {
			in[bit / 8] = (char)(in[bit / 8] ^ (1 << bit % 8));
			const char *end = run(in, len, len, text, sizeof(text));
			assert_string_equal(end, bit / 8 < 12 ? "prelude checksum does not match"
							      : "message checksum does not match");
			assert_string_equal(text, "");
			in[bit / 8] = (char)(in[bit / 8] ^ (1 << bit % 8));
		}
	}
}

static void
put32(char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(uint8_t)(v >> (24 - 8 * i));
}

// A prelude with right checksum and these lengths.
static void
prelude(char out[12], uint32_t total, uint32_t headers)
{
	put32(out, total);
	put32(out + 4, headers);
	put32(out + 8, eventstream_crc(0, out, 8));
}

static void
test_prelude(void **state)
{
	(void)state;
	static const struct {
		int line;
		uint32_t total, headers;
		const char *error;
	} t[] = {
	    {__LINE__, 0, 0, "message shorter than its frame"},
	    {__LINE__, 15, 0, "message shorter than its frame"},
	    {__LINE__, 16, 1, "headers longer than the message"},
	    {__LINE__, 16, 0xffffffff, "headers longer than the message"},
	    {__LINE__, 0xffffffff, 0xffffffff, "headers longer than the message"},
	    {__LINE__, 0xffffffff, 131073, "headers too large"},
	    {__LINE__, 25165825, 0, "message too large"},
	    {__LINE__, 0xffffffff, 131072, "message too large"},
	    {__LINE__, 25165824, 131072, "cut"},
	    {__LINE__, 17, 0, "cut"},
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		for (size_t cut = 0; cut < 14; cut++) {
			char in[12], text[64];
			prelude(in, t[i].total, t[i].headers);
			const char *end = run(in, 12, cut, text, sizeof(text));
			if (strcmp(end, t[i].error) != 0)
				fail_msg("line %d cut %zu: %s", t[i].line, cut, end);
		}
}

// A claimed length costs no memory before the bytes come.
static void
test_claims_cost_nothing(void **state)
{
	(void)state;
	struct eventstream e;
	size_t used;
	char in[20] = {0};
	prelude(in, EVENTSTREAM_MESSAGE_MAX, 0);
	eventstream_init(&e, 0);
	assert_int_equal(eventstream_feed(&e, in, sizeof(in), &used), EVENTSTREAM_NEED_MORE);
	assert_int_equal(used, sizeof(in));
	assert_true(e.cap <= 1024);
	assert_false(eventstream_clean(&e));
	eventstream_free(&e);
}

static void
test_own_limit(void **state)
{
	(void)state;
	char in[512];
	size_t used, len = unhex(CHUNK, in, sizeof(in));
	struct eventstream e;
	eventstream_init(&e, len);
	assert_int_equal(eventstream_feed(&e, in, len, &used), EVENTSTREAM_MESSAGE);
	eventstream_free(&e);
	eventstream_init(&e, len - 1);
	assert_int_equal(eventstream_feed(&e, in, len, &used), EVENTSTREAM_FAILED);
	assert_string_equal(e.error, "message too large");
	eventstream_free(&e);
}

#define HEADERS(bytes, error)                                                                      \
	{                                                                                          \
		__LINE__, VIEW(bytes), error                                                       \
	}

static void
test_bad_headers(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct view headers;
		const char *error;
	} t[] = {
	    HEADERS("\0\0", "header name of length zero"),
	    HEADERS("\x01", "header runs past the headers"),
	    HEADERS("\x01n", "header runs past the headers"),
	    HEADERS("\xffn\x00", "header runs past the headers"),
	    HEADERS("\x01n\x0a", "unknown header type"),
	    HEADERS("\x01n\xff", "unknown header type"),
	    HEADERS("\x01n\x02", "header runs past the headers"),
	    HEADERS("\x01n\x03\x01", "header runs past the headers"),
	    HEADERS("\x01n\x04\x01\x01\x01", "header runs past the headers"),
	    HEADERS("\x01n\x05\x01\x01\x01\x01\x01\x01\x01", "header runs past the headers"),
	    HEADERS("\x01n\x08\x01\x01\x01\x01\x01\x01\x01", "header runs past the headers"),
	    HEADERS("\x01n\x09zzzzzzzzzzzzzzz", "header runs past the headers"),
	    HEADERS("\x01n\x07\0", "header runs past the headers"),
	    HEADERS("\x01n\x07\0\x05"
		    "aaaa",
		"header runs past the headers"),
	    HEADERS("\x01n\x06\xff\xff"
		    "aaaa",
		"header runs past the headers"),
	    HEADERS("\x01n\x07\0\x01\xff", "header is not UTF-8"),
	    HEADERS("\x01\xff\x00", "header is not UTF-8"),
	    HEADERS("\x01n\x00\x01m\x00\x01n\x01", "duplicate header"),
	    HEADERS("\x04test\x04"
		    "asdf\x04test\x04"
		    "asdf",
		"duplicate header"),
	    HEADERS("\x01n\x06\0\x01\xff\x01m\x07\0\0", "clean"),
	};
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char in[128], text[256];
		size_t n = t[i].headers.len;
		prelude(in, (uint32_t)n + 16, (uint32_t)n);
		memcpy(in + 12, t[i].headers.p, n);
		put32(in + 12 + n, eventstream_crc(0, in, 12 + n));
		const char *end = run(in, n + 16, 5, text, sizeof(text));
		if (strcmp(end, t[i].error) != 0)
			fail_msg("line %d: %s", t[i].line, end);
	}
}

static void
test_header_count(void **state)
{
	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		char buf[2048], text[4096];
		struct eventstream_out o;
		eventstream_begin(&o, buf, sizeof(buf));
		for (int i = 0; i < EVENTSTREAM_HEADER_COUNT + extra; i++) {
			char name[8];
			int n = snprintf(name, sizeof(name), "%d", i);
			struct eventstream_header h = {.name = {name, (size_t)n}};
			eventstream_put_header(&o, &h);
		}
		size_t len = eventstream_end(&o, VIEW(""));
		assert_true(len > 0);
		assert_string_equal(
		    run(buf, len, len, text, sizeof(text)), extra ? "too many headers" : "clean");
	}
}

static void
test_writer_refuses(void **state)
{
	(void)state;
	static char buf[300000], value[70000];
	struct eventstream_header bad[] = {
	    {.name = VIEW(""), .type = EVENTSTREAM_TRUE},
	    {.name = {value, 256}, .type = EVENTSTREAM_TRUE},
	    {.name = VIEW("a"), .type = EVENTSTREAM_BYTES, .bytes = {value, 65536}},
	    {.name = VIEW("a"), .type = EVENTSTREAM_UUID, .bytes = {value, 15}},
	};
	struct eventstream_out o;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		eventstream_begin(&o, buf, sizeof(buf));
		eventstream_put_header(&o, &bad[i]);
		assert_int_equal(eventstream_end(&o, VIEW("")), 0);
	}
	// Headers over 128 KiB together.
	eventstream_begin(&o, buf, sizeof(buf));
	for (int i = 0; i < 3; i++)
		eventstream_put_string(&o, i == 0 ? "a" : "b", (struct view){value, 65000});
	assert_int_equal(eventstream_end(&o, VIEW("")), 0);
}

static void
test_crc(void **state)
{
	(void)state;
	assert_int_equal(eventstream_crc(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(eventstream_crc(eventstream_crc(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(eventstream_crc(0, NULL, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_write_again),
	    cmocka_unit_test(test_string),
	    cmocka_unit_test(test_every_bit),
	    cmocka_unit_test(test_prelude),
	    cmocka_unit_test(test_claims_cost_nothing),
	    cmocka_unit_test(test_own_limit),
	    cmocka_unit_test(test_bad_headers),
	    cmocka_unit_test(test_header_count),
	    cmocka_unit_test(test_writer_refuses),
	    cmocka_unit_test(test_crc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
