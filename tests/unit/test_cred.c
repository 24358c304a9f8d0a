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
	assert_true(secmem_contains(s.p));
	assert_int_equal(s.len, strlen(secret));
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
