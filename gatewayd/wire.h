// SPDX-License-Identifier: Apache-2.0
// One TCP connection on the worker's loop, plain or TLS server side: reads into a
// buffer that all wires share, gathers all writes of a loop turn into one, and says
// when the peer goes. Used for clients and, plain, for the ciphertext to providers.
//
// libevent's bufferevents are not used: each of their writes costs a turn of the
// loop and two epoll_ctl calls, and each connection keeps an input buffer.
#ifndef GATEWAYD_WIRE_H
#define GATEWAYD_WIRE_H

#include "common/base.h"

struct event_base;
struct ssl_st;
struct wire;
struct wires; // what the wires of one worker share

struct wire_ops {
	// Bytes arrived. Returns how many were taken; the rest is kept and given
	// again with what follows, or at wire_resume().
	size_t (*on_read)(void *cookie, const uint8_t *p, size_t len);
	// Everything that was written has left.
	void (*on_drained)(void *cookie);
	// The peer closed or the connection failed. Called once, last; never after
	// wire_free. The owner calls wire_free, here or later.
	void (*on_closed)(void *cookie);
	// Kept bytes at which reading stops. While stopped, early_close decides
	// whether the peer's close is still noticed at once (true), or only behind
	// the bytes that came before it.
	size_t keep_max;
	bool early_close;
};

struct wires *wires_new(struct event_base *base);
void wires_free(struct wires *ws);
// Bytes written to all of them and not yet gone; valid as long as ws.
const size_t *wires_unsent(const struct wires *ws);

// Takes ownership of fd and ssl (NULL: plain; else a fresh server-side session).
// ops must outlive the wire.
struct wire *wire_new(
    struct wires *ws, int fd, struct ssl_st *ssl, const struct wire_ops *ops, void *cookie);
// Closes at once. The struct lives until the end of the loop turn, so that callers
// up the stack may still ask wire_dead().
void wire_free(struct wire *w);
bool wire_dead(const struct wire *w);
// Hands the connection to another owner; kept bytes stay. Then wire_resume().
void wire_own(struct wire *w, const struct wire_ops *ops, void *cookie);

void wire_write(struct wire *w, const void *p, size_t len);
size_t wire_backlog(const struct wire *w); // written and not yet gone

// Offers the kept bytes again, in the next loop turn.
void wire_resume(struct wire *w);

// No more writes follow: sends what is queued, then closes the sending side, reads
// and drops what the peer still sends, and calls on_closed when the peer closes or
// two seconds are over. reset: close by RST instead, for a message whose end the
// peer would otherwise take for complete.
void wire_finish(struct wire *w, bool reset);

#endif
