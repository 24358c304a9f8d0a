// SPDX-License-Identifier: Apache-2.0
// The worker's channel to auditd for completions. A record is kept until auditd
// acknowledged it, and sent again after a reconnect; the number kept is bounded,
// and a worker that cannot get rid of its records takes no new requests.
#ifndef GATEWAYD_AUDIT_H
#define GATEWAYD_AUDIT_H

#include "gatewayd/worker.h"
#include "proto/msg.h"

struct audit;

struct audit *audit_new(struct worker *w); // starts dialling
void audit_free(struct audit *a);	   // NULL is allowed
bool audit_up(const struct audit *a);

// Too many unacknowledged records: answer 503 audit_unavailable.
bool audit_full(const struct audit *a);
size_t audit_pending(const struct audit *a);

// Copies the record, whether connected or not. Nothing is ever dropped here: the
// bound is enforced at the door, by audit_full().
void audit_append(struct audit *a, const struct msg_append *m);

#endif
