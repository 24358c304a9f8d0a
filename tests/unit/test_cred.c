// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Credentials: stored and loaded whole, secrets opened only on demand and never found
// in the store, versions, handles that stay, records that were changed.
#include "tests/unit/core_fixture.h"

#define KEY "sk-proj-unit-test-secret-0123456789"

static const struct msg_credential_put full = {.name = {"full", 4},
    .provider = PROVIDER_BEDROCK,
    .auth = AUTH_SIGV4,
    .host = {"h.example", 9},
    .port = 8443,
    .region = {"us-east-1", 9},
    .access_key_id = {"ASIAEXAMPLEEXAMPLE", 18},
    .secret = {KEY, sizeof(KEY) - 1},
    .session_token = {"token/with+chars==", 18},
    .ca_pem = {"-----BEGIN CERTIFICATE-----", 27},
    .workspace = {"team", 4},
    .rate_per_minute = 60,
    .enabled = true,
    .model_count = 2,
    .model = {{{"a*", 2}}, {{"b", 1}}},
    .operation_count = 1,
    .operation = {{{"invoke", 6}}}};

static const struct msg_credential_put small = {.name = {"small", 5},
    .provider = PROVIDER_OPENAI,
    .auth = AUTH_BEARER,
    .host = {"api.openai.com", 14},
    .port = 443,
    .secret = {"12345678", 8},
    .workspace = {"default", 7},
    .enabled = true};

static struct cred_table *table;

static void
reload(void)
{
	cred_table_free(table);
	table = cred_table_new(fixture.store, fixture.seal);
}

static int
each_setup(void **state)
{
	(void)state;
	table = cred_table_new(fixture.store, fixture.seal);
	return 0;
}

static int
each_teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < cred_slots(table); i++)
		if (cred_at(table, i) != NULL)
			assert_int_equal(cred_remove(table, cred_at(table, i)), 0);
	cred_table_free(table);
	return 0;
}

static void
assert_secret(const struct cred *c, const char *secret, const char *token)
{
	struct secret s, t;
	assert_int_equal(cred_open_secret(table, c, &s, &t), 0);
	assert_true(s.len == 0 || secmem_contains(s.p));
	assert_int_equal(s.len, strlen(secret));
	if (s.len != 0)
		assert_memory_equal(s.p, secret, s.len);
	assert_int_equal(t.len, strlen(token));
	if (t.len != 0)
		assert_memory_equal(t.p, token, t.len);
	secret_wipe(&s);
	secret_wipe(&t);
}

static void
test_round_trip(void **state)
{
	(void)state;
	size_t before = secmem_used();
	fixture_cred(table, &full);
	fixture_cred(table, &small);
	assert_int_equal(secmem_used(), before); // no secret stays behind
	reload();
	assert_int_equal(cred_count(table), 2);
	const struct cred *c = cred_by_name(table, VIEW("full"));
	assert_non_null(c);
	assert_int_equal(c->version, 1);
	assert_int_equal(c->provider, PROVIDER_BEDROCK);
	assert_int_equal(c->auth, AUTH_SIGV4);
	assert_string_equal(c->host, "h.example");
	assert_int_equal(c->port, 8443);
	assert_string_equal(c->region, "us-east-1");
	assert_string_equal(c->access_key_id, "ASIAEXAMPLEEXAMPLE");
	assert_string_equal(c->hint, "6789");
	assert_string_equal(c->workspace, "team");
	assert_int_equal(c->rate_per_minute, 60);
	assert_true(c->enabled && c->has_session_token);
	assert_true(view_eq_str(c->ca_pem, "-----BEGIN CERTIFICATE-----"));
	assert_int_equal(c->models.count, 2);
	assert_int_equal(c->operations, 1U << OP_BEDROCK_INVOKE);
	assert_int_equal(strlen(c->id), 27);
	assert_secret(c, KEY, "token/with+chars==");
	c = cred_by_name(table, VIEW("small"));
	assert_string_equal(c->hint, ""); // too short to show a part of
	assert_secret(c, "12345678", "");
}

// Bits of extra differ in nothing that the other fields would tell.
static struct msg_credential_put
azure(void)
{
	struct msg_credential_put put = small;
	put.name = VIEW("azure");
	put.provider = PROVIDER_AZURE;
	put.auth = AUTH_AZURE_API_KEY;
	put.setting_count = 2;
	put.setting[0] = (struct msg_named){SETTING_API_VERSION, VIEW("2024-10-21")};
	put.setting[1] = (struct msg_named){SETTING_EXPIRES, VIEW("2000000000")};
	put.deployment_count = 2;
	put.deployment[0] = (struct msg_deployment){VIEW("gpt-4o"), VIEW("prod-4o")};
	put.deployment[1] = (struct msg_deployment){VIEW("o3"), VIEW("prod-o3")};
	return put;
}

