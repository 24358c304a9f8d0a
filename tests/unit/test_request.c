// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// From an HTTP head and body to what the vault is asked: the key, allowed headers,
// the body's checks and hash, the memory limits.
#include "gatewayd/request.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "gatewayd/auth.h"
#include "gatewayd/plans.h"

static struct http_parser parser;
static struct limits limits;
static struct failure failure;

static void
head(const char *target, const char *headers)
{
	static char text[8192];
	int n = snprintf(text, sizeof(text),
	    "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n%s\r\n", target, headers);
	size_t used;
	http_parser_free(&parser);
	http_parser_init(&parser, HTTP_REQUEST, NULL);
	assert_int_equal(http_parse_feed(&parser, text, (size_t)n, &used), HTTP_HEAD);
}

// --- keys --------------------------------------------------------------------------

static void
expect_key(const char *headers, const char *key, const char *code)
{
	struct view found = {0};
	head("/v1/messages", headers);
	bool ok = auth_find(&parser, &found, &failure);
	if (key != NULL) {
		if (!ok || !view_eq_str(found, key))
			fail_msg("'%s': no key", headers);
		return;
	}
	if (ok || strcmp(failure.code, code) != 0)
		fail_msg("'%s': accepted, or %s", headers, ok ? "" : failure.code);
	assert_int_equal(failure.status, 401);
	assert_true(failure.final);
}

static void
test_keys(void **state)
{
	(void)state;
	expect_key("Authorization: Bearer sp-1\r\n", "sp-1", NULL);
	expect_key("authorization: bearer   sp-1\r\n", "sp-1", NULL);
	expect_key("X-Api-Key: sp-1\r\n", "sp-1", NULL);
	expect_key("api-key: sp-1\r\n", "sp-1", NULL);
	expect_key("x-goog-api-key: sp-1\r\n", "sp-1", NULL);
	expect_key("x-goog-api-key: sp-1\r\nx-api-key: sp-2\r\n", NULL, "ambiguous_api_key");
	expect_key("api-key: sp-1\r\nAuthorization: Bearer sp-1\r\n", "sp-1", NULL);
	expect_key("", NULL, "missing_api_key");
	expect_key("api-key: sp-1\r\nx-api-key: sp-2\r\n", NULL, "ambiguous_api_key");
	expect_key(
	    "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", NULL, "ambiguous_api_key");
	expect_key("Authorization: Basic dTpw\r\n", NULL, "invalid_api_key");
	expect_key("Authorization: Bearer\r\n", NULL, "invalid_api_key");
	expect_key("Authorization: Bearer a b\r\n", NULL, "invalid_api_key");
	expect_key("x-api-key: \r\n", NULL, "invalid_api_key");
	expect_key("x-api-key: k\xc3\xa9y\r\n", NULL, "invalid_api_key");
	expect_key(
	    "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x\r\n", NULL, "sigv4_not_accepted");
	expect_key("Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x\r\nx-api-key: sp-1\r\n", NULL,
	    "sigv4_not_accepted");
	char longer[700] = "x-api-key: ";
	memset(longer + 11, 'k', 513);
	memcpy(longer + 524, "\r\n", 3);
	expect_key(longer, NULL, "invalid_api_key");
}

// --- headers -------------------------------------------------------------------------

static struct request *
make(const char *target, const char *headers)
{
	struct route *route = malloc(sizeof(*route));
	head(target, headers);
	route_find(parser.method, parser.path, parser.query, DIALECT_OPENAI, route);
	assert_int_equal(route->kind, ROUTE_OPERATION);
	struct request *r = request_new(&parser, route, VIEW("sp-key"), &limits, &failure);
	free(route);
	return r;
}

static struct view
header(const struct request *r, enum header_id id)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (r->header[i].id == id)
			return r->header[i].value;
	return (struct view){0};
}

