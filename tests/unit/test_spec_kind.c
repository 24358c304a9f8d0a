// links: ctl auditd
// SPDX-License-Identifier: Apache-2.0
// Kinds of credentials: what makes which, what each needs, and what does not go with it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/spec.h"

#define ROLE "arn:aws:iam::123456789012:role/gateway"
#define SUB  "scoped_principal:team-a/user:u-1"

static char error[SPEC_ERROR_MAX];

static int
try_spec(const struct spec_credential *s, struct msg_credential_put *m)
{
	error[0] = '\0';
	return spec_credential(s, m, error);
}

static struct spec_credential
bedrock(void)
{
	return (struct spec_credential){.name = "c", .provider = "bedrock", .region = "us-east-1"};
}

static struct spec_credential
vertex(void)
{
	return (struct spec_credential){.name = "c",
	    .provider = "vertex",
	    .region = "europe-west1",
	    .setting = {[SETTING_PROJECT] = "my-project-1",
		[SETTING_CLIENT_EMAIL] = "gw@my-project-1.iam.gserviceaccount.com",
		[SETTING_PRIVATE_KEY_ID] = "0123456789abcdef"}};
}

static void
what_is_given_chooses(void **state)
{
	(void)state;
	struct msg_credential_put m;
	struct spec_credential s = {.name = "c", .provider = "gemini"};
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_GOOGLE_API_KEY);
	s = (struct spec_credential){
	    .name = "c", .provider = "azure", .host = "corp.openai.azure.com"};
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_AZURE_API_KEY);
	s = vertex();
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_GOOGLE_TOKEN);
	assert_int_equal(m.setting_count, 3);
	assert_int_equal(m.setting[0].id, SETTING_PROJECT);
	assert_int_equal(m.setting[2].id, SETTING_PRIVATE_KEY_ID);
	s = bedrock();
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_BEARER);
	s.access_key_id = "AKIAIOSFODNN7EXAMPLE";
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_STS_SESSION); // a long-term key buys sessions
	s.access_key_id = "ASIAIOSFODNN7EXAMPLE";
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_SIGV4);
	s.access_key_id = "AKIAIOSFODNN7EXAMPLE";
	s.setting[SETTING_ROLE_ARN] = ROLE;
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_STS_ASSUME_ROLE);
	s.access_key_id = NULL;
	s.setting[SETTING_SUBJECT] = SUB;
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_STS_WEB_IDENTITY);
	s = bedrock();
	s.access_key_id = "AKIAIOSFODNN7EXAMPLE";
	s.auth = "sigv4";
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_SIGV4);
	s = bedrock(); // the vault reads the region out of a short-term key
	s.region = NULL;
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.region.len, 0);
	s.access_key_id = "AKIAIOSFODNN7EXAMPLE";
	assert_int_equal(try_spec(&s, &m), -1);
}

static void
what_does_not_go_together(void **state)
{
	(void)state;
	struct msg_credential_put m;
	struct spec_credential s = {.name = "c", .provider = "openai", .auth = "sigv4"};
	assert_int_equal(try_spec(&s, &m), -1);
	assert_non_null(strstr(error, "takes bearer"));
	s.auth = "magic";
	assert_int_equal(try_spec(&s, &m), -1);
	s.auth = NULL;
	s.setting[SETTING_PROJECT] = "my-project-1";
	assert_int_equal(try_spec(&s, &m), -1);
	assert_non_null(strstr(error, "project"));
	s = (struct spec_credential){.name = "c", .provider = "azure"};
	assert_int_equal(try_spec(&s, &m), -1);
	assert_non_null(strstr(error, "host"));
	s = vertex();
	s.setting[SETTING_PROJECT] = NULL;
	assert_int_equal(try_spec(&s, &m), -1);
	assert_non_null(strstr(error, "needs project"));
	s = vertex();
	s.access_key_id = "AKIAIOSFODNN7EXAMPLE";
	assert_int_equal(try_spec(&s, &m), -1);
	// A temporary key buys nothing at STS.
	s = bedrock();
	s.access_key_id = "ASIAIOSFODNN7EXAMPLE";
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.auth, AUTH_SIGV4);
	s.auth = "sts-session";
	assert_int_equal(try_spec(&s, &m), -1);
	assert_non_null(strstr(error, "cannot be refreshed"));
	s = bedrock();
	s.auth = "sts-web-identity";
	assert_int_equal(try_spec(&s, &m), -1);
	assert_non_null(strstr(error, "role-arn"));
}

