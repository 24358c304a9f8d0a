// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Answers and flow control through a whole worker: further attempts of a plan, big
// bodies, slow clients, lanes that are out of step.
#include "tests/unit/gw_fixture.h"

static struct gw_event *e;

// One plain request from start to end on whatever lane; returns its lane.
static uint64_t
serve_one(void)
{
	gw.answer_len = 0;
	gw.event_seen = gw.event_count;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	uint64_t lane = e->b;
	gw_plain(lane, GW_ANSWER);
	gw_read("{\"answer\":42}");
	e = gw_wait(MSG_APPEND);
	assert_int_equal(e->a, RESULT_OK);
	return lane;
}

#define LIMITED                                                                                    \
	"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 3\r\n"   \
	"Content-Length: 28\r\n\r\n{\"error\":{\"code\":\"too_many\"}}"

static void
test_fallback(void **state)
{
	(void)state;
	gw.attempts = 2;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	uint64_t id = e->id;
	gw_plain(e->b, LIMITED);
	e = gw_wait(MSG_USE);
	assert_int_equal(e->id, id);
	assert_int_equal(e->a, 1);
	assert_int_equal(e->c, 429); // the vault hears why
	gw_plain(e->b, GW_ANSWER);
	const char *answer = gw_read("{\"answer\":42}");
	assert_null(strstr(answer, "too_many"));
	gw_settle();
	assert_int_equal(gw_count(MSG_APPEND), 2);
	assert_int_equal(gw_count(MSG_SETTLE), 2);
}

static void
test_fallback_refused(void **state)
{
	(void)state;
	gw.attempts = 2;
	gw.auto_go = false;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	gw_go(e->id, 0);
	gw_settle();
	gw_plain(e->b, LIMITED);
	e = gw_wait(MSG_USE);
	gw_deny(e->id, 403, "credential_disabled");
	const char *answer = gw_read("too_many"); // the provider's own words
	assert_non_null(strstr(answer, "HTTP/1.1 429"));
	assert_non_null(
	    strstr(answer, "retry-after: 3") != NULL ? answer : strstr(answer, "Retry-After: 3"));
	gw_settle();
	assert_int_equal(gw_count(MSG_APPEND), 1);
}

// The sealer's answer and the vault's GO come on different channels: a fast provider is
// heard first. Another attempt follows all the same, once the use has its number.
static void
test_answer_overtakes_go(void **state)
{
	(void)state;
	const char *const first[] = {LIMITED, "SSH-2.0-OpenSSH\r\n\r\n"};
	gw.attempts = 2;
	gw.auto_go = false;
	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		gw.answer_len = 0;
		gw.event_seen = gw.event_count;
		gw_post(GW_BODY);
		e = gw_wait(MSG_USE);
		uint64_t id = e->id;
		gw_plain(e->b, first[i]);
		gw_settle();
		assert_int_equal(gw.answer_len, 0);
		uint64_t seq = gw_go(id, 0);
		e = gw_wait(MSG_APPEND); // the record of the first one
		assert_int_equal(e->b, seq);
		gw.event_seen = 0;
		do
			e = gw_wait(MSG_USE);
		while (e->id != id || e->a != 1);
		assert_int_equal(e->c, i == 0 ? 429 : 502);
		gw_go(id, 1);
		gw_settle();
		gw_plain(e->b, GW_ANSWER);
		gw_read("{\"answer\":42}");
		gw_settle();
		assert_int_equal(gw_count(MSG_APPEND), 2 * (i + 1));
	}
}

static void
test_answer_overtakes_what_never_comes(void **state)
{
	(void)state;
	gw.attempts = 2;
	gw.auto_go = false;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	gw_plain(e->b, LIMITED);
	gw_settle();
	event_del(gw.listen_vault);
	link_free(gw.vault);
	gw.vault = NULL;
	gw_read("too_many"); // what there is
	event_add(gw.listen_vault, NULL);
	for (int i = 0; i < 1000 && !vault_up(gw.w.vault); i++) {
		gw_turn();
		usleep(1000);
	}
	gw.answer_len = 0;
	gw.event_seen = gw.event_count;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	uint64_t id = e->id;
	gw_plain(e->b, LIMITED);
	gw_settle();
	close(gw.client); // and nobody to serve any more
	gw.client = -1;
	gw_settle();
	gw_go(id, 0);
	e = gw_wait(MSG_APPEND);
	assert_string_equal(e->text, "client_closed");
	assert_true(TAILQ_EMPTY(&gw.w.exchanges));
}

