// SPDX-License-Identifier: Apache-2.0
// Checks a log record by record: canonical encoding, order, chain, stored leaf hashes,
// tree root, remembered heads, and which intents have no completion. Used by auditd at
// start, and by `sallyport audit verify` on a stream or on a copied directory.
#ifndef AUDITD_VERIFY_H
#define AUDITD_VERIFY_H

#include "auditd/chain.h"
#include "auditd/record.h"

#define VERIFY_ANCHORS_MAX 8U
#define VERIFY_OPEN_MAX	   16U

// Exit codes of the verifier.
enum verify_verdict {
	VERIFY_ANCHORED = 0,   // consistent, and a remembered head is part of it
	VERIFY_TAMPERED = 1,   // proven: bad_seq, why, want, got
	VERIFY_UNANCHORED = 2, // consistent, but nothing says that it is the whole log
	VERIFY_UNREADABLE = 3, // cannot be read; says nothing about tampering
};

// A head that somebody remembered: record number and its leaf hash.
struct verify_anchor {
	uint64_t seq;
	uint8_t leaf[CHAIN_HASH];
	bool seen;
};

struct verify {
	// what to expect next
	bool have_log_id;
	uint8_t log_id[CHAIN_LOG_ID];
	struct chain_edge edge;
	uint8_t head[CHAIN_HASH]; // leaf hash of the last record
	struct verify_anchor anchor[VERIFY_ANCHORS_MAX];
	size_t anchor_count;

	// what was found
	bool tampered;
	uint64_t bad_seq;
	char why[200];
	uint8_t want[CHAIN_HASH];
	uint8_t got[CHAIN_HASH];
	bool have_hashes; // want and got are set

	// facts for people
	uint64_t records;
	uint64_t boot_no;  // of the last record
	uint64_t t_commit; // of the last record
	uint64_t orphans;
	uint64_t late; // completions after intent.orphan
	uint64_t no_intent;
	uint64_t clock_back;
	uint64_t starts;		      // audit.start records
	uint64_t open;			      // intents without completion, orphans not counted
	uint64_t open_first[VERIFY_OPEN_MAX]; // the first of them
	size_t open_first_count;
	struct chain_intents *intents; // owned; not to be used after verify_dir
};

void verify_init(struct verify *v); // from the genesis record on
void verify_free(struct verify *v);

// "SEQ:HASH", hash in 64 hex digits. Returns 0, or -1 when it is not that.
int verify_anchor_parse(struct verify *v, const char *text) MUST_CHECK;

// The next record. stored_leaf: as found in the store; {NULL, 0} if it is missing there,
// NULL if there is no store. False once tampering was found.
bool verify_record(
    struct verify *v, const uint8_t *bytes, size_t len, const struct view *stored_leaf);

// After the last record: which anchors lie beyond the end, and the verdict.
enum verify_verdict verify_end(struct verify *v);

// A directory that no daemon uses. VERIFY_UNREADABLE sets v->why. Runs in a child
// process, because LMDB does not defend itself against hostile files.
enum verify_verdict verify_dir(struct verify *v, const char *dir);

#endif
