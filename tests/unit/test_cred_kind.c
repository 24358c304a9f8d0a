// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Kinds of credentials: every pair of provider and authorization, its secret, its
// region and its host; each refusal with its code and the words that tell the
// administrator what to do.
#include "tests/unit/cred_kind_fixture.h"

static bool
is_kind(uint64_t provider, uint64_t auth)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].provider == provider && kinds[i].auth == auth)
			return true;
	return false;
}

static void
test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		some(kinds[i].provider, kinds[i].auth);
		good();
		assert_true(view_eq_str(put.host, kinds[i].host));
		assert_int_equal(put.port, 443);
		good(); // what was filled in is as good
	}
	for (uint64_t p = 1; p <= PROVIDER_LAST; p++) {
		for (uint64_t a = 1; a <= AUTH_LAST + 1; a++) {
			some(p, a);
			if (!is_kind(p, a))
				bad("bad_auth", "does not take this kind of authorization");
		}
	}
	some(PROVIDER_OPENAI, AUTH_BEARER);
	put.provider = 0;
	bad("bad_provider", "one of openai, anthropic, bedrock, gemini, azure, vertex");
	put.provider = PROVIDER_LAST + 1;
	bad("bad_provider", "one of");
}

static void
test_default_auth(void **state)
{
	(void)state;
	static const struct {
		uint64_t provider, auth;
	} usual[] = {{PROVIDER_OPENAI, AUTH_BEARER}, {PROVIDER_ANTHROPIC, AUTH_API_KEY},
	    {PROVIDER_OPENAI_COMPATIBLE, AUTH_BEARER}, {PROVIDER_GEMINI, AUTH_GOOGLE_API_KEY},
	    {PROVIDER_AZURE, AUTH_AZURE_API_KEY}, {PROVIDER_VERTEX, AUTH_GOOGLE_TOKEN},
	    {PROVIDER_BEDROCK, AUTH_SIGV4}, {PROVIDER_BEDROCK, AUTH_BEARER}};
	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		some(usual[i].provider, usual[i].auth);
		put.auth = 0;
		good();
		assert_int_equal(put.auth, usual[i].auth);
	}
}

// --- secrets -----------------------------------------------------------------------

static void
secret(const char *text, const char *words)
{
	put.secret = view_of(text);
	if (words == NULL)
		good();
	else
		bad("bad_secret", words);
}

static void
test_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		some(kinds[i].provider, kinds[i].auth);
		if (kinds[i].auth == AUTH_STS_WEB_IDENTITY) {
			secret("12345678", "has no secret");
			continue;
		}
		struct view own = put.secret;
		secret("", NULL); // settings change without it
		secret("1234567", "too short");
		secret("a b c d e f", "a space");
		secret("abcdefgh\n", "a line end");
		secret("abcdefgh\xc3\xa9", "not ASCII");
		secret("sp-0123456789", "This is a Sallyport key");
		put.secret = own;
		good();
	}
}

