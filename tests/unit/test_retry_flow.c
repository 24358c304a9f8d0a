// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Failures by class through a whole worker: which attempt follows, what the vault and the
// record are told, and what the client gets.
#include "tests/unit/translate_fixture.h"

#define JSON	"Content-Type: application/json\r\n"
#define EXPIRED JSON "x-amzn-errortype: ExpiredTokenException:http://internal/\r\n"
#define EXPIRED_BODY                                                                               \
	"{\"message\":\"The security token included in the request is expired: ASIAXYZ\"}"
#define CONVERSE "{\"messages\":[]}"
#define GOOD	 "{\"output\":{\"fine\":1}}"

static void
bedrock(size_t attempts, bool renews)
{
	gw.attempts = attempts;
	for (size_t i = 0; i < attempts; i++) {
		gw.way[i].provider = PROVIDER_BEDROCK;
		gw.way[i].op = OP_BEDROCK_CONVERSE;
		gw.way[i].renews = renews;
	}
}

// Posts to Converse and waits for USE; returns its lane.
static uint64_t
converse(void)
{
	clear();
	gw_post_to("/model/m/converse", CONVERSE);
	e = gw_wait(MSG_USE);
	assert_int_equal(e->class_id, CLASS_NONE);
	return e->b;
}

// The next USE: of this attempt, after a failure of this class and status.
static uint64_t
used_again(uint64_t attempt, enum error_class c, unsigned status)
{
	e = gw_wait(MSG_USE);
	assert_int_equal(e->a, attempt);
	assert_int_equal(e->class_id, c);
	assert_int_equal(e->c, status);
	gw_settle();
	return e->b;
}

static void
recorded(enum audit_result r, enum error_class c)
{
	e = gw_wait(MSG_APPEND);
	assert_int_equal(e->a, r);
	assert_int_equal(e->class_id, c);
}

// --- temporary keys ------------------------------------------------------------------

static void
test_expired_comes_again(void **state)
{
	(void)state;
	bedrock(1, true);
	uint64_t lane = converse();
	gw_settle();
	gw_lane(lane)->text_len = 0;
	answer(lane, 403, EXPIRED, EXPIRED_BODY);
	recorded(RESULT_FAILED, CLASS_EXPIRED);
	uint64_t first = e->b;
	lane = used_again(0, CLASS_EXPIRED, 403);
	assert_int_equal(gw_lane(lane)->text_len, strlen(CONVERSE)); // the body again
	answer(lane, 200, JSON, GOOD);
	gw_read(GOOD);
	expect("HTTP/1.1 200");
	expect_not("expired");
	recorded(RESULT_OK, CLASS_NONE);
	assert_int_not_equal(e->b, first); // another intent, another completion
	gw_settle();
	assert_int_equal(gw_count(MSG_SETTLE), 2);
	assert_int_equal(gw_count(MSG_AUTHORIZE), 1);
}

static void
test_expired_twice_fails(void **state)
{
	(void)state;
	bedrock(1, true);
	answer(converse(), 403, EXPIRED, EXPIRED_BODY);
	answer(used_again(0, CLASS_EXPIRED, 403), 403, EXPIRED, EXPIRED_BODY);
	gw_read("provider_auth_failed");
	expect("HTTP/1.1 424"); // AWS's SDKs repeat a 502
	expect("has expired (HTTP 403, ExpiredTokenException)");
	expect_not("ASIAXYZ");
	gw_settle();
	assert_int_equal(gw_count(MSG_USE), 2);
	assert_int_equal(gw_count(MSG_APPEND), 2);
}

static void
test_expired_then_the_next(void **state)
{
	(void)state;
	bedrock(2, true);
	answer(converse(), 403, EXPIRED, EXPIRED_BODY);
	answer(used_again(0, CLASS_EXPIRED, 403), 403, EXPIRED, EXPIRED_BODY);
	// Each attempt may be renewed once.
	answer(used_again(1, CLASS_EXPIRED, 403), 403, EXPIRED, EXPIRED_BODY);
	answer(used_again(1, CLASS_EXPIRED, 403), 200, JSON, GOOD);
	gw_read(GOOD);
	gw_settle();
	assert_int_equal(gw_count(MSG_APPEND), 4);
}

static void
test_lasting_key_does_not_come_again(void **state)
{
	(void)state;
	bedrock(1, false);
	answer(converse(), 403, EXPIRED, EXPIRED_BODY);
	gw_read("provider_auth_failed");
	expect("has expired");
	expect("x-should-retry: false");
	gw_settle();
	assert_int_equal(gw_count(MSG_USE), 1);
	recorded(RESULT_FAILED, CLASS_EXPIRED);
}

