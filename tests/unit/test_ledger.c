// links: auditd
// SPDX-License-Identifier: Apache-2.0
// The log across restarts: it continues where it was, and refuses to start when a part
// of it is gone or is another log's. May touch: a directory of its own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "auditd/ledger.h"
#include "proto/ids.h"
#include "tests/unit/test_scratch.h"

static struct ledger_config config = {
    .dir = dir, .segment_records = 16, .segment_bytes = 1U << 30, .segment_age_ns = UINT64_MAX};

static int
setup(void **state)
{
	(void)state;
	chain_init();
	return scratch_make("ledger");
}

static int
teardown(void **state)
{
	(void)state;
	return scratch_done();
}

static void
grow(struct ledger *l, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct record r = {.event = EVENT_KEY_DENIED, .producer = PRODUCER_VAULT};
		uint64_t seq;
		uint8_t leaf[CHAIN_HASH];
		assert_int_equal(ledger_begin(l), LEDGER_OK);
		assert_int_equal(ledger_add(l, &r, &seq, leaf), 0);
		assert_int_equal(ledger_commit(l), LEDGER_OK);
		assert_int_equal(seq, ledger_head_seq(l));
		assert_memory_equal(leaf, ledger_head(l), CHAIN_HASH);
	}
}

static void
make_log(unsigned count)
{
	struct ledger *l = ledger_open(&config);
	grow(l, count);
	ledger_close(l);
}

// Restarted after every single record, so that it ends at every place of a segment.
static void
continues_after_restarts(void **state)
{
	(void)state;
	uint8_t head[CHAIN_HASH], log_id[CHAIN_LOG_ID];
	struct ledger *l = ledger_open(&config);
	memcpy(log_id, ledger_log_id(l), CHAIN_LOG_ID);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t boot = ledger_boot_no(l);
		grow(l, 1);
		uint64_t seq = ledger_head_seq(l);
		memcpy(head, ledger_head(l), CHAIN_HASH);
		ledger_close(l);
		l = ledger_open(&config);
		assert_int_equal(ledger_head_seq(l), seq);
		assert_int_equal(ledger_boot_no(l), boot + 1);
		assert_memory_equal(ledger_head(l), head, CHAIN_HASH);
		assert_memory_equal(ledger_log_id(l), log_id, CHAIN_LOG_ID);
	}
	ledger_close(l);
}

static bool
count_one(void *cookie, uint64_t seq, struct view record)
{
	struct record r;
	uint64_t *next = cookie;
	assert_int_equal(record_decode((const uint8_t *)record.p, record.len, &r), 0);
	assert_int_equal(r.seq, seq);
	assert_int_equal(seq, (*next)++);
	return true;
}

static void
reads_segment_by_segment(void **state)
{
	(void)state;
	const char *why;
	struct ledger *l = ledger_open(&config);
	grow(l, 50);
	uint64_t next = 5, head = ledger_head_seq(l);
	while (next <= head) {
		uint64_t before = next;
		assert_int_equal(ledger_read(l, next, count_one, &next, &why), 0);
		assert_true(next > before);
		assert_true(next % 16 == 0 || next == head + 1);
	}
	assert_int_equal(ledger_read(l, head + 1, count_one, &next, &why), 0); // nothing there
	assert_int_equal(next, head + 1);
	ledger_close(l);
}

static int
exit_of_open(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		_exit(ledger_open(&config) == NULL);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
lost_segments_stop_the_start(void **state)
{
	(void)state;
	make_log(60);
	assert_int_equal(exit_of_open(), 0);
	assert_int_equal(scratch_move("seg-0000000000000016.mdb", "x"), 0);
	assert_int_equal(exit_of_open(), LEDGER_EXIT); // one is missing
	assert_int_equal(scratch_move("x", "seg-0000000000000016.mdb"), 0);
	assert_int_equal(exit_of_open(), 0);
	assert_int_equal(scratch_remove("seg-0000000000000000.mdb"), 0);
	assert_int_equal(exit_of_open(), LEDGER_EXIT); // the beginning
	assert_int_equal(scratch_remove("seg-"), 0);
	assert_int_equal(exit_of_open(), LEDGER_EXIT); // all of them: no silent new log
	uint64_t *first;
	size_t n;
	assert_int_equal(store_list(dir, &first, &n), 0);
	assert_int_equal(n, 0);
}

static void
another_logs_segments_are_refused(void **state)
{
	(void)state;
	make_log(3);
	assert_int_equal(scratch_move("seg-0000000000000000.mdb", "mine"), 0);
	assert_int_equal(scratch_move("LOG", "LOG.mine"), 0);
	make_log(3);
	assert_int_equal(scratch_remove("LOG"), 0);
	assert_int_equal(exit_of_open(), 0); // a missing marker is written anew
	assert_int_equal(scratch_move("mine", "seg-0000000000000000.mdb"), 0);
	assert_int_equal(exit_of_open(), LEDGER_EXIT);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(continues_after_restarts),
	    T(reads_segment_by_segment),
	    T(lost_segments_stop_the_start),
	    T(another_logs_segments_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