static void
settings_have_grammars(void **state)
{
	(void)state;
	static const struct {
		const char *provider, *auth;
		unsigned id;
		const char *good, *bad;
	} table[] = {
	    {"azure", NULL, SETTING_API_VERSION, "2024-10-21", "2024-10-2x"},
	    {"azure", NULL, SETTING_API_VERSION, "2025-04-01-preview", "2025-04-01-prevue"},
	    {"vertex", NULL, SETTING_PROJECT, "corp.example:proj-1", "My Project"},
	    {"vertex", NULL, SETTING_CLIENT_EMAIL, "a@b.iam.gserviceaccount.com", "nobody"},
	    {"vertex", NULL, SETTING_PRIVATE_KEY_ID, "abcDEF0123", "a b"},
	    {"vertex", NULL, SETTING_PROFILE, "geo", "us"},
	    {"bedrock", "sts-assume-role", SETTING_ROLE_ARN, ROLE,
		"arn:aws:iam::1:user/x-long-enough"},
	    {"bedrock", "sts-assume-role", SETTING_EXTERNAL_ID, "corp:42/x", "a b"},
	    {"bedrock", "sts-assume-role", SETTING_SESSION_NAME, "gw@corp", "a/b"},
	    {"bedrock", "sts-assume-role", SETTING_DURATION, "3600", "899"},
	    {"bedrock", "sts-assume-role", SETTING_STS_REGION, "eu-west-1", "evil.example"},
	    {"bedrock", "sts-web-identity", SETTING_SUBJECT,
		"scoped_principal:t/service_account:ci", "scoped_principal:t/robot:x"},
	    {"bedrock", "sts-web-identity", SETTING_AUDIENCE, "sts.amazonaws.com", "a b"},
	    {"bedrock", "sigv4", SETTING_PROFILE, "us-gov", "US"},
	    {"bedrock", "sigv4", SETTING_PROFILE, "none", "a-prefix-too-long"},
	    {"bedrock", "sigv4", SETTING_EXPIRES, "1800000000", "tomorrow"},
	};
	struct msg_credential_put m;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		bool google = strcmp(table[i].provider, "vertex") == 0;
		struct spec_credential s = google ? vertex() : bedrock();
		s.provider = table[i].provider;
		s.auth = table[i].auth;
		if (strcmp(s.provider, "azure") == 0) {
			s.region = NULL;
			s.host = "corp.openai.azure.com";
		} else if (!google) {
			s.access_key_id = "AKIAIOSFODNN7EXAMPLE";
		}
		if (s.auth != NULL && strcmp(s.auth, "sts-assume-role") == 0)
			s.setting[SETTING_ROLE_ARN] = ROLE;
		if (s.auth != NULL && strcmp(s.auth, "sts-web-identity") == 0) {
			s.setting[SETTING_ROLE_ARN] = ROLE;
			s.setting[SETTING_SUBJECT] = SUB;
			s.access_key_id = NULL;
		}
		s.setting[table[i].id] = table[i].good;
		if (try_spec(&s, &m) != 0)
			fail_msg("row %zu: %s", i, error);
		s.setting[table[i].id] = table[i].bad;
		if (try_spec(&s, &m) == 0)
			fail_msg("row %zu takes %s", i, table[i].bad);
		assert_non_null(strstr(error, table[i].bad));
	}
}

static void
regions_of_google(void **state)
{
	(void)state;
	static const char *const good[] = {"us-central1", "europe-west12", "global", "us", "eu"};
	static const char *const bad[] = {
	    NULL, "us-east-1", "asia", "us-central", "us-central1.evil", "US", "us-central111"};
	struct msg_credential_put m;
	struct spec_credential s = vertex();
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		s.region = good[i];
		assert_int_equal(try_spec(&s, &m), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s.region = bad[i];
		assert_int_equal(try_spec(&s, &m), -1);
	}
}

static void
deployments_map_models(void **state)
{
	(void)state;
	static const char *const bad[] = {"gpt-4o", "=x", "gpt-4o=", "gpt-4o=a/b"};
	struct msg_credential_put m;
	struct spec_credential s = {.name = "c",
	    .provider = "azure",
	    .host = "corp.openai.azure.com",
	    .deployments = {.n = 2, .v = {"gpt-4o=prod", "o3=prod-o3"}}};
	assert_int_equal(try_spec(&s, &m), 0);
	assert_int_equal(m.deployment_count, 2);
	assert_true(view_eq_str(m.deployment[0].model, "gpt-4o"));
	assert_true(view_eq_str(m.deployment[1].name, "prod-o3"));
	s.deployments.v[1] = "gpt-4o=again";
	assert_int_equal(try_spec(&s, &m), -1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s.deployments.v[1] = bad[i];
		assert_int_equal(try_spec(&s, &m), -1);
	}
	s.provider = "openai";
	s.deployments.v[1] = "o3=x";
	assert_int_equal(try_spec(&s, &m), -1);
}

static void
times(void **state)
{
	(void)state;
	char out[SPEC_TIME_MAX];
	assert_int_equal(spec_time("2026-12-31T00:00:00Z", out, error), 0);
	assert_string_equal(out, "1798675200");
	assert_int_equal(spec_time("2026-12-31", out, error), 0);
	assert_string_equal(out, "1798675200");
	assert_int_equal(spec_time("1798675200", out, error), 0);
	assert_string_equal(out, "1798675200");
	assert_int_equal(spec_time("tomorrow", out, error), -1);
	assert_int_equal(spec_time("2026-12-31T00:00:00Zx", out, error), -1);
	assert_int_equal(spec_time("", out, error), -1);
}

static void
operations_of_each(void **state)
{
	(void)state;
	static const struct {
		const char *provider, *good, *bad;
	} table[] = {{"gemini", "generate-content", "predict"}, {"gemini", "google-models", "chat"},
	    {"vertex", "raw-predict", "google-models"}, {"bedrock", "converse", "generate-content"},
	    {"azure", "chat", "messages"}};
	struct msg_credential_put m;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct spec_credential s =
		    strcmp(table[i].provider, "vertex") == 0 ? vertex() : bedrock();
		s.provider = table[i].provider;
		if (strcmp(s.provider, "bedrock") != 0 && strcmp(s.provider, "vertex") != 0)
			s.region = NULL;
		if (strcmp(s.provider, "azure") == 0)
			s.host = "corp.openai.azure.com";
		s.operations = (struct cli_list){.n = 1, .v = {table[i].good}};
		if (try_spec(&s, &m) != 0)
			fail_msg("row %zu: %s", i, error);
		s.operations.v[0] = table[i].bad;
		assert_int_equal(try_spec(&s, &m), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_given_chooses),
	    cmocka_unit_test(what_does_not_go_together),
	    cmocka_unit_test(settings_have_grammars),
	    cmocka_unit_test(regions_of_google),
	    cmocka_unit_test(deployments_map_models),
	    cmocka_unit_test(times),
	    cmocka_unit_test(operations_of_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
