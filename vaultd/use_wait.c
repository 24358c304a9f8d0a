// SPDX-License-Identifier: Apache-2.0
// The list of waiting USEs. May touch: plans and lanes, to let go of what it held.
#include "vaultd/use_wait.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "vaultd/audit_link.h"
#include "vaultd/lane_ctl.h"
#include "vaultd/use.h"

#define PENDING_MAX 32U // records on their way to auditd while more are judged
#define PAUSE_US    1000

struct waiter {
	struct waiter *next;
	uint64_t gateway;
	uint64_t credential;
	uint64_t sealer;
	uint64_t lane;
	struct frame frame;
	uint8_t payload[];
};

struct use_wait {
	struct core *core;
	struct waiter *waiting; // the newest is first
	struct waiter *ready;	// the oldest is first
	struct event *timer;
};

static void on_timer(evutil_socket_t fd, short what, void *arg);

static struct use_wait *
of(struct core *core)
{
	if (core->waiting == NULL) {
		core->waiting = base_calloc(1, sizeof(*core->waiting));
		core->waiting->core = core;
		core->waiting->timer = event_new(core->base, -1, 0, on_timer, core->waiting);
		BUG_IF(core->waiting->timer == NULL);
	}
	return core->waiting;
}

static void
free_list(struct waiter *w)
{
	for (struct waiter *next; w != NULL; w = next) {
		next = w->next;
		free(w);
	}
}

void
use_wait_free(struct core *core)
{
	struct use_wait *u = core->waiting;
	if (u == NULL)
		return;
	free_list(u->waiting);
	free_list(u->ready);
	event_free(u->timer);
	free(u);
	core->waiting = NULL;
}

void
use_wait_add(
    struct gateway *gw, const struct frame *f, uint64_t credential, uint64_t sealer, uint64_t lane)
{
	struct use_wait *u = of(gw->core);
	struct waiter *w = base_calloc(1, sizeof(*w) + f->len);
	w->gateway = gw->id;
	w->credential = credential;
	w->sealer = sealer;
	w->lane = lane;
	w->frame = *f;
	memcpy(w->payload, f->payload, f->len);
	w->frame.payload = w->payload;
	lane_ctl_hold(gw->core->lanes, sealer, lane, f->id);
	w->next = u->waiting;
	u->waiting = w;
}

// --- waking ----------------------------------------------------------------------------

// May make it wait again.
static void
judge(struct core *core, struct waiter *w)
{
	struct gateway *gw = gateway_by_id(core->gateways, w->gateway);
	lane_ctl_unhold(core->lanes, w->sealer, w->lane, w->frame.id);
	struct plan *p = gw == NULL ? NULL : plan_find(&gw->plans, w->frame.id, clock_mono_ns());
	if (p != NULL) {
		p->in_flight = false;
		// It was decoded before, so it cannot be rejected for its form.
		if (use_on_use(gw, &w->frame) != CHAN_OK)
			BUG("a USE that was accepted is rejected");
	}
	free(w);
}

// Without auditd they are refused, at once.
static bool
must_pause(const struct core *core, const struct waiter *w)
{
	return lane_ctl_is_behind(core->lanes, w->sealer) ||
	       (audit_link_ready(core->audit) && audit_link_pending(core->audit) >= PENDING_MAX);
}

static void
run(struct use_wait *u)
{
	while (u->ready != NULL) {
		struct waiter *w = u->ready;
		if (must_pause(u->core, w)) {
			event_add(u->timer, &(struct timeval){.tv_usec = PAUSE_US});
			return;
		}
		u->ready = w->next;
		judge(u->core, w);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	run(arg);
}

// The waiters of this credential, the oldest first.
static struct waiter *
take(struct use_wait *u, uint64_t credential)
{
	struct waiter *list = NULL, **at = &u->waiting;
	while (*at != NULL) {
		struct waiter *w = *at;
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

void
use_wait_wake(struct core *core, uint64_t credential)
{
	struct use_wait *u = of(core);
	struct waiter **end = &u->ready;
	while (*end != NULL)
		end = &(*end)->next;
	*end = take(u, credential);
	run(u);
}
