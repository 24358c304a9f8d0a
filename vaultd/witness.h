// SPDX-License-Identifier: Apache-2.0
// The vault as first witness of the audit log: what the log has acknowledged to us,
// kept sealed in the store. A log that comes back shorter, or with another record at
// the same place, or as another log, is not given a single record: no key is used.
#ifndef VAULTD_WITNESS_H
#define VAULTD_WITNESS_H

#include "proto/msg.h"
#include "vaultd/seal.h"
#include "vaultd/store.h"

struct witness {
	bool known; // false until the first log was met
	uint8_t log_id[16];
	uint64_t seq; // newest record acknowledged to us
	uint8_t leaf[32];
	bool has_leaf; // false: only the log is known, no record of it
	bool dirty;    // newer than what is stored
};

// Fatal if a stored state does not open. With forget the stored state is dropped:
// the operator says that the log was begun anew on purpose.
void witness_load(struct witness *w, struct store *store, struct seal *seal, bool forget);
// Stores what is dirty; a failure is logged and tried again next time.
void witness_save(struct witness *w, struct store *store, struct seal *seal);

// NULL if this greeting extends what we saw, else the reason for refusing the log.
const char *witness_check(struct witness *w, const struct msg_audit_hello *h);
// False: the sequence number does not grow, the log is not to be believed.
bool witness_advance(struct witness *w, const struct msg_ack *a);

#endif
