// links: ctl auditd
// SPDX-License-Identifier: Apache-2.0
// The demo provider's own signature check against golden vectors (computed with two
// other implementations) and against every way to get a signature wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/provider_sigv4.h"

#define NOW    1768478400 // 2026-01-15 12:00:00 UTC, the X-Amz-Date of the vectors
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define HASH   "616eb59224eb795b641b4c541ad9ee8b939a1e8798f73b54fce66bb79ddbb992"
#define SCOPE  "20260115/us-east-1/bedrock/aws4_request"
#define B1     "661be32bf7a736d73cac3c8ba3ba0ca96ee65f9ea9be2b8ee0b1b7d764f3d41f"
#define B2     "a35c181f11dd66aee2a309ba0a6c156cc0b3cb33f62f22b44d493c0a11d75f3e"
#define B3     "48529882f2f888c126b56e10e5599f3247163d4adbbe474ccf55307198d8806f"
#define PATH1  "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
#define PATH2  "/model/anthropic.claude-sonnet-4-5-20250929-v1:0/invoke"
#define PATH3                                                                                      \
	"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%"   \
	"2Fabc123xyz/converse"
#define TOKEN  "FwoGZXIvYXdzEXAMPLETOKEN=="
#define SIGNED "content-type;host;x-amz-content-sha256;x-amz-date"
#define BODY                                                                                       \
	"{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":16,\"messages\":[{\"role\":" \
	"\"user\",\"content\":\"hi\"}]}"

static const char keys_plain[] = "bedrock AKIDEXAMPLE " SECRET " us-east-1\n";
static const char keys_token[] = "bedrock AKIDEXAMPLE " SECRET " us-east-1 " TOKEN "\n";

struct request {
	const char *path, *body, *authorization, *extra, *date, *keys;
	long now;
};

#define AUTH(scope, names, sig)                                                                    \
	"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" scope ", SignedHeaders=" names ", "             \
	"Signature=" sig

static const struct request right = {
    .path = PATH1,
    .body = BODY,
    .authorization = AUTH(SCOPE, SIGNED, B1),
    .extra = "x-amz-content-sha256: " HASH "\r\n",
    .date = "20260115T120000Z",
    .keys = keys_plain,
    .now = NOW,
};

// The exception's name, or "ok".
static const char *
check(const struct request *r)
{
	char text[4096];
	int n = snprintf(text, sizeof(text),
	    "POST %s HTTP/1.1\r\nHost: bedrock-runtime.us-east-1.amazonaws.com\r\nContent-Type: "
	    "application/json\r\nX-Amz-Date: %s\r\n%s%s%s%sContent-Length: 0\r\n\r\n",
	    r->path, r->date, r->extra, r->authorization == NULL ? "" : "Authorization: ",
	    r->authorization == NULL ? "" : r->authorization,
	    r->authorization == NULL ? "" : "\r\n");
	struct http_parser p;
	size_t used;
	http_parser_init(&p, HTTP_REQUEST, NULL);
	assert_int_equal(http_parse_feed(&p, text, (size_t)n, &used), HTTP_HEAD);
	struct provider_keys *k = provider_keys_parse(r->keys, "test");
	assert_non_null(k);
	struct provider_verdict v = provider_sigv4_check(k, &p, view_of(r->body), r->now);
	// The second time takes the cached key and must say the same.
	struct provider_verdict again = provider_sigv4_check(k, &p, view_of(r->body), r->now);
	assert_ptr_equal(v.type, again.type);
	provider_keys_free(k);
	http_parser_free(&p);
	return v.type == NULL ? "ok" : v.type;
}

static void
golden_vectors_pass(void **state)
{
	(void)state;
	struct request r = right;
	assert_string_equal(check(&r), "ok");
	r.path = PATH2;
	r.authorization = AUTH(SCOPE, SIGNED, B2);
	assert_string_equal(check(&r), "ok");
	r.path = PATH3;
	r.keys = keys_token;
	r.extra = "x-amz-content-sha256: " HASH "\r\nX-Amz-Security-Token: " TOKEN "\r\n";
	r.authorization = AUTH(SCOPE, SIGNED ";x-amz-security-token", B3);
	assert_string_equal(check(&r), "ok");
}

