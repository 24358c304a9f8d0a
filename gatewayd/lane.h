// SPDX-License-Identifier: Apache-2.0
// A lane: one TLS session that a sealer holds, over a TCP connection that we hold.
// This side relays ciphertext both ways, sends request bodies in and gets the
// decrypted answer out, each direction within the window that the receiver granted.
#ifndef GATEWAYD_LANE_H
#define GATEWAYD_LANE_H

#include <event2/event_struct.h>

#include "gatewayd/pool.h"
#include "proto/link.h"

enum lane_state {
	LANE_OPENING, // TCP or TLS under way
	LANE_IDLE,
	LANE_BUSY, // serves `user`
	LANE_DEAD,
};

struct lane {
	unsigned magic;
	uint64_t id;
	struct sealer *sealer;
	enum lane_state state;
	struct exchange *user;
	bool used; // served a request before

	// Private.
	struct connect *connect;
	struct wire *wire;
	struct evbuffer *early;	     // ciphertext from before TCP was connected
	size_t cipher_in, body;	     // bytes that we may still send to the sealer
	size_t cipher_out, plain;    // bytes that the sealer may still send
	size_t owed_out, owed_plain; // consumed, to be granted again
	struct event timer;
	TAILQ_ENTRY(lane) entry;
};

void lane_open(struct sealer *s);

// Sends as much body as the window takes; returns how much. More room is told by
// exchange_on_window.
size_t lane_body(struct lane *l, const uint8_t *p, size_t len);

// The user consumed n bytes of the answer (handed out by exchange_on_plain).
void lane_grant(struct lane *l, size_t n);

// The exchange is over, the connection may serve another.
void lane_release(struct lane *l);
// The exchange is over, or given up; the connection is closed.
void lane_abandon(struct lane *l);

// One frame from its sealer.
enum chan_status lane_frame(struct lane *l, struct link *link, const struct frame *f);

// The sealer died: tells the user, frees.
void lane_lost(struct lane *l);

void lane_assign(struct lane *l, struct exchange *x);

#endif
