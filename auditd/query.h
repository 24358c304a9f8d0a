// SPDX-License-Identifier: Apache-2.0
// Streams records to one reader (AUDIT_QUERY -> AUDIT_RECORD..., AUDIT_END), a piece per
// turn of the loop and below the commit's priority, holding no read transaction between
// pieces. With follow the stream goes on with each commit and has no end.
#ifndef AUDITD_QUERY_H
#define AUDITD_QUERY_H

#include "auditd/ledger.h"
#include "proto/link.h"

struct query;

struct query *query_new(struct event_base *base, struct link *l, struct ledger *ledger) MUST_CHECK;
void query_free(struct query *q); // NULL is allowed

// False if one is running.
bool query_start(struct query *q, uint64_t id, const struct msg_audit_query *m) MUST_CHECK;
void query_wake(struct query *q); // the head has moved

#endif
