// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Gemini's answers and streams as OpenAI chat completions. Numbers in names are the corner
// cases that other gateways got wrong.
#include <stdio.h>

#include "tests/unit/dialect_fixture.h"

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void
start(struct fixture *x)
{
	fixture_init(x, DIALECT_CHAT_GENERATE, "gemini-x");
}

// --- answers ----------------------------------------------------------------------------

static bool
answer(struct fixture *x, const char *body)
{
	x->r.stream = false;
	assert_true(fixture_open(x, "{" HI "}"));
	bool ok = dialect_answer(x->d, view_of(body), &x->out);
	if (ok)
		assert_int_equal(jv_check(buf_done(&x->out), NULL), JV_OK);
	return ok;
}

static struct jv
message_of(const struct fixture *x)
{
	struct jv_iter it = {0};
	struct jv choice;
	assert_true(jv_each(jv_get(jv_root(buf_done(&x->out)), "choices"), &it, &choice));
	return jv_get(choice, "message");
}

static void
test_19_answer_and_usage(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	assert_true(answer(&x,
	    "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hm\","
	    "\"thought\":"
	    "true},{\"text\":\"a\"},{\"text\":\"b\",\"thoughtSignature\":\"s1\"}]},"
	    "\"finishReason\":"
	    "\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":10,"
	    "\"cachedContentTokenCount\":4,\"candidatesTokenCount\":5,\"thoughtsTokenCount\":7,"
	    "\"toolUsePromptTokenCount\":2,\"totalTokenCount\":24},\"responseId\":\"r9\"}"));
	struct jv m = message_of(&x);
	assert_true(jv_eq(jv_get(m, "content"), "ab"));
	assert_true(jv_eq(jv_get(m, "reasoning_content"), "hm"));
	fixture_has(&x.out, "\"format\":\"google-gemini-v1\",\"data\":\"s1\"");
	fixture_has(&x.out, "\"finish_reason\":\"stop\"");
	fixture_has(&x.out, "\"id\":\"r9\"");
	fixture_has(&x.out, "\"prompt_tokens\":12,\"completion_tokens\":12,\"total_tokens\":24");
	fixture_has(&x.out, "\"cached_tokens\":4");
	fixture_has(&x.out, "\"reasoning_tokens\":7");
	const struct dialect_usage *u = dialect_usage(x.d);
	assert_int_equal(u->input, 8);
	assert_int_equal(u->cache_read, 4);
	assert_int_equal(u->output, 12);
	assert_int_equal(u->reasoning, 7);
	fixture_free(&x);
}

static void
test_18_43_calls_in_answer(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	x.r.memory = dialect_memory_new(8);
	dialect_memory_scope(x.r.memory, VIEW("c"));
	assert_true(answer(&x,
	    "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"w\",\"args\":{"
	    "\n"
	    "  \"id\": 9007199254740993,\n \"s\": \"a \\\" b\"}},\"thoughtSignature\":\"sg\"},"
	    "{\"functionCall\":{\"id\":\"up-1\",\"name\":\"v\"}}]},\"finishReason\":\"STOP\"}]}"));
	fixture_has(&x.out, "\"finish_reason\":\"tool_calls\"");
	fixture_has(&x.out, "\"{\\\"id\\\":9007199254740993,\\\"s\\\":\\\"a \\\\\\\" b\\\"}\"");
	fixture_has(&x.out, "\"extra_content\":{\"google\":{\"thought_signature\":\"sg\"}}");
	struct jv_iter it = {0};
	struct jv first = {{NULL, 0}}, second = first;
	struct jv calls = jv_get(message_of(&x), "tool_calls");
	assert_int_equal(jv_count(calls), 2);
	assert_true(jv_each(calls, &it, &first) && jv_each(calls, &it, &second));
	assert_true(jv_eq(jv_get(first, "id"), "call_req1_0"));
	assert_true(jv_eq(jv_get(second, "id"), "up-1"));
	assert_true(jv_eq(jv_get2(second, "function", "arguments"), "{}"));
	assert_true(view_eq_str(dialect_memory_get(x.r.memory, VIEW("call_req1_0")), "sg"));
	dialect_memory_free(x.r.memory);
	fixture_free(&x);
}

