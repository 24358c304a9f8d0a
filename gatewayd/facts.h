// SPDX-License-Identifier: Apache-2.0
// What the gateway learns from an answer in passing, without keeping it: token
// counts, the type of a stream event, the code of an error. Field names as in the
// OpenAI, Anthropic, Bedrock and Gemini references. Pure.
#ifndef GATEWAYD_FACTS_H
#define GATEWAYD_FACTS_H

#include "gatewayd/json_scan.h"

#define FACTS_WORD_MAX 48U

struct facts {
	// Latest values seen; streams repeat them cumulatively.
	uint64_t input, cache_read, cache_write, output, thoughts;

	// Of the last JSON text only.
	char type[FACTS_WORD_MAX];	 // top-level "type", "" if none or not a plain word
	bool has_error;			 // a top-level "error" object with members, or text
	char error_code[FACTS_WORD_MAX]; // error.code, else error.type, else ""

	// Private.
	struct json_scan *scan; // only while a text comes in pieces
	bool has_code;
};

void facts_init(struct facts *f);
void facts_free(struct facts *f);

// One JSON text, in pieces; the first one begins it.
void facts_feed(struct facts *f, struct view bytes);
bool facts_end(struct facts *f); // whether it was one valid JSON text

// One JSON text, whole.
bool facts_json(struct facts *f, struct view text);

// Totals for accounting: input includes what was read from or written to a cache.
uint64_t facts_tokens_in(const struct facts *f);
uint64_t facts_tokens_out(const struct facts *f);

#endif
