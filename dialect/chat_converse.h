// SPDX-License-Identifier: Apache-2.0
// OpenAI chat completions -> Bedrock Converse and ConverseStream: what the files of this
// translator share. chat_converse.c decides and writes the request's parameters,
// chat_converse_turns.c its messages, chat_converse_answer.c reads answers and events.
//
// Choices where Converse has no equal:
// - No tools in the request but in its history, or tool_choice "none": Converse knows no
//   "none" and refuses tool blocks without toolConfig. Old calls and results are written
//   as text and toolConfig is left out, so that no call can come back.
// - JSON mode without native schemas: a tool that stands in for the answer is forced, and
//   its input becomes the answer's text. With tools of the client beside it the model must
//   call one of them or answer through it; a tool that the client forces wins.
// - Reasoning goes back only with its signature. A forced tool switches thinking off where
//   that can be done, since Claude refuses the two together.
// - https image URLs are refused: the gateway fetches nothing on a client's word.
// Numbers and arguments are moved as text.
//
// Sources: Amazon Bedrock API reference, Converse, ConverseStream, ContentBlock, Tool;
// Bedrock user guide, "Inference request parameters and response fields" for Claude.
#ifndef DIALECT_CHAT_CONVERSE_H
#define DIALECT_CHAT_CONVERSE_H

#include "dialect/chat_in.h"
#include "dialect/chat_out.h"

#define CONVERSE_NAME_MAX      64U
#define CONVERSE_CLAUDE_FORMAT "anthropic-claude-v1" // of reasoning_details

enum converse_block {
	CONVERSE_NO_BLOCK,
	CONVERSE_TEXT,
	CONVERSE_REASONING,
	CONVERSE_TOOL,
	CONVERSE_JSON, // the tool that stands in for JSON mode
	CONVERSE_HIDDEN,
};

struct converse {
	struct chat_names *names;
	struct chat_out out;
	char json_tool[CONVERSE_NAME_MAX + 1]; // stands in for JSON mode; "": none
	bool said_json;			       // it was called: a second call is not told
	// Stream: the block that is being received.
	enum converse_block block;
	uint64_t index;
	bool json_has_text;
	struct buf reasoning, signature;
	bool stopped; // messageStop was seen
};

// What is decided before anything is written.
struct converse_request {
	struct dialect *d;
	const struct chat *c;
	struct converse *s;
	struct buf *out;
	struct dialect_fault *f;
	bool tools;	// the client's tools are sent
	bool json_tool; // the stand-in is sent
	bool native_schema;
	bool forced;	  // some tool must be called
	bool thinking;	  // Claude's thinking is switched on
	uint64_t budget;  // of thinking tokens
	size_t turns;	  // that are sent
	size_t documents; // so far, for unique names
};

// With a budget the last assistant turn of a tool round must begin with its own signed
// thinking; clients that dropped it get an answer without thinking instead of a 400.
bool chat_converse_lost_reasoning(const struct chat *c);

// "messages":[...]
bool chat_converse_put_turns(struct converse_request *w) MUST_CHECK;

bool chat_converse_answer(struct dialect *d, struct view body, struct buf *out);
void chat_converse_event(
    struct dialect *d, struct view type, struct view data, bool is_error, struct buf *out);
void chat_converse_finish(struct dialect *d, struct buf *out);

#endif