static void
test_wrong_key(void **state)
{
	(void)state;
	some(PROVIDER_OPENAI, AUTH_BEARER);
	secret("sk-0123456789", NULL);
	secret("sk-svcacct-0123456789", NULL);
	secret("sk-ant-api03-0123456789", "use --provider anthropic");
	secret("sk-admin-0123456789", "Make a project key");
	secret("sk-or-v1-0123456789", "openrouter.ai");
	secret("gsk_0123456789", "use --provider openai-compatible");
	some(PROVIDER_ANTHROPIC, AUTH_API_KEY);
	secret("sk-ant-admin01-0123456789", "This is an admin key");
	secret("sk-proj-0123456789", "--provider openai");
	some(PROVIDER_GEMINI, AUTH_GOOGLE_API_KEY);
	secret("AQ.Ab8RN6K0123456789_-abc", NULL); // a newer form
	secret("ya29.a0AfH6SMBx0123456789", "an access token");
	secret("sk-proj-0123456789abcdef", "no Gemini API key");
	secret("AIzaShort", "no Gemini API key");
	secret("AIza{0123456789abcdefghij}", "belongs to --provider vertex");
	some(PROVIDER_AZURE, AUTH_AZURE_API_KEY);
	secret("sk-proj-0123456789abcdef", "copy KEY 1");
	secret("0123456789abcde", "copy KEY 1");
	some(PROVIDER_VERTEX, AUTH_GOOGLE_TOKEN);
	secret("AIzaSyA0123456789abcdefghijklmnopqrstuv", "give the whole file");
	secret("-----BEGIN-PRIVATE-KEY-----", "give the whole file");
	some(PROVIDER_BEDROCK, AUTH_SIGV4);
	secret("AKIAIOSFODNN7EXAMPLE", "secret access key is wanted");
	some(PROVIDER_BEDROCK, AUTH_STS_SESSION);
	secret("ASIAIOSFODNN7EXAMPLE", "secret access key is wanted");
	some(PROVIDER_BEDROCK, AUTH_BEARER);
	secret(AWS_KEY, "With an IAM key give its --access-key-id too");
	secret("bedrock-api-key-!!!!", "damaged");
}

static void
test_access_keys(void **state)
{
	(void)state;
	const uint64_t with[] = {AUTH_SIGV4, AUTH_STS_SESSION, AUTH_STS_ASSUME_ROLE};
	static const char *const ids[] = {
	    "", "AKIA", "akiaiosfodnn7example", "AKIAIOSFODNN7 EXAMPLE", "AKIAIOSFODNN7EXAMPLE\n"};
	for (size_t i = 0; i < ARRAY_LEN(with); i++) {
		for (size_t k = 0; k < ARRAY_LEN(ids); k++) {
			some(PROVIDER_BEDROCK, with[i]);
			put.access_key_id = view_of(ids[k]);
			bad("bad_access_key", "--access-key-id");
		}
		some(PROVIDER_BEDROCK, with[i]);
		put.session_token = VIEW("a token");
		bad("bad_session_token", "paste it again");
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].provider == PROVIDER_BEDROCK && kinds[i].auth != AUTH_BEARER &&
		    kinds[i].auth != AUTH_STS_WEB_IDENTITY)
			continue;
		some(kinds[i].provider, kinds[i].auth);
		put.access_key_id = VIEW("AKIAIOSFODNN7EXAMPLE");
		bad("bad_access_key", "belongs to a bedrock credential");
		some(kinds[i].provider, kinds[i].auth);
		put.session_token = VIEW("token");
		bad("bad_access_key", "belongs to a bedrock credential");
	}
}

static void
test_temporary_keys(void **state)
{
	(void)state;
	some(PROVIDER_BEDROCK, AUTH_SIGV4);
	put.access_key_id = VIEW("ASIAIOSFODNN7EXAMPLE");
	bad("bad_session_token", "need their session token");
	put.session_token = VIEW("IQoJb3JpZ2luX2VjTOKEN");
	good();
	set(SETTING_EXPIRES, "1768478401");
	good();
	set(SETTING_EXPIRES, "1768478400");
	bad("credential_expired", "cannot be refreshed");
	const uint64_t exchanged[] = {AUTH_STS_SESSION, AUTH_STS_ASSUME_ROLE};
	for (size_t i = 0; i < ARRAY_LEN(exchanged); i++) {
		some(PROVIDER_BEDROCK, exchanged[i]);
		put.access_key_id = VIEW("ASIAIOSFODNN7EXAMPLE");
		put.session_token = VIEW("IQoJb3JpZ2luX2VjTOKEN");
		bad("bad_access_key", "cannot be refreshed through STS");
	}
}

