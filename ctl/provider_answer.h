// SPDX-License-Identifier: Apache-2.0
// One answer of the demo provider, as the dialects (provider_openai.c and so on)
// make it and the connection (provider_conn.c) sends it: either whole, or by one
// function that appends the next event each time it is asked, so that a long
// stream takes no memory and a slow reader holds it back.
#ifndef CTL_PROVIDER_ANSWER_H
#define CTL_PROVIDER_ANSWER_H

#include <event2/buffer.h>

#include "common/http_parse.h"
#include "ctl/provider_behave.h"
#include "ctl/provider_keys.h"

// One request, complete. `model` and `text` are borrowed from `json` or the path.
struct provider_call {
	const struct http_parser *http;
	struct view body;
	struct provider_keys *keys;
	uint64_t serial; // of the request, for ids
};

struct answer {
	unsigned status;
	const char *content_type;
	struct evbuffer *headers;  // further lines, each ending in CR LF
	struct evbuffer *body;	   // whole body; unused when event is set
	struct evbuffer *trailers; // NULL or lines; the answer is then chunked

	// Streams: appends what comes next to out; false when nothing is left.
	bool (*event)(struct answer *a, struct evbuffer *out);
	unsigned phase; // the event function's own

	struct provider_behave how;
	struct provider_text text;
	bool cut; // the stream ends without its end marker

	// For the event functions.
	uint64_t serial;
	int64_t created;
	char *model;
	uint64_t tokens_in;
	bool include_usage;
};

struct answer *provider_answer_new(uint64_t serial);
void provider_answer_free(struct answer *a); // NULL is allowed

// Sets model, behaviour, text (an echo of the call's headers where asked for) and
// token count from the parsed request.
void provider_answer_prepare(
    struct answer *a, const struct provider_call *call, struct view model, struct view said);

void provider_answer_header(struct answer *a, const char *name, const char *fmt, ...) PRINTF(3, 4);

// JSON string with its quotes.
void provider_answer_string(struct evbuffer *out, struct view v);
// The whole remaining text as one JSON string.
void provider_answer_text(struct answer *a, struct evbuffer *out);

enum piece { PIECE_TEXT, PIECE_END, PIECE_ERROR };

// The next piece of text for a stream. PIECE_ERROR once in the middle when the
// model name asked for it. After PIECE_END, a->cut says to omit the end marker.
enum piece provider_answer_piece(struct answer *a, struct view *v_r);

uint64_t provider_answer_tokens_out(const struct answer *a);

// For "status-NNN": true when a->status was set and an error must be written.
bool provider_answer_wants_error(struct answer *a);

#endif