// The vault could get no other key: the client hears of the first answer.
static void
test_renewal_denied(void **state)
{
	(void)state;
	bedrock(1, true);
	gw.auto_go = false;
	uint64_t lane = converse();
	gw_go(e->id, 0);
	gw_settle();
	answer(lane, 403, EXPIRED, EXPIRED_BODY);
	(void)used_again(0, CLASS_EXPIRED, 403);
	gw_deny(e->id, 502, "token_exchange_failed");
	gw_read("provider_auth_failed");
	expect("has expired");
	gw_settle();
	assert_int_equal(gw_count(MSG_APPEND), 1);
}

// Google's tokens: 401 without a word of expiry.
static void
test_expired_by_status(void **state)
{
	(void)state;
	gw.way[0].provider = PROVIDER_VERTEX;
	gw.way[0].renews = true;
	uint64_t lane = ask(GW_BODY);
	answer(lane, 401, JSON, "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\"}}");
	answer(used_again(0, CLASS_EXPIRED, 401), 200, JSON, GOOD);
	gw_read(GOOD);
}

// --- classes -------------------------------------------------------------------------

struct failing {
	unsigned status;
	enum error_class class_id;
	const char *headers, *body;
};

// Statuses that say too little, and the wrong thing: the class decides.
static void
test_next_by_class(void **state)
{
	(void)state;
	static const struct failing rows[] = {
	    {400, CLASS_NOT_FOUND, "x-amzn-errortype: ValidationException\r\n",
		"{\"message\":\"The provided model identifier is invalid.\"}"},
	    {400, CLASS_QUOTA, "x-amzn-errortype: ServiceQuotaExceededException\r\n", "{}"},
	    {404, CLASS_DENIED, "x-amzn-errortype: FTUFormNotFilled\r\n", "{}"},
	    {403, CLASS_DENIED, "x-amzn-errortype: AccessDeniedException\r\n",
		"{\"message\":\"You don't have access to the model.\"}"},
	    {403, CLASS_AUTH, "x-amzn-errortype: UnrecognizedClientException\r\n", "{}"},
	    {429, CLASS_RATE, "x-amzn-errortype: ThrottlingException\r\n", "{}"},
	    {429, CLASS_OVERLOAD, "x-amzn-errortype: ModelNotReadyException\r\n", "{}"},
	    {424, CLASS_SERVER, "x-amzn-errortype: ModelErrorException\r\n", "{}"},
	    {503, CLASS_OVERLOAD, "", "<html>"},
	    {500, CLASS_SERVER, "", ""},
	};
	bedrock(2, false);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct failing *f = &rows[i];
		answer(converse(), f->status, f->headers, f->body);
		recorded(RESULT_FAILED, f->class_id);
		answer(used_again(1, f->class_id, f->status), 200, JSON, GOOD);
		gw_read(GOOD);
		gw_settle();
	}
}

static void
test_no_next_by_class(void **state)
{
	(void)state;
	static const struct failing rows[] = {
	    {400, CLASS_CLIENT, "x-amzn-errortype: ValidationException\r\n",
		"{\"message\":\"messages: at least one\"}"},
	    {400, CLASS_CLIENT, "x-amzn-errortype: ConflictException\r\n", "{\"message\":\"c\"}"},
	    {422, CLASS_CLIENT, "", "{\"message\":\"u\"}"},
	};
	bedrock(2, false);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct failing *f = &rows[i];
		answer(converse(), f->status, f->headers, f->body);
		gw_read(f->body); // as it came
		recorded(RESULT_FAILED, f->class_id);
		gw_settle();
		assert_int_equal(gw_count(MSG_USE), i + 1);
	}
}

static void
test_access_denied(void **state)
{
	(void)state;
	bedrock(1, false);
	answer(converse(), 403, "x-amzn-errortype: AccessDeniedException\r\n",
	    "{\"message\":\"User: arn:aws:iam::123456789012:user/x is not authorized\"}");
	gw_read("provider_access_denied");
	expect("does not let the key that this gateway holds do this (HTTP 403, "
	       "AccessDeniedException)");
	expect_not("123456789012");
	recorded(RESULT_FAILED, CLASS_DENIED);
}

// What SDKs of OpenAI and Anthropic repeat by themselves, and should not, or the reverse.
static void
test_should_retry(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		const char *headers, *body, *want;
	} rows[] = {
	    {429, "retry-after: 7\r\n", "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", NULL},
	    {429, "", "{\"error\":{\"code\":\"insufficient_quota\"}}", "x-should-retry: false"},
	    {429, "x-should-retry: true\r\n", "{\"error\":{\"code\":\"insufficient_quota\"}}",
		"x-should-retry: true"},
	    {500, "", "{\"error\":{\"code\":\"server_error\"}}", NULL},
	    {503, "", "<html>", NULL},
	    {424, "", "{\"error\":{\"message\":\"upstream\"}}", "x-should-retry: true"},
	    {400, "", "{\"error\":{\"code\":\"invalid_value\"}}", NULL},
	    {409, "", "{\"error\":{\"message\":\"conflict\"}}", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		answer(ask(GW_BODY), rows[i].status, rows[i].headers, rows[i].body);
		gw_read(rows[i].body);
		if (rows[i].want != NULL)
			expect(rows[i].want);
		else
			expect_not("x-should-retry");
		if (i == 0)
			expect("retry-after: 7\r\n");
		gw_settle();
	}
}

