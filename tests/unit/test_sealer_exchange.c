// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// What a sealer makes of the answers to the vault's own requests: Google's tokens and the
// tests of credentials. STS is in test_token.c.
#include "vaultd/sealer_exchange.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/secmem.h"
#include "vaultd/sealer_google.h"

static struct sealer_exchange *x;
static struct msg_exchanged m;

static int
setup(void **state)
{
	(void)state;
	return sodium_init() < 0 || secmem_init(1 << 20) == SECMEM_NONE ? -1 : 0;
}

// The result of a whole answer; x stays for what m points into.
static void
answer(uint64_t format, const char *head, const char *body)
{
	char text[8192];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\ncontent-length: %zu\r\n\r\n%s", head,
	    strlen(body), body);
	assert_true(n > 0 && (size_t)n < sizeof(text));
	sealer_exchange_free(x);
	x = sealer_exchange_new();
	assert_non_null(x);
	assert_int_equal(sealer_exchange_begin(x, format), 0);
	bool done = false;
	for (int i = 0; i < n; i++) // byte by byte: it comes as it likes
		done = sealer_exchange_feed(x, (const uint8_t *)text + i, 1);
	assert_true(done);
	sealer_exchange_result(x, &m);
}

#define JSON "\r\ncontent-type: application/json; charset=utf-8"

static void
expect(const char *type, const char *code, const char *message)
{
	char got[2048];
	snprintf(got, sizeof(got), "%.*s|%.*s|%.*s", (int)m.error_type.len,
	    m.error_type.len == 0 ? "" : m.error_type.p, (int)m.code.len,
	    m.code.len == 0 ? "" : m.code.p, (int)m.message.len,
	    m.message.len == 0 ? "" : m.message.p);
	char want[2048];
	snprintf(want, sizeof(want), "%s|%s|%s", type, code, message);
	assert_string_equal(got, want);
}

static void
test_google_token(void **state)
{
	(void)state;
	answer(EXCHANGE_GOOGLE_TOKEN, "200 OK\r\ndate: Sat, 21 Nov 2026 14:00:00 GMT" JSON,
	    "{\n \"access_token\": \"ya29.a0Af\\/x-y_z....\", \"expires_in\": 3599,"
	    " \"scope\": \"x\", \"token_type\": \"Bearer\"}");
	assert_int_equal(m.status, 200);
	assert_int_equal(m.expires_s, 3599);
	assert_int_equal(m.server_time_s, 1795269600);
	assert_true(view_eq_str(m.secret, "ya29.a0Af/x-y_z...."));
	assert_true(secmem_contains(m.secret.p));
	expect("", "", "");
	answer(EXCHANGE_GOOGLE_TOKEN, "400 Bad Request" JSON,
	    "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}");
	assert_int_equal(m.status, 400);
	assert_int_equal(m.secret.len, 0);
	expect("", "invalid_grant", "Invalid JWT Signature.");
	// A token in an answer that is no success is nobody's.
	answer(EXCHANGE_GOOGLE_TOKEN, "403 Forbidden" JSON,
	    "{\"access_token\":\"ya29.x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}");
	assert_int_equal(m.secret.len, 0);
	answer(EXCHANGE_GOOGLE_TOKEN, "502 Bad Gateway\r\ncontent-type: text/html", "<html>");
	assert_int_equal(m.status, 502);
	expect("", "", "");
}

static void
test_google_refusals(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "x", "[]", "{}", "{\"access_token\":\"t\"}",
	    "{\"access_token\":\"t\",\"expires_in\":3599}",
	    "{\"access_token\":\"t\",\"expires_in\":3599,\"token_type\":\"mac\"}",
	    "{\"access_token\":\"t\",\"expires_in\":0,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"t\",\"expires_in\":-1,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"t\",\"expires_in\":\"3599\",\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"t\",\"expires_in\":999999999,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":null,\"expires_in\":3599,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":[\"t\"],\"expires_in\":3599,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"a b\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"a\\r\\nx: y\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"a\\u000d\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",
	    "{\"access_token\":\"\xc5\xbe\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",
	    ("{\"access_token\":\"a\",\"access_token\":\"b\",\"expires_in\":3599,"
	     "\"token_type\":\"Bearer\"}"),
	    "{\"access_token\":\"t\",\"expires_in\":3599,\"token_type\":\"Bearer\"} x"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		answer(EXCHANGE_GOOGLE_TOKEN, "200 OK" JSON, bad[i]);
		if (m.secret.len != 0 || !view_eq_str(m.code, "bad_answer"))
			fail_msg("accepted: %s", bad[i]);
	}
}

