// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The grammars of what goes into heads and names destinations, each with what it must
// refuse.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
// cmocka needs the first three.
#include <cmocka.h>

#include "proto/grammar.h"

struct sample {
	const char *text;
	bool valid;
};

static void
check(const struct sample *s, size_t n, bool (*fn)(struct view))
{
	for (size_t i = 0; i < n; i++)
		if (fn(view_of(s[i].text)) != s[i].valid)
			fail_msg("'%s' is %s", s[i].text, s[i].valid ? "refused" : "accepted");
}

static void
test_regions(void **state)
{
	(void)state;
	static const struct sample s[] = {{"us-east-1", true}, {"ap-southeast-4", true},
	    {"us-gov-west-1", true}, {"eu-central-12", true}, {"", false}, {"us", false},
	    {"us-1", false}, {"us-east", false}, {"us-east-", false}, {"us-east-123", false},
	    {"us--1", false}, {"US-east-1", false}, {"u1-east-1", false}, {"us-east-1.", false},
	    {"us-east-1/x", false}, {"us-east-a1", false}, {"us-east-1a", false},
	    {"us-east1-1", false}, {"us-aaaaaaaaaaaaaaaaaaaaaaaaaaaa-1", false},
	    {"usa-east-1", false}};
	check(s, ARRAY_LEN(s), grammar_region_valid);
	assert_false(grammar_region_valid((struct view){"us-east-1\0x", 11}));
}

static void
test_host_grammar(void **state)
{
	(void)state;
	static const struct sample s[] = {{"api.openai.com", true}, {"localhost", true},
	    {"127.0.0.1", true}, {"a-b.c1", true}, {"", false}, {".a", false}, {"a.", false},
	    {"a..b", false}, {"-a.b", false}, {"a-.b", false}, {"a.b-", false}, {"A.b", false},
	    {"a_b", false}, {"a b", false}, {"a:443", false}, {"https://a", false}, {"a/b", false},
	    {"a\r\nb", false}, {"[::1]", false}, {"a@b", false}, {"*.a", false}};
	check(s, ARRAY_LEN(s), grammar_host_valid);
	char label[256];
	memset(label, 'a', sizeof(label));
	assert_true(grammar_host_valid((struct view){label, 63}));
	assert_false(grammar_host_valid((struct view){label, 64}));
	for (size_t i = 50; i < sizeof(label); i += 51)
		label[i] = '.';
	assert_true(grammar_host_valid((struct view){label, 253}));
	assert_false(grammar_host_valid((struct view){label, 254}));
}

static void
test_values(void **state)
{
	(void)state;
	static const struct sample models[] = {{"gpt-4o", true}, {"a/b:c", true}, {"...", true},
	    {"", false}, {".", false}, {"..", false}, {"a b", false}, {"a\tb", false},
	    {"a\nb", false}, {"\xc3\xa9", false}, {"a\x7f", false}, {"a/../b", false},
	    {"../b", false}, {"b/..", false}, {"a/./b", false}, {"a/..b/c..", true}};
	static const struct sample headers[] = {{"application/json", true},
	    {"application/json; charset=utf-8", true}, {"a  b", true}, {"", false}, {" a", false},
	    {"a ", false}, {"a\r\nb: c", false}, {"a\tb", false}, {"a\x01", false},
	    {"\xc3\xa9", false}, {"a\x7f", false}};
	check(models, ARRAY_LEN(models), grammar_model_valid);
	check(headers, ARRAY_LEN(headers), grammar_header_valid);
	static char big[2050];
	memset(big, 'm', sizeof(big));
	assert_true(grammar_model_valid((struct view){big, 2048}));
	assert_false(grammar_model_valid((struct view){big, 2049}));
	assert_true(grammar_header_valid((struct view){big, 2048}));
	assert_false(grammar_header_valid((struct view){big, 2049}));
	assert_false(grammar_header_valid((struct view){"a\0b", 3}));
}

