// SPDX-License-Identifier: Apache-2.0
// The list of waiting USEs. May touch: plans and lanes, to let go of what it held.
#include "vaultd/use_wait.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "vaultd/lane_ctl.h"
#include "vaultd/use.h"

struct use_wait {
	struct use_wait *next;
	uint64_t gateway;
	uint64_t credential;
	uint64_t sealer;
	uint64_t lane;
	struct frame frame;
	uint8_t payload[];
};

void
use_wait_add(
    struct gateway *gw, const struct frame *f, uint64_t credential, uint64_t sealer, uint64_t lane)
{
	struct use_wait *w = base_calloc(1, sizeof(*w) + f->len);
	w->gateway = gw->id;
	w->credential = credential;
	w->sealer = sealer;
	w->lane = lane;
	w->frame = *f;
	memcpy(w->payload, f->payload, f->len);
	w->frame.payload = w->payload;
	lane_ctl_hold(gw->core->lanes, sealer, lane, f->id);
	w->next = gw->core->waiting;
	gw->core->waiting = w;
}

// The newest is first in core->waiting, the oldest in what this returns.
static struct use_wait *
take(struct core *core, uint64_t credential)
{
	struct use_wait *list = NULL, **at = &core->waiting;
	while (*at != NULL) {
		struct use_wait *w = *at;
		if (w->credential != credential) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = list;
		list = w;
	}
	return list;
}

// Taken out first: judging one may make it wait again.
void
use_wait_wake(struct core *core, uint64_t credential)
{
	struct use_wait *next;
	for (struct use_wait *w = take(core, credential); w != NULL; w = next) {
		next = w->next;
		struct gateway *gw = gateway_by_id(core->gateways, w->gateway);
		lane_ctl_unhold(core->lanes, w->sealer, w->lane, w->frame.id);
		struct plan *p =
		    gw == NULL ? NULL : plan_find(&gw->plans, w->frame.id, clock_mono_ns());
		if (p != NULL) {
			p->in_flight = false;
			// It was decoded before, so it cannot be rejected for its form.
			if (use_on_use(gw, &w->frame) != CHAN_OK)
				BUG("a USE that was accepted is rejected");
		}
		free(w);
	}
}
