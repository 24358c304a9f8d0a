// SPDX-License-Identifier: Apache-2.0
// Channels of gateway workers. May touch: descriptors accepted on the gateway socket.
#include "vaultd/gateway.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "vaultd/audit_note.h"
#include "vaultd/authorize.h"
#include "vaultd/catalogue.h"
#include "vaultd/issuer.h"
#include "vaultd/exchange.h"
#include "vaultd/lane_ctl.h"
#include "vaultd/use.h"

#define GATEWAY_MAGIC 0x67617465U
#define UNSENT_MAX    16U	 // sealers that a worker asked for and does not take
#define BACKLOG_MAX   (4U << 20) // bytes of answers that a worker has not read

struct gateways {
	struct core *core;
	struct gateway *first;
	size_t count;
	uint64_t next_id;
	size_t plans_unused; // of all channels
};

struct gateways *
gateway_set_new(struct core *core)
{
	struct gateways *g = base_calloc(1, sizeof(*g));
	g->core = core;
	g->next_id = 1;
	return g;
}

static void
gone(struct gateway *gw)
{
	struct gateways *g = gw->core->gateways;
	struct gateway **at = &g->first;
	while (*at != gw)
		at = &(*at)->next;
	*at = gw->next;
	g->count--;
	lane_ctl_gateway_gone(gw->core->lanes, gw->id);
	exchange_gateway_gone(gw->core, gw->id);
	plan_clear(&gw->plans);
	link_free(gw->link);
	gw->magic = 0;
	free(gw);
}

void
gateway_set_free(struct gateways *g)
{
	if (g == NULL)
		return;
	while (g->first != NULL)
		gone(g->first);
	free(g);
}

// The allowance as one point in time: it grows with each opening and may lie ahead by
// the burst at most.
bool
gateway_may_open(struct gateway *gw, struct deny *d)
{
	const uint64_t each = 1000000000U / GATEWAY_OPEN_RATE;
	uint64_t now = clock_mono_ns();
	uint64_t whole = MAX(gw->open_ns, now) + each;
	if (whole - now > GATEWAY_OPEN_BURST * each) {
		deny_set(d, DENY_VAULT_BUSY, "This worker opens sealers too fast. Try again.");
		d->retry_after_ms = (whole - now - GATEWAY_OPEN_BURST * each) / 1000000U + 1;
		return false;
	}
	gw->open_ns = whole;
	return true;
}

// Descriptors that wait for a worker are ours until it takes them: an honest one does.
bool
gateway_takes_sealers(struct gateway *gw)
{
	struct chan *c = link_chan(gw->link);
	if (chan_unsent_fds(c) < UNSENT_MAX)
		return true;
	if (chan_flush(c) == CHAN_EOF) // many may have been asked for in one turn
		return false;
	return chan_unsent_fds(c) < UNSENT_MAX;
}

static void
send_catalogue(struct gateway *gw)
{
	static union msg_any m; // large
	const struct catalogue *c = gw->core->catalogue;
	struct frame f;
	for (size_t at = 0; catalogue_next_frame(c->frames, &at, &f);) {
		BUG_IF(msg_decode(f.type, f.payload, f.len, &m) != 0); // it was read before
		(void)link_send(gw->link, f.type, 0, &m); // cannot fail: not a secret channel
	}
}

static void
send_issuer(struct gateway *gw)
{
	struct msg_issuer_item m;
	issuer_tell(gw->core->issuer, clock_wall_ns() / 1000000000U, &m);
	if (m.url.len != 0)
		(void)link_send(gw->link, MSG_ISSUER_ITEM, 0, &m); // cannot fail: the same
}

void
gateway_issuer_changed(struct gateways *g)
{
	for (struct gateway *gw = g->first; gw != NULL; gw = gw->next)
		if (gw->greeted)
			send_issuer(gw);
}

void
gateway_catalogue_changed(struct gateways *g)
{
	for (struct gateway *gw = g->first; gw != NULL; gw = gw->next)
		if (gw->greeted)
			send_catalogue(gw);
}