static void
test_extra(void **state)
{
	(void)state;
	struct msg_credential_put put = azure();
	fixture_cred(table, &put);
	reload();
	const struct cred *c = cred_by_name(table, VIEW("azure"));
	assert_true(view_eq_str(cred_setting(c, SETTING_API_VERSION), "2024-10-21"));
	assert_int_equal(cred_setting(c, SETTING_PROJECT).len, 0);
	assert_true(view_eq_str(cred_deployment(c, VIEW("o3")), "prod-o3"));
	assert_int_equal(cred_deployment(c, VIEW("o")).len, 0);
	assert_int_equal(cred_variant(c), 1);
	assert_int_equal(c->expires_s, 2000000000);
	assert_false(cred_expired(c, 1999999999));
	assert_true(cred_expired(c, 2000000000));
	put.secret = (struct view){0};
	assert_true(cred_is_same(c, &put));
	put.setting[1].value = VIEW("2000000001");
	assert_false(cred_is_same(c, &put));
	put = azure();
	put.secret = (struct view){0};
	put.deployment[1].name = VIEW("prod-o4");
	assert_false(cred_is_same(c, &put));
	put.deployment_count = 1;
	assert_false(cred_is_same(c, &put));
	// Settings that are left out are gone; the secret stays.
	put.setting_count = put.deployment_count = 0;
	c = fixture_cred(table, &put);
	assert_int_equal(cred_variant(c), 0);
	assert_int_equal(c->expires_s, 0);
	assert_false(cred_expired(c, UINT64_MAX));
	assert_secret(c, "12345678", "");
	reload();
	c = cred_by_name(table, VIEW("azure"));
	assert_int_equal(cred_setting(c, SETTING_API_VERSION).len, 0);
	assert_int_equal(c->extra.deployment_count, 0);
}

// The longest of everything fits into a record.
static void
test_largest(void **state)
{
	(void)state;
	static char value[SETTING_LAST][2049], model[MSG_DEPLOYMENTS_MAX][129], key[8193];
	struct msg_credential_put put = azure();
	put.setting_count = SETTING_LAST;
	for (size_t i = 0; i < SETTING_LAST; i++) {
		memset(value[i], 'v', sizeof(value[i]) - 1);
		put.setting[i] = (struct msg_named){i + 1, view_of(value[i])};
	}
	put.deployment_count = MSG_DEPLOYMENTS_MAX;
	for (size_t i = 0; i < MSG_DEPLOYMENTS_MAX; i++) {
		snprintf(model[i], sizeof(model[i]), "%0128zu", i);
		put.deployment[i] = (struct msg_deployment){view_of(model[i]), view_of(model[i])};
	}
	memset(key, 'k', sizeof(key) - 1);
	put.secret = view_of(key);
	fixture_cred(table, &put);
	reload();
	const struct cred *c = cred_by_name(table, VIEW("azure"));
	assert_int_equal(c->extra.deployment_count, MSG_DEPLOYMENTS_MAX);
	assert_true(view_eq_str(cred_setting(c, SETTING_LAST), value[0]));
	assert_true(cred_expired(c, 1)); // what is no number is over
	assert_secret(c, key, "");
}

// Another kind is another secret: the old one does not live on under it.
static void
test_change_of_kind(void **state)
{
	(void)state;
	struct msg_credential_put put = full;
	put.auth = AUTH_STS_SESSION;
	put.session_token = (struct view){0};
	fixture_cred(table, &put);
	put.auth = AUTH_STS_WEB_IDENTITY;
	put.secret = (struct view){0};
	const struct cred *c = fixture_cred(table, &put);
	assert_secret(c, "", "");
	assert_string_equal(c->hint, "");
	// The end of a private key is nothing to show.
	put = full;
	put.name = VIEW("vertex");
	put.provider = PROVIDER_VERTEX;
	put.auth = AUTH_GOOGLE_TOKEN;
	put.session_token = (struct view){0};
	c = fixture_cred(table, &put);
	assert_string_equal(c->hint, "");
}

