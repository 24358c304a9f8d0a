// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Settings and deployments of credentials: which kind needs and may have which, and the
// grammar of each.
#include "tests/unit/cred_kind_fixture.h"

static const unsigned all_settings[] = {SETTING_PROJECT, SETTING_API_VERSION, SETTING_CLIENT_EMAIL,
    SETTING_PRIVATE_KEY_ID, SETTING_ROLE_ARN, SETTING_EXTERNAL_ID, SETTING_SESSION_NAME,
    SETTING_SUBJECT, SETTING_AUDIENCE, SETTING_DURATION, SETTING_EXPIRES, SETTING_PROFILE,
    SETTING_STS_REGION};

static const char *
sample(unsigned id)
{
	static const char *const v[SETTING_LAST + 1] = {[SETTING_PROJECT] = "my-project-1",
	    [SETTING_API_VERSION] = "2024-10-21",
	    [SETTING_CLIENT_EMAIL] = "a@b.gserviceaccount.com",
	    [SETTING_PRIVATE_KEY_ID] = "0123456789",
	    [SETTING_ROLE_ARN] = ARN_ROLE,
	    [SETTING_EXTERNAL_ID] = "ext",
	    [SETTING_SESSION_NAME] = "session",
	    [SETTING_SUBJECT] = SUBJECT,
	    [SETTING_AUDIENCE] = "sts.amazonaws.com",
	    [SETTING_DURATION] = "3600",
	    [SETTING_EXPIRES] = "2000000000",
	    [SETTING_PROFILE] = "geo",
	    [SETTING_STS_REGION] = "us-east-1"};
	return v[id];
}

// Which settings a kind may have, and what is missing when one that it needs is.
static void
test_which_settings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct kind *k = kind_of(kinds[i].provider, kinds[i].auth);
		for (size_t s = 0; s < ARRAY_LEN(all_settings); s++) {
			unsigned id = all_settings[s];
			char words[64];
			some(kinds[i].provider, kinds[i].auth);
			set(id, sample(id));
			if (((k->needs | k->allows) & CATALOGUE_BIT(id)) != 0) {
				good();
			} else {
				snprintf(
				    words, sizeof(words), "has no setting '%s'", ids_setting(id));
				bad("bad_setting", words);
			}
			if ((k->needs & CATALOGUE_BIT(id)) != 0) {
				unset(id);
				snprintf(words, sizeof(words), "also needs: %s", ids_setting(id));
				bad("bad_setting", words);
			}
		}
	}
	// Said outright, for the two that matter most.
	some(PROVIDER_BEDROCK, AUTH_STS_ASSUME_ROLE);
	put.setting_count = 0;
	bad("bad_setting", "role-arn");
	some(PROVIDER_BEDROCK, AUTH_STS_WEB_IDENTITY);
	put.setting_count = 0;
	bad("bad_setting", "role-arn, subject");
	some(PROVIDER_OPENAI, AUTH_BEARER);
	set(SETTING_LAST + 1, "x");
	bad("bad_setting", "unknown");
	some(PROVIDER_BEDROCK, AUTH_SIGV4);
	set(SETTING_EXPIRES, "2000000000");
	put.setting[1] = put.setting[0];
	put.setting_count = 2;
	bad("bad_setting", "twice");
	put.setting[0] = (struct msg_named){SETTING_PROFILE, VIEW("geo")};
	bad("bad_setting", "out of order");
}

struct value {
	uint64_t id, provider, auth;
	const char *value;
	bool good;
};

#define V(auth, id)   SETTING_##id, PROVIDER_VERTEX, AUTH_GOOGLE_##auth
#define AWS(auth, id) SETTING_##id, PROVIDER_BEDROCK, AUTH_STS_##auth

