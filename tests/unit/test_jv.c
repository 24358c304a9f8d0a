// links:
// SPDX-License-Identifier: Apache-2.0
// The JSON checker against jansson's verdicts and its own stricter rules; cursor, writer.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/jv.h"

static enum jv_fault
check(const char *s)
{
	return jv_check(view_of(s), NULL);
}

static void
test_faults(void **state)
{
	(void)state;
	assert_int_equal(
	    check("{\"a\":[1,2.5e3,-0,true,false,null,\"x\\u00e9\\ud83d\\ude00\"]}"), JV_OK);
	assert_int_equal(check(" [ ] "), JV_OK);
	assert_int_equal(check("{\"a\":1,\"b\":{\"a\":1}}"), JV_OK);
	static const char *const bad[] = {"", " ", "{", "[1,]", "{\"a\"}", "{\"a\":}", "01", "1.",
	    "1e", "+1", "nul", "\"a", "\"\\x\"", "\"\t\"", "[1 2]", "{1:2}", "[}", "{]", "1 2",
	    ".5", "-", "\"\\u12g4\"", "{\"a\":1,}", "[,1]", "{,}"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (check(bad[i]) != JV_SYNTAX)
			fail_msg("%s: %d", bad[i], (int)check(bad[i]));
	assert_int_equal(check("\"\\ud800\""), JV_SURROGATE);
	assert_int_equal(check("\"\\udc00\""), JV_SURROGATE);
	assert_int_equal(check("\"\\ud800\\u0041\""), JV_SURROGATE);
	assert_int_equal(check("\"\xff\""), JV_UTF8);
	assert_int_equal(check("{\"a\":1,\"a\":2}"), JV_DUPLICATE);
	assert_int_equal(check("{\"a\":1,\"\\u0061\":2}"), JV_DUPLICATE);
	assert_int_equal(check("{\"x\":{\"b\":1,\"b\":1}}"), JV_DUPLICATE);
	assert_int_equal(check("{\"x\":{\"y\":{\"b\":1,\"b\":1}}}"), JV_OK);
	assert_int_equal(jv_check((struct view){"[1]\0", 4}, NULL), JV_SYNTAX);
	char deep[600];
	memset(deep, '[', 300);
	memset(deep + 300, ']', 300);
	assert_int_equal(jv_check((struct view){deep, 600}, NULL), JV_DEPTH);
	assert_int_equal(jv_check((struct view){deep + 300 - 128, 256}, NULL), JV_OK);
	char number[1100];
	memset(number, '7', sizeof(number));
	assert_int_equal(jv_check((struct view){number, 1024}, NULL), JV_OK);
	assert_int_equal(jv_check((struct view){number, 1025}, NULL), JV_NUMBER);
}

// Every one-byte change of a rich text: the same verdict as jansson, where the rules agree.
static void
test_against_jansson(void **state)
{
	(void)state;
	const char text[] =
	    "{\"a\":[1,-2.5E+7,{\"k\":\"v\\n\\u00e9\"},true],\"b\":null, \"c\":\"\\\\\"}";
	char t[sizeof(text)];
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		for (int c = 1; c < 127; c++) {
			memcpy(t, text, sizeof(text));
			t[i] = (char)c;
			json_t *j = json_loads(t, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
			enum jv_fault f = check(t);
			// jansson refuses \u0000 and reals out of range; we do not.
			if (j == NULL && f == JV_OK && strstr(t, "\\u0000") == NULL &&
			    strpbrk(t, "eE") == NULL)
				fail_msg("only jansson refuses: %s", t);
			if (j != NULL && f != JV_OK)
				fail_msg("only we refuse: %s", t);
			json_decref(j);
		}
}

static void
test_cursor(void **state)
{
	(void)state;
	struct view t = VIEW(" {\"id\": 9007199254740993, \"l\":[ 1 , [2,3],{\"x\":\"]\"} ], "
			     "\"s\":\"a\\\"\\u00e9\", "
			     "\"n\\u0061me\":1.10, \"e\":\" \\n\", \"o\":{\"p\":true}} ");
	assert_int_equal(jv_check(t, NULL), JV_OK);
	struct jv r = jv_root(t);
	assert_int_equal(jv_count(r), 6);
	assert_true(view_eq_str(jv_get(r, "id").text, "9007199254740993"));
	assert_true(jv_u64(jv_get(r, "id"), 0) == 9007199254740993ULL);
	assert_true(view_eq_str(jv_get(r, "name").text, "1.10"));
	assert_true(jv_truth(jv_get2(r, "o", "p")));
	assert_true(jv_is(jv_get(r, "missing"), JV_NONE));
	struct jv_iter it = {0};
	struct jv e;
	static const char *const want[] = {"1", "[2,3]", "{\"x\":\"]\"}"};
	for (size_t i = 0; i < 3; i++) {
		assert_true(jv_each(jv_get(r, "l"), &it, &e));
		assert_true(view_eq_str(e.text, want[i]));
	}
	assert_false(jv_each(jv_get(r, "l"), &it, &e));
	char s[8];
	assert_int_equal(jv_copy(jv_get(r, "s"), s, sizeof(s)), 0);
	assert_string_equal(s, "a\"\xc3\xa9");
	assert_int_equal(jv_copy(jv_get(r, "s"), s, 4), -1);
	assert_true(jv_blank(jv_get(r, "e")));
	assert_false(jv_blank(jv_get(r, "s")));
	assert_true(jv_eq(jv_get(r, "s"), "a\"\xc3\xa9"));
	assert_int_equal(jv_u64(jv_get(r, "name"), 7), 7);
	assert_int_equal(jv_u64((struct jv){VIEW("18446744073709551616")}, 7), 7);
	assert_true(jv_double(jv_get(r, "name"), 0) > 1.09);
}

static void
test_writer(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4096);
	buf_char(&b, '{');
	jv_put_member_text(&b, "a", (struct view){"q\"\\\n\x01\xc3\xa9\xff", 8});
	jv_put_member_uint(&b, "n", UINT64_MAX);
	jv_put_member_raw(&b, "r", (struct jv){VIEW("1.10")});
	jv_put_member_raw(&b, "gone", (struct jv){0});
	buf_char(&b, '}');
	assert_true(view_eq_str(buf_done(&b), "{\"a\":\"q\\\"\\\\\\n\\u0001\xc3\xa9\xef\xbf\xbd\","
					      "\"n\":18446744073709551615,\"r\":1.10}"));
	assert_int_equal(jv_check(buf_done(&b), NULL), JV_OK);
	struct buf back;
	buf_init(&back, 64);
	jv_decode(jv_get(jv_root(VIEW("{\"a\":\"\\ud83d\\ude00/\"}")), "a"), &back);
	assert_true(view_eq_str(buf_done(&back), "\xf0\x9f\x98\x80/"));
	buf_free(&back);
	buf_free(&b);
	buf_init(&b, 3);
	buf_str(&b, "abcd");
	assert_true(b.failed);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_faults),
	    cmocka_unit_test(test_against_jansson),
	    cmocka_unit_test(test_cursor),
	    cmocka_unit_test(test_writer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
