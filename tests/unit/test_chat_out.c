// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Chat completion answers: the exact chunks of a stream and the exact whole object, with
// tool indexes, empty arguments, usage with caching, ids that stay the same.
#include "dialect/chat_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct dialect d;
	struct chat_out o;
	struct buf out;
};

static void
open_out(struct fixture *x, bool stream, bool include_usage)
{
	*x = (struct fixture){0};
	x->d.r = (struct dialect_request){
	    .stream = stream, .now_s = 1763700000, .id = "req7", .model.asked = VIEW("m\"1")};
	buf_init(&x->out, 1U << 20);
	chat_out_init(&x->o, &x->d, include_usage);
}

static void
expect_out(struct fixture *x, const char *text)
{
	struct view v = buf_done(&x->out);
	if (v.len == 0)
		v = VIEW("");
	if (v.len != strlen(text) || memcmp(v.p, text, v.len) != 0)
		print_message("got:\n%.*s\nwanted:\n%s\n", (int)v.len, v.p, text);
	assert_false(x->out.failed);
	assert_int_equal(v.len, strlen(text));
	assert_memory_equal(v.p, text, v.len);
	buf_clear(&x->out);
}

static void
close_out(struct fixture *x)
{
	chat_out_free(&x->o);
	buf_free(&x->out);
}

#define HEAD                                                                                       \
	"data: {\"id\":\"chatcmpl-req7\",\"object\":\"chat.completion.chunk\","                    \
	"\"created\":1763700000,\"model\":\"m\\\"1\",\"choices\":["
#define DELTA(members, more)                                                                       \
	HEAD "{\"index\":0,\"delta\":{" members                                                    \
	     "},\"logprobs\":null,\"finish_reason\":null}]" more "}\n\n"
#define ROLE "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null"

static void
test_stream_order_and_escapes(void **state)
{
	(void)state;
	struct fixture x;
	open_out(&x, true, true);
	chat_out_begin(&x.o, &x.out);
	expect_out(&x, DELTA(ROLE, ",\"usage\":null"));
	assert_false(x.d.has_content); // the role alone commits nobody
	chat_out_text(&x.o, VIEW(""), &x.out);
	expect_out(&x, "");
	assert_false(x.d.has_content);
	chat_out_text(&x.o, VIEW("a\"\n\xc3\xa9"), &x.out);
	expect_out(&x, DELTA("\"content\":\"a\\\"\\n\xc3\xa9\"", ",\"usage\":null"));
	assert_true(x.d.has_content);
	chat_out_reasoning(&x.o, VIEW("hm"), &x.out);
	expect_out(&x, DELTA("\"reasoning_content\":\"hm\"", ",\"usage\":null"));
	chat_out_detail(&x.o, VIEW("{\"type\":\"reasoning.encrypted\"}"), &x.out);
	expect_out(&x,
	    DELTA("\"reasoning_details\":[{\"type\":\"reasoning.encrypted\"}]", ",\"usage\":null"));
	x.d.usage = (struct dialect_usage){
	    .input = 10, .cache_read = 200, .cache_write = 3000, .output = 7, .reasoning = 2};
	chat_out_id(&x.o, VIEW("late")); // all chunks carry the first one
	chat_out_model(&x.o, VIEW("late"));
	chat_out_finish(&x.o, "length", "max_tokens", &x.out);
	expect_out(&x,
	    HEAD "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\","
		 "\"native_finish_reason\":\"max_tokens\"}],\"usage\":null}\n\n" HEAD
		 "],\"usage\":{\"prompt_tokens\":3210,\"completion_tokens\":7,"
		 "\"total_tokens\":3217,\"prompt_tokens_details\":{\"cached_tokens\":200,"
		 "\"cache_write_tokens\":3000},\"completion_tokens_details\":"
		 "{\"reasoning_tokens\":2}}}\n\ndata: [DONE]\n\n");
	close_out(&x);
}

// Corner cases 4, 5 and 6: own counter for indexes, id and name once, {} for nothing.
static void
test_stream_tool_calls(void **state)
{
	(void)state;
	struct fixture x;
	open_out(&x, true, false);
	chat_out_text(&x.o, VIEW("t"), &x.out); // implies the role chunk
	expect_out(&x, DELTA(ROLE, "") DELTA("\"content\":\"t\"", ""));
	chat_out_arguments(&x.o, VIEW("{}"), &x.out); // no call is open
	expect_out(&x, "");
	chat_out_call(&x.o, VIEW("c1"), VIEW("w"), VIEW("{\"g\":1}"), &x.out);
	expect_out(&x, DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\","
			     "\"extra_content\":{\"g\":1},"
			     "\"function\":{\"name\":\"w\",\"arguments\":\"\"}}]",
			   ""));
	chat_out_arguments(&x.o, VIEW("{\"a\""), &x.out);
	chat_out_arguments(&x.o, VIEW(""), &x.out);
	chat_out_arguments(&x.o, VIEW(":1}"), &x.out);
#define ARGS(k, text)                                                                              \
	DELTA("\"tool_calls\":[{\"index\":" k ",\"function\":{\"arguments\":\"" text "\"}}]", "")
	expect_out(&x, ARGS("0", "{\\\"a\\\"") ARGS("0", ":1}"));
	chat_out_call_end(&x.o, &x.out);
	chat_out_call_end(&x.o, &x.out);
	expect_out(&x, "");
	chat_out_call(&x.o, VIEW(""), VIEW("none"), VIEW(""), &x.out);
	expect_out(
	    &x, DELTA("\"tool_calls\":[{\"index\":1,\"id\":\"call_req7_1\",\"type\":\"function\","
		      "\"function\":{\"name\":\"none\",\"arguments\":\"\"}}]",
		    ""));
	// The next call ends this one, which had no arguments.
	chat_out_call(&x.o, VIEW("c3"), VIEW("n"), VIEW(""), &x.out);
	expect_out(&x, ARGS("1", "{}")
			   DELTA("\"tool_calls\":[{\"index\":2,\"id\":\"c3\",\"type\":\"function\","
				 "\"function\":{\"name\":\"n\",\"arguments\":\"\"}}]",
			       ""));
	chat_out_finish(&x.o, "stop", "", &x.out); // calls win over stop
	expect_out(&x, ARGS("2", "{}") HEAD
	    "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}]}\n\n"
	    "data: [DONE]\n\n");
	close_out(&x);
}

