// SPDX-License-Identifier: Apache-2.0
// Retained records and their acknowledgements. May touch: auditd's events socket.
#include "gatewayd/audit.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/sock.h"
#include "proto/link.h"

#define REDIAL_MS    100
#define NACK_WAIT_MS 1000 // before records that auditd refused are sent again
#define PENDING_MAX  20000U
#define RECORD_MAX   8192U

struct record {
	TAILQ_ENTRY(record) link;
	uint64_t id;
	size_t len;
	uint8_t payload[]; // encoded APPEND
};

TAILQ_HEAD(record_list, record);

struct audit {
	struct worker *w;
	struct link *link;
	bool ready;
	bool complained;
	bool refused; // a NACK came; sending waits for the timer
	uint64_t last_id;
	size_t pending;
	struct record_list records; // oldest first, all unacknowledged
	struct idmap by_id;
	struct event *redial;
	struct event *resend;
};

static void
schedule(struct event *ev, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	event_add(ev, &tv);
}

static void
send_record(struct audit *a, const struct record *r)
{
	struct msg_append m;
	if (msg_decode(MSG_APPEND, r->payload, r->len, &m) != 0)
		BUG("our own record does not decode");
	link_send(a->link, MSG_APPEND, r->id, &m);
}

static void
on_resend(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct audit *a = arg;
	a->refused = false;
	struct record *r;
	if (a->ready)
		TAILQ_FOREACH(r, &a->records, link)
	send_record(a, r);
}

static enum chan_status
on_ack(struct audit *a, struct link *l, const struct frame *f)
{
	struct msg_ack m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s != CHAN_OK)
		return s;
	struct record *r = idmap_take(&a->by_id, f->id);
	if (r == NULL)
		return CHAN_OK; // acknowledged already: it was sent twice
	TAILQ_REMOVE(&a->records, r, link);
	a->pending--;
	free(r);
	if (a->w->draining && a->w->on_quiet != NULL)
		a->w->on_quiet(a->w);
	return CHAN_OK;
}

static enum chan_status
on_nack(struct audit *a, struct link *l, const struct frame *f)
{
	struct msg_nack m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s != CHAN_OK)
		return s;
	if (!a->refused) {
		log_msg(LOG_WARN, "auditd refuses records (%.*s); they are kept and sent again",
		    (int)m.code.len, m.code.p);
		a->refused = true;
		schedule(a->resend, NACK_WAIT_MS);
	}
	return CHAN_OK;
}

static enum chan_status
on_hello(struct audit *a, struct link *l, const struct frame *f)
{
	struct msg_audit_hello m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s != CHAN_OK)
		return s;
	chan_set_state(link_chan(l), CHANNEL_READY);
	if (a->w->probing)
		return CHAN_OK; // as for the vault
	a->ready = true;
	a->complained = false;
	log_msg(LOG_INFO, "worker %u: connected to auditd, %zu records to send", a->w->index,
	    a->pending);
	on_resend(-1, 0, a);
	return CHAN_OK;
}

static enum chan_status
on_frame(void *cookie, struct link *l, const struct frame *f)
{
	switch (f->type) {
	case MSG_AUDIT_HELLO:
		return on_hello(cookie, l, f);
	case MSG_ACK:
		return on_ack(cookie, l, f);
	case MSG_NACK:
		return on_nack(cookie, l, f);
	default:
		return chan_reject(link_chan(l), "unexpected message");
	}
}

static void
on_close(void *cookie, struct link *l, enum chan_status why)
{
	struct audit *a = cookie;
	if (!a->complained)
		log_msg(LOG_WARN, "connection to auditd lost: %s; dialling again every %d ms",
		    why == CHAN_REJECT ? chan_reason(link_chan(l)) : "closed", REDIAL_MS);
	a->complained = true;
	link_free(a->link);
	a->link = NULL;
	a->ready = false;
	schedule(a->redial, REDIAL_MS);
}

static void
on_redial(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct audit *a = arg;
	int s = sock_connect_unix(a->w->config->audit_socket, false);
	if (s < 0) {
		if (!a->complained)
			log_msg(LOG_WARN, "cannot reach auditd at %s: is sallyport-auditd up?",
			    a->w->config->audit_socket);
		a->complained = true;
		schedule(a->redial, REDIAL_MS);
		return;
	}
	struct chan *c = chan_new(s, ROLE_AUDITD_AT_GATEWAY, 0);
	a->link = link_new(a->w->base, c, on_frame, on_close, a);
}

struct audit *
audit_new(struct worker *w)
{
	struct audit *a = base_calloc(1, sizeof(*a));
	a->w = w;
	a->complained = w->probing;
	TAILQ_INIT(&a->records);
	a->redial = evtimer_new(w->base, on_redial, a);
	a->resend = evtimer_new(w->base, on_resend, a);
	if (a->redial == NULL || a->resend == NULL)
		BUG("out of memory");
	event_active(a->redial, EV_TIMEOUT, 0);
	return a;
}

void
audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	link_free(a->link);
	event_free(a->redial);
	event_free(a->resend);
	for (struct record *r; (r = TAILQ_FIRST(&a->records)) != NULL;) {
		TAILQ_REMOVE(&a->records, r, link);
		free(r);
	}
	idmap_free(&a->by_id);
	free(a);
}

bool
audit_up(const struct audit *a)
{
	return a->ready;
}

bool
audit_full(const struct audit *a)
{
	return a->pending >= PENDING_MAX;
}

size_t
audit_pending(const struct audit *a)
{
	return a->pending;
}

void
audit_append(struct audit *a, const struct msg_append *m)
{
	uint8_t payload[RECORD_MAX];
	size_t len = msg_encode(MSG_APPEND, m, payload, sizeof(payload));
	BUG_IF(len == 0);
	struct record *r = base_calloc(1, sizeof(*r) + len);
	r->id = ++a->last_id;
	r->len = len;
	memcpy(r->payload, payload, len);
	TAILQ_INSERT_TAIL(&a->records, r, link);
	idmap_put(&a->by_id, r->id, r);
	a->pending++;
	if (a->ready && !a->refused)
		link_send(a->link, MSG_APPEND, r->id, m);
}
