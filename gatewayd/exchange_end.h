// SPDX-License-Identifier: Apache-2.0
// The last steps of an exchange, for exchange.c only.
#ifndef GATEWAYD_EXCHANGE_END_H
#define GATEWAYD_EXCHANGE_END_H

#include "gatewayd/exchange.h"

// Records what there is to record and frees x.
void exchange_end_finish(struct exchange *x);

// The outcome is known and the client served; x is freed, or waits for GO or DENY
// of a USE that is out, because its record needs the audit number.
void exchange_end_served(struct exchange *x);

// Gives the lane back: to the pool when it may be used again, else it is closed.
void exchange_end_lane(struct exchange *x, bool reuse);

// Answers 200 with this JSON, which needed no provider, and ends.
void exchange_end_local(struct exchange *x, struct view json);

// What the record will say; code may be NULL.
void exchange_end_note(struct exchange *x, enum audit_result result, const char *code);

// Tells the client and ends. The lane is closed: its state is unknown.
void exchange_end_fail(struct exchange *x, const struct failure *f);
void exchange_end_fail_with(struct exchange *x, unsigned status, const char *code,
    struct view message, uint64_t retry_after_ms);
void exchange_end_fail_vault(struct exchange *x); // 503 vault_unavailable

#endif
