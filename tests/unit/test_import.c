// links: ctl auditd
// SPDX-License-Identifier: Apache-2.0
// Keys in the JSON of clouds: every shape that is handed out, what is refused and how that
// is said, and that no secret lies outside secret memory.
#include "ctl/import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/secret_in.h"

#define DER_LINE "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
#define PEM                                                                                        \
	"-----BEGIN PRIVATE KEY-----\\n" DER_LINE "\\n" DER_LINE                                   \
	"\\nAA==\\n-----END PRIVATE KEY-----\\n"

static char error[SPEC_ERROR_MAX];
static struct secret key, token;

static int
setup(void **state)
{
	(void)state;
	static bool made;
	if (!made && secmem_init(1U << 20) == SECMEM_NONE)
		return -1;
	made = true;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	secret_wipe(&key);
	secret_wipe(&token);
	return secmem_used() == 0 ? 0 : -1; // nothing of any text is left
}

// --- Google --------------------------------------------------------------------------

// A file with the value of one field replaced; NULL: without it.
static const char *
account_file(const char *name, const char *value)
{
	static const char *const fields[][2] = {{"type", "\"service_account\""},
	    {"project_id", "\"my-project-1\""}, {"private_key_id", "\"0123456789abcdef\""},
	    {"private_key", "\"" PEM "\""},
	    {"client_email", "\"gw@my-project-1.iam.gserviceaccount.com\""},
	    {"client_id", "\"1234\""}, {"token_uri", "\"https://oauth2.googleapis.com/token\""},
	    {"universe_domain", "\"googleapis.com\""}};
	static char text[4096];
	int n = snprintf(text, sizeof(text), "{");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		bool this = name != NULL && strcmp(fields[i][0], name) == 0;
		if (this && value == NULL)
			continue;
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\n  \"%s\": %s",
		    n == 1 ? "" : ",", fields[i][0], this ? value : fields[i][1]);
	}
	snprintf(text + n, sizeof(text) - (size_t)n, "\n}\n");
	return text;
}

static void
a_service_account(void **state)
{
	(void)state;
	struct import_account a;
	assert_int_equal(
	    import_account_text(view_of(account_file(NULL, NULL)), &a, &key, error), 0);
	assert_string_equal(a.project, "my-project-1");
	assert_string_equal(a.client_email, "gw@my-project-1.iam.gserviceaccount.com");
	assert_string_equal(a.private_key_id, "0123456789abcdef");
	assert_string_equal(a.region, "");
	assert_true(view_eq_str(secret_in_view(&key), DER_LINE DER_LINE "AA=="));
	assert_true(secmem_contains(key.p));
}

static void
a_service_account_in_other_files(void **state)
{
	(void)state;
	struct import_account a;
	char text[8192];
	snprintf(text, sizeof(text),
	    "{\"provider_name\": \"VertexAI\", \"vertex_service_account\": %s}",
	    account_file(NULL, NULL));
	assert_int_equal(import_account_text(view_of(text), &a, &key, error), 0);
	assert_string_equal(a.project, "my-project-1");
	secret_wipe(&key);
	assert_int_equal(import_account_text(view_of(account_file("client_id",
						 "\"1\", \"region\": \"europe-west1\"")),
			     &a, &key, error),
	    0);
	assert_string_equal(a.region, "europe-west1");
	secret_wipe(&key);
	// Without a token_uri there is none to distrust, and the old ones were Google's too.
	assert_int_equal(
	    import_account_text(view_of(account_file("token_uri", NULL)), &a, &key, error), 0);
	secret_wipe(&key);
	assert_int_equal(import_account_text(view_of(account_file("token_uri",
						 "\"https://accounts.google.com/o/oauth2/token\"")),
			     &a, &key, error),
	    0);
}

