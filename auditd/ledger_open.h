// SPDX-License-Identifier: Apache-2.0
// What ledger.c and ledger_open.c share: the struct, and how they give up.
#ifndef AUDITD_LEDGER_OPEN_H
#define AUDITD_LEDGER_OPEN_H

#include "auditd/ledger.h"

#define LEDGER_MAGIC	    0x6c656467U
#define LEDGER_ORPHANS_KEPT 65536U

struct ledger {
	unsigned magic;
	struct ledger_config config;
	uint8_t log_id[CHAIN_LOG_ID];
	uint64_t boot_no;
	struct store *active;
	struct store *fresh;  // being begun by this group
	struct store *sealed; // last older segment that was read
	uint64_t *first;      // of all segments, the active one last
	size_t first_count;
	uint64_t segment_since; // commit time of the active segment's first record
	bool force_rotate;
	uint64_t commits;

	// the head; while in_group, that of the group, and saved_* is the durable one
	struct chain_edge edge;
	uint8_t head[CHAIN_HASH];
	struct chain_intents *intents;
	uint64_t last_commit_time;

	bool in_group;
	int failed; // store's code of the first failed put
	uint64_t group_time;
	uint64_t group_mono;
	uint64_t group_clock;
	uint64_t group_records;
	struct chain_edge saved_edge;
	uint8_t saved_head[CHAIN_HASH];
	uint64_t clock_read;
	uint64_t clock_sync;
};

// Logs and exits with LEDGER_EXIT.
NORETURN void ledger_die(const char *what, int rc);
void ledger_add_segment(struct ledger *l, uint64_t first);

#endif
