// links: vaultd ctl/spec ctl/spec_kind
// SPDX-License-Identifier: Apache-2.0
// What the command lets through, the vault takes, and what the vault refuses, the command
// has told before: for each kind of credential and each setting, good values and bad ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/spec.h"
#include "proto/kind.h"
#include "tests/unit/catalogue_fixture.h"
#include "vaultd/cred_kind.h"

#define ROLE "arn:aws:iam::123456789012:role/gateway"
#define SUB  "scoped_principal:team-a/user:u-1"

static const char *const good[SETTING_LAST + 1] = {
    [SETTING_PROJECT] = "my-project-1",
    [SETTING_API_VERSION] = "2024-10-21",
    [SETTING_CLIENT_EMAIL] = "gw@my-project-1.iam.gserviceaccount.com",
    [SETTING_PRIVATE_KEY_ID] = "0123456789abcdef",
    [SETTING_ROLE_ARN] = ROLE,
    [SETTING_EXTERNAL_ID] = "external-1",
    [SETTING_SESSION_NAME] = "gateway",
    [SETTING_SUBJECT] = SUB,
    [SETTING_AUDIENCE] = "sts.amazonaws.com",
    [SETTING_DURATION] = "3600",
    [SETTING_EXPIRES] = "4102444800",
    [SETTING_PROFILE] = "none",
    [SETTING_STS_REGION] = "eu-west-1",
};

// Whatever somebody may write somewhere.
static const char *const values[] = {"", " ", "a", "ab", "abc", "abcd", "abcde", "abcdef", "A",
    "Ab-cd-ef", "my-project-1", "my-project-", "-my-project", "1234567", "123456789012345678901",
    "example.com:proj-1", "example:proj-1", "example.com:", "my_project_1", "my.project.1",
    "a-project-name-that-is-longer-than-thirty", "2024-10-21", "2024-1-21", "2024-10-21-preview",
    "2024-10-21-previews", "20241021xx", "gw@my-project-1.iam.gserviceaccount.com",
    "gw@example.com", "@x.iam.gserviceaccount.com", "gw@.gserviceaccount.com", "nobody",
    "0123456789abcdef", "0123456", "0123_4567", "0123-4567", ROLE,
    "arn:aws:iam::123456789012:user/x-long-enough", "arn:aws:iam::12345678901:role/gateway",
    "arn:aws-cn:iam::123456789012:role/gateway", "arn:aws-us-gov:iam::123456789012:role/p/gateway",
    "arn:awsx:iam::123456789012:role/gateway", "arn:aws:iam::123456789012:role/gateway/",
    "arn:aws:iam::123456789012:role/", "arn:aws:iam::123456789012:role/a b", "external-1", "e",
    "corp:42/x", "a*b", "gateway", "g", "gw@corp", "a/b", SUB,
    "scoped_principal:team-a/service_account:ci.1", "scoped_principal:team-a/robot:x",
    "scoped_principal:/user:x", "scoped_principal:team-a/user:", "scoped_principal:team-a",
    "scoped_principal:t a/user:x", "scoped_principal:team-a/user:a/b", "sts.amazonaws.com",
    "https://a.example/x", "a b", "3600", "899", "900", "43200", "43201", "129600", "129601",
    "3600s", "-1", "0", "00900", "4102444800", "tomorrow", "auto", "global", "geo", "none", "us",
    "us-gov", "US", "a-prefix-too-long", "eu-west-1", "us-gov-west-1", "eu-west", "evil.example",
    "eu-west-1.evil.example", "us-east-1-"};

static struct spec_credential
base(const struct kind *k)
{
	struct spec_credential s = {
	    .name = "c", .provider = ids_provider(k->provider), .auth = ids_auth(k->auth)};
	if (k->provider == PROVIDER_BEDROCK)
		s.region = "us-east-1";
	if (k->provider == PROVIDER_VERTEX)
		s.region = "us-central1";
	if (k->provider == PROVIDER_AZURE)
		s.host = "corp.openai.azure.com";
	if (k->provider == PROVIDER_OPENAI_COMPATIBLE)
		s.host = "llm.corp.example";
	if (k->access_key)
		s.access_key_id = "AKIAIOSFODNN7EXAMPLE";
	for (unsigned id = 1; id <= SETTING_LAST; id++)
		if ((k->needs >> id & 1) != 0)
			s.setting[id] = good[id];
	return s;
}