static void
test_probe_success_needs_no_body(void **state)
{
	(void)state;
	static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
				   "content-length: 9000000\r\n\r\n";
	sealer_exchange_free(x);
	x = sealer_exchange_new();
	assert_int_equal(sealer_exchange_begin(x, EXCHANGE_PROBE), 0);
	assert_true(sealer_exchange_is_probe(x));
	assert_true(sealer_exchange_feed(x, (const uint8_t *)head, sizeof(head) - 1));
	sealer_exchange_result(x, &m);
	assert_int_equal(m.status, 200);
	expect("", "", "");
	answer(EXCHANGE_PROBE, "200 OK\r\ncontent-type: text/html", "<html>log in</html>");
	expect("", "bad_answer", "The host answers, but not as the provider's API does.");
}

static void
test_probe_errors(void **state)
{
	(void)state;
	answer(EXCHANGE_PROBE, "401 Unauthorized" JSON,
	    "{\"error\":{\"message\":\"Incorrect API key provided\",\"type\":"
	    "\"invalid_request_error\",\"code\":\"invalid_api_key\"}}");
	assert_int_equal(m.status, 401);
	expect("invalid_request_error", "invalid_api_key", "Incorrect API key provided");
	answer(EXCHANGE_PROBE,
	    "403 Forbidden\r\nx-amzn-errortype: AccessDeniedException:http://x/" JSON,
	    "{\"message\":\"User is not authorized\"}");
	expect("AccessDeniedException", "", "User is not authorized");
	answer(EXCHANGE_PROBE, "403 Forbidden\r\ncontent-type: text/xml",
	    "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>"
	    "The security token included in the request is invalid.</Message></Error>"
	    "</ErrorResponse>");
	expect(
	    "", "InvalidClientTokenId", "The security token included in the request is invalid.");
	answer(EXCHANGE_PROBE, "404 Not Found\r\ncontent-type: text/html", "<html>no</html>");
	assert_int_equal(m.status, 404);
	expect("", "", "");
	// One printable line, whatever was sent; names without spaces.
	answer(EXCHANGE_PROBE, "400 Bad Request" JSON,
	    "{\"error\":{\"message\":\"a\\nb\\u001b[2J\\u017e\",\"type\":\"a "
	    "b\",\"code\":\"c\\td\"}}");
	expect("a?b", "c?d", "a b [2J??");
}

// What the sealer says can always be sent.
static void
test_probe_bounds(void **state)
{
	(void)state;
	static char body[8000];
	static uint8_t out[20480];
	int n = snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%090d\",\"message\":\"", 7);
	memset(body + n, 'x', 6000);
	memcpy(body + n + 6000, "\"}}", 4);
	answer(EXCHANGE_PROBE, "400 Bad Request" JSON, body);
	assert_int_equal(m.code.len, 90);
	assert_int_equal(m.message.len, 511);
	assert_true(msg_encode(MSG_EXCHANGED, &m, out, sizeof(out)) != 0);
	assert_int_equal(sealer_exchange_begin(x, EXCHANGE_PROBE), -1); // once
	sealer_exchange_free(x);
	x = sealer_exchange_new();
	assert_int_equal(sealer_exchange_begin(x, 0), -1);
	assert_int_equal(sealer_exchange_begin(x, EXCHANGE_PROBE + 1), -1);
	sealer_exchange_free(x);
	x = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_google_token),
	    cmocka_unit_test(test_google_refusals),
	    cmocka_unit_test(test_probe_success_needs_no_body),
	    cmocka_unit_test(test_probe_errors),
	    cmocka_unit_test(test_probe_bounds),
	};
	return cmocka_run_group_tests_name("sealer exchange", tests, setup, NULL);
}
