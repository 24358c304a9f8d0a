// SPDX-License-Identifier: Apache-2.0
// Event handling of one connection. System calls: read, writev, shutdown, close,
// setsockopt on its own descriptor; OpenSSL does the same underneath for TLS.
#include "gatewayd/wire.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRE_MAGIC     0x77697265U
#define SCRATCH_LEN    (64U * 1024U)
#define TLS_RECORD     (16U * 1024U)
#define READS_PER_TURN 4

struct wire {
	unsigned magic;
	int fd;
	struct wires *ws;
	SSL *ssl;
	const struct wire_ops *ops;
	void *cookie;
	struct event readable;
	struct event writable;
	struct evbuffer *out; // NULL until the first write
	uint8_t *kept;	      // bytes that on_read did not take
	size_t kept_len;
	size_t counted; // of out, in ws->unsent
	bool dead;	// wire_free was called
	bool closed;	// on_closed was called
	bool handshake; // TLS: not finished yet
	bool finishing, reset, half_closed;
	bool watching_close; // readable waits for the peer's close only
	bool queued;	     // in ws->dirty
	bool resume;	     // wire_resume was called
	TAILQ_ENTRY(wire) link;
};

TAILQ_HEAD(wire_list, wire);

struct wires {
	struct event_base *base;
	struct event *sweep;
	size_t unsent;
	struct wire_list dirty; // to be flushed, or freed, at the end of this turn
	uint8_t scratch[SCRATCH_LEN];
};

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void flush(struct wire *w);

// --- the shared part -----------------------------------------------------------

static void
mark(struct wire *w)
{
	if (w->queued)
		return;
	w->queued = true;
	if (TAILQ_EMPTY(&w->ws->dirty))
		event_active(w->ws->sweep, 0, 0);
	TAILQ_INSERT_TAIL(&w->ws->dirty, w, link);
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct wires *ws = arg;
	struct wire_list now = TAILQ_HEAD_INITIALIZER(now);
	TAILQ_CONCAT(&now, &ws->dirty, link);
	for (struct wire *w; (w = TAILQ_FIRST(&now)) != NULL;) {
		TAILQ_REMOVE(&now, w, link);
		w->queued = false;
		if (w->dead) {
			w->magic = 0;
			free(w);
		} else {
			flush(w);
		}
	}
}

struct wires *
wires_new(struct event_base *base)
{
	struct wires *ws = base_calloc(1, sizeof(*ws));
	ws->base = base;
	TAILQ_INIT(&ws->dirty);
	ws->sweep = event_new(base, -1, 0, on_sweep, ws);
	if (ws->sweep == NULL)
		BUG("out of memory");
	return ws;
}

void
wires_free(struct wires *ws)
{
	if (ws == NULL)
		return;
	while (!TAILQ_EMPTY(&ws->dirty))
		on_sweep(-1, 0, ws);
	event_free(ws->sweep);
	free(ws);
}

const size_t *
wires_unsent(const struct wires *ws)
{
	return &ws->unsent;
}

static void
count(struct wire *w)
{
	size_t now = wire_backlog(w);
	w->ws->unsent = w->ws->unsent - w->counted + now;
	w->counted = now;
}

// --- life ----------------------------------------------------------------------

struct wire *
wire_new(struct wires *ws, int fd, struct ssl_st *ssl, const struct wire_ops *ops, void *cookie)
{
	struct wire *w = base_calloc(1, sizeof(*w));
	w->magic = WIRE_MAGIC;
	w->fd = fd;
	w->ws = ws;
	w->ssl = ssl;
	w->ops = ops;
	w->cookie = cookie;
	w->handshake = ssl != NULL;
	if (ssl != NULL && SSL_set_fd(ssl, fd) != 1)
		BUG("out of memory");
	event_assign(&w->readable, ws->base, fd, EV_READ | EV_PERSIST, on_readable, w);
	event_assign(&w->writable, ws->base, fd, EV_WRITE, on_writable, w);
	event_add(&w->readable, NULL);
	return w;
}

