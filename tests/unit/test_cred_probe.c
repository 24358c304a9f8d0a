// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The requests that test credentials: each is one that the catalogue has, with a body that
// is JSON, for every provider and every model that is known; and what a verdict says about
// ends that no simulator brings about.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
// cmocka needs the first three.
#include <cmocka.h>

#include <sodium.h>

#include "catalogue_builtin.h"
#include "common/jv.h"
#include "vaultd/cred_probe.h"
#include "vaultd/cred_verdict.h"

static struct catalogue *cat;
static struct cred_probe probe;

static int
setup(void **state)
{
	(void)state;
	struct catalogue_error e;
	cat = catalogue_parse(
	    (struct view){(const char *)catalogue_builtin, catalogue_builtin_len}, &e);
	return sodium_init() < 0 || cat == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	catalogue_unref(cat);
	return 0;
}

static struct cred
credential(uint64_t provider)
{
	struct cred c = {.provider = provider, .auth = AUTH_BEARER, .port = 443, .enabled = true};
	if (provider == PROVIDER_BEDROCK)
		memcpy(c.region, "us-east-1", sizeof("us-east-1"));
	if (provider == PROVIDER_VERTEX)
		memcpy(c.region, "us-central1", sizeof("us-central1"));
	return c;
}

static void
check_sound(const char *what)
{
	struct deny d;
	if (probe.no_profile)
		return;
	if (probe.op == NULL || probe.use.operation != probe.op->id ||
	    !head_check(probe.op, &probe.use, &d))
		fail_msg("%s: not a request of the catalogue", what);
	struct view body = {probe.body, probe.body_len};
	if ((probe.op->max_body == 0) != (body.len == 0))
		fail_msg(
		    "%s: %s has %zu bytes of body", what, ids_operation(probe.op->id), body.len);
	if (body.len != 0 && jv_check(body, NULL) != JV_OK)
		fail_msg("%s: no JSON: %.*s", what, (int)body.len, body.p);
	uint8_t sha[32];
	crypto_hash_sha256(sha, (const uint8_t *)body.p, body.len);
	assert_memory_equal(sha, probe.use.body_sha256.p, 32);
}

static void
test_without_a_model(void **state)
{
	(void)state;
	static const struct {
		uint64_t provider;
		uint64_t operation;
	} want[] = {{PROVIDER_OPENAI, OP_OPENAI_MODELS}, {PROVIDER_ANTHROPIC, OP_ANTHROPIC_MODELS},
	    {PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE}, {PROVIDER_OPENAI_COMPATIBLE, OP_OPENAI_MODELS},
	    {PROVIDER_GEMINI, OP_GOOGLE_MODELS}, {PROVIDER_AZURE, OP_OPENAI_MODELS},
	    {PROVIDER_VERTEX, OP_GOOGLE_COUNT_TOKENS}};
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct cred c = credential(want[i].provider);
		struct admin_error e = {0};
		assert_true(cred_probe_make(&probe, cat, &c, VIEW(""), &e));
		assert_int_equal(probe.op->id, want[i].operation);
		assert_false(probe.asked);
		check_sound(ids_provider(want[i].provider));
	}
}

// A test takes seconds, and the credential may be replaced meanwhile.
static void
test_a_deployment_outlives_its_credential(void **state)
{
	(void)state;
	char model[] = "gpt-4o-mini", name[] = "our-deployment";
	struct cred c = credential(PROVIDER_AZURE);
	struct admin_error e = {0};
	c.extra.deployment[0].model = model;
	c.extra.deployment[0].name = name;
	c.extra.deployment_count = 1;
	assert_true(cred_probe_make(&probe, cat, &c, VIEW("gpt-4o-mini"), &e));
	memset(name, 'x', sizeof(name) - 1);
	assert_true(view_eq_str(probe.model, "our-deployment"));
	assert_non_null(strstr(probe.body, "\"our-deployment\""));
}

static void
test_every_known_model(void **state)
{
	(void)state;
	size_t tested = 0;
	for (size_t i = 0; i < cat->model_count; i++) {
		const struct catalogue_model *row = &cat->model[i];
		struct cred c = credential(row->provider);
		struct admin_error e = {0};
		char name[300];
		assert_int_equal(view_copy(row->name, name, sizeof(name)), 0);
		if (!cred_probe_make(&probe, cat, &c, row->name, &e))
			fail_msg("%s of %s: %s", name, ids_provider(row->provider), e.message);
		assert_true(probe.known && probe.asked);
		check_sound(name);
		tested += !probe.no_profile;
	}
	assert_true(tested > 30);
}

static void
test_models_that_are_none(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "a\"b", "a\\b", "a b", "\x01", "anthropic/claude-opus-4-6"};
	struct cred c = credential(PROVIDER_OPENAI);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct admin_error e = {0};
		assert_false(cred_probe_make(&probe, cat, &c, view_of(bad[i]), &e));
		assert_string_equal(e.code, "bad_model");
	}
	static char longest[2050];
	memset(longest, 'x', 2048);
	struct admin_error e = {0};
	assert_true(cred_probe_make(&probe, cat, &c, view_of(longest), &e));
	check_sound("2048 characters");
	longest[2048] = 'x';
	assert_false(cred_probe_make(&probe, cat, &c, view_of(longest), &e));
	// An ARN of another region would be asked in the wrong place.
	c = credential(PROVIDER_BEDROCK);
	assert_false(cred_probe_make(&probe, cat, &c,
	    VIEW("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/x"), &e));
}

