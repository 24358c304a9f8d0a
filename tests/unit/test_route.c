// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Method and path to operation: every route, its aliases, and what is refused.
#include "gatewayd/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct route r;

static void
find(const char *method, const char *target, enum api hint)
{
	const char *q = strchr(target, '?');
	struct view path = {.p = target, .len = q == NULL ? strlen(target) : (size_t)(q - target)};
	struct view query = {0};
	if (q != NULL)
		query = view_of(q + 1);
	route_find(view_of(method), path, query, hint, &r);
}

static void
expect_model(const char *model)
{
	assert_int_equal(r.model_len, strlen(model));
	assert_memory_equal(r.model, model, strlen(model));
}

static void
test_operations(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path;
		enum api hint;
		enum operation op;
		enum api dialect;
	} rows[] = {
	    {"POST", "/v1/chat/completions", DIALECT_OPENAI, OP_OPENAI_CHAT, DIALECT_OPENAI},
	    {"POST", "/chat/completions", DIALECT_OPENAI, OP_OPENAI_CHAT, DIALECT_OPENAI},
	    {"POST", "/v1/chat/completions/", DIALECT_OPENAI, OP_OPENAI_CHAT, DIALECT_OPENAI},
	    {"POST", "//v1//chat/completions", DIALECT_OPENAI, OP_OPENAI_CHAT, DIALECT_OPENAI},
	    {"POST", "/v1/chat/completions?api-version=1", DIALECT_OPENAI, OP_OPENAI_CHAT,
		DIALECT_OPENAI},
	    {"POST", "/v1/responses", DIALECT_OPENAI, OP_OPENAI_RESPONSES, DIALECT_OPENAI},
	    {"POST", "/v1/embeddings", DIALECT_OPENAI, OP_OPENAI_EMBEDDINGS, DIALECT_OPENAI},
	    {"GET", "/v1/models", DIALECT_OPENAI, OP_OPENAI_MODELS, DIALECT_OPENAI},
	    {"GET", "/models", DIALECT_OPENAI, OP_OPENAI_MODELS, DIALECT_OPENAI},
	    {"GET", "/v1/models/gpt-5", DIALECT_OPENAI, OP_OPENAI_MODEL, DIALECT_OPENAI},
	    {"GET", "/v1/models", DIALECT_ANTHROPIC, OP_ANTHROPIC_MODELS, DIALECT_ANTHROPIC},
	    {"GET", "/v1/models", DIALECT_GOOGLE, OP_GOOGLE_MODELS, DIALECT_GOOGLE},
	    {"GET", "/v1/models/gemini-x", DIALECT_GOOGLE, OP_GOOGLE_MODEL, DIALECT_GOOGLE},
	    {"GET", "/openai/v1/models", DIALECT_GOOGLE, OP_OPENAI_MODELS, DIALECT_OPENAI},
	    {"GET", "/openai/v1/models", DIALECT_ANTHROPIC, OP_OPENAI_MODELS, DIALECT_OPENAI},
	    {"POST", "/v1/chat/completions", DIALECT_GOOGLE, OP_OPENAI_CHAT, DIALECT_OPENAI},
	    {"POST", "/v1/messages", DIALECT_ANTHROPIC, OP_ANTHROPIC_MESSAGES, DIALECT_ANTHROPIC},
	    {"POST", "/messages?beta=true", DIALECT_OPENAI, OP_ANTHROPIC_MESSAGES,
		DIALECT_ANTHROPIC},
	    {"POST", "/v1/messages/count_tokens", DIALECT_ANTHROPIC, OP_ANTHROPIC_COUNT_TOKENS,
		DIALECT_ANTHROPIC},
	    {"POST", "/model/m/converse", DIALECT_OPENAI, OP_BEDROCK_CONVERSE, DIALECT_BEDROCK},
	    {"POST", "/model/m/converse-stream", DIALECT_OPENAI, OP_BEDROCK_CONVERSE_STREAM,
		DIALECT_BEDROCK},
	    {"POST", "/model/m/invoke", DIALECT_OPENAI, OP_BEDROCK_INVOKE, DIALECT_BEDROCK},
	    {"POST", "/model/m/invoke-with-response-stream", DIALECT_OPENAI,
		OP_BEDROCK_INVOKE_STREAM, DIALECT_BEDROCK},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		find(rows[i].method, rows[i].path, rows[i].hint);
		if (r.kind != ROUTE_OPERATION)
			fail_msg("%s %s: not routed", rows[i].method, rows[i].path);
		assert_int_equal(r.op, rows[i].op);
		assert_int_equal(r.dialect, rows[i].dialect);
	}
}

