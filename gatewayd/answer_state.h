// SPDX-License-Identifier: Apache-2.0
// Between the files of an answer: answer.c (its course), answer_head.c (the head that the
// client gets) and answer_foreign.c (answers that are translated).
#ifndef GATEWAYD_ANSWER_STATE_H
#define GATEWAYD_ANSWER_STATE_H

#include "gatewayd/answer.h"
#include "proto/upstream_error.h"

// Writes the head; length: of the body if it is known, else -1.
void answer_begin(struct answer *a, int64_t length);

// A piece of the body, in whatever framing the head announced.
void answer_emit(struct answer *a, struct view bytes);

// Ends the body.
enum answer_result answer_whole(struct answer *a);

// ANSWER_FAILED with this failure.
enum answer_result answer_failed(
    struct answer *a, unsigned status, const char *code, struct view message);

// Collects a body that is not passed on at once; false: too large for the worker.
bool answer_hold(struct answer *a, struct view bytes) MUST_CHECK;

// What the held body of an error says.
void answer_read_error(const struct answer *a, struct upstream_error *e);

// The answer is whole, and its class known: held for a further step, or handed over.
// status: what the vault would be told of it.
enum answer_result answer_settle(struct answer *a, unsigned status);

// --- answers of another API (answer_foreign.c) -----------------------------------------

enum answer_result answer_foreign_head(struct answer *a, bool sse, bool eventstream);
enum answer_result answer_foreign_body(struct answer *a, struct view bytes);
enum answer_result answer_foreign_end(struct answer *a);

#endif