static struct catalogue *cat;
static char told[SPEC_ERROR_MAX];
static struct admin_error said;

static void
put_setting(struct msg_credential_put *m, unsigned id, const char *v)
{
	size_t at = 0;
	while (at < m->setting_count && m->setting[at].id < id)
		at++;
	if (at == m->setting_count || m->setting[at].id != id)
		memmove(&m->setting[at + 1], &m->setting[at],
		    (m->setting_count++ - at) * sizeof(m->setting[0]));
	m->setting[at] = (struct msg_named){id, view_of(v)};
}

// What both say of it; the vault is asked also what the command would not send.
static void
judge(const struct kind *k, unsigned id, const char *v, bool *command_r, bool *vault_r)
{
	struct spec_credential s = base(k);
	struct msg_credential_put m;
	struct cred_kind_room room;
	assert_int_equal(spec_credential(&s, &m, told), 0);
	put_setting(&m, id, v);
	*vault_r = cred_kind_check(&m, cat, 1700000000, &room, &said);
	s.setting[id] = v;
	*command_r = spec_credential(&s, &m, told) == 0;
}

static void
on_each_setting_of_each_kind(void **state)
{
	(void)state;
	const struct kind *k;
	size_t accepted = 0, refused = 0, faults = 0;
	for (size_t i = 0; (k = kind_at(i)) != NULL; i++) {
		for (unsigned id = 1; id <= SETTING_LAST; id++) {
			bool has = ((k->needs | k->allows) >> id & 1) != 0;
			for (size_t v = 0; v < ARRAY_LEN(values); v++) {
				bool command, vault;
				if (*values[v] == '\0') // the command leaves it away
					continue;
				judge(k, id, values[v], &command, &vault);
				accepted += command;
				refused += !command;
				if (command == vault && (has || !command))
					continue;
				faults++;
				print_message("%s %s %s \"%s\": command %s, vault %s: %s\n",
				    ids_provider(k->provider), ids_auth(k->auth), ids_setting(id),
				    values[v], command ? "yes" : told, vault ? "yes" : "no",
				    said.message);
			}
			bool command, vault;
			judge(k, id, good[id], &command, &vault);
			assert_int_equal(command, has);
			assert_int_equal(vault, has);
		}
	}
	assert_true(accepted > 100 && refused > 1000);
	assert_int_equal(faults, 0);
}

static void
on_regions_and_hosts(void **state)
{
	(void)state;
	static const char *const regions[] = {"us-east-1", "eu-central-2", "us-gov-west-1",
	    "ap-southeast-3", "us-central1", "europe-west12", "northamerica-northeast1", "global",
	    "us", "eu", "asia", "us-east", "US-EAST-1", "us-east-1.evil", "us-central1.evil",
	    "us-central111", "us--east-1", "-us-east-1", "us-east-1-", "1us-east-1", "x"};
	const struct kind *k;
	size_t faults = 0;
	for (size_t i = 0; (k = kind_at(i)) != NULL; i++) {
		for (size_t r = 0; r < ARRAY_LEN(regions); r++) {
			struct msg_credential_put m, n;
			struct cred_kind_room room;
			struct spec_credential s = base(k);
			assert_int_equal(spec_credential(&s, &m, told), 0);
			n = m;
			n.region = view_of(regions[r]);
			n.host = k->provider == PROVIDER_AZURE ||
					 k->provider == PROVIDER_OPENAI_COMPATIBLE
				     ? m.host
				     : (struct view){0};
			bool vault = cred_kind_check(&n, cat, 1700000000, &room, &said);
			s.region = regions[r];
			bool command = spec_credential(&s, &m, told) == 0;
			if (command == vault)
				continue;
			faults++;
			print_message("%s region %s: command %s, vault %s: %s\n",
			    ids_provider(k->provider), regions[r], command ? "yes" : told,
			    vault ? "yes" : "no", said.message);
		}
	}
	assert_int_equal(faults, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(on_each_setting_of_each_kind),
	    cmocka_unit_test(on_regions_and_hosts),
	};
	cat = fx_catalogue();
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	catalogue_unref(cat);
	return r;
}
