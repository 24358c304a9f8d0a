// SPDX-License-Identifier: Apache-2.0
// Translation between the APIs of providers: a request from the client's API to the
// provider's, its answer back, whole or event by event. One session is one attempt: it
// remembers what has to be put back in the answer (shortened tool names, the tool that
// stood in for JSON mode, whether the client asked for usage).
//
// Pure: text in, text out; no clock, no randomness, no I/O. What those would give comes in
// with struct dialect_request. Any split of a stream into calls gives the same output,
// because callers hand over whole events.
//
// Sources of the field names: OpenAI, Anthropic, Bedrock Runtime, Gemini and Vertex AI API
// references; each translator's header names the pages.
#ifndef DIALECT_DIALECT_H
#define DIALECT_DIALECT_H

#include "common/buf.h"
#include "common/jv.h"
#include "proto/ids.h"
#include "proto/msg.h"

// What is translated into what. NATIVE passes bytes through and is no session.
enum dialect_pair {
	DIALECT_NATIVE = 0,
	DIALECT_CHAT_MESSAGES,	      // OpenAI chat -> Anthropic Messages
	DIALECT_CHAT_RAW_PREDICT,     // OpenAI chat -> Claude on Vertex AI
	DIALECT_CHAT_CONVERSE,	      // OpenAI chat -> Bedrock Converse
	DIALECT_CHAT_GENERATE,	      // OpenAI chat -> Gemini generateContent (both hosts)
	DIALECT_MESSAGES_INVOKE,      // Anthropic Messages -> Claude on Bedrock (InvokeModel)
	DIALECT_MESSAGES_RAW_PREDICT, // Anthropic Messages -> Claude on Vertex AI
	DIALECT_COUNT_BEDROCK,	      // Anthropic count_tokens -> Bedrock CountTokens
	DIALECT_COUNT_RAW_PREDICT,    // Anthropic count_tokens -> Vertex AI count-tokens
	DIALECT_EMBED_GEMINI,	      // OpenAI embeddings -> batchEmbedContents
	DIALECT_EMBED_VERTEX,	      // OpenAI embeddings -> predict
	DIALECT_EMBED_BEDROCK,	      // OpenAI embeddings -> Titan or Cohere by InvokeModel
	// Same API; only the value of the body's "model" changes, the rest byte for byte. Such a
	// session translates requests only: the caller passes answers and events natively.
	DIALECT_MODEL_IN_BODY,
	// The same for the body's "anthropic_version" at Bedrock: clients that write 2026-10-21,
	// models that know bedrock-2023-05-31 only. What the newer version took away the older
	// one ignores or has.
	DIALECT_VERSION_IN_BODY,
	DIALECT_PAIR_COUNT,
};

// Rules of the model, from the catalogue (struct msg_catalogue_model). Borrowed for the
// life of the session.
struct dialect_model {
	struct view asked;    // as the client named it; goes into answers
	struct view upstream; // as the provider is asked
	uint64_t max_output;  // tokens, 0: unknown
	enum model_thinking thinking;
	unsigned flags; // enum model_flag
	struct view betas;
};

struct dialect_request {
	enum dialect_pair pair;
	struct dialect_model model;
	struct view body;   // checked by jv_check; must live as long as the session
	bool stream;	    // the upstream answer will be a stream
	bool strict_params; // refuse what the target lacks instead of leaving it out
	uint64_t now_s;	    // Unix time, for `created`
	const char *id;	    // this request's id, for `id` where the provider gives none
	// Client's anthropic-version and anthropic-beta headers, "" when absent.
	struct view anthropic_version, anthropic_beta;
	struct dialect_memory *memory; // thought signatures by tool call id; may be NULL
};

// Why a request cannot be translated: 400 for the client.
struct dialect_fault {
	const char *code;  // "unsupported_parameter", "invalid_value", ...
	char param[64];	   // "messages[3].content", "" when none
	char message[256]; // says what to write instead
};

// What the answer costs; native counts, so that a price can be computed.
struct dialect_usage {
	uint64_t input; // not cached
	uint64_t cache_read;
	uint64_t cache_write;
	uint64_t output;    // all of it, reasoning too
	uint64_t reasoning; // part of output
};

enum dialect_end {
	DIALECT_OPEN,	  // more must come
	DIALECT_COMPLETE, // the terminal event was seen
	DIALECT_FAILED,	  // an error event was seen: failure says which
};

// An upstream error inside a stream, or a body that says error with status 200.
struct dialect_failure {
	char type[64]; // the provider's own code or type
	char message[512];
};

struct dialect;

// Which pair serves an operation that a client asked for at a provider's operation.
// false: none does (a mistake of the catalogue).
bool dialect_pair_of(enum operation asked, enum provider provider, enum operation upstream,
    bool renamed, enum dialect_pair *pair_r) MUST_CHECK;

// NULL and *f: the request cannot be translated. On success out holds the upstream body.
struct dialect *dialect_new(
    const struct dialect_request *r, struct buf *out, struct dialect_fault *f) MUST_CHECK;
void dialect_free(struct dialect *d); // NULL is allowed

// Names of parameters that were left out, comma-separated, for x-sallyport-dropped-params.
struct view dialect_dropped(const struct dialect *d);
// Headers that the upstream request needs (anthropic-version, anthropic-beta, ...); values
// live as long as the session. Returns how many were written.
size_t dialect_headers(const struct dialect *d, struct msg_named *header, size_t max);

// A whole answer with status 2xx. false: it is not what the API promises (502), or an
// error in disguise: dialect_failure().
bool dialect_answer(struct dialect *d, struct view body, struct buf *out) MUST_CHECK;

// One event of a stream: SSE name and data, or event-stream event type and payload
// (exceptions: type is the exception type, is_error). Appends whole SSE events of the
// client's API to out; may append nothing.
enum dialect_end dialect_event(
    struct dialect *d, struct view type, struct view data, bool is_error, struct buf *out);
// The upstream body ended cleanly by its framing. COMPLETE appends the closing events; OPEN
// means that it was cut: the caller writes the error event.
enum dialect_end dialect_finish(struct dialect *d, struct buf *out);

// True once content has been appended: from here on no other attempt may serve.
bool dialect_has_content(const struct dialect *d);
const struct dialect_usage *dialect_usage(const struct dialect *d);
const struct dialect_failure *dialect_failure(const struct dialect *d); // NULL: none
const char *dialect_stop_reason(const struct dialect *d); // the provider's own word, "" if none

// --- thought signatures -------------------------------------------------------------
// Gemini 3 refuses a history whose function calls lost their signature, and OpenAI
// clients drop what they do not know. Bounded, per worker, both in entries and in bytes (2
// KiB for each entry on the mean); what was longest not used goes first. Signatures above
// 64 KiB are not kept.
struct dialect_memory *dialect_memory_new(size_t entries);
void dialect_memory_free(struct dialect_memory *m);
// scope: keyed by the client's key, so that tenants do not see each other's.
void dialect_memory_scope(struct dialect_memory *m, struct view scope);
void dialect_memory_put(struct dialect_memory *m, struct view call_id, struct view signature);
// "" if unknown; valid until the next put.
struct view dialect_memory_get(struct dialect_memory *m, struct view call_id);

#endif
