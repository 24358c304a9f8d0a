// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The catalogue: every operation, and every grammar with what it must refuse.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
// cmocka needs the first three.
#include <cmocka.h>

#include "vaultd/catalogue.h"

static void
test_table(void **state)
{
	(void)state;
	assert_null(catalogue_find(0));
	assert_null(catalogue_find(OP_LAST + 1));
	assert_null(catalogue_find(UINT64_MAX));
	for (uint64_t i = 1; i <= OP_LAST; i++) {
		const struct catalogue_op *op = catalogue_find(i);
		if (i > OP_BEDROCK_INVOKE_STREAM && op == NULL)
			continue; // exchanges of the vault itself are in nobody's reach
		assert_non_null(ids_operation(i));
		assert_true(op->providers != 0);
		assert_int_equal(op->prefix[0], '/');
		// GET has no body, POST has one; nothing else exists.
		assert_string_equal(op->method, op->max_body == 0 ? "GET" : "POST");
		assert_true(op->max_body <= 64U * 1048576U);
		if (op->suffix != NULL)
			assert_true(op->has_model);
	}
}

static void
assert_path(uint64_t operation, const char *model, const char *want)
{
	char buf[8192] = "";
	struct text t;
	text_init(&t, buf, sizeof(buf) - 1);
	catalogue_path(catalogue_find(operation), view_of(model), &t);
	assert_false(t.failed);
	assert_string_equal(buf, want);
}

static void
test_paths(void **state)
{
	(void)state;
	assert_path(OP_OPENAI_CHAT, "gpt-4o", "/v1/chat/completions");
	assert_path(OP_OPENAI_RESPONSES, "x", "/v1/responses");
	assert_path(OP_OPENAI_EMBEDDINGS, "x", "/v1/embeddings");
	assert_path(OP_OPENAI_MODELS, "", "/v1/models");
	assert_path(OP_OPENAI_MODEL, "ft:gpt/x y", "/v1/models/ft%3Agpt%2Fx%20y");
	assert_path(OP_ANTHROPIC_MESSAGES, "x", "/v1/messages");
	assert_path(OP_ANTHROPIC_COUNT_TOKENS, "x", "/v1/messages/count_tokens");
	assert_path(OP_ANTHROPIC_MODELS, "", "/v1/models");
	assert_path(OP_BEDROCK_CONVERSE, "a.b-v1:0", "/model/a.b-v1%3A0/converse");
	assert_path(OP_BEDROCK_CONVERSE_STREAM, "m", "/model/m/converse-stream");
	assert_path(OP_BEDROCK_INVOKE, "m", "/model/m/invoke");
	assert_path(OP_BEDROCK_INVOKE_STREAM, "m", "/model/m/invoke-with-response-stream");
	assert_path(OP_BEDROCK_INVOKE, "a/../b?c#d%2e", "/model/a%2F..%2Fb%3Fc%23d%252e/invoke");
}

static void
test_providers(void **state)
{
	(void)state;
	const struct catalogue_op *chat = catalogue_find(OP_OPENAI_CHAT);
	assert_true(catalogue_serves(chat, PROVIDER_OPENAI));
	assert_true(catalogue_serves(chat, PROVIDER_OPENAI_COMPATIBLE));
	assert_false(catalogue_serves(chat, PROVIDER_ANTHROPIC));
	assert_false(catalogue_serves(chat, 0));
	assert_false(catalogue_serves(chat, UINT64_MAX));
	assert_true(catalogue_auth_allowed(PROVIDER_OPENAI, AUTH_BEARER));
	assert_false(catalogue_auth_allowed(PROVIDER_OPENAI, AUTH_SIGV4));
	assert_true(catalogue_auth_allowed(PROVIDER_BEDROCK, AUTH_SIGV4));
	assert_false(catalogue_auth_allowed(PROVIDER_BEDROCK, AUTH_API_KEY));
	assert_false(catalogue_auth_allowed(0, AUTH_BEARER));
}

static void
test_hosts(void **state)
{
	(void)state;
	char host[254];
	assert_int_equal(catalogue_host(PROVIDER_OPENAI, VIEW(""), host), 0);
	assert_string_equal(host, "api.openai.com");
	assert_int_equal(catalogue_host(PROVIDER_ANTHROPIC, VIEW(""), host), 0);
	assert_string_equal(host, "api.anthropic.com");
	assert_int_equal(catalogue_host(PROVIDER_BEDROCK, VIEW("eu-central-1"), host), 0);
	assert_string_equal(host, "bedrock-runtime.eu-central-1.amazonaws.com");
	assert_int_equal(catalogue_host(PROVIDER_BEDROCK, VIEW("evil.example/"), host), -1);
	assert_int_equal(catalogue_host(PROVIDER_OPENAI_COMPATIBLE, VIEW(""), host), -1);
}

struct sample {
	const char *text;
	bool valid;
};

