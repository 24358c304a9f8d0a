// SPDX-License-Identifier: Apache-2.0
// The channels of gateway workers: accepting them, their greeting, handing their
// frames to use.c and lane_ctl.c, and their end. A worker that breaks the protocol
// loses its channel; the others do not notice.
#ifndef VAULTD_GATEWAY_H
#define VAULTD_GATEWAY_H

#include "proto/link.h"
#include "vaultd/core.h"
#include "vaultd/plan.h"

#define GATEWAY_MAX 256U // channels at one time

struct gateway {
	unsigned magic;
	struct core *core;
	struct link *link;
	uint64_t id; // ours, never used again
	uint64_t worker;
	bool greeted;
	uint64_t last_request; // newest AUTHORIZE
	struct plan_table plans;
	struct gateway *next;
};

struct gateways *gateway_set_new(struct core *core);
void gateway_set_free(struct gateways *g);

// Takes ownership of fd, a connection of the gateway's user.
void gateway_accept(struct gateways *g, int fd);
struct gateway *gateway_by_id(struct gateways *g, uint64_t id); // NULL: it has gone
size_t gateway_count(const struct gateways *g);			// greeted ones
void gateway_tick(struct gateways *g);

#endif
