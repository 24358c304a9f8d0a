// links: auditd
// SPDX-License-Identifier: Apache-2.0
// One segment on disk: what is committed is there after reopening, what is not is not,
// and every kind of refusal has its class. May touch: a directory of its own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auditd/store.h"
#include "tests/unit/test_scratch.h"
#include "tests/unit/test_scratch.h"

static int
setup(void **state)
{
	(void)state;
	chain_init();
	return scratch_make("store");
}

static int
teardown(void **state)
{
	(void)state;
	return scratch_done();
}

static int
put(struct store *s, uint64_t seq)
{
	char text[64];
	uint8_t leaf[CHAIN_HASH];
	int n = snprintf(text, sizeof(text), "record %llu", (unsigned long long)seq);
	chain_leaf(leaf, (uint8_t *)text, (size_t)n);
	return store_put(s, seq, (struct view){.p = text, .len = (size_t)n}, leaf);
}

static struct store *
create(uint64_t first, unsigned count)
{
	struct store *s;
	struct store_meta m = {.edge = {.size = first}};
	memcpy(m.log_id, "log-log-log-log", CHAIN_LOG_ID);
	for (unsigned i = 0; i < chain_edge_count(first); i++)
		memset(m.edge.node[i], (int)(i + 1), CHAIN_HASH);
	struct chain_intent open[] = {
	    {.seq = 3, .state = INTENT_OPEN}, {.seq = 2, .state = INTENT_ORPHANED}};
	m.intent = open;
	m.intent_count = 2;
	assert_int_equal(store_open(dir, first, STORE_CREATE, 0, &s), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_put_meta(s, &m), 0);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(put(s, first + i), 0);
	assert_int_equal(store_commit(s), 0);
	return s;
}

struct seen {
	uint64_t next;
	unsigned count;
	unsigned bad_leaves;
	unsigned stop_after;
};

static bool
see(void *cookie, uint64_t seq, struct view record, struct view leaf)
{
	struct seen *seen = cookie;
	uint8_t want[CHAIN_HASH];
	assert_int_equal(seq, seen->next++);
	chain_leaf(want, (const uint8_t *)record.p, record.len);
	if (leaf.len != CHAIN_HASH || memcmp(leaf.p, want, CHAIN_HASH) != 0)
		seen->bad_leaves++;
	return ++seen->count != seen->stop_after;
}

static void
committed_is_there(void **state)
{
	(void)state;
	store_close(create(11, 5));
	struct store *s;
	struct store_meta m;
	uint64_t seq, records, leaves;
	uint8_t leaf[CHAIN_HASH], want[CHAIN_HASH];
	assert_int_equal(store_open(dir, 11, STORE_WRITE, 0, &s), 0);
	assert_int_equal(store_first(s), 11);
	assert_int_equal(store_last(s, &seq, leaf), 0);
	assert_int_equal(seq, 15);
	chain_leaf(want, (const uint8_t *)"record 15", 9);
	assert_memory_equal(leaf, want, CHAIN_HASH);
	struct seen seen = {.next = 11};
	assert_int_equal(store_each(s, 0, see, &seen), 0);
	assert_int_equal(seen.count, 5);
	assert_int_equal(seen.bad_leaves, 0);
	seen = (struct seen){.next = 13, .stop_after = 2};
	assert_int_equal(store_each(s, 13, see, &seen), 0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(store_counts(s, &records, &leaves), 0);
	assert_int_equal(records, 5);
	assert_int_equal(leaves, 5);
	assert_int_equal(store_get_meta(s, &m), 0);
	assert_memory_equal(m.log_id, "log-log-log-log", CHAIN_LOG_ID);
	assert_int_equal(m.edge.size, 11);
	assert_int_equal(m.edge.node[2][31], 3);
	assert_int_equal(m.intent_count, 2);
	assert_int_equal(m.intent[1].seq, 2);
	assert_int_equal(m.intent[1].state, INTENT_ORPHANED);
	free(m.intent);
	store_close(s);
}

static void
aborted_is_not(void **state)
{
	(void)state;
	struct store *s = create(0, 2);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(put(s, 2), 0);
	store_abort(s);
	uint64_t seq;
	uint8_t leaf[CHAIN_HASH];
	assert_int_equal(store_last(s, &seq, leaf), 0);
	assert_int_equal(seq, 1);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(put(s, 2), 0);
	store_close(s); // as a crash would: not committed
	assert_int_equal(store_open(dir, 0, STORE_READ, 0, &s), 0);
	assert_int_equal(store_last(s, &seq, leaf), 0);
	assert_int_equal(seq, 1);
	store_close(s);
}

static void
order_is_asserted(void **state)
{
	(void)state;
	struct store *s = create(0, 3);
	assert_int_equal(store_begin(s), 0);
	assert_int_not_equal(put(s, 2), 0); // again
	store_abort(s);
	assert_int_equal(store_begin(s), 0);
	assert_int_not_equal(put(s, 1), 0); // before
	store_abort(s);
	store_close(s);
}

static void
unborn(void **state)
{
	(void)state;
	struct store *s;
	assert_int_equal(store_open(dir, 0, STORE_CREATE, 0, &s), 0);
	store_close(s);
	int rc = store_open(dir, 0, STORE_READ, 0, &s);
	assert_int_equal(store_class(rc), STORE_END);
	// A crash between creating the file and writing its first page.
	static const off_t sizes[] = {0, 100, 4096};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/seg-0000000000000000.mdb", dir);
		assert_int_equal(truncate(path, sizes[i]), 0);
		assert_int_equal(store_class(store_open(dir, 0, STORE_READ, 0, &s)), STORE_END);
		assert_int_equal(store_class(store_open(dir, 0, STORE_WRITE, 0, &s)), STORE_END);
		struct stat st;
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, sizes[i]); // untouched
	}
}

