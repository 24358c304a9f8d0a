// links: auditd
// SPDX-License-Identifier: Apache-2.0
// What an attacker who can write the files may do to a log, one by one, and the verdict
// that each must get; plus honest logs, which must never be called tampered with. May
// touch: a directory of its own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auditd/ledger.h"
#include "auditd/verify.h"
#include "proto/ids.h"
#include "tests/unit/test_scratch.h"

#define COUNT 40U

// A log in memory: stored bytes and stored leaf hashes.
struct log {
	size_t count;
	struct {
		uint8_t bytes[RECORD_MAX];
		size_t len;
		uint8_t leaf[CHAIN_HASH];
	} r[COUNT + 4];
};

static const uint8_t log_id[CHAIN_LOG_ID] = "log-id-log-id-1";

// Writes record i of an honest log behind `prev`; salt makes another one of it.
static void
make_record(struct log *l, size_t i, const uint8_t prev[CHAIN_HASH], unsigned salt)
{
	struct record r = {.log_id = {.p = (const char *)log_id, .len = CHAIN_LOG_ID},
	    .seq = i,
	    .prev = {.p = (const char *)prev, .len = CHAIN_HASH},
	    .t_event = 1000 + i,
	    .t_commit = 1000 + i,
	    .boot_no = 1,
	    .event = i == 0	  ? EVENT_GENESIS
		     : i % 3 == 1 ? EVENT_KEY_INTENT
				  : EVENT_KEY_COMPLETE,
	    .producer = PRODUCER_VAULT,
	    .ref_seq = i % 3 == 2 ? i - 1 : 0,
	    .key_id = VIEW("key"),
	    .key_use = salt,
	    .attr_count = 1};
	if (i % 3 == 0 && i != 0)
		r.event = EVENT_KEY_DENIED;
	r.attr[0] = (struct record_attr){.key = ATTR_MODEL, .is_text = true, .text = VIEW("model")};
	l->r[i].len = record_encode(&r, l->r[i].bytes, RECORD_MAX);
	assert_true(l->r[i].len > 0);
	chain_leaf(l->r[i].leaf, l->r[i].bytes, l->r[i].len);
}

static struct log *
honest(size_t count)
{
	static struct log l;
	uint8_t prev[CHAIN_HASH];
	chain_genesis(prev, log_id);
	l.count = count;
	for (size_t i = 0; i < count; i++) {
		make_record(&l, i, prev, 0);
		memcpy(prev, l.r[i].leaf, CHAIN_HASH);
	}
	return &l;
}

static struct verify v;
static struct verify_anchor remembered;

// stored: with the stored leaf hashes, as from a directory; else as from a stream.
static enum verify_verdict
run(const struct log *l, bool stored, bool anchored)
{
	verify_init(&v);
	if (anchored)
		v.anchor[v.anchor_count++] = remembered;
	for (size_t i = 0; i < l->count; i++) {
		struct view leaf = {.p = (const char *)l->r[i].leaf, .len = CHAIN_HASH};
		if (!verify_record(&v, l->r[i].bytes, l->r[i].len, stored ? &leaf : NULL))
			break;
	}
	enum verify_verdict verdict = verify_end(&v);
	verify_free(&v);
	return verdict;
}

static void
remember(const struct log *l, size_t i)
{
	remembered = (struct verify_anchor){.seq = i};
	memcpy(remembered.leaf, l->r[i].leaf, CHAIN_HASH);
}

static void
honest_logs(void **state)
{
	(void)state;
	for (size_t n = 1; n <= COUNT; n++) {
		struct log *l = honest(n);
		assert_int_equal(run(l, true, false), VERIFY_UNANCHORED);
		assert_int_equal(run(l, false, false), VERIFY_UNANCHORED);
		assert_int_equal(v.records, n);
		remember(l, n / 2);
		assert_int_equal(run(l, true, true), VERIFY_ANCHORED);
	}
	assert_int_equal(v.open, 0 + (COUNT - 1) % 3 == 1);
	verify_init(&v);
	assert_int_equal(verify_end(&v), VERIFY_TAMPERED); // nothing at all is no log
	verify_free(&v);
}

