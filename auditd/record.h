// SPDX-License-Identifier: Apache-2.0
// AREC/1: the bytes of one audit record. One msgpack array of 29 elements in the
// order of struct record, in the strict subset of common/mp.h, with attributes as
// an array of [key, value] pairs of strictly ascending keys. There is exactly one
// encoding per meaning: record_decode encodes again and compares. Hashes are taken
// over the stored bytes only (auditd/chain.h), never over a re-encoding.
//
//    0 version (1)    1 log_id bin16    2 seq            3 prev bin32
//    4 event time     5 commit time     6 boot number    7 monotonic time
//    8 clock state    9 event          10 producer      11 peer uid
//   12 peer pid      13 peer unit      14 request_id bin16 or bin0
//   15 ref_seq       16 tenant         17 workspace     18 user
//   19 conversation  20 key_id         21 key_version   22 key_use
//   23 result        24 error_code     25 flags
//   26 attributes    27 payload commitment nil|bin32    28 reserved (nil)
//
// Times are nanoseconds; 4 and 5 since 1970, 7 on CLOCK_MONOTONIC of that boot.
// Fields 0-3, 5-8, 10-13 and 25 are stamped by auditd, the others come from the producer.
#ifndef AUDITD_RECORD_H
#define AUDITD_RECORD_H

#include "common/mp.h"

#define RECORD_VERSION	 1U
#define RECORD_MAX	 1900U // bytes; LMDB keeps values below ~2 KB in the leaf page
#define RECORD_ATTRS_MAX 24U

enum record_producer {
	PRODUCER_VAULT = 1,
	PRODUCER_GATEWAY = 2,
	PRODUCER_ADMIN = 3,
	PRODUCER_AUDITD = 4,
};

enum record_clock {
	CLOCK_SYNCHRONIZED = 1, // the kernel says that the clock is disciplined
	CLOCK_WENT_BACK = 2,	// earlier than the record before by more than 5 s
};

enum record_flag {
	RECORD_SHORTENED = 1, // texts were cut so that the record fits RECORD_MAX
	RECORD_LATE = 2,      // a completion that came after its intent was given up or completed
};

struct record_attr {
	uint64_t key; // enum audit_attr
	bool is_text;
	uint64_t num;
	struct view text;
};

// All views are borrowed: from the decoded bytes, or from whoever fills it in.
struct record {
	struct view log_id;
	uint64_t seq;
	struct view prev;
	uint64_t t_event;
	uint64_t t_commit;
	uint64_t boot_no;
	uint64_t t_mono;
	uint64_t clock_state;
	uint64_t event; // enum audit_event
	uint64_t producer;
	uint64_t peer_uid;
	uint64_t peer_pid;
	struct view peer_unit;
	struct view request_id;
	uint64_t ref_seq;
	struct view tenant;
	struct view workspace;
	struct view user;
	struct view conversation;
	struct view key_id;
	uint64_t key_version;
	uint64_t key_use;
	uint64_t result; // enum audit_result
	struct view error_code;
	uint64_t flags;
	size_t attr_count;
	struct record_attr attr[RECORD_ATTRS_MAX];
	struct view payload_commit; // empty: none
};

// Returns the length, or 0 when it would exceed cap or RECORD_MAX, or when a field
// breaks the format (BUG-free: the caller decides).
size_t record_encode(const struct record *r, uint8_t *buf, size_t cap) MUST_CHECK;

// Returns 0, or -1 for anything but the one canonical encoding of a record.
int record_decode(const uint8_t *buf, size_t len, struct record *r_r) MUST_CHECK;

// Cuts the longest text in r by half, at a character boundary, and sets
// RECORD_SHORTENED. For records that record_encode found too long; a record without
// texts always fits.
void record_shorten(struct record *r);

// Text or number attribute by key, or NULL.
const struct record_attr *record_attr(const struct record *r, uint64_t key);

const char *record_producer_name(uint64_t producer); // never NULL
const char *record_result_name(uint64_t result);     // never NULL

#endif
