// SPDX-License-Identifier: Apache-2.0
// Dispatch of the vault's messages. May touch: the vault's gateway socket.
#include "gatewayd/vault.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sock.h"
#include "gatewayd/exchange.h"
#include "gatewayd/pool.h"
#include "gatewayd/plans.h"
#include "gatewayd/relay.h"
#include "proto/link.h"

#define REDIAL_MS 100

struct vault {
	struct worker *w;
	struct link *link; // NULL: down
	bool ready;	   // WELCOME came
	bool complained;   // about being down, once per outage
	uint64_t last_id;
	struct idmap exchanges; // id -> struct exchange
	struct idmap opens;	// id of SEALER_OPEN -> struct open
	struct event *redial;
};

// A SEALER_OPEN under way.
struct open {
	uint64_t credential;
};

static void
schedule(struct vault *v)
{
	struct timeval tv = {.tv_usec = REDIAL_MS * 1000};
	event_add(v->redial, &tv);
}

static void
lose_exchange(void *value)
{
	exchange_on_vault_lost(value);
}

static void
down(struct vault *v, const char *why)
{
	if (!v->complained)
		log_msg(LOG_WARN, "vault connection lost: %s; dialling again every %d ms", why,
		    REDIAL_MS);
	v->complained = true;
	link_free(v->link);
	v->link = NULL;
	v->ready = false;
	plans_clear(v->w->plans);
	catalog_feed_reset(&v->w->catalogue);
	idmap_drain(&v->opens, free);
	pool_on_vault_lost(v->w->pool);
	idmap_drain(&v->exchanges, lose_exchange);
	schedule(v);
}

static const struct msg_deny no_descriptor = {
    .status = 503,
    .code = {"vault_busy", 10},
    .message = {"The vault could not pass on a descriptor; retry.", 48},
    .retry_after_ms = 1000,
};

static enum chan_status
on_sealer(struct vault *v, struct link *l, const struct frame *f)
{
	struct msg_sealer m;
	int fd = chan_take_fd(link_chan(l));
	struct open *o = idmap_take(&v->opens, f->id);
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s == CHAN_OK && (o == NULL || o->credential != m.credential))
		s = chan_reject(link_chan(l), "SEALER that nobody asked for");
	free(o);
	if (s == CHAN_OK && fd < 0) // the kernel took no more descriptors from the vault
		pool_on_sealer_denied(v->w->pool, m.credential, &no_descriptor);
	else if (s == CHAN_OK)
		pool_on_sealer(v->w->pool, m.credential, m.sealer, fd);
	else if (fd >= 0)
		close(fd);
	return s;
}

static enum chan_status
on_deny(struct vault *v, struct link *l, const struct frame *f)
{
	struct msg_deny m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s == CHAN_OK && (m.status < 400 || m.status > 599))
		s = chan_reject(link_chan(l), "DENY with a status that is no error");
	if (s != CHAN_OK)
		return s;
	struct open *o = idmap_take(&v->opens, f->id);
	struct exchange *x = idmap_get(&v->exchanges, f->id);
	if (o != NULL)
		pool_on_sealer_denied(v->w->pool, o->credential, &m);
	else if (x != NULL)
		exchange_on_deny(x, &m);
	free(o);
	return CHAN_OK;
}

static enum chan_status
on_plan(struct vault *v, struct link *l, const struct frame *f)
{
	struct msg_plan m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s != CHAN_OK)
		return s;
	struct exchange *x = idmap_get(&v->exchanges, f->id);
	if (x == NULL)
		return CHAN_OK; // the client left meanwhile
	struct plan *p = plan_new(&m);
	if (p == NULL)
		return chan_reject(link_chan(l), "PLAN that makes no sense");
	exchange_on_plan(x, p);
	plan_unref(p);
	return CHAN_OK;
}

static enum chan_status
on_go(struct vault *v, struct link *l, const struct frame *f)
{
	struct msg_go m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s != CHAN_OK)
		return s;
	struct exchange *x = idmap_get(&v->exchanges, f->id);
	if (x != NULL)
		exchange_on_go(x, &m);
	return CHAN_OK;
}

static enum chan_status
on_welcome(struct vault *v, struct link *l, const struct frame *f)
{
	struct msg_welcome m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s != CHAN_OK)
		return s;
	chan_set_state(link_chan(l), CHANNEL_READY);
	if (v->w->probing)
		return CHAN_OK; // the probe's answers must not depend on who runs already
	v->ready = true;
	log_msg(LOG_INFO, "worker %u: connected to the vault", v->w->index);
	v->complained = false;
	return CHAN_OK;
}

static enum chan_status
on_gone(struct vault *v, struct link *l, const struct frame *f)
{
	struct msg_sealer_gone m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s == CHAN_OK)
		pool_on_sealer_gone(v->w->pool, m.sealer);
	return s;
}

