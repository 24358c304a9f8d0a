// links: gatewayd dialect
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
expect_usage(const char *text, const struct facts_usage *want)
{
	struct facts_usage u;
	feed(text);
	facts_usage(&f, &u);
	assert_int_equal(u.known, want->known);
	assert_int_equal(u.input, want->input);
	assert_int_equal(u.cache_read, want->cache_read);
	assert_int_equal(u.cache_write, want->cache_write);
	assert_int_equal(u.cache_write_1h, want->cache_write_1h);
	assert_int_equal(u.output, want->output);
	assert_int_equal(u.reasoning, want->reasoning);
	assert_int_equal(u.special, want->special);
}

// Each token in one count, whatever the API adds up.
static void
test_split(void **state)
{
	(void)state;
	expect_usage("{\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":9,"
		     "\"prompt_tokens_details\":{\"cached_tokens\":30,\"cache_write_tokens\":20},"
		     "\"completion_tokens_details\":{\"reasoning_tokens\":4}}}",
	    &(struct facts_usage){true, 50, 30, 20, 0, 9, 4, false});
	// Servers of OpenAI's dialect that say it twice.
	expect_usage("{\"usage\":{\"cache_read_input_tokens\":30,\"prompt_tokens\":100,"
		     "\"prompt_tokens_details\":{\"cached_tokens\":30},\"completion_tokens\":9}}",
	    &(struct facts_usage){true, 70, 30, 0, 0, 9, 0, false});
	expect_usage("{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":"
		     "100,\"input_tokens_details\":{\"cached_tokens\":30},\"output_tokens\":9,"
		     "\"output_tokens_details\":{\"reasoning_tokens\":4}}}}",
	    &(struct facts_usage){true, 70, 30, 0, 0, 9, 4, false});
	expect_usage("{\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":30,"
		     "\"cache_creation_input_tokens\":20,\"cache_creation\":{"
		     "\"ephemeral_5m_input_tokens\":12,\"ephemeral_1h_input_tokens\":8},"
		     "\"output_tokens\":9,\"output_tokens_details\":{\"thinking_tokens\":4}}}",
	    &(struct facts_usage){true, 5, 30, 12, 8, 9, 4, false});
	expect_usage("{\"usage\":{\"inputTokens\":5,\"cacheReadInputTokens\":30,"
		     "\"cacheWriteInputTokens\":20,\"outputTokens\":9,\"totalTokens\":64,"
		     "\"cacheDetails\":[{\"ttl\":\"1h\",\"inputTokens\":8},{\"inputTokens\":12,"
		     "\"ttl\":\"5m\"}]}}",
	    &(struct facts_usage){true, 5, 30, 12, 8, 9, 0, false});
	// What InvokeModel streams end with, for every model
	expect_usage("{\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":5,"
		     "\"outputTokenCount\":9,\"cacheReadInputTokenCount\":30,"
		     "\"cacheWriteInputTokenCount\":20}}",
	    &(struct facts_usage){true, 5, 30, 20, 0, 9, 0, false});
	expect_usage("{\"usageMetadata\":{\"promptTokenCount\":100,\"cachedContentTokenCount\":30,"
		     "\"candidatesTokenCount\":5,\"thoughtsTokenCount\":4,"
		     "\"toolUsePromptTokenCount\":7,\"totalTokenCount\":116}}",
	    &(struct facts_usage){true, 77, 30, 0, 0, 9, 4, false});
	expect_usage("{\"usage\":{\"prompt_tokens\":3,\"total_tokens\":3}}",
	    &(struct facts_usage){true, 3, 0, 0, 0, 0, 0, false});
	expect_usage("{\"choices\":[],\"usage\":null}", &(struct facts_usage){0});
	// More cached than there was: a broken peer, no wrap-around.
	expect_usage("{\"usage\":{\"prompt_tokens\":3,\"prompt_tokens_details\":{"
		     "\"cached_tokens\":9}}}",
	    &(struct facts_usage){true, 0, 3, 0, 0, 0, 0, false});
}

// message_delta tells the output so far, and input counts as 0 or as they were.
static void
test_stream_of_counts(void **state)
{
	(void)state;
	struct facts_usage u;
	facts_init(&f);
	assert_true(facts_json(&f, VIEW("{\"type\":\"message_start\",\"message\":{\"usage\":{"
					"\"input_tokens\":50,\"cache_read_input_tokens\":7,"
					"\"output_tokens\":1}}}")));
	assert_true(facts_json(&f, VIEW("{\"type\":\"message_delta\",\"usage\":{\"input_tokens\":"
					"0,\"cache_read_input_tokens\":0,\"output_tokens\":33}}")));
	facts_usage(&f, &u);
	assert_int_equal(u.input, 50);
	assert_int_equal(u.cache_read, 7);
	assert_int_equal(u.output, 33);
	// Converse says its details once; a repetition is no second cache.
	facts_init(&f);
	for (int i = 0; i < 2; i++)
		assert_true(facts_json(
		    &f, VIEW("{\"usage\":{\"inputTokens\":1,\"cacheWriteInputTokens\":9,"
			     "\"cacheDetails\":[{\"ttl\":\"1h\",\"inputTokens\":9}]}}")));
	facts_usage(&f, &u);
	assert_int_equal(u.cache_write, 0);
	assert_int_equal(u.cache_write_1h, 9);
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
	    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_stream_of_counts),
	    cmocka_unit_test(test_not_usage),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
