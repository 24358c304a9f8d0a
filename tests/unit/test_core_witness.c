// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The witness of the audit log: what it accepts, what it refuses, what survives.
#include "tests/unit/core_fixture.h"

#include "vaultd/witness.h"

static char leaf[2][32] = {"leaf one", "leaf two"};

static struct msg_audit_hello
hello(const char *log_id, uint64_t seq, const char *head)
{
	return (struct msg_audit_hello){
	    .log_id = {log_id, 16}, .head_seq = seq, .head = {head, 32}, .boot_no = 1};
}

static bool
accepts(struct witness *w, const char *log_id, uint64_t seq, const char *head)
{
	struct msg_audit_hello h = hello(log_id, seq, head);
	return witness_check(w, &h) == NULL;
}

static bool
advances(struct witness *w, uint64_t seq, const char *head)
{
	struct msg_ack a = {.seq = seq, .leaf = {head, 32}};
	return witness_advance(w, &a);
}

#define LOG_A "log aaaaaaaaaaaa"
#define LOG_B "log bbbbbbbbbbbb"

static void
test_rules(void **state)
{
	(void)state;
	struct witness w = {0};
	assert_true(accepts(&w, LOG_A, 0, leaf[0])); // the first log is taken as it is
	assert_true(accepts(&w, LOG_A, 0, leaf[1])); // nothing was acknowledged yet
	assert_false(accepts(&w, LOG_B, 10, leaf[0]));
	assert_true(advances(&w, 5, leaf[0]));
	assert_true(accepts(&w, LOG_A, 5, leaf[0]));
	assert_true(accepts(&w, LOG_A, 6, leaf[1]));  // others wrote since
	assert_false(accepts(&w, LOG_A, 5, leaf[1])); // another record at the same place
	assert_false(accepts(&w, LOG_A, 4, leaf[0])); // shorter
	assert_false(accepts(&w, LOG_B, 9, leaf[0])); // another log
	assert_false(advances(&w, 5, leaf[1]));
	assert_false(advances(&w, 4, leaf[1]));
	assert_true(advances(&w, 9, leaf[1]));
}

static void
test_survives(void **state)
{
	(void)state;
	struct witness w = {0}, again;
	assert_true(accepts(&w, LOG_A, 0, leaf[0]));
	witness_save(&w, fixture.store, fixture.seal);
	assert_false(w.dirty);
	witness_load(&again, fixture.store, fixture.seal, false);
	assert_true(again.known && !again.has_leaf);
	assert_false(accepts(&again, LOG_B, 0, leaf[0]));

	assert_true(advances(&w, 7, leaf[1]));
	assert_true(w.dirty);
	witness_save(&w, fixture.store, fixture.seal);
	witness_load(&again, fixture.store, fixture.seal, false);
	assert_int_equal(again.seq, 7);
	assert_false(accepts(&again, LOG_A, 7, leaf[0]));
	assert_true(accepts(&again, LOG_A, 7, leaf[1]));

	witness_load(&again, fixture.store, fixture.seal, true); // forgets
	assert_false(again.known);
	assert_true(accepts(&again, LOG_B, 0, leaf[0]));
	witness_load(&again, fixture.store, fixture.seal, false);
	assert_false(again.known);
}

static void
load_in_child(void)
{
	struct witness w;
	uint8_t key[SEAL_KEY_LEN] = "unit test key, 32 bytes of it...";
	if (secmem_init(1 << 20) == SECMEM_NONE)
		_exit(91);
	witness_load(&w, fixture.store, seal_new(key), false);
}

static void
test_changed(void **state)
{
	(void)state;
	struct witness w = {0};
	struct view v;
	char copy[200];
	assert_true(accepts(&w, LOG_A, 0, leaf[0]) && advances(&w, 7, leaf[1]));
	witness_save(&w, fixture.store, fixture.seal);
	assert_int_equal(fixture_exit_of(load_in_child), 0);
	assert_int_equal(store_get(fixture.store, STORE_WITNESS, VIEW("audit"), &v), 0);
	assert_true(v.len < sizeof(copy));
	memcpy(copy, v.p, v.len);
	copy[v.len / 2] ^= 1;
	size_t n = v.len;
	assert_int_equal(
	    store_put(fixture.store, STORE_WITNESS, VIEW("audit"), (struct view){copy, n}), 0);
	assert_int_equal(fixture_exit_of(load_in_child), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_survives),
	    cmocka_unit_test(test_changed),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
