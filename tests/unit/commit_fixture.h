// SPDX-License-Identifier: Apache-2.0
// A real log in a scratch directory, a queue in front of it, and what was answered: for
// the tests of group commit. May touch: a directory of its own.
#ifndef TESTS_UNIT_COMMIT_FIXTURE_H
#define TESTS_UNIT_COMMIT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auditd/commit.h"
#include "auditd/verify.h"
#include "common/clock.h"
#include "tests/unit/test_scratch.h"

#define ANSWERS 20000U

static struct ledger *ledger;
static struct space *space;
static struct commit *commit;
static struct event_base *base;
static char source; // any address

static struct {
	uint64_t id;
	uint64_t seq;
	bool ok;
	char code[16];
	uint64_t at;
} answer[ANSWERS];
static size_t answers;

static inline void
on_answer(void *cookie, void *src, uint64_t id, const struct commit_answer *a)
{
	(void)cookie;
	assert_ptr_equal(src, &source);
	assert_true(answers < ANSWERS);
	answer[answers].id = id;
	answer[answers].seq = a->ok ? a->seq : 0;
	answer[answers].ok = a->ok;
	answer[answers].at = clock_mono_ns();
	snprintf(answer[answers].code, sizeof(answer[0].code), "%s", a->ok ? "" : a->code);
	answers++;
}

static inline void
on_done(void *cookie, bool fatal)
{
	(void)cookie;
	assert_false(fatal);
}

static struct ledger_config config = {
    .segment_records = 1U << 20, .segment_bytes = 1U << 30, .segment_age_ns = UINT64_MAX};

static inline void
start(uint64_t reserve, bool loop)
{
	config.dir = dir;
	answers = 0;
	ledger = ledger_open(&config);
	space = space_new(dir, reserve, 0);
	if (loop) {
		base = event_base_new();
		assert_int_equal(event_base_priority_init(base, COMMIT_PRIORITIES), 0);
	}
	struct commit_config cc = {.ledger = ledger,
	    .space = space,
	    .orphan_after_ns = 1000000000U,
	    .answer = on_answer,
	    .done = on_done};
	commit = commit_new(base, &cc);
}

static inline void
stop(void)
{
	commit_free(commit);
	space_free(space);
	ledger_close(ledger);
	if (base != NULL)
		event_base_free(base);
	base = NULL;
	commit = NULL;
}

static inline int
setup(void **state)
{
	(void)state;
	chain_init();
	config.segment_records = 1U << 20;
	config.map_bytes = 0;
	return scratch_make("commit");
}

static inline int
teardown(void **state)
{
	(void)state;
	if (commit != NULL)
		stop();
	return scratch_done();
}

static inline struct commit_entry *
entry(enum audit_event event, uint64_t ref, uint64_t id)
{
	struct msg_append a = {.event = event,
	    .time_ns = 1,
	    .ref_seq = ref,
	    .workspace = VIEW("w"),
	    .num_count = 1,
	    .text_count = 2};
	a.num[0] = (struct msg_attr_num){.key = ATTR_STATUS, .value = id};
	a.text[0] = (struct msg_attr_text){.key = ATTR_MODEL, .value = VIEW("m")};
	a.text[1] = (struct msg_attr_text){.key = ATTR_REASON, .value = VIEW("r")};
	uint8_t buf[4096];
	size_t n = msg_encode(MSG_APPEND, &a, buf, sizeof(buf));
	struct commit_entry *e = commit_entry_decode(buf, n);
	assert_non_null(e);
	e->source = &source;
	e->id = id;
	e->record.producer = event == EVENT_KEY_COMPLETE ? PRODUCER_GATEWAY : PRODUCER_VAULT;
	e->lazy = event == EVENT_KEY_COMPLETE;
	return e;
}

static inline uint64_t
push(enum audit_event event, uint64_t ref, uint64_t id)
{
	commit_push(commit, entry(event, ref, id));
	return id;
}

static inline bool
copy_record(void *cookie, uint64_t seq, struct view record)
{
	static uint8_t bytes[RECORD_MAX];
	(void)seq;
	memcpy(bytes, record.p, record.len);
	assert_int_equal(record_decode(bytes, record.len, cookie), 0);
	return false;
}

static inline struct record
stored(uint64_t seq)
{
	struct record r = {.seq = 0};
	const char *why;
	assert_int_equal(ledger_read(ledger, seq, copy_record, &r, &why), 0);
	assert_int_equal(r.seq, seq);
	return r;
}

static inline enum verify_verdict
verify(struct verify *v)
{
	verify_init(v);
	enum verify_verdict verdict = verify_dir(v, dir);
	if (verdict == VERIFY_TAMPERED || verdict == VERIFY_UNREADABLE)
		print_message("verify: %d at %llu: %s\n", (int)verdict,
		    (unsigned long long)v->bad_seq, v->why);
	verify_free(v);
	return verdict;
}

static inline void
push_void(uint64_t ref, uint64_t id)
{
	struct commit_entry *e = entry(EVENT_KEY_INTENT_VOID, ref, id);
	e->record.error_code = VIEW("gateway_gone");
	e->record.attr_count = 2; // the vault gives no reason
	commit_push(commit, e);
}

#endif