#define WHOLE(message, reason, more)                                                               \
	"{\"id\":\"chatcmpl-req7\",\"object\":\"chat.completion\",\"created\":1763700000,"         \
	"\"model\":\"m\\\"1\",\"choices\":[{\"index\":0,\"message\":{\"role\":"                    \
	"\"assistant\"," message "},\"logprobs\":null,\"finish_reason\":" reason "}]" more "}"
#define USAGE(in, out, total)                                                                      \
	",\"usage\":{\"prompt_tokens\":" in ",\"completion_tokens\":" out                          \
	",\"total_tokens\":" total                                                                 \
	",\"prompt_tokens_details\":{\"cached_tokens\":0,\"cache_write_tokens\":0}}"

static void
test_whole(void **state)
{
	(void)state;
	struct fixture x;
	open_out(&x, false, false);
	chat_out_text(&x.o, VIEW("one "), &x.out);
	chat_out_reasoning(&x.o, VIEW("why"), &x.out);
	chat_out_text(&x.o, VIEW("\"two\""), &x.out);
	chat_out_detail(&x.o, VIEW("{\"d\":1}"), &x.out);
	chat_out_detail(&x.o, VIEW("{\"d\":2}"), &x.out);
	chat_out_call(&x.o, VIEW("c1"), VIEW("w"), VIEW(""), &x.out);
	chat_out_arguments(&x.o, VIEW("{\"n\":12345678901234567890}"), &x.out);
	chat_out_call(&x.o, VIEW("c2"), VIEW("v"), VIEW(""), &x.out);
	expect_out(&x, ""); // nothing before the end
	x.d.usage = (struct dialect_usage){.input = 3, .output = 4};
	chat_out_finish(&x.o, "stop", "tool_use", &x.out);
	expect_out(&x,
	    WHOLE("\"content\":\"one \\\"two\\\"\",\"refusal\":null,\"reasoning_content\":\"why\","
		  "\"reasoning_details\":[{\"d\":1},{\"d\":2}],\"tool_calls\":["
		  "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"w\","
		  "\"arguments\":\"{\\\"n\\\":12345678901234567890}\"}},"
		  "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"v\","
		  "\"arguments\":\"{}\"}}]",
		"\"tool_calls\",\"native_finish_reason\":\"tool_use\"", USAGE("3", "4", "7")));
	close_out(&x);
}

static void
test_whole_without_content_or_usage(void **state)
{
	(void)state;
	struct fixture x;
	open_out(&x, false, true);
	x.o.no_usage = true;
	chat_out_finish(&x.o, "content_filter", NULL, &x.out);
	expect_out(&x, WHOLE("\"content\":null,\"refusal\":null", "\"content_filter\"", ""));
	close_out(&x);
}

static void
test_stream_without_usage(void **state)
{
	(void)state;
	struct fixture x;
	open_out(&x, true, true);
	chat_out_begin(&x.o, &x.out);
	buf_clear(&x.out);
	x.o.no_usage = true;
	chat_out_finish(&x.o, "stop", NULL, &x.out);
	expect_out(&x,
	    HEAD "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
		 "\"usage\":null}\n\ndata: [DONE]\n\n");
	close_out(&x);
}

// A provider's counters are its own; a sum must not wrap around to a small price.
static void
test_counters_saturate(void **state)
{
	(void)state;
	struct fixture x;
	open_out(&x, false, false);
	x.d.usage = (struct dialect_usage){.input = UINT64_MAX, .output = 5};
	chat_out_finish(&x.o, "stop", NULL, &x.out);
	expect_out(&x, WHOLE("\"content\":null,\"refusal\":null", "\"stop\"",
			   USAGE("18446744073709551615", "5", "18446744073709551615")));
	close_out(&x);
}

static void
test_provider_id_and_model(void **state)
{
	(void)state;
	struct fixture x;
	open_out(&x, false, false);
	char longer[300];
	memset(longer, 'x', sizeof(longer));
	chat_out_id(&x.o, (struct view){longer, sizeof(longer)});
	assert_int_equal(strlen(x.o.id), sizeof(x.o.id) - 1);
	memcpy(longer + sizeof(x.o.id) - 2, "\xc3\xa9", 2); // no half of a character
	chat_out_id(&x.o, (struct view){longer, sizeof(longer)});
	assert_int_equal(strlen(x.o.id), sizeof(x.o.id) - 2);
	chat_out_id(&x.o, VIEW("resp_1"));
	chat_out_model(&x.o, VIEW("gemini-x"));
	chat_out_finish(&x.o, "stop", NULL, &x.out);
	assert_non_null(memmem(x.out.p, x.out.len, "{\"id\":\"resp_1\",", 15));
	assert_non_null(memmem(x.out.p, x.out.len, "\"model\":\"gemini-x\"", 18));
	close_out(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stream_order_and_escapes),
	    cmocka_unit_test(test_stream_tool_calls),
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_whole_without_content_or_usage),
	    cmocka_unit_test(test_stream_without_usage),
	    cmocka_unit_test(test_counters_saturate),
	    cmocka_unit_test(test_provider_id_and_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
