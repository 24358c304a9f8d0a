// SPDX-License-Identifier: Apache-2.0
// Who gets which lane, and when a new one is opened. May touch: the sealers'
// channels.
#include "gatewayd/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "gatewayd/exchange.h"
#include "gatewayd/lane.h"
#include "gatewayd/vault.h"

#define SEALER_MAGIC  0x7365616cU
#define SPARE_OPENING 1U
// The vault remembers 4096 lanes of one sealer; beyond that a credential gets
// another one.
#define LANES_MAX 4000U

struct pool *
pool_new(struct worker *w)
{
	struct pool *p = base_calloc(1, sizeof(*p));
	p->w = w;
	TAILQ_INIT(&p->sealers);
	return p;
}

// --- waiters ---------------------------------------------------------------------

static struct exchange *
pop_waiter(struct sealer *s)
{
	struct waiter *wt = TAILQ_FIRST(&s->waiters);
	TAILQ_REMOVE(&s->waiters, wt, link);
	wt->at = NULL;
	s->waiting--;
	return wt->x;
}

// Who waited left: one lane that is being opened may become idle for the next
// one; the rest would be handshakes for nobody.
static void
drop_surplus(struct sealer *s)
{
	struct lane *l, *before;
	for (l = TAILQ_LAST(&s->others, lane_list); l != NULL; l = before) {
		if (s->opening <= s->waiting + SPARE_OPENING)
			return;
		before = TAILQ_PREV(l, lane_list, entry);
		if (l->state == LANE_OPENING)
			lane_abandon(l);
	}
}

void
pool_unwait(struct waiter *waiter)
{
	struct sealer *s = waiter->at;
	if (s == NULL)
		return;
	TAILQ_REMOVE(&s->waiters, waiter, link);
	s->waiting--;
	waiter->at = NULL;
	s->lanes++; // keeps the sealer over the loop below
	drop_surplus(s);
	s->lanes--;
}

static void
fail_waiters(struct sealer *s, const struct failure *f)
{
	while (!TAILQ_EMPTY(&s->waiters))
		exchange_on_no_lane(pop_waiter(s), f);
}

// --- sealers ---------------------------------------------------------------------

// Lanes that it has or will have: those who wait for a lane that is being opened are
// counted by that lane.
static size_t
load(const struct sealer *s)
{
	return s->lanes + s->waiting - MIN(s->waiting, s->opening);
}

// A sealer for one more waiter.
static struct sealer *
find_room(struct pool *p, uint64_t credential)
{
	struct sealer *s;
	TAILQ_FOREACH(s, &p->sealers, entry)
	if (s->credential == credential && !s->gone && load(s) < LANES_MAX)
		return s;
	return NULL;
}

// The one whose SEALER message is still to come.
static struct sealer *
find_asked(struct pool *p, uint64_t credential)
{
	struct sealer *s;
	TAILQ_FOREACH(s, &p->sealers, entry)
	if (s->credential == credential && !s->gone && s->link == NULL)
		return s;
	return NULL;
}

static struct sealer *
sealer_new(struct pool *p, const struct plan_attempt *a)
{
	struct sealer *s = base_calloc(1, sizeof(*s));
	s->magic = SEALER_MAGIC;
	s->pool = p;
	s->credential = a->credential;
	s->port = a->port;
	snprintf(s->host, sizeof(s->host), "%s", a->host);
	TAILQ_INIT(&s->idle);
	TAILQ_INIT(&s->others);
	TAILQ_INIT(&s->waiters);
	TAILQ_INSERT_HEAD(&p->sealers, s, entry);
	vault_sealer_open(p->w->vault, a->credential);
	return s;
}

static void
sealer_free(struct sealer *s)
{
	CHECK_OBJ(s, SEALER_MAGIC);
	BUG_IF(s->lanes != 0 || s->waiting != 0);
	TAILQ_REMOVE(&s->pool->sealers, s, entry);
	s->magic = 0;
	link_free(s->link);
	s->link = NULL;
	worker_bury(s->pool->w, s);
}

static void
close_idle(struct sealer *s)
{
	for (struct lane *l; (l = TAILQ_FIRST(&s->idle)) != NULL;)
		lane_abandon(l);
}

// No new uses. Freed by whoever ends the last lane, or here.
static void
retire(struct sealer *s, const struct failure *f)
{
	s->gone = true;
	s->lanes++; // keeps it while its lists are emptied
	fail_waiters(s, f);
	close_idle(s);
	s->lanes--;
	if (s->lanes == 0)
		sealer_free(s);
}

static void
lose(struct sealer *s, const struct failure *f)
{
	s->gone = true;
	s->lanes++;
	fail_waiters(s, f);
	for (struct lane *l; (l = TAILQ_FIRST(&s->idle)) != NULL;)
		lane_lost(l);
	for (struct lane *l; (l = TAILQ_FIRST(&s->others)) != NULL;)
		lane_lost(l);
	s->lanes--;
	sealer_free(s);
}

static const struct failure sealer_ended = {
    .status = 503,
    .code = "sealer_ended",
    .message = FAILURE_TEXT("The process that holds this credential's TLS sessions ended; retry."),
    .retry_after_ms = 1000,
};

