// SPDX-License-Identifier: Apache-2.0
// Relaying and flow control of one lane. May touch: its TCP connection, its
// sealer's channel.
#include "gatewayd/lane.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "gatewayd/connect.h"
#include "gatewayd/exchange.h"
#include "gatewayd/wire.h"

#define LANE_MAGIC   0x6c616e65U
#define FRAME_BYTES  (16U * 1024U) // one TLS record
#define LANE_IDLE_S  55		   // below the idle limit of common load balancers (60 s)
#define IDLE_MAX     512U	   // idle lanes kept for one credential
#define BACKLOG_HIGH (64U * 1024U)

static void die(struct lane *l, const struct failure *f, bool tell_sealer);

// --- towards the sealer ----------------------------------------------------------

static void
send_raw(struct lane *l, uint8_t type, const uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t n = MIN(len - at, FRAME_BYTES);
		link_send_raw(l->sealer->link, type, l->id, p + at, n);
		at += n;
	}
}

static void
send_empty(struct lane *l, uint8_t type)
{
	link_send(l->sealer->link, type, l->id, &(struct msg_empty){0});
}

static void
send_credit(struct lane *l, enum credit_kind kind, size_t n)
{
	link_send(
	    l->sealer->link, MSG_CREDIT, l->id, &(struct msg_credit){.kind = kind, .bytes = n});
}

size_t
lane_body(struct lane *l, const uint8_t *p, size_t len)
{
	CHECK_OBJ(l, LANE_MAGIC);
	size_t n = MIN(len, l->body);
	send_raw(l, MSG_BODY, p, n);
	l->body -= n;
	return n;
}

void
lane_grant(struct lane *l, size_t n)
{
	CHECK_OBJ(l, LANE_MAGIC);
	l->owed_plain += n;
	if (l->state == LANE_DEAD || l->owed_plain < LANE_WINDOW / 2)
		return;
	send_credit(l, CREDIT_PLAIN, l->owed_plain);
	l->plain += l->owed_plain;
	l->owed_plain = 0;
}

// Ciphertext that left, or that TCP will take soon, makes room for more.
static void
grant_out(struct lane *l)
{
	if (l->owed_out < LANE_WINDOW / 2 || l->wire == NULL ||
	    wire_backlog(l->wire) > BACKLOG_HIGH)
		return;
	send_credit(l, CREDIT_CIPHER_OUT, l->owed_out);
	l->cipher_out += l->owed_out;
	l->owed_out = 0;
}

// --- TCP -------------------------------------------------------------------------

static size_t
on_wire_read(void *cookie, const uint8_t *p, size_t len)
{
	struct lane *l = cookie;
	CHECK_OBJ(l, LANE_MAGIC);
	size_t n = MIN(len, l->cipher_in);
	send_raw(l, MSG_CIPHER_IN, p, n);
	l->cipher_in -= n;
	return n;
}

static void
on_wire_drained(void *cookie)
{
	grant_out(cookie);
}

static void
on_wire_closed(void *cookie)
{
	struct lane *l = cookie;
	CHECK_OBJ(l, LANE_MAGIC);
	wire_free(l->wire);
	l->wire = NULL;
	if (l->state == LANE_IDLE) {
		die(l, NULL, true); // nothing can follow
		return;
	}
	// The sealer may hold bytes that came before; it says LANE_CLOSED behind them.
	send_empty(l, MSG_LANE_EOF);
}

static const struct wire_ops wire_ops = {
    .on_read = on_wire_read,
    .on_drained = on_wire_drained,
    .on_closed = on_wire_closed,
    .keep_max = 1,
    .early_close = false,
};

static void
on_connected(void *cookie, int fd, const char *error)
{
	struct lane *l = cookie;
	CHECK_OBJ(l, LANE_MAGIC);
	l->connect = NULL;
	if (fd < 0) {
		struct failure f = {
		    .status = 502, .code = "provider_unreachable", .message = view_of(error)};
		log_msg(LOG_WARN, "%s:%u: %s", l->sealer->host, l->sealer->port, error);
		die(l, &f, true);
		return;
	}
	l->wire = wire_new(l->sealer->pool->w->wires, fd, NULL, &wire_ops, l);
	size_t n = evbuffer_get_length(l->early);
	if (n != 0)
		wire_write(l->wire, evbuffer_pullup(l->early, -1), n);
	evbuffer_free(l->early);
	l->early = NULL;
	grant_out(l);
}