static void
test_finish_reasons(void **state)
{
	(void)state;
	static const struct {
		const char *native, *reason;
	} rows[] = {{"STOP", "stop"}, {"MAX_TOKENS", "length"}, {"SAFETY", "content_filter"},
	    {"RECITATION", "content_filter"}, {"LANGUAGE", "content_filter"},
	    {"BLOCKLIST", "content_filter"}, {"PROHIBITED_CONTENT", "content_filter"},
	    {"SPII", "content_filter"}, {"IMAGE_SAFETY", "content_filter"},
	    {"IMAGE_PROHIBITED_CONTENT", "content_filter"}, {"IMAGE_RECITATION", "content_filter"},
	    {"OTHER", "stop"}, {"MALFORMED_FUNCTION_CALL", "stop"}, {"SOMETHING_NEW", "stop"}};
	struct fixture x;
	start(&x);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char body[256], wanted[64];
		(void)snprintf(body, sizeof body,
		    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":"
		    "\"%s\"}]}",
		    rows[i].native);
		(void)snprintf(wanted, sizeof wanted, "\"finish_reason\":\"%s\"", rows[i].reason);
		assert_true(answer(&x, body));
		fixture_has(&x.out, wanted);
		fixture_has(&x.out, rows[i].native);
		assert_string_equal(dialect_stop_reason(x.d), rows[i].native);
	}
	fixture_free(&x);
}

static void
test_20_missing_parts(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	assert_true(answer(&x, "{\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}]}"));
	fixture_has(&x.out, "\"finish_reason\":\"length\"");
	assert_true(answer(&x, "{\"candidates\":[{\"content\":{},\"finishReason\":\"SAFETY\"}]}"));
	fixture_has(&x.out, "\"finish_reason\":\"content_filter\"");
	assert_true(answer(&x, "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"}}"));
	fixture_has(&x.out, "\"finish_reason\":\"content_filter\"");
	assert_true(jv_is(jv_get(message_of(&x), "content"), JV_NULL));
	assert_true(answer(&x, "{\"promptFeedback\":{\"blockReason\":\"OTHER\"}}"));
	fixture_has(&x.out, "\"finish_reason\":\"content_filter\"");
	static const char *const bad[] = {
	    "", "[]", "{}", "{\"candidates\":[]}", "{\"candidates\":"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(answer(&x, bad[i]));
	// It broke down before it said anything: an error, not an empty answer.
	assert_false(answer(&x,
	    "{\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\",\"finishMessage\":"
	    "\"bad call\"}]}"));
	assert_string_equal(dialect_failure(x.d)->type, "MALFORMED_FUNCTION_CALL");
	assert_string_equal(dialect_failure(x.d)->message, "bad call");
	fixture_free(&x);
}

static void
test_33_error_forms(void **state)
{
	(void)state;
	static const char *const forms[] = {
	    "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"m\"}}",
	    "[{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"m\"}}]"};
	struct fixture x;
	start(&x);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		assert_false(answer(&x, forms[i]));
		assert_string_equal(dialect_failure(x.d)->type, "RESOURCE_EXHAUSTED");
		assert_string_equal(dialect_failure(x.d)->message, "m");
		x.r.stream = true;
		assert_true(fixture_open(&x, "{" HI ",\"stream\":true}"));
		assert_int_equal(
		    dialect_event(x.d, VIEW("message"), view_of(forms[i]), false, &x.out),
		    DIALECT_FAILED);
		assert_int_equal(dialect_finish(x.d, &x.out), DIALECT_FAILED);
		fixture_lacks(&x.out, "[DONE]");
	}
	fixture_free(&x);
}

// --- streams ----------------------------------------------------------------------------

static const char stream[] =
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true}]}}],"
    "\"usageMetadata\":{\"promptTokenCount\":3},\"responseId\":\"r1\"}\r\n\r\n"
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\xc3\xa9\xf0\x9f\x98\x80\"}]}}]}"
    "\r\n\r\n"
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"w\",\"args\":{"
    "\"a\":1}},\"thoughtSignature\":\"sg\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
    "\"promptTokenCount\":3,\"candidatesTokenCount\":2}}\r\n\r\n"
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"v\"}},{\"text\":"
    "\"\",\"thoughtSignature\":\"tail\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
    "\"promptTokenCount\":3,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":5}}\r\n\r\n";

