// SPDX-License-Identifier: Apache-2.0
// What the end of a sealer and the faults of its lanes mean for the audit log; the same
// for sealers that serve a gateway and for those of exchanges.
#ifndef VAULTD_LANE_NOTE_H
#define VAULTD_LANE_NOTE_H

#include "proto/msg.h"
#include "vaultd/core.h"

struct lane_note_who {
	struct core *core;
	uint64_t sealer;
	const char *credential_id;
	uint64_t version;
};

void lane_note_exit(const struct lane_note_who *who, const struct msg_exited *m);
void lane_note_fault(const struct lane_note_who *who, const struct msg_lane_fault *m);
// The sealer's channel was rejected; blame_gateway: for what a gateway alone can cause.
void lane_note_rejected(const struct lane_note_who *who, bool blame_gateway, const char *reason);

#endif
