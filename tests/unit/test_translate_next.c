// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Plans with several attempts of which some are translated: who serves when one fails, and
// that nothing of a failed one reaches the client.
#include "tests/unit/translate_fixture.h"

static void
test_next_is_native(void **state)
{
	(void)state;
	to_messages(0);
	gw.attempts = 2;
	for (int how = 0; how < 5; how++) {
		gw_connect_client();
		uint64_t lane = ask(ASK_STREAM);
		assert_int_equal(e->op, OP_ANTHROPIC_MESSAGES);
		if (how == 0) {
			answer(lane, 529, "",
			    "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}");
		} else {
			gw_plain(lane, STREAM_HEAD);
			chunk(lane, START); // lifecycle events only
		}
		if (how == 1)
			chunk(lane, FAULT);
		else if (how == 2)
			gw_plain(lane, "0\r\n\r\n");
		else if (how == 3)
			gw_lane_closed(lane, LANE_TRUNCATED);
		else if (how == 4)
			chunk(lane, "data: {\"type\":\n\n");
		e = gw_wait(MSG_USE);
		assert_int_equal(e->a, 1);
		assert_int_equal(e->op, OP_OPENAI_CHAT);
		assert_true(e->c >= 500);
		gw_settle();
		assert_string_equal(gw_lane(e->b)->text, ASK_STREAM);
		lane = e->b;
		gw_plain(lane, STREAM_HEAD);
		chunk(lane, "data: {\"native\":1}\n\ndata: [DONE]\n\n");
		gw_plain(lane, "0\r\n\r\n");
		gw_read("[DONE]");
		expect("HTTP/1.1 200");
		expect_not("msg_1");
		expect_not("\"error\"");
		gw_settle();
		assert_int_equal(gw_count(MSG_APPEND), 2 * (size_t)(how + 1));
	}
}

static void
test_next_is_translated(void **state)
{
	(void)state;
	to_messages(1);
	gw.attempts = 2;
	uint64_t lane = ask(ASK);
	assert_int_equal(e->op, OP_OPENAI_CHAT);
	assert_string_equal(gw_lane(lane)->text, ASK);
	answer(lane, 503, "", "{\"error\":{\"message\":\"down\"}}");
	e = gw_wait(MSG_USE);
	assert_int_equal(e->op, OP_ANTHROPIC_MESSAGES);
	gw_settle();
	assert_non_null(strstr(gw_lane(e->b)->text, "claude-x"));
	answer(e->b, 200, "Content-Type: application/json\r\n", MESSAGE);
	gw_read("\"total_tokens\":10");
	expect("HTTP/1.1 200");
	expect_not("down");
}

// An error that overtakes GO leads to the next attempt all the same.
static void
test_error_before_go(void **state)
{
	(void)state;
	for (int lost = 0; lost < 2; lost++) {
		memset(gw.way, 0, sizeof(gw.way));
		to_messages(1);
		gw.attempts = 2;
		gw.auto_go = false;
		clear();
		gw_post(ASK);
		e = gw_wait(MSG_USE);
		uint64_t id = e->id;
		gw_settle();
		answer(e->b, 529, "", "{\"error\":{\"message\":\"down\"}}");
		gw_settle();
		assert_int_equal(gw_count(MSG_USE), (size_t)lost * 2 + 1);
		assert_int_equal(
		    read(gw.client, gw.answer, 1), -1); // neither answer nor attempt yet
		if (lost) {
			link_free(gw.vault);
			gw.vault = NULL;
			gw_read("down");
			return;
		}
		gw_go(id, 0);
		e = gw_wait(MSG_USE);
		assert_int_equal(e->a, 1);
		assert_int_equal(e->op, OP_ANTHROPIC_MESSAGES);
		gw_go(id, 1);
		gw_settle();
		answer(e->b, 200, "Content-Type: application/json\r\n", MESSAGE);
		gw_read("\"total_tokens\":10");
		gw_settle();
		assert_int_equal(gw_count(MSG_APPEND), 2);
	}
}

