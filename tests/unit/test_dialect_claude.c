// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Anthropic Messages to Claude on Bedrock and on Vertex AI: bodies, betas, versions,
// streams, counts. Numbers in names are the corner cases that other gateways got wrong.
#include <stdio.h>

#include "tests/unit/dialect_fixture.h"

#include "dialect/b64.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void
test_bedrock_body(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_INVOKE, "anthropic.claude-x");
	// 43: the number stays as written; unknown members pass.
	fixture_request(&x,
	    "{\"model\":\"m\",\"max_tokens\":1.0e1,\"stream\":true,\"zzz\":{\"a\":9007199254740993}"
	    "," USER "}",
	    "{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":1.0e1,"
	    "\"zzz\":{\"a\":9007199254740993}," USER "}");
	struct msg_named h[4];
	assert_int_equal(dialect_headers(x.d, h, 4), 0);
	fixture_free(&x);
}

static void
test_vertex_body(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_RAW_PREDICT, "claude-x@1");
	x.r.model.betas = VIEW("a-1,b-2");
	x.r.anthropic_beta = VIEW("b-2 , c-3");
	fixture_request(&x, "{\"model\":\"m\",\"stream\":true," USER "}",
	    "{\"anthropic_version\":\"vertex-2023-10-16\",\"stream\":true," USER "}");
	struct msg_named h[4];
	assert_int_equal(dialect_headers(x.d, h, 4), 1);
	assert_int_equal(h[0].id, HEADER_ANTHROPIC_BETA);
	assert_true(view_eq_str(h[0].value, "b-2"));
	assert_true(view_eq_str(dialect_dropped(x.d), "anthropic-beta"));
	fixture_free(&x);
}

static void
test_14_betas_by_model(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_INVOKE, "m");
	x.r.model.betas = VIEW("known-2025-01-01, other-1");
	x.r.anthropic_beta = VIEW("claude-code-20250219,known-2025-01-01");
	fixture_request(&x, "{\"anthropic_beta\":[\"other-1\",\"known-2025-01-01\",7]," USER "}",
	    "{\"anthropic_version\":\"bedrock-2023-05-31\","
	    "\"anthropic_beta\":[\"known-2025-01-01\",\"other-1\"]," USER "}");
	assert_true(view_eq_str(dialect_dropped(x.d), "anthropic-beta"));
	x.r.strict_params = true;
	fixture_refused(&x, "{" USER "}", "unsupported_parameter", "anthropic-beta");
	x.r.strict_params = false;
	// "*" takes all that is well formed; nothing gets out of its string or header.
	x.r.model.betas = VIEW("*");
	x.r.anthropic_beta = VIEW("new-1,ev\"il");
	fixture_request(&x, "{" USER "}",
	    "{\"anthropic_version\":\"bedrock-2023-05-31\",\"anthropic_beta\":[\"new-1\"]," USER
	    "}");
	fixture_free(&x);
}

static void
test_betas_bounded(void **state)
{
	(void)state;
	struct fixture x;
	char many[2048] = "";
	fixture_init(&x, DIALECT_MESSAGES_RAW_PREDICT, "m");
	for (unsigned i = 0; i < 200; i++)
		snprintf(many + 9 * i, 10, "beta-%03u,", i);
	x.r.model.betas = VIEW("*");
	x.r.anthropic_beta = view_of(many);
	fixture_refused(&x, "{" USER "}", "invalid_value", "anthropic-beta");
	fixture_free(&x);
}

static void
test_46_version_by_model(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_INVOKE, "m");
	x.r.anthropic_version = VIEW("2026-10-21");
	fixture_request(&x, "{\"anthropic_version\":\"2026-10-21\"," USER "}",
	    "{\"anthropic_version\":\"bedrock-2023-05-31\"," USER "}");
	x.r.model.flags = MODEL_VERSION_2026;
	fixture_request(&x, "{" USER "}", "{\"anthropic_version\":\"2026-10-21\"," USER "}");
	x.r.anthropic_version = VIEW("2023-06-01");
	fixture_request(
	    &x, "{" USER "}", "{\"anthropic_version\":\"bedrock-2023-05-31\"," USER "}");
	x.r.pair = DIALECT_MESSAGES_RAW_PREDICT;
	fixture_request(&x, "{\"anthropic_version\":\"2026-10-21\"," USER "}",
	    "{\"anthropic_version\":\"2026-10-21\"," USER "}");
	fixture_free(&x);
}

