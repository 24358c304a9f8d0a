// SPDX-License-Identifier: Apache-2.0
// AWS event stream framing (application/vnd.amazon.eventstream), reader and
// writer; no I/O. The gateway reads Bedrock's streams with it, the demo provider
// writes them. Every integer on the wire is big-endian; the CRC is CRC-32 of IEEE
// 802.3. Sources: the "Event stream encoding" page of the Amazon Transcribe
// developer guide; limits as in awslabs/aws-c-event-stream.
#ifndef COMMON_EVENTSTREAM_H
#define COMMON_EVENTSTREAM_H

#include "common/base.h"
#include "common/mp.h"

#define EVENTSTREAM_MESSAGE_MAX	 ((size_t)24 << 20) // bytes, all included
#define EVENTSTREAM_HEADERS_MAX	 ((size_t)128 << 10)
#define EVENTSTREAM_HEADER_COUNT 128 // ours: bounds the search for duplicate names
#define EVENTSTREAM_OVERHEAD	 16  // prelude 12, message CRC 4

enum eventstream_result {
	EVENTSTREAM_NEED_MORE,
	EVENTSTREAM_MESSAGE,
	EVENTSTREAM_FAILED, // final: no resynchronisation is possible
};

enum eventstream_type {
	EVENTSTREAM_TRUE = 0,
	EVENTSTREAM_FALSE = 1,
	EVENTSTREAM_INT8 = 2,
	EVENTSTREAM_INT16 = 3,
	EVENTSTREAM_INT32 = 4,
	EVENTSTREAM_INT64 = 5,
	EVENTSTREAM_BYTES = 6,
	EVENTSTREAM_STRING = 7,	   // UTF-8
	EVENTSTREAM_TIMESTAMP = 8, // milliseconds since 1970
	EVENTSTREAM_UUID = 9,	   // 16 bytes
};

struct eventstream_header {
	struct view name;
	enum eventstream_type type;
	int64_t number;	   // integers, timestamp; 1 or 0 for true and false
	struct view bytes; // BYTES, STRING, UUID
};

// Views live until the next feed or free; in the input buffer or in the reader.
struct eventstream_message {
	struct view raw;     // the whole message, for pass-through
	struct view headers; // encoded; already checked, so iteration cannot fail
	struct view payload;
};

struct eventstream {
	struct eventstream_message message; // at EVENTSTREAM_MESSAGE
	const char *error;		    // at EVENTSTREAM_FAILED: static text

	// Private. Owns no heap memory between messages that come whole in one feed.
	size_t max;
	char *buf;
	size_t len, cap;
	size_t total; // 0 until the prelude is checked
	bool give_back;
};

// max 0: EVENTSTREAM_MESSAGE_MAX. Memory grows with bytes received, never with the
// length that a peer claims.
void eventstream_init(struct eventstream *e, size_t max);
void eventstream_free(struct eventstream *e); // safe twice, and on a zeroed struct

enum eventstream_result eventstream_feed(
    struct eventstream *e, const char *buf, size_t len, size_t *consumed_r) MUST_CHECK;

// Whether the stream may end here: between messages.
bool eventstream_clean(const struct eventstream *e);

// Iteration: start with *rest = message.headers; false at the end.
bool eventstream_next(struct view *rest, struct eventstream_header *h_r);
// Value of a STRING header by exact name; .p NULL when absent or of another type.
struct view eventstream_string(const struct eventstream_message *m, const char *name);

// --- writer: one message into dst[cap] ----------------------------------------

struct eventstream_out {
	char *buf; // the caller's
	size_t cap;
	size_t len;
	bool failed; // did not fit, or out of the format's limits
};

void eventstream_begin(struct eventstream_out *o, char *dst, size_t cap);
void eventstream_put_header(struct eventstream_out *o, const struct eventstream_header *h);
void eventstream_put_string(struct eventstream_out *o, const char *name, struct view value);
// Payload and both checksums. Returns the length of the message, or 0 if failed.
size_t eventstream_end(struct eventstream_out *o, struct view payload) MUST_CHECK;

// CRC-32 (IEEE, reflected 0xEDB88320, initial and final xor all ones) of p[0..n),
// continuing from the CRC of what came before (0 to start).
uint32_t eventstream_crc(uint32_t before, const char *p, size_t n);

#endif