// The next attempt cannot serve this request: the client gets the answer of the last one.
static void
test_next_cannot_be_translated(void **state)
{
	(void)state;
	to_messages(1);
	gw.attempts = 2;
	uint64_t lane =
	    ask("{\"model\":\"m\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}");
	answer(lane, 503, "", "{\"error\":{\"message\":\"down\"}}");
	gw_read("down");
	expect("HTTP/1.1 503");
	assert_int_equal(gw_count(MSG_USE), 1);
}

static void
test_held_error_is_given(void **state)
{
	(void)state;
	to_messages(0);
	gw.attempts = 2;
	gw.auto_go = false;
	clear();
	gw_post(ASK);
	e = gw_wait(MSG_USE);
	uint64_t id = e->id;
	gw_go(id, 0);
	gw_settle();
	answer(e->b, 529, "",
	    "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"oo\"}}");
	e = gw_wait(MSG_USE);
	assert_int_equal(e->a, 1);
	gw_deny(id, 429, "rate_limited");
	gw_read("\"oo\"");
	expect("HTTP/1.1 503");
	expect("provider_overloaded");
}

// The next attempt's connection ends before GO: the client gets the error that was kept, and
// the connection's end is none of that answer.
static void
test_held_error_and_a_closed_lane(void **state)
{
	(void)state;
	to_messages(0);
	to_messages(1);
	gw.attempts = 2;
	gw.auto_go = false;
	for (int how = 0; how < 4; how++) {
		gw_connect_client();
		clear();
		gw_post(how % 2 == 0 ? ASK_STREAM : ASK);
		e = gw_wait(MSG_USE);
		uint64_t id = e->id;
		gw_go(id, 0);
		gw_settle();
		if (how % 2 == 0)
			gw_plain(e->b, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				       "Connection: close\r\n\r\n" START FAULT);
		else
			answer(e->b, 200, "Content-Type: application/json\r\n", "[]");
		e = gw_wait(MSG_USE);
		assert_int_equal(e->a, 1);
		gw_lane_closed(e->b, LANE_UPSTREAM_EOF);
		gw_settle();
		assert_int_equal(read(gw.client, gw.answer, 1), -1);
		if (how < 2)
			gw_go(id, 1);
		else
			gw_deny(id, 429, "rate_limited");
		gw_read("\"error\"");
		expect(how % 2 == 0 ? "HTTP/1.1 503" : "HTTP/1.1 502");
		expect_not("provider_closed");
		gw_settle();
	}
	assert_int_equal(gw_count(MSG_APPEND), 2 + 2 + 1 + 1);
}

// The plan says otherwise than the cached one that USE went ahead with.
static void
test_plan_changed(void **state)
{
	(void)state;
	to_messages(0);
	uint64_t lane = ask(ASK);
	answer(lane, 200, "Content-Type: application/json\r\n", MESSAGE);
	gw_read("\"total_tokens\":10");
	gw_settle();
	gw.auto_plan = gw.auto_go = false;
	clear();
	gw_post(ASK);
	uint64_t id = gw_wait(MSG_AUTHORIZE)->id;
	gw_wait(MSG_USE);
	memset(gw.way, 0, sizeof(gw.way));
	gw.way[0].model = "gpt-new";
	gw_plan(id, 1);
	gw.auto_plan = gw.auto_go = true;
	gw_deny(id, 403, "operation_not_allowed");
	gw_wait(MSG_AUTHORIZE); // anew
	e = gw_wait(MSG_USE);
	assert_int_equal(e->op, OP_OPENAI_CHAT);
	gw_settle();
	assert_non_null(strstr(gw_lane(e->b)->text, "gpt-new"));
	gw_plain(e->b, GW_ANSWER);
	gw_read("{\"answer\":42}");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, gw_setup, gw_teardown)
	const struct CMUnitTest tests[] = {T(test_next_is_native), T(test_next_is_translated),
	    T(test_error_before_go), T(test_next_cannot_be_translated), T(test_held_error_is_given),
	    T(test_held_error_and_a_closed_lane), T(test_plan_changed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
