// SPDX-License-Identifier: Apache-2.0
// What the gateway learns from an answer in passing, without keeping it: token
// counts, the type of a stream event, the code of an error. Field names as in the
// OpenAI, Anthropic, Bedrock and Gemini references. Pure.
#ifndef GATEWAYD_FACTS_H
#define GATEWAYD_FACTS_H

#include "gatewayd/json_scan.h"

#define FACTS_WORD_MAX 48U

// What an answer used, so that it can be priced: each token is in one of the counts.
struct facts_usage {
	bool known;	// the provider said
	uint64_t input; // neither read from a cache nor written to one
	uint64_t cache_read;
	uint64_t cache_write;	 // kept for five minutes
	uint64_t cache_write_1h; // kept for an hour
	uint64_t output;	 // reasoning and thoughts too
	uint64_t reasoning;	 // the part of output that says so
	// Something that list prices for tokens do not cover: another service tier than the
	// standard one, provisioned throughput, sound, a search that is paid by the piece.
	bool special;
};

struct facts {
	// Latest values seen; streams repeat them cumulatively, and a later 0 takes nothing
	// back. Under the names of their APIs: input holds what was cached or not, see
	// facts_usage().
	uint64_t input, cache_read, cache_write, cache_write_1h, output, reasoning, thoughts;
	uint64_t cached_inside, written_inside; // parts of input
	uint64_t tool_input;			// Gemini: beside input
	bool counted;				// any of them was seen
	bool inclusive;				// input holds what was cached
	bool special;

	// Of the last JSON text only.
	char type[FACTS_WORD_MAX];	 // top-level "type", "" if none or not a plain word
	bool has_error;			 // a top-level "error" object with members, or text
	char error_code[FACTS_WORD_MAX]; // error.code, else error.type, else ""

	// Private.
	struct json_scan *scan; // only while a text comes in pieces
	bool has_code;
	uint64_t detail_count, detail_1h; // Converse's cacheDetails
	int detail_ttl;
	bool detail_counted;
};

void facts_init(struct facts *f);
void facts_free(struct facts *f);

// One JSON text, in pieces; the first one begins it.
void facts_feed(struct facts *f, struct view bytes);
bool facts_end(struct facts *f); // whether it was one valid JSON text

// One JSON text, whole.
bool facts_json(struct facts *f, struct view text);

void facts_usage(const struct facts *f, struct facts_usage *u_r);

// Totals for accounting: input includes what was read from or written to a cache.
uint64_t facts_tokens_in(const struct facts *f);
uint64_t facts_tokens_out(const struct facts *f);

#endif
