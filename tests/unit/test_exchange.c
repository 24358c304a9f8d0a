// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// The course of requests through a whole worker, with stand-ins for its peers: what
// is sent to whom in which order, and what every fault on the way becomes.
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

static void
test_first_request(void **state)
{
	(void)state;
	gw.auto_plan = gw.auto_go = gw.ready_lanes = false;
	gw_post(GW_BODY);
	e = gw_wait(MSG_AUTHORIZE);
	assert_string_equal(e->text, "m");
	uint64_t id = e->id;
	gw_settle();
	assert_int_equal(gw.lane_count, 0); // nothing is opened before the vault agreed
	gw_plan(id, 1);
	uint64_t lane = gw_wait(MSG_LANE_OPEN)->id;
	gw_settle();
	assert_int_equal(gw_count(MSG_USE), 0);
	assert_int_equal(gw.provider_count, 1); // TCP was connected meanwhile
	link_send(gw_lane(lane)->link, MSG_LANE_READY, lane, &(struct msg_empty){0});
	e = gw_wait(MSG_USE);
	assert_int_equal(e->id, id);
	assert_int_equal(e->a, 0);
	assert_int_equal(e->b, lane);
	gw_settle();
	assert_int_equal(gw_lane(lane)->body, strlen(GW_BODY));
	uint64_t seq = gw_go(id, 0);
	gw_plain(lane, GW_ANSWER);
	const char *answer = gw_read("{\"answer\":42}");
	assert_non_null(strstr(answer, "HTTP/1.1 200"));
	e = gw_wait(MSG_APPEND);
	assert_int_equal(e->b, seq);
	assert_int_equal(e->c, 200);
	gw_wait(MSG_SETTLE);
	assert_false(gw_lane(lane)->closed);
}

static void
test_second_request_is_pipelined(void **state)
{
	(void)state;
	uint64_t lane = serve_one();
	gw.auto_plan = gw.auto_go = false;
	gw_post(GW_BODY);
	uint64_t id = gw_wait(MSG_AUTHORIZE)->id;
	e = gw_wait(MSG_USE); // without a PLAN
	assert_int_equal(e->id, id);
	assert_int_equal(e->b, lane);
	gw_settle();
	assert_int_equal(gw_lane(lane)->body, 2 * strlen(GW_BODY));
	gw_plan(id, 1);
	// The answer may overtake GO: it is passed on, and the record waits for GO.
	gw.answer_len = 0;
	gw_plain(lane, GW_ANSWER);
	gw_read("{\"answer\":42}");
	gw_settle();
	assert_int_equal(gw_count(MSG_APPEND), 1);
	uint64_t seq = gw_go(id, 0);
	assert_int_equal(gw_wait(MSG_APPEND)->b, seq);
}

static void
test_denied(void **state)
{
	(void)state;
	gw.auto_plan = false;
	gw_post(GW_BODY);
	gw_deny(gw_wait(MSG_AUTHORIZE)->id, 403, "model_not_allowed");
	const char *answer = gw_read("said the vault");
	assert_non_null(strstr(answer, "HTTP/1.1 403"));
	assert_non_null(strstr(answer, "x-should-retry: false"));
	assert_non_null(strstr(answer, "\"code\":\"model_not_allowed\""));
	assert_int_equal(gw_count(MSG_APPEND), 0); // the key was not used
	gw.auto_plan = true;
	serve_one(); // on the same connection
}

// A key that is revoked while its plan is cached: the pipelined USE comes to nothing.
static void
test_denied_when_pipelined(void **state)
{
	(void)state;
	uint64_t lane = serve_one();
	gw.auto_plan = gw.auto_go = false;
	gw.answer_len = 0;
	gw_post(GW_BODY);
	uint64_t id = gw_wait(MSG_AUTHORIZE)->id;
	gw_wait(MSG_USE);
	gw_deny(id, 401, "key_revoked");
	gw_deny(id, 409, "no_plan"); // the vault's answer to USE
	gw_read("said the vault");
	gw_settle();
	assert_true(gw_lane(lane)->closed); // it holds a body that nobody will seal
	gw.auto_plan = gw.auto_go = true;
	size_t uses = gw_count(MSG_USE);
	gw.auto_plan = false;
	gw_post(GW_BODY);
	id = gw_wait(MSG_AUTHORIZE)->id;
	gw_settle();
	assert_int_equal(gw_count(MSG_USE), uses); // the plan is forgotten
	gw_deny(id, 401, "key_revoked");
	gw_settle();
}