static enum chan_status
on_hello(struct gateway *gw, const struct frame *f)
{
	struct msg_hello m;
	if (chan_decode(link_chan(gw->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	gw->worker = m.worker;
	gw->greeted = true;
	chan_set_state(link_chan(gw->link), CHANNEL_READY);
	if (!view_eq_str(m.version, SALLYPORT_VERSION))
		log_msg(LOG_WARN, "gateway worker %llu is version %.*s, this is " SALLYPORT_VERSION,
		    (unsigned long long)m.worker, (int)m.version.len, m.version.p);
	struct msg_welcome w = {.version = VIEW(SALLYPORT_VERSION)};
	(void)link_send(gw->link, MSG_WELCOME, f->id, &w); // cannot fail: not a secret channel
	send_catalogue(gw);
	send_issuer(gw);
	return CHAN_OK;
}

static enum chan_status
on_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct gateway *gw = cookie;
	CHECK_OBJ(gw, GATEWAY_MAGIC);
	// Answers wait in memory: an honest worker reads them, so there are never many.
	if (link_backlog(l) > BACKLOG_MAX)
		return chan_reject(link_chan(l), "does not read its answers");
	switch (f->type) {
	case MSG_HELLO:
		return on_hello(gw, f);
	case MSG_AUTHORIZE:
		return authorize_on_frame(gw, f);
	case MSG_USE:
		return use_on_use(gw, f);
	case MSG_SETTLE:
		return use_on_settle(gw, f);
	case MSG_SEALER_OPEN:
		return lane_ctl_on_open(gw, f);
	case MSG_RELAY_FAILED:
		return exchange_on_relay_failed(gw, f);
	default:
		return chan_reject(link_chan(l), "unexpected message");
	}
}

static void
on_close(void *cookie, struct link *l, enum chan_status why)
{
	struct gateway *gw = cookie;
	CHECK_OBJ(gw, GATEWAY_MAGIC);
	if (why == CHAN_REJECT) {
		const char *reason = chan_reason(link_chan(l));
		log_msg(LOG_ERROR, "gateway worker %llu broke the protocol: %s",
		    (unsigned long long)gw->worker, reason);
		audit_note_add(gw->core->notes, NOTE_PEER_REJECTED,
		    &(struct note){.event = EVENT_PEER_REJECTED,
			.result = RESULT_DENIED,
			.user = "gateway",
			.code = "protocol",
			.reason = view_of(reason)});
	}
	gone(gw);
}

void
gateway_accept(struct gateways *g, int fd)
{
	if (g->count == GATEWAY_MAX) {
		log_msg(LOG_ERROR, "more than %u gateway channels: refused one", GATEWAY_MAX);
		close(fd);
		return;
	}
	struct gateway *gw = base_calloc(1, sizeof(*gw));
	gw->magic = GATEWAY_MAGIC;
	gw->core = g->core;
	gw->id = g->next_id++;
	gw->plans.unused_all = &g->plans_unused;
	struct chan *c = chan_new(fd, ROLE_GATEWAY_AT_CORE, 0);
	BUG_IF(c == NULL);
	gw->link = link_new(g->core->base, c, on_frame, on_close, gw);
	gw->next = g->first;
	g->first = gw;
	g->count++;
}

struct gateway *
gateway_by_id(struct gateways *g, uint64_t id)
{
	for (struct gateway *gw = g->first; gw != NULL; gw = gw->next)
		if (gw->id == id)
			return gw;
	return NULL;
}

struct gateway *
gateway_pick(struct gateways *g, uint64_t prefer, uint64_t avoid)
{
	struct gateway *best = NULL;
	for (struct gateway *gw = g->first; gw != NULL; gw = gw->next) {
		if (!gw->greeted || gw->id == avoid || !gateway_takes_sealers(gw))
			continue;
		if (best == NULL || gw->id == prefer)
			best = gw;
	}
	return best;
}

size_t
gateway_count(const struct gateways *g)
{
	size_t n = 0;
	for (const struct gateway *gw = g->first; gw != NULL; gw = gw->next)
		n += gw->greeted;
	return n;
}

void
gateway_tick(struct gateways *g)
{
	uint64_t now = clock_mono_ns();
	for (struct gateway *gw = g->first; gw != NULL; gw = gw->next)
		plan_expire(&gw->plans, now);
}
