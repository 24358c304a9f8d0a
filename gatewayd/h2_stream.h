// SPDX-License-Identifier: Apache-2.0
// One HTTP/2 stream, and the connection's struct that it shares with h2.c. For h2.c and
// h2_stream.c only.
#ifndef GATEWAYD_H2_STREAM_H
#define GATEWAYD_H2_STREAM_H

#include <event2/event_struct.h>
#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#include "common/buf.h"
#include "gatewayd/h2.h"

struct h2_stream;
TAILQ_HEAD(h2_streams, h2_stream);

struct h2 {
	unsigned magic;
	struct worker *w;
	struct wire *wire; // of the client
	nghttp2_session *session;
	struct h2_streams streams;
	struct event timer; // looks whether the client still takes part
	uint64_t moved_ns;  // when a stream last got on
	bool asked;	    // a whole request head came
	bool ending;	    // it was told that the connection ends
	TAILQ_ENTRY(h2) link;
	struct event last_call; // the worker drains: from then on no more streams
	uint64_t source;
	bool inside;	// the session is calling us
	bool finishing; // nothing more to say
	char peer[REQUEST_PEER_MAX];
};

void h2_pump(struct h2 *h);

// Who has to act for a stream to get on.
enum h2_turn { H2_TURN_OURS, H2_TURN_TO_READ, H2_TURN_TO_SEND };
enum h2_turn h2_stream_turn(const struct h2_stream *s);
const struct h2_stream *h2_stream_next(const struct h2_stream *s); // of its connection

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id);
void h2_stream_free(struct h2_stream *s);

// Request header fields in order, pseudo-headers among them. False: not acceptable, the
// stream is reset.
bool h2_stream_header(struct h2_stream *s, struct view name, struct view value) MUST_CHECK;
void h2_stream_head(struct h2_stream *s, bool end); // all of them; end: no body follows
void h2_stream_body(struct h2_stream *s, const uint8_t *p, size_t len);
void h2_stream_body_end(struct h2_stream *s);

#endif
