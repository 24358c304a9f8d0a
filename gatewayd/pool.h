// SPDX-License-Identifier: Apache-2.0
// The sealers this worker may use, one for each credential handle, and their lanes:
// idle ones for reuse, opening ones, and exchanges that wait for one. A lane carries
// one request at a time.
#ifndef GATEWAYD_POOL_H
#define GATEWAYD_POOL_H

#include "gatewayd/errors.h"
#include "gatewayd/plans.h"
#include "gatewayd/worker.h"

struct lane;
struct pool;
struct sealer;

// Embedded in an exchange.
struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct sealer *at; // NULL: not waiting
	struct exchange *x;
};

struct pool *pool_new(struct worker *w);
void pool_free(struct pool *p);

// An idle lane of this credential for x, or NULL. Opens nothing.
struct lane *pool_take(struct pool *p, uint64_t credential, struct exchange *x);
bool pool_has_idle(const struct pool *p, uint64_t credential);

// Waits for a lane, opening what is needed (vault_up() is required). Answered by
// exchange_on_lane or exchange_on_no_lane, never before this returns.
void pool_wait(struct pool *p, const struct plan_attempt *a, struct waiter *waiter);
void pool_unwait(struct waiter *waiter); // also when not waiting

// From the vault.
void pool_on_sealer(struct pool *p, uint64_t credential, uint64_t sealer, int fd);
void pool_on_sealer_denied(struct pool *p, uint64_t credential, const struct msg_deny *m);
void pool_on_sealer_gone(struct pool *p, uint64_t sealer);
void pool_on_vault_lost(struct pool *p);

// Closes idle lanes: the worker drains.
void pool_drain(struct pool *p);

// --- between pool.c and lane.c ---------------------------------------------------

struct link;

TAILQ_HEAD(lane_list, lane);
TAILQ_HEAD(waiter_list, waiter);

struct sealer {
	unsigned magic;
	struct pool *pool;
	uint64_t credential;
	uint64_t id;	   // the vault's number; 0 until SEALER came
	struct link *link; // NULL until SEALER came
	char host[254];
	uint16_t port;
	bool gone; // no new uses; freed when the last lane is
	struct lane_list idle, others;
	size_t idle_count, opening, lanes;
	struct waiter_list waiters;
	size_t waiting;
	TAILQ_ENTRY(sealer) entry;
};

TAILQ_HEAD(sealer_list, sealer);

struct pool {
	struct worker *w;
	struct sealer_list sealers;
	uint64_t last_lane;
	struct idmap lanes; // id -> struct lane
};

void pool_lane_ready(struct lane *l);
// The lane left all lists; failure tells waiters why an opening one failed, NULL
// when there is nothing to tell.
void pool_lane_gone(struct sealer *s, bool was_opening, const struct failure *f);

#endif
