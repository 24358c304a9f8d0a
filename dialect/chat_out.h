// SPDX-License-Identifier: Apache-2.0
// Writing OpenAI chat completion answers: whole, and as the exact sequence of chunks that
// the official SDKs expect: role, deltas, finish_reason, usage on request, [DONE]. All
// translators into the chat API write through this, so that ids, indexes and order are
// right in one place.
//
// Source: OpenAI API reference, "The chat completion object" and "... chunk object". Pure.
#ifndef DIALECT_CHAT_OUT_H
#define DIALECT_CHAT_OUT_H

#include "dialect/side.h"

struct chat_out {
	struct dialect *d;
	char id[128];	 // "chatcmpl-..." or the provider's
	char model[256]; // what the answer names
	bool include_usage;
	bool no_usage;	// the provider never said: no usage is written
	bool begun;	// role chunk is out
	size_t tools;	// tool calls so far; the next one's index
	bool tool_open; // arguments of tool (tools - 1) may still come
	bool tool_has_arguments;
	// Whole answers collect here, streams write at once.
	bool stream;
	struct buf content, reasoning, calls, details; // texts, escaped; calls: JSON elements
	bool has_content, has_reasoning;
	struct buf head; // what all chunks of a stream begin with
};

// id: "" makes "chatcmpl-" + the request's id. model: "" takes what the client asked for.
void chat_out_init(struct chat_out *o, struct dialect *d, bool include_usage);
void chat_out_free(struct chat_out *o);
// Before the role chunk; later ones are ignored, because all chunks carry the same.
void chat_out_id(struct chat_out *o, struct view id);
void chat_out_model(struct chat_out *o, struct view model);

// Each appends chunks when streaming (out), or collects. Texts are decoded UTF-8.
void chat_out_begin(struct chat_out *o, struct buf *out); // role chunk; once, implied by the rest
void chat_out_text(struct chat_out *o, struct view text, struct buf *out);
void chat_out_reasoning(struct chat_out *o, struct view text, struct buf *out);
// A piece for reasoning_details: signature or opaque data; details is one JSON object.
void chat_out_detail(struct chat_out *o, struct view json_object, struct buf *out);
// A call begins; it ends the one before. id: "" makes "call_" + the request's id + its
// index. extra: JSON object for tool_calls[].extra_content, or "".
void chat_out_call(
    struct chat_out *o, struct view id, struct view name, struct view extra, struct buf *out);
// More of its arguments: JSON text, in pieces.
void chat_out_arguments(struct chat_out *o, struct view json_text, struct buf *out);
void chat_out_call_end(struct chat_out *o, struct buf *out); // writes {} when there were none

// reason: one of stop, length, tool_calls, content_filter. When calls were written and the
// reason is stop it becomes tool_calls. native: the provider's own word. Streams: finish
// chunk, usage chunk if asked, [DONE]. Whole: the completion object. Usage is the session's.
void chat_out_finish(struct chat_out *o, const char *reason, const char *native, struct buf *out);

#endif
