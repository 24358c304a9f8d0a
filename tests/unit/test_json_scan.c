// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// The JSON scanner: what it accepts and refuses (judged by jansson on the same
// text), what it reports, and that no split of the input changes either.
#include "gatewayd/json_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static bool arrays; // what the next scans are asked for

struct seen {
	char text[8192];
	size_t len;
};

static void
on_member(void *cookie, const struct json_member *m)
{
	struct seen *s = cookie;
	for (size_t i = 0; i < m->level; i++)
		s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s%.*s",
		    i == 0 ? "" : ".", (int)m->path[i].len, m->path[i].p);
	s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len, "=%d:%.*s;", m->kind,
	    (int)m->value.len, m->value.p);
	assert_true(s->len < sizeof(s->text));
}

// cut: where the text is split in two; step: bytes for each feed.
static enum json_result
scan(struct seen *s, const char *p, size_t len, size_t cut, size_t step)
{
	struct json_scan *j = malloc(sizeof(*j));
	memset(j, 0xa5, sizeof(*j)); // init must not rely on zeroes
	s->len = 0;
	s->text[0] = '\0';
	json_scan_init(j, on_member, s);
	j->arrays = arrays;
	for (size_t at = 0; at < len;) {
		size_t n = MIN(step, len - at);
		if (at < cut && at + n > cut)
			n = cut - at;
		char *exact = malloc(n);
		memcpy(exact, p + at, n);
		(void)json_scan_feed(j, exact, n);
		free(exact);
		at += n;
	}
	enum json_result r = json_scan_end(j);
	free(j);
	return r;
}

static const char *const texts[] = {
    "{}",
    " { } ",
    "[]",
    "[1,2,[3,{\"a\":[]}]]",
    "null",
    "true",
    "fals",
    "falsey",
    "\"x\"",
    "0",
    "-0",
    "01",
    "-",
    "1.",
    "1.5",
    "1.5e",
    "1e5",
    "1E+5",
    "1e-07",
    ".5",
    "+1",
    "1 2",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{\"a\" :\t1 , \"b\":\n[true,false,null]}",
    "{a:1}",
    "{'a':1}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1 \"b\":2}",
    "{,}",
    "[,]",
    "[1,]",
    "[1 2]",
    "[",
    "{",
    "]",
    "}",
    "[}",
    "{]",
    "{\"a\":1]",
    "[1}",
    "\"\\u0041\\n\\\"\\\\\\/\\b\\f\\r\\t\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud83d\\ude00\"",
    "\"tab\there\"",
    "\"nul",
    "\"\\",
    "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":1}}}}}",
    "// comment\n1",
    "[1] x",
    "NaN",
    "Infinity",
    "nul",
    "tru e",
    "\xef\xbb\xbf{}",
};

static void
test_agrees_with_jansson(void **state)
{
	(void)state;
	struct seen whole, other;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *t = texts[i];
		size_t len = strlen(t);
		json_t *o = json_loadb(t, len, JSON_DECODE_ANY, NULL);
		enum json_result want = o != NULL ? SCAN_DONE : SCAN_BAD;
		json_decref(o);
		if (scan(&whole, t, len, 0, SIZE_MAX) != want)
			fail_msg("'%s': jansson says %s", t, want == SCAN_DONE ? "valid" : "bad");
		for (size_t cut = 0; cut < len; cut++) {
			assert_int_equal(scan(&other, t, len, cut, SIZE_MAX), want);
			assert_string_equal(other.text, whole.text);
		}
		assert_int_equal(scan(&other, t, len, 0, 1), want);
		assert_string_equal(other.text, whole.text);
	}
}

static void
reports(const char *text, const char *want)
{
	struct seen s;
	for (size_t step = 1; step < 8; step++) {
		assert_int_equal(scan(&s, text, strlen(text), 0, step), SCAN_DONE);
		assert_string_equal(s.text, want);
	}
}

static void
test_reports(void **state)
{
	(void)state;
	reports("{\"model\":\"m\",\"stream\":true,\"n\":-1.5e3,\"x\":null,\"y\":false}",
	    "model=0:m;stream=2:;n=1:-1.5e3;x=4:;y=3:;");
	reports("{\"a\":{\"b\":{\"c\":1,\"d\":{\"e\":2,\"g\":{\"h\":4}}},\"f\":3}}",
	    "a.b.c=1:1;a.b.d.e=1:2;a.f=1:3;");
	// Members inside an array are not members of the outer objects.
	reports("{\"a\":[{\"model\":\"evil\"},[\"x\"]],\"b\":1}", "b=1:1;");
	reports("[{\"model\":\"x\"}]", "");
	reports("{\"a\":{},\"b\":[],\"c\":\"\"}", "c=0:;");
	// Escapes decode, in keys too: "mod\u0065l" is model.
	reports("{\"mod\\u0065l\":\"a\\u00e9\\ud83d\\ude00\\n\"}",
	    "model=0:a\xc3\xa9\xf0\x9f\x98\x80\n;");
	reports("{\"m\":\"\\ud800x\"}", "m=0:\xef\xbf\xbdx;");
	reports("{\"m\":\"\\udc00\\ud800\\ud800\"}", "m=0:\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd;");
	reports("{\"model\":1,\"model\":\"b\"}", "model=1:1;model=0:b;");
	reports("5", "");
}