static void
every_bit_of_every_record(void **state)
{
	(void)state;
	struct log *l = honest(COUNT);
	size_t flips = 0;
	for (size_t i = 0; i < l->count; i++)
		for (size_t bit = 0; bit < l->r[i].len * 8; bit++, flips++) {
			uint8_t *b = &l->r[i].bytes[bit / 8];
			*b ^= (uint8_t)(1U << bit % 8);
			assert_int_equal(run(l, true, false), VERIFY_TAMPERED);
			assert_int_equal(v.bad_seq, i);
			*b ^= (uint8_t)(1U << bit % 8);
		}
	print_message("%zu flips\n", flips);
	assert_int_equal(run(l, true, false), VERIFY_UNANCHORED);
}

static void
every_bit_of_every_leaf(void **state)
{
	(void)state;
	struct log *l = honest(COUNT);
	for (size_t i = 0; i < l->count; i++)
		for (size_t bit = 0; bit < CHAIN_HASH * 8; bit++) {
			l->r[i].leaf[bit / 8] ^= (uint8_t)(1U << bit % 8);
			assert_int_equal(run(l, true, false), VERIFY_TAMPERED);
			assert_int_equal(v.bad_seq, i);
			assert_true(v.have_hashes);
			l->r[i].leaf[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
}

// Record and leaf hash changed together: the next record's prev tells, and at the very
// end only a remembered head can.
static void
record_and_leaf_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		struct log *l = honest(COUNT);
		uint8_t prev[CHAIN_HASH];
		remember(l, COUNT - 1);
		if (i == 0)
			chain_genesis(prev, log_id);
		else
			memcpy(prev, l->r[i - 1].leaf, CHAIN_HASH);
		make_record(l, i, prev, 1);
		bool last = i == COUNT - 1;
		assert_int_equal(run(l, true, false), last ? VERIFY_UNANCHORED : VERIFY_TAMPERED);
		assert_int_equal(run(l, true, true), VERIFY_TAMPERED);
		assert_int_equal(v.bad_seq, last ? i : i + 1);
	}
}

static void
rewritten_from_some_point(void **state)
{
	(void)state;
	for (size_t i = 1; i < COUNT; i++) {
		struct log *l = honest(COUNT);
		remember(l, COUNT - 2);
		uint8_t prev[CHAIN_HASH];
		memcpy(prev, l->r[i - 1].leaf, CHAIN_HASH);
		for (size_t k = i; k < COUNT; k++) {
			make_record(l, k, prev, 1);
			memcpy(prev, l->r[k].leaf, CHAIN_HASH);
		}
		assert_int_equal(run(l, true, false), VERIFY_UNANCHORED); // consistent in itself
		assert_int_equal(
		    run(l, true, true), i <= COUNT - 2 ? VERIFY_TAMPERED : VERIFY_ANCHORED);
	}
}

static void
deleted(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < COUNT; i++) {
		struct log *l = honest(COUNT);
		memmove(&l->r[i], &l->r[i + 1], (COUNT - i - 1) * sizeof(l->r[0]));
		l->count--;
		assert_int_equal(run(l, true, false), VERIFY_TAMPERED);
		assert_int_equal(v.bad_seq, i);
	}
}

static void
tail_cut(void **state)
{
	(void)state;
	struct log *l = honest(COUNT);
	remember(l, COUNT - 1);
	l->count -= 3;
	assert_int_equal(run(l, true, false), VERIFY_UNANCHORED); // never 0
	assert_int_equal(run(l, true, true), VERIFY_TAMPERED);
}

static void
inserted_duplicated_swapped(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < COUNT; i++) {
		struct log *l = honest(COUNT);
		memmove(&l->r[i + 1], &l->r[i], (COUNT - i) * sizeof(l->r[0]));
		l->count++;
		assert_int_equal(run(l, true, false), VERIFY_TAMPERED); // duplicate
		assert_int_equal(v.bad_seq, i + 1);
		uint8_t prev[CHAIN_HASH];
		memcpy(prev, l->r[i].leaf, CHAIN_HASH);
		make_record(l, i + 1, prev, 5); // a forged one, well chained to its front
		assert_int_equal(run(l, true, false), VERIFY_TAMPERED);
		assert_int_equal(v.bad_seq, i + 2);

		l = honest(COUNT);
		__typeof__(l->r[0]) t = l->r[i];
		l->r[i] = l->r[i + 1];
		l->r[i + 1] = t;
		assert_int_equal(run(l, true, false), VERIFY_TAMPERED); // swap
		assert_int_equal(v.bad_seq, i);
	}
}