static void
what_is_no_service_account(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value, *said;
	} bad[] = {
	    {"type", "\"external_account\"", "external_account"},
	    {"type", "\"authorized_user\"", "only the key of a service account"},
	    {"type", "\"something\"", "not service_account"},
	    {"type", NULL, "not service_account"},
	    {"project_id", NULL, "no project_id"},
	    {"project_id", "\"\"", "no project_id"},
	    {"project_id", "5", "project_id is no text"},
	    {"client_email", NULL, "no client_email"},
	    {"private_key_id", NULL, "no private_key_id"},
	    {"private_key", NULL, "no private_key"},
	    {"private_key", "null", "no private_key"},
	    {"private_key", "\"secret-canary\"", "no PEM"},
	    {"private_key", "\"-----BEGIN RSA PRIVATE KEY-----\\ncanary\"", "openssl pkcs8"},
	    {"private_key", "\"-----BEGIN PRIVATE KEY-----\\ncanary-----END PRIVATE KEY-----\"",
		"damaged"},
	    {"private_key", "\"-----BEGIN PRIVATE KEY-----\\ncanary!-----END PRIVATE KEY-----\"",
		"base64"},
	    {"token_uri", "\"https://evil.example/token\"", "evil.example"},
	    {"token_uri", "\"https://oauth2.googleapis.com/token/\"", "never be followed"},
	    {"token_uri", "{}", "token_uri is no text"},
	    {"universe_domain", "\"evil.example\"", "only googleapis.com"},
	    {"client_id", "\"1\", \"type\": \"service_account\"", "a name twice"},
	};
	struct import_account a;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct view text = view_of(account_file(bad[i].name, bad[i].value));
		if (import_account_text(text, &a, &key, error) == 0 ||
		    strstr(error, bad[i].said) == NULL)
			fail_msg("%zu was told as: %s", i, error);
		assert_null(strstr(error, "canary"));
		assert_null(key.p);
	}
	assert_int_equal(import_account_text(VIEW("sk-canary"), &a, &key, error), -1);
	assert_null(strstr(error, "canary"));
	assert_int_equal(import_account_text(VIEW("[]"), &a, &key, error), -1);
	assert_non_null(strstr(error, "{ ... }"));
}

// --- AWS -----------------------------------------------------------------------------

