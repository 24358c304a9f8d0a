// SPDX-License-Identifier: Apache-2.0
// The core's side of the audit daemon, which dials us: records go out, and every one
// is answered, refused, late or lost. One connection at a time; a newer one replaces
// the older. The log's first greeting is checked against the witness.
#ifndef VAULTD_AUDIT_LINK_H
#define VAULTD_AUDIT_LINK_H

#include "proto/link.h"
#include "vaultd/core.h"

#define AUDIT_LINK_PENDING    8192U
#define AUDIT_LINK_TIMEOUT_NS 5000000000U

enum audit_outcome {
	AUDIT_DURABLE, // final: the record is on disk, at seq; 0: an earlier one says it already,
		       // which happens only to records that have a ref_seq
	AUDIT_REFUSED, // final: auditd said no; code says why
	AUDIT_LOST,    // final: the connection ended; nobody knows whether it was written
	AUDIT_TIMEOUT, // not final: no answer in time; DURABLE, REFUSED or LOST follows
};

// May append further records.
typedef void audit_done_fn(void *cookie, enum audit_outcome o, uint64_t seq, struct view code);

struct audit_link *audit_link_new(struct core *core, bool forget_witness);
void audit_link_free(struct audit_link *a); // every pending record is LOST

// A connection of auditd was accepted. Takes ownership of fd.
void audit_link_accept(struct audit_link *a, int fd);

bool audit_link_ready(const struct audit_link *a);
// Why not ready, for messages; static text.
const char *audit_link_problem(const struct audit_link *a);

// Queues one record; time_ns is filled in here. fn may be NULL. -1: not connected, or
// too many are pending; fn will not be called.
int audit_link_append(
    struct audit_link *a, struct msg_append *m, audit_done_fn *fn, void *cookie) MUST_CHECK;
size_t audit_link_pending(const struct audit_link *a);

// Timeouts; called a few times a second. save: also store the witness.
void audit_link_tick(struct audit_link *a, bool save);

#endif
