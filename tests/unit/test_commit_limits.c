// links: auditd
// SPDX-License-Identifier: Apache-2.0
// The limits of the queue: a full disk refuses new work only, gateways take no more than
// their share, and what a producer may not say. May touch: a directory of its own.
#include "tests/unit/commit_fixture.h"

// --- a disk without space --------------------------------------------------------------------

static void
no_space_refuses_new_work_only(void **state)
{
	(void)state;
	start(0, false);
	push(EVENT_KEY_INTENT, 0, 1);
	commit_run(commit);
	stop();
	start(UINT64_MAX / 4, false); // no disk has that much
	assert_false(space_admits(space));
	push(EVENT_KEY_INTENT, 0, 2);
	push(EVENT_KEY_COMPLETE, 1, 3);
	push(EVENT_KEY_DENIED, 0, 4);
	push(EVENT_KEY_COMPLETE, 0, 5); // of nothing: may not eat the reserve
	commit_run(commit);
	assert_int_equal(answers, 4);
	assert_false(answer[0].ok);
	assert_string_equal(answer[0].code, "audit_full");
	assert_true(answer[1].ok);
	assert_string_equal(answer[2].code, "audit_full");
	assert_string_equal(answer[3].code, "audit_full");
	assert_int_equal(ledger_head_seq(ledger), 2);
	push(EVENT_KEY_LEAK_STOPPED, 1, 6);
	push(EVENT_SEALER_DIED, 0, 7); // what the vault must not lose
	push_void(1, 8);
	push(EVENT_PEER_REJECTED, 0, 9); // a gateway can cause many of these
	commit_run(commit);
	assert_true(answer[4].ok && answer[5].ok && answer[6].ok);
	assert_string_equal(answer[7].code, "audit_full");
}

static void
a_gateway_cannot_fill_the_log(void **state)
{
	(void)state;
	start(0, false);
	push(EVENT_KEY_INTENT, 0, 0);
	commit_run(commit);
	for (uint64_t i = 0; i < 3000; i++)
		push(EVENT_KEY_COMPLETE, 0, i);
	commit_run(commit);
	size_t stored_now = ledger_head_seq(ledger) - 1;
	assert_in_range(stored_now, 500, 1000); // one second's worth, or two
	assert_string_equal(answer[answers - 1].code, "audit_busy");
	push(EVENT_KEY_COMPLETE, 1, 1); // real work is not held up
	commit_run(commit);
	assert_true(answer[answers - 1].ok);
	push(EVENT_KEY_DENIED, 0, 1); // nor is the vault
	commit_run(commit);
	assert_true(answer[answers - 1].ok);
}

// However much the gateways say, the vault's intents find room.
static void
a_flood_of_gateways_leaves_room_for_the_vault(void **state)
{
	(void)state;
	start(0, false);
	for (uint64_t i = 0; i < COMMIT_QUEUE_RECORDS + 100; i++)
		push(EVENT_KEY_COMPLETE, 0, i);
	size_t refused = answers;
	assert_in_range(refused, COMMIT_QUEUE_RECORDS / 2, COMMIT_QUEUE_RECORDS);
	for (uint64_t i = 0; i < COMMIT_QUEUE_RECORDS / 4; i++)
		push(EVENT_KEY_INTENT, 0, i);
	assert_int_equal(answers, refused); // none of them
	commit_run(commit);
	for (size_t i = answers - COMMIT_QUEUE_RECORDS / 4; i < answers; i++)
		assert_true(answer[i].ok);
	// What left the queue counts no more.
	refused = answers;
	for (uint64_t i = 0; i < COMMIT_QUEUE_RECORDS / 4; i++)
		push(EVENT_KEY_COMPLETE, 0, i);
	assert_int_equal(answers, refused);
}

// --- what the producer may not do ---------------------------------------------------------------

static void
disordered_attributes_do_not_decode(void **state)
{
	(void)state;
	struct msg_append a = {.event = EVENT_KEY_INTENT, .num_count = 2};
	uint8_t buf[4096];
	a.num[0].key = 7;
	a.num[1].key = 6;
	size_t n = msg_encode(MSG_APPEND, &a, buf, sizeof(buf));
	assert_null(commit_entry_decode(buf, n));
	a.num[1].key = 8;
	a.text_count = 1;
	a.text[0].key = 8; // the same key as number and as text
	n = msg_encode(MSG_APPEND, &a, buf, sizeof(buf));
	assert_null(commit_entry_decode(buf, n));
	a.text[0].key = 9;
	n = msg_encode(MSG_APPEND, &a, buf, sizeof(buf));
	struct commit_entry *e = commit_entry_decode(buf, n);
	assert_non_null(e);
	commit_entry_free(e);
	assert_null(commit_entry_decode(buf, n - 1));
}

static void
oversize_is_shortened_not_lost(void **state)
{
	(void)state;
	start(0, false);
	static char big[300];
	memset(big, 'x', sizeof(big));
	struct msg_append a = {.event = EVENT_KEY_INTENT, .text_count = MSG_ATTRS_MAX};
	for (size_t i = 0; i < MSG_ATTRS_MAX; i++)
		a.text[i] =
		    (struct msg_attr_text){.key = i + 1, .value = {.p = big, .len = sizeof(big)}};
	uint8_t buf[8192];
	size_t n = msg_encode(MSG_APPEND, &a, buf, sizeof(buf));
	struct commit_entry *e = commit_entry_decode(buf, n);
	e->source = &source;
	e->record.producer = PRODUCER_VAULT;
	commit_push(commit, e);
	commit_run(commit);
	assert_true(answer[0].ok);
	struct record r = stored(1);
	assert_int_equal(r.flags, RECORD_SHORTENED);
	assert_int_equal(r.attr_count, MSG_ATTRS_MAX);
}
int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(no_space_refuses_new_work_only),
	    T(a_gateway_cannot_fill_the_log),
	    T(a_flood_of_gateways_leaves_room_for_the_vault),
	    T(disordered_attributes_do_not_decode),
	    T(oversize_is_shortened_not_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
