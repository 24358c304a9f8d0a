// SPDX-License-Identifier: Apache-2.0
// Incremental parser for server-sent events; no I/O. Finds event boundaries and
// gives name and data, and beside them the raw bytes for pass-through: the raw
// spans of all events, in order, are exactly the bytes of the stream, at any split
// of the input. Source: WHATWG HTML, section 9.2 (server-sent events).
//
// A block without data (a comment as keep-alive, a lone empty line) is reported
// too, with has_data false: the standard dispatches nothing for it, but a proxy
// passes it on.
#ifndef COMMON_SSE_H
#define COMMON_SSE_H

#include "common/base.h"
#include "common/mp.h"

#define SSE_EVENT_MAX ((size_t)1 << 20) // default limit of one event's raw bytes

enum sse_result {
	SSE_NEED_MORE,
	SSE_EVENT,
	SSE_TOO_LARGE, // one event is over the limit; final
};

// Views live until the next feed, eof or free; they lie in the caller's input
// buffer or in the parser.
struct sse_event {
	struct view raw;  // with line ends and the empty line
	struct view name; // value of the last `event` field; empty: "message"
	struct view data; // `data` values joined by LF; may hold any byte
	bool has_data;	  // at least one data field
	bool complete;	  // an empty line ended it; false only from sse_eof()
};

struct sse_parser {
	struct sse_event event; // at SSE_EVENT

	// Private. Owns no heap memory between events that come whole in one feed.
	size_t max;
	char *buf; // the event so far, when reads cut it
	size_t len, cap;
	char *joined; // several data lines
	size_t joined_cap;
	bool started;	// a byte of the stream was seen (the BOM is only first)
	bool line_used; // the current line has a byte
	bool last_cr;	// the line before ended in CR alone
	bool cr;	// a CR was seen, the next byte decides
	bool lead_lf;	// this event's raw bytes open with an LF that means nothing
	bool skip_lf;	// the next byte, if LF, belongs to the CR that ended the last event
	bool give_back; // buf holds an event that was already reported
	bool too_large;
};

// max 0: SSE_EVENT_MAX.
void sse_init(struct sse_parser *s, size_t max);
void sse_free(struct sse_parser *s); // safe twice, and on a zeroed struct

// Consumes up to the end of one event; call again with the rest after SSE_EVENT,
// and with new bytes after SSE_NEED_MORE (everything was consumed then).
enum sse_result sse_feed(
    struct sse_parser *s, const char *buf, size_t len, size_t *consumed_r) MUST_CHECK;

// The stream ended: SSE_EVENT with complete == false if bytes are left that no
// empty line ended (several servers omit it: accept the event if its data is whole
// JSON), else SSE_NEED_MORE. An event whose only missing byte was the LF of a last
// CR LF is given as complete.
enum sse_result sse_eof(struct sse_parser *s) MUST_CHECK;

#endif