static void
spliced_from_another_log(void **state)
{
	(void)state;
	struct log *l = honest(COUNT);
	struct record r;
	assert_int_equal(record_decode(l->r[20].bytes, l->r[20].len, &r), 0);
	static const char other[CHAIN_LOG_ID] = "other-log-other";
	uint8_t bytes[RECORD_MAX];
	r.log_id.p = other;
	l->r[20].len = record_encode(&r, bytes, sizeof(bytes));
	memcpy(l->r[20].bytes, bytes, l->r[20].len);
	chain_leaf(l->r[20].leaf, bytes, l->r[20].len);
	assert_int_equal(run(l, true, false), VERIFY_TAMPERED);
	assert_int_equal(v.bad_seq, 20);
}

static void
re_encode(struct log *l, size_t i, void (*change)(struct record *))
{
	struct record r;
	uint8_t copy[RECORD_MAX], bytes[RECORD_MAX];
	memcpy(copy, l->r[i].bytes, l->r[i].len);
	assert_int_equal(record_decode(copy, l->r[i].len, &r), 0);
	change(&r);
	l->r[i].len = record_encode(&r, bytes, sizeof(bytes));
	memcpy(l->r[i].bytes, bytes, l->r[i].len);
	chain_leaf(l->r[i].leaf, bytes, l->r[i].len);
}

static void
much_later(struct record *r)
{
	r->t_commit += 6000000000U;
}

static void
renumbered(struct record *r)
{
	r->seq++;
}

// The last record only has its number wrong: nothing behind it would tell.
static void
renumbered_last(void **state)
{
	(void)state;
	struct log *l = honest(10);
	re_encode(l, 9, renumbered);
	assert_int_equal(run(l, true, false), VERIFY_TAMPERED);
	assert_int_equal(v.bad_seq, 9);
}

static void
booted(struct record *r)
{
	r->boot_no = 2;
}

static void
marked(struct record *r)
{
	r->clock_state |= CLOCK_WENT_BACK;
}

// The head is last in each, so that the change itself is well chained.
static void
time_and_boot_go_back(void **state)
{
	(void)state;
	struct log *l = honest(10);
	re_encode(l, 9, much_later);
	l->count = 10;
	assert_int_equal(run(l, true, false), VERIFY_UNANCHORED); // forward is fine
	uint8_t prev[CHAIN_HASH];
	memcpy(prev, l->r[9].leaf, CHAIN_HASH);
	make_record(l, 10, prev, 0);
	l->count = 11;
	assert_int_equal(run(l, true, false), VERIFY_TAMPERED); // back without saying so
	re_encode(l, 10, marked);
	assert_int_equal(run(l, true, false), VERIFY_UNANCHORED);
	assert_int_equal(v.clock_back, 1);

	l = honest(10);
	re_encode(l, 9, booted);
	memcpy(prev, l->r[9].leaf, CHAIN_HASH);
	make_record(l, 10, prev, 0);
	l->count = 11;
	assert_int_equal(run(l, true, false), VERIFY_TAMPERED);
	assert_int_equal(v.bad_seq, 10);
}

static void
anchors_parse_strictly(void **state)
{
	(void)state;
	static const char *const bad[] = {"", ":", "5", "5:", "x:00", "5:00", "-5:00",
	    "5:000000000000000000000000000000000000000000000000000000000000000",
	    "5:00000000000000000000000000000000000000000000000000000000000000000",
	    "5:000000000000000000000000000000000000000000000000000000000000000g"};
	verify_init(&v);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(verify_anchor_parse(&v, bad[i]), -1);
	assert_int_equal(verify_anchor_parse(&v,
			     "17:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"),
	    0);
	assert_int_equal(v.anchor[0].seq, 17);
	assert_int_equal(v.anchor[0].leaf[31], 0xff);
	verify_free(&v);
}

// --- on disk ---------------------------------------------------------------------------

static int
setup_dir(void **state)
{
	(void)state;
	return scratch_make("verify");
}