static const char *
short_term(const char *region)
{
	static char key[1024];
	char url[512];
	int n = snprintf(url, sizeof(url),
	    "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Credential=ASIAEXAMPLE%%2F"
	    "20260115%%2F%s%%2Fbedrock%%2Faws4_request&X-Amz-Date=20260115T060000Z"
	    "&X-Amz-Expires=43200&Version=1",
	    region);
	snprintf(key, sizeof(key), "bedrock-api-key-");
	sodium_bin2base64(key + 16, sizeof(key) - 16, (const uint8_t *)url, (size_t)n,
	    sodium_base64_VARIANT_ORIGINAL);
	return key;
}

static void
test_short_term_key(void **state)
{
	(void)state;
	some(PROVIDER_BEDROCK, AUTH_BEARER);
	put.secret = view_of(short_term("eu-west-1"));
	put.region = (struct view){0};
	good();
	assert_true(view_eq_str(put.region, "eu-west-1"));
	assert_true(view_eq_str(put.host, "bedrock-runtime.eu-west-1.amazonaws.com"));
	assert_int_equal(put.setting_count, 1);
	assert_true(view_eq_str(cred_kind_setting(&put, SETTING_EXPIRES), "1768500000"));
	put.host = (struct view){0};
	put.region = VIEW("us-east-1");
	bad("bad_region", "good in eu-west-1 only: use --region eu-west-1");
	// The end that it tells itself counts, among the other settings.
	some(PROVIDER_BEDROCK, AUTH_BEARER);
	put.secret = view_of(short_term("us-east-1"));
	set(SETTING_EXPIRES, "1768478405");
	set(SETTING_PROFILE, "geo");
	good();
	assert_true(view_eq_str(cred_kind_setting(&put, SETTING_EXPIRES), "1768500000"));
	assert_int_equal(put.setting_count, 2);
	unset(SETTING_EXPIRES);
	good();
	assert_int_equal(put.setting[0].id, SETTING_EXPIRES);
	assert_int_equal(put.setting[1].id, SETTING_PROFILE);
	e = (struct admin_error){0};
	assert_false(cred_kind_check(&put, cat, 1768500000, &room, &e));
	assert_string_equal(e.code, "credential_expired");
	assert_non_null(strstr(e.message, "12 hours"));
	secret("bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9B", "paste it again, whole");
}

static void
test_expired(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].auth >= AUTH_STS_SESSION)
			continue;
		some(kinds[i].provider, kinds[i].auth);
		set(SETTING_EXPIRES, "1768478401");
		good();
		set(SETTING_EXPIRES, "1768478400");
		bad("credential_expired", "make a new one");
	}
}

// --- region and host -------------------------------------------------------------------

static void
test_regions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		some(kinds[i].provider, kinds[i].auth);
		if (kinds[i].provider == PROVIDER_VERTEX) {
			put.region = VIEW("moon");
			bad("bad_region", "--region us-central1");
			put.region = (struct view){0};
			bad("bad_region", "--region us-central1");
		} else if (kinds[i].provider == PROVIDER_BEDROCK) {
			put.region = VIEW("us-central1");
			bad("bad_region", "--region us-east-1");
			put.region = (struct view){0};
			bad("bad_region", "--region us-east-1");
		} else {
			put.region = VIEW("us-east-1");
			bad("bad_region", "Only bedrock and vertex");
		}
	}
}

static void
test_vertex_residency(void **state)
{
	(void)state;
	static const struct {
		const char *region, *profile, *code; // NULL: good
	} rows[] = {
	    {"us-central1", "geo", NULL},
	    {"us-central1", "none", NULL},
	    {"eu", "geo", NULL},
	    {"global", NULL, NULL},
	    {"eu", "none", "bad_region"},
	    {"global", "geo", "bad_region"},
	    {"global", "none", "bad_region"},
	    {"us-central1", "global", "bad_setting"},
	    {"us-central1", "us", "bad_setting"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		some(PROVIDER_VERTEX, AUTH_GOOGLE_TOKEN);
		put.region = view_of(rows[i].region);
		if (rows[i].profile != NULL)
			set(SETTING_PROFILE, rows[i].profile);
		if (rows[i].code == NULL)
			good();
		else
			bad(rows[i].code, "");
	}
}

static void
test_hosts(void **state)
{
	(void)state;
	static const char *const bad_names[] = {
	    "A.example", "a b", "https://a.example", "a.example/x", "a:443", "a..b"};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		some(kinds[i].provider, kinds[i].auth);
		for (size_t k = 0; k < ARRAY_LEN(bad_names); k++) {
			put.host = view_of(bad_names[k]);
			bad("bad_host", "");
		}
	}
	some(PROVIDER_OPENAI_COMPATIBLE, AUTH_BEARER);
	put.host = (struct view){0};
	bad("bad_host", "needs its host: --host HOST[:PORT]");
	some(PROVIDER_BEDROCK, AUTH_SIGV4);
	put.host = VIEW("vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com");
	put.port = 8443;
	good();
	assert_int_equal(put.port, 8443);
}

