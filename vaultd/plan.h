// SPDX-License-Identifier: Apache-2.0
// The plans of one gateway channel: what AUTHORIZE promised and USE may still take.
// Request ids only grow, so the table is a ring in order of id. At most PLAN_MAX
// plans; each lives PLAN_LIFE_NS. When the ring is full, or too many plans of all
// channels together wait for their USE, the oldest of this channel makes room: its
// USE finds no plan then, and an honest gateway authorizes anew. Only one whose USE
// waits for the audit stays; then the vault is busy. Pure but for memory.
#ifndef VAULTD_PLAN_H
#define VAULTD_PLAN_H

#include "vaultd/policy.h"

#define PLAN_MAX     16384U
#define PLAN_LIFE_NS 120000000000U
#define PLAN_ALL_MAX 65536U // unused plans of all channels together
#define PLAN_SHARE   1024U  // what a channel may have beyond that

struct plan {
	uint64_t id;
	uint64_t made_ns;
	struct vkey *vkey;  // lives as long as the process
	uint64_t operation; // as the client asked
	size_t attempt_count;
	struct policy_attempt attempt[MSG_ATTEMPTS_MAX];
	size_t next;	 // attempt that may be used now
	bool in_flight;	 // an intent is on its way to auditd: the plan stays
	bool used;	 // at least one attempt was released
	bool reopened;	 // an attempt came again with another token
	uint64_t sealer; // of the newest use
	uint64_t lane;
	uint64_t audit_seq;
	bool stream;
	size_t model_len;
	size_t conversation_len;
	char text[]; // model, conversation, models upstream
};

struct plan_slot {
	uint64_t id;
	struct plan *plan; // NULL: gone
};

struct plan_table {
	struct plan_slot *slot;
	size_t cap; // power of two
	size_t head;
	size_t count;	    // slots in the ring, also those whose plan is gone
	size_t unused;	    // plans of this table that were never used
	size_t *unused_all; // of all tables; NULL: this one is alone
};

struct view plan_model(const struct plan *p);
struct view plan_conversation(const struct plan *p);

// Copies all texts; choice may be NULL. id must be greater than every id before. NULL:
// the table is full of live plans, or all tables together are.
struct plan *plan_add(struct plan_table *t, uint64_t id, struct view model,
    struct view conversation, const struct policy_choice *choice, uint64_t now_ns) MUST_CHECK;
// NULL if there is none, or it expired.
struct plan *plan_find(struct plan_table *t, uint64_t id, uint64_t now_ns);
void plan_mark_used(struct plan_table *t, struct plan *p);
void plan_drop(struct plan_table *t, uint64_t id);
void plan_expire(struct plan_table *t, uint64_t now_ns);
void plan_clear(struct plan_table *t);

#endif