void
wire_free(struct wire *w)
{
	if (w == NULL)
		return;
	CHECK_OBJ(w, WIRE_MAGIC);
	BUG_IF(w->dead);
	w->dead = true;
	event_del(&w->readable);
	event_del(&w->writable);
	if (w->out != NULL)
		evbuffer_free(w->out);
	w->out = NULL;
	count(w);
	free(w->kept);
	w->kept = NULL;
	SSL_free(w->ssl);
	w->ssl = NULL;
	close(w->fd);
	mark(w);
}

bool
wire_dead(const struct wire *w)
{
	return w->dead;
}

void
wire_own(struct wire *w, const struct wire_ops *ops, void *cookie)
{
	CHECK_OBJ(w, WIRE_MAGIC);
	w->ops = ops;
	w->cookie = cookie;
}

static void
ended(struct wire *w)
{
	if (w->dead || w->closed)
		return;
	w->closed = true;
	event_del(&w->readable);
	event_del(&w->writable);
	w->ops->on_closed(w->cookie);
}

// --- reading -------------------------------------------------------------------

// Returns bytes, 0 at the end or failure, -1 when nothing waits.
static ssize_t
tls_read(struct wire *w, uint8_t *p, size_t cap)
{
	ERR_clear_error();
	int n = SSL_read(w->ssl, p, (int)cap);
	if (n > 0)
		return n;
	switch (SSL_get_error(w->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return -1;
	case SSL_ERROR_WANT_WRITE:
		event_add(&w->writable, NULL);
		return -1;
	default:
		return 0;
	}
}

static ssize_t
plain_read(struct wire *w, uint8_t *p, size_t cap)
{
	ssize_t n = read(w->fd, p, cap);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? -1 : 0;
}

static void
keep(struct wire *w, const uint8_t *p, size_t len)
{
	w->kept = base_realloc(w->kept, w->kept_len + len);
	memcpy(w->kept + w->kept_len, p, len);
	w->kept_len += len;
}

// Too much is kept: stop reading, but for clients still notice that they leave.
static void
adjust_reading(struct wire *w)
{
	bool stop = w->kept_len >= w->ops->keep_max;
	if (stop == w->watching_close)
		return;
	w->watching_close = stop;
	event_del(&w->readable);
	short what = stop ? EV_CLOSED : EV_READ;
	event_assign(&w->readable, w->ws->base, w->fd, (short)(what | EV_PERSIST), on_readable, w);
	if (!stop || w->ops->early_close)
		event_add(&w->readable, NULL);
}

static void
offer_kept(struct wire *w)
{
	size_t n = w->ops->on_read(w->cookie, w->kept, w->kept_len);
	if (w->dead || w->finishing)
		return; // wire_finish() dropped what was kept
	BUG_IF(n > w->kept_len);
	w->kept_len -= n;
	if (w->kept_len == 0) {
		free(w->kept);
		w->kept = NULL;
	} else if (n != 0) {
		memmove(w->kept, w->kept + n, w->kept_len);
	}
}

static void
deliver(struct wire *w, const uint8_t *p, size_t len)
{
	if (w->finishing)
		return; // nobody reads any more
	if (w->kept_len != 0) {
		keep(w, p, len);
		offer_kept(w);
	} else {
		size_t n = w->ops->on_read(w->cookie, p, len);
		if (!w->dead && n < len)
			keep(w, p + n, len - n);
	}
}

static bool
handshake_step(struct wire *w)
{
	ERR_clear_error();
	int n = SSL_accept(w->ssl);
	if (n == 1) {
		w->handshake = false;
		mark(w);
		return true;
	}
	switch (SSL_get_error(w->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return false;
	case SSL_ERROR_WANT_WRITE:
		event_add(&w->writable, NULL);
		return false;
	default:
		ended(w);
		return false;
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	struct wire *w = arg;
	CHECK_OBJ(w, WIRE_MAGIC);
	if ((what & EV_TIMEOUT) != 0 || (w->watching_close && (what & EV_CLOSED) != 0)) {
		ended(w);
		return;
	}
	if (w->handshake && !handshake_step(w))
		return;
	w->resume = false;
	if (w->kept_len != 0 && !w->finishing)
		offer_kept(w);
	for (int i = 0; i < READS_PER_TURN && !w->dead && w->kept_len < w->ops->keep_max; i++) {
		ssize_t n = w->ssl != NULL ? tls_read(w, w->ws->scratch, SCRATCH_LEN)
					   : plain_read(w, w->ws->scratch, SCRATCH_LEN);
		if (n == 0) {
			ended(w);
			return;
		}
		if (n < 0)
			break;
		deliver(w, w->ws->scratch, (size_t)n);
		if (w->ssl == NULL && n < (ssize_t)SCRATCH_LEN)
			break; // a short read: the socket is empty
	}
	if (w->dead || w->closed)
		return;
	adjust_reading(w);
	// OpenSSL may hold bytes that no descriptor event will announce.
	bool hidden = w->ssl != NULL && !w->watching_close && SSL_pending(w->ssl) > 0;
	if (hidden || w->resume)
		event_active(&w->readable, EV_READ, 0);
	if (w->ssl != NULL && wire_backlog(w) != 0)
		mark(w); // a write may have waited for bytes of the peer
}

void
wire_resume(struct wire *w)
{
	CHECK_OBJ(w, WIRE_MAGIC);
	if (w->dead || w->closed)
		return;
	w->resume = true;
	event_active(&w->readable, EV_READ, 0);
}

// --- writing -------------------------------------------------------------------

void
wire_write(struct wire *w, const void *p, size_t len)
{
	CHECK_OBJ(w, WIRE_MAGIC);
	if (w->dead || w->closed || len == 0)
		return;
	if (w->out == NULL && (w->out = evbuffer_new()) == NULL)
		BUG("out of memory");
	if (evbuffer_add(w->out, p, len) != 0)
		BUG("out of memory");
	count(w);
	mark(w);
}

size_t
wire_backlog(const struct wire *w)
{
	return w->out == NULL ? 0 : evbuffer_get_length(w->out);
}

// Returns false when the connection failed or cannot take more now.
static bool
tls_write(struct wire *w)
{
	uint8_t record[TLS_RECORD];
	ssize_t have = evbuffer_copyout(w->out, record, sizeof(record));
	ERR_clear_error();
	int n = SSL_write(w->ssl, record, (int)have);
	if (n > 0) {
		evbuffer_drain(w->out, (size_t)n);
		count(w);
		return true;
	}
	switch (SSL_get_error(w->ssl, n)) {
	case SSL_ERROR_WANT_WRITE:
		event_add(&w->writable, NULL);
		return false;
	case SSL_ERROR_WANT_READ:
		return false; // on_readable marks the wire again
	default:
		ended(w);
		return false;
	}
}

static bool
plain_write(struct wire *w)
{
	int n = evbuffer_write(w->out, w->fd);
	count(w);
	if (n > 0)
		return true;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		event_add(&w->writable, NULL);
	else
		ended(w);
	return false;
}

// Everything is out and the owner wants to go.
static void
finish(struct wire *w)
{
	if (w->half_closed)
		return;
	w->half_closed = true;
	if (w->reset) {
		struct linger now = {.l_onoff = 1, .l_linger = 0};
		(void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		ended(w);
		return;
	}
	if (w->ssl != NULL)
		(void)SSL_shutdown(w->ssl);
	(void)shutdown(w->fd, SHUT_WR);
	// A peer that is still sending must not get a reset before it read our answer.
	struct timeval linger = {.tv_sec = 2};
	w->watching_close = false;
	event_del(&w->readable);
	event_assign(&w->readable, w->ws->base, w->fd, EV_READ | EV_PERSIST, on_readable, w);
	event_add(&w->readable, &linger);
}

static void
flush(struct wire *w)
{
	if (w->closed || w->handshake)
		return;
	bool had = wire_backlog(w) != 0;
	while (wire_backlog(w) != 0)
		if (w->ssl != NULL ? !tls_write(w) : !plain_write(w))
			return;
	if (w->finishing)
		finish(w);
	else if (had)
		w->ops->on_drained(w->cookie);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct wire *w = arg;
	CHECK_OBJ(w, WIRE_MAGIC);
	if (w->handshake)
		(void)handshake_step(w);
	else
		flush(w);
}

void
wire_finish(struct wire *w, bool reset)
{
	CHECK_OBJ(w, WIRE_MAGIC);
	if (w->dead || w->closed)
		return;
	w->finishing = true;
	w->reset = reset;
	free(w->kept);
	w->kept = NULL;
	w->kept_len = 0;
	mark(w);
}