static void
test_use_denied_costs_one_lane_only(void **state)
{
	(void)state;
	serve_one();
	gw.auto_go = false;
	for (int i = 0; i < 5; i++) {
		gw.answer_len = 0;
		gw_post(GW_BODY);
		gw_deny(gw_wait(MSG_USE)->id, 429, "rate_limited");
		gw_read("HTTP/1.1 429");
		gw_read("said the vault");
	}
	// The first refusal closed the lane with the body; since then bodies wait for GO.
	assert_int_equal(gw.lane_count, 2);
	assert_int_equal(gw_lane(2)->body, 0);
	gw.auto_go = true;
	assert_int_equal(serve_one(), 2);
	assert_int_equal(gw_lane(2)->body, strlen(GW_BODY));
}

static void
test_lane_mismatch_is_tried_again(void **state)
{
	(void)state;
	gw.auto_go = false;
	gw_post(GW_BODY);
	for (int i = 0; i < 3; i++)
		gw_deny(gw_wait(MSG_USE)->id, 409, "lane_mismatch");
	e = gw_wait(MSG_USE);
	gw_go(e->id, 0);
	gw_plain(e->b, GW_ANSWER);
	gw_read("{\"answer\":42}");
	gw_settle();
	assert_int_equal(gw_lane(e->b)->body, strlen(GW_BODY)); // sent once
}

static void
test_plan_changed_credential(void **state)
{
	(void)state;
	uint64_t lane = serve_one();
	gw.auto_plan = gw.auto_go = false;
	gw.answer_len = 0;
	gw_post(GW_BODY);
	uint64_t id = gw_wait(MSG_AUTHORIZE)->id;
	gw_wait(MSG_USE);
	gw_plan(id, 7); // another credential now
	gw_deny(id, 409, "lane_mismatch");
	e = gw_wait(MSG_USE);
	assert_int_equal(e->id, id);
	assert_int_not_equal(e->b, lane);
	gw_go(id, 0);
	gw_plain(e->b, GW_ANSWER);
	gw_read("{\"answer\":42}");
	gw_settle();
	assert_true(gw_lane(lane)->closed);
}

static void
test_kept_lane_died(void **state)
{
	(void)state;
	uint64_t lane = serve_one();
	uint64_t first = gw.event[gw.event_seen - 1].b;
	gw.answer_len = 0;
	gw_post(GW_BODY);
	uint64_t id = gw_wait(MSG_USE)->id;
	gw_settle();
	gw_lane_closed(lane, LANE_UPSTREAM_EOF);
	e = gw_wait(MSG_AUTHORIZE);
	assert_true(e->id > id); // authorized anew
	e = gw_wait(MSG_USE);
	assert_int_not_equal(e->b, lane);
	gw_plain(e->b, GW_ANSWER);
	gw_read("{\"answer\":42}");
	gw_settle();
	assert_int_equal(gw_count(MSG_APPEND), 3); // each GO has its record
	size_t failed = 0;
	for (size_t i = 0; i < gw.event_count; i++)
		failed += gw.event[i].type == MSG_APPEND && gw.event[i].a == RESULT_FAILED &&
			  gw.event[i].b == first + 1;
	assert_int_equal(failed, 1);
}

static void
test_fresh_lane_died(void **state)
{
	(void)state;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	gw_settle();
	gw_lane_closed(e->b, LANE_UPSTREAM_EOF);
	const char *answer = gw_read("provider_closed");
	assert_non_null(strstr(answer, "HTTP/1.1 502"));
	e = gw_wait(MSG_APPEND);
	assert_int_equal(e->a, RESULT_FAILED);
	assert_string_equal(e->text, "provider_closed");
	assert_int_equal(gw_count(MSG_AUTHORIZE), 1); // no second try
}

