// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Choice of credentials: workspace, list, provider, switch, operation, model, region,
// order; the refusal names the check that failed; fallback classes.
#include "tests/unit/core_fixture.h"

#include "tests/unit/catalogue_fixture.h"
#include "vaultd/policy.h"

#define NOW 1000U

static struct catalogue *cat;
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
	cat = fx_catalogue();
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
	catalogue_unref(cat);
	return 0;
}

static struct policy_request
request(uint64_t operation, const char *model)
{
	return (struct policy_request){.vkey = &key,
	    .cat = cat,
	    .operation = operation,
	    .model = view_of(model),
	    .now_s = NOW};
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
	struct policy_request r = request(operation, model);
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
		    cred_by_handle(creds, c.attempt[i].handle)->name);
	}
	// What was chosen passes the later check too.
	for (size_t i = 0; i < c.count; i++)
		assert_true(policy_recheck(
		    &r, cred_by_handle(creds, c.attempt[i].handle), &c.attempt[i], &d));
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
	struct policy_request r = request(OP_OPENAI_CHAT, "m");
	struct policy_attempt at = {.operation = OP_OPENAI_CHAT, .model = VIEW("m")};
	struct deny d = {0};
	assert_false(policy_recheck(&r, cred_by_name(creds, VIEW("b")), &at, &d));
	assert_int_equal(d.kind, DENY_NO_CREDENTIAL);
	assert_false(policy_recheck(&r, NULL, &at, &d));
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

// A name of the catalogue is served by who has it, natively first.
static void
test_natively_first(void **state)
{
	(void)state;
	add("a-bedrock", PROVIDER_BEDROCK, "default");
	add("b-azure", PROVIDER_AZURE, "default");
	add("c-anthropic", PROVIDER_ANTHROPIC, "default");
	add("d-openai", PROVIDER_OPENAI, "default");
	assert_string_equal(choose(OP_OPENAI_CHAT, "gpt-4o"), "b-azure,d-openai");
	assert_string_equal(choose(OP_OPENAI_CHAT, "claude-sonnet-4-5"), "a-bedrock,c-anthropic");
	assert_string_equal(
	    choose(OP_ANTHROPIC_MESSAGES, "claude-sonnet-4-5"), "c-anthropic,a-bedrock");
	assert_string_equal(choose(OP_OPENAI_CHAT, "bedrock/claude-sonnet-4-5"), "a-bedrock");
	assert_string_equal(choose(OP_OPENAI_CHAT, "openai/unheard-of"), "d-openai");
	assert_string_equal(choose(OP_OPENAI_CHAT, "vertex/gemini-2.5-flash"), "no_credential");
	assert_string_equal(choose(OP_ANTHROPIC_MESSAGES, "gpt-4o"), "no_credential");
	// The list of a key is the order, native or not.
	struct msg_name list[] = {{VIEW("a-bedrock")}, {VIEW("c-anthropic")}};
	names_set(&key.credentials, list, 2);
	assert_string_equal(
	    choose(OP_ANTHROPIC_MESSAGES, "claude-sonnet-4-5"), "a-bedrock,c-anthropic");
}

// Lists of models may write a model in any of its ways.
static void
test_names_in_lists(void **state)
{
	(void)state;
	struct cred *c = add("aws", PROVIDER_BEDROCK, "default");
	add("claude", PROVIDER_ANTHROPIC, "default");
	static const char *const good[] = {"claude-sonnet-4-5", "bedrock/claude-sonnet-4-5",
	    "bedrock/*", "claude-*", "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
	    "anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock/anthropic.*", "*"};
	static const char *const bad[] = {"claude-sonnet-4", "anthropic/*", "bedrock", "openai/*",
	    "eu.anthropic.*", "bedrock/claude-opus*"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		set_models(&c->models, good[i]);
		assert_string_equal(choose(OP_OPENAI_CHAT, "bedrock/claude-sonnet-4-5"), "aws");
		names_clear(&c->models);
		set_models(&key.models, good[i]);
		assert_string_equal(choose(OP_OPENAI_CHAT, "bedrock/claude-sonnet-4-5"), "aws");
		names_clear(&key.models);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		set_models(&c->models, bad[i]);
		assert_string_equal(
		    choose(OP_OPENAI_CHAT, "bedrock/claude-sonnet-4-5"), "model_not_allowed");
		assert_string_equal(choose(OP_OPENAI_CHAT, "claude-sonnet-4-5"), "claude");
		names_clear(&c->models);
		set_models(&key.models, bad[i]);
		assert_string_equal(
		    choose(OP_OPENAI_CHAT, "bedrock/claude-sonnet-4-5"), "model_not_allowed");
		names_clear(&key.models);
	}
}