// Google says it in the body only.
static void
test_retry_delay(void **state)
{
	(void)state;
	gw.kind = PROVIDER_GEMINI;
	answer(ask(GW_BODY), 429, JSON,
	    "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"retryDelay\":\"1.2s\"}]}"
	    "}");
	gw_read("retryDelay");
	expect("\r\nretry-after: 2\r\nretry-after-ms: 1200\r\n");
}

static void
test_daily_quota(void **state)
{
	(void)state;
	gw.attempts = 2;
	gw.kind = PROVIDER_GEMINI;
	uint64_t lane = ask(GW_BODY);
	answer(lane, 429, JSON,
	    "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{"
	    "\"violations\":[{"
	    "\"quotaId\":\"GenerateRequestsPerDayPerProjectPerModel\"}]}]}}");
	recorded(RESULT_FAILED, CLASS_QUOTA);
	(void)used_again(1, CLASS_QUOTA, 429);
}

// Answers that are none: what the provider said is not known, another may serve.
static void
test_next_after_broken_answers(void **state)
{
	(void)state;
	static const char *const broken[] = {
	    "HTTP/1.1 302 Found\r\nLocation: https://evil.test/\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
	    "nonsense\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno",
	};
	gw.attempts = 2;
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		uint64_t lane = ask(GW_STREAM);
		gw_plain(lane, broken[i]);
		recorded(RESULT_FAILED, CLASS_SERVER);
		assert_int_equal(gw_wait(MSG_SETTLE)->a, 502); // else the vault forgets the plan
		lane = used_again(1, CLASS_SERVER, 502);
		gw_plain(lane, STREAM_HEAD);
		chunk(lane, "data: {\"native\":1}\n\ndata: [DONE]\n\n");
		gw_plain(lane, "0\r\n\r\n");
		gw_read("[DONE]");
		expect("HTTP/1.1 200");
		gw_settle();
	}
}

static void
test_next_after_silence(void **state)
{
	(void)state;
	gw.attempts = 2;
	((struct config *)(uintptr_t)gw.w.config)->limits.upstream_idle_timeout_s = 1;
	(void)ask(GW_BODY);
	for (int i = 0; i < 700 && gw_count(MSG_USE) < 2; i++) {
		gw_turn();
		usleep(10000);
	}
	uint64_t lane = used_again(1, CLASS_SERVER, 504);
	gw_plain(lane, GW_ANSWER);
	gw_read("{\"answer\":42}");
	expect("HTTP/1.1 200");
}

// --- what only one account can serve ---------------------------------------------------

static void
test_pinned(void **state)
{
	(void)state;
	static const struct {
		const char *path, *body;
		enum operation op;
		bool pinned;
	} rows[] = {
	    {"/v1/responses", "{\"model\":\"m\",\"previous_response_id\":\"resp_1\"}",
		OP_OPENAI_RESPONSES, true},
	    {"/v1/responses", "{\"model\":\"m\",\"conversation\":{\"id\":\"c\"}}",
		OP_OPENAI_RESPONSES, true},
	    {"/v1/responses", "{\"model\":\"m\",\"background\":true}", OP_OPENAI_RESPONSES, true},
	    {"/v1/responses",
		"{\"model\":\"m\",\"previous_response_id\":null,\"background\":false}",
		OP_OPENAI_RESPONSES, false},
	    {"/v1/chat/completions", "{\"model\":\"m\",\"previous_response_id\":\"x\"}",
		OP_OPENAI_CHAT, false},
	};
	gw.attempts = 2;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		clear();
		gw.way[0].op = gw.way[1].op = rows[i].op;
		gw_post_to(rows[i].path, rows[i].body);
		e = gw_wait(MSG_USE);
		answer(e->b, 503, JSON, "{\"error\":{\"message\":\"busy\"}}");
		if (rows[i].pinned) {
			gw_read("busy");
			gw_settle();
			assert_int_equal(gw_wait(MSG_SETTLE)->a, 503);
			assert_int_equal(gw.event_seen, gw.event_count); // no USE behind it
			continue;
		}
		gw_plain(used_again(1, CLASS_OVERLOAD, 503), GW_ANSWER);
		gw_read("{\"answer\":42}");
		gw_settle();
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, gw_setup, gw_teardown)
	const struct CMUnitTest tests[] = {T(test_expired_comes_again), T(test_expired_twice_fails),
	    T(test_expired_then_the_next), T(test_lasting_key_does_not_come_again),
	    T(test_renewal_denied), T(test_expired_by_status), T(test_next_by_class),
	    T(test_no_next_by_class), T(test_access_denied), T(test_daily_quota),
	    T(test_should_retry), T(test_retry_delay), T(test_next_after_broken_answers),
	    T(test_next_after_silence), T(test_pinned)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