static void
test_no_fallback_for_client_faults(void **state)
{
	(void)state;
	gw.attempts = 2;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	gw_plain(e->b, "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}");
	gw_read("HTTP/1.1 400");
	gw_settle();
	assert_int_equal(gw_count(MSG_USE), 1);
}

#define WRONG_KEY                                                                                  \
	"{\"error\":{\"code\":400,\"message\":\"API key not valid: AIzaXYZ\",\"status\":"          \
	"\"INVALID_ARGUMENT\",\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}"

// Gemini says 400 where others say 401: the client must not take it for its own fault,
// nor read what the provider says about the company's key.
static void
test_key_refused_with_400(void **state)
{
	(void)state;
	char head[128];
	for (int i = 0; i < 2; i++) {
		const char *body =
		    i == 0 ? WRONG_KEY : "{\"error\":{\"status\":\"INVALID_ARGUMENT\"}}";
		gw.kind = PROVIDER_GEMINI;
		gw.answer_len = 0;
		gw_post(GW_BODY);
		e = gw_wait(MSG_USE);
		snprintf(head, sizeof(head),
		    "HTTP/1.1 400 Bad Request\r\nContent-Length: %zu\r\n\r\n", strlen(body));
		gw_plain(e->b, head);
		gw_plain(e->b, body);
		const char *answer = gw_read(i == 0 ? "provider_auth_failed" : "INVALID_ARGUMENT");
		assert_non_null(strstr(answer, i == 0 ? "HTTP/1.1 502" : "HTTP/1.1 400"));
		assert_null(strstr(answer, "AIzaXYZ"));
		gw_settle();
	}
}

static void
test_big_body_keeps_to_the_window(void **state)
{
	(void)state;
	gw.grant_body = false;
	size_t len = 1000000;
	char *body = malloc(len + 1);
	memset(body, ' ', len);
	memcpy(body, GW_BODY, strlen(GW_BODY));
	body[len] = '\0';
	gw_post(body);
	free(body);
	e = gw_wait(MSG_USE);
	struct gw_lane *l = gw_lane(e->b);
	while (l->body < len) {
		gw_settle();
		assert_int_equal(l->body_window, l->body == len ? l->body_window : 0);
		size_t step = LANE_WINDOW / 2;
		l->body_window += step;
		gw_credit(l->id, CREDIT_BODY, step);
	}
	assert_int_equal(l->body, len);
	assert_int_equal(gw.w.limits.buffered, 0); // sent for good: not kept
	gw_plain(l->id, GW_ANSWER);
	gw_read("{\"answer\":42}");
}

static void
test_slow_client_holds_the_provider_back(void **state)
{
	(void)state;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	struct gw_lane *l = gw_lane(e->b);
	gw_plain(l->id, "HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n");
	static char block[16385];
	memset(block, 'x', sizeof(block) - 1);
	size_t sent = 0;
	for (int idle = 0; idle < 5;) {
		if (l->plain_window >= sizeof(block) - 1) {
			gw_plain(l->id, block);
			sent += sizeof(block) - 1;
			idle = 0;
		} else {
			idle++;
		}
		gw_settle();
	}
	// What the socket takes, one window, and what the gateway buffers: no more.
	assert_in_range(sent, LANE_WINDOW, 1200000);
	size_t got = 0;
	for (int i = 0; i < 20000 && got < 3000000; i++) {
		char buf[65536];
		ssize_t n = read(gw.client, buf, sizeof(buf));
		got += n > 0 ? (size_t)n : 0;
		gw_turn();
		if (l->plain_window >= sizeof(block) - 1)
			gw_plain(l->id, block);
	}
	assert_true(got >= 3000000); // it goes on as soon as the client reads
}

