// SPDX-License-Identifier: Apache-2.0
// One segment of the log: one LMDB environment, `seg-<first seq, 16 digits>.mdb`, as a
// single file. The only code that knows LMDB. Inside: `record` (seq, 8 bytes
// big-endian -> record bytes), `leaf` (seq -> 32-byte leaf hash), `meta` (format, log
// id, and what is known of the log before the first record).
//
// Durable by LMDB's default mode only: each commit is one fdatasync of the data and
// one synchronous write of the meta page. There is no lock file: one daemon at a time
// holds the directory (flock), others read sealed segments or ask the daemon.
//
// Functions return 0 or an LMDB or errno code; store_class() says what it means.
#ifndef AUDITD_STORE_H
#define AUDITD_STORE_H

#include "auditd/chain.h"
#include "common/mp.h"

#define STORE_MAP_BYTES (2ULL << 30)

struct store;

enum store_mode { STORE_READ, STORE_WRITE, STORE_CREATE };

enum store_class {
	STORE_OK,
	STORE_END,	// nothing there
	STORE_NO_SPACE, // the file system refused for want of space
	STORE_MAP_FULL, // this segment's map is full: go on in a new one
	STORE_IO,	// the disk failed: what is durable must be looked up anew
	STORE_DAMAGED,	// not a segment of ours, or no longer
};

enum store_class store_class(int rc);
const char *store_error(int rc);
const char *store_library(void); // "LMDB 0.9.24: ..."

// What is known of the log at the point where a segment begins.
struct store_meta {
	uint8_t log_id[CHAIN_LOG_ID];
	struct chain_edge edge;	     // size = first seq
	struct chain_intent *intent; // open and orphaned ones; owned by whoever filled it in
	size_t intent_count;
};

// Sorted first sequence numbers of all segments in dir; the caller frees.
int store_list(const char *dir, uint64_t **first_r, size_t *count_r) MUST_CHECK;

// map_bytes 0: STORE_MAP_BYTES. STORE_READ opens without any lock and writes nothing.
int store_open(const char *dir, uint64_t first, enum store_mode mode, uint64_t map_bytes,
    struct store **s_r) MUST_CHECK;
void store_close(struct store *s); // aborts a transaction; NULL is allowed

uint64_t store_first(const struct store *s);
uint64_t store_bytes(const struct store *s); // pages in use
// False when the file was unlinked or replaced under us.
bool store_intact(const struct store *s);

// One write transaction: begin, put_meta (new segments), put in ascending seq, commit.
// Any failure of a put leaves only abort.
int store_begin(struct store *s) MUST_CHECK;
int store_put_meta(struct store *s, const struct store_meta *m) MUST_CHECK;
int store_put(
    struct store *s, uint64_t seq, struct view record, const uint8_t leaf[CHAIN_HASH]) MUST_CHECK;
int store_commit(struct store *s) MUST_CHECK; // ends the transaction either way
void store_abort(struct store *s);

int store_get_meta(struct store *s, struct store_meta *m_r) MUST_CHECK; // free m_r->intent
// Last record's number and stored leaf hash; STORE_END if there is none.
int store_last(struct store *s, uint64_t *seq_r, uint8_t leaf_r[CHAIN_HASH]) MUST_CHECK;

// Calls fn for records from `from` on, in order, in one read transaction; fn returns
// false to stop. leaf is empty if it is missing or has the wrong size. The views are
// valid inside fn only.
typedef bool store_each_fn(void *cookie, uint64_t seq, struct view record, struct view leaf);
int store_each(struct store *s, uint64_t from, store_each_fn *fn, void *cookie) MUST_CHECK;

// Number of entries in `record` and `leaf`.
int store_counts(struct store *s, uint64_t *records_r, uint64_t *leaves_r) MUST_CHECK;

int store_remove(const char *dir, uint64_t first); // a segment that never had a record
int store_seal(const char *dir, uint64_t first);   // read-only from now on
int store_sync_dir(const char *dir) MUST_CHECK;	   // makes creation durable

#endif