// --- verdicts ----------------------------------------------------------------------------

static const char *
verdict(struct cred_facts f)
{
	static struct cred_verdict v;
	f.name = "n";
	f.host = "h";
	if (f.region == NULL)
		f.region = "";
	cred_verdict_of(&f, &v);
	assert_true((strcmp(v.outcome, "ok") == 0) == (v.class_id == CLASS_NONE));
	assert_true(v.fix[0] != '\0' || v.class_id == CLASS_NONE);
	return v.outcome;
}

static void
test_without_an_answer(void **state)
{
	(void)state;
	static const struct {
		const char *ours;
		const char *outcome;
	} want[] = {{"audit_unavailable", "audit_unavailable"}, {"no_gateway", "no_gateway"},
	    {"tls_failed", "tls"}, {"leak", "leak"}, {"clock_skew", "clock_skew"},
	    {"unusable_key", "bad_key"}, {"no_issuer", "no_issuer"}, {"bad_region", "wrong_region"},
	    {"profile_needed", "profile_needed"}, {"vault_busy", "vault_busy"},
	    {"sealer_died", "vault_busy"}, {"credential_changed", "vault_busy"},
	    {"provider_unreachable", "network"}, {"connection_lost", "network"},
	    {"timeout", "network"}, {"something new", "network"}};
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(verdict((struct cred_facts){.provider = PROVIDER_BEDROCK,
					.auth = AUTH_SIGV4,
					.ours = want[i].ours,
					.ours_text = ""}),
		    want[i].outcome);
}

static void
test_clock_and_key(void **state)
{
	(void)state;
	struct cred_facts f = {.provider = PROVIDER_BEDROCK,
	    .auth = AUTH_SIGV4,
	    .operation = OP_STS_GET_CALLER_IDENTITY,
	    .status = 403,
	    .code = VIEW("SignatureDoesNotMatch"),
	    .region = "us-east-1"};
	assert_string_equal(verdict(f), "bad_key");
	f.skew_s = 400;
	assert_string_equal(verdict(f), "clock_skew");
	f.skew_s = -400;
	assert_string_equal(verdict(f), "clock_skew");
	f.code =
	    VIEW("InvalidClientTokenId"); // who does not know the key does not look at the time
	assert_string_equal(verdict(f), "bad_key");
	f.skew_s = 0;
	f.code = VIEW("SignatureDoesNotMatch");
	f.message = VIEW("Signature expired: 20261121T100000Z is now earlier than ...");
	assert_string_equal(verdict(f), "clock_skew");
	f.message = VIEW("Credential should be scoped to a valid region.");
	assert_string_equal(verdict(f), "wrong_region");
	// A key in a header has no clock.
	f = (struct cred_facts){.provider = PROVIDER_OPENAI,
	    .auth = AUTH_BEARER,
	    .status = 401,
	    .code = VIEW("invalid_api_key"),
	    .skew_s = 5000};
	assert_string_equal(verdict(f), "bad_key");
	f = (struct cred_facts){.provider = PROVIDER_VERTEX,
	    .auth = AUTH_GOOGLE_TOKEN,
	    .status = 400,
	    .code = VIEW("invalid_grant"),
	    .message = VIEW("Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
			    "reasonable timeframe.")};
	assert_string_equal(verdict(f), "clock_skew");
}

// Whatever status and words come: a word that is documented, and a fix.
static void
test_every_status(void **state)
{
	(void)state;
	static const char *const words[] = {"", "AccessDeniedException", "invalid_api_key",
	    "RESOURCE_EXHAUSTED", "NOT_FOUND", "DeploymentNotFound", "bad_answer", "x"};
	for (uint64_t p = 1; p <= PROVIDER_LAST; p++)
		for (unsigned status = 100; status < 600; status++)
			for (size_t i = 0; i < ARRAY_LEN(words); i++)
				(void)verdict((struct cred_facts){.provider = p,
				    .auth = AUTH_BEARER,
				    .status = status,
				    .code = view_of(words[i])});
	assert_string_equal(
	    verdict((struct cred_facts){.provider = PROVIDER_OPENAI,
		.auth = AUTH_BEARER,
		.status = 400,
		.message = VIEW("Could not finish the message because max_tokens or "
				"model output limit was reached.")}),
	    "ok");
	assert_string_equal(verdict((struct cred_facts){
				.provider = PROVIDER_OPENAI, .auth = AUTH_BEARER, .status = 302}),
	    "provider_error");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_without_a_model),
	    cmocka_unit_test(test_a_deployment_outlives_its_credential),
	    cmocka_unit_test(test_every_known_model),
	    cmocka_unit_test(test_models_that_are_none),
	    cmocka_unit_test(test_without_an_answer),
	    cmocka_unit_test(test_clock_and_key),
	    cmocka_unit_test(test_every_status),
	};
	return cmocka_run_group_tests_name("cred probe", tests, setup, teardown);
}