static void
test_direct_api_members(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_INVOKE, "m");
	fixture_refused(
	    &x, "{\"inference_geo\":\"us\"," USER "}", "unsupported_parameter", "inference_geo");
	fixture_refused(&x, "{\"container\":\"c\"," USER "}", "unsupported_parameter", "container");
	fixture_refused(
	    &x, "{\"mcp_servers\":[]," USER "}", "unsupported_parameter", "mcp_servers");
	fixture_request(&x,
	    "{\"service_tier\":\"auto\",\"speed\":\"fast\",\"container\":null,"
	    "\"cache_control\":{\"type\":\"ephemeral\"},\"context_management\":{\"edits\":[]}," USER
	    "}",
	    "{\"anthropic_version\":\"bedrock-2023-05-31\"," USER "}");
	assert_true(view_eq_str(
	    dialect_dropped(x.d), "service_tier,speed,cache_control,context_management"));
	fixture_request(&x,
	    "{\"tools\":[{\"name\":\"t\",\"eager_input_streaming\":true,\"defer_loading\":true,"
	    "\"input_schema\":{\"eager_input_streaming\":1}}]," USER "}",
	    "{\"anthropic_version\":\"bedrock-2023-05-31\",\"tools\":[{\"name\":\"t\","
	    "\"input_schema\":{\"eager_input_streaming\":1}}]," USER "}");
	x.r.model.betas = VIEW("context-management-2025-06-27,tool-search-tool-2025-10-19");
	x.r.anthropic_beta = x.r.model.betas;
	assert_true(fixture_open(&x,
	    "{\"context_management\":{\"edits\":[]},\"tools\":[{\"name\":\"t\",\"defer_loading\":"
	    "true}]," USER "}"));
	fixture_has(&x.body, "\"context_management\":{\"edits\":[]}");
	fixture_has(&x.body, "\"defer_loading\":true");
	fixture_free(&x);
}

static void
test_answer(void **state)
{
	(void)state;
	struct fixture x;
	static const char good[] =
	    "{\"id\":\"msg_bdrk_1\",\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"x\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":5,"
	    "\"cache_read_input_tokens\":7,\"cache_creation_input_tokens\":2,\"output_tokens\":9,"
	    "\"output_tokens_details\":{\"thinking_tokens\":4}}}";
	fixture_init(&x, DIALECT_MESSAGES_INVOKE, "m");
	assert_true(fixture_open(&x, "{" USER "}"));
	assert_true(dialect_answer(x.d, view_of(good), &x.out));
	fixture_equal(&x.out, good);
	const struct dialect_usage *u = dialect_usage(x.d);
	assert_int_equal(u->input, 5);
	assert_int_equal(u->cache_read, 7);
	assert_int_equal(u->cache_write, 2);
	assert_int_equal(u->output, 9);
	assert_int_equal(u->reasoning, 4);
	assert_string_equal(dialect_stop_reason(x.d), "end_turn");

	static const char *const bad[] = {"", "[]", "{}", "{\"content\":1}", "{\"content\":[]"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(fixture_open(&x, "{" USER "}"));
		assert_false(dialect_answer(x.d, view_of(bad[i]), &x.out));
		assert_int_equal(x.out.len, 0);
	}
	assert_true(fixture_open(&x, "{" USER "}"));
	assert_false(dialect_answer(x.d,
	    VIEW(
		"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"o\"}}"),
	    &x.out));
	assert_string_equal(dialect_failure(x.d)->type, "overloaded_error");
	fixture_free(&x);
}

// One chunk of Bedrock's stream, as the event stream reader gives it.
static enum dialect_end
chunk(struct fixture *x, const char *event)
{
	struct buf b;
	buf_init(&b, 65536);
	buf_str(&b, "{\"bytes\":\"");
	b64_put(&b, view_of(event));
	buf_str(&b, "\",\"p\":\"abcdefg\"}");
	enum dialect_end end = dialect_event(x->d, VIEW("chunk"), buf_done(&b), false, &x->out);
	buf_free(&b);
	return end;
}