static void
test_azure_hosts(void **state)
{
	(void)state;
	static const char *const fine[] = {"r.openai.azure.com", "r-1.services.ai.azure.com",
	    "r.cognitiveservices.azure.com", "r.openai.azure.us", "r.openai.azure.cn"};
	static const char *const wrong[] = {"", "openai.azure.com", ".openai.azure.com",
	    "a.b.openai.azure.com", "r.openai.azure.com.evil.example", "evil.example",
	    "ropenai.azure.com", "r.azure.com"};
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		some(PROVIDER_AZURE, AUTH_AZURE_API_KEY);
		put.host = view_of(fine[i]);
		good();
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		some(PROVIDER_AZURE, AUTH_AZURE_API_KEY);
		put.host = view_of(wrong[i]);
		bad("bad_host", "--host NAME.openai.azure.com");
	}
	some(PROVIDER_AZURE, AUTH_AZURE_API_KEY); // the name alone is enough
	put.host = VIEW("my-res");
	good();
	assert_true(view_eq_str(put.host, "my-res.openai.azure.com"));
	some(PROVIDER_AZURE, AUTH_AZURE_API_KEY); // an own front has its own CA
	put.host = VIEW("azure.corp.example");
	put.ca_pem = VIEW("-----BEGIN CERTIFICATE-----");
	good();
}

static void
test_properties(void **state)
{
	(void)state;
	for (uint64_t a = 0; a <= AUTH_LAST + 1; a++) {
		bool sts = a == AUTH_STS_SESSION || a == AUTH_STS_ASSUME_ROLE ||
			   a == AUTH_STS_WEB_IDENTITY;
		bool google = a == AUTH_GOOGLE_TOKEN || a == AUTH_GOOGLE_JWT;
		assert_int_equal(kind_exchanges(a), sts || google);
		assert_int_equal(kind_signs(a), sts || a == AUTH_SIGV4);
	}
	// Whom a secret is for does not change without it.
	unsigned bound = cred_kind_bound_settings();
	const unsigned names_it[] = {SETTING_PROJECT, SETTING_CLIENT_EMAIL, SETTING_ROLE_ARN,
	    SETTING_EXTERNAL_ID, SETTING_SUBJECT, SETTING_AUDIENCE, SETTING_STS_REGION};
	for (size_t i = 0; i < ARRAY_LEN(names_it); i++)
		assert_true((bound & CATALOGUE_BIT(names_it[i])) != 0);
	assert_true((bound & CATALOGUE_BIT(SETTING_PROFILE)) == 0);
	assert_true((bound & CATALOGUE_BIT(SETTING_EXPIRES)) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_default_auth),
	    cmocka_unit_test(test_secrets),
	    cmocka_unit_test(test_wrong_key),
	    cmocka_unit_test(test_access_keys),
	    cmocka_unit_test(test_temporary_keys),
	    cmocka_unit_test(test_short_term_key),
	    cmocka_unit_test(test_expired),
	    cmocka_unit_test(test_regions),
	    cmocka_unit_test(test_vertex_residency),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_azure_hosts),
	    cmocka_unit_test(test_properties),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
