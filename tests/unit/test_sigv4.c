// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// SigV4 against the vendor's suite, against vectors of our own endpoints that two
// other implementations agree on, and the corners of each rule.
#include "vaultd/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
// cmocka needs the three above.
#include <cmocka.h>

#include "vaultd/text.h"

#define AKID   "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static struct sigv4_work *work;
static struct secret secret;

static int
setup(void **state)
{
	(void)state;
	assert_int_not_equal(secmem_init(1 << 20), SECMEM_NONE);
	work = secmem_alloc(sizeof(*work));
	assert_non_null(work);
	return secret_set(&secret, SECRET, strlen(SECRET));
}

static struct view
hash_hex(struct view body, char hex[64])
{
	uint8_t d[32];
	struct text t;
	crypto_hash_sha256(d, (const uint8_t *)body.p, body.len);
	text_init(&t, hex, 64);
	text_hex(&t, d, sizeof(d));
	return text_done(&t);
}

// --- the vendor's suite ------------------------------------------------------------

struct suite_case {
	const char *name, *method, *path, *query, *headers, *body, *signature;
	bool raw;
};

#define CASE(...)     {__VA_ARGS__, false},
#define CASE_RAW(...) {__VA_ARGS__, true},
static const struct suite_case cases[] = {
#include "tests/vectors/sigv4/suite.inc"
};

static size_t
suite_fields(const struct suite_case *c, struct view body_hex, struct sigv4_field *field)
{
	size_t n = 0;
	field[n++] = (struct sigv4_field){VIEW("Host"), VIEW("example.amazonaws.com")};
	for (const char *p = c->headers; *p != '\0';) {
		const char *end = strchrnul(p, '|');
		const char *colon = strchr(p, ':');
		field[n].name = (struct view){.p = p, .len = (size_t)(colon - p)};
		field[n].value = (struct view){.p = colon + 1, .len = (size_t)(end - colon - 1)};
		if (view_eq_str(field[n].value, "BODY"))
			field[n].value = body_hex;
		n++;
		p = *end == '|' ? end + 1 : end;
	}
	field[n++] = (struct sigv4_field){VIEW("X-Amz-Date"), VIEW("20150830T123600Z")};
	return n;
}

static void
test_suite(void **state)
{
	(void)state;
	const struct sigv4_scope scope = {
	    VIEW("20150830T123600Z"), VIEW("us-east-1"), VIEW("service"), VIEW(AKID)};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct suite_case *c = &cases[i];
		struct sigv4_field field[8];
		char body_hex[64], hex[65] = "";
		struct sigv4_request r = {.method = view_of(c->method),
		    .path = view_of(c->path),
		    .query = view_of(c->query),
		    .field = field,
		    .body_sha256_hex = hash_hex(view_of(c->body), body_hex),
		    .raw_path = c->raw};
		r.field_count = suite_fields(c, r.body_sha256_hex, field);
		assert_int_equal(sigv4_sign(work, &r, &scope, &secret, hex), 0);
		if (strcmp(hex, c->signature) != 0)
			fail_msg("%s: signature %s, canonical:\n%.*s", c->name, hex,
			    (int)work->canonical.len, work->canonical.p);
	}
}

// --- our own endpoints -------------------------------------------------------------

#define BODY                                                                                       \
	"{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":16,"                         \
	"\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define ARN_PATH                                                                                   \
	"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A"                                 \
	"application-inference-profile%2Fabc123xyz/converse"

struct own_case {
	const char *path, *token, *canonical, *signature;
};

static const struct own_case own[] = {
    {"/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke", NULL,
	"ba156ca20f1c9429493f08ea0f579e0a01972b8b55468c23246fb34d9c8c0f0a",
	"661be32bf7a736d73cac3c8ba3ba0ca96ee65f9ea9be2b8ee0b1b7d764f3d41f"},
    {"/model/anthropic.claude-sonnet-4-5-20250929-v1:0/invoke", NULL,
	"4309cb1a08c8f4e77b4a2f95884311a22bc88f67b0c5fb57764993f5f5d5ff26",
	"a35c181f11dd66aee2a309ba0a6c156cc0b3cb33f62f22b44d493c0a11d75f3e"},
    {ARN_PATH, "FwoGZXIvYXdzEXAMPLETOKEN==",
	"878e30e741b257b1a846725d5e60569f042325bb501fdab0e9fe99ce7b70a5a0",
	"48529882f2f888c126b56e10e5599f3247163d4adbbe474ccf55307198d8806f"},
};