static int
teardown_dir(void **state)
{
	(void)state;
	return scratch_done();
}

static void
make_dir(unsigned groups)
{
	struct ledger_config c = {.dir = dir,
	    .segment_records = 32,
	    .segment_bytes = 1U << 30,
	    .segment_age_ns = UINT64_MAX};
	struct ledger *l = ledger_open(&c);
	for (unsigned g = 0; g < groups; g++) {
		assert_int_equal(ledger_begin(l), LEDGER_OK);
		for (size_t i = 0; i < 3 && ledger_room(l) != 0; i++) {
			struct record r = {.event = EVENT_KEY_DENIED,
			    .producer = PRODUCER_VAULT,
			    .workspace = VIEW("workspace-of-the-test")};
			uint64_t seq;
			uint8_t leaf[CHAIN_HASH];
			assert_int_equal(ledger_add(l, &r, &seq, leaf), 0);
		}
		assert_int_equal(ledger_commit(l), LEDGER_OK);
	}
	ledger_close(l);
}

static enum verify_verdict
run_dir(void)
{
	verify_init(&v);
	enum verify_verdict verdict = verify_dir(&v, dir);
	verify_free(&v);
	return verdict;
}

static size_t
load(const char *path, uint8_t **out)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	*out = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, *out, (size_t)st.st_size), st.st_size);
	close(fd);
	return (size_t)st.st_size;
}

static void
save_bytes(const char *path, size_t at, const uint8_t *p, size_t n)
{
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, n, (off_t)at), n);
	close(fd);
}

struct last {
	uint8_t bytes[RECORD_MAX];
	size_t len;
};

static bool
keep(void *cookie, uint64_t seq, struct view record, struct view leaf)
{
	(void)seq, (void)leaf;
	struct last *last = cookie;
	memcpy(last->bytes, record.p, record.len);
	last->len = record.len;
	return false;
}

static void
bits_in_the_file(void **state)
{
	(void)state;
	make_dir(30);
	assert_int_equal(run_dir(), VERIFY_UNANCHORED);
	char path[128];
	snprintf(path, sizeof(path), "%s/seg-0000000000000032.mdb", dir);
	assert_int_equal(chmod(path, 0600), 0);
	struct store *s;
	struct last rec;
	assert_int_equal(store_open(dir, 32, STORE_READ, 0, &s), 0);
	assert_int_equal(store_each(s, 40, keep, &rec), 0);
	store_close(s);
	uint8_t *file;
	size_t n = load(path, &file);
	for (size_t bit = 0; bit < rec.len * 8; bit += 7) {
		// LMDB leaves old copies of pages about: change the record in all of them.
		for (uint8_t *at = file;
		     (at = memmem(at, n - (size_t)(at - file), rec.bytes, rec.len)) != NULL; at++) {
			uint8_t b = at[bit / 8] ^ (uint8_t)(1U << bit % 8);
			save_bytes(path, (size_t)(at - file) + bit / 8, &b, 1);
		}
		assert_int_equal(run_dir(), VERIFY_TAMPERED);
		assert_int_equal(v.bad_seq, 40);
		save_bytes(path, 0, file, n);
	}
	assert_int_equal(run_dir(), VERIFY_UNANCHORED);
	free(file);
}

// Whatever is done to the pages: no crash, no hang, and never a head that is not the
// honest one's.
static void
random_page_damage(void **state)
{
	(void)state;
	make_dir(30);
	assert_int_equal(run_dir(), VERIFY_UNANCHORED);
	uint8_t head[CHAIN_HASH];
	memcpy(head, v.head, CHAIN_HASH);
	char path[128];
	snprintf(path, sizeof(path), "%s/seg-0000000000000032.mdb", dir);
	assert_int_equal(chmod(path, 0600), 0);
	uint8_t *file;
	size_t n = load(path, &file);
	unsigned found[4] = {0};
	srand(7);
	for (unsigned round = 0; round < 600; round++) {
		size_t at = (size_t)rand() % n;
		uint8_t b[4];
		for (size_t i = 0; i < sizeof(b); i++)
			b[i] = (uint8_t)rand();
		size_t len = MIN(sizeof(b), n - at);
		save_bytes(path, at, b, len);
		enum verify_verdict verdict = run_dir();
		found[verdict]++;
		if (verdict == VERIFY_UNANCHORED) // the damage was in bytes that nobody reads
			assert_memory_equal(v.head, head, CHAIN_HASH);
		save_bytes(path, at, file + at, len);
	}
	print_message("tampered %u, unreadable %u, untouched %u\n", found[VERIFY_TAMPERED],
	    found[VERIFY_UNREADABLE], found[VERIFY_UNANCHORED]);
	assert_int_equal(found[VERIFY_ANCHORED], 0);
	assert_true(found[VERIFY_TAMPERED] > 0 && found[VERIFY_UNREADABLE] > 0);
	free(file);
}