// Asked for: objects in an array that sits two objects down, and no other.
static void
test_reports_arrays(void **state)
{
	(void)state;
	static const char text[] =
	    "{\"a\":[{\"no\":1}],\"u\":{\"d\":[{\"t\":\"x\",\"n\":1,\"o\":{\"no\":1}},{\"n\":2},3,"
	    "[{\"no\":1}]],\"e\":[1,\"s\",[]],\"v\":{\"d\":[{\"no\":1}],\"w\":4}},\"z\":5}";
	reports(text, "u.v.w=1:4;z=1:5;");
	arrays = true;
	reports(text, "u.d..t=0:x;u.d..n=1:1;u.d..n=1:2;u.v.w=1:4;z=1:5;");
	arrays = false;
}

static void
test_limits(void **state)
{
	(void)state;
	struct seen s;
	char *t = malloc(20000);
	// A value one byte too long is told so; one of the exact length comes whole.
	for (size_t extra = 0; extra < 2; extra++) {
		size_t n = JSON_SCAN_VALUE_MAX + extra, len = 0;
		memcpy(t, "{\"a\":\"", 6);
		memset(t + 6, 'x', n);
		memcpy(t + 6 + n, "\"}", 2);
		len = n + 8;
		assert_int_equal(scan(&s, t, len, 0, 100), SCAN_DONE);
		assert_int_equal(s.text[2], extra == 0 ? '0' + SCAN_STRING : '0' + SCAN_TOO_LONG);
	}
	// A long key is skipped with everything below it, not cut to another name.
	memcpy(t, "{\"", 2);
	memset(t + 2, 'k', JSON_SCAN_KEY_MAX + 1);
	memcpy(t + 3 + JSON_SCAN_KEY_MAX, "\":{\"a\":1},\"b\":2}", 17);
	assert_int_equal(scan(&s, t, strlen(t), 0, 3), SCAN_DONE);
	assert_string_equal(s.text, "b=1:2;");
	for (size_t depth = JSON_SCAN_DEPTH_MAX - 2; depth < JSON_SCAN_DEPTH_MAX + 2; depth++) {
		memset(t, '[', depth);
		memset(t + depth, ']', depth);
		assert_int_equal(scan(&s, t, depth * 2, 0, 777),
		    depth < JSON_SCAN_DEPTH_MAX ? SCAN_DONE : SCAN_BAD);
	}
	free(t);
}

static void
test_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t want;
	} rows[] = {{"0", 0}, {"17", 17}, {"-1", 0}, {"1.5", 0}, {"1e3", 0},
	    {"999999999999999999", 999999999999999999U}, {"9999999999999999999", 0}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_member m = {.kind = SCAN_NUMBER, .value = view_of(rows[i].text)};
		assert_int_equal(json_member_u64(&m), rows[i].want);
	}
	struct json_member m = {.kind = SCAN_STRING, .value = VIEW("5")};
	assert_int_equal(json_member_u64(&m), 0);
}

// What readers understand differently is told, wherever it stands and however it is cut.
static void
test_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool lone;
	} rows[] = {{"{\"a\":[{\"b\":\"\\ud800\"}]}", true}, {"[\"\\udc00\"]", true},
	    {"[\"\\ud800\\n\\udc00\"]", true}, {"[\"\\ud800x\"]", true},
	    {"[\"\\ud800\\ud800\\udc00\"]", true}, {"{\"\\uDBFF\":1}", true},
	    {"[\"\\ud800\",\"\\udc00\"]", true}, {"[\"\\ud83d\\ude00\\\\ud800\"]", false},
	    {"[\"\\ud7ff\\ue000\"]", false}};
	struct json_scan j;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t cut = 0; cut <= strlen(rows[i].text); cut++) {
			json_scan_init(&j, NULL, NULL);
			(void)json_scan_feed(&j, rows[i].text, cut);
			(void)json_scan_feed(&j, rows[i].text + cut, strlen(rows[i].text) - cut);
			assert_int_equal(json_scan_end(&j), SCAN_DONE);
			assert_int_equal(j.lone_surrogate, rows[i].lone);
			assert_false(j.long_number);
		}
	for (size_t n = JSON_SCAN_NUMBER_MAX - 1; n <= JSON_SCAN_NUMBER_MAX + 1; n++) {
		char t[2 * JSON_SCAN_NUMBER_MAX] = "[1,";
		memset(t + 3, '9', n);
		json_scan_init(&j, NULL, NULL);
		for (size_t i = 0; i < n + 3; i++)
			(void)json_scan_feed(&j, t + i, 1);
		assert_int_equal(json_scan_feed(&j, ",2]", 3), SCAN_DONE);
		assert_int_equal(j.long_number, n > JSON_SCAN_NUMBER_MAX);
		assert_false(j.lone_surrogate);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_told_apart),
	    cmocka_unit_test(test_agrees_with_jansson),
	    cmocka_unit_test(test_reports),
	    cmocka_unit_test(test_reports_arrays),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
