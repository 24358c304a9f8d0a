// SPDX-License-Identifier: Apache-2.0
// The channels of gateway workers: accepting them, their greeting, handing their
// frames to use.c and lane_ctl.c, and their end. A worker that breaks the protocol
// loses its channel; the others do not notice.
#ifndef VAULTD_GATEWAY_H
#define VAULTD_GATEWAY_H

#include "proto/link.h"
#include "vaultd/core.h"
#include "vaultd/deny.h"
#include "vaultd/plan.h"

// Channels at one time: the most workers that a gateway may have, and some that are
// being replaced.
#define GATEWAY_MAX	   72U
#define GATEWAY_OPEN_BURST 64U // sealers that a channel may open at once
#define GATEWAY_OPEN_RATE  16U // and a second

struct gateway {
	unsigned magic;
	struct core *core;
	struct link *link;
	uint64_t id; // ours, never used again
	uint64_t worker;
	bool greeted;
	uint64_t last_request; // newest AUTHORIZE
	uint64_t open_ns;      // when its allowance of SEALER_OPEN is whole again
	struct plan_table plans;
	struct gateway *next;
};

struct gateways *gateway_set_new(struct core *core);
void gateway_set_free(struct gateways *g);

// May the channel open one more sealer now? Takes it from its allowance; false and *d
// (vault_busy) if not.
bool gateway_may_open(struct gateway *gw, struct deny *d) MUST_CHECK;
// False: it does not read the descriptors that it asked for, reject it.
bool gateway_takes_sealers(struct gateway *gw) MUST_CHECK;

// Takes ownership of fd, a connection of the gateway's user.
void gateway_accept(struct gateways *g, int fd);
struct gateway *gateway_by_id(struct gateways *g, uint64_t id); // NULL: it has gone
// A greeted worker that takes descriptors: prefer if it is one, never avoid; or NULL.
struct gateway *gateway_pick(struct gateways *g, uint64_t prefer, uint64_t avoid);
// Tells every greeted worker the catalogue that is in force.
void gateway_catalogue_changed(struct gateways *g);
void gateway_issuer_changed(struct gateways *g); // tells it to all workers
size_t gateway_count(const struct gateways *g);	 // greeted ones
void gateway_tick(struct gateways *g);

#endif