static void
test_versions_and_handles(void **state)
{
	(void)state;
	struct msg_credential_put put = small;
	struct cred *c = fixture_cred(table, &small);
	uint64_t handle = cred_handle(table, c);
	char id[CRED_ID_SIZE];
	memcpy(id, c->id, sizeof(id));
	c->uses = 5;
	put.secret = VIEW("another-secret");
	c = fixture_cred(table, &put);
	assert_int_equal(c->version, 2);
	assert_int_equal(cred_handle(table, c), handle);
	assert_ptr_equal(cred_by_handle(table, handle), c);
	assert_string_equal(c->id, id);
	assert_int_equal(c->uses, 5);
	assert_secret(c, "another-secret", "");
	// Settings change, the secret stays; also through a restart.
	put.secret = (struct view){0};
	put.rate_per_minute = 7;
	c = fixture_cred(table, &put);
	assert_int_equal(c->version, 3);
	assert_int_equal(c->secret_version, 2);
	assert_int_equal(cred_set_enabled(table, c, false), 0);
	reload();
	c = cred_by_name(table, VIEW("small"));
	assert_int_equal(c->version, 4);
	assert_false(c->enabled);
	assert_int_equal(c->rate_per_minute, 7);
	assert_secret(c, "another-secret", "");
}

static void
test_remove(void **state)
{
	(void)state;
	struct cred *a = fixture_cred(table, &small);
	uint64_t handle = cred_handle(table, a);
	assert_int_equal(cred_remove(table, a), 0);
	assert_null(cred_by_handle(table, handle));
	assert_null(cred_by_name(table, VIEW("small")));
	assert_int_equal(cred_count(table), 0);
	// The handle is not given out again.
	struct cred *b = fixture_cred(table, &small);
	assert_int_not_equal(cred_handle(table, b), handle);
	assert_int_equal(b->version, 1);
	assert_null(cred_by_handle(table, 0));
	assert_null(cred_by_handle(table, 1000));
	reload();
	assert_int_equal(cred_count(table), 1);
}

static void
test_same(void **state)
{
	(void)state;
	struct msg_credential_put put = full;
	const struct cred *c = fixture_cred(table, &full);
	assert_false(cred_is_same(c, &put)); // a secret is always a change
	put.secret = put.session_token = (struct view){0};
	assert_true(cred_is_same(c, &put));
	put.model_count = 1;
	assert_false(cred_is_same(c, &put));
	put = full;
	put.secret = (struct view){0};
	put.enabled = false;
	assert_false(cred_is_same(c, &put));
	put.enabled = true;
	put.ca_pem = (struct view){0};
	assert_false(cred_is_same(c, &put));
}

static void
test_operations(void **state)
{
	(void)state;
	const struct cred *c = fixture_cred(table, &full);
	assert_true(cred_allows_operation(c, OP_BEDROCK_INVOKE));
	assert_false(cred_allows_operation(c, OP_BEDROCK_CONVERSE));
	assert_false(cred_allows_operation(c, OP_OPENAI_CHAT));
	c = fixture_cred(table, &small);
	assert_true(cred_allows_operation(c, OP_OPENAI_CHAT));
	assert_true(cred_allows_operation(c, OP_OPENAI_MODELS));
	// Which of them its provider speaks is the catalogue's to say (policy_resolve).
	assert_false(cred_allows_operation(c, 0));
	assert_false(cred_allows_operation(c, 64));
}

// --- what somebody with the disk can do ------------------------------------------------

static char moved_id[64];

static int
keep_id(void *cookie, struct view id, struct view value)
{
	struct view *v = cookie;
	assert_int_equal(view_copy(id, moved_id, sizeof(moved_id)), 0);
	v->p = base_strndup(value.p, value.len);
	v->len = value.len;
	return 0;
}

// A record as the first version wrote it, under the id and version of one that is there.
static void
put_format_1(const struct cred *c, uint64_t format, size_t fields)
{
	static uint8_t plain[4096], value[4096];
	struct mp_out o;
	mp_out_init(&o, plain, sizeof(plain));
	mp_put_array(&o, fields);
	mp_put_uint(&o, format);
	mp_put_str(&o, view_of(c->name));
	mp_put_uint(&o, c->provider);
	mp_put_uint(&o, c->auth);
	mp_put_str(&o, view_of(c->host));
	mp_put_uint(&o, c->port);
	mp_put_str(&o, view_of(c->region));
	mp_put_str(&o, view_of(c->access_key_id));
	mp_put_str(&o, view_of(c->hint));
	mp_put_str(&o, view_of(c->workspace));
	mp_put_uint(&o, c->rate_per_minute);
	mp_put_bool(&o, c->enabled);
	mp_put_bool(&o, c->has_session_token);
	mp_put_uint(&o, c->operations);
	mp_put_str(&o, c->ca_pem);
	names_put(&c->models, &o);
	mp_put_uint(&o, c->secret_version);
	mp_put_bin(&o, (struct view){(const char *)c->sealed_secret, c->sealed_len});
	if (fields == 20) {
		mp_put_array(&o, 0);
		mp_put_array(&o, 0);
	}
	assert_false(o.failed);
	memset(value, 0, 8);
	value[7] = (uint8_t)c->version;
	seal_close(
	    fixture.seal, SEAL_CREDENTIAL, view_of(c->id), c->version, plain, o.len, value + 8);
	struct view v = {(const char *)value, 8 + o.len + SEAL_OVERHEAD};
	assert_int_equal(store_put(fixture.store, STORE_CREDENTIAL, view_of(c->id), v), 0);
}