static void
test_headers(void **state)
{
	(void)state;
	struct request *r = make("/v1/messages?beta=true",
	    "anthropic-version: 2023-06-01\r\nanthropic-beta: a\r\nAnthropic-Beta: b, c\r\n"
	    "Content-Type: application/json\r\nAccept: */*\r\nCookie: x\r\nOpenAI-Beta: no\r\n"
	    "Accept-Encoding: gzip\r\nX-Forwarded-For: y\r\nX-Stainless-Lang: js\r\n");
	assert_non_null(r);
	assert_int_equal(r->header_count, 4);
	assert_true(view_eq_str(header(r, HEADER_ANTHROPIC_BETA), "a,b, c"));
	assert_true(view_eq_str(header(r, HEADER_ANTHROPIC_VERSION), "2023-06-01"));
	assert_int_equal(r->param_count, 1);
	assert_true(view_eq_str(r->param[0].value, "true"));
	assert_true(view_eq_str(r->client_key, "sp-key"));
	assert_int_equal(strlen(r->id), REQUEST_ID_LEN);
	request_free(r);

	r = make("/model/x%3A0/invoke", "X-Amzn-Bedrock-Trace: ENABLED\r\nanthropic-beta: a\r\n");
	assert_int_equal(r->header_count, 1);
	assert_true(view_eq_str(r->model, "x:0"));
	request_free(r);

	assert_null(make("/v1/messages", "anthropic-beta: caf\xc3\xa9\r\n"));
	assert_string_equal(failure.code, "invalid_header");
	char longer[3000] = "anthropic-beta: ";
	memset(longer + 16, 'b', 2049);
	memcpy(longer + 16 + 2049, "\r\n", 3);
	assert_null(make("/v1/messages", longer));
}

// --- bodies --------------------------------------------------------------------------

static struct request *
with_body(const char *target, struct view body, const char *code)
{
	struct request *r = make(target, "");
	for (size_t at = 0; at < body.len; at += 7)
		assert_true(request_body(
		    r, (struct view){.p = body.p + at, .len = MIN(body.len - at, 7U)}));
	bool ok = request_complete(r, &failure);
	if (ok != (code == NULL) || (!ok && strcmp(failure.code, code) != 0))
		fail_msg("'%.*s': %s", (int)body.len, body.p, ok ? "accepted" : failure.code);
	return r;
}

static void
refuses(const char *body, const char *code)
{
	request_free(with_body("/v1/chat/completions", view_of(body), code));
}

static void
expect_asked(const char *target, const char *body, const char *model)
{
	struct request *r = with_body(target, view_of(body), NULL);
	if (!view_eq_str(r->model, model))
		fail_msg("%s: %.*s", target, (int)r->model.len, r->model.p);
	request_free(r);
}

// A path that names the provider restricts the model to it.
static void
test_named_provider(void **state)
{
	(void)state;
	expect_asked("/openai/v1/chat/completions", "{\"model\":\"m\"}", "openai/m");
	expect_asked("/openai/v1/chat/completions", "{\"model\":\"openai/m\"}", "openai/m");
	expect_asked("/v1/chat/completions", "{\"model\":\"openai/m\"}", "openai/m");
	expect_asked("/openai/deployments/d/chat/completions", "{\"messages\":[]}", "azure/d");
	expect_asked("/azure/openai/deployments/d/embeddings", "{\"model\":\"m\"}", "azure/d");
	expect_asked("/bedrock/model/m/invoke", "{\"model\":\"other\"}", "bedrock/m");
	expect_asked("/v1beta/models/m:generateContent", "{}", "m");
	expect_asked("/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
	    "{\"model\":\"c\"}", "vertex/c");
	struct request *r =
	    with_body("/v1beta/models/m:streamGenerateContent?alt=sse", VIEW("{}"), NULL);
	assert_true(r->stream);
	request_free(r);
}

