// SPDX-License-Identifier: Apache-2.0
// The events of a streamed answer: finds their ends, so that only whole ones go to
// the client, and knows whether the stream reached the end that its API defines.
// A stream that stops before is truncated, however cleanly its connection closed.
// Pure.
#ifndef GATEWAYD_STREAM_H
#define GATEWAYD_STREAM_H

#include "common/eventstream.h"
#include "common/sse.h"
#include "gatewayd/facts.h"
#include "proto/ids.h"

enum stream_kind { STREAM_SSE, STREAM_EVENTSTREAM };

enum stream_end {
	STREAM_COMPLETE,  // the terminal event was seen
	STREAM_TRUNCATED, // it was not
	STREAM_FAILED,	  // the provider ended it by an error event, already passed on
};

// One whole event as it goes to the client; raw is valid during the call.
typedef void stream_emit_fn(void *cookie, struct view raw);

struct stream {
	enum stream_kind kind;
	enum operation op;
	struct facts *facts;
	stream_emit_fn *emit;
	void *cookie;
	bool done;		    // terminal event seen
	bool failed;		    // error event seen
	char error[FACTS_WORD_MAX]; // its code or exception type, "" if unknown
	bool wants_stop;	    // invoke: the model's own stream has a terminal event
	uint64_t events;
	union {
		struct sse_parser sse;
		struct eventstream es;
	} in;
};

void stream_init(struct stream *s, enum stream_kind kind, enum operation op, struct facts *facts,
    stream_emit_fn *emit, void *cookie);
void stream_free(struct stream *s);

// False: the bytes are not a stream of this kind (final).
bool stream_feed(struct stream *s, struct view bytes) MUST_CHECK;

// The answer's body ended.
enum stream_end stream_finish(struct stream *s) MUST_CHECK;

// What a chunk of InvokeModelWithResponseStream tells: the event in it, unless it is long and
// therefore content. false: nothing.
bool stream_chunk_facts(struct facts *f, struct view payload);

#endif
