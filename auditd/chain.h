// SPDX-License-Identifier: Apache-2.0
// The two structures that make the log tamper-evident, and what is known of a log
// at its head. Pure: no I/O, no clock.
//
// Hashing is RFC 6962, section 2.1: leaf = SHA-256(0x00 || record bytes), node =
// SHA-256(0x01 || left || right), empty tree = SHA-256(""). Each record also holds
// the leaf hash of the record before it; the first holds
// SHA-256("sallyport/audit/genesis/v1\0" || log_id || log key), so that order can be
// checked without tree code. The log key is empty: logs are not signed yet.
#ifndef AUDITD_CHAIN_H
#define AUDITD_CHAIN_H

#include "common/base.h"

#define CHAIN_HASH   32U
#define CHAIN_LOG_ID 16U

// Fetches SHA-256 from OpenSSL once; before the sandbox, since a provider may be
// loaded from a file. Every other function needs it.
void chain_init(void);

void chain_leaf(uint8_t out[CHAIN_HASH], const uint8_t *record, size_t len);
void chain_genesis(uint8_t out[CHAIN_HASH], const uint8_t log_id[CHAIN_LOG_ID]);

// Compact range of a tree of `size` leaves: the roots of its perfect subtrees, the
// largest first; there are popcount(size) of them.
struct chain_edge {
	uint64_t size;
	uint8_t node[64][CHAIN_HASH];
};

unsigned chain_edge_count(uint64_t size); // popcount
void chain_edge_add(struct chain_edge *e, const uint8_t leaf[CHAIN_HASH]);
void chain_edge_root(const struct chain_edge *e, uint8_t out[CHAIN_HASH]);

// --- intents ---------------------------------------------------------------------
// Which key.intent records still wait for their completion. An intent is open, then
// completed (and forgotten), or given up (intent.orphan written) and still allowed to
// be completed late.

enum chain_intent_state { INTENT_NONE, INTENT_OPEN, INTENT_ORPHANED };

struct chain_intent {
	uint64_t seq;
	uint64_t since; // when it was opened, on the caller's clock
	enum chain_intent_state state;
};

struct chain_intents; // a set, by seq

struct chain_intents *chain_intents_new(void) MUST_CHECK;
void chain_intents_free(struct chain_intents *s); // NULL is allowed
enum chain_intent_state chain_intent_get(const struct chain_intents *s, uint64_t seq);

// INTENT_NONE removes it. `since` counts for a new one only.
void chain_intent_set(
    struct chain_intents *s, uint64_t seq, enum chain_intent_state state, uint64_t since);
size_t chain_intent_count(const struct chain_intents *s, enum chain_intent_state state);

// All of that state in ascending order of seq; the caller frees. NULL if there are none.
struct chain_intent *chain_intent_list(
    const struct chain_intents *s, enum chain_intent_state state, size_t *n_r) MUST_CHECK;

#endif
