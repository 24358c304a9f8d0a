// SPDX-License-Identifier: Apache-2.0
// The log as a whole: its segments, its head, and appending a group of records in one
// durable commit. Knows nothing of peers, queues or timers.
//
// A damaged log ends the process with exit status LEDGER_EXIT, so that the service
// manager starts it anew and the start-up check decides; nothing is ever repaired.
#ifndef AUDITD_LEDGER_H
#define AUDITD_LEDGER_H

#include "auditd/chain.h"
#include "auditd/record.h"
#include "auditd/store.h"

#define LEDGER_EXIT	   74 // EX_IOERR
#define LEDGER_GROUP_MAX   4096U
#define LEDGER_GROUP_BYTES (4U << 20)

struct ledger_config {
	const char *dir;	  // "." in the daemon, which has entered it
	uint64_t segment_records; // a segment is closed at this many records,
	uint64_t segment_bytes;	  // this many bytes,
	uint64_t segment_age_ns;  // or this age
	uint64_t map_bytes;	  // 0: STORE_MAP_BYTES
};

struct ledger;

// Opens and fully verifies the active segment, or begins a new log. Appends the
// genesis record if there was none; the caller appends audit.start.
struct ledger *ledger_open(const struct ledger_config *config) MUST_CHECK;
void ledger_close(struct ledger *l);

enum ledger_result {
	LEDGER_OK,
	LEDGER_FULL,  // no space: nothing of the group was stored
	LEDGER_RETRY, // nothing was stored; the same group fits into a new segment
	LEDGER_DISK,  // the disk failed: answer the producers, then exit with LEDGER_EXIT
};

// A group: begin, add 1 to ledger_room() records, commit. begin opens a new segment
// first when one is due. After a failed add, commit reports why.
enum ledger_result ledger_begin(struct ledger *l) MUST_CHECK;
size_t ledger_room(const struct ledger *l);

// Stamps seq, prev, times, boot number and log id into r, and stores it.
// Returns 0, or -1 when the group has failed.
int ledger_add(
    struct ledger *l, struct record *r, uint64_t *seq_r, uint8_t leaf_r[CHAIN_HASH]) MUST_CHECK;
enum ledger_result ledger_commit(struct ledger *l) MUST_CHECK;

// Closes the active segment if it has reached its age. LEDGER_OK when nothing is due.
enum ledger_result ledger_rotate_by_age(struct ledger *l) MUST_CHECK;

const uint8_t *ledger_log_id(const struct ledger *l);
uint64_t ledger_head_seq(const struct ledger *l); // of the last durable record
const uint8_t *ledger_head(const struct ledger *l);
uint64_t ledger_boot_no(const struct ledger *l);
uint64_t ledger_commits(const struct ledger *l); // since start

// Which intents wait for completion, as of the last durable record and what the
// caller has noted since.
struct chain_intents *ledger_intents(struct ledger *l);

// Calls fn for durable records from `from` on, at most to the end of the segment that
// holds `from`; fn returns false to stop. Returns 0, or -1 with *why_r set when a record
// does not match its stored leaf hash or cannot be read.
typedef bool ledger_read_fn(void *cookie, uint64_t seq, struct view record);
int ledger_read(struct ledger *l, uint64_t from, ledger_read_fn *fn, void *cookie,
    const char **why_r) MUST_CHECK;

#endif