static void
test_client_leaves(void **state)
{
	(void)state;
	gw_post(GW_STREAM);
	e = gw_wait(MSG_USE);
	uint64_t lane = e->b;
	gw_plain(lane, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		       "Transfer-Encoding: chunked\r\n\r\na\r\ndata: {}\n\n\r\n");
	gw_read("data: {}");
	gw_settle();
	close(gw.client);
	gw.client = -1;
	gw_wait(MSG_LANE_CLOSE);
	e = gw_wait(MSG_APPEND);
	assert_int_equal(e->a, RESULT_FAILED);
	assert_string_equal(e->text, "client_closed");
	assert_int_equal(e->c, 200); // the status it was given
	assert_true(TAILQ_EMPTY(&gw.w.exchanges));
	assert_true(TAILQ_EMPTY(&gw.w.clients));
}

static void
test_client_leaves_before_go(void **state)
{
	(void)state;
	gw.auto_go = false;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	uint64_t id = e->id;
	close(gw.client);
	gw.client = -1;
	gw_wait(MSG_LANE_CLOSE);
	gw_settle();
	assert_int_equal(gw_count(MSG_APPEND), 0);
	uint64_t seq = gw_go(id, 0);
	e = gw_wait(MSG_APPEND); // the intent is not left alone
	assert_int_equal(e->b, seq);
	assert_string_equal(e->text, "client_closed");
	assert_int_equal(e->c, 499);
}

static void
test_client_leaves_while_waiting(void **state)
{
	(void)state;
	gw.ready_lanes = false;
	gw_post(GW_BODY);
	uint64_t lane = gw_wait(MSG_LANE_OPEN)->id;
	close(gw.client);
	gw.client = -1;
	gw_settle();
	assert_true(TAILQ_EMPTY(&gw.w.exchanges));
	assert_false(gw_lane(lane)->closed); // the next request will have it
	link_send(gw_lane(lane)->link, MSG_LANE_READY, lane, &(struct msg_empty){0});
	gw_settle();
	gw_connect_client();
	assert_int_equal(serve_one(), lane);
}

static void
test_vault_lost_and_back(void **state)
{
	(void)state;
	serve_one();
	gw.auto_plan = gw.auto_go = false;
	gw.answer_len = 0;
	gw_post(GW_BODY);
	gw_wait(MSG_AUTHORIZE);
	event_del(gw.listen_vault);
	link_free(gw.vault);
	gw.vault = NULL;
	gw_read("vault_unavailable");
	gw.answer_len = 0;
	gw_post(GW_BODY); // still away
	const char *answer = gw_read("vault_unavailable");
	assert_non_null(strstr(answer, "HTTP/1.1 503"));
	assert_non_null(strstr(answer, "retry-after: 1"));
	event_add(gw.listen_vault, NULL);
	for (int i = 0; i < 1000 && !vault_up(gw.w.vault); i++) {
		gw_turn();
		usleep(1000);
	}
	gw.auto_plan = gw.auto_go = true;
	serve_one();
}

static void
test_leak_is_withheld(void **state)
{
	(void)state;
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	gw_settle();
	gw_lane_closed(e->b, LANE_LEAK);
	const char *answer = gw_read("answer_withheld");
	assert_non_null(strstr(answer, "x-should-retry: false"));
}

static void
test_pipelined_requests(void **state)
{
	(void)state;
	gw_post(GW_BODY);
	gw_post(GW_BODY);
	gw_post(GW_BODY);
	for (int i = 0; i < 3; i++) {
		e = gw_wait(MSG_USE);
		gw_settle();
		assert_int_equal(gw_count(MSG_USE), (uint64_t)i + 1); // one after the other
		gw.answer_len = 0;
		gw_plain(e->b, GW_ANSWER);
		gw_read("{\"answer\":42}");
	}
}