// Open models have slashes in their names.
static void
test_whole_names(void **state)
{
	(void)state;
	add("own", PROVIDER_OPENAI_COMPATIBLE, "default");
	struct policy_request r = request(OP_OPENAI_CHAT, "openai/gpt-oss-120b");
	struct policy_choice c;
	struct deny d = {0};
	assert_true(policy_choose(&r, creds, &c, &d));
	assert_int_equal(c.count, 1);
	assert_true(view_eq_str(c.attempt[0].model, "openai/gpt-oss-120b"));
	assert_true(
	    policy_recheck(&r, cred_by_handle(creds, c.attempt[0].handle), &c.attempt[0], &d));
	assert_string_equal(choose(OP_OPENAI_CHAT, "meta-llama/Llama-3.3-70B"), "own");
	assert_string_equal(choose(OP_OPENAI_CHAT, "openai-compatible/x"), "own");
	assert_string_equal(choose(OP_OPENAI_CHAT, "gpt-4o"), "own"); // its models are its own
	// Who has the provider means it.
	add("real", PROVIDER_OPENAI, "default");
	assert_string_equal(choose(OP_OPENAI_CHAT, "openai/gpt-oss-120b"), "real");
}

static void
test_expired(void **state)
{
	(void)state;
	struct cred *a = add("a", PROVIDER_OPENAI, "default");
	a->expires_s = NOW;
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "credential_expired");
	a->expires_s = NOW + 1;
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "a");
	struct policy_request r = request(OP_OPENAI_CHAT, "m");
	struct policy_attempt at = {.operation = OP_OPENAI_CHAT, .model = VIEW("m")};
	struct deny d = {0};
	r.now_s = NOW + 1; // it expired after the plan was made
	assert_false(policy_recheck(&r, a, &at, &d));
	assert_int_equal(d.kind, DENY_CREDENTIAL_EXPIRED);
	add("b", PROVIDER_OPENAI, "default");
	a->expires_s = 1;
	assert_string_equal(choose(OP_OPENAI_CHAT, "m"), "b");
	// A temporary AWS key that is over gets its own advice.
	struct cred *aws = add("aws", PROVIDER_BEDROCK, "default");
	aws->auth = AUTH_SIGV4;
	snprintf(aws->access_key_id, sizeof(aws->access_key_id), "ASIAIOSFODNN7EXAMPLE");
	aws->expires_s = 1;
	r = request(OP_BEDROCK_CONVERSE, "m");
	struct policy_choice c;
	assert_false(policy_choose(&r, creds, &c, &d));
	assert_non_null(strstr(d.message, "ASIA"));
	assert_non_null(strstr(d.message, "sts-session"));
}

// A plan is out of date when the credential or the catalogue would now do otherwise.
static void
test_recheck_of_target(void **state)
{
	(void)state;
	struct cred *aws = add("aws", PROVIDER_BEDROCK, "default");
	struct policy_request r = request(OP_OPENAI_CHAT, "claude-sonnet-4-5");
	struct policy_choice c;
	struct deny d = {0};
	assert_true(policy_choose(&r, creds, &c, &d));
	assert_int_equal(c.attempt[0].operation, OP_BEDROCK_CONVERSE);
	assert_true(policy_recheck(&r, aws, &c.attempt[0], &d));
	struct policy_attempt other = c.attempt[0];
	other.operation = OP_BEDROCK_INVOKE;
	assert_false(policy_recheck(&r, aws, &other, &d));
	assert_int_equal(d.kind, DENY_NO_PLAN);
	other = c.attempt[0];
	other.model = VIEW("global.anthropic.claude-sonnet-4-5-20250929-v1:0");
	assert_false(policy_recheck(&r, aws, &other, &d));
	assert_int_equal(d.kind, DENY_NO_PLAN);
	snprintf(aws->region, sizeof(aws->region), "eu-west-1");
	assert_false(policy_recheck(&r, aws, &c.attempt[0], &d));
	assert_int_equal(d.kind, DENY_NO_PLAN);
}

static void
test_no_profile(void **state)
{
	(void)state;
	struct cred *aws = add("aws", PROVIDER_BEDROCK, "default");
	snprintf(aws->region, sizeof(aws->region), "sa-east-1");
	assert_string_equal(choose(OP_OPENAI_CHAT, "claude-sonnet-4-5"), "no_inference_profile");
	// Not only this credential: the next one serves.
	add("claude", PROVIDER_ANTHROPIC, "default");
	assert_string_equal(choose(OP_OPENAI_CHAT, "claude-sonnet-4-5"), "claude");
}