static void
check(const struct sample *s, size_t n, bool (*fn)(struct view))
{
	for (size_t i = 0; i < n; i++)
		if (fn(view_of(s[i].text)) != s[i].valid)
			fail_msg("'%s' is %s", s[i].text, s[i].valid ? "refused" : "accepted");
}

static void
test_regions(void **state)
{
	(void)state;
	static const struct sample s[] = {{"us-east-1", true}, {"ap-southeast-4", true},
	    {"us-gov-west-1", true}, {"eu-central-12", true}, {"", false}, {"us", false},
	    {"us-1", false}, {"us-east", false}, {"us-east-", false}, {"us-east-123", false},
	    {"us--1", false}, {"US-east-1", false}, {"u1-east-1", false}, {"us-east-1.", false},
	    {"us-east-1/x", false}, {"us-east-a1", false}, {"us-east-1a", false},
	    {"us-east1-1", false}, {"us-aaaaaaaaaaaaaaaaaaaaaaaaaaaa-1", false},
	    {"usa-east-1", false}};
	check(s, ARRAY_LEN(s), catalogue_region_valid);
	assert_false(catalogue_region_valid((struct view){"us-east-1\0x", 11}));
}

static void
test_host_grammar(void **state)
{
	(void)state;
	static const struct sample s[] = {{"api.openai.com", true}, {"localhost", true},
	    {"127.0.0.1", true}, {"a-b.c1", true}, {"", false}, {".a", false}, {"a.", false},
	    {"a..b", false}, {"-a.b", false}, {"a-.b", false}, {"a.b-", false}, {"A.b", false},
	    {"a_b", false}, {"a b", false}, {"a:443", false}, {"https://a", false}, {"a/b", false},
	    {"a\r\nb", false}, {"[::1]", false}, {"a@b", false}, {"*.a", false}};
	check(s, ARRAY_LEN(s), catalogue_host_valid);
	char label[256];
	memset(label, 'a', sizeof(label));
	assert_true(catalogue_host_valid((struct view){label, 63}));
	assert_false(catalogue_host_valid((struct view){label, 64}));
	for (size_t i = 50; i < sizeof(label); i += 51)
		label[i] = '.';
	assert_true(catalogue_host_valid((struct view){label, 253}));
	assert_false(catalogue_host_valid((struct view){label, 254}));
}

static void
test_values(void **state)
{
	(void)state;
	static const struct sample models[] = {{"gpt-4o", true}, {"a/b:c", true}, {"...", true},
	    {"", false}, {".", false}, {"..", false}, {"a b", false}, {"a\tb", false},
	    {"a\nb", false}, {"\xc3\xa9", false}, {"a\x7f", false}, {"a/../b", false},
	    {"../b", false}, {"b/..", false}, {"a/./b", false}, {"a/..b/c..", true}};
	static const struct sample headers[] = {{"application/json", true},
	    {"application/json; charset=utf-8", true}, {"a  b", true}, {"", false}, {" a", false},
	    {"a ", false}, {"a\r\nb: c", false}, {"a\tb", false}, {"a\x01", false},
	    {"\xc3\xa9", false}, {"a\x7f", false}};
	check(models, ARRAY_LEN(models), catalogue_model_valid);
	check(headers, ARRAY_LEN(headers), catalogue_header_valid);
	static char big[2050];
	memset(big, 'm', sizeof(big));
	assert_true(catalogue_model_valid((struct view){big, 2048}));
	assert_false(catalogue_model_valid((struct view){big, 2049}));
	assert_true(catalogue_header_valid((struct view){big, 2048}));
	assert_false(catalogue_header_valid((struct view){big, 2049}));
	assert_false(catalogue_header_valid((struct view){"a\0b", 3}));
}

static void
test_params(void **state)
{
	(void)state;
	assert_true(catalogue_param_valid(PARAM_BETA, VIEW("true")));
	assert_false(catalogue_param_valid(PARAM_BETA, VIEW("1")));
	assert_true(catalogue_param_valid(PARAM_LIMIT, VIEW("1000")));
	assert_false(catalogue_param_valid(PARAM_LIMIT, VIEW("10000")));
	assert_false(catalogue_param_valid(PARAM_LIMIT, VIEW("")));
	assert_false(catalogue_param_valid(PARAM_LIMIT, VIEW("-1")));
	assert_true(catalogue_param_valid(PARAM_AFTER_ID, VIEW("claude-opus-4.5:x_y")));
	assert_false(catalogue_param_valid(PARAM_AFTER_ID, VIEW("a&b=c")));
	assert_false(catalogue_param_valid(PARAM_BEFORE_ID, VIEW("a%20")));
	assert_false(catalogue_param_valid(0, VIEW("a")));
	assert_false(catalogue_param_valid(PARAM_LAST + 1, VIEW("a")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_providers),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_regions),
	    cmocka_unit_test(test_host_grammar),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_params),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
