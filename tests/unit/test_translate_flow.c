// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Attempts that are translated, through a whole worker with stand-ins for its peers: what
// the provider is sent, what the client gets, and that nothing broken passes for whole.
#include "tests/unit/translate_fixture.h"

// --- whole answers -------------------------------------------------------------------

static void
test_whole(void **state)
{
	(void)state;
	to_messages(0);
	for (int i = 0; i < 2; i++) { // the second time with USE ahead of PLAN
		uint64_t lane = ask(ASK);
		assert_int_equal(e->op, OP_ANTHROPIC_MESSAGES);
		assert_non_null(strstr(gw_lane(lane)->text, "\"model\":\"claude-x\""));
		assert_non_null(strstr(gw_lane(lane)->text, "\"max_tokens\":"));
		assert_int_equal(gw.last_header[0], HEADER_CONTENT_TYPE);
		answer(lane, 200,
		    "Content-Type: application/json; charset=utf-8\r\nrequest-id: req_up\r\n"
		    "anthropic-organization-id: org\r\nanthropic-ratelimit-requests-limit: 5\r\n",
		    MESSAGE);
		gw_read("\"total_tokens\":10");
		expect("HTTP/1.1 200");
		expect("\"object\":\"chat.completion\"");
		expect("\"content\":\"hello\"");
		expect("\"model\":\"m\"");
		expect("\r\nx-request-id: req_up\r\n");
		expect("\r\ncontent-type: application/json\r\n");
		expect("\r\nx-ratelimit-limit-requests: 5\r\n");
		expect_not("organization");
		e = gw_wait(MSG_APPEND);
		assert_int_equal(e->a, RESULT_OK);
		e = gw_wait(MSG_SETTLE);
		assert_int_equal(e->tokens_in, 7);
		assert_int_equal(e->tokens_out, 3);
		assert_false(gw_lane(lane)->closed);
	}
	assert_int_equal(gw.lane_count, 1);
}

static void
test_renamed(void **state)
{
	(void)state;
	gw.way[0].model = "gpt-upstream";
	uint64_t lane = ask("{ \"n\": 1.10, \"model\" : \"m\" }");
	assert_int_equal(e->op, OP_OPENAI_CHAT);
	assert_string_equal(gw_lane(lane)->text, "{ \"n\": 1.10, \"model\" : \"gpt-upstream\" }");
	gw_plain(lane, GW_ANSWER); // which is no chat completion: it passes as it is
	gw_read("{\"answer\":42}");
}

// Azure: the deployment stands in the path or in the body, and clients write both.
static void
test_azure(void **state)
{
	(void)state;
	static const char *const bodies[][2] = {{"{\"model\":\"gpt-4o\"}", "{\"model\":\"dep\"}"},
	    {" { }", " {\"model\":\"dep\" }"}, {"{\"n\":1}", "{\"model\":\"dep\",\"n\":1}"},
	    {"{\"model\":null,\"n\":1}", "{\"model\":\"dep\",\"n\":1}"},
	    {"{\"model\":\"dep\",\"n\" :1}", "{\"model\":\"dep\",\"n\" :1}"}};
	gw.way[0].provider = PROVIDER_AZURE;
	gw.way[0].model = "dep";
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		clear();
		gw_post_to("/azure/openai/deployments/gpt-4o/chat/completions", bodies[i][0]);
		e = gw_wait(MSG_USE);
		gw_settle();
		assert_string_equal(gw_lane(e->b)->text, bodies[i][1]);
		gw_plain(e->b, GW_ANSWER);
		gw_read("{\"answer\":42}");
	}
}