static void
anything_changed_fails(void **state)
{
	(void)state;
	struct request r = right;
	r.path = PATH2; // the same model, but not what was signed
	assert_string_equal(check(&r), "InvalidSignatureException");
	r = right;
	r.body = "{}";
	assert_string_equal(check(&r), "InvalidSignatureException");
	r = right;
	r.keys = "bedrock AKIDEXAMPLE wrong us-east-1\n";
	assert_string_equal(check(&r), "InvalidSignatureException");
	r = right;
	r.authorization = AUTH(SCOPE, SIGNED, B2);
	assert_string_equal(check(&r), "InvalidSignatureException");
	r = right;
	r.keys = "bedrock AKIDEXAMPLE " SECRET " eu-west-1\n";
	assert_string_equal(check(&r), "InvalidSignatureException");
}

static void
date_must_be_near(void **state)
{
	(void)state;
	struct request r = right;
	r.now = NOW + 300;
	assert_string_equal(check(&r), "ok");
	r.now = NOW - 300;
	assert_string_equal(check(&r), "ok");
	r.now = NOW + 301;
	assert_string_equal(check(&r), "InvalidSignatureException");
	r.now = NOW - 301;
	assert_string_equal(check(&r), "InvalidSignatureException");
	r = right;
	r.date = "20260116T120000Z"; // not the day of the scope
	r.now = NOW + 86400;
	assert_string_equal(check(&r), "InvalidSignatureException");
}

static void
unsigned_headers_fail(void **state)
{
	(void)state;
	struct request r = right;
	r.authorization =
	    AUTH(SCOPE, "content-type;x-amz-content-sha256;x-amz-date", B1); // no host
	assert_string_equal(check(&r), "InvalidSignatureException");
	r = right;
	r.extra = "x-amz-content-sha256: " HASH "\r\nx-amz-target: other\r\n";
	assert_string_equal(check(&r), "InvalidSignatureException");
	r = right;
	r.authorization = AUTH(SCOPE, "host;content-type;x-amz-content-sha256;x-amz-date", B1);
	assert_string_equal(check(&r), "IncompleteSignatureException");
}

static void
credentials_must_match(void **state)
{
	(void)state;
	struct request r = right;
	r.authorization = NULL;
	assert_string_equal(check(&r), "MissingAuthenticationTokenException");
	r.authorization = "Bearer sk-something";
	assert_string_equal(check(&r), "IncompleteSignatureException");
	r = right;
	r.keys = "bedrock OTHER " SECRET " us-east-1\n";
	assert_string_equal(check(&r), "UnrecognizedClientException");
	r = right;
	r.keys = keys_token; // a temporary key without its token
	assert_string_equal(check(&r), "UnrecognizedClientException");
}

static void
key_file_lines_are_checked(void **state)
{
	(void)state;
	struct provider_keys *k = provider_keys_parse("# c\n\nopenai a\r\nopenai b\nanthropic c\n"
						      "bedrock A B C",
	    "t");
	assert_non_null(k);
	assert_non_null(provider_keys_find(k, KEYS_OPENAI, VIEW("b")));
	assert_non_null(provider_keys_find(k, KEYS_ANTHROPIC, VIEW("c")));
	assert_null(provider_keys_find(k, KEYS_ANTHROPIC, VIEW("b")));
	assert_null(provider_keys_find(k, KEYS_OPENAI, VIEW("")));
	provider_keys_free(k);
	assert_null(provider_keys_parse("openai\n", "t"));
	assert_null(provider_keys_parse("openai a b\n", "t"));
	assert_null(provider_keys_parse("bedrock A B\n", "t"));
	assert_null(provider_keys_parse("bedrock A B C D E\n", "t"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(golden_vectors_pass),
	    cmocka_unit_test(anything_changed_fails),
	    cmocka_unit_test(date_must_be_near),
	    cmocka_unit_test(unsigned_headers_fail),
	    cmocka_unit_test(credentials_must_match),
	    cmocka_unit_test(key_file_lines_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