static void
test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path;
		unsigned status;
	} rows[] = {
	    {"POST", "/", 404},
	    {"POST", "/v1", 404},
	    {"POST", "/v2/chat/completions", 404},
	    {"POST", "/v1/v1/chat/completions", 404},
	    {"POST", "/v1/chat/completionsx", 404},
	    {"POST", "/v1/chat", 404},
	    {"POST", "/v1/chat/completions/x", 404},
	    {"POST", "/v1/%63hat/completions", 404}, // routes are not decoded
	    {"POST", "/v1%2Fchat%2Fcompletions", 404},
	    {"GET", "/v1/chat/completions", 405},
	    {"PUT", "/v1/messages", 405},
	    {"POST", "/v1/models", 405},
	    {"HEAD", "/v1/models", 405},
	    {"GET", "/model/m/converse", 405},
	    {"POST", "/model/m/delete", 404},
	    {"POST", "/model/converse", 404},
	    {"POST", "/model/a%zzb/converse", 400},
	    {"POST", "/model/a%2/converse", 400},
	    {"POST", "/model/a%00b/converse", 400},
	    {"POST", "/model/a%0d%0ab/converse", 400},
	    {"POST", "/model/a%20b/converse", 400},
	    {"POST", "/healthz", 405},
	    {"DELETE", "/v1/models/gpt-5", 405},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		find(rows[i].method, rows[i].path, DIALECT_OPENAI);
		if (r.kind != ROUTE_FAILED || r.failure.status != rows[i].status)
			fail_msg("%s %s: kind %d, status %u", rows[i].method, rows[i].path, r.kind,
			    r.failure.status);
		assert_true(r.failure.message.len > 0);
	}
	find("GET", "/v1/chat/completions", DIALECT_OPENAI);
	assert_string_equal(r.failure.allow, "POST, OPTIONS");
	find("GET", "/v1/models/claude",
	    DIALECT_ANTHROPIC); // the Anthropic API has no such operation here
	assert_int_equal(r.failure.status, 404);
	assert_int_equal(r.dialect, DIALECT_ANTHROPIC);
}

static void
test_routes_are_named(void **state)
{
	(void)state;
	find("POST", "/nothing", DIALECT_OPENAI);
	char text[1024] = "";
	memcpy(text, r.failure.message.p, MIN(r.failure.message.len, sizeof(text) - 1));
	static const char *const all[] = {"/v1/chat/completions", "/v1/responses", "/v1/embeddings",
	    "/v1/models", "/v1/messages", "count_tokens", "converse-stream",
	    "invoke-with-response-stream"};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_non_null(strstr(text, all[i]));
}

static void
test_bedrock_ids(void **state)
{
	(void)state;
	find("POST", "/model/anthropic.claude-3-v1%3A0/converse", DIALECT_OPENAI);
	expect_model("anthropic.claude-3-v1:0");
	find("POST", "/model/anthropic.claude-3-v1:0/invoke", DIALECT_OPENAI);
	expect_model("anthropic.claude-3-v1:0");
	static const char arn[] =
	    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.x";
	find("POST",
	    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2F"
	    "us.anthropic.x/converse",
	    false);
	expect_model(arn);
	find("POST",
	    "/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.x/"
	    "converse-stream",
	    false);
	expect_model(arn);
	assert_true(r.stream);
	// An encoded slash never splits a path: this is an id, not another operation.
	find("POST", "/model/x%2Fconverse/invoke", DIALECT_OPENAI);
	expect_model("x/converse");
	assert_int_equal(r.op, OP_BEDROCK_INVOKE);
}

