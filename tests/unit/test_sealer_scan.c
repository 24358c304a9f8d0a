// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The leak scanner: every place where a key can be cut, every form it can take,
// and megabytes of innocent text.
#include "vaultd/sealer_scan.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/secmem.h"

#define KEY	 "Zx81QpLw93mVbT7nRk2YcHf64GjUdSe0aOiP5tWq"
#define PASS_MAX 11U // leading secret bytes that may pass before a window is full

static struct sealer_guard *guard;

static int
set_up(void **state)
{
	(void)state;
	if (sodium_init() < 0 || secmem_init(64 * 1024) == SECMEM_NONE)
		return -1;
	guard = sealer_guard_new();
	if (guard == NULL)
		return -1;
	sealer_guard_learn(guard, (const uint8_t *)KEY, strlen(KEY));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	sealer_guard_free(guard);
	return secmem_used() == 0 ? 0 : -1;
}

struct stream {
	struct sealer_scan scan;
	const struct sealer_guard *g;
	size_t passed;
	bool cut;
	uint8_t *room;
	size_t cap;
};

static void
feed(struct stream *s, const void *p, size_t n)
{
	if (s->cut)
		return;
	if (n > s->cap) {
		s->room = realloc(s->room, n + SEALER_SCAN_ROOM);
		s->cap = n;
	}
	if (n != 0)
		memcpy(s->room + SEALER_SCAN_ROOM, p, n);
	size_t pass = sealer_scan_feed(&s->scan, s->g, s->room + SEALER_SCAN_ROOM, n);
	assert_true(pass <= n);
	s->passed += pass;
	s->cut = pass < n;
}

// Feeds text in records of at most `record` bytes. Returns whether it was cut.
static bool
scan_text(
    const struct sealer_guard *g, const char *text, size_t len, size_t record, size_t *passed_r)
{
	uint8_t first[SEALER_SCAN_ROOM + 256];
	struct stream s = {.g = g, .room = malloc(sizeof(first)), .cap = 256};
	for (size_t at = 0; at < len; at += record)
		feed(&s, text + at, MIN(record, len - at));
	free(s.room);
	if (passed_r != NULL)
		*passed_r = s.passed;
	return s.cut;
}

static void
whole_key_never_passes(void **state)
{
	(void)state;
	char text[256];
	for (size_t before = 0; before < 100; before++) {
		int n = snprintf(text, sizeof(text), "%.*s%s and more", (int)before,
		    "{\"error\":{\"message\":\"Incorrect API key provided, you can find yours at "
		    "the settings page of us: ",
		    KEY);
		size_t passed, key_at = (size_t)(strstr(text, KEY) - text);
		assert_true(scan_text(guard, text, (size_t)n, (size_t)n, &passed));
		assert_int_equal(passed, key_at);
	}
}

static void
key_cut_at_every_place(void **state)
{
	(void)state;
	const char text[] = "your key is " KEY ", is it not?";
	size_t len = sizeof(text) - 1, key_at = 12;
	for (size_t cut = 1; cut < len; cut++) {
		struct stream s = {.g = guard};
		feed(&s, text, cut);
		feed(&s, text + cut, len - cut);
		assert_true(s.cut);
		assert_true(s.passed <= key_at + PASS_MAX);
		free(s.room);
	}
	for (size_t record = 1; record < 60; record++) {
		size_t passed;
		assert_true(scan_text(guard, text, len, record, &passed));
		assert_true(passed <= key_at + PASS_MAX);
	}
}

static void
every_fragment_of_twelve(void **state)
{
	(void)state;
	for (size_t at = 0; at + 12 <= strlen(KEY); at++) {
		char text[64];
		int n = snprintf(text, sizeof(text), "<<%.12s>>", &KEY[at]);
		assert_true(scan_text(guard, text, (size_t)n, (size_t)n, NULL));
		n = snprintf(text, sizeof(text), "<<%.11s>>", &KEY[at]);
		assert_false(scan_text(guard, text, (size_t)n, (size_t)n, NULL));
	}
}