static void
test_dropped_and_strict(void **state)
{
	(void)state;
	static const char body[] =
	    "{\"model\":\"m\",\"seed\":1,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}";
	to_messages(0);
	uint64_t lane = ask(body);
	answer(lane, 200, "Content-Type: application/json\r\n", MESSAGE);
	gw_read("\"total_tokens\":10");
	expect("\r\nx-sallyport-dropped-params: seed\r\n");
	char text[512];
	snprintf(text, sizeof(text),
	    "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-api-key: sp-1\r\n"
	    "x-sallyport-strict-params: true\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(body), body);
	clear();
	gw_write(text, strlen(text));
	gw_read("unsupported_parameter");
	expect("HTTP/1.1 400");
	expect("'seed'");
}

static void
test_broken_whole(void **state)
{
	(void)state;
	to_messages(0);
	static const char *const bodies[] = {"{}", "[]", "{\"type\":", "", "{\"content\":7}",
	    "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}"};
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		uint64_t lane = ask(ASK);
		answer(lane, 200, "Content-Type: application/json\r\n", bodies[i]);
		gw_read("\"error\"");
		expect("HTTP/1.1 502");
		expect_not("chat.completion");
		assert_int_equal(gw_wait(MSG_APPEND)->a, RESULT_FAILED);
	}
	// Cut by the end of the connection.
	uint64_t lane = ask(ASK);
	gw_plain(lane, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"id\":");
	gw_lane_closed(lane, LANE_TRUNCATED);
	gw_read("provider_truncated");
	expect("HTTP/1.1 502");
}

static void
test_too_large(void **state)
{
	(void)state;
	to_messages(0);
	uint64_t lane = ask(ASK);
	gw_plain(lane, "HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n");
	gw_read("too large");
	expect("HTTP/1.1 502");
	gw_settle();
	assert_true(gw_lane(lane)->closed);
	// What is collected counts as memory of the worker.
	lane = ask(ASK);
	gw.w.limits.buffered_max = gw.w.limits.buffered;
	answer(lane, 200, "Content-Type: application/json\r\n", MESSAGE);
	gw_read("too large");
	expect("HTTP/1.1 502");
}

// What is translated counts, be it whole, of a stream, or not yet taken by the client.
static void
test_memory_is_counted(void **state)
{
	(void)state;
	to_messages(0);
	uint64_t lane = ask(ASK);
	gw.w.limits.buffered_max = gw.w.limits.buffered + strlen(MESSAGE);
	answer(lane, 200, "Content-Type: application/json\r\n", MESSAGE);
	gw_read("as many answers as it can");
	expect("HTTP/1.1 503");
	gw_settle();
	gw.w.limits.buffered_max = 1U << 30;
	lane = ask(ASK_STREAM);
	gw.w.limits.buffered_max = gw.w.limits.buffered;
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, START);
	gw_read("as many answers as it can");
	expect("HTTP/1.1 503");
	gw_settle();
	assert_int_equal(gw.w.limits.buffered, 0);
}

// --- errors --------------------------------------------------------------------------

static void
test_errors(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		const char *headers, *body, *want, *code, *text;
	} c[] = {
	    {400, "",
		"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
		"\"message\":\"bad thing\"}}",
		"HTTP/1.1 400", "\"code\":\"invalid_request\"", "bad thing"},
	    {404, "",
		"{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"nn\"}}",
		"HTTP/1.1 404", "\"code\":\"model_not_found\"", "nn"},
	    {429, "retry-after: 7\r\n",
		"{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"rr\"}}",
		"HTTP/1.1 429", "\"code\":\"rate_limit_exceeded\"", "retry-after: 7"},
	    {400, "",
		"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
		"\"message\":\"Your credit balance is too low to access\"}}",
		"HTTP/1.1 429", "\"code\":\"insufficient_quota\"", "x-should-retry: false"},
	    {529, "x-should-retry: true\r\n",
		"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"o\"}}",
		"HTTP/1.1 503", "\"code\":\"provider_overloaded\"", "x-should-retry: true"},
	    {500, "", "<html>", "HTTP/1.1 500", "\"code\":\"provider_error\"", "\"param\":null"},
	    {413, "",
		"{\"type\":\"error\",\"error\":{\"type\":\"request_too_large\",\"message\":\"L\"}}",
		"HTTP/1.1 413", "\"code\":\"invalid_request\"", "\"L\""},
	};
	to_messages(0);
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		uint64_t lane = ask(ASK);
		answer(lane, c[i].status, c[i].headers, c[i].body);
		gw_read("\"error\"");
		expect(c[i].want);
		expect(c[i].code);
		expect(c[i].text);
		expect_not("\"type\":\"error\"");
		assert_int_equal(gw_wait(MSG_APPEND)->a, RESULT_FAILED);
		assert_false(gw_lane(lane)->closed); // the connection was fine
	}
	assert_int_equal(gw.lane_count, 1);
	uint64_t lane = ask(ASK);
	answer(lane, 401, "",
	    "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\","
	    "\"message\":\"invalid x-api-key sk-ant-secret\"}}");
	gw_read("provider_auth_failed");
	expect("HTTP/1.1 502");
	expect_not("secret");
}

