// SPDX-License-Identifier: Apache-2.0
// One attempt's translation: the body and headers that go to the provider in place of the
// client's, and the way back for its answer. Pure but for the clock, the worker's counters
// and its memory of thought signatures.
#ifndef GATEWAYD_TRANSLATE_H
#define GATEWAYD_TRANSLATE_H

#include "common/eventstream.h"
#include "common/sse.h"
#include "dialect/dialect.h"
#include "gatewayd/errors.h"
#include "gatewayd/facts.h"
#include "gatewayd/plans.h"

#define TRANSLATE_ANSWER_MAX (64U << 20) // bytes of a whole answer that is translated

struct worker;

struct translation {
	struct dialect *d;  // NULL: begin failed
	bool native_answer; // only the model's name in the request is changed
	struct buf body;    // for the provider; empty once dropped
	size_t body_len;
	uint8_t sha256[32];
	size_t header_count;
	struct msg_named header[MSG_HEADERS_MAX];
	struct buf out; // for the client; the caller clears it

	// Private.
	struct worker *w;
	struct facts *facts;
	struct catalog *catalogue; // d borrows from these two
	struct plan *plan;
	size_t counted;		    // bytes of body and out that the worker's limits know of
	bool crowded;		    // they did not allow more
	struct dialect_fault fault; // what a failure's texts point into
	enum dialect_end end;
	bool parsing, sse; // what `in` holds
	union {
		struct sse_parser sse;
		struct eventstream es;
	} in;
};

// Translates the request for this attempt; *t (NULL, or of an earlier attempt) becomes
// NULL when the client's bytes go as they are. r must outlive it, and so must r's body
// unless native_answer is set. false: this attempt cannot serve the request; f lives until
// the next begin or end.
bool translate_begin(struct translation **t, struct worker *w, const struct request *r,
    struct plan *p, size_t attempt, struct failure *f) MUST_CHECK;
void translate_end(struct translation **t); // *t may be NULL

// Frees the provider's body: it was sent and cannot be needed again.
void translate_drop_body(struct translation *t);

// Whether the answer has to be translated; t may be NULL.
bool translate_answers(const struct translation *t);

// The worker holds as much as it may: why an answer or a feed was refused.
bool translate_crowded(const struct translation *t);

// A whole answer of success; out holds the client's. false: dialect_failure(d) says why, or
// it is not what the API promises.
bool translate_answer(struct translation *t, struct view body) MUST_CHECK;

// sse: else AWS event stream. facts: learns of the events' counts.
void translate_stream(struct translation *t, bool sse, struct facts *facts);
// Appends to out. false: the bytes are no such stream (final).
bool translate_feed(struct translation *t, struct view in) MUST_CHECK;
// How far the stream is after all that was fed.
enum dialect_end translate_state(const struct translation *t);
// The body ended. Never OPEN for a stream that is whole.
enum dialect_end translate_finish(struct translation *t) MUST_CHECK;

// "provider/model" without the provider.
struct view translate_without_provider(struct view model);

// Names of parameters that the provider's API lacks; empty: none.
struct view translate_dropped(const struct translation *t);

#endif
