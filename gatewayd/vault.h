// SPDX-License-Identifier: Apache-2.0
// The worker's channel to the vault core: dials, greets, matches answers to
// exchanges by frame id, redials every 100 ms when it is down. Decides nothing.
#ifndef GATEWAYD_VAULT_H
#define GATEWAYD_VAULT_H

#include "gatewayd/worker.h"
#include "proto/msg.h"

struct vault;

struct vault *vault_new(struct worker *w); // starts dialling
void vault_free(struct vault *v);	   // NULL is allowed
bool vault_up(const struct vault *v);

// The calls below need vault_up().

// Sends AUTHORIZE under a new id, returned; PLAN, DENY and GO for it go to x
// (exchange_on_plan and so on) until vault_forget.
uint64_t vault_authorize(struct vault *v, struct exchange *x, const struct msg_authorize *m);
void vault_use(struct vault *v, uint64_t id, const struct msg_use *m);
void vault_forget(struct vault *v, uint64_t id); // an id of a dead channel is fine

// Answered by pool_on_sealer or pool_on_sealer_denied.
void vault_sealer_open(struct vault *v, uint64_t credential);

// id: that of the AUTHORIZE. Does nothing when down.
void vault_settle(struct vault *v, uint64_t id, const struct msg_settle *m);

// An exchange of the vault that cannot be relayed.
void vault_relay_failed(struct vault *v, uint64_t sealer, const char *code, const char *message);

#endif