static void
test_bodies(void **state)
{
	(void)state;
	struct request *r = with_body("/v1/chat/completions",
	    VIEW(" {\"messages\":[{\"model\":\"no\"}],\"model\":\"gpt\\u002d5\",\"stream\":true}"),
	    NULL);
	assert_true(view_eq_str(r->model, "gpt-5"));
	assert_true(r->stream);
	request_free(r);
	r = with_body("/v1/chat/completions", VIEW("{\"model\":\"m\",\"stream\":null}"), NULL);
	assert_false(r->stream);
	assert_int_equal(r->body_len, 27);
	request_free(r);

	refuses("", "missing_body");
	refuses("null", "invalid_json");
	refuses("[{\"model\":\"m\"}]", "invalid_json");
	refuses("{\"model\":\"m\"", "invalid_json");
	refuses("{\"model\":\"m\"}{}", "invalid_json");
	refuses("{\"model\":\"m\",\"x\":\"\xff\"}", "invalid_json");
	refuses("{\"model\":\"m\",\"x\":[\"\\ud800\"]}", "invalid_json");
	refuses("{\"model\":\"m\",\"model\":\"n\"}", "duplicate_field");
	refuses("{\"model\":\"m\",\"mod\\u0065l\":\"n\"}", "duplicate_field");
	refuses("{\"model\":\"m\",\"stream\":true,\"stream\":false}", "duplicate_field");
	refuses("{\"x\":1}", "missing_model");
	refuses("{\"model\":[\"m\"]}", "missing_model");
	refuses("{\"model\":5}", "invalid_model");
	refuses("{\"model\":\"\"}", "invalid_model");
	refuses("{\"model\":\"a b\"}", "invalid_model");
	refuses("{\"model\":\"a\\u0000b\"}", "invalid_model");
	refuses("{\"model\":\"a\\nb\"}", "invalid_model");
	refuses("{\"model\":\"m\",\"stream\":\"yes\"}", "invalid_stream");
}

static void
test_path_models(void **state)
{
	(void)state;
	// The model of the path counts; one in the body is the provider's business.
	struct request *r =
	    with_body("/model/a/converse-stream", VIEW("{\"model\":\"b\",\"stream\":false}"), NULL);
	assert_true(view_eq_str(r->model, "a"));
	assert_true(r->stream);
	request_free(r);
}

static void
test_hash(void **state)
{
	(void)state;
	// SHA-256("{}") = 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
	static const uint8_t want[] = {0x44, 0x13, 0x6f, 0xa3, 0x55, 0xb3, 0x67, 0x8a};
	struct request *r = with_body("/model/a/invoke", VIEW("{}"), NULL);
	assert_memory_equal(r->body_sha256, want, sizeof(want));
	request_free(r);
}

static void
test_memory_limit(void **state)
{
	(void)state;
	char block[4096] = {0};
	struct request *r = make("/v1/chat/completions", "");
	uint64_t before = limits.buffered;
	size_t n = 0;
	while (request_body(r, (struct view){.p = block, .len = sizeof(block)}))
		n += sizeof(block);
	assert_true(n >= limits.buffered_max / 2 && n <= limits.buffered_max);
	assert_true(limits.buffered <= limits.buffered_max);
	request_drop_body(r);
	assert_int_equal(limits.buffered, before);
	request_free(r);
	assert_int_equal(limits.buffered, 0);
}

// --- limits, plans ---------------------------------------------------------------------