static void load_in_child(void);

static void
test_older_record(void **state)
{
	(void)state;
	const struct cred *c = fixture_cred(table, &full);
	put_format_1(c, 1, 18);
	reload();
	c = cred_by_name(table, VIEW("full"));
	assert_non_null(c);
	assert_int_equal(c->port, 8443);
	assert_int_equal(c->extra.deployment_count, 0);
	assert_int_equal(c->expires_s, 0);
	assert_secret(c, KEY, "token/with+chars==");
	// Changed once, it is of the new format, with all that it had.
	struct msg_credential_put put = full;
	put.secret = put.session_token = (struct view){0};
	put.setting_count = 1;
	put.setting[0] = (struct msg_named){SETTING_PROFILE, VIEW("geo")};
	fixture_cred(table, &put);
	reload();
	c = cred_by_name(table, VIEW("full"));
	assert_true(view_eq_str(cred_setting(c, SETTING_PROFILE), "geo"));
	assert_secret(c, KEY, "token/with+chars==");
	// Formats and lengths that do not belong together, or are of a later version.
	const struct {
		uint64_t format;
		size_t fields;
	} wrong[] = {{1, 20}, {2, 18}, {0, 18}, {3, 20}};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		put_format_1(c, wrong[i].format, wrong[i].fields);
		assert_int_equal(fixture_exit_of(load_in_child), 1);
	}
	put_format_1(c, 2, 20);
	assert_int_equal(fixture_exit_of(load_in_child), 0);
}

static void
load_in_child(void)
{
	// Secret memory is not inherited.
	uint8_t key[SEAL_KEY_LEN] = "unit test key, 32 bytes of it...";
	if (secmem_init(1 << 20) == SECMEM_NONE)
		_exit(91);
	(void)cred_table_new(fixture.store, seal_new(key));
}

static void
test_changed_record(void **state)
{
	(void)state;
	struct view v;
	fixture_cred(table, &full);
	assert_int_equal(fixture_exit_of(load_in_child), 0);
	assert_int_equal(store_each(fixture.store, STORE_CREDENTIAL, keep_id, &v), 0);
	char *bytes = (char *)(uintptr_t)v.p;
	const size_t places[] = {0, 7, 8, 9, 40, 100, v.len - 1};
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		bytes[places[i]] ^= 1;
		assert_int_equal(
		    store_put(fixture.store, STORE_CREDENTIAL, view_of(moved_id), v), 0);
		assert_int_equal(fixture_exit_of(load_in_child), 1);
		bytes[places[i]] ^= 1;
	}
	assert_int_equal(store_put(fixture.store, STORE_CREDENTIAL, view_of(moved_id), v), 0);
	assert_int_equal(fixture_exit_of(load_in_child), 0);
	// Under another id.
	assert_int_equal(store_put(fixture.store, STORE_CREDENTIAL, VIEW("cr_other"), v), 0);
	assert_int_equal(fixture_exit_of(load_in_child), 1);
	assert_int_equal(store_delete(fixture.store, STORE_CREDENTIAL, VIEW("cr_other")), 0);
	free(bytes);
}

static void
test_not_in_file(void **state)
{
	(void)state;
	char path[128];
	fixture_cred(table, &full);
	snprintf(path, sizeof(path), "%s/store.mdb", fixture.dir);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	static char data[1 << 20];
	size_t n = fread(data, 1, sizeof(data), f);
	fclose(f);
	const char *const words[] = {KEY, "token/with", "ASIAEXAMPLE", "h.example"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_null(memmem(data, n, words[i], strlen(words[i])));
}

static void
test_full_arena(void **state)
{
	(void)state;
	struct secret s, t;
	const struct cred *c = fixture_cred(table, &full);
	void *hog[4096];
	size_t n = 0;
	while (n < 4096 && (hog[n] = secmem_alloc(n < 64 ? 65536 : 64)) != NULL)
		n++;
	size_t m = n;
	while (m < 4096 && (hog[m] = secmem_alloc(64)) != NULL)
		m++;
	assert_int_equal(cred_open_secret(table, c, &s, &t), -1);
	assert_null(cred_prepare(table, c, &full));
	while (m > 0)
		secmem_free(hog[--m]);
	assert_secret(c, KEY, "token/with+chars==");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_round_trip, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_extra, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_largest, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_change_of_kind, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_older_record, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_versions_and_handles, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_remove, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_same, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_operations, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_changed_record, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_not_in_file, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_full_arena, each_setup, each_teardown),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