static const struct sigv4_scope bedrock = {
    {"20260115T120000Z", 16}, {"us-east-1", 9}, {"bedrock", 7}, {AKID, 11}};

static void
test_bedrock(void **state)
{
	(void)state;
	assert_int_equal(strlen(BODY), 102);
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		char body_hex[64], hex[65] = "", canonical_hex[64];
		struct view body = hash_hex(VIEW(BODY), body_hex);
		struct sigv4_field field[5] = {
		    {VIEW("host"), VIEW("bedrock-runtime.us-east-1.amazonaws.com")},
		    {VIEW("content-type"), VIEW("application/json")},
		    {VIEW("x-amz-date"), bedrock.date},
		    {VIEW("x-amz-content-sha256"), body},
		    {VIEW("x-amz-security-token"), view_of(own[i].token)},
		};
		struct sigv4_request r = {.method = VIEW("POST"),
		    .path = view_of(own[i].path),
		    .field = field,
		    .field_count = own[i].token == NULL ? 4 : 5,
		    .body_sha256_hex = body};
		assert_int_equal(sigv4_sign(work, &r, &bedrock, &secret, hex), 0);
		struct view h = hash_hex(work->canonical, canonical_hex);
		assert_memory_equal(h.p, own[i].canonical, 64);
		assert_string_equal(hex, own[i].signature);
		assert_int_equal(
		    view_eq_str(work->signed_headers,
			own[i].token == NULL ? "content-type;host;x-amz-content-sha256;x-amz-date"
					     : "content-type;host;x-amz-content-sha256;x-amz-date;"
					       "x-amz-security-token"),
		    1);
	}
}

static void
test_sts(void **state)
{
	(void)state;
	char body_hex[64], hex[65] = "", canonical_hex[64];
	struct sigv4_scope scope = bedrock;
	scope.service = VIEW("sts");
	struct sigv4_field field[] = {
	    {VIEW("host"), VIEW("sts.us-east-1.amazonaws.com")},
	    {VIEW("content-type"), VIEW("application/x-www-form-urlencoded; charset=utf-8")},
	    {VIEW("x-amz-date"), scope.date},
	};
	struct sigv4_request r = {.method = VIEW("POST"),
	    .path = VIEW("/"),
	    .field = field,
	    .field_count = 3,
	    .body_sha256_hex = hash_hex(
		VIEW("Action=GetSessionToken&DurationSeconds=3600&Version=2011-06-15"), body_hex)};
	assert_int_equal(sigv4_sign(work, &r, &scope, &secret, hex), 0);
	struct view h = hash_hex(work->canonical, canonical_hex);
	assert_memory_equal(
	    h.p, "3d2746f493bdf8d3cd86bd123b8cc736205389e13805b631c127bb21c90f65a2", 64);
	assert_string_equal(
	    hex, "3b852d55acc30fca90518349414cd52c036d6bdcd034ba441a70db9d97396113");
}

static void
assert_hex(const uint8_t *key, const char *want)
{
	char hex[65] = "";
	struct text t;
	text_init(&t, hex, 64);
	text_hex(&t, key, 32);
	assert_string_equal(hex, want);
}

static void
test_key_chain(void **state)
{
	(void)state;
	uint8_t k[32], first[64];
	size_t n = 4 + strlen(SECRET);
	memcpy(first, "AWS4" SECRET, n);
	sigv4_step(work, first, n, VIEW("20260115"), k);
	assert_hex(k, "3b871eb9be3e2866e4451da9d2a59e078c9535db363972684d5ce611285d3bea");
	sigv4_step(work, k, 32, VIEW("us-east-1"), k);
	assert_hex(k, "6eb6a882a13bb16f880bede1e99cbdcc584a50d19c4562a95391ab297d619526");
	uint8_t sts[32];
	sigv4_step(work, k, 32, VIEW("sts"), sts);
	assert_hex(sts, "6dae270a9aa21b8438747d0ea7b151e6f8fc4d49f758b3a0ec34a58ac41f6312");
	sigv4_step(work, k, 32, VIEW("bedrock"), k);
	assert_hex(k, "4b2c2cb2f53a44530358915194f1f286ddae37585c1f460ce0027801d54f57b7");
	assert_int_equal(sigv4_key(work, &secret, &bedrock), 0);
	assert_hex(work->key, "61dbb1faa6f55b130699b28cdab1ec8b5ae1f3cf97e5c05fc56c3e887ba13586");
	struct sigv4_scope s = bedrock;
	s.service = VIEW("sts");
	assert_int_equal(sigv4_key(work, &secret, &s), 0);
	assert_hex(work->key, "65fd8296fd1adb49357b7a40581e30d347755c3f5c27bdb7ca171dfe4f545207");
	uint8_t zero[32] = {0};
	assert_memory_equal(work->prefixed, zero, sizeof(zero));
}

