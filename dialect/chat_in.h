// SPDX-License-Identifier: Apache-2.0
// Reading an OpenAI chat completion request: the message list brought into the form that
// all targets share, so that no translator repeats it. Turns alternate, tool results of
// one round stand together, system text is apart, blank parts are gone.
//
// Source: OpenAI API reference, "Create chat completion". Pure.
#ifndef DIALECT_CHAT_IN_H
#define DIALECT_CHAT_IN_H

#include "dialect/side.h"

enum chat_part_kind {
	CHAT_TEXT,	  // text
	CHAT_IMAGE_DATA,  // mime, data (base64, standard alphabet, padded)
	CHAT_IMAGE_URL,	  // url
	CHAT_FILE_DATA,	  // mime, data, name
	CHAT_AUDIO,	  // mime ("audio/wav"), data
	CHAT_TOOL_CALL,	  // call_id, name, arguments (JSON object text)
	CHAT_TOOL_RESULT, // call_id, name (looked up), parts: text, json_result
	CHAT_REASONING,	  // text, signature (as given back by the client)
};

// Views point into the request body or into struct chat's own texts.
struct chat_part {
	enum chat_part_kind kind;
	struct view text;
	struct view mime;
	struct view data;
	struct view url;
	struct view name;
	struct view call_id;
	struct view arguments;
	struct view signature; // reasoning: Claude's; tool call: Gemini's; "" if none
	struct view format;    // reasoning: whose it is ("anthropic-claude-v1"), "" unknown
	bool redacted;	       // reasoning: data is opaque (Claude redacted_thinking)
	bool is_object;	       // tool result: text is a JSON object
	size_t first_extra, extra_count; // tool result: images and files in it, in chat.extra
	size_t message;			 // index in the client's list, for error messages
};

struct chat_turn {
	bool assistant;	     // else user
	size_t first, count; // in chat.part
};

struct chat_tool {
	struct view name;	 // decoded, as the client wrote it
	struct view description; // decoded, "" if none
	struct jv parameters;	 // absent: none
	bool strict;
	bool custom; // free-form: one string argument named "input"
};

enum chat_choice { CHOICE_NONE_GIVEN, CHOICE_AUTO, CHOICE_NONE, CHOICE_REQUIRED, CHOICE_TOOL };
enum chat_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA };
enum chat_effort {
	EFFORT_UNSET,
	EFFORT_NONE,
	EFFORT_MINIMAL,
	EFFORT_LOW,
	EFFORT_MEDIUM,
	EFFORT_HIGH,
	EFFORT_XHIGH,
	EFFORT_MAX
};

struct chat {
	struct jv messages;
	struct jv rest;		// object: all members but messages and tools, which may be long
	struct chat_part *part; // owned
	size_t part_count;
	struct chat_part *extra; // owned
	size_t extra_count;
	struct chat_turn *turn; // owned; alternating, first is user, none is empty
	size_t turn_count;
	struct view *system; // owned; system and developer texts in order
	size_t system_count;
	struct chat_tool *tool; // owned; already filtered by allowed_tools
	size_t tool_count;
	bool history_has_tools; // some turn holds a call or a result
	enum chat_choice choice;
	struct view choice_tool;
	bool parallel_off;   // parallel_tool_calls: false
	uint64_t max_tokens; // 0: not given
	struct jv temperature, top_p, top_k, seed, presence_penalty, frequency_penalty;
	struct jv stop;		   // string or array, or absent
	struct view stop_text[16]; // decoded, blank ones left out
	size_t stop_count;
	enum chat_effort effort;
	enum chat_format format;
	struct jv schema; // FORMAT_SCHEMA
	struct view schema_name;
	bool stream;
	bool include_usage;
	struct view user; // user or safety_identifier, "" if none
	struct view service_tier;
	struct buf *texts; // owned chunks that views point into
	size_t texts_count;
};

// Reads d->r.body. false and *f: malformed, or something no target can express (file_id,
// n > 1). Parameters that a translator does not handle itself (seed, logit_bias, ...) it
// reports with side_drop.
bool chat_in_read(struct dialect *d, struct chat *c, struct dialect_fault *f) MUST_CHECK;
void chat_in_free(struct chat *c);

// Tool names for the target: [a-zA-Z0-9_-]{1,max}; others are shortened reversibly. The
// map lives in the session's state and is asked again for the answer.
struct chat_names; // opaque
struct chat_names *chat_names_new(const struct chat *c, size_t max, bool dots_allowed) MUST_CHECK;
void chat_names_free(struct chat_names *n);
struct view chat_names_out(const struct chat_names *n, struct view client_name); // to the provider
struct view chat_names_back(const struct chat_names *n, struct view upstream_name);
// A call id as [a-zA-Z0-9_-]{1,64}: unchanged, or shortened the same way each time. There is
// no way back and none is needed: ids in answers are the provider's.
void chat_names_call_id(struct view id, char out[65]);

#endif