static uint64_t
source(const char *address)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&ss;
	if (inet_pton(AF_INET, address, &in->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	return limits_source((struct sockaddr *)&ss);
}

static void
test_sources(void **state)
{
	(void)state;
	assert_int_equal(source("127.0.0.1"), 0);
	assert_int_equal(source("::1"), 0);
	assert_int_equal(source("::ffff:127.0.0.1"), 0);
	assert_int_not_equal(source("10.0.0.1"), source("10.0.0.2"));
	assert_int_equal(source("::ffff:10.0.0.1"), source("10.0.0.1"));
	assert_int_equal(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff::2"));
	assert_int_not_equal(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));

	struct limits l = {.connections_max = 3, .per_source_max = 2};
	assert_true(limits_connect(&l, 7));
	assert_true(limits_connect(&l, 7));
	assert_false(limits_connect(&l, 7)); // this source
	assert_true(limits_connect(&l, 8));
	assert_false(limits_connect(&l, 0)); // all of them
	limits_disconnect(&l, 7);
	assert_true(limits_connect(&l, 7));
	limits_disconnect(&l, 7);
	limits_disconnect(&l, 7);
	limits_disconnect(&l, 8);
	assert_int_equal(l.sources.count, 0);
	limits_free(&l);
}

static struct plan *
plan(uint64_t credential)
{
	struct msg_plan m = {.vkey_id = VIEW("vk"),
	    .workspace = VIEW("w"),
	    .attempt_count = 1,
	    .attempt = {{.credential = credential,
		.credential_id = VIEW("cr"),
		.host = VIEW("h.example"),
		.port = 443,
		.model = VIEW("up"),
		.operation = OP_BEDROCK_INVOKE}}};
	return plan_new(&m);
}

static void
test_plan_cache(void **state)
{
	(void)state;
	struct plans *ps = plans_new();
	struct request *a = make("/model/m/invoke", ""), *b = make("/model/n/invoke", "");
	struct request *c = make("/model/m/converse", "");
	struct plan_key ka, kb, kc, again;
	plans_key(ps, a, &ka);
	plans_key(ps, b, &kb);
	plans_key(ps, c, &kc);
	plans_key(ps, a, &again);
	assert_memory_equal(&ka, &again, sizeof(ka));
	assert_memory_not_equal(&ka, &kb, sizeof(ka));
	assert_memory_not_equal(&ka, &kc, sizeof(ka));
	assert_null(plans_get(ps, &ka));
	struct plan *p = plan(5);
	plans_put(ps, &ka, p);
	plan_unref(p);
	assert_int_equal(plans_get(ps, &ka)->attempt[0].credential, 5);
	assert_null(plans_get(ps, &kb));
	p = plan(6);
	plans_put(ps, &ka, p);
	plan_unref(p);
	assert_int_equal(plans_get(ps, &ka)->attempt[0].credential, 6);
	plans_drop(ps, &kb);
	plans_drop(ps, &ka);
	assert_null(plans_get(ps, &ka));
	request_free(a);
	request_free(b);
	request_free(c);
	plans_free(ps);
	p = plan(7);
	assert_string_equal(p->attempt[0].model, "up");
	assert_int_equal(p->attempt[0].operation, OP_BEDROCK_INVOKE);
	plan_unref(p);
	struct msg_plan bad = {.attempt_count = 1, .attempt = {{.host = VIEW("h"), .port = 1}}};
	assert_null(plan_new(&bad));		      // no operation
	p = plan_new(&(struct msg_plan){.reach = 6}); // a listing
	assert_int_equal(p->attempt_count, 0);
	assert_int_equal(p->reach, 6);
	plan_unref(p);
}

static size_t drained;

static void
count_drained(void *value)
{
	(void)value;
	drained++;
}

static void
test_idmap(void **state)
{
	(void)state;
	struct idmap m = {0};
	static int marker[5000];
	assert_null(idmap_get(&m, 1));
	// Removals from the middle of runs must leave every other id findable.
	for (uint64_t id = 1; id < 5000; id++)
		idmap_put(&m, id * 64, &marker[id]);
	for (uint64_t id = 1; id < 5000; id += 3)
		assert_ptr_equal(idmap_take(&m, id * 64), &marker[id]);
	for (uint64_t id = 1; id < 5000; id++)
		assert_ptr_equal(idmap_get(&m, id * 64), id % 3 == 1 ? NULL : &marker[id]);
	assert_int_equal(m.count, 4999 - 1667);
	idmap_drain(&m, count_drained);
	assert_int_equal(drained, 4999 - 1667);
	assert_int_equal(m.count, 0);
	idmap_free(&m);
}

static int
setup(void **state)
{
	(void)state;
	limits = (struct limits){.connections_max = 10, .buffered_max = 1 << 20};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	http_parser_free(&parser);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_named_provider),
	    cmocka_unit_test(test_bodies),
	    cmocka_unit_test(test_path_models),
	    cmocka_unit_test(test_hash),
	    cmocka_unit_test(test_memory_limit),
	    cmocka_unit_test(test_sources),
	    cmocka_unit_test(test_plan_cache),
	    cmocka_unit_test(test_idmap),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