static void
test_model_too_long(void **state)
{
	(void)state;
	char path[4096];
	memset(path, 'a', sizeof(path));
	memcpy(path, "/model/", 7);
	static const char tail[] = "/invoke";
	memcpy(path + 7 + ROUTE_MODEL_MAX, tail, sizeof(tail));
	find("POST", path, DIALECT_OPENAI);
	assert_int_equal(r.kind, ROUTE_OPERATION);
	assert_int_equal(r.model_len, ROUTE_MODEL_MAX);
	path[7 + ROUTE_MODEL_MAX] = 'a';
	memcpy(path + 8 + ROUTE_MODEL_MAX, tail, sizeof(tail));
	find("POST", path, DIALECT_OPENAI);
	assert_int_equal(r.kind, ROUTE_FAILED);
	assert_int_equal(r.failure.status, 400);
}

static void
test_parameters(void **state)
{
	(void)state;
	find("GET", "/v1/models?limit=20&after_id=a%2Db&x=y&before_id=", DIALECT_ANTHROPIC);
	assert_int_equal(r.param_count, 3);
	assert_int_equal(r.param[0].id, PARAM_LIMIT);
	assert_true(view_eq_str(r.param[0].value, "20"));
	assert_int_equal(r.param[1].id, PARAM_AFTER_ID);
	assert_true(view_eq_str(r.param[1].value, "a-b"));
	find("POST", "/v1/messages?beta=true&limit=3", DIALECT_ANTHROPIC);
	assert_int_equal(r.param_count, 1);
	find("POST", "/v1/chat/completions?beta=true", DIALECT_OPENAI);
	assert_int_equal(r.param_count, 0);
	find("POST", "/v1/messages?beta=true&beta=false", DIALECT_ANTHROPIC);
	assert_int_equal(r.kind, ROUTE_FAILED);
	find("POST", "/v1/messages?&&=&beta&beta=1%0a", DIALECT_ANTHROPIC);
	assert_int_equal(r.kind, ROUTE_FAILED);
	find("POST", "/v1/messages?", DIALECT_ANTHROPIC);
	assert_int_equal(r.kind, ROUTE_OPERATION);
}

static void
test_options_and_health(void **state)
{
	(void)state;
	find("OPTIONS", "/v1/messages", DIALECT_OPENAI);
	assert_int_equal(r.kind, ROUTE_OPTIONS);
	assert_string_equal(r.allow, "POST, OPTIONS");
	find("OPTIONS", "/nothing", DIALECT_OPENAI);
	assert_int_equal(r.kind, ROUTE_FAILED);
	find("GET", "/healthz", DIALECT_OPENAI);
	assert_int_equal(r.kind, ROUTE_HEALTH);
}

static void
expect(const char *method, const char *target, enum operation op, enum api api, const char *model)
{
	find(method, target, DIALECT_OPENAI);
	if (r.kind != ROUTE_OPERATION || r.op != op || r.dialect != api)
		fail_msg(
		    "%s: kind %d op %d api %d", target, (int)r.kind, (int)r.op, (int)r.dialect);
	expect_model(model);
}

#define PROJECT "/projects/p/locations/us-central1/publishers/"