// KEY in HTTP chunks of `size` bytes, with an extension on every third one.
static size_t
chunked(char *out, size_t cap, size_t size, bool extension)
{
	size_t n =
	    (size_t)snprintf(out, cap, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
	const char *text = "the key: " KEY ".";
	size_t len = strlen(text);
	for (size_t at = 0, i = 0; at < len; at += size, i++) {
		size_t part = MIN(size, len - at);
		n += (size_t)snprintf(out + n, cap - n, "%zx%s\r\n%.*s\r\n", part,
		    extension && i % 3 == 0 ? ";name=value" : "", (int)part, text + at);
	}
	n += (size_t)snprintf(out + n, cap - n, "0\r\n\r\n");
	assert_true(n < cap);
	return n;
}

static void
key_over_chunks_of_every_size(void **state)
{
	(void)state;
	static const size_t records[] = {1, 2, 3, 5, 7, 13, 16, 33, 100000};
	char text[2048];
	for (size_t size = 1; size < 60; size++) {
		for (size_t r = 0; r < ARRAY_LEN(records); r++) {
			for (int ext = 0; ext < 2; ext++) {
				size_t n = chunked(text, sizeof(text), size, ext != 0);
				size_t passed;
				assert_true(scan_text(guard, text, n, records[r], &passed));
				// Nothing of the key behind its eleventh byte got through.
				size_t seen = 0;
				for (size_t i = 0; i < passed; i++)
					if (text[i] == KEY[seen])
						seen++;
				assert_true(seen <= 16);
			}
		}
	}
}

static void
hexadecimal_form_over_chunks(void **state)
{
	(void)state;
	char hex[128], text[1024];
	sodium_bin2hex(hex, sizeof(hex), (const uint8_t *)KEY + 5, 12);
	for (size_t size = 1; size < 24; size++) {
		size_t n =
		    (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n\r\n3\r\nis \r\n");
		for (size_t at = 0; at < 24; at += size)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%zx\r\n%.*s\r\n",
			    MIN(size, 24 - at), (int)MIN(size, 24 - at), hex + at);
		for (size_t record = 1; record < 80; record += 3)
			assert_true(scan_text(guard, text, n, record, NULL));
	}
}

// A key of hexadecimal digits in chunks of one looks like chunk sizes itself.
static void
hexadecimal_key_in_chunks_of_one(void **state)
{
	(void)state;
	const char *key = "4f9a02c7d1e85b36aa70";
	struct sealer_guard *g = sealer_guard_new();
	assert_non_null(g);
	sealer_guard_learn(g, (const uint8_t *)key, strlen(key));
	char text[512];
	size_t n = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n\r\n");
	for (size_t i = 0; i < strlen(key); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "1\r\n%c\r\n", key[i]);
	for (size_t record = 1; record < 20; record++)
		assert_true(scan_text(g, text, n, record, NULL));
	sealer_guard_free(g);
}

static void
text_that_only_looks_chunked(void **state)
{
	(void)state;
	// Not framing: the key stays in one piece in the stream, or is truly cut.
	static const char *const cut[] = {"\r\nab\r\n" KEY, "\r\r\n5\r\n" KEY,
	    "\r\n\r\n\r\n5 \r\n" KEY "\r\n", "\r\n5;x\n\r\n" KEY,
	    "Zx81QpLw\r\n5\r\n93mVbT7nRk2Y\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(cut); i++)
		for (size_t record = 1; record < 70; record++)
			assert_true(scan_text(guard, cut[i], strlen(cut[i]), record, NULL));
	static const char *const fine[] = {"Zx81QpLw\r\nx\r\n93mVbT7n\r\n", "Zx81QpLw\n5\n93mVbT7n",
	    "Zx81QpLw\r\n5;a\n93mVbT7n\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		for (size_t record = 1; record < 30; record++)
			assert_false(scan_text(guard, fine[i], strlen(fine[i]), record, NULL));
}

static void
base64_in_every_alignment(void **state)
{
	(void)state;
	static const int variants[] = {
	    sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
	// Twelve one bits in each group: every window holds a '/', or a '_'.
	uint8_t key[40];
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = i % 3 == 2 ? (uint8_t)(i * 37) : 0xff;
	struct sealer_guard *g = sealer_guard_new();
	assert_non_null(g);
	sealer_guard_learn(g, key, sizeof(key));
	for (size_t v = 0; v < ARRAY_LEN(variants); v++) {
		for (size_t before = 0; before < 7; before++) {
			uint8_t plain[64];
			memset(plain, 'u', sizeof(plain));
			memcpy(plain + before, key, sizeof(key));
			char text[128];
			sodium_bin2base64(
			    text, sizeof(text), plain, before + sizeof(key) + 5, variants[v]);
			assert_true(scan_text(g, text, strlen(text), 17, NULL));
			// Sixteen bytes of it in the middle are enough: 12 whole characters.
			memcpy(plain + before, key + 9, 16);
			memset(plain + before + 16, 'u', 8);
			sodium_bin2base64(text, sizeof(text), plain, before + 16 + 3, variants[v]);
			assert_true(scan_text(g, text, strlen(text), 100, NULL));
		}
	}
	sealer_guard_free(g);
}

static void
hex_and_percent(void **state)
{
	(void)state;
	static const char *const formats[] = {"%02x", "%02X", "%%%02x", "%%%02X"};
	for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
		for (size_t from = 0; from < 28; from++) {
			for (size_t before = 0; before < 9; before++) {
				char text[256];
				size_t n = (size_t)snprintf(
				    text, sizeof(text), "%.*s", (int)before, "dump=abc:");
				for (size_t i = from; i < from + 12; i++)
					n += (size_t)snprintf(text + n, sizeof(text) - n,
					    formats[f], (uint8_t)KEY[i]);
				n += (size_t)snprintf(text + n, sizeof(text) - n, " end");
				for (size_t record = 1; record < 40; record += 6)
					assert_true(scan_text(guard, text, n, record, NULL));
			}
		}
	}
}

static void
short_secrets(void **state)
{
	(void)state;
	for (size_t len = SEALER_NEEDLE_SECRET_MIN; len < 30; len++) {
		struct sealer_guard *g = sealer_guard_new();
		assert_non_null(g);
		sealer_guard_learn(g, (const uint8_t *)KEY, len);
		assert_int_equal(sealer_guard_count(g), 1);
		char text[256];
		int n = snprintf(text, sizeof(text), "it is %.*s.", (int)len, KEY);
		assert_true(scan_text(g, text, (size_t)n, 4, NULL));
		size_t at = (size_t)snprintf(text, sizeof(text), "it is ");
		for (size_t i = 0; i < len; i++)
			at +=
			    (size_t)snprintf(text + at, sizeof(text) - at, "%02x", (uint8_t)KEY[i]);
		assert_true(scan_text(g, text, at, 4, NULL));
		for (size_t before = 0; before < 3; before++) {
			uint8_t plain[40];
			memset(plain, 'u', sizeof(plain));
			memcpy(plain + before, KEY, len);
			sodium_bin2base64(text, sizeof(text), plain, before + len + 3,
			    sodium_base64_VARIANT_ORIGINAL);
			assert_true(scan_text(g, text, strlen(text), 5, NULL));
		}
		assert_false(scan_text(g, "nothing here, really nothing at all", 35, 7, NULL));
		sealer_guard_free(g);
	}
}

static void
too_short_is_ignored(void **state)
{
	(void)state;
	struct sealer_guard *g = sealer_guard_new();
	assert_non_null(g);
	sealer_guard_learn(g, (const uint8_t *)KEY, SEALER_NEEDLE_SECRET_MIN - 1);
	sealer_guard_learn(g, (const uint8_t *)KEY, 0);
	assert_int_equal(sealer_guard_count(g), 0);
	assert_false(scan_text(g, KEY, strlen(KEY), 7, NULL));
	sealer_guard_free(g);
}

static void
secrets_are_remembered_and_replaced(void **state)
{
	(void)state;
	struct sealer_guard *g = sealer_guard_new();
	assert_non_null(g);
	char key[SEALER_GUARD_SECRETS + 1][33];
	for (size_t i = 0; i < ARRAY_LEN(key); i++) {
		uint8_t raw[16];
		randombytes_buf(raw, sizeof(raw));
		sodium_bin2hex(key[i], sizeof(key[i]), raw, sizeof(raw));
		sealer_guard_learn(g, (const uint8_t *)key[i], 32);
		sealer_guard_learn(g, (const uint8_t *)key[i], 32);
		assert_int_equal(sealer_guard_count(g), MIN(i + 1, SEALER_GUARD_SECRETS));
	}
	assert_false(scan_text(g, key[0], 32, 32, NULL));
	for (size_t i = 1; i < ARRAY_LEN(key); i++)
		assert_true(scan_text(g, key[i], 32, 32, NULL));
	sealer_guard_free(g);
}

static void
state_survives_empty_records(void **state)
{
	(void)state;
	struct stream s = {.g = guard, .room = malloc(256 + SEALER_SCAN_ROOM), .cap = 256};
	for (size_t i = 0; i < strlen(KEY); i++) {
		feed(&s, "", 0);
		feed(&s, &KEY[i], 1);
	}
	assert_true(s.cut);
	assert_int_equal(s.passed, PASS_MAX);
	free(s.room);
}

// --- no false alarm ------------------------------------------------------------

#define MEGABYTE (1024U * 1024U)

static const char *const words[] = {"\"id\":\"chatcmpl-", "\"content\":\"the ",
    "0.0123456, -0.99, ", "data: {\"choices\":[{\"delta\":{\"content\":\" of\"}}]}\r\n\r\n",
    "\r\n1a\r\n", "\"created\":1763714400,", "deadbeef", "00000000-0000-4000-8000-000000000000",
    "%20and%20", "\r\nff;q=1\r\n", "aGVsbG8gd29ybGQ=", "\n"};

static void
fill(uint8_t *p, size_t n, int kind)
{
	randombytes_buf(p, n);
	static const char *const alphabets[] = {NULL,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "0123456789abcdef",
	    "0123456789ABCDEF%"};
	if (kind < 4) {
		const char *a = alphabets[kind];
		for (size_t i = 0; a != NULL && i < n; i++)
			p[i] = (uint8_t)a[p[i] % strlen(a)];
		return;
	}
	for (size_t at = 0; at < n;) {
		const char *w = words[p[at] % ARRAY_LEN(words)];
		size_t len = MIN(strlen(w), n - at);
		memcpy(p + at, w, len);
		at += len;
	}
}

static void
no_false_alarm(void **state)
{
	(void)state;
	uint8_t *room = malloc(MEGABYTE + SEALER_SCAN_ROOM);
	assert_non_null(room);
	for (int kind = 0; kind < 5; kind++) {
		struct sealer_scan s = {0};
		for (int i = 0; i < 10; i++) {
			fill(room + SEALER_SCAN_ROOM, MEGABYTE, kind);
			assert_int_equal(
			    sealer_scan_feed(&s, guard, room + SEALER_SCAN_ROOM, MEGABYTE),
			    MEGABYTE);
		}
	}
	free(room);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_key_never_passes),
	    cmocka_unit_test(key_cut_at_every_place),
	    cmocka_unit_test(every_fragment_of_twelve),
	    cmocka_unit_test(key_over_chunks_of_every_size),
	    cmocka_unit_test(hexadecimal_form_over_chunks),
	    cmocka_unit_test(hexadecimal_key_in_chunks_of_one),
	    cmocka_unit_test(text_that_only_looks_chunked),
	    cmocka_unit_test(base64_in_every_alignment),
	    cmocka_unit_test(hex_and_percent),
	    cmocka_unit_test(short_secrets),
	    cmocka_unit_test(too_short_is_ignored),
	    cmocka_unit_test(secrets_are_remembered_and_replaced),
	    cmocka_unit_test(state_survives_empty_records),
	    cmocka_unit_test(no_false_alarm),
	};
	return cmocka_run_group_tests_name("sealer_scan", tests, set_up, tear_down);
}