static void
on_link_close(void *cookie, struct link *l, enum chan_status why)
{
	struct sealer *s = cookie;
	CHECK_OBJ(s, SEALER_MAGIC);
	if (why == CHAN_REJECT)
		log_msg(LOG_ERROR, "sealer %llu rejected: %s", (unsigned long long)s->id,
		    chan_reason(link_chan(l)));
	lose(s, &sealer_ended);
}

static enum chan_status
on_link_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct sealer *s = cookie;
	CHECK_OBJ(s, SEALER_MAGIC);
	struct lane *lane = idmap_get(&s->pool->lanes, f->id);
	if (lane == NULL && f->id != 0 && f->id <= s->pool->last_lane)
		return CHAN_OK; // we closed it while this frame was under way
	if (lane == NULL || lane->sealer != s)
		return chan_reject(link_chan(l), "frame for a lane that is not its own");
	return lane_frame(lane, l, f);
}

// --- lanes -----------------------------------------------------------------------

// Enough lanes are opening for those who wait.
static void
open_lanes(struct sealer *s)
{
	while (s->link != NULL && !s->gone && s->opening < s->waiting)
		lane_open(s);
}

void
pool_lane_ready(struct lane *l)
{
	struct sealer *s = l->sealer;
	if (s->gone) {
		lane_abandon(l);
		return;
	}
	if (s->waiting == 0)
		return;
	struct exchange *x = pop_waiter(s);
	lane_assign(l, x);
	exchange_on_lane(x, l);
}

void
pool_lane_gone(struct sealer *s, bool was_opening, const struct failure *f)
{
	CHECK_OBJ(s, SEALER_MAGIC);
	if (was_opening && f != NULL && s->waiting > s->opening)
		exchange_on_no_lane(pop_waiter(s), f);
	else if (was_opening)
		open_lanes(s);
	if (s->gone && s->lanes == 0)
		sealer_free(s);
}

bool
pool_has_idle(const struct pool *p, uint64_t credential)
{
	const struct sealer *s;
	TAILQ_FOREACH(s, &p->sealers, entry)
	{
		if (s->credential == credential && !s->gone && !TAILQ_EMPTY(&s->idle))
			return true;
	}
	return false;
}

struct lane *
pool_take(struct pool *p, uint64_t credential, struct exchange *x)
{
	struct sealer *s;
	TAILQ_FOREACH(s, &p->sealers, entry)
	{
		struct lane *l = TAILQ_FIRST(&s->idle);
		if (s->credential != credential || s->gone || l == NULL)
			continue;
		lane_assign(l, x);
		return l;
	}
	return NULL;
}

void
pool_wait(struct pool *p, const struct plan_attempt *a, struct waiter *waiter)
{
	BUG_IF(waiter->at != NULL);
	struct sealer *s = find_room(p, a->credential);
	if (s == NULL)
		s = sealer_new(p, a);
	waiter->at = s;
	TAILQ_INSERT_TAIL(&s->waiters, waiter, link);
	s->waiting++;
	open_lanes(s);
}

// --- from the vault --------------------------------------------------------------

void
pool_on_sealer(struct pool *p, uint64_t credential, uint64_t sealer, int fd)
{
	struct sealer *s = find_asked(p, credential);
	if (s == NULL) {
		close(fd);
		return;
	}
	s->id = sealer;
	s->link = link_new(
	    p->w->base, chan_new(fd, ROLE_SEALER_AT_GATEWAY, 0), on_link_frame, on_link_close, s);
	open_lanes(s);
}

void
pool_on_sealer_denied(struct pool *p, uint64_t credential, const struct msg_deny *m)
{
	struct sealer *s = find_asked(p, credential);
	if (s == NULL)
		return;
	char code[65];
	if (view_copy(m->code, code, sizeof(code)) != 0)
		snprintf(code, sizeof(code), "denied");
	struct failure f = {.status = (unsigned)m->status,
	    .code = code,
	    .message = m->message,
	    .retry_after_ms = m->retry_after_ms,
	    .final = m->status != 429 && m->status < 500};
	retire(s, &f);
}

void
pool_on_sealer_gone(struct pool *p, uint64_t sealer)
{
	struct sealer *s, *next;
	for (s = TAILQ_FIRST(&p->sealers); s != NULL; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (s->id == sealer && s->link != NULL && !s->gone)
			retire(s, &sealer_ended);
	}
}

static const struct failure vault_lost = {
    .status = 503,
    .code = "vault_unavailable",
    .message = FAILURE_TEXT("The key vault is not reachable; retry."),
    .retry_after_ms = 1000,
};

void
pool_on_vault_lost(struct pool *p)
{
	for (struct sealer *s; (s = TAILQ_FIRST(&p->sealers)) != NULL;)
		lose(s, &vault_lost);
}

void
pool_drain(struct pool *p)
{
	struct sealer *s;
	TAILQ_FOREACH(s, &p->sealers, entry)
	close_idle(s);
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	pool_on_vault_lost(p);
	idmap_free(&p->lanes);
	free(p);
}