static void
test_params(void **state)
{
	(void)state;
	assert_true(grammar_param_valid(PARAM_BETA, VIEW("true")));
	assert_false(grammar_param_valid(PARAM_BETA, VIEW("1")));
	assert_true(grammar_param_valid(PARAM_LIMIT, VIEW("1000")));
	assert_false(grammar_param_valid(PARAM_LIMIT, VIEW("10000")));
	assert_false(grammar_param_valid(PARAM_LIMIT, VIEW("")));
	assert_false(grammar_param_valid(PARAM_LIMIT, VIEW("-1")));
	assert_true(grammar_param_valid(PARAM_AFTER_ID, VIEW("claude-opus-4.5:x_y")));
	assert_false(grammar_param_valid(PARAM_AFTER_ID, VIEW("a&b=c")));
	assert_false(grammar_param_valid(PARAM_BEFORE_ID, VIEW("a%20")));
	assert_true(grammar_param_valid(PARAM_API_VERSION, VIEW("2025-04-01-preview")));
	assert_false(grammar_param_valid(PARAM_API_VERSION, VIEW("v1&x=y")));
	assert_true(grammar_param_valid(PARAM_PAGE_SIZE, VIEW("50")));
	assert_false(grammar_param_valid(PARAM_PAGE_SIZE, VIEW("x")));
	assert_true(grammar_param_valid(PARAM_PAGE_TOKEN, VIEW("Ab+/_-.=")));
	assert_false(grammar_param_valid(PARAM_PAGE_TOKEN, VIEW("a&b")));
	assert_false(grammar_param_valid(0, VIEW("a")));
	assert_false(grammar_param_valid(PARAM_LAST + 1, VIEW("a")));
}

static void
test_locations(void **state)
{
	(void)state;
	static const struct sample s[] = {{"global", true}, {"us", true}, {"eu", true},
	    {"us-central1", true}, {"europe-west12", true}, {"me-central2", true},
	    {"asia-northeast1", true}, {"", false}, {"asia", false}, {"us-", false},
	    {"us-central", false}, {"us-central123", false}, {"us-central1-a", false},
	    {"Us-central1", false}, {"us-1", false}, {"-central1", false}, {"us-central1.", false},
	    {"us-central1/x", false}, {"GLOBAL", false},
	    {"a-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1", false}};
	check(s, ARRAY_LEN(s), grammar_location_valid);
}

static void
test_small_ones(void **state)
{
	(void)state;
	static const struct sample patterns[] = {{"gpt-*", true}, {"*", true}, {"a/b", true},
	    {"", false}, {"a*b", false}, {"**", false}, {"a b*", false}, {"\xc3\xa9", false}};
	static const struct sample prefixes[] = {{"us", true}, {"us-gov", true}, {"global", true},
	    {"u", false}, {"", false}, {"US", false}, {"us1", false}, {"toolongxx", false},
	    {"us.", false}};
	static const struct sample names[] = {{"a", true}, {"9.a_b-c", true}, {"", false},
	    {".a", false}, {"-a", false}, {"_a", false}, {"a b", false}, {"a/b", false}};
	check(patterns, ARRAY_LEN(patterns), grammar_model_pattern_valid);
	check(prefixes, ARRAY_LEN(prefixes), grammar_prefix_valid);
	check(names, ARRAY_LEN(names), grammar_name_valid);
	assert_true(grammar_visible(VIEW("")));
	assert_true(grammar_visible(VIEW("!~")));
	assert_false(grammar_visible(VIEW(" ")));
	assert_false(grammar_visible((struct view){"a\0", 2}));
	assert_false(grammar_text_valid((struct view){"a\0", 2}, 1, 9, "-"));
	assert_false(grammar_text_valid(VIEW("abc"), 4, 9, ""));
	assert_false(grammar_text_valid(VIEW("abc"), 1, 2, ""));
	assert_true(grammar_begins(VIEW("sk-x"), "sk-"));
	assert_false(grammar_begins(VIEW("sk"), "sk-"));
	assert_true(grammar_ends(VIEW("x.com"), ".com"));
	assert_false(grammar_ends(VIEW("com"), ".com"));
}

static void
test_numbers(void **state)
{
	(void)state;
	uint64_t n = 1;
	assert_int_equal(grammar_number(VIEW("0"), &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(grammar_number(VIEW("999999999999999999"), &n), 0);
	assert_true(n == UINT64_C(999999999999999999));
	static const char *const bad[] = {
	    "", "-1", "+1", " 1", "1 ", "0x1", "1e3", "1.0", "1000000000000000000"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(grammar_number(view_of(bad[i]), &n), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_regions),
	    cmocka_unit_test(test_locations),
	    cmocka_unit_test(test_host_grammar),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_params),
	    cmocka_unit_test(test_small_ones),
	    cmocka_unit_test(test_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