// A leaf page that says it is a branch sends LMDB's search in circles (found by the test
// above with more rounds). Without the watchdog this test does not end.
static void
circles_end(void **state)
{
	(void)state;
	static const uint8_t header[] = {0xbf, 0xad, 0xd0, 0x09}; // flags, low byte of `lower`
	make_dir(30);
	char path[128];
	snprintf(path, sizeof(path), "%s/seg-0000000000000032.mdb", dir);
	assert_int_equal(chmod(path, 0600), 0);
	uint8_t *file;
	size_t n = load(path, &file);
	for (size_t at = 2 * 4096 + 9; at < n; at += 4096) {
		save_bytes(path, at, header, sizeof(header));
		enum verify_verdict verdict = run_dir();
		assert_int_not_equal(verdict, VERIFY_ANCHORED);
		save_bytes(path, at, file + at, sizeof(header));
	}
	assert_int_equal(run_dir(), VERIFY_UNANCHORED);
	free(file);
}

static void
segments_omitted_or_swapped(void **state)
{
	(void)state;
	make_dir(60);
	assert_int_equal(run_dir(), VERIFY_UNANCHORED);
	assert_int_equal(scratch_move("seg-0000000000000064.mdb", "x"), 0);
	assert_int_equal(run_dir(), VERIFY_TAMPERED);
	assert_int_equal(v.bad_seq, 64);
	assert_int_equal(scratch_copy("seg-0000000000000032.mdb", "seg-0000000000000064.mdb"), 0);
	assert_int_not_equal(run_dir(), VERIFY_UNANCHORED);
	assert_int_equal(scratch_move("x", "seg-0000000000000064.mdb"), 0);
	assert_int_equal(run_dir(), VERIFY_UNANCHORED);
	assert_int_equal(scratch_remove("seg-0000000000000000.mdb"), 0);
	assert_int_equal(run_dir(), VERIFY_TAMPERED);
}

static void
unreadable_is_not_tampered(void **state)
{
	(void)state;
	assert_int_equal(run_dir(), VERIFY_UNREADABLE); // empty
	make_dir(1);
	int fd = open(dir, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0); // as the daemon holds it
	assert_int_equal(run_dir(), VERIFY_UNREADABLE);
	close(fd);
	assert_int_equal(run_dir(), VERIFY_UNANCHORED);
	verify_init(&v);
	assert_int_equal(verify_dir(&v, "/nonexistent"), VERIFY_UNREADABLE);
	verify_free(&v);
}

static int
setup(void **state)
{
	(void)state;
	chain_init();
	return 0;
}

int
main(void)
{
#define D(f) cmocka_unit_test_setup_teardown(f, setup_dir, teardown_dir)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(honest_logs),
	    cmocka_unit_test(every_bit_of_every_record),
	    cmocka_unit_test(every_bit_of_every_leaf),
	    cmocka_unit_test(record_and_leaf_together),
	    cmocka_unit_test(rewritten_from_some_point),
	    cmocka_unit_test(deleted),
	    cmocka_unit_test(tail_cut),
	    cmocka_unit_test(inserted_duplicated_swapped),
	    cmocka_unit_test(spliced_from_another_log),
	    cmocka_unit_test(renumbered_last),
	    cmocka_unit_test(time_and_boot_go_back),
	    cmocka_unit_test(anchors_parse_strictly),
	    D(bits_in_the_file),
	    D(random_page_damage),
	    D(circles_end),
	    D(segments_omitted_or_swapped),
	    D(unreadable_is_not_tampered),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
