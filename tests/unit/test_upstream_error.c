// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// What error answers of each provider say, in all the shapes they come in.
#include "common/buf.h"
#include "proto/upstream_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct upstream_error e;

static void
expect(enum provider p, unsigned status, const char *header, const char *body, const char *type,
    const char *code, enum error_class want)
{
	upstream_error_read(&e, p, status, false, view_of(header), view_of(body));
	assert_string_equal(e.type, type);
	assert_string_equal(e.code, code);
	assert_int_equal(e.class_id, want);
}

static void
test_shapes(void **state)
{
	(void)state;
	expect(PROVIDER_OPENAI, 429, "",
	    "{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_"
	    "quota\"}}",
	    "insufficient_quota", "insufficient_quota", CLASS_QUOTA);
	assert_string_equal(e.message, "m");
	expect(PROVIDER_ANTHROPIC, 529, "",
	    "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":"
	    "\"Overloaded\"}}",
	    "overloaded_error", "", CLASS_OVERLOAD);
	expect(PROVIDER_BEDROCK, 429, "com.amazonaws.x#ThrottlingException:http://a/b",
	    "{\"message\":\"slow\"}", "ThrottlingException", "", CLASS_RATE);
	assert_string_equal(e.message, "slow");
	expect(PROVIDER_BEDROCK, 403, "",
	    "{\"__type\":\"a#ExpiredTokenException\",\"Message\":\"x\"}", "ExpiredTokenException",
	    "", CLASS_EXPIRED);
	expect(PROVIDER_GEMINI, 400, "",
	    "{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"reason\":"
	    "\"API_KEY_INVALID\"}]}}",
	    "INVALID_ARGUMENT", "API_KEY_INVALID", CLASS_AUTH);
	expect(PROVIDER_VERTEX, 404, "", "<html>not here</html>", "", "", CLASS_NOT_FOUND);
	expect(PROVIDER_OPENAI, 503, "", "", "", "", CLASS_OVERLOAD);
	expect(PROVIDER_OPENAI, 500, "", "{\"error\":\"text\"}", "", "", CLASS_SERVER);
	assert_string_equal(e.message, "text");
	expect(PROVIDER_GEMINI, 429, "",
	    "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{"
	    "\"violations\":"
	    "[{\"quotaId\":\"GenerateRequestsPerDayPerProject\"}]}]}}",
	    "RESOURCE_EXHAUSTED", "GenerateRequestsPerDayPerProject", CLASS_QUOTA);
	expect(PROVIDER_AZURE, 400, "",
	    "{\"error\":{\"message\":\"m\",\"innererror\":{\"code\":"
	    "\"ResponsibleAIPolicyViolation\"}}}",
	    "", "ResponsibleAIPolicyViolation", CLASS_POLICY);
	expect(PROVIDER_OPENAI_COMPATIBLE, 404, "",
	    "{\"object\":\"error\",\"message\":\"no such model\",\"code\":\"model_not_found\"}", "",
	    "model_not_found", CLASS_NOT_FOUND);
}

static void
test_token_endpoint(void **state)
{
	(void)state;
	expect(PROVIDER_VERTEX, 400, "",
	    "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}", "",
	    "invalid_grant", CLASS_AUTH);
	assert_string_equal(e.message, "Invalid JWT Signature.");
	expect(PROVIDER_VERTEX, 401, "", "{\"error\":\"unauthorized_client\"}", "",
	    "unauthorized_client", CLASS_DENIED);
	expect(PROVIDER_OPENAI_COMPATIBLE, 404, "", "{\"error\":\"model 'x_y' not found\"}", "", "",
	    CLASS_NOT_FOUND);
	assert_string_equal(e.message, "model 'x_y' not found");
}

// A message that is too long is cut, not dropped: rules look at its beginning.
static void
test_long_message(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4096);
	buf_str(&b, "{\"error\":{\"message\":\"API key not valid");
	for (int i = 0; i < 300; i++)
		buf_str(&b, "\\u017e"); // two bytes each
	buf_str(&b, "\"}}");
	buf_char(&b, '\0');
	expect(PROVIDER_GEMINI, 400, "", b.p, "", "", CLASS_AUTH);
	buf_free(&b);
	assert_int_equal(strlen(e.message), 511); // 17 + 2 * 247
	assert_int_equal((uint8_t)e.message[510], 0xbe);
}

static void
test_retry_info(void **state)
{
	(void)state;
#define RETRY(t)                                                                                   \
	"[{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":"     \
	"\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"" t "\"}]}}]"
	expect(PROVIDER_VERTEX, 429, "", RETRY("34s"), "RESOURCE_EXHAUSTED", "", CLASS_RATE);
	assert_int_equal(e.retry_after_ms, 34000);
	expect(PROVIDER_VERTEX, 429, "", RETRY("1.25s"), "RESOURCE_EXHAUSTED", "", CLASS_RATE);
	assert_int_equal(e.retry_after_ms, 1250);
	expect(PROVIDER_VERTEX, 429, "", RETRY("0.5s"), "RESOURCE_EXHAUSTED", "", CLASS_RATE);
	assert_int_equal(e.retry_after_ms, 500);
	expect(PROVIDER_VERTEX, 429, "", RETRY("soon"), "RESOURCE_EXHAUSTED", "", CLASS_RATE);
	assert_int_equal(e.retry_after_ms, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shapes),
	    cmocka_unit_test(test_token_endpoint),
	    cmocka_unit_test(test_long_message),
	    cmocka_unit_test(test_retry_info),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