static const struct value values[] = {
    {V(TOKEN, PROJECT), "my-project-1234", true},
    {V(JWT, PROJECT), "example.com:my-project", true},
    {V(TOKEN, PROJECT), "123456789012", true},
    {V(TOKEN, PROJECT), "short", false},
    {V(TOKEN, PROJECT), "1-my-project", false},
    {V(TOKEN, PROJECT), "My-Project", false},
    {V(TOKEN, PROJECT), "my-project-", false},
    {V(TOKEN, PROJECT), "my-project/x", false},
    {V(TOKEN, PROJECT), "my-project-that-is-longer-than-30", false},
    {V(TOKEN, PROJECT), "example:my-project", false},
    {V(TOKEN, CLIENT_EMAIL), "sp@p.iam.gserviceaccount.com", true},
    {V(TOKEN, CLIENT_EMAIL), "123-compute@developer.gserviceaccount.com", true},
    {V(TOKEN, CLIENT_EMAIL), "me@example.com", false},
    {V(TOKEN, CLIENT_EMAIL), "@p.iam.gserviceaccount.com", false},
    {V(TOKEN, CLIENT_EMAIL), "a\"b@p.iam.gserviceaccount.com", false},
    {V(TOKEN, CLIENT_EMAIL), "gserviceaccount.com", false},
    {V(TOKEN, PRIVATE_KEY_ID), "0123456789abcdef", true},
    {V(TOKEN, PRIVATE_KEY_ID), "0123-5678", false},
    {V(TOKEN, PRIVATE_KEY_ID), "0123456", false},
    {AWS(ASSUME_ROLE, ROLE_ARN), ARN_ROLE, true},
    {AWS(ASSUME_ROLE, ROLE_ARN), "arn:aws-us-gov:iam::123456789012:role/a/b+c=,.@-_d", true},
    {AWS(WEB_IDENTITY, ROLE_ARN), "arn:aws-cn:iam::123456789012:role/x", true},
    {AWS(ASSUME_ROLE, ROLE_ARN), "arn:aws:iam::12345678901:role/x", false},
    {AWS(ASSUME_ROLE, ROLE_ARN), "arn:aws:iam::12345678901a:role/x", false},
    {AWS(ASSUME_ROLE, ROLE_ARN), "arn:aws:iam::123456789012:role/", false},
    {AWS(ASSUME_ROLE, ROLE_ARN), "arn:aws:iam::123456789012:role/x/", false},
    {AWS(ASSUME_ROLE, ROLE_ARN), "arn:aws:iam::123456789012:user/x", false},
    {AWS(ASSUME_ROLE, ROLE_ARN), "arn:aws:iam::123456789012:role/a&b", false},
    {AWS(ASSUME_ROLE, ROLE_ARN), "arn:aws:sts::123456789012:assumed-role/x/y", false},
    {AWS(ASSUME_ROLE, ROLE_ARN), "sallyport", false},
    {AWS(ASSUME_ROLE, EXTERNAL_ID), "A1_+=,.@:/-", true},
    {AWS(ASSUME_ROLE, EXTERNAL_ID), "a", false},
    {AWS(ASSUME_ROLE, EXTERNAL_ID), "a b", false},
    {AWS(ASSUME_ROLE, SESSION_NAME), "sallyport@host=1", true},
    {AWS(ASSUME_ROLE, SESSION_NAME), "a/b", false},
    {AWS(ASSUME_ROLE, SESSION_NAME),
	"0123456789012345678901234567890123456789012345678901234567890123x", false},
    {AWS(WEB_IDENTITY, SUBJECT), "scoped_principal:t/user:a@b.c+d", true},
    {AWS(WEB_IDENTITY, SUBJECT), SUBJECT, true},
    {AWS(WEB_IDENTITY, SUBJECT), "scoped_principal:t/user:", false},
    {AWS(WEB_IDENTITY, SUBJECT), "scoped_principal:/user:a", false},
    {AWS(WEB_IDENTITY, SUBJECT), "scoped_principal:t/robot:a", false},
    {AWS(WEB_IDENTITY, SUBJECT), "scoped_principal:t/user:a/b", false},
    {AWS(WEB_IDENTITY, SUBJECT), "scoped_principal:t", false},
    {AWS(WEB_IDENTITY, SUBJECT), "scoped_principal:", false},
    {AWS(WEB_IDENTITY, SUBJECT), "user:a", false},
    {AWS(WEB_IDENTITY, SUBJECT), "scoped_principal:t/user:*", false},
    {AWS(WEB_IDENTITY, AUDIENCE), "https://sts.example/x", true},
    {AWS(WEB_IDENTITY, AUDIENCE), "a\"b", false},
    {AWS(ASSUME_ROLE, DURATION), "900", true},
    {AWS(ASSUME_ROLE, DURATION), "43200", true},
    {AWS(ASSUME_ROLE, DURATION), "899", false},
    {AWS(ASSUME_ROLE, DURATION), "43201", false},
    {AWS(ASSUME_ROLE, DURATION), "3600s", false},
    {AWS(SESSION, DURATION), "129600", true},
    {AWS(SESSION, DURATION), "129601", false},
    {AWS(SESSION, STS_REGION), "eu-west-1", true},
    {AWS(SESSION, STS_REGION), "evil.example/", false},
    {AWS(SESSION, STS_REGION), "global", false},
    {AWS(SESSION, PROFILE), "auto", true},
    {AWS(SESSION, PROFILE), "us-gov", true},
    {AWS(SESSION, PROFILE), "EU", false},
    {AWS(SESSION, PROFILE), "us.", false},
    {SETTING_API_VERSION, PROVIDER_AZURE, AUTH_AZURE_API_KEY, "2024-10-21", true},
    {SETTING_API_VERSION, PROVIDER_AZURE, AUTH_AZURE_API_KEY, "2025-04-01-preview", true},
    {SETTING_API_VERSION, PROVIDER_AZURE, AUTH_AZURE_API_KEY, "v1", false},
    {SETTING_API_VERSION, PROVIDER_AZURE, AUTH_AZURE_API_KEY, "preview", false},
    {SETTING_API_VERSION, PROVIDER_AZURE, AUTH_AZURE_API_KEY, "2024/10/21", false},
    {SETTING_API_VERSION, PROVIDER_AZURE, AUTH_AZURE_API_KEY, "2024-10-21&x=y", false},
    {SETTING_EXPIRES, PROVIDER_OPENAI, AUTH_BEARER, "2000000000", true},
    {SETTING_EXPIRES, PROVIDER_OPENAI, AUTH_BEARER, "tomorrow", false},
    {SETTING_EXPIRES, PROVIDER_OPENAI, AUTH_BEARER, "2026-01-15", false},
};

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const struct value *v = &values[i];
		char words[64];
		some(v->provider, v->auth);
		set(v->id, v->value);
		snprintf(words, sizeof(words), "The setting %s is ", ids_setting(v->id));
		if (check() != v->good)
			fail_msg("%s '%s': %s", ids_setting(v->id), v->value,
			    v->good ? e.message : "accepted");
		if (!v->good)
			bad("bad_setting", words);
	}
	for (size_t i = 0; i < ARRAY_LEN(all_settings); i++) { // none is empty
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			const struct kind *kind = kind_of(kinds[k].provider, kinds[k].auth);
			if (((kind->needs | kind->allows) & CATALOGUE_BIT(all_settings[i])) == 0)
				continue;
			some(kinds[k].provider, kinds[k].auth);
			set(all_settings[i], "");
			bad("bad_setting", ids_setting(all_settings[i]));
		}
	}
}

static void
test_deployments(void **state)
{
	(void)state;
	some(PROVIDER_AZURE, AUTH_AZURE_API_KEY);
	put.deployment_count = 2;
	put.deployment[0] = (struct msg_deployment){VIEW("gpt-4o"), VIEW("prod-4o")};
	put.deployment[1] = (struct msg_deployment){VIEW("o3"), VIEW("prod-4o")};
	good();
	put.deployment[1].model = VIEW("gpt-4o");
	bad("bad_deployment", "has two deployments");
	put.deployment[1].model = VIEW("a b");
	bad("bad_deployment", "is no model name");
	put.deployment[1] = (struct msg_deployment){VIEW("o3"), VIEW("../x")};
	bad("bad_deployment", "no name of a deployment");
	put.deployment[1].name = VIEW("");
	bad("bad_deployment", "no name of a deployment");
	some(PROVIDER_OPENAI, AUTH_BEARER);
	put.deployment_count = 1;
	put.deployment[0] = (struct msg_deployment){VIEW("gpt-4o"), VIEW("prod-4o")};
	bad("bad_deployment", "Only azure");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_which_settings),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_deployments),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
