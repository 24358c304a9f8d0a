// SPDX-License-Identifier: Apache-2.0
// The struct behind an exchange, for exchange.c (its course), attempt.c, use.c (USE and
// body) and record.c (its record) only.
#ifndef GATEWAYD_EXCHANGE_STATE_H
#define GATEWAYD_EXCHANGE_STATE_H

#include <event2/event_struct.h>

#include "gatewayd/answer.h"
#include "gatewayd/exchange.h"
#include "gatewayd/lane.h"

#define EXCHANGE_MAGIC 0x65786368U

struct exchange {
	unsigned magic;
	struct worker *w;
	struct client *client; // NULL: served, or gone
	struct request *r;
	TAILQ_ENTRY(exchange) link;
	struct event timer;
	uint64_t last_ns; // when something last happened that was waited for
	uint64_t beat_ns; // of the last heartbeat; 0: the timer does not wait for one yet

	uint64_t id; // of the AUTHORIZE; 0: the vault that knew it is gone
	struct plan_key key;
	struct plan *plan; // from the cache until PLAN came
	size_t attempt;
	unsigned previous_status;
	enum error_class previous_class;

	struct waiter waiter;
	struct lane *lane;
	struct translation *t; // of the attempt; NULL: the client's bytes go as they are
	size_t body_sent;
	size_t owed; // answer bytes that the client is too slow for: not granted yet

	bool planned;	// PLAN came
	bool use_sent;	// USE is out; GO or DENY will come
	bool went;	// GO came for the current attempt: it needs a record
	bool reused;	// the lane served others before
	bool retried;	// started over once already
	bool repeated;	// the current attempt runs for the second time, with another key
	bool restart;	// start over as soon as GO or DENY is here
	bool use_again; // the timer sends USE once more
	bool holding;	// the answer of an earlier attempt is kept, in case
	bool overtook;	// the answer came or broke before GO: what follows is decided then
	bool ended;	// nothing to do but wait for GO or DENY
	bool client_closed;
	unsigned mismatches;
	uint64_t audit_seq;

	enum audit_result result;
	char error_code[65];
	struct answer a;
};

// Asks the vault anew; USE and body follow at once if they can.
void exchange_authorize(struct exchange *x);

// USE for the current attempt on x->lane (use.c).
void use_send(struct exchange *x);
// As much of the body as the lane takes now.
void use_body(struct exchange *x);
// How long that body is.
size_t use_body_len(const struct exchange *x);
// Frees the body if the request cannot have to be sent again.
void use_drop_body(struct exchange *x);

// key.complete to auditd and SETTLE to the vault for the current attempt (record.c).
void record_attempt(const struct exchange *x);

#endif
