// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Choice of credentials: workspace, list, provider, switch, operation, model, region,
// order; the refusal names the check that failed; fallback classes.
#include "tests/unit/core_fixture.h"

#include "vaultd/policy.h"

static struct cred_table *creds;
static struct vkey key;

static struct cred *
add(const char *name, uint64_t provider, const char *workspace)
{
	struct msg_credential_put put = {.name = view_of(name),
	    .provider = provider,
	    .auth = AUTH_BEARER,
	    .host = VIEW("h.example"),
	    .port = 443,
	    .secret = VIEW("12345678"),
	    .workspace = view_of(workspace),
	    .enabled = true};
	if (provider == PROVIDER_BEDROCK)
		put.region = VIEW("us-east-1");
	return fixture_cred(creds, &put);
}

static int
each_setup(void **state)
{
	(void)state;
	creds = cred_table_new(fixture.store, fixture.seal);
	key = (struct vkey){.workspace = "default"};
	return 0;
}

static int
each_teardown(void **state)
{
	(void)state;
	names_clear(&key.credentials);
	names_clear(&key.models);
	for (size_t i = 0; i < cred_slots(creds); i++)
		if (cred_at(creds, i) != NULL)
			assert_int_equal(cred_remove(creds, cred_at(creds, i)), 0);
	cred_table_free(creds);
	return 0;
}

static void
set_models(struct names *n, const char *model)
{
	struct msg_name m = {view_of(model)};
	names_clear(n);
	names_set(n, &m, 1);
}

// Names of the attempts, or the code of the refusal.
static const char *
choose(uint64_t operation, const char *model)
{
	static char out[256];
	struct policy_request r = {&key, catalogue_find(operation), view_of(model)};
	struct policy_choice c;
	struct deny d = {0};
	if (!policy_choose(&r, creds, &c, &d)) {
		assert_true(strlen(d.message) > 10);
		return deny_code(d.kind);
	}
	out[0] = '\0';
	for (size_t i = 0; i < c.count; i++) {
		size_t len = strlen(out);
		snprintf(out + len, sizeof(out) - len, "%s%s", i == 0 ? "" : ",",
		    cred_by_handle(creds, c.handle[i])->name);
	}
	// What was chosen passes the later check too.
	for (size_t i = 0; i < c.count; i++)
		assert_true(policy_recheck(&r, cred_by_handle(creds, c.handle[i]), &d));
	return out;
}

static void
test_candidates(void **state)
{
	(void)state;
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "no_credential");
	add("other", PROVIDER_OPENAI, "elsewhere");
	add("claude", PROVIDER_ANTHROPIC, "default");
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "no_credential");
	assert_string_equal(choose(OP_ANTHROPIC_MESSAGES, "m"), "claude");
	add("b", PROVIDER_OPENAI, "default");
	add("c", PROVIDER_OPENAI_COMPATIBLE, "default");
	add("a", PROVIDER_OPENAI, "default");
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "a,b,c");
	add("e", PROVIDER_OPENAI, "default");
	add("0", PROVIDER_OPENAI, "default");
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "0,a,b,c"); // four at most
}

static void
test_list_of_key(void **state)
{
	(void)state;
	add("a", PROVIDER_OPENAI, "default");
	add("b", PROVIDER_OPENAI, "default");
	add("c", PROVIDER_OPENAI, "default");
	struct msg_name list[] = {{VIEW("c")}, {VIEW("a")}, {VIEW("missing")}};
	names_set(&key.credentials, list, 3);
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "c,a"); // in the order of the list
	assert_string_equal(choose(OP_ANTHROPIC_MESSAGES, "m"), "no_credential");
	// Only what is on the list, also in the later check.
	struct policy_request r = {&key, catalogue_find(OP_OPENAI_CHAT), VIEW("m")};
	struct deny d = {0};
	assert_false(policy_recheck(&r, cred_by_name(creds, VIEW("b")), &d));
	assert_int_equal(d.kind, DENY_NO_CREDENTIAL);
	assert_false(policy_recheck(&r, NULL, &d));
	assert_int_equal(d.kind, DENY_NO_CREDENTIAL);
}