static void
test_early_answer_closes_the_lane(void **state)
{
	(void)state;
	gw.grant_body = false;
	size_t len = 300000;
	char *body = malloc(len + 1);
	memset(body, ' ', len);
	memcpy(body, GW_BODY, strlen(GW_BODY));
	body[len] = '\0';
	gw_post(body);
	free(body);
	e = gw_wait(MSG_USE);
	gw_settle();
	gw_plain(e->b, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}");
	gw_read("HTTP/1.1 413");
	gw_settle();
	assert_true(gw_lane(e->b)->closed); // half a request is in it
}

static void
test_surplus_answer_bytes(void **state)
{
	(void)state;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	gw_settle();
	gw_plain(e->b, GW_ANSWER "HTTP/1.1 200 OK\r\n");
	gw_read("{\"answer\":42}");
	gw_settle();
	assert_true(gw_lane(e->b)->closed); // out of step: never used again
	uint64_t lane = serve_one();
	gw_plain(lane, "x"); // unasked, while idle
	gw_settle();
	assert_true(gw_lane(lane)->closed);
}

static void
test_no_stream_where_one_was_asked(void **state)
{
	(void)state;
	gw_post(GW_STREAM);
	e = gw_wait(MSG_USE);
	gw_plain(e->b, GW_ANSWER);
	const char *answer = gw_read("provider_bad_stream");
	assert_non_null(strstr(answer, "HTTP/1.1 502"));
	assert_null(strstr(answer, "\"answer\"")); // its number may be in a request id
	gw_settle();
	assert_int_equal(gw_count(MSG_APPEND), 1);
}

static void
test_answer_began_then_lane_died(void **state)
{
	(void)state;
	uint64_t lane = serve_one();
	gw.answer_len = 0;
	gw_post(GW_STREAM);
	gw_wait(MSG_USE);
	gw_plain(lane, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		       "Transfer-Encoding: chunked\r\n\r\nc\r\ndata: {\"a\"");
	gw_settle();
	gw_lane_closed(lane, LANE_TRUNCATED);
	const char *answer = gw_read(NULL);
	assert_non_null(strstr(answer, "stream_truncated"));
	assert_null(strstr(answer, "{\"a\"")); // half an event never leaves
	assert_null(strstr(answer, "0\r\n\r\n"));
	assert_int_equal(gw_count(MSG_AUTHORIZE), 2); // and nothing is repeated
}

static void
test_many_leave_while_waiting(void **state)
{
	(void)state;
	int clients[10];
	gw.ready_lanes = false;
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		gw.client = -1; // the last one stays open
		gw_connect_client();
		gw_post(GW_BODY);
		clients[i] = gw.client;
	}
	gw_settle();
	assert_int_equal(gw.lane_count, 10);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		close(clients[i]);
	gw.client = -1;
	gw_settle();
	assert_int_equal(gw_count(MSG_LANE_CLOSE), 9); // one is kept for the next
	gw_connect_client();
	gw.ready_lanes = true;
	for (size_t i = 0; i < gw.lane_count; i++)
		if (!gw.lane[i].closed)
			link_send(
			    gw.lane[i].link, MSG_LANE_READY, gw.lane[i].id, &(struct msg_empty){0});
	serve_one();
	assert_int_equal(gw.lane_count, 10);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, gw_setup, gw_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_many_leave_while_waiting),
	    TEST(test_answer_began_then_lane_died),
	    TEST(test_no_stream_where_one_was_asked),
	    TEST(test_fallback),
	    TEST(test_fallback_refused),
	    TEST(test_answer_overtakes_go),
	    TEST(test_answer_overtakes_what_never_comes),
	    TEST(test_no_fallback_for_client_faults),
	    TEST(test_key_refused_with_400),
	    TEST(test_big_body_keeps_to_the_window),
	    TEST(test_slow_client_holds_the_provider_back),
	    TEST(test_early_answer_closes_the_lane),
	    TEST(test_surplus_answer_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
