// SPDX-License-Identifier: Apache-2.0
// Inside of chat_messages: what the request leaves behind for the answer, and what its files
// share. Not for others.
#ifndef DIALECT_CHAT_MESSAGES_H
#define DIALECT_CHAT_MESSAGES_H

#include "dialect/chat_in.h"
#include "dialect/chat_out.h"

struct messages_plan { // how this model is to be asked
	enum { THINK_UNSAID, THINK_OFF, THINK_BUDGET, THINK_ADAPTIVE } think;
	uint64_t budget;
	const char *effort; // output_config.effort, NULL: unsaid
	uint64_t max_tokens;
	bool sampling;	  // temperature, top_p, top_k may be said
	bool native_json; // output_config.format
	bool json_tool;	  // the answer comes as a call of a tool of ours
	size_t turns;	  // those that are sent
};

enum messages_block { BLOCK_NONE, BLOCK_TEXT, BLOCK_THINKING, BLOCK_TOOL, BLOCK_JSON, BLOCK_OTHER };

struct messages_state {
	struct chat_names *names;
	char json_tool[32]; // name of our tool, "" when there is none
	struct chat_out out;
	bool has_out;
	bool said_json; // our tool was called
	enum messages_block block;
	uint64_t block_index;
	struct buf text;	       // a delta, decoded
	struct buf thought, signature; // of the open thinking block, decoded
};

bool chat_messages_plan(struct dialect *d, const struct chat *c, struct messages_plan *p,
    struct dialect_fault *f) MUST_CHECK;
bool chat_messages_body(struct dialect *d, const struct chat *c, const struct messages_plan *p,
    struct buf *out, struct dialect_fault *f) MUST_CHECK;
bool chat_messages_answer(struct dialect *d, struct view body, struct buf *out);
void chat_messages_event(
    struct dialect *d, struct view type, struct view data, bool is_error, struct buf *out);

#endif
