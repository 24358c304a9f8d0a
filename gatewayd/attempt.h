// SPDX-License-Identifier: Apache-2.0
// One exchange's attempts, for exchange.c only.
#ifndef GATEWAYD_ATTEMPT_H
#define GATEWAYD_ATTEMPT_H

#include "gatewayd/answer.h"
#include "gatewayd/exchange.h"

// Translates the request for the current attempt and gets a lane; fails the exchange when
// it cannot be translated.
void attempt_begin(struct exchange *x);
// USE on this lane; the request is translated already.
void attempt_use(struct exchange *x, struct lane *l);

// After a failure of this class that the vault knows of: true if the same attempt or the
// next one was begun. status: what the vault is told of it.
bool attempt_after(struct exchange *x, enum error_class c, unsigned status) MUST_CHECK;

// Whether anything can follow the current attempt but the client's answer.
bool attempt_may_follow(const struct exchange *x);

// Starts the whole request anew on a fresh lane, once. The vault authorizes it like any
// other.
void attempt_start_over(struct exchange *x);

void attempt_on_answer(struct exchange *x, enum answer_result r);

// The answer is an error or broken, and GO is there or cannot come: the next attempt, or
// else what there is.
void attempt_mend(struct exchange *x);
// The next attempt did not come about: the client gets the answer of the last one.
void attempt_deliver_held(struct exchange *x);
// The next attempt runs: the held answer is history.
void attempt_forget_held(struct exchange *x);

#endif