static void
test_refusal_names_the_furthest_check(void **state)
{
	(void)state;
	struct cred *a = add("a", PROVIDER_OPENAI, "default");
	a->enabled = false;
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "credential_disabled");
	struct cred *b = add("b", PROVIDER_OPENAI, "default");
	b->operations = 1U << OP_OPENAI_EMBEDDINGS;
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "operation_not_allowed");
	struct cred *c = add("c", PROVIDER_OPENAI, "default");
	set_models(&c->models, "gpt*");
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "model_not_allowed");
	assert_string_equal(choose(OP_OPENAI_CHAT, "gpt-4"), "c");
	assert_string_equal(choose(OP_OPENAI_EMBEDDINGS, "m"), "b");
	// No model, no check of models.
	assert_string_equal(choose(OP_OPENAI_MODELS, ""), "c");
}

static void
test_key_checks(void **state)
{
	(void)state;
	add("a", PROVIDER_OPENAI, "default");
	set_models(&key.models, "gpt*");
	assert_string_equal(choose(OP_OPENAI_CHAT, "o3"), "model_not_allowed");
	assert_string_equal(choose(OP_OPENAI_CHAT, "gpt-4"), "a");
	assert_string_equal(choose(OP_OPENAI_MODELS, ""), "a");
	key.revoked = true;
	assert_string_equal(choose(OP_OPENAI_CHAT, "gpt-4"), "key_revoked");
}

static void
test_arn_region(void **state)
{
	(void)state;
	add("aws", PROVIDER_BEDROCK, "default");
	assert_string_equal(choose(OP_BEDROCK_CONVERSE, "us.anthropic.x"), "aws");
	assert_string_equal(
	    choose(OP_BEDROCK_CONVERSE, "arn:aws:bedrock:us-east-1:1:inference-profile/x"), "aws");
	assert_string_equal(
	    choose(OP_BEDROCK_CONVERSE, "arn:aws:bedrock:eu-west-1:1:x/y"), "model_not_allowed");
	assert_string_equal(
	    choose(OP_BEDROCK_CONVERSE, "arn:aws:bedrock:us-east-1"), "model_not_allowed");
	assert_string_equal(choose(OP_BEDROCK_CONVERSE, "arn:"), "model_not_allowed");
	assert_string_equal(choose(OP_BEDROCK_CONVERSE, "arn:::::"), "model_not_allowed");
}

static void
test_fall_back(void **state)
{
	(void)state;
	const uint64_t yes[] = {0, 401, 402, 403, 404, 408, 424, 429, 500, 502, 503, 504, 529};
	const uint64_t no[] = {1, 200, 201, 301, 307, 400, 405, 413, 422, 499, 600, 999};
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(policy_may_fall_back(yes[i]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(policy_may_fall_back(no[i]));
}

static void
test_deny_table(void **state)
{
	(void)state;
	struct deny d = {0};
	char big[1000];
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (unsigned i = DENY_INVALID_KEY; i < DENY_COUNT; i++) {
		assert_false(deny_set(&d, (enum deny_kind)i, "%s", big));
		struct msg_deny m = deny_message(&d);
		uint8_t buf[1024];
		assert_in_range(m.status, 400, 503);
		assert_true(msg_encode(MSG_DENY, &m, buf, sizeof(buf)) != 0);
	}
	assert_int_equal(d.kind, DENY_VAULT_BUSY);
	assert_int_not_equal(d.retry_after_ms, 0);
}

#define EACH(fn) cmocka_unit_test_setup_teardown(fn, each_setup, each_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(test_candidates),
	    EACH(test_list_of_key),
	    EACH(test_refusal_names_the_furthest_check),
	    EACH(test_key_checks),
	    EACH(test_arn_region),
	    cmocka_unit_test(test_fall_back),
	    cmocka_unit_test(test_deny_table),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
