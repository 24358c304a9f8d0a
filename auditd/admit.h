// SPDX-License-Identifier: Apache-2.0
// What becomes of each record of a group: stored, already there, or refused for now. Keeps
// the set of open intents in step, with a way back when the group could not be stored.
#ifndef AUDITD_ADMIT_H
#define AUDITD_ADMIT_H

#include "auditd/commit.h"

// Records of gateways that complete no intent of ours, a second, all workers together: a
// compromised gateway may not fill the disk with them. What is over it is to be sent again.
#define ADMIT_EXTRA_PER_S 500U

struct admit {
	uint64_t second; // of CLOCK_MONOTONIC
	unsigned extra;	 // such records in it
};

// Before ledger_begin: finds out what the unknown ref_seq of completions name.
void admit_look_up(struct ledger *l, struct commit_entry *group);

// In ledger_begin's group, in order: sets e->what, and marks the intent that e ends.
void admit_decide(
    struct admit *a, struct ledger *l, const struct space *space, struct commit_entry *e);

// After the group's commit: takes the marks back, or opens its intents.
void admit_undo(struct ledger *l, struct commit_entry *group);
void admit_done(struct ledger *l, const struct commit_entry *group);

#endif
