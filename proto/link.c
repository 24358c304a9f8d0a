// SPDX-License-Identifier: Apache-2.0
// The libevent side of a channel. Sends only queue; one event, activated once per
// loop turn, writes everything, so that ten frames cost one system call.
#include "proto/link.h"

#include <event2/event.h>
#include <stdlib.h>

#define LINK_MAGIC 0x6c696e6bU
// Reads per wake-up: enough to drain a burst, bounded so that one busy peer
// cannot starve the others.
#define READS_PER_TURN 8

struct link {
	unsigned magic;
	struct chan *chan;
	struct event *readable;
	struct event *writable;
	struct event *flush; // activated by hand
	link_frame_fn *on_frame;
	link_close_fn *on_close;
	void *cookie;
	bool flush_due;
	bool closed; // on_close was called
	bool paused;
	bool *freed; // set by link_free while a callback of this link runs
};

static void
link_end(struct link *l, enum chan_status why)
{
	if (l->closed)
		return;
	l->closed = true;
	event_del(l->readable);
	event_del(l->writable);
	event_del(l->flush);
	l->on_close(l->cookie, l, why);
}

// Hands out all complete frames. Returns false when the link is gone.
static bool
dispatch(struct link *l, bool *freed)
{
	while (!l->paused) {
		struct frame f;
		enum chan_status s = chan_next(l->chan, &f);
		if (s == CHAN_OK)
			s = l->on_frame(l->cookie, l, &f);
		else if (s == CHAN_AGAIN)
			return true;
		if (*freed)
			return false;
		if (s != CHAN_OK) {
			link_end(l, s);
			return false;
		}
	}
	return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct link *l = arg;
	CHECK_OBJ(l, LINK_MAGIC);
	bool freed = false;
	l->freed = &freed;
	bool alive = dispatch(l, &freed); // what a pause left in the buffer
	for (int i = 0; alive && !l->paused && i < READS_PER_TURN; i++) {
		enum chan_status s = chan_read(l->chan);
		if (s == CHAN_AGAIN)
			break;
		if (s != CHAN_OK) {
			link_end(l, s);
			alive = false;
			break;
		}
		alive = dispatch(l, &freed);
		if (alive && chan_drained(l->chan))
			break; // level-triggered: the loop comes back if not
	}
	if (!freed)
		l->freed = NULL;
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct link *l = arg;
	CHECK_OBJ(l, LINK_MAGIC);
	l->flush_due = false;
	if (l->closed)
		return;
	switch (chan_flush(l->chan)) {
	case CHAN_OK:
		break;
	case CHAN_AGAIN:
		l->flush_due = true; // on_writable takes over
		event_add(l->writable, NULL);
		break;
	default:
		link_end(l, CHAN_EOF);
	}
}

struct link *
link_new(struct event_base *base, struct chan *c, link_frame_fn *on_frame, link_close_fn *on_close,
    void *cookie)
{
	struct link *l = base_calloc(1, sizeof(*l));
	l->magic = LINK_MAGIC;
	l->chan = c;
	l->on_frame = on_frame;
	l->on_close = on_close;
	l->cookie = cookie;
	l->readable = event_new(base, chan_fd(c), EV_READ | EV_PERSIST, on_readable, l);
	l->writable = event_new(base, chan_fd(c), EV_WRITE, on_flush, l);
	l->flush = event_new(base, -1, 0, on_flush, l);
	if (l->readable == NULL || l->writable == NULL || l->flush == NULL)
		BUG("out of memory");
	event_add(l->readable, NULL);
	return l;
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	CHECK_OBJ(l, LINK_MAGIC);
	if (l->freed != NULL)
		*l->freed = true;
	l->magic = 0;
	event_free(l->readable);
	event_free(l->writable);
	event_free(l->flush);
	chan_free(l->chan);
	free(l);
}

void
link_drain(struct link *l)
{
	CHECK_OBJ(l, LINK_MAGIC);
	BUG_IF(l->freed != NULL);
	if (!l->closed)
		on_readable(-1, 0, l);
}

struct chan *
link_chan(struct link *l)
{
	CHECK_OBJ(l, LINK_MAGIC);
	return l->chan;
}

void *
link_cookie(struct link *l)
{
	CHECK_OBJ(l, LINK_MAGIC);
	return l->cookie;
}

static int
scheduled(struct link *l, int r)
{
	if (r == 0 && !l->flush_due && !l->closed) {
		l->flush_due = true;
		event_active(l->flush, 0, 0);
	}
	return r;
}

int
link_send(struct link *l, uint8_t type, uint64_t id, const void *msg)
{
	CHECK_OBJ(l, LINK_MAGIC);
	return scheduled(l, chan_send(l->chan, type, id, msg));
}

int
link_send_raw(struct link *l, uint8_t type, uint64_t id, const void *p, size_t len)
{
	CHECK_OBJ(l, LINK_MAGIC);
	return scheduled(l, chan_send_raw(l->chan, type, id, p, len));
}

int
link_send_fds(struct link *l, uint8_t type, uint64_t id, const void *msg, const int *fds, size_t n)
{
	CHECK_OBJ(l, LINK_MAGIC);
	return scheduled(l, chan_send_fds(l->chan, type, id, msg, fds, n));
}

size_t
link_backlog(const struct link *l)
{
	return chan_backlog(l->chan);
}

void
link_pause(struct link *l, bool paused)
{
	CHECK_OBJ(l, LINK_MAGIC);
	if (l->closed || l->paused == paused)
		return;
	l->paused = paused;
	if (paused) {
		event_del(l->readable);
		return;
	}
	event_add(l->readable, NULL);
	event_active(l->readable, EV_READ, 0); // the buffer may hold whole frames
}
