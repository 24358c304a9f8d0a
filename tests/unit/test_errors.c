// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// The error bodies of the three dialects, read back by parsers that are not ours to
// write: jansson for JSON, the strict HTTP parser for the head.
#include "gatewayd/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/eventstream.h"
#include "common/http_parse.h"
#include "common/sse.h"

static const char id[] = "00000000-0000-7000-8000-000000000000";

static const struct failure quota = {
    .status = 429,
    .code = "rate_limited",
    .message = FAILURE_TEXT("Slow \"down\"\n\x01 \xc3\xa9"),
    .retry_after_ms = 1500,
};

struct parsed {
	struct http_parser p;
	json_t *body;
};

static void
parse(struct parsed *r, enum api d, const struct failure *f, bool keep)
{
	static char out[ERRORS_RESPONSE_MAX];
	size_t len = errors_response(d, f, id, keep, out), at = 0, used;
	http_parser_init(&r->p, HTTP_RESPONSE, NULL);
	assert_int_equal(http_parse_feed(&r->p, out, len, &used), HTTP_HEAD);
	at = used;
	assert_int_equal(http_parse_feed(&r->p, out + at, len - at, &used), HTTP_BODY);
	at += used;
	r->body = json_loadb(r->p.body.p, r->p.body.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(r->body);
	assert_int_equal(http_parse_feed(&r->p, out + at, len - at, &used), HTTP_END);
	assert_int_equal(at + used, len);
	assert_int_equal(r->p.status, f->status);
	assert_int_equal(r->p.keep_alive, keep);
	assert_true(view_eq_str(http_header(&r->p, "x-sallyport-request-id"), id));
	assert_true(view_eq_str(http_header(&r->p, "x-sallyport-error-code"), f->code));
}

static void
done(struct parsed *r)
{
	json_decref(r->body);
	http_parser_free(&r->p);
}

static const char *
text(json_t *o, const char *a, const char *b)
{
	json_t *v = json_object_get(o, a);
	if (b != NULL)
		v = json_object_get(v, b);
	return json_string_value(v);
}

static void
test_openai(void **state)
{
	(void)state;
	struct parsed r;
	parse(&r, DIALECT_OPENAI, &quota, true);
	assert_string_equal(text(r.body, "error", "code"), "rate_limited");
	assert_string_equal(text(r.body, "error", "type"), "rate_limit_error");
	assert_string_equal(text(r.body, "error", "message"), quota.message.p);
	assert_true(json_is_null(json_object_get(json_object_get(r.body, "error"), "param")));
	assert_true(view_eq_str(http_header(&r.p, "retry-after"), "2")); // rounded up
	assert_true(view_eq_str(http_header(&r.p, "retry-after-ms"), "1500"));
	assert_null(http_header(&r.p, "x-should-retry").p);
	done(&r);
}

static void
test_anthropic(void **state)
{
	(void)state;
	struct parsed r;
	struct failure f = {
	    .status = 401, .code = "invalid_key", .message = VIEW("no"), .final = true};
	parse(&r, DIALECT_ANTHROPIC, &f, false);
	assert_string_equal(text(r.body, "type", NULL), "error");
	assert_string_equal(text(r.body, "error", "type"), "authentication_error");
	assert_string_equal(text(r.body, "request_id", NULL), id);
	assert_true(view_eq_str(http_header(&r.p, "request-id"), id));
	assert_true(view_eq_str(http_header(&r.p, "x-should-retry"), "false"));
	done(&r);
}

static void
test_bedrock(void **state)
{
	(void)state;
	struct parsed r;
	parse(&r, DIALECT_BEDROCK, &quota, true);
	assert_string_equal(text(r.body, "message", NULL), quota.message.p);
	assert_true(view_eq_str(http_header(&r.p, "x-amzn-errortype"), "ThrottlingException"));
	assert_true(view_eq_str(http_header(&r.p, "x-amzn-requestid"), id));
	done(&r);
}

static void
test_google(void **state)
{
	(void)state;
	struct parsed r;
	parse(&r, DIALECT_GOOGLE, &quota, true);
	json_t *e = json_object_get(r.body, "error");
	assert_int_equal(json_integer_value(json_object_get(e, "code")), quota.status);
	assert_string_equal(json_string_value(json_object_get(e, "status")), "RESOURCE_EXHAUSTED");
	assert_string_equal(json_string_value(json_object_get(e, "message")), quota.message.p);
	done(&r);
}

// Whose SDKs repeat a 502 whatever the headers say.
static void
test_final_for_deaf_clients(void **state)
{
	(void)state;
	struct failure f = {.status = 502,
	    .code = "provider_auth_failed",
	    .message = FAILURE_TEXT("m"),
	    .final = true};
	assert_int_equal(errors_status(DIALECT_OPENAI, &f), 502);
	assert_int_equal(errors_status(DIALECT_ANTHROPIC, &f), 502);
	assert_int_equal(errors_status(DIALECT_BEDROCK, &f), 424);
	assert_int_equal(errors_status(DIALECT_GOOGLE, &f), 424);
	static char out[ERRORS_RESPONSE_MAX];
	size_t n = errors_response(DIALECT_BEDROCK, &f, id, true, out);
	assert_memory_equal(out, "HTTP/1.1 424 ", 13);
	assert_non_null(memmem(out, n, "x-amzn-errortype: ModelErrorException\r\n", 39));
	n = errors_response(DIALECT_GOOGLE, &f, id, true, out);
	assert_non_null(memmem(out, n, "\"code\":424", 10));
	assert_non_null(memmem(out, n, "FAILED_PRECONDITION", 19));
	f.final = false;
	assert_int_equal(errors_status(DIALECT_BEDROCK, &f), 502);
	f = (struct failure){
	    .status = 429, .code = "c", .message = FAILURE_TEXT("m"), .final = true};
	assert_int_equal(errors_status(DIALECT_BEDROCK, &f), 429);
}

static void
test_every_status(void **state)
{
	(void)state;
	for (unsigned status = 400; status <= 599; status++) {
		for (enum api d = DIALECT_OPENAI; d <= DIALECT_GOOGLE; d++) {
			struct parsed r;
			struct failure f = {.status = status, .code = "c", .message = VIEW("m")};
			parse(&r, d, &f, true);
			done(&r);
		}
	}
}

static void
test_long_message_is_cut(void **state)
{
	(void)state;
	char *m = malloc(5000);
	memset(m, '\x01', 5000); // each becomes six bytes of JSON
	struct failure f = {.status = 500, .code = "c", .message = {.p = m, .len = 5000}};
	struct parsed r;
	for (enum api d = DIALECT_OPENAI; d <= DIALECT_GOOGLE; d++) {
		parse(&r, d, &f, true);
		done(&r);
	}
	free(m);
}

static void
expect_sse(enum api d, bool named, const char *name)
{
	char out[ERRORS_EVENT_MAX];
	size_t used, len = errors_event(d, named, &quota, id, out);
	struct sse_parser s;
	sse_init(&s, 0);
	assert_int_equal(sse_feed(&s, out, len, &used), SSE_EVENT);
	assert_int_equal(used, len);
	assert_true(view_eq_str(s.event.name, name));
	json_t *o = json_loadb(s.event.data.p, s.event.data.len, JSON_REJECT_DUPLICATES, NULL);
	// SDKs throw on a truthy "error" member, whatever else is there.
	assert_true(json_is_object(json_object_get(o, "error")));
	assert_string_equal(text(o, "error", "message"), quota.message.p);
	json_decref(o);
	sse_free(&s);
}

static void
test_stream_events(void **state)
{
	(void)state;
	expect_sse(DIALECT_OPENAI, false, "");
	expect_sse(DIALECT_OPENAI, true, "error");
	expect_sse(DIALECT_ANTHROPIC, false, "error");
}

static void
test_bedrock_event(void **state)
{
	(void)state;
	char out[ERRORS_EVENT_MAX];
	struct failure f = {.status = 502, .code = "stream_truncated", .message = VIEW("cut")};
	size_t used, len = errors_event(DIALECT_BEDROCK, false, &f, id, out);
	struct eventstream e;
	eventstream_init(&e, 0);
	assert_int_equal(eventstream_feed(&e, out, len, &used), EVENTSTREAM_MESSAGE);
	assert_int_equal(used, len);
	assert_true(view_eq_str(eventstream_string(&e.message, ":message-type"), "exception"));
	assert_true(view_eq_str(
	    eventstream_string(&e.message, ":exception-type"), "modelStreamErrorException"));
	assert_true(view_eq_str(e.message.payload, "{\"message\":\"cut\"}"));
	eventstream_free(&e);
}

// Cut between characters, and before bytes that are no text: JSON has no room for them.
static void
test_message_is_text(void **state)
{
	(void)state;
	static char long_one[602];
	for (size_t i = 0; i < 300; i++)
		memcpy(long_one + 1 + 2 * i, "\xc3\xa9", 2);
	long_one[0] = 'x';
	struct failure f = {.status = 502, .code = "c"};
	struct view messages[] = {VIEW("ok\xff tail"), {long_one, 601}};
	size_t wanted[] = {2, 599};
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct parsed r;
		f.message = messages[i];
		parse(&r, DIALECT_OPENAI, &f, true);
		assert_int_equal(strlen(text(r.body, "error", "message")), wanted[i]);
		done(&r);
		char event[ERRORS_EVENT_MAX];
		assert_true(errors_event(DIALECT_OPENAI, true, &f, id, event) > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_openai),
	    cmocka_unit_test(test_anthropic),
	    cmocka_unit_test(test_bedrock),
	    cmocka_unit_test(test_google),
	    cmocka_unit_test(test_every_status),
	    cmocka_unit_test(test_final_for_deaf_clients),
	    cmocka_unit_test(test_long_message_is_cut),
	    cmocka_unit_test(test_message_is_text),
	    cmocka_unit_test(test_stream_events),
	    cmocka_unit_test(test_bedrock_event),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