static void
test_reach(void **state)
{
	(void)state;
	assert_int_equal(policy_reach(&key, creds, NOW), 0);
	assert_string_equal(choose(OP_OPENAI_MODELS, ""), "no_credential");
	add("claude", PROVIDER_ANTHROPIC, "default");
	struct cred *g = add("gem", PROVIDER_GEMINI, "default");
	add("other", PROVIDER_OPENAI, "elsewhere");
	add("off", PROVIDER_VERTEX, "default")->enabled = false;
	g->expires_s = NOW;
	assert_int_equal(policy_reach(&key, creds, NOW), 1U << PROVIDER_ANTHROPIC);
	assert_int_equal(
	    policy_reach(&key, creds, NOW - 1), 1U << PROVIDER_ANTHROPIC | 1U << PROVIDER_GEMINI);
	assert_string_equal(choose(OP_OPENAI_MODELS, ""), ""); // from the catalogue alone
	struct msg_name list[] = {{VIEW("gem")}};
	names_set(&key.credentials, list, 1);
	assert_int_equal(policy_reach(&key, creds, NOW - 1), 1U << PROVIDER_GEMINI);
}

static void
limit(struct cred *c, size_t n)
{
	struct msg_name list[MSG_NAMES_MAX];
	for (size_t i = 0; i < n; i++)
		list[i].name = VIEW("claude-b*");
	names_clear(&c->models);
	names_set(&c->models, list, n);
}

static void
test_served(void **state)
{
	(void)state;
	struct cred *a = add("a", PROVIDER_ANTHROPIC, "default");
	struct cred *b = add("b", PROVIDER_ANTHROPIC, "default");
	limit(add("other", PROVIDER_ANTHROPIC, "elsewhere"), 1);
	limit(add("aws", PROVIDER_BEDROCK, "default"), 2);
	struct msg_plan m = {0};
	limit(a, 1);
	policy_served(&key, creds, NOW, &m); // b serves all of Anthropic's
	assert_int_equal(m.served_model_count, 2);
	assert_int_equal(m.served_model[0].id, PROVIDER_BEDROCK);
	limit(b, 1);
	m.served_model_count = 0;
	policy_served(&key, creds, NOW, &m);
	assert_int_equal(m.served_model_count, 4);
	assert_int_equal(m.served_model[0].id, PROVIDER_ANTHROPIC);
	assert_true(view_eq_str(m.served_model[0].value, "claude-b*"));
	b->enabled = false;
	m.served_model_count = 0;
	policy_served(&key, creds, NOW, &m);
	assert_int_equal(m.served_model_count, 3);
	b->enabled = true;
	limit(b, MSG_NAMES_MAX); // more than can be told: all of that provider are listed
	m.served_model_count = 0;
	policy_served(&key, creds, NOW, &m);
	assert_int_equal(m.served_model_count, 2);
	assert_int_equal(m.served_model[0].id, PROVIDER_BEDROCK);
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
		assert_true(policy_may_fall_back(CLASS_NONE, yes[i]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(policy_may_fall_back(CLASS_NONE, no[i]));
	// A class says more than the status: a 400 may be the key's fault, a 403 the client's.
	assert_true(policy_may_fall_back(CLASS_AUTH, 400));
	assert_true(policy_may_fall_back(CLASS_QUOTA, 400));
	assert_true(policy_may_fall_back(CLASS_OVERLOAD, 200));
	assert_false(policy_may_fall_back(CLASS_CLIENT, 500));
	assert_false(policy_may_fall_back(CLASS_POLICY, 403));
	assert_false(policy_may_fall_back(CLASS_CANCELLED, 0));
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
		if (i == DENY_VAULT_BUSY)
			assert_int_not_equal(d.retry_after_ms, 0);
		assert_true(msg_encode(MSG_DENY, &m, buf, sizeof(buf)) != 0);
	}
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
	    EACH(test_natively_first),
	    EACH(test_names_in_lists),
	    EACH(test_whole_names),
	    EACH(test_expired),
	    EACH(test_recheck_of_target),
	    EACH(test_no_profile),
	    EACH(test_reach),
	    EACH(test_served),
	    EACH(test_arn_region),
	    cmocka_unit_test(test_fall_back),
	    cmocka_unit_test(test_deny_table),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
