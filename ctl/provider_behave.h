// SPDX-License-Identifier: Apache-2.0
// What the demo provider does with a request is chosen by the model's name (its
// last part after '/' or '.'), so that a test can drive it through any gateway:
//
//	echo-headers	all request headers, Authorization included, come back in answer
//			headers (x-echo-NAME), in the text, and in trailers
//	echo-split-N	the same in the text alone; the body goes out in chunks of N bytes, and
//			in TLS records of N bytes
//	count-N		N content events
//	bytes-N		an answer text of N bytes
//	slow-MS		one content event every MS milliseconds; MS before a whole answer
//	stamp-N-MS	N content events MS milliseconds apart, each the CLOCK_MONOTONIC time of
//			its sending in nanoseconds
//	drip-N		head and body go out N bytes at a time, one TLS record each
//	hang		no answer ever
//	status-NNN	that status, in the provider's own error shape
//	truncate	the TCP connection dies in the middle of the body, without TLS close
//	truncate-tls	the same with a TLS close
//	truncate-marker	a complete HTTP answer without the stream's end marker
//	stream-error	an error event in the middle of a stream
//
// Any other name answers "You said: " and the last user message.
#ifndef CTL_PROVIDER_BEHAVE_H
#define CTL_PROVIDER_BEHAVE_H

#include "common/mp.h"

enum provider_behave_kind {
	BEHAVE_NORMAL,
	BEHAVE_ECHO,
	BEHAVE_ECHO_SPLIT,
	BEHAVE_COUNT,
	BEHAVE_BYTES,
	BEHAVE_SLOW,
	BEHAVE_STAMP,
	BEHAVE_DRIP,
	BEHAVE_HANG,
	BEHAVE_STATUS,
	BEHAVE_TRUNCATE,
	BEHAVE_TRUNCATE_TLS,
	BEHAVE_TRUNCATE_MARKER,
	BEHAVE_STREAM_ERROR,
};

struct provider_behave {
	enum provider_behave_kind kind;
	uint64_t n;
	uint64_t pause_ms; // between two events; 0: none
};

struct provider_behave provider_behave_of(struct view model);

// The answer's text, given out in pieces (one content event each).
struct provider_text {
	char *text; // owned; NULL when `filler` counts instead
	size_t len;
	size_t at;
	size_t piece_max;      // bytes of a longer word are cut
	uint64_t filler;       // bytes of filler still to give
	uint64_t filler_piece; // bytes of filler in one piece
	uint64_t total;	       // bytes of the whole text
	uint64_t stamps;       // still to give
	char stamp[24];
	uint64_t pieces; // given out so far
};

// text is copied.
void provider_text_init(struct provider_text *t, struct provider_behave how, struct view text);
void provider_text_free(struct provider_text *t);

// The next piece (whole UTF-8 characters); false at the end.
bool provider_text_next(struct provider_text *t, struct view *piece_r);

#endif