static void
open_stream(struct fixture *x)
{
	x->r.stream = true;
	assert_true(fixture_open(
	    x, "{" HI ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"));
}

static void
before(const struct buf *b, const char *first, const char *second)
{
	fixture_has(b, first);
	fixture_has(b, second);
	assert_true((char *)memmem(b->p, b->len, first, strlen(first)) <
		    (char *)memmem(b->p, b->len, second, strlen(second)));
}

static void
test_stream(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	open_stream(&x);
	assert_int_equal(fixture_stream(&x, stream, 0), DIALECT_COMPLETE);
	before(&x.out, "\"role\":\"assistant\"", "\"reasoning_content\":\"hm\"");
	before(&x.out, "\"reasoning_content\":\"hm\"", "\"content\":\"\xc3\xa9\xf0\x9f\x98\x80\"");
	// 4, 5: running indexes, ids of their own; 6: no arguments are {}.
	before(&x.out, "\"tool_calls\":[{\"index\":0,\"id\":\"call_req1_0\"",
	    "\"tool_calls\":[{\"index\":1,\"id\":\"call_req1_1\"");
	fixture_has(&x.out, "\"arguments\":\"{}\"");
	fixture_has(&x.out, "\"thought_signature\":\"sg\"");
	fixture_has(&x.out, "\"data\":\"tail\"");
	// 18: calls win over STOP; the end comes after the last part; usage is the last.
	before(&x.out, "\"name\":\"v\"", "\"finish_reason\":\"tool_calls\"");
	before(&x.out, "\"finish_reason\":\"tool_calls\"", "\"completion_tokens\":9");
	before(&x.out, "\"completion_tokens\":9", "data: [DONE]\n\n");
	fixture_lacks(&x.out, "\"finish_reason\":\"stop\"");
	fixture_free(&x);
}

static void
test_35_stream_every_cut(void **state)
{
	(void)state;
	struct fixture x, y;
	start(&x);
	start(&y);
	open_stream(&x);
	assert_int_equal(fixture_stream(&x, stream, 0), DIALECT_COMPLETE);
	for (size_t cut = 1; cut < sizeof stream; cut++) {
		open_stream(&y);
		assert_int_equal(fixture_stream(&y, stream, cut), DIALECT_COMPLETE);
		assert_true(view_eq(buf_done(&x.out), buf_done(&y.out)));
	}
	fixture_free(&x);
	fixture_free(&y);
}

// 9: a stream that ends without a finish reason never looks whole, wherever it is cut.
static void
test_9_truncated_stream(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	const char *first_reason = strstr(stream, "\"STOP\"");
	size_t safe = (size_t)(first_reason - stream);
	for (size_t len = 0; len < safe; len++) {
		char text[sizeof stream];
		memcpy(text, stream, len);
		text[len] = '\0';
		open_stream(&x);
		assert_int_equal(fixture_stream(&x, text, 0), DIALECT_OPEN);
		fixture_lacks(&x.out, "[DONE]");
		fixture_lacks(&x.out, "\"finish_reason\":\"");
	}
	fixture_free(&x);
}

static void
test_stream_failures(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	open_stream(&x);
	assert_false(dialect_has_content(x.d));
	assert_int_equal(
	    dialect_event(x.d, VIEW(""), VIEW("{\"candidates\":["), false, &x.out), DIALECT_FAILED);
	open_stream(&x);
	assert_int_equal(
	    fixture_stream(&x, "data: {\"candidates\":[{\"finishReason\":\"OTHER\"}]}\n\n", 0),
	    DIALECT_FAILED);
	fixture_lacks(&x.out, "[DONE]");
	open_stream(&x);
	assert_int_equal(
	    fixture_stream(&x, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n", 0),
	    DIALECT_COMPLETE);
	fixture_has(&x.out, "\"finish_reason\":\"content_filter\"");
	open_stream(&x);
	assert_int_equal(
	    fixture_stream(&x,
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n"
		"data: {\"error\":{\"code\":503,\"message\":\"m\"}}\n\n",
		0),
	    DIALECT_FAILED);
	assert_true(dialect_has_content(x.d));
	assert_string_equal(dialect_failure(x.d)->type, "503");
	fixture_free(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_19_answer_and_usage),
	    cmocka_unit_test(test_18_43_calls_in_answer),
	    cmocka_unit_test(test_finish_reasons),
	    cmocka_unit_test(test_20_missing_parts),
	    cmocka_unit_test(test_33_error_forms),
	    cmocka_unit_test(test_stream),
	    cmocka_unit_test(test_35_stream_every_cut),
	    cmocka_unit_test(test_9_truncated_stream),
	    cmocka_unit_test(test_stream_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
