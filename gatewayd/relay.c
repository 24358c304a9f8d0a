// SPDX-License-Identifier: Apache-2.0
// Relays. May touch: their TCP connections and sealers' channels.
#include "gatewayd/relay.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <unistd.h>

#include "common/log.h"
#include "gatewayd/connect.h"
#include "gatewayd/vault.h"
#include "gatewayd/wire.h"
#include "proto/link.h"

#define RELAY_MAGIC 0x72656c61U
#define LANE	    1U // the only one
#define FRAME_BYTES (16U * 1024U)

struct relay {
	unsigned magic;
	struct worker *w;
	uint64_t sealer;
	struct link *link;
	struct connect *connect;
	struct wire *wire;
	size_t cipher_in; // bytes that we may still send to the sealer
	struct event timer;
};

static void
end(struct relay *r)
{
	CHECK_OBJ(r, RELAY_MAGIC);
	r->magic = 0;
	r->w->relays--;
	event_del(&r->timer);
	connect_cancel(r->connect);
	wire_free(r->wire);
	link_free(r->link);
	worker_bury(r->w, r);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	end(arg); // the vault sees the end of its sealer
}

// --- TCP -------------------------------------------------------------------------

static size_t
on_wire_read(void *cookie, const uint8_t *p, size_t len)
{
	struct relay *r = cookie;
	CHECK_OBJ(r, RELAY_MAGIC);
	size_t n = MIN(len, r->cipher_in);
	for (size_t at = 0; at < n; at += FRAME_BYTES)
		link_send_raw(r->link, MSG_CIPHER_IN, LANE, p + at, MIN(n - at, FRAME_BYTES));
	r->cipher_in -= n;
	return n;
}

static void
on_wire_drained(void *cookie)
{
	(void)cookie;
}

// The sealer may hold bytes that came before; it says LANE_CLOSED behind them.
static void
on_wire_closed(void *cookie)
{
	struct relay *r = cookie;
	CHECK_OBJ(r, RELAY_MAGIC);
	wire_free(r->wire);
	r->wire = NULL;
	link_send(r->link, MSG_LANE_EOF, LANE, &(struct msg_empty){0});
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
	struct relay *r = cookie;
	CHECK_OBJ(r, RELAY_MAGIC);
	r->connect = NULL;
	if (fd < 0) {
		log_msg(LOG_WARN, "exchange of the vault: %s", error);
		vault_relay_failed(r->w->vault, r->sealer, "provider_unreachable", error);
		end(r);
		return;
	}
	r->wire = wire_new(r->w->wires, fd, NULL, &wire_ops, r);
	link_send(r->link, MSG_LANE_OPEN, LANE, &(struct msg_empty){0});
}

// --- the sealer --------------------------------------------------------------------

static enum chan_status
on_credit(struct relay *r, struct link *l, const struct frame *f)
{
	struct msg_credit m;
	enum chan_status s = chan_decode(link_chan(l), f, &m);
	if (s != CHAN_OK)
		return s;
	if (m.kind != CREDIT_CIPHER_IN || m.bytes > LANE_WINDOW - r->cipher_in)
		return chan_reject(link_chan(l), "CREDIT beyond the window");
	r->cipher_in += m.bytes;
	if (r->wire != NULL)
		wire_resume(r->wire);
	return CHAN_OK;
}

// A request is smaller than the window, so what went out is granted at once.
static enum chan_status
on_cipher_out(struct relay *r, struct link *l, const struct frame *f)
{
	if (r->wire != NULL)
		wire_write(r->wire, f->payload, f->len);
	struct msg_credit c = {.kind = CREDIT_CIPHER_OUT, .bytes = f->len};
	link_send(l, MSG_CREDIT, LANE, &c);
	return CHAN_OK;
}

static enum chan_status
on_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct relay *r = cookie;
	CHECK_OBJ(r, RELAY_MAGIC);
	if (f->id != LANE)
		return chan_reject(link_chan(l), "a lane that was not opened");
	switch (f->type) {
	case MSG_LANE_READY:
		return CHAN_OK;
	case MSG_CREDIT:
		return on_credit(r, l, f);
	case MSG_CIPHER_OUT:
		return on_cipher_out(r, l, f);
	case MSG_LANE_CLOSED:
		end(r);
		return CHAN_EOF;
	default: // no plaintext comes from an exchange
		return chan_reject(link_chan(l), "unexpected message");
	}
}

static void
on_close(void *cookie, struct link *l, enum chan_status why)
{
	if (why == CHAN_REJECT)
		log_msg(LOG_ERROR, "sealer of an exchange rejected: %s", chan_reason(link_chan(l)));
	end(cookie);
}

void
relay_start(struct worker *w, const struct msg_relay *m, int fd)
{
	char host[254];
	bool ok = fd >= 0 && w->relays < RELAY_MAX && m->port != 0 &&
		  view_copy(m->host, host, sizeof(host)) == 0;
	if (!ok) {
		if (fd >= 0)
			close(fd);
		vault_relay_failed(w->vault, m->sealer, "gateway_busy",
		    "This worker cannot relay another exchange.");
		return;
	}
	struct chan *c = chan_new(fd, ROLE_SEALER_AT_GATEWAY, 0);
	BUG_IF(c == NULL); // no secret channel
	struct relay *r = base_calloc(1, sizeof(*r));
	r->magic = RELAY_MAGIC;
	r->w = w;
	r->sealer = m->sealer;
	r->cipher_in = LANE_WINDOW;
	w->relays++;
	r->link = link_new(w->base, c, on_frame, on_close, r);
	evtimer_assign(&r->timer, w->base, on_timer, r);
	event_add(&r->timer, &(struct timeval){.tv_sec = RELAY_LIFE_S});
	r->connect = connect_start(w, host, (uint16_t)m->port, on_connected, r);
}