static void
test_records_are_kept(void **state)
{
	(void)state;
	gw.auto_ack = false;
	serve_one();
	uint64_t id = gw.event[gw.event_seen - 1].id;
	assert_int_equal(audit_pending(gw.w.audit), 1);
	link_free(gw.audit); // auditd died before it acknowledged
	gw.audit = NULL;
	e = gw_wait(MSG_APPEND);
	assert_int_equal(e->id, id);
	struct msg_nack nack = {.code = VIEW("audit_full"), .message = VIEW("full")};
	link_send(gw.audit, MSG_NACK, id, &nack);
	gw_settle();
	assert_int_equal(audit_pending(gw.w.audit), 1);
	for (int i = 0; i < 1500 && gw_count(MSG_APPEND) < 3; i++) {
		gw_turn();
		usleep(1000);
	}
	assert_int_equal(gw_count(MSG_APPEND), 3); // once more, a second later
	gw_ack(id);
	gw_settle();
	assert_int_equal(audit_pending(gw.w.audit), 0);
}

static void
test_sealer_gone_and_provider_close(void **state)
{
	(void)state;
	uint64_t lane = serve_one();
	struct msg_sealer_gone m = {.sealer = 101, .reason = VIEW("revoked")};
	link_send(gw.vault, MSG_SEALER_GONE, 0, &m);
	gw_settle();
	assert_null(gw.sealer[0]); // without lanes its channel ends, and it with it
	lane = serve_one();	   // by another sealer
	assert_int_equal(gw.sealer_count, 2);
	close(gw.provider[gw.provider_count - 1]); // the provider ends an idle connection
	gw.provider[gw.provider_count - 1] = -1;
	assert_int_equal(gw_wait(MSG_LANE_CLOSE)->id, lane);
	assert_int_not_equal(serve_one(), lane);
}

static void
test_provider_unreachable(void **state)
{
	(void)state;
	gw.ready_lanes = false;
	event_del(gw.listen_provider);
	shutdown(gw.provider_fd, SHUT_RDWR);
	gw_post(GW_BODY);
	const char *answer = gw_read("provider_unreachable");
	assert_non_null(strstr(answer, "HTTP/1.1 502"));
	gw_wait(MSG_LANE_CLOSE);
	assert_int_equal(gw_count(MSG_USE), 0); // no key for a provider that is away
}

static void
test_head_gets_no_body(void **state)
{
	(void)state;
	static const char two[] = "HEAD /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
				  "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	gw_write(two, sizeof(two) - 1);
	const char *answer = gw_read("\"status\":\"ok\"");
	const char *end = strstr(answer, "\r\n\r\n");
	assert_non_null(strstr(answer, "HTTP/1.1 405"));
	assert_memory_equal(end + 4, "HTTP/1.1 200", 12); // nothing in between
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, gw_setup, gw_teardown)

static void
test_sealer_without_its_descriptor(void **state)
{
	(void)state;
	gw.lose_fd = true;
	gw_post(GW_BODY);
	const char *answer = gw_read("vault_busy");
	assert_non_null(strstr(answer, "HTTP/1.1 503"));
	gw_settle();
	gw.answer_len = 0;
	gw.lose_fd = false; // the channel to the vault is the same, and works
	gw_post(GW_BODY);
	e = gw_wait(MSG_USE);
	gw_plain(e->b, GW_ANSWER);
	gw_read("{\"answer\":42}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_first_request),
	    TEST(test_second_request_is_pipelined),
	    TEST(test_denied),
	    TEST(test_denied_when_pipelined),
	    TEST(test_use_denied_costs_one_lane_only),
	    TEST(test_lane_mismatch_is_tried_again),
	    TEST(test_plan_changed_credential),
	    TEST(test_kept_lane_died),
	    TEST(test_fresh_lane_died),
	    TEST(test_client_leaves),
	    TEST(test_client_leaves_before_go),
	    TEST(test_client_leaves_while_waiting),
	    TEST(test_sealer_without_its_descriptor),
	    TEST(test_vault_lost_and_back),
	    TEST(test_leak_is_withheld),
	    TEST(test_pipelined_requests),
	    TEST(test_records_are_kept),
	    TEST(test_sealer_gone_and_provider_close),
	    TEST(test_provider_unreachable),
	    TEST(test_head_gets_no_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
