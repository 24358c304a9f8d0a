// links: auditd
// SPDX-License-Identifier: Apache-2.0
// The queue and the group commit on a real log: what is answered is durable, one flush
// serves many, nothing is dropped or said twice. May touch: a directory of its own.
#include "tests/unit/commit_fixture.h"

// --- groups -----------------------------------------------------------------------------

static void
eight_share_a_commit(void **state)
{
	(void)state;
	start(0, true);
	uint64_t before = ledger_commits(ledger);
	for (uint64_t i = 1; i <= 8; i++)
		push(EVENT_KEY_INTENT, 0, i);
	assert_int_equal(answers, 0); // nothing is acknowledged before it is durable
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(answers, 8);
	assert_in_range(ledger_commits(ledger) - before, 1, 2);
	for (uint64_t i = 0; i < 8; i++) {
		assert_true(answer[i].ok);
		assert_int_equal(answer[i].id, i + 1);
		assert_int_equal(answer[i].seq, i + 1);
	}
	struct record r = stored(3);
	assert_int_equal(r.attr_count, 3); // merged in order: 3 model, 6 status, 16 reason
	assert_int_equal(r.attr[0].key, ATTR_MODEL);
	assert_int_equal(r.attr[1].key, ATTR_STATUS);
	assert_int_equal(r.attr[1].num, 3);
	assert_int_equal(r.attr[2].key, ATTR_REASON);
}

static void
completions_wait_for_company(void **state)
{
	(void)state;
	start(0, true);
	push(EVENT_KEY_INTENT, 0, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	uint64_t before = ledger_commits(ledger), began = clock_mono_ns();
	push(EVENT_KEY_COMPLETE, 1, 2);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(ledger_commits(ledger), before);
	while (answers < 2)
		event_base_loop(base, EVLOOP_ONCE);
	uint64_t took = answer[1].at - began;
	assert_true(took >= 15000000U); // it waited,
	assert_true(took < 500000000U); // and not for long

	push(EVENT_KEY_INTENT, 0, 3);
	event_base_loop(base, EVLOOP_NONBLOCK);
	before = ledger_commits(ledger);
	push(EVENT_KEY_COMPLETE, answer[2].seq, 4);
	push(EVENT_KEY_INTENT, 0, 5);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(answers, 5);
	assert_int_equal(ledger_commits(ledger), before + 1); // they rode together
}

// A peer that keeps the loop busy cannot keep an intent waiting.
static void
a_flood_does_not_starve(void **state)
{
	(void)state;
	start(0, true);
	push(EVENT_KEY_INTENT, 0, 1);
	uint64_t began = clock_mono_ns(), id = 2;
	while (answers == 0 && clock_mono_ns() - began < 1000000000U)
		push(EVENT_KEY_COMPLETE, 1, id++); // without ever returning to the loop
	assert_true(answers > 0);
	assert_int_equal(answer[0].id, 1);
	assert_true(answer[0].ok); // and not by refusing the others
	assert_true(answer[0].at - began < 100000000U);
}

static void
busy_is_said(void **state)
{
	(void)state;
	start(0, false);
	for (uint64_t i = 1; i <= COMMIT_QUEUE_RECORDS + 5; i++)
		push(EVENT_KEY_INTENT, 0, i);
	size_t refused = answers;
	assert_in_range(refused, 5, COMMIT_QUEUE_RECORDS); // by number or by bytes
	for (size_t i = 0; i < refused; i++)
		assert_string_equal(answer[i].code, "audit_busy");
	commit_run(commit);
	assert_int_equal(answers, COMMIT_QUEUE_RECORDS + 5);
	for (size_t i = refused; i < answers; i++)
		assert_true(answer[i].ok);
	assert_int_equal(ledger_head_seq(ledger), answers - refused);
}

// --- completions -------------------------------------------------------------------------

static void
completed_once(void **state)
{
	(void)state;
	start(0, false);
	push(EVENT_KEY_INTENT, 0, 1);
	commit_run(commit);
	push(EVENT_KEY_COMPLETE, 1, 2);
	push(EVENT_KEY_COMPLETE, 1, 3); // again, in the same group
	commit_run(commit);
	push(EVENT_KEY_COMPLETE, 1, 4); // and later
	commit_run(commit);
	assert_int_equal(answers, 4);
	assert_true(answer[1].ok && answer[2].ok && answer[3].ok);
	assert_int_equal(answer[1].seq, 2);
	assert_int_equal(answer[2].seq, 0);
	assert_int_equal(answer[3].seq, 0);
	assert_int_equal(ledger_head_seq(ledger), 2);
	stop();
	start(0, false); // and after a restart
	push(EVENT_KEY_COMPLETE, 1, 5);
	commit_run(commit);
	assert_true(answer[0].ok);
	assert_int_equal(ledger_head_seq(ledger), 2);
}

static void
void_completes_too(void **state)
{
	(void)state;
	start(0, false);
	push(EVENT_KEY_INTENT, 0, 1);
	push(EVENT_KEY_INTENT_VOID, 1, 2);
	commit_run(commit);
	assert_int_equal(chain_intent_count(ledger_intents(ledger), INTENT_OPEN), 1);
	push(EVENT_KEY_INTENT_VOID, 1, 3);
	commit_run(commit);
	assert_int_equal(chain_intent_count(ledger_intents(ledger), INTENT_OPEN), 0);
}

// Whoever completes an intent first cannot keep the vault from saying that it was void.
static void
a_completion_does_not_swallow_the_vaults_void(void **state)
{
	(void)state;
	start(0, false);
	push(EVENT_KEY_INTENT, 0, 1);
	push(EVENT_KEY_INTENT, 0, 2);
	commit_run(commit);
	push(EVENT_KEY_COMPLETE, 1, 3);
	commit_run(commit);
	push_void(1, 4); // later,
	commit_run(commit);
	push(EVENT_KEY_COMPLETE, 2, 5);
	push_void(2, 6); // and in the same group
	commit_run(commit);
	const uint64_t seq[] = {answer[3].seq, answer[5].seq};
	for (size_t i = 0; i < ARRAY_LEN(seq); i++) {
		assert_int_not_equal(seq[i], 0);
		struct record r = stored(seq[i]);
		assert_int_equal(r.event, EVENT_KEY_INTENT_VOID);
		assert_int_equal(r.ref_seq, i + 1);
		assert_int_equal(r.flags, RECORD_LATE);
		assert_true(view_eq_str(r.error_code, "already_completed"));
		assert_true(view_eq_str(record_attr(&r, ATTR_REASON)->text, "gateway_gone"));
	}
	// The gateway's repetition is still one.
	push(EVENT_KEY_COMPLETE, 1, 7);
	commit_run(commit);
	assert_true(answer[6].ok);
	assert_int_equal(answer[6].seq, 0);
}

static void
completion_of_nothing(void **state)
{
	(void)state;
	start(0, false);
	push(EVENT_KEY_DENIED, 0, 1);
	commit_run(commit);
	const uint64_t refs[] = {0, 1, 999}; // genesis, no intent, not there yet
	for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
		push(EVENT_KEY_COMPLETE, refs[i], 2);
		commit_run(commit);
		struct record r = stored(ledger_head_seq(ledger));
		assert_int_equal(r.event, EVENT_KEY_COMPLETE);
		assert_true(view_eq_str(r.error_code, "no_intent"));
		assert_int_equal(r.result, RESULT_FAILED);
	}
	assert_int_equal(ledger_head_seq(ledger), 4);
}