static void
aws_shapes(void **state)
{
	(void)state;
	static const struct {
		const char *text, *id, *token, *region, *expires;
	} good[] = {
	    // aws iam create-access-key
	    {"{\"AccessKey\": {\"UserName\": \"Bob\", \"Status\": \"Active\", \"CreateDate\": "
	     "\"2026-03-09T18:39:23.411Z\", \"SecretAccessKey\": \"wJalr/+K\", \"AccessKeyId\": "
	     "\"AKIAIOSFODNN7EXAMPLE\"}}",
		"AKIAIOSFODNN7EXAMPLE", "", "", ""},
	    // aws sts get-session-token, assume-role
	    {"{\"AssumedRoleUser\": {\"Arn\": \"arn:x\"}, \"Credentials\": {\"SecretAccessKey\": "
	     "\"wJalr/+K\", \"SessionToken\": \"AQoE==\", \"Expiration\": "
	     "\"2026-12-31T00:00:00+00:00\", \"AccessKeyId\": \"ASIAIOSFODNN7EXAMPLE\"}}",
		"ASIAIOSFODNN7EXAMPLE", "AQoE==", "", "1798675200"},
	    // aws configure export-credentials --format process
	    {"{\"Version\": 1, \"AccessKeyId\": \"ASIAIOSFODNN7EXAMPLE\", \"SecretAccessKey\": "
	     "\"wJalr/+K\", \"SessionToken\": \"AQoE==\", \"Expiration\": "
	     "\"2026-12-31T00:00:00Z\"}",
		"ASIAIOSFODNN7EXAMPLE", "AQoE==", "", "1798675200"},
	    // other gateways
	    {"{\"accessKeyId\": \"AKIAIOSFODNN7EXAMPLE\", \"secretAccessKey\": \"wJalr/+K\", "
	     "\"region\": \"us-east-1\"}",
		"AKIAIOSFODNN7EXAMPLE", "", "us-east-1", ""},
	    {"{\"provider_name\": \"Bedrock\", \"aws_access_key_id\": \"AKIAIOSFODNN7EXAMPLE\", "
	     "\"aws_secret_access_key\": \"wJalr/+K\", \"aws_region\": \"us-east-1\"}",
		"AKIAIOSFODNN7EXAMPLE", "", "us-east-1", ""},
	    {"{\"aws_credentials\": {\"access_key_id\": \"ASIAIOSFODNN7EXAMPLE\", "
	     "\"secret_access_key\": \"wJalr/+K\", \"session_token\": \"AQoE==\", \"region\": "
	     "\"eu-west-1\"}}",
		"ASIAIOSFODNN7EXAMPLE", "AQoE==", "eu-west-1", ""},
	    {"{\"credentials\": {\"accessKeyId\": \"ASIAIOSFODNN7EXAMPLE\", "
	     "\"secretAccessKey\": \"wJalr/+K\", \"sessionToken\": \"AQoE==\", \"expiration\": "
	     "\"2026-12-31T00:00:00.123Z\"}, \"region\": \"us-west-2\"}",
		"ASIAIOSFODNN7EXAMPLE", "AQoE==", "us-west-2", "1798675200"},
	    {"{\"Credential\": {\"access_key_id\": \"AKIAIOSFODNN7EXAMPLE\", "
	     "\"secret_access_key\": \"wJalr\\/\\u002bK\", \"session_token\": \"\"}}",
		"AKIAIOSFODNN7EXAMPLE", "", "", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct import_aws a;
		if (import_aws_text(view_of(good[i].text), &a, &key, &token, error) != 0)
			fail_msg("%zu: %s", i, error);
		assert_string_equal(a.access_key_id, good[i].id);
		assert_string_equal(a.region, good[i].region);
		assert_string_equal(a.expires, good[i].expires);
		assert_true(view_eq_str(secret_in_view(&key), "wJalr/+K"));
		assert_true(view_eq_str(secret_in_view(&token), good[i].token));
		assert_true(secmem_contains(key.p));
		secret_wipe(&key);
		secret_wipe(&token);
	}
}

static void
what_is_no_aws_key(void **state)
{
	(void)state;
	static const struct {
		const char *text, *said;
	} bad[] = {
	    {"canary", "no JSON"},
	    {"{}", "no AccessKeyId"},
	    {"{\"AccessKeyId\": \"AKIAIOSFODNN7EXAMPLE\"}", "no SecretAccessKey"},
	    {"{\"SecretAccessKey\": \"canary\"}", "no AccessKeyId"},
	    {"{\"AccessKeyId\": 5, \"SecretAccessKey\": \"canary\"}", "no AccessKeyId"},
	    {"{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"\"}", "empty"},
	    {"{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"canary \\n\"}", "space"},
	    {"{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"canary\\u0000x\"}", "no text"},
	    {"{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"canary\", \"SessionToken\": \"a "
	     "b\"}",
		"SessionToken"},
	    {"{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"canary\", \"Expiration\": "
	     "\"tomorrow\"}",
		"Expiration"},
	    {"{\"AccessKeyId\": \"A\", \"SecretAccessKey\": \"canary\", \"Expiration\": "
	     "\"2026-12-31T00:00:00+02:00\"}",
		"Expiration"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct import_aws a;
		if (import_aws_text(view_of(bad[i].text), &a, &key, &token, error) == 0 ||
		    strstr(error, bad[i].said) == NULL)
			fail_msg("%zu was told as: %s", i, error);
		assert_null(strstr(error, "canary"));
		assert_true(key.p == NULL && token.p == NULL);
	}
}

static void
files(void **state)
{
	(void)state;
	char path[] = "/tmp/sallyport-import-XXXXXX";
	int fd = mkstemp(path);
	struct import_aws a;
	assert_true(fd >= 0);
	assert_int_equal(import_aws(path, &a, &key, &token, error), -1);
	assert_non_null(strstr(error, "empty"));
	static const char text[] = "{\"AccessKeyId\": \"AKIA\", \"SecretAccessKey\": \"s\"}\n";
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(import_aws(path, &a, &key, &token, error), 0);
	secret_wipe(&key);
	assert_int_equal(ftruncate(fd, IMPORT_FILE_MAX + 1), 0);
	assert_int_equal(import_aws(path, &a, &key, &token, error), -1);
	assert_non_null(strstr(error, "larger than 32768"));
	close(fd);
	unlink(path);
	assert_int_equal(import_aws(path, &a, &key, &token, error), -1);
	assert_non_null(strstr(error, path));
	assert_int_equal(import_aws("/tmp", &a, &key, &token, error), -1);
	assert_non_null(strstr(error, "directory"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_service_account, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_service_account_in_other_files, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_service_account, setup, teardown),
	    cmocka_unit_test_setup_teardown(aws_shapes, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_aws_key, setup, teardown),
	    cmocka_unit_test_setup_teardown(files, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
