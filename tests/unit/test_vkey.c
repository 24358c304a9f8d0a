// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Virtual keys: their shape, finding among many, revoking, and that only a hash is kept.
#include "tests/unit/core_fixture.h"

static struct vkey_table *table;

static int
each_setup(void **state)
{
	(void)state;
	table = vkey_table_new(fixture.store, fixture.seal);
	return 0;
}

static int
each_teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < vkey_slots(table); i++)
		assert_int_equal(
		    store_delete(fixture.store, STORE_VKEY, view_of(vkey_at(table, i)->id)), 0);
	vkey_table_free(table);
	return 0;
}

static struct msg_vkey_issue
issue(const char *name)
{
	return (struct msg_vkey_issue){
	    .name = view_of(name), .workspace = VIEW("default"), .rate_per_minute = 5};
}

static void
test_shape(void **state)
{
	(void)state;
	char text[VKEY_TEXT_LEN];
	struct msg_vkey_issue m = issue("a");
	struct vkey *k = fixture_vkey(table, &m, text);
	assert_memory_equal(text, "sp-", 3);
	unsigned char raw[33];
	size_t len = 0;
	assert_int_equal(sodium_base642bin(raw, sizeof(raw), text + 3, 43, NULL, &len, NULL,
			     sodium_base64_VARIANT_URLSAFE_NO_PADDING),
	    0);
	assert_int_equal(len, 32);
	assert_memory_equal(k->id, "vk_", 3);
	assert_int_equal(strlen(k->id), 27);
	assert_ptr_equal(vkey_find(table, (struct view){text, VKEY_TEXT_LEN}), k);
}

static void
test_find(void **state)
{
	(void)state;
	static char text[300][VKEY_TEXT_LEN];
	char name[16];
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		snprintf(name, sizeof(name), "k%zu", i);
		struct msg_vkey_issue m = issue(name);
		fixture_vkey(table, &m, text[i]);
	}
	vkey_table_free(table);
	table = vkey_table_new(fixture.store, fixture.seal);
	assert_int_equal(vkey_count(table), 300);
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		struct view v = {text[i], VKEY_TEXT_LEN};
		snprintf(name, sizeof(name), "k%zu", i);
		const struct vkey *k = vkey_find(table, v);
		assert_non_null(k);
		assert_string_equal(k->name, name);
		for (size_t at = 0; at < VKEY_TEXT_LEN; at += 9) {
			text[i][at] ^= 1;
			assert_null(vkey_find(table, v));
			text[i][at] ^= 1;
		}
	}
	assert_null(vkey_find(table, VIEW("")));
	assert_null(vkey_find(table, VIEW("sp-")));
	assert_null(vkey_find(table, (struct view){text[0], VKEY_TEXT_LEN - 1}));
}

static void
test_empty_table(void **state)
{
	(void)state;
	assert_null(vkey_find(table, VIEW("sp-0123456789012345678901234567890123456789012")));
	assert_null(vkey_by_id_or_name(table, VIEW("x")));
	assert_int_equal(vkey_count(table), 0);
}

static void
test_revoke(void **state)
{
	(void)state;
	char text[VKEY_TEXT_LEN], text2[VKEY_TEXT_LEN];
	struct msg_vkey_issue m = issue("app");
	struct vkey *k = fixture_vkey(table, &m, text);
	assert_ptr_equal(vkey_by_id_or_name(table, VIEW("app")), k);
	assert_ptr_equal(vkey_by_id_or_name(table, view_of(k->id)), k);
	assert_int_equal(vkey_revoke(table, k), 0);
	assert_int_equal(vkey_count(table), 0);
	assert_null(vkey_by_id_or_name(table, VIEW("app"))); // the name is free again
	assert_ptr_equal(vkey_by_id_or_name(table, view_of(k->id)), k);
	struct vkey *k2 = fixture_vkey(table, &m, text2);
	assert_ptr_equal(vkey_by_id_or_name(table, VIEW("app")), k2);
	vkey_table_free(table);
	table = vkey_table_new(fixture.store, fixture.seal);
	const struct vkey *again = vkey_find(table, (struct view){text, VKEY_TEXT_LEN});
	assert_non_null(again);
	assert_true(again->revoked);
	assert_false(vkey_find(table, (struct view){text2, VKEY_TEXT_LEN})->revoked);
}

static void
test_fields(void **state)
{
	(void)state;
	char text[VKEY_TEXT_LEN], path[128];
	struct msg_vkey_issue m = issue("fields");
	m.workspace = VIEW("team");
	m.credential_count = 1;
	m.credential[0].name = VIEW("main");
	m.model_count = 2;
	m.model[0].name = VIEW("gpt-4o*");
	m.model[1].name = VIEW("o3");
	fixture_vkey(table, &m, text);
	vkey_table_free(table);
	table = vkey_table_new(fixture.store, fixture.seal);
	const struct vkey *k = vkey_by_id_or_name(table, VIEW("fields"));
	assert_string_equal(k->workspace, "team");
	assert_int_equal(k->created_s, 1000);
	assert_int_equal(k->rate_per_minute, 5);
	assert_true(names_has(&k->credentials, VIEW("main")));
	assert_true(names_allow_model(&k->models, VIEW("gpt-4o-mini")));
	assert_false(names_allow_model(&k->models, VIEW("o3-mini")));
	// Neither the key nor its name is readable in the file.
	snprintf(path, sizeof(path), "%s/store.mdb", fixture.dir);
	static char data[1 << 20];
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t n = fread(data, 1, sizeof(data), f);
	fclose(f);
	assert_null(memmem(data, n, text + 3, 20));
	assert_null(memmem(data, n, "gpt-4o", 6));
}

static void
test_globs(void **state)
{
	(void)state;
	struct msg_name list[] = {{VIEW("a*")}, {VIEW("exact")}};
	struct names n;
	names_set(&n, list, 2);
	assert_true(names_allow_model(&n, VIEW("a")));
	assert_true(names_allow_model(&n, VIEW("abc")));
	assert_true(names_allow_model(&n, VIEW("exact")));
	assert_false(names_allow_model(&n, VIEW("exact2")));
	assert_false(names_allow_model(&n, VIEW("")));
	assert_false(names_allow_model(&n, VIEW("ba")));
	names_clear(&n);
	assert_true(names_allow_model(&n, VIEW("anything"))); // no list: all
	list[0].name = VIEW("*");
	names_set(&n, list, 1);
	assert_true(names_allow_model(&n, VIEW("")));
	assert_true(names_allow_model(&n, VIEW("x")));
	names_clear(&n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_shape, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_find, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_empty_table, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_revoke, each_setup, each_teardown),
	    cmocka_unit_test_setup_teardown(test_fields, each_setup, each_teardown),
	    cmocka_unit_test(test_globs),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