static void
orphans(void **state)
{
	(void)state;
	start(0, false);
	push(EVENT_KEY_INTENT, 0, 1);
	push(EVENT_KEY_INTENT, 0, 2);
	commit_run(commit);
	push(EVENT_KEY_COMPLETE, 2, 3);
	commit_run(commit);
	commit_tick(commit);
	commit_run(commit);
	assert_int_equal(ledger_head_seq(ledger), 3); // not old enough
	usleep(1100000);
	commit_tick(commit);
	commit_tick(commit); // twice before the commit: still one record
	commit_run(commit);
	assert_int_equal(ledger_head_seq(ledger), 4);
	struct record r = stored(4);
	assert_int_equal(r.event, EVENT_INTENT_ORPHAN);
	assert_int_equal(r.ref_seq, 1);
	assert_true(view_eq_str(record_attr(&r, ATTR_REASON)->text, "timeout"));
	push(EVENT_KEY_COMPLETE, 1, 4); // late, but true
	commit_run(commit);
	assert_int_equal(stored(5).flags, RECORD_LATE);
	push(EVENT_KEY_COMPLETE, 1, 5);
	commit_run(commit);
	assert_int_equal(ledger_head_seq(ledger), 5);
}

static void
orphans_of_a_restart(void **state)
{
	(void)state;
	start(0, false);
	push(EVENT_KEY_INTENT, 0, 1);
	commit_run(commit);
	stop();
	start(0, false);
	assert_int_equal(ledger_boot_no(ledger), 2);
	commit_orphans(commit, true);
	commit_run(commit);
	struct record r = stored(2);
	assert_int_equal(r.event, EVENT_INTENT_ORPHAN);
	assert_true(view_eq_str(record_attr(&r, ATTR_REASON)->text, "restart"));
	stop();
	start(0, false);
	commit_orphans(commit, true);
	commit_run(commit);
	assert_int_equal(ledger_head_seq(ledger), 2); // said once
	push(EVENT_KEY_COMPLETE, 1, 1);
	commit_run(commit);
	assert_int_equal(stored(3).flags, RECORD_LATE);
	struct verify v;
	stop();
	assert_int_equal(verify(&v), VERIFY_UNANCHORED);
	assert_int_equal(v.orphans, 1);
	assert_int_equal(v.late, 1);
	assert_int_equal(v.open, 0);
}