// --- corners -----------------------------------------------------------------------

static void
assert_path(const char *path, const char *want)
{
	struct sigv4_field host = {VIEW("host"), VIEW("h")};
	struct sigv4_request r = {
	    .method = VIEW("GET"), .path = view_of(path), .field = &host, .field_count = 1};
	assert_int_equal(sigv4_canonical(work, &r), 0);
	const char *p = work->canonical.p + 4;
	struct view got = {.p = p, .len = (size_t)((const char *)memchr(p, '\n', 8192) - p)};
	if (!view_eq_str(got, want))
		fail_msg("%s -> %.*s, not %s", path, (int)got.len, got.p, want);
}

static void
test_paths(void **state)
{
	(void)state;
	assert_path("", "/");
	assert_path("/", "/");
	assert_path("/example/..", "/");
	assert_path("/example1/example2/../..", "/");
	assert_path("/./", "/");
	assert_path("/./example", "/example");
	assert_path("/example/", "/example/");
	assert_path("/a/../b/./c//d", "/b/c/d");
	assert_path("/../../a", "/a");
	assert_path("/-._~0Az", "/-._~0Az");
	assert_path("/%3A", "/%253A");
}

static void
assert_query(const char *query, const char *want)
{
	struct sigv4_field host = {VIEW("host"), VIEW("h")};
	struct sigv4_request r = {.method = VIEW("GET"),
	    .path = VIEW("/"),
	    .query = view_of(query),
	    .field = &host,
	    .field_count = 1};
	assert_int_equal(sigv4_canonical(work, &r), 0);
	const char *p = work->canonical.p + 6;
	struct view got = {.p = p, .len = (size_t)((const char *)memchr(p, '\n', 8192) - p)};
	if (!view_eq_str(got, want))
		fail_msg("%s -> %.*s, not %s", query, (int)got.len, got.p, want);
}

static void
test_queries(void **state)
{
	(void)state;
	assert_query("", "");
	assert_query("b", "b=");
	assert_query("b=2&a=1&b=1", "a=1&b=1&b=2");
	assert_query("Param=y&Param-3=x", "Param=y&Param-3=x");
	assert_query("a=x%20y&b=%2f", "a=x%20y&b=%2F");
	assert_query("a=x+y", "a=x%2By");
	assert_query("a=%4", "a=%254");
	assert_query("a=%zz", "a=%25zz");
}

static void
test_overflow(void **state)
{
	(void)state;
	static char big[SIGV4_TEXT_CAP];
	memset(big, ':', sizeof(big));
	struct sigv4_field host = {VIEW("host"), VIEW("h")};
	struct sigv4_request r = {
	    .method = VIEW("GET"), .path = {big, sizeof(big)}, .field = &host, .field_count = 1};
	assert_int_equal(sigv4_canonical(work, &r), -1);
	r.path = VIEW("/");
	r.query = (struct view){big, sizeof(big)};
	assert_int_equal(sigv4_canonical(work, &r), -1);
	r.query = VIEW("a=1");
	r.field_count = SIGV4_FIELDS_MAX + 1;
	assert_int_equal(sigv4_canonical(work, &r), -1);
	r.field_count = 1;
	assert_int_equal(sigv4_canonical(work, &r), 0);
	struct sigv4_scope s = bedrock;
	s.region = (struct view){big, 600};
	assert_int_equal(sigv4_string_to_sign(work, &s), -1);
	struct secret long_one = {(uint8_t *)big, 4097};
	assert_int_equal(sigv4_key(work, &long_one, &bedrock), -1);
}

static void
assert_date(uint64_t seconds, const char *want)
{
	char got[SIGV4_DATE_LEN + 1] = "";
	sigv4_date(seconds, got);
	assert_string_equal(got, want);
}

static void
test_dates(void **state)
{
	(void)state;
	assert_date(0, "19700101T000000Z");
	assert_date(951782399, "20000228T235959Z");
	assert_date(951782400, "20000229T000000Z");
	assert_date(1709164800, "20240229T000000Z");
	assert_date(1735689599, "20241231T235959Z");
	assert_date(1768478400, "20260115T120000Z");
	assert_date(4107542400, "21000301T000000Z");
	assert_date(4107542399, "21000228T235959Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_suite),
	    cmocka_unit_test(test_bedrock),
	    cmocka_unit_test(test_sts),
	    cmocka_unit_test(test_key_chain),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_queries),
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_dates),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