static void
open_stream(struct fixture *x)
{
	x->r.stream = true;
	assert_true(fixture_open(x, "{\"stream\":true," USER "}"));
}

static void
test_bedrock_stream(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_INVOKE, "m");
	open_stream(&x);
	assert_int_equal(chunk(&x, "{\"type\":\"message_start\",\"message\":{\"usage\":{"
				   "\"input_tokens\":11,\"output_tokens\":1}}}"),
	    DIALECT_OPEN);
	assert_false(dialect_has_content(x.d));
	assert_int_equal(
	    dialect_event(x.d, VIEW("somethingNew"), VIEW("{}"), false, &x.out), DIALECT_OPEN);
	(void)chunk(&x, "{\"type\":\"content_block_delta\",\n\"delta\":{\"text\":\"a\\nb\"}}");
	assert_true(dialect_has_content(x.d));
	assert_int_equal(dialect_finish(x.d, &x.out), DIALECT_OPEN); // 9: cut here is no end
	// 8: zeros in the last usage do not erase the input.
	(void)chunk(&x, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},"
			"\"usage\":{\"input_tokens\":0,\"output_tokens\":6}}");
	assert_int_equal(
	    chunk(&x, "{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{"
		      "\"inputTokenCount\":99,\"outputTokenCount\":98}}"),
	    DIALECT_COMPLETE);
	assert_int_equal(dialect_finish(x.d, &x.out), DIALECT_COMPLETE);
	fixture_equal(&x.out,
	    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"
	    "\"input_tokens\":11,\"output_tokens\":1}}}\n\n"
	    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\", "
	    "\"delta\":{\"text\":\"a\\nb\"}}\n\n"
	    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
	    "\"tool_use\"},\"usage\":{\"input_tokens\":0,\"output_tokens\":6}}\n\n"
	    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
	assert_int_equal(dialect_usage(x.d)->input, 11);
	assert_int_equal(dialect_usage(x.d)->output, 6);
	assert_string_equal(dialect_stop_reason(x.d), "tool_use");
	fixture_free(&x);
}

static void
test_bedrock_metrics_when_events_are_silent(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_INVOKE, "m");
	open_stream(&x);
	(void)chunk(&x, "{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{"
			"\"inputTokenCount\":3,"
			"\"outputTokenCount\":4,\"cacheReadInputTokenCount\":5}}");
	assert_int_equal(dialect_usage(x.d)->input, 3);
	assert_int_equal(dialect_usage(x.d)->output, 4);
	assert_int_equal(dialect_usage(x.d)->cache_read, 5);
	fixture_free(&x);
}

static void
test_9_bedrock_exceptions(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_INVOKE, "m");
	open_stream(&x);
	assert_int_equal(dialect_event(x.d, VIEW("throttlingException"),
			     VIEW("{\"message\":\"Too many tokens\"}"), true, &x.out),
	    DIALECT_FAILED);
	assert_string_equal(dialect_failure(x.d)->type, "throttlingException");
	assert_string_equal(dialect_failure(x.d)->message, "Too many tokens");
	assert_int_equal(dialect_finish(x.d, &x.out), DIALECT_FAILED);
	open_stream(&x);
	assert_int_equal(
	    dialect_event(x.d, VIEW("InternalFailure"), VIEW(""), true, &x.out), DIALECT_FAILED);
	assert_true(dialect_failure(x.d)->message[0] != '\0');
	open_stream(&x);
	assert_int_equal(chunk(&x, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
				   "\"message\":\"Overloaded\"}}"),
	    DIALECT_FAILED);
	assert_string_equal(dialect_failure(x.d)->type, "overloaded_error");
	static const char *const bad[] = {"", "{}", "{\"bytes\":7}", "{\"bytes\":\"!!\"}",
	    "{\"bytes\":\"e30\"}", "{\"bytes\":\"e3s=\"}"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		open_stream(&x);
		assert_int_equal(dialect_event(x.d, VIEW("chunk"), view_of(bad[i]), false, &x.out),
		    DIALECT_FAILED);
		assert_int_equal(x.out.len, 0);
	}
	fixture_free(&x);
}

