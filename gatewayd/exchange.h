// SPDX-License-Identifier: Apache-2.0
// One request on its way: AUTHORIZE, a lane, USE and BODY, the answer, and its
// record. It lives until the vault has said what became of its USE, even when the
// client is gone, so that every key.intent gets its key.complete.
#ifndef GATEWAYD_EXCHANGE_H
#define GATEWAYD_EXCHANGE_H

#include "gatewayd/client.h"
#include "gatewayd/plans.h"

struct lane;

// Takes the request. The client gets its answer or refusal, perhaps before this
// returns. NULL: refused already.
struct exchange *exchange_start(struct worker *w, struct client *c, struct request *r);

// From the client.
void exchange_client_gone(struct exchange *x); // cancel; x forgets the client
void exchange_client_drained(struct exchange *x);

// From the vault.
void exchange_on_plan(struct exchange *x, struct plan *p);
void exchange_on_go(struct exchange *x, const struct msg_go *m);
void exchange_on_deny(struct exchange *x, const struct msg_deny *m);
void exchange_on_vault_lost(struct exchange *x);

// From the pool and the lane.
void exchange_on_lane(struct exchange *x, struct lane *l);
void exchange_on_no_lane(struct exchange *x, const struct failure *f);
void exchange_on_window(struct exchange *x);
void exchange_on_plain(struct exchange *x, const uint8_t *p, size_t len);
// The lane is gone already.
void exchange_on_lane_closed(struct exchange *x, enum lane_fault fault, struct view detail);

#endif
