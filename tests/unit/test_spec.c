// links: ctl auditd
// SPDX-License-Identifier: Apache-2.0
// What people write, checked before it is sent: each rule with an input that passes
// and one that does not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/spec.h"

static char error[SPEC_ERROR_MAX];

static struct spec_credential
base(void)
{
	return (struct spec_credential){.name = "main", .provider = "openai"};
}

static struct spec_credential
aws(void)
{
	return (struct spec_credential){.name = "aws",
	    .provider = "bedrock",
	    .region = "us-east-1",
	    .access_key_id = "AKIAIOSFODNN7EXAMPLE"};
}

static int
try_spec(const struct spec_credential *s)
{
	struct msg_credential_put m;
	error[0] = '\0';
	return spec_credential(s, &m, error);
}

static void
providers_choose_their_scheme(void **state)
{
	static const struct {
		const char *provider;
		uint64_t id, auth;
	} table[] = {{"openai", PROVIDER_OPENAI, AUTH_BEARER},
	    {"anthropic", PROVIDER_ANTHROPIC, AUTH_API_KEY},
	    {"openai-compatible", PROVIDER_OPENAI_COMPATIBLE, AUTH_BEARER}};
	struct msg_credential_put m;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct spec_credential s = base();
		s.provider = table[i].provider;
		s.host = "llm.corp.example:8443";
		assert_int_equal(spec_credential(&s, &m, error), 0);
		assert_int_equal(m.provider, table[i].id);
		assert_int_equal(m.auth, table[i].auth);
		assert_true(view_eq_str(m.host, "llm.corp.example"));
		assert_int_equal(m.port, 8443);
		assert_true(view_eq_str(m.workspace, "default"));
		assert_true(m.enabled);
	}
	struct spec_credential s = aws();
	assert_int_equal(spec_credential(&s, &m, error), 0);
	assert_int_equal(m.auth, AUTH_STS_SESSION);
	assert_int_equal(m.host.len, 0);
	assert_int_equal(m.port, 0);
	s.provider = "acme";
	assert_int_equal(try_spec(&s), -1);
	assert_non_null(strstr(error, "openai-compatible"));
}

static void
hosts_are_names_alone(void **state)
{
	static const char *const good[] = {"a.example", "a.example:1", "10.0.0.1:443", "x"};
	static const char *const bad[] = {"https://a.example", "a.example/v1", "A.example", "a b",
	    "a.example:0", "a.example:65536", "a.example:", "a.example:4x", ".a", "a.", "a..b",
	    "-a", ":443", "a@b", "a\nb"};
	struct spec_credential s = base();
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		s.host = good[i];
		assert_int_equal(try_spec(&s), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s.host = bad[i];
		assert_int_equal(try_spec(&s), -1);
		assert_non_null(strstr(error, "host"));
	}
	s.provider = "openai-compatible";
	s.host = NULL;
	assert_int_equal(try_spec(&s), -1);
}

static void
regions_become_host_names(void **state)
{
	static const char *const good[] = {"us-east-1", "ap-southeast-2", "us-gov-west-1"};
	static const char *const bad[] = {NULL, "", "us", "us-east", "useast1", "us-east-1.evil",
	    "US-EAST-1", "us--east-1", "us-east-1-", "u-east-1", "us-east-1x", "us-east-1/",
	    "us-aaaaaaaaaaaaaaaaaaaaaaaaaaaa-1"};
	struct spec_credential s = aws();
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		s.region = good[i];
		assert_int_equal(try_spec(&s), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s.region = bad[i];
		assert_int_equal(try_spec(&s), -1);
	}
	s = aws();
	s.access_key_id = NULL;
	assert_int_equal(try_spec(&s), 0); // a Bedrock API key
	s.access_key_id = "akiaiosfodnn7example";
	assert_int_equal(try_spec(&s), -1);
	s = base();
	s.region = "us-east-1";
	assert_int_equal(try_spec(&s), -1);
}

static void
names_and_rates(void **state)
{
	static const char *const bad_names[] = {NULL, "", "-a", ".a", "_a", "a b", "a/b",
	    "\xc3\xa9", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	static const char *const bad_rates[] = {
	    "0", "-1", "1/s", "x", "1.5/min", "99999999999", " 1", "1 "};
	uint64_t n;
	(void)state;
	assert_true(spec_name_valid("team-a_1.x"));
	for (size_t i = 0; i < ARRAY_LEN(bad_names); i++)
		assert_false(spec_name_valid(bad_names[i]));
	assert_int_equal(spec_rate("600/min", &n, error), 0);
	assert_int_equal(n, 600);
	assert_int_equal(spec_rate("7", &n, error), 0);
	assert_int_equal(n, 7);
	assert_int_equal(spec_rate(NULL, &n, error), 0);
	assert_int_equal(n, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad_rates); i++)
		assert_int_equal(spec_rate(bad_rates[i], &n, error), -1);
}

static void
models_and_operations(void **state)
{
	struct spec_credential s = base();
	(void)state;
	s.models = (struct cli_list){.n = 2, .v = {"gpt-*", "o3"}};
	s.operations = (struct cli_list){.n = 1, .v = {"chat"}};
	assert_int_equal(try_spec(&s), 0);
	s.models.v[0] = "gpt-*-mini";
	assert_int_equal(try_spec(&s), -1);
	s.models.v[0] = "";
	assert_int_equal(try_spec(&s), -1);
	s.models.n = 0;
	s.operations.v[0] = "messages"; // Anthropic's, not OpenAI's
	assert_int_equal(try_spec(&s), -1);
	assert_non_null(strstr(error, "chat responses embeddings"));
	s.operations.v[0] = "drop-tables";
	assert_int_equal(try_spec(&s), -1);
}

static void
secrets_are_one_visible_word(void **state)
{
	char big[SPEC_SECRET_MAX + 1];
	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(spec_secret(VIEW("sk-abc/+="), "API key", error), 0);
	assert_int_equal(spec_secret((struct view){big, SPEC_SECRET_MAX}, "API key", error), 0);
	assert_int_equal(spec_secret((struct view){big, sizeof(big)}, "API key", error), -1);
	assert_int_equal(spec_secret(VIEW(""), "API key", error), -1);
	assert_int_equal(spec_secret(VIEW("sk abc"), "API key", error), -1);
	assert_non_null(strstr(error, "position 3"));
	assert_null(strstr(error, "abc")); // never a part of the secret itself
	assert_int_equal(spec_secret(VIEW("sk\r"), "API key", error), -1);
	assert_int_equal(spec_secret(VIEW("s\xc3\xa9"), "API key", error), -1);
}

static void
virtual_keys(void **state)
{
	struct msg_vkey_issue m;
	struct spec_vkey s = {.name = "team-a",
	    .rate = "60/min",
	    .credentials = {.n = 1, .v = {"main"}},
	    .models = {.n = 1, .v = {"gpt-*"}}};
	(void)state;
	assert_int_equal(spec_vkey(&s, &m, error), 0);
	assert_int_equal(m.rate_per_minute, 60);
	assert_true(view_eq_str(m.workspace, "default"));
	s.credentials.v[0] = "ma in";
	assert_int_equal(spec_vkey(&s, &m, error), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(providers_choose_their_scheme),
	    cmocka_unit_test(hosts_are_names_alone),
	    cmocka_unit_test(regions_become_host_names),
	    cmocka_unit_test(names_and_rates),
	    cmocka_unit_test(models_and_operations),
	    cmocka_unit_test(secrets_are_one_visible_word),
	    cmocka_unit_test(virtual_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