static void
test_vertex_stream_every_cut(void **state)
{
	(void)state;
	static const char in[] =
	    "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"
	    "\"input_tokens\":4}}}\r\n\r\n: c\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
	    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\ndata: "
	    "\"delta\":{\"text\":\"\xc3\xa9\"}}\n\nevent: message_stop\ndata: "
	    "{\"type\":\"message_stop\"}\n\n";
	static const char wanted[] =
	    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"
	    "\"input_tokens\":4}}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
	    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\", "
	    "\"delta\":{\"text\":\"\xc3\xa9\"}}\n\nevent: message_stop\ndata: "
	    "{\"type\":\"message_stop\"}\n\n";
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_RAW_PREDICT, "m");
	for (size_t cut = 0; cut < sizeof in; cut++) {
		open_stream(&x);
		assert_int_equal(fixture_stream(&x, in, cut), DIALECT_COMPLETE);
		fixture_equal(&x.out, wanted);
		assert_int_equal(dialect_usage(x.d)->input, 4);
	}
	open_stream(&x);
	assert_int_equal(fixture_stream(&x,
			     "data: {\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\","
			     "\"message\":\"later\"}}\n\n",
			     0),
	    DIALECT_FAILED);
	assert_string_equal(dialect_failure(x.d)->type, "RESOURCE_EXHAUSTED");
	fixture_free(&x);
}

static void
test_39_count_on_bedrock(void **state)
{
	(void)state;
	struct fixture x;
	struct buf inner;
	fixture_init(&x, DIALECT_COUNT_BEDROCK, "m");
	buf_init(&inner, 4096);
	assert_true(
	    fixture_open(&x, "{\"model\":\"m\"," USER
			     ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}}"));
	struct jv body =
	    jv_get(jv_get2(jv_root(buf_done(&x.body)), "input", "invokeModel"), "body");
	struct buf text;
	buf_init(&text, 4096);
	jv_decode(body, &text);
	assert_true(b64_take(&inner, buf_done(&text)));
	fixture_equal(&inner,
	    "{\"anthropic_version\":\"bedrock-2023-05-31\"," USER
	    ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048},\"max_tokens\":2049}");
	assert_true(dialect_answer(x.d, VIEW("{\"inputTokens\":42}"), &x.out));
	fixture_equal(&x.out, "{\"input_tokens\":42}");
	assert_true(fixture_open(&x, "{" USER "}"));
	assert_false(dialect_answer(x.d, VIEW("{\"input_tokens\":42}"), &x.out));
	buf_free(&inner);
	buf_free(&text);
	fixture_free(&x);
}

static void
test_count_on_vertex(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_COUNT_RAW_PREDICT, "claude-x@1");
	fixture_request(&x, "{\"model\":\"m\",\"stream\":false," USER "}",
	    "{\"anthropic_version\":\"vertex-2023-10-16\",\"model\":\"claude-x@1\"," USER "}");
	assert_true(dialect_answer(x.d, VIEW("{\"input_tokens\":42,\"x\":1}"), &x.out));
	fixture_equal(&x.out, "{\"input_tokens\":42,\"x\":1}");
	fixture_free(&x);
}

// The payload of an exception may be anything, its message goes into our JSON.
static void
test_exception_that_is_no_text(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_MESSAGES_INVOKE, "m");
	assert_true(fixture_open(&x, "{" USER "}"));
	assert_int_equal(
	    dialect_event(x.d, VIEW("\xff"), VIEW("a\xff\n\xc3"), true, &x.out), DIALECT_FAILED);
	assert_string_equal(dialect_failure(x.d)->type, "?");
	assert_string_equal(dialect_failure(x.d)->message, "a? ?");
	fixture_free(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bedrock_body),
	    cmocka_unit_test(test_vertex_body),
	    cmocka_unit_test(test_14_betas_by_model),
	    cmocka_unit_test(test_betas_bounded),
	    cmocka_unit_test(test_46_version_by_model),
	    cmocka_unit_test(test_direct_api_members),
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_bedrock_stream),
	    cmocka_unit_test(test_bedrock_metrics_when_events_are_silent),
	    cmocka_unit_test(test_9_bedrock_exceptions),
	    cmocka_unit_test(test_exception_that_is_no_text),
	    cmocka_unit_test(test_vertex_stream_every_cut),
	    cmocka_unit_test(test_39_count_on_bedrock),
	    cmocka_unit_test(test_count_on_vertex),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