static void
test_cannot_be_translated(void **state)
{
	(void)state;
	static const char *const bodies[] = {
	    "{\"model\":\"m\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}",
	    "{\"model\":\"m\",\"max_tokens\":1,\"max_tokens\":2,\"messages\":[]}",
	    "{\"model\":\"m\",\"messages\":7}",
	};
	to_messages(0);
	for (int pipelined = 0; pipelined < 2; pipelined++) {
		size_t uses = gw_count(MSG_USE);
		for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
			clear();
			gw_post(bodies[i]);
			gw_read("\"error\"");
			expect("HTTP/1.1 400");
			expect("x-should-retry: false");
			expect_not("connection: close");
		}
		char deep[1200] = "{\"model\":\"m\",\"x\":";
		size_t n = strlen(deep);
		memset(deep + n, '[', 200);
		memset(deep + n + 200, ']', 200);
		deep[n + 400] = '}';
		clear();
		gw_post(deep);
		gw_read("invalid_json");
		memset(deep + n, '9', 1100); // a number without end
		deep[n + 1100] = '}';
		clear();
		gw_post(deep);
		gw_read("invalid_json");
		gw_settle();
		assert_int_equal(gw_count(MSG_USE), uses);
		assert_int_equal(gw_count(MSG_APPEND), (size_t)pipelined);
		// The connections to client and provider serve on.
		uint64_t lane = ask(ASK);
		answer(lane, 200, "Content-Type: application/json\r\n", MESSAGE);
		gw_read("\"total_tokens\":10");
		gw_settle();
	}
	assert_int_equal(gw.lane_count, 1);
}

// --- streams -------------------------------------------------------------------------

static void
test_stream(void **state)
{
	(void)state;
	to_messages(0);
	uint64_t lane = ask(ASK_STREAM);
	assert_non_null(strstr(gw_lane(lane)->text, "\"stream\":true"));
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, START);
	gw_settle();
	assert_int_equal(read(gw.client, gw.answer, 1), -1); // no content yet: nothing leaves
	chunk(lane, DELTA);
	gw_read("\"content\":\"hello\"");
	expect("HTTP/1.1 200");
	expect("\r\ncontent-type: text/event-stream\r\n");
	expect("\r\nx-request-id: req_up\r\n");
	expect("\"role\":\"assistant\"");
	chunk(lane, STOP);
	gw_plain(lane, "0\r\n\r\n");
	gw_read("\r\n0\r\n\r\n");
	expect("data: [DONE]\n\n");
	expect("\"finish_reason\":\"stop\"");
	expect_not("event:");
	assert_int_equal(gw_wait(MSG_APPEND)->a, RESULT_OK);
	e = gw_wait(MSG_SETTLE);
	assert_int_equal(e->tokens_in, 7);
	assert_int_equal(e->tokens_out, 3);
	gw_settle();
	assert_false(gw_lane(lane)->closed);
}

static void
test_stream_error_after_content(void **state)
{
	(void)state;
	to_messages(0);
	gw.attempts = 2; // there would be another, but content was seen
	uint64_t lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, START DELTA);
	gw_read("hello");
	chunk(lane, FAULT);
	gw_read("\r\n0\r\n\r\n");
	expect("data: {\"error\":{\"message\":\"Overloaded\"");
	expect_not("[DONE]");
	expect_not("finish_reason\":\"stop");
	e = gw_wait(MSG_APPEND);
	assert_int_equal(e->a, RESULT_FAILED);
	assert_string_equal(e->text, "overloaded_error");
	assert_int_equal(gw_count(MSG_USE), 1);
}

