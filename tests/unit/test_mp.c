// links:
// SPDX-License-Identifier: Apache-2.0
// Strict msgpack: every value has one encoding, and every other one is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/mp.h"

static void
test_uint_edges(void **state)
{
	(void)state;
	static const uint64_t edge[] = {
	    0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff, 0x100000000, UINT64_MAX};
	static const size_t want[] = {1, 1, 2, 2, 3, 3, 5, 5, 9, 9};
	for (size_t i = 0; i < ARRAY_LEN(edge); i++) {
		uint8_t buf[16];
		struct mp_out o;
		mp_out_init(&o, buf, sizeof(buf));
		mp_put_uint(&o, edge[i]);
		assert_int_equal(o.len, want[i]);
		struct mp_in in;
		uint64_t v = 1;
		mp_in_init(&in, buf, o.len);
		assert_int_equal(mp_get_uint(&in, UINT64_MAX, &v), 0);
		assert_true(v == edge[i] && mp_in_done(&in));
		if (edge[i] != 0) {
			mp_in_init(&in, buf, o.len);
			assert_int_equal(mp_get_uint(&in, edge[i] - 1, &v), -1);
			assert_false(mp_in_done(&in));
		}
	}
}

static void
test_long_forms_refused(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {{"\xcc\x7f", 2}, {"\xcd\x00\xff", 3}, {"\xce\x00\x00\xff\xff", 5},
	    {"\xcf\x00\x00\x00\x00\xff\xff\xff\xff", 9}, {"\xd0\x01", 2}, {"\xff", 1}, {"\xc0", 1}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct mp_in in;
		uint64_t v;
		mp_in_init(&in, (const uint8_t *)bad[i].bytes, bad[i].len);
		assert_int_equal(mp_get_uint(&in, UINT64_MAX, &v), -1);
	}
}

static void
test_strings(void **state)
{
	(void)state;
	static char text[70000];
	static uint8_t buf[160000];
	memset(text, 'a', sizeof(text));
	static const size_t lens[] = {0, 31, 32, 255, 256, 65535, 65536};
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct mp_out o;
		struct mp_in in;
		struct view v, in_v = {text, lens[i]};
		mp_out_init(&o, buf, sizeof(buf));
		mp_put_str(&o, in_v);
		mp_put_bin(&o, in_v);
		assert_false(o.failed);
		mp_in_init(&in, buf, o.len);
		assert_int_equal(mp_get_str(&in, sizeof(text), &v), 0);
		assert_int_equal(v.len, lens[i]);
		assert_int_equal(mp_get_bin(&in, sizeof(text), &v), 0);
		assert_true(view_eq(v, in_v) && mp_in_done(&in));
	}
	struct mp_out o;
	mp_out_init(&o, buf, 10);
	mp_put_str(&o, (struct view){text, 10});
	assert_true(o.failed);
}

static void
test_utf8(void **state)
{
	(void)state;
	static const char *good[] = {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf",
	    "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	static const char *bad[] = {"\x80", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf",
	    "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
	    "\xf5\x80\x80\x80", "\xe2\x82", "a\xff"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(mp_utf8_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(mp_utf8_valid(bad[i], strlen(bad[i])));
	// Anywhere in longer text, which is read eight bytes at a time.
	for (size_t at = 0; at < 24; at++)
		for (size_t i = 0; i < ARRAY_LEN(good) + ARRAY_LEN(bad); i++) {
			bool ok = i < ARRAY_LEN(good);
			const char *seq = ok ? good[i] : bad[i - ARRAY_LEN(good)];
			char text[64];
			memset(text, 'x', sizeof(text));
			memcpy(text + at, seq, strlen(seq));
			assert_int_equal(mp_utf8_valid(text, sizeof(text)), ok);
			assert_int_equal(mp_utf8_valid(text, at + strlen(seq)), ok);
		}
}

static void
test_utf8_cut(void **state)
{
	(void)state;
	struct view v = VIEW("a\xc2\x80"
			     "b\xf0\x90\x80\x80");
	static const size_t cut[] = {0, 1, 1, 3, 4, 4, 4, 4, 8, 8};
	for (size_t max = 0; max < ARRAY_LEN(cut); max++)
		assert_int_equal(mp_utf8_cut(v, max), cut[max]);
	assert_int_equal(mp_utf8_cut((struct view){.p = NULL, .len = 0}, 4), 0);
}

static void
test_plain_run(void **state)
{
	(void)state;
	char text[40];
	for (size_t len = 0; len <= sizeof(text); len++) {
		memset(text, 'x', sizeof(text));
		assert_int_equal(mp_plain_run(text, len), len / 8 * 8);
	}
	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 0; at < 24; at++) {
			memset(text, (int)(' ' + at), sizeof(text));
			if (text[0] == '"')
				continue;
			text[at] = (char)(uint8_t)c;
			bool odd = c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
			assert_int_equal(mp_plain_run(text, 32), odd ? at / 8 * 8 : 32);
		}
}

static void
test_views(void **state)
{
	(void)state;
	char dst[4];
	assert_int_equal(view_copy(VIEW("abc"), dst, sizeof(dst)), 0);
	assert_string_equal(dst, "abc");
	assert_int_equal(view_copy(VIEW("abcd"), dst, sizeof(dst)), -1);
	assert_int_equal(view_copy(VIEW("a\0b"), dst, sizeof(dst)), -1);
	assert_true(view_eq_str(view_of(NULL), ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_uint_edges),
	    cmocka_unit_test(test_long_forms_refused),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_utf8),
	    cmocka_unit_test(test_utf8_cut),
	    cmocka_unit_test(test_plain_run),
	    cmocka_unit_test(test_views),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