// --- life ------------------------------------------------------------------------

static void
set_timer(struct lane *l, uint64_t seconds)
{
	struct timeval tv = {.tv_sec = (time_t)seconds};
	event_add(&l->timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct lane *l = arg;
	CHECK_OBJ(l, LANE_MAGIC);
	if (l->state == LANE_IDLE) {
		die(l, NULL, true);
		return;
	}
	struct failure f = {.status = 504,
	    .code = "provider_connect_timeout",
	    .message = VIEW("The provider could not be reached in time (limit: "
			    "upstream_connect_timeout_s)."),
	    .retry_after_ms = 1000};
	log_msg(LOG_WARN, "%s:%u: connecting took too long", l->sealer->host, l->sealer->port);
	die(l, &f, true);
}

void
lane_open(struct sealer *s)
{
	struct worker *w = s->pool->w;
	struct lane *l = base_calloc(1, sizeof(*l));
	l->magic = LANE_MAGIC;
	l->id = ++s->pool->last_lane;
	l->sealer = s;
	l->state = LANE_OPENING;
	l->cipher_in = l->body = l->cipher_out = l->plain = LANE_WINDOW;
	l->early = evbuffer_new();
	if (l->early == NULL)
		BUG("out of memory");
	evtimer_assign(&l->timer, w->base, on_timer, l);
	set_timer(l, w->config->limits.upstream_connect_timeout_s);
	idmap_put(&s->pool->lanes, l->id, l);
	TAILQ_INSERT_TAIL(&s->others, l, entry);
	s->lanes++;
	s->opening++;
	send_empty(l, MSG_LANE_OPEN); // the handshake's first bytes are ready when TCP is
	l->connect = connect_start(w, s->host, s->port, on_connected, l);
}

// Leaves every list, closes TCP, tells the pool. The user is told by the callers.
static void
die(struct lane *l, const struct failure *f, bool tell_sealer)
{
	struct sealer *s = l->sealer;
	BUG_IF(l->state == LANE_DEAD);
	bool opening = l->state == LANE_OPENING;
	if (l->state == LANE_IDLE) {
		TAILQ_REMOVE(&s->idle, l, entry);
		s->idle_count--;
	} else {
		TAILQ_REMOVE(&s->others, l, entry);
	}
	s->opening -= opening;
	s->lanes--;
	l->state = LANE_DEAD;
	l->user = NULL;
	(void)idmap_take(&s->pool->lanes, l->id);
	event_del(&l->timer);
	connect_cancel(l->connect);
	l->connect = NULL;
	wire_free(l->wire);
	l->wire = NULL;
	if (l->early != NULL)
		evbuffer_free(l->early);
	l->early = NULL;
	if (tell_sealer)
		send_empty(l, MSG_LANE_CLOSE);
	worker_bury(s->pool->w, l);
	pool_lane_gone(s, opening, f);
}

void
lane_abandon(struct lane *l)
{
	CHECK_OBJ(l, LANE_MAGIC);
	die(l, NULL, true);
}

void
lane_assign(struct lane *l, struct exchange *x)
{
	CHECK_OBJ(l, LANE_MAGIC);
	BUG_IF(l->state == LANE_BUSY || l->state == LANE_DEAD);
	struct sealer *s = l->sealer;
	if (l->state == LANE_IDLE) {
		TAILQ_REMOVE(&s->idle, l, entry);
		s->idle_count--;
		TAILQ_INSERT_TAIL(&s->others, l, entry);
	} else {
		s->opening--;
	}
	event_del(&l->timer);
	l->state = LANE_BUSY;
	l->user = x;
}

// Idle: the last one in is the first one out, so that the surplus times out.
static void
rest(struct lane *l)
{
	struct sealer *s = l->sealer;
	TAILQ_REMOVE(&s->others, l, entry);
	s->opening -= l->state == LANE_OPENING;
	l->state = LANE_IDLE;
	l->user = NULL;
	TAILQ_INSERT_HEAD(&s->idle, l, entry);
	s->idle_count++;
	set_timer(l, LANE_IDLE_S);
}

void
lane_release(struct lane *l)
{
	CHECK_OBJ(l, LANE_MAGIC);
	BUG_IF(l->state != LANE_BUSY);
	struct sealer *s = l->sealer;
	if (l->wire == NULL || s->gone || s->pool->w->draining || s->idle_count >= IDLE_MAX) {
		die(l, NULL, true);
		return;
	}
	l->used = true;
	rest(l);
	pool_lane_ready(l);
}

void
lane_lost(struct lane *l)
{
	CHECK_OBJ(l, LANE_MAGIC);
	struct exchange *x = l->user;
	die(l, NULL, false);
	if (x != NULL)
		exchange_on_lane_closed(x, LANE_ABANDONED, VIEW("the sealer ended"));
}

// --- frames ----------------------------------------------------------------------

static void
opening_failed(struct lane *l, const struct msg_lane_closed *m)
{
	bool tls = m->fault == LANE_TLS_FAILED;
	struct failure f = {.status = 502,
	    .code = tls ? "provider_tls_failed" : "provider_unreachable",
	    .message = tls ? VIEW("The provider's certificate or TLS handshake was not acceptable.")
			   : VIEW("The provider closed the connection during the TLS handshake."),
	    .final = tls};
	log_msg(LOG_WARN, "%s:%u: TLS handshake failed: %.*s", l->sealer->host, l->sealer->port,
	    (int)m->detail.len, m->detail.p);
	die(l, &f, false);
}

static enum chan_status
on_lane_closed(struct lane *l, struct link *link, const struct frame *f)
{
	struct msg_lane_closed m;
	enum chan_status s = chan_decode(link_chan(link), f, &m);
	if (s != CHAN_OK)
		return s;
	if (l->state == LANE_OPENING) {
		opening_failed(l, &m);
		return CHAN_OK;
	}
	struct exchange *x = l->user;
	die(l, NULL, false);
	if (x != NULL)
		exchange_on_lane_closed(x, (enum lane_fault)m.fault, m.detail);
	return CHAN_OK;
}

static enum chan_status
on_lane_ready(struct lane *l, struct link *link)
{
	if (l->state != LANE_OPENING)
		return chan_reject(link_chan(link), "LANE_READY twice");
	rest(l);
	pool_lane_ready(l);
	return CHAN_OK;
}

static enum chan_status
on_credit(struct lane *l, struct link *link, const struct frame *f)
{
	struct msg_credit m;
	enum chan_status s = chan_decode(link_chan(link), f, &m);
	if (s != CHAN_OK)
		return s;
	size_t *window = m.kind == CREDIT_CIPHER_IN ? &l->cipher_in
			 : m.kind == CREDIT_BODY    ? &l->body
						    : NULL;
	if (window == NULL || m.bytes > LANE_WINDOW - *window)
		return chan_reject(link_chan(link), "CREDIT beyond the window");
	*window += m.bytes;
	if (m.kind == CREDIT_CIPHER_IN && l->wire != NULL)
		wire_resume(l->wire);
	else if (m.kind == CREDIT_BODY && l->user != NULL)
		exchange_on_window(l->user);
	return CHAN_OK;
}

static enum chan_status
on_cipher_out(struct lane *l, struct link *link, const struct frame *f)
{
	if (f->len > l->cipher_out)
		return chan_reject(link_chan(link), "CIPHER_OUT beyond the window");
	l->cipher_out -= f->len;
	l->owed_out += f->len;
	if (l->wire != NULL)
		wire_write(l->wire, f->payload, f->len);
	else if (l->early != NULL && evbuffer_add(l->early, f->payload, f->len) != 0)
		BUG("out of memory");
	grant_out(l);
	return CHAN_OK;
}

static enum chan_status
on_plain(struct lane *l, struct link *link, const struct frame *f)
{
	if (f->len > l->plain)
		return chan_reject(link_chan(link), "PLAIN beyond the window");
	l->plain -= f->len;
	if (l->user != NULL) {
		exchange_on_plain(l->user, f->payload, f->len);
	} else {
		log_msg(LOG_WARN, "%s: answer bytes that nobody asked for; connection closed",
		    l->sealer->host);
		die(l, NULL, true);
	}
	return CHAN_OK;
}

enum chan_status
lane_frame(struct lane *l, struct link *link, const struct frame *f)
{
	CHECK_OBJ(l, LANE_MAGIC);
	switch (f->type) {
	case MSG_LANE_READY:
		return on_lane_ready(l, link);
	case MSG_LANE_CLOSED:
		return on_lane_closed(l, link, f);
	case MSG_CREDIT:
		return on_credit(l, link, f);
	case MSG_CIPHER_OUT:
		return on_cipher_out(l, link, f);
	case MSG_PLAIN:
		return on_plain(l, link, f);
	default:
		return chan_reject(link_chan(link), "unexpected message");
	}
}
