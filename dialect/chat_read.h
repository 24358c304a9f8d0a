// SPDX-License-Identifier: Apache-2.0
// Inside of chat_in: the reader's state and what its files share. Not for translators.
#ifndef DIALECT_CHAT_READ_H
#define DIALECT_CHAT_READ_H

#include "dialect/chat_in.h"

// More than any real request has. They bound the memory that a body of many tiny messages
// could take, which is otherwise forty times its size.
#define CHAT_MESSAGES_MAX 100000U
#define CHAT_PARTS_MAX	  200000U
#define CHAT_TOOLS_MAX	  1024U
// Text that is moved out of a string gets deeper by what stands around it.
#define CHAT_ARGUMENTS_DEPTH_MAX (JV_DEPTH_MAX - 16U)

struct chat_call { // of the last assistant turn
	struct view id, name;
};

struct chat_reader {
	struct dialect *d;
	struct chat *c;
	struct dialect_fault *f;
	char where[48];		// "messages[3]": begins the param of faults
	size_t message;		// its index
	size_t pieces;		// parts, calls and reasoning blocks so far
	struct chat_call *call; // owned; sorted by id; of the turn call_turn
	size_t call_count;
	size_t call_turn;      // index + 1, 0: none
	struct view legacy_id; // of the last function_call
	struct view legacy_name;
};

// One member of an object and where its value goes. null counts as absent.
struct chat_field {
	const char *name;
	size_t at; // offset of a struct jv
};
// Reads all members in one pass (bodies are large, and each look-up walks the object).
// other: called for names that are not in the table, may be NULL; false ends the walk.
bool chat_read_members(struct jv object, const struct chat_field *field, size_t count, void *into,
    bool (*other)(void *cookie, struct view name, struct jv value), void *cookie);

// Room for one more element behind count: the array grows at powers of two.
void *chat_read_grow(void *array, size_t count, size_t size);
// Decoded text: in place where nothing is escaped, else a chunk of its own in c->texts.
struct view chat_read_text(struct chat *c, struct jv string);
struct buf *chat_read_chunk(struct chat *c); // an empty text, freed with c; valid until the next
bool chat_read_blank(struct view text);	     // nothing but white space

// false, with param = where + suffix.
bool chat_read_fault(
    struct chat_reader *r, const char *code, const char *suffix, const char *fmt, ...) PRINTF(4, 5);

// Counts one more part, call or reasoning block; a fault above CHAT_PARTS_MAX.
bool chat_read_room(struct chat_reader *r);

// chat_turns.c: messages -> turns, parts, system.
bool chat_read_messages(struct chat_reader *r, struct jv messages);
// chat_parts.c: one content part (text, image, file, audio, refusal) into *p, zeroed before.
// index: its place in the content array. kind CHAT_TEXT with blank text: leave it out.
bool chat_read_part(struct chat_reader *r, struct jv part, size_t index, struct chat_part *p);
// chat_reasoning.c: what the client gives back of an assistant's reasoning, through add.
struct chat_reasoning {
	struct jv details;	   // reasoning_details
	struct jv thinking_blocks; // the same in another de facto form
	struct jv content;	   // reasoning_content or reasoning: text only
};
bool chat_read_reasoning(struct chat_reader *r, const struct chat_reasoning *from,
    void (*add)(struct chat_reader *r, const struct chat_part *p));
// chat_tools.c: one tool call of an assistant into *p.
bool chat_read_call(struct chat_reader *r, struct jv call, size_t index, struct chat_part *p);
bool chat_read_arguments(
    struct chat_reader *r, struct jv string, const char *suffix, struct view *arguments_r);
struct chat_tools {
	struct jv tools, tool_choice, functions, function_call;
};
bool chat_read_tools(struct chat_reader *r, const struct chat_tools *from);

#endif
