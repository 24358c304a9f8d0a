// SPDX-License-Identifier: Apache-2.0
// The queue of records that wait to become durable, and the group commit: whatever
// waits when the loop has drained all its peers goes into one commit, then all
// producers are answered. Nothing is delayed on purpose but records that nobody waits
// for, which ride with the next group for at most COMMIT_LAZY_MS.
//
// The queue is bounded; what does not fit is refused (audit_busy), never dropped. Lazy
// records of producers, which gateways send, get half of it: however many there are, an
// intent finds room.
#ifndef AUDITD_COMMIT_H
#define AUDITD_COMMIT_H

#include "auditd/ledger.h"
#include "auditd/space.h"
#include "proto/msg.h"

#define COMMIT_QUEUE_RECORDS 8192U
#define COMMIT_QUEUE_BYTES   (16U << 20)
#define COMMIT_LAZY_MS	     20

// Priorities of the event loop: the commit runs when no link has anything to read.
// The caller makes the base with COMMIT_PRIORITIES; links get the middle one.
#define COMMIT_PRIORITIES 3
#define COMMIT_PRIORITY	  2

struct event_base;
struct commit;

// One record on its way. `record` is what will be stored; its views point into the
// entry's own copy of the payload.
struct commit_entry {
	struct commit_entry *next;
	void *source; // the producer, given back in the answer; NULL: ours
	uint64_t id;  // the producer's frame id
	bool lazy;    // may wait for company
	struct record record;

	// commit.c's and admit.c's own
	enum { LOOK_NONE, LOOK_INTENT, LOOK_OTHER } look; // what ref_seq names
	enum { DO_RECORD, DO_DUPLICATE, DO_REFUSE, DO_WAIT } what;
	enum chain_intent_state was;
	uint64_t since;
	uint64_t seq;
	uint8_t leaf[CHAIN_HASH];
	size_t size;
	uint8_t payload[];
};

// From the payload of an APPEND. NULL when it does not decode or its attributes are not
// in ascending order: the peer is to be rejected. The caller owns it until commit_push.
struct commit_entry *commit_entry_decode(const uint8_t *payload, size_t len) MUST_CHECK;
// One of auditd's own, lazy. text may be NULL, count 0: those attributes are left out.
struct commit_entry *commit_entry_own(
    enum audit_event event, uint64_t ref_seq, const char *text, uint64_t count) MUST_CHECK;
void commit_entry_free(struct commit_entry *e);

struct commit_answer {
	bool ok;
	uint64_t seq;	     // ok: of the record; 0 if an earlier record already says it
	const uint8_t *leaf; // ok: 32 bytes, zeros for seq 0
	const char *code;    // not ok: "audit_full", "audit_disk", "audit_busy"
	const char *message;
};

// Called once for each entry with a source, when its fate is durable.
typedef void commit_answer_fn(
    void *cookie, void *source, uint64_t id, const struct commit_answer *a);
// Called after each commit; the head has moved. fatal: the process ends right after.
typedef void commit_done_fn(void *cookie, bool fatal);

struct commit_config {
	struct ledger *ledger;
	struct space *space;
	uint64_t orphan_after_ns;
	commit_answer_fn *answer;
	commit_done_fn *done;
	void *cookie;
};

// base may be NULL in tests: then nothing runs by itself, call commit_run.
struct commit *commit_new(struct event_base *base, const struct commit_config *config) MUST_CHECK;
void commit_free(struct commit *c);

// Takes the entry; answers at once (audit_busy) if the queue is full.
void commit_push(struct commit *c, struct commit_entry *e);

// Commits all that is queued, group by group.
void commit_run(struct commit *c);

// Records that nobody will complete any more: intents older than the limit. restart:
// all of them, since their producers died with the daemon's links.
void commit_orphans(struct commit *c, bool restart);

// Every second: disk space, orphans, rotation by age.
void commit_tick(struct commit *c);

size_t commit_waiting(const struct commit *c); // queued records

#endif
