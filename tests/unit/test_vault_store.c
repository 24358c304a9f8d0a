// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The vault's store: what is put is there, also after a restart; walks; one vault at
// a time; a directory open to others is refused.
#include "tests/unit/core_fixture.h"

#include <sys/stat.h>

static void
test_put_get(void **state)
{
	(void)state;
	struct view v;
	assert_int_equal(store_get(fixture.store, STORE_VKEY, VIEW("a"), &v), -1);
	assert_int_equal(store_put(fixture.store, STORE_VKEY, VIEW("a"), VIEW("one")), 0);
	assert_int_equal(store_put(fixture.store, STORE_CREDENTIAL, VIEW("a"), VIEW("two")), 0);
	assert_int_equal(store_get(fixture.store, STORE_VKEY, VIEW("a"), &v), 0);
	assert_true(view_eq_str(v, "one"));
	assert_int_equal(store_put(fixture.store, STORE_VKEY, VIEW("a"), VIEW("three")), 0);
	store_close(fixture.store);
	fixture_open_store();
	assert_int_equal(store_get(fixture.store, STORE_VKEY, VIEW("a"), &v), 0);
	assert_true(view_eq_str(v, "three"));
	assert_int_equal(store_get(fixture.store, STORE_CREDENTIAL, VIEW("a"), &v), 0);
	assert_true(view_eq_str(v, "two"));
}

static void
test_delete(void **state)
{
	(void)state;
	struct view v;
	assert_int_equal(store_put(fixture.store, STORE_BOOT, VIEW("x"), VIEW("1")), 0);
	assert_int_equal(store_delete(fixture.store, STORE_BOOT, VIEW("x")), 0);
	assert_int_equal(store_get(fixture.store, STORE_BOOT, VIEW("x"), &v), -1);
	assert_int_equal(store_delete(fixture.store, STORE_BOOT, VIEW("x")), 0);
}

static int
collect(void *cookie, struct view id, struct view value)
{
	char *seen = cookie;
	strncat(seen, id.p, id.len);
	strncat(seen, value.p, value.len);
	return view_eq_str(id, "stop") ? 7 : 0;
}

static void
test_each(void **state)
{
	(void)state;
	char seen[64] = "";
	assert_int_equal(store_each(fixture.store, STORE_WITNESS, collect, seen), 0);
	assert_string_equal(seen, "");
	assert_int_equal(store_put(fixture.store, STORE_WITNESS, VIEW("b"), VIEW("2")), 0);
	assert_int_equal(store_put(fixture.store, STORE_WITNESS, VIEW("a"), VIEW("1")), 0);
	assert_int_equal(store_put(fixture.store, STORE_BOOT, VIEW("c"), VIEW("3")), 0);
	assert_int_equal(store_each(fixture.store, STORE_WITNESS, collect, seen), 0);
	assert_string_equal(seen, "a1b2");
	assert_int_equal(store_put(fixture.store, STORE_WITNESS, VIEW("stop"), VIEW("")), 0);
	assert_int_equal(store_put(fixture.store, STORE_WITNESS, VIEW("z"), VIEW("9")), 0);
	seen[0] = '\0';
	assert_int_equal(store_each(fixture.store, STORE_WITNESS, collect, seen), 7);
	assert_string_equal(seen, "a1b2stop");
}

static void
test_large(void **state)
{
	(void)state;
	static char big[STORE_RECORD_MAX];
	struct view v;
	memset(big, 'x', sizeof(big));
	assert_int_equal(
	    store_put(fixture.store, STORE_BOOT, VIEW("big"), (struct view){big, sizeof(big)}), 0);
	assert_int_equal(store_get(fixture.store, STORE_BOOT, VIEW("big"), &v), 0);
	assert_int_equal(v.len, sizeof(big));
	assert_memory_equal(v.p, big, sizeof(big));
}

static void
test_descriptors(void **state)
{
	(void)state;
	int fds[8];
	// The lock, LMDB's data descriptor and the one for its meta page.
	assert_int_equal(store_fds(fixture.store, fds, 8), 3);
}

static void
open_again(void)
{
	(void)store_open(fixture.dir, "store.mdb", NULL);
}

static void
open_nowhere(void)
{
	(void)store_open("/nonexistent/dir", "store.mdb", NULL);
}

static void
test_refusals(void **state)
{
	(void)state;
	assert_int_equal(fixture_exit_of(open_again), 1); // locked
	assert_int_equal(fixture_exit_of(open_nowhere), 1);
	store_close(fixture.store);
	fixture.store = NULL;
	assert_int_equal(fixture_exit_of(open_again), 0);
	assert_int_equal(chmod(fixture.dir, 0750), 0);
	assert_int_equal(fixture_exit_of(open_again), 1);
	assert_int_equal(chmod(fixture.dir, 0700), 0);
	fixture_open_store();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_put_get),
	    cmocka_unit_test(test_delete),
	    cmocka_unit_test(test_each),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
