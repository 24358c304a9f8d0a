// links: ctl auditd
// SPDX-License-Identifier: Apache-2.0
// The file of `sallyport apply`: what is read from it, and that every fault is told
// with its line and nothing of a secret.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/apply_file.h"
#include "ctl/apply_plan.h"
#include "ctl/client.h"

static char dir[] = "/tmp/test_apply.XXXXXX";
static char said[8192]; // standard error of the last load

static void
put(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

// Loads and plans text; 0 or -1. What was printed is in `said`.
static int
load(const char *text, struct apply_plan *plan_r, struct apply_file *f_r)
{
	char path[128], err[128];
	static char kept[128];
	put("team.yaml", text);
	snprintf(path, sizeof(path), "%s/team.yaml", dir);
	snprintf(err, sizeof(err), "%s/stderr", dir);
	memcpy(kept, path, sizeof(kept));
	fflush(stderr);
	int old = dup(2);
	FILE *to = freopen(err, "we+", stderr);
	assert_non_null(to);
	*plan_r = (struct apply_plan){0};
	int r = apply_file_load(f_r, kept);
	if (r == 0)
		r = apply_plan_make(plan_r, f_r);
	fflush(stderr);
	FILE *in = fopen(err, "re");
	said[fread(said, 1, sizeof(said) - 1, in)] = '\0';
	fclose(in);
	dup2(old, 2);
	close(old);
	return r;
}

static void
unload(struct apply_plan *p, struct apply_file *f)
{
	apply_plan_free(p);
	apply_file_free(f);
}

static void
refused(const char *text, const char *with, const char *line)
{
	struct apply_plan p;
	struct apply_file f;
	char at[32];
	snprintf(at, sizeof(at), "team.yaml:%s", line);
	assert_int_equal(load(text, &p, &f), -1);
	if (strstr(said, with) == NULL || strstr(said, at) == NULL)
		fail_msg("wanted \"%s\" and \"%s\" in: %s", with, at, said);
	unload(&p, &f);
}

static void
a_whole_file(void **state)
{
	struct apply_plan p;
	struct apply_file f;
	(void)state;
	put("k1", "sk-first-secret\n");
	assert_int_equal(load("credentials:\n"
			      "  - name: openai-main\n"
			      "    provider: openai\n"
			      "    secret_file: k1\n"
			      "    models: [\"gpt-*\", o3]\n"
			      "    operations: [chat]\n"
			      "    rate: 600/min\n"
			      "  - name: aws\n"
			      "    provider: bedrock\n"
			      "    region: us-east-1\n"
			      "    access_key_id: AKIAIOSFODNN7EXAMPLE\n"
			      "    enabled: false\n"
			      "virtual_keys:\n"
			      "  - name: team-a\n"
			      "    credentials: [openai-main]\n"
			      "    key_file: out.key\n",
			     &p, &f),
	    0);
	assert_string_equal(said, "");
	assert_int_equal(p.n, 3);
	const struct msg_credential_put *m = &p.step[0].put;
	assert_true(view_eq_str(m->secret, "sk-first-secret"));
	assert_true(secmem_contains(m->secret.p));
	assert_int_equal(m->model_count, 2);
	assert_true(view_eq_str(m->model[0].name, "gpt-*"));
	assert_int_equal(m->rate_per_minute, 600);
	assert_true(m->enabled);
	assert_false(p.step[1].put.enabled);
	assert_int_equal(p.step[1].put.secret.len, 0);
	assert_true(p.step[2].is_vkey);
	assert_non_null(strstr(p.step[2].key_file, "/out.key"));
	unload(&p, &f);
	assert_int_equal(secmem_used(), 0);
}

static void
files_of_clouds(void **state)
{
	struct apply_plan p;
	struct apply_file f;
	(void)state;
	put("sa.json",
	    "{\"type\":\"service_account\",\"project_id\":\"my-project-1\",\"private_key_id\":"
	    "\"0123456789abcdef\",\"client_email\":\"gw@my-project-1.iam.gserviceaccount.com\","
	    "\"private_key\":\"-----BEGIN PRIVATE KEY-----\\n"
	    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
	    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
	    "\\n-----END PRIVATE KEY-----\\n\"}");
	put("sts.json", "{\"Credentials\":{\"AccessKeyId\":\"ASIAIOSFODNN7EXAMPLE\","
			"\"SecretAccessKey\":\"s3cret\",\"SessionToken\":\"t0ken\",\"Expiration\":"
			"\"2026-12-31T00:00:00Z\"}}");
	assert_int_equal(load("credentials:\n"
			      "  - name: vx\n"
			      "    provider: vertex\n"
			      "    region: us-central1\n"
			      "    service_account_file: sa.json\n"
			      "  - name: aws\n"
			      "    provider: bedrock\n"
			      "    region: us-east-1\n"
			      "    aws_json_file: sts.json\n",
			     &p, &f),
	    0);
	assert_string_equal(said, "");
	const struct msg_credential_put *v = &p.step[0].put, *a = &p.step[1].put;
	assert_int_equal(v->auth, AUTH_GOOGLE_TOKEN);
	assert_int_equal(v->setting_count, 3);
	assert_true(view_eq_str(v->setting[0].value, "my-project-1"));
	assert_true(v->secret.len == 128 && secmem_contains(v->secret.p));
	assert_int_equal(a->auth, AUTH_SIGV4);
	assert_true(view_eq_str(a->access_key_id, "ASIAIOSFODNN7EXAMPLE"));
	assert_true(view_eq_str(a->secret, "s3cret") && view_eq_str(a->session_token, "t0ken"));
	assert_int_equal(a->setting[0].id, SETTING_EXPIRES);
	unload(&p, &f);
	assert_int_equal(secmem_used(), 0);
	refused("credentials:\n  - {name: v, provider: vertex, region: us-central1}\n",
	    "needs service_account_file", "2");
	refused("credentials:\n  - {name: o, provider: openai, service_account_file: sa.json}\n",
	    "belongs to provider vertex", "2");
	refused("credentials:\n  - {name: o, provider: openai, aws_json_file: sts.json}\n",
	    "belongs to provider bedrock", "2");
	refused("credentials:\n  - {name: b, provider: bedrock, region: us-east-1, "
		"aws_json_file: sts.json, secret_file: k1}\n",
	    "given twice", "2");
	refused("credentials:\n  - {name: b, provider: bedrock, region: us-east-1, "
		"aws_json_file: sa.json}\n",
	    "no AccessKeyId", "2");
	assert_int_equal(secmem_used(), 0);
}

static void
faults_have_their_line(void **state)
{
	(void)state;
	refused("credentials:\n  - name: a\n    provider: openai\n    secret: sk-oops\n",
	    "secret_file: PATH", "4");
	assert_null(strstr(said, "sk-oops"));
	refused("credentials:\n  - name: a\n    provider: openai\n    modells: []\n",
	    "no key \"modells\"", "4");
	refused(
	    "credentials:\n  - name: ok\n    provider: openai\n  - name: b\n    provider: acme\n",
	    "openai-compatible", "4");
	refused("credentials:\n  - provider: openai\n", "\"name\" is missing", "2");
	refused("credentials:\n  - name: a\n    provider: openai\n    rate: fast\n", "rate", "2");
	refused("credentials:\n  - name: a\n    provider: openai\n    secret_file: nowhere\n",
	    "nowhere", "2");
	refused("credentials:\n  - {name: a, provider: openai}\n  - {name: a, provider: openai}\n",
	    "twice", "2");
	refused("virtual_keys:\n  - name: -t\n", "virtual key", "2");
	refused("credentials:\n  - name: a\n    provider: [openai\n", "", "");
}

static void
every_fault_is_told_at_once(void **state)
{
	struct apply_plan p;
	struct apply_file f;
	(void)state;
	assert_int_equal(load("credentials:\n  - name: a\n    provider: nope\n"
			      "  - name: b\n    provider: openai-compatible\n",
			     &p, &f),
	    -1);
	assert_non_null(strstr(said, "team.yaml:2"));
	assert_non_null(strstr(said, "team.yaml:4"));
	unload(&p, &f);
}

static void
not_a_plan_at_all(void **state)
{
	struct apply_plan p;
	struct apply_file f;
	(void)state;
	static const char *const texts[] = {"", "credentials: []\n", "- 1\n", "just words\n",
	    "credentials:\n  name: a\n", "\xff\xfe\n", "a: &x 1\nb: *x\n"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(load(texts[i], &p, &f), -1);
		assert_non_null(strstr(said, "team.yaml"));
		unload(&p, &f);
	}
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL && client_secrets_ready() ? 0 : -1;
}

static int
teardown(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_file),
	    cmocka_unit_test(files_of_clouds),
	    cmocka_unit_test(faults_have_their_line),
	    cmocka_unit_test(every_fault_is_told_at_once),
	    cmocka_unit_test(not_a_plan_at_all),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
