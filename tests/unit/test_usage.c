// links: gatewayd
// SPDX-License-Identifier: Apache-2.0
// Token counts and error codes out of whole answers, fed in pieces.
#include "gatewayd/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct facts f;

static void
feed(const char *text)
{
	size_t len = strlen(text);
	for (size_t step = 1; step < 20; step += 6) {
		facts_init(&f);
		for (size_t at = 0; at < len; at += step)
			facts_feed(&f, (struct view){.p = text + at, .len = MIN(step, len - at)});
		assert_true(facts_end(&f));
	}
}

static void
expect(const char *text, uint64_t in, uint64_t out)
{
	feed(text);
	assert_int_equal(facts_tokens_in(&f), in);
	assert_int_equal(facts_tokens_out(&f), out);
}

static void
test_shapes(void **state)
{
	(void)state;
	expect("{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,"
	       "\"prompt_tokens_details\":{\"cached_tokens\":9}}}",
	    1, 2);
	expect("{\"usage\":{\"input_tokens\":1,\"cache_creation_input_tokens\":10,"
	       "\"cache_read_input_tokens\":100,\"output_tokens\":7}}",
	    111, 7);
	expect("{\"input_tokens\":33}", 33, 0);
	expect("{\"totalTokens\":34}", 34, 0);
	expect("{\"usage\":{\"inputTokens\":4,\"outputTokens\":5,\"totalTokens\":9}}", 4, 5);
	expect("{\"data\":[{\"usage\":{\"prompt_tokens\":99}}],\"usage\":{\"prompt_tokens\":2}}", 2,
	    0);
}

static void
test_not_usage(void **state)
{
	(void)state;
	expect("{\"choices\":[{\"usage\":{\"prompt_tokens\":5}}]}", 0, 0);
	expect("{\"metadata\":{\"usage\":{\"prompt_tokens\":5}}}", 0, 0);
	expect("{\"usage\":{\"prompt_tokens\":\"5\",\"completion_tokens\":-4}}", 0, 0);
	expect("{\"usage\":{\"prompt_tokens\":99999999999}}", UINT32_MAX, 0);
	expect("{\"usage\":null}", 0, 0);
	expect("[1]", 0, 0);
}

static void
test_errors(void **state)
{
	(void)state;
	feed("{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":\"c\"}}");
	assert_string_equal(f.error_code, "c");
	feed("{\"error\":{\"code\":\"c\",\"type\":\"t\"}}"); // in any order
	assert_string_equal(f.error_code, "c");
	feed("{\"error\":{\"type\":\"t\",\"code\":null}}");
	assert_string_equal(f.error_code, "t");
	assert_true(f.has_error);
	feed("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}");
	assert_string_equal(f.type, "error");
	assert_string_equal(f.error_code, "overloaded_error");
	// Only plain words go on to headers and records.
	feed("{\"error\":{\"code\":\"a b\\r\\nx: y\",\"type\":\"\\u0000\"}}");
	assert_string_equal(f.error_code, "");
	feed("{\"error\":null}");
	assert_false(f.has_error);
}

static void
test_broken(void **state)
{
	(void)state;
	facts_init(&f);
	assert_false(facts_json(&f, VIEW("{\"usage\":{\"prompt_tokens\":5}")));
	assert_int_equal(facts_tokens_in(&f), 5); // what was said before the cut counts
	assert_false(facts_json(&f, VIEW("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shapes),
	    cmocka_unit_test(test_not_usage),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