static void
test_google(void **state)
{
	(void)state;
	enum api g = DIALECT_GOOGLE, a = DIALECT_ANTHROPIC;
	expect(
	    "POST", "/v1beta/models/gemini-3:generateContent", OP_GENERATE_CONTENT, g, "gemini-3");
	assert_false(r.stream);
	expect("POST", "/v1beta/models/gemini-3:streamGenerateContent?alt=sse",
	    OP_STREAM_GENERATE_CONTENT, g, "gemini-3");
	assert_true(r.stream);
	find("POST", "/v1beta/models/gemini-3:streamGenerateContent", DIALECT_OPENAI);
	assert_string_equal(r.failure.code, "invalid_query");
	expect("POST", "/v1/models/m:countTokens?key=sp-1", OP_GOOGLE_COUNT_TOKENS, g, "m");
	assert_int_equal(r.param_count, 0); // a key never goes upstream
	expect("POST", "/gemini/v1beta/models/m:embedContent", OP_EMBED_CONTENT, g, "gemini/m");
	expect("GET", "/v1beta/models?pageSize=5&key=x", OP_GOOGLE_MODELS, g, "gemini/");
	assert_int_equal(r.param_count, 1);
	expect("GET", "/v1beta/models/gemini-3", OP_GOOGLE_MODEL, g, "gemini/gemini-3");
	expect("POST", "/v1beta1" PROJECT "google/models/gemini-3:generateContent",
	    OP_GENERATE_CONTENT, g, "vertex/gemini-3");
	expect("POST", "/vertex/v1" PROJECT "anthropic/models/claude-x@1:streamRawPredict",
	    OP_STREAM_RAW_PREDICT, a, "vertex/claude-x@1");
	assert_true(r.stream);
	expect("POST", PROJECT "anthropic/models/count-tokens:rawPredict", OP_RAW_PREDICT_COUNT, a,
	    "vertex/");
	assert_false(r.model_in_path);
	find("POST", "/v1" PROJECT "meta/models/m:rawPredict", DIALECT_OPENAI);
	assert_int_equal(r.failure.status, 404);
	find("POST", "/v1" PROJECT "google/models/m:rawPredict", DIALECT_OPENAI);
	assert_int_equal(r.failure.status, 404);
	find("POST", "/v1beta/models/m:delete", DIALECT_OPENAI);
	assert_int_equal(r.kind, ROUTE_FAILED);
	find("GET", "/v1beta/models/m:generateContent", DIALECT_OPENAI);
	assert_int_equal(r.failure.status, 405);
}

static void
test_prefixes(void **state)
{
	(void)state;
	enum api o = DIALECT_OPENAI;
	expect("POST", "/openai/v1/chat/completions", OP_OPENAI_CHAT, o, "openai/");
	assert_int_equal(r.provider, PROVIDER_OPENAI);
	expect("GET", "/openai/v1/models", OP_OPENAI_MODELS, o, "openai/");
	expect("POST", "/anthropic/v1/messages", OP_ANTHROPIC_MESSAGES, DIALECT_ANTHROPIC,
	    "anthropic/");
	expect("GET", "/anthropic/v1/models", OP_ANTHROPIC_MODELS, DIALECT_ANTHROPIC, "anthropic/");
	expect("POST", "/bedrock/model/us.x%3A0/converse", OP_BEDROCK_CONVERSE, DIALECT_BEDROCK,
	    "bedrock/us.x:0");
	expect("POST", "/model/m/count-tokens", OP_BEDROCK_COUNT_TOKENS, DIALECT_BEDROCK, "m");
	assert_int_equal(r.provider, 0);
	expect("POST", "/openai/deployments/gpt-x/chat/completions?api-version=2024-10-21",
	    OP_OPENAI_CHAT, o, "azure/gpt-x");
	assert_int_equal(r.param_count, 0); // the credential has the version
	expect(
	    "POST", "/azure/openai/deployments/e/embeddings", OP_OPENAI_EMBEDDINGS, o, "azure/e");
	expect("POST", "/azure/openai/v1/responses", OP_OPENAI_RESPONSES, o, "azure/");
	static const char *const none[] = {"/openai/v1/messages", "/anthropic/v1/chat/completions",
	    "/bedrock/v1/chat/completions", "/gemini/model/m/converse", "/azure/model/m/converse",
	    "/openai/deployments/x", "/vertex/v1beta/models/m:batchEmbedContents", "/openai"};
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		find("POST", none[i], DIALECT_OPENAI);
		assert_int_equal(r.kind, ROUTE_FAILED);
		assert_int_equal(r.failure.status, 404);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_operations),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_routes_are_named),
	    cmocka_unit_test(test_bedrock_ids),
	    cmocka_unit_test(test_model_too_long),
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_options_and_health),
	    cmocka_unit_test(test_google),
	    cmocka_unit_test(test_prefixes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