static enum chan_status
on_relay(struct vault *v, struct link *l, const struct frame *f)
{
	struct msg_relay m;
	int fd = chan_take_fd(link_chan(l));
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s == CHAN_OK)
		relay_start(v->w, &m, fd);
	else if (fd >= 0)
		close(fd);
	return s;
}

static enum chan_status
on_catalogue(struct vault *v, struct link *l, const struct frame *f)
{
	union msg_any m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s == CHAN_OK && !catalog_feed(&v->w->catalogue, f->type, &m))
		s = chan_reject(link_chan(l), "catalogue out of order");
	return s;
}

static enum chan_status
on_issuer(struct vault *v, struct link *l, const struct frame *f)
{
	struct msg_issuer_item m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s == CHAN_OK)
		issuer_docs_set(&v->w->issuer, &m);
	return s;
}

static enum chan_status
on_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct vault *v = cookie;
	switch (f->type) {
	case MSG_WELCOME:
		return on_welcome(v, l, f);
	case MSG_PLAN:
		return on_plan(v, l, f);
	case MSG_GO:
		return on_go(v, l, f);
	case MSG_DENY:
		return on_deny(v, l, f);
	case MSG_SEALER:
		return on_sealer(v, l, f);
	case MSG_SEALER_GONE:
		return on_gone(v, l, f);
	case MSG_RELAY:
		return on_relay(v, l, f);
	case MSG_CATALOGUE_BEGIN:
	case MSG_CATALOGUE_HOST:
	case MSG_CATALOGUE_OP:
	case MSG_CATALOGUE_MODEL:
	case MSG_CATALOGUE_PROFILE:
	case MSG_CATALOGUE_END:
		return on_catalogue(v, l, f);
	case MSG_ISSUER_ITEM:
		return on_issuer(v, l, f);
	default:
		return chan_reject(link_chan(l), "unexpected message");
	}
}

static void
on_close(void *cookie, struct link *l, enum chan_status why)
{
	down(cookie, why == CHAN_REJECT ? chan_reason(link_chan(l)) : "closed by the vault");
}

static void
on_redial(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct vault *v = arg;
	int s = sock_connect_unix(v->w->config->vault_socket, false);
	if (s < 0) {
		if (!v->complained)
			log_msg(LOG_WARN, "cannot reach the vault at %s: is sallyport-vaultd up?",
			    v->w->config->vault_socket);
		v->complained = true;
		schedule(v);
		return;
	}
	struct chan *c = chan_new(s, ROLE_CORE_AT_GATEWAY, CHAN_FDS);
	v->link = link_new(v->w->base, c, on_frame, on_close, v);
	v->last_id = 0;
	struct msg_hello hello = {.worker = v->w->index, .version = view_of(SALLYPORT_VERSION)};
	link_send(v->link, MSG_HELLO, 0, &hello);
}

struct vault *
vault_new(struct worker *w)
{
	struct vault *v = base_calloc(1, sizeof(*v));
	v->w = w;
	v->complained = w->probing;
	v->redial = evtimer_new(w->base, on_redial, v);
	if (v->redial == NULL)
		BUG("out of memory");
	event_active(v->redial, EV_TIMEOUT, 0);
	return v;
}

void
vault_free(struct vault *v)
{
	if (v == NULL)
		return;
	link_free(v->link);
	event_free(v->redial);
	idmap_drain(&v->opens, free);
	idmap_free(&v->exchanges);
	free(v);
}

bool
vault_up(const struct vault *v)
{
	return v->ready;
}

uint64_t
vault_authorize(struct vault *v, struct exchange *x, const struct msg_authorize *m)
{
	BUG_IF(!v->ready);
	uint64_t id = ++v->last_id;
	idmap_put(&v->exchanges, id, x);
	link_send(v->link, MSG_AUTHORIZE, id, m);
	return id;
}

void
vault_use(struct vault *v, uint64_t id, const struct msg_use *m)
{
	BUG_IF(!v->ready);
	link_send(v->link, MSG_USE, id, m);
}

void
vault_forget(struct vault *v, uint64_t id)
{
	(void)idmap_take(&v->exchanges, id);
}

void
vault_sealer_open(struct vault *v, uint64_t credential)
{
	BUG_IF(!v->ready);
	struct open *o = base_calloc(1, sizeof(*o));
	o->credential = credential;
	uint64_t id = ++v->last_id;
	idmap_put(&v->opens, id, o);
	link_send(
	    v->link, MSG_SEALER_OPEN, id, &(struct msg_sealer_open){.credential = credential});
}

void
vault_relay_failed(struct vault *v, uint64_t sealer, const char *code, const char *message)
{
	struct msg_relay_failed m = {
	    .sealer = sealer, .code = view_of(code), .message = view_of(message)};
	if (v->ready)
		link_send(v->link, MSG_RELAY_FAILED, 0, &m);
}

void
vault_settle(struct vault *v, uint64_t id, const struct msg_settle *m)
{
	if (v->ready)
		link_send(v->link, MSG_SETTLE, id, m);
}