static void
test_stream_cut(void **state)
{
	(void)state;
	to_messages(0);
	for (int how = 0; how < 4; how++) {
		gw_connect_client();
		uint64_t lane = ask(ASK_STREAM);
		gw_plain(lane, STREAM_HEAD);
		chunk(lane, START DELTA);
		gw_read("hello");
		if (how == 0)
			gw_plain(lane, "0\r\n\r\n"); // clean by its framing, not by its API
		else if (how == 1)
			gw_lane_closed(lane, LANE_TRUNCATED);
		else if (how == 2)
			gw_lane_closed(lane, LANE_UPSTREAM_EOF);
		else
			chunk(lane, "data: {\"type\":\n\n");
		gw_read("data: {\"error\":");
		expect_not("[DONE]");
		expect_not("finish_reason\":\"");
		if (how < 3) {
			gw_read(NULL); // the end without the last chunk
			expect_not("\r\n0\r\n\r\n");
			expect("stream_truncated");
		}
		e = gw_wait(MSG_APPEND);
		assert_int_equal(e->a, RESULT_FAILED);
		assert_int_equal(gw_wait(MSG_SETTLE)->tokens_in, 7);
	}
}

// A model that thinks for long: comments, then the answer.
static void
test_heartbeat(void **state)
{
	(void)state;
	to_messages(0);
	gw.attempts = 2;
	((struct config *)(uintptr_t)gw.w.config)->limits.heartbeat_s = 1;
	uint64_t lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, START);
	gw_read(": keep-alive\n\n\r\n");
	expect("HTTP/1.1 200");
	expect("\"role\":\"assistant\""); // what was kept back goes first
	gw_read("\n\n\r\ne\r\n: keep-alive\n\n\r\ne\r\n: keep-alive\n\n"); // and again
	chunk(lane, FAULT); // too late for another attempt
	gw_read("\r\n0\r\n\r\n");
	expect("data: {\"error\":{\"message\":\"Overloaded\"");
	gw_settle();
	assert_int_equal(gw_count(MSG_USE), 1);
	gw.attempts = 1;
	lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, START DELTA);
	gw_read("hello");
	gw_read("hello\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n\r\ne\r\n: keep-alive");
	chunk(lane, STOP);
	gw_plain(lane, "0\r\n\r\n");
	gw_read("[DONE]");
	assert_int_equal(gw_count(MSG_APPEND), 2);
	// A native stream is left alone.
	memset(gw.way, 0, sizeof(gw.way));
	gw.way[0].model = "m2";
	gw_connect_client();
	lane = ask("{\"model\":\"m2\",\"stream\":true}");
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, "data: {\"a\":1}\n\n");
	gw_read("{\"a\":1}");
	for (int i = 0; i < 1300; i++) {
		gw_turn();
		usleep(1000);
	}
	char byte;
	assert_int_equal(read(gw.client, &byte, 1), -1);
}

static void
test_client_leaves(void **state)
{
	(void)state;
	to_messages(0);
	uint64_t lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, START DELTA);
	gw_read("hello");
	close(gw.client);
	gw.client = -1;
	e = gw_wait(MSG_APPEND);
	assert_string_equal(e->text, "client_closed");
	e = gw_wait(MSG_SETTLE);
	assert_int_equal(e->a, 499);
	assert_int_equal(e->tokens_in, 7);
	gw_settle();
	assert_true(gw_lane(lane)->closed);
	gw_connect_client();
}

// The client reads nothing: the provider's window is not granted again.
static void
test_back_pressure(void **state)
{
	(void)state;
	to_messages(0);
	uint64_t lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, START);
	size_t sent = 0;
	for (int i = 0; i < 20000 && gw_lane(lane)->plain_window > 2048; i++) {
		chunk(lane, DELTA);
		sent++;
		gw_turn();
	}
	gw_settle();
	assert_true(gw_lane(lane)->plain_window <= 2048); // it came to a stop
	assert_true(sent < 19000);
	size_t seen = 0;
	while (seen < sent) {
		gw.answer_len = 0;
		gw_read("hello");
		for (const char *p = gw.answer; (p = strstr(p, "\"hello\"")) != NULL; p++)
			seen++;
		if (seen + 1 >= sent)
			break;
	}
	gw_settle();
	assert_true(gw_lane(lane)->plain_window > 2048);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, gw_setup, gw_teardown)
	const struct CMUnitTest tests[] = {T(test_whole), T(test_renamed), T(test_azure),
	    T(test_dropped_and_strict), T(test_broken_whole), T(test_too_large),
	    T(test_memory_is_counted), T(test_errors), T(test_cannot_be_translated), T(test_stream),
	    T(test_stream_error_after_content), T(test_stream_cut), T(test_heartbeat),
	    T(test_client_leaves), T(test_back_pressure)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