// --- segments ------------------------------------------------------------------------------

static void
rotation(void **state)
{
	(void)state;
	config.segment_records = 16;
	start(0, false);
	for (uint64_t i = 1; i <= 100; i++)
		push(EVENT_KEY_INTENT, 0, i); // one queue, many segments
	commit_run(commit);
	for (uint64_t i = 1; i <= 100; i++) {
		push(EVENT_KEY_COMPLETE, answer[i - 1].seq, i);
		commit_run(commit);
	}
	assert_int_equal(answers, 200);
	uint64_t *first;
	size_t n;
	assert_int_equal(store_list(dir, &first, &n), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(first[i], i * 16);
		if (i != 0) {
			struct record r = stored(first[i]);
			assert_int_equal(r.event, EVENT_SEGMENT_OPEN);
			assert_int_equal(r.ref_seq, first[i] - 1);
		}
	}
	free(first);
	assert_true(n > 10);
	// A completion of an intent in an old segment, said again.
	uint64_t head = ledger_head_seq(ledger);
	push(EVENT_KEY_COMPLETE, answer[0].seq, 7);
	commit_run(commit);
	assert_int_equal(ledger_head_seq(ledger), head);
	stop();
	struct verify v;
	assert_int_equal(verify(&v), VERIFY_UNANCHORED);
	assert_int_equal(v.records, head + 1);
	assert_int_equal(v.open, 0);
	start(0, false); // opens at a later segment
	assert_int_equal(ledger_head_seq(ledger), head);
	assert_memory_equal(ledger_head(ledger), v.head, CHAIN_HASH);
}

static void
open_intents_cross_segments_and_restarts(void **state)
{
	(void)state;
	config.segment_records = 16;
	start(0, false);
	push(EVENT_KEY_INTENT, 0, 1);
	commit_run(commit);
	for (uint64_t i = 2; i <= 60; i++)
		push(EVENT_KEY_DENIED, 0, i);
	commit_run(commit);
	stop();
	start(0, false);
	assert_int_equal(chain_intent_get(ledger_intents(ledger), 1), INTENT_OPEN);
	push(EVENT_KEY_COMPLETE, 1, 1);
	commit_run(commit);
	assert_int_equal(stored(ledger_head_seq(ledger)).ref_seq, 1);
}

static void
full_map_goes_on_in_a_new_segment(void **state)
{
	(void)state;
	config.map_bytes = 256U * 1024U;
	start(0, false);
	for (uint64_t i = 1; i <= 3000; i++) {
		push(EVENT_KEY_DENIED, 0, i);
		if (i % 10 == 0)
			commit_run(commit);
	}
	assert_int_equal(answers, 3000);
	for (size_t i = 0; i < answers; i++)
		assert_true(answer[i].ok);
	uint64_t *first;
	size_t n;
	assert_int_equal(store_list(dir, &first, &n), 0);
	assert_true(n > 2);
	free(first);
	stop();
	struct verify v;
	assert_int_equal(verify(&v), VERIFY_UNANCHORED);
	assert_in_range(v.records, 3001, 3100);
}
int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(eight_share_a_commit),
	    T(completions_wait_for_company),
	    T(a_flood_does_not_starve),
	    T(busy_is_said),
	    T(completed_once),
	    T(void_completes_too),
	    T(a_completion_does_not_swallow_the_vaults_void),
	    T(completion_of_nothing),
	    T(orphans),
	    T(orphans_of_a_restart),
	    T(rotation),
	    T(open_intents_cross_segments_and_restarts),
	    T(full_map_goes_on_in_a_new_segment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