static void
missing_and_existing(void **state)
{
	(void)state;
	struct store *s;
	assert_int_equal(store_open(dir, 0, STORE_READ, 0, &s), ENOENT);
	assert_int_equal(store_open(dir, 0, STORE_WRITE, 0, &s), ENOENT);
	store_close(create(0, 1));
	assert_int_equal(store_open(dir, 0, STORE_CREATE, 0, &s), EEXIST);
}

static void
not_a_segment(void **state)
{
	(void)state;
	char path[128];
	struct store *s;
	snprintf(path, sizeof(path), "%s/seg-0000000000000000.mdb", dir);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, "not a database\n", 15), 15);
	close(fd);
	assert_int_equal(store_class(store_open(dir, 0, STORE_READ, 0, &s)), STORE_DAMAGED);
}

static void
removed_or_replaced(void **state)
{
	(void)state;
	char path[128], other[160], moved[160];
	struct store *s = create(0, 1);
	snprintf(path, sizeof(path), "%s/seg-0000000000000000.mdb", dir);
	snprintf(other, sizeof(other), "%s/copy", dir);
	snprintf(moved, sizeof(moved), "%s/moved", dir);
	assert_true(store_intact(s));
	assert_int_equal(rename(path, moved), 0);
	assert_false(store_intact(s));
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	close(fd);
	assert_false(store_intact(s)); // another file under its name
	assert_int_equal(rename(moved, path), 0);
	assert_true(store_intact(s));
	assert_int_equal(unlink(path), 0);
	assert_false(store_intact(s));
	store_close(s);
}

static void
map_full_has_its_class(void **state)
{
	(void)state;
	struct store *s;
	struct store_meta m = {.intent = NULL};
	static char big[1800];
	static const uint8_t leaf[CHAIN_HASH];
	assert_int_equal(store_open(dir, 0, STORE_CREATE, 1U << 16, &s), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_put_meta(s, &m), 0);
	int rc = 0;
	for (uint64_t i = 0; rc == 0 && i < 1000; i++)
		rc = store_put(s, i, (struct view){.p = big, .len = sizeof(big)}, leaf);
	assert_int_equal(store_class(rc), STORE_MAP_FULL);
	store_close(s);
	assert_int_equal(store_class(ENOSPC), STORE_NO_SPACE);
	assert_int_equal(store_class(EIO), STORE_IO);
}

static void
lists_only_segments(void **state)
{
	(void)state;
	static const char *const names[] = {"seg-0000000000000300.mdb", "seg-0000000000000020.mdb",
	    "seg-20.mdb", "seg-0000000000000020.mdb-lock", "seg-000000000000002x.mdb",
	    "seg--000000000000020.mdb", "ballast", "LOG"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		int fd = open(path, O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	uint64_t *first;
	size_t n;
	assert_int_equal(store_list(dir, &first, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(first[0], 20);
	assert_int_equal(first[1], 300);
	free(first);
}

static void
sealed_is_read_only(void **state)
{
	(void)state;
	char path[128];
	struct stat st;
	store_close(create(0, 1));
	assert_int_equal(store_seal(dir, 0), 0);
	snprintf(path, sizeof(path), "%s/seg-0000000000000000.mdb", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0440);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(committed_is_there),
	    T(aborted_is_not),
	    T(order_is_asserted),
	    T(unborn),
	    T(missing_and_existing),
	    T(not_a_segment),
	    T(removed_or_replaced),
	    T(map_full_has_its_class),
	    T(lists_only_segments),
	    T(sealed_is_read_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
