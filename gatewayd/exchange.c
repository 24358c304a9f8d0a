// SPDX-License-Identifier: Apache-2.0
// The course of one request. May touch: its client, its lane, the vault's and
// auditd's channels.
//
//   AUTHORIZE --PLAN--> lane --USE, BODY--> GO, answer --> record, SETTLE
//
// When an earlier plan tells which credential will serve and a lane of it is idle,
// USE and BODY leave together with AUTHORIZE.
#include "gatewayd/exchange.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "gatewayd/attempt.h"
#include "gatewayd/audit.h"
#include "gatewayd/exchange_end.h"
#include "gatewayd/exchange_state.h"
#include "gatewayd/models.h"
#include "gatewayd/retry.h"
#include "gatewayd/vault.h"

#define VAULT_WAIT_NS	    10000000000ULL // PLAN, GO or DENY must come within
#define CLIENT_BACKLOG_HIGH (64U * 1024U)
#define MISMATCH_TRIES_MAX  40U
#define MISMATCH_WAIT_US    1000
#define LISTING_MAX	    (4U << 20)

// --- from the vault ----------------------------------------------------------------

// The key is good, and the gateway answers a listing by itself.
static void
answer_locally(struct exchange *x)
{
	struct failure unknown = {.status = 404,
	    .code = "model_not_found",
	    .message = VIEW("There is no such model here, or your key may not use it. GET "
			    "/v1/models lists what there is."),
	    .final = true};
	struct buf body;
	buf_init(&body, LISTING_MAX);
	exchange_end_lane(x, x->body_sent == 0);
	if (!models_listing(x->r->op))
		exchange_end_fail_vault(x);
	else if (models_write(x->r, x->w->catalogue.present, x->plan, &body))
		exchange_end_local(x, buf_done(&body));
	else
		exchange_end_fail(x, &unknown);
	buf_free(&body);
}

static bool
same_way(const struct plan *known, const struct plan *p)
{
	const struct plan_attempt *a = known->attempt, *b = p->attempt;
	return p->attempt_count != 0 && a->operation == b->operation &&
	       a->provider == b->provider && strcmp(a->model, b->model) == 0;
}

void
exchange_on_plan(struct exchange *x, struct plan *p)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (x->planned || x->ended)
		return;
	x->planned = true;
	// What went ahead for another way to serve it is of no use.
	bool stale = x->use_sent && !same_way(x->plan, p);
	const struct plan *known = plans_get(x->w->plans, &x->key);
	p->cautious = known != NULL && known->cautious;
	plan_unref(x->plan);
	x->plan = plan_ref(p);
	bool local = models_listing(x->r->op) && !x->r->native && x->w->catalogue.present != NULL;
	if (p->attempt_count == 0 || local) {
		answer_locally(x);
		return;
	}
	plans_put(x->w->plans, &x->key, p);
	x->a.hold_errors = attempt_may_follow(x);
	if (!x->use_sent) {
		attempt_begin(x); // else USE went ahead: GO or DENY follows
	} else if (stale) {
		x->restart = true;
		exchange_end_lane(x, false);
	}
}

void
exchange_on_go(struct exchange *x, const struct msg_go *m)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (!x->use_sent)
		return;
	x->use_sent = false;
	x->went = true;
	x->audit_seq = m->audit_seq;
	x->plan->cautious = false;
	x->last_ns = clock_mono_ns();
	if (x->ended) {
		exchange_end_finish(x);
	} else if (x->restart) {
		attempt_start_over(x);
	} else if (x->overtook) {
		attempt_mend(x);
	} else {
		attempt_forget_held(x);
		use_body(x);
		use_drop_body(x);
	}
}

static struct failure
failure_of(const struct msg_deny *m, char code[65])
{
	if (view_copy(m->code, code, 65) != 0)
		code[0] = '\0';
	bool again = m->status == 429 || m->status >= 500;
	return (struct failure){.status = (unsigned)m->status,
	    .code = code,
	    .message = m->message,
	    .retry_after_ms = m->retry_after_ms,
	    .final = !again};
}

// AUTHORIZE was refused; a USE that went ahead is refused too, by a second DENY
// that finds nobody.
static void
on_unauthorized(struct exchange *x, const struct msg_deny *m)
{
	char code[65];
	struct failure f = failure_of(m, code);
	x->use_sent = false;
	plans_drop(x->w->plans, &x->key);
	exchange_end_lane(x, x->body_sent == 0 && !x->a.any);
	if (x->ended)
		exchange_end_finish(x);
	else
		exchange_end_fail(x, &f);
}

static void
retry_use(struct exchange *x)
{
	const struct plan_attempt *a = &x->plan->attempt[x->attempt];
	if (x->lane != NULL && x->lane->sealer->credential == a->credential &&
	    !x->lane->sealer->gone) {
		// The vault may hear of a fresh lane a moment after us.
		struct timeval tv = {.tv_usec = MISMATCH_WAIT_US};
		x->use_again = true;
		event_add(&x->timer, &tv);
		return;
	}
	exchange_end_lane(x, x->body_sent == 0);
	attempt_begin(x); // by the plan that came meanwhile
}

void
exchange_on_deny(struct exchange *x, const struct msg_deny *m)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	char code[65];
	if (!x->planned) {
		on_unauthorized(x, m);
		return;
	}
	if (!x->use_sent)
		return;
	x->use_sent = false;
	struct failure f = failure_of(m, code);
	if (x->ended) {
		exchange_end_finish(x);
	} else if (x->restart) {
		attempt_start_over(x);
	} else if (strcmp(code, "lane_mismatch") == 0 && x->mismatches++ < MISMATCH_TRIES_MAX) {
		retry_use(x);
	} else if (strcmp(code, "no_plan") == 0 && !x->retried && !x->holding) {
		exchange_end_lane(x, x->body_sent == 0); // it expired while a lane was opened
		attempt_start_over(x);
	} else {
		x->plan->cautious = true;
		exchange_end_lane(x, x->body_sent == 0);
		if (attempt_after(x, retry_class_of_denial(f.status), f.status))
			return;
		if (x->holding)
			attempt_deliver_held(x);
		else
			exchange_end_fail(x, &f);
	}
}

void
exchange_on_vault_lost(struct exchange *x)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	x->id = 0;
	x->use_sent = false;
	if (x->ended)
		exchange_end_finish(x);
	else if (x->overtook)
		attempt_mend(x);
	else if (!x->went)
		exchange_end_fail_vault(x);
	// Else the answer is under way; its lane tells how it ends.
}

// --- from the pool and the lane ------------------------------------------------------

void
exchange_on_lane(struct exchange *x, struct lane *l)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	attempt_use(x, l);
}

void
exchange_on_no_lane(struct exchange *x, const struct failure *f)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (x->holding)
		attempt_deliver_held(x);
	else if (strcmp(f->code, "sealer_ended") == 0 && !x->retried && vault_up(x->w->vault))
		attempt_start_over(x); // the credential was changed meanwhile
	else
		exchange_end_fail(x, f);
}

void
exchange_on_window(struct exchange *x)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (x->went || !x->plan->cautious)
		use_body(x);
	use_drop_body(x);
}

static void
start_heartbeats(struct exchange *x)
{
	if (!x->a.streaming || x->beat_ns != 0)
		return;
	struct timeval tv = {.tv_sec = (time_t)x->w->config->limits.heartbeat_s};
	x->beat_ns = x->last_ns;
	event_add(&x->timer, &tv);
}

void
exchange_on_plain(struct exchange *x, const uint8_t *p, size_t len)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	struct lane *l = x->lane;
	attempt_forget_held(x);
	x->last_ns = clock_mono_ns();
	enum answer_result r = answer_feed(&x->a, p, len);
	if (r == ANSWER_MORE) {
		use_drop_body(x);
		start_heartbeats(x);
		x->owed += len;
		if (client_backlog(x->client) < CLIENT_BACKLOG_HIGH) {
			lane_grant(l, x->owed);
			x->owed = 0;
		}
		return;
	}
	// The lane must end with its window whole if it is to serve again.
	lane_grant(l, x->owed + len);
	x->owed = 0;
	attempt_on_answer(x, r);
}

void
exchange_on_lane_closed(struct exchange *x, enum lane_fault fault, struct view detail)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	x->lane = NULL;
	bool ended = fault == LANE_UPSTREAM_EOF || fault == LANE_TRUNCATED;
	if (ended && x->holding) {
		// No GO yet, and not a byte: the answer that is kept is the last attempt's.
		x->a.failure.code = "provider_closed";
		attempt_on_answer(x, ANSWER_FAILED);
		return;
	}
	if (ended && !x->a.any && x->reused && !x->retried) {
		// A kept connection that the provider closed just as we used it.
		x->restart = true;
		if (!x->use_sent)
			attempt_start_over(x);
		return;
	}
	if (!ended)
		log_msg(LOG_WARN, "request %s: lane closed (%d): %.*s", x->r->id, (int)fault,
		    (int)detail.len, detail.p);
	switch (fault) {
	case LANE_LEAK:
		exchange_end_fail(
		    x, &(struct failure){.status = 502,
			   .code = "answer_withheld",
			   .message = VIEW("The provider's answer held the provider key and was "
					   "stopped."),
			   .final = true});
		break;
	case LANE_UPSTREAM_EOF:
	case LANE_TRUNCATED:
		attempt_on_answer(x, answer_eof(&x->a, fault == LANE_UPSTREAM_EOF));
		break;
	default:
		if (!x->went && !vault_up(x->w->vault))
			exchange_end_fail_vault(x);
		else
			exchange_end_fail_with(x, 502, "sealer_ended",
			    VIEW("The TLS session to the provider ended unexpectedly; retry."),
			    1000);
	}
}

// --- from the client ---------------------------------------------------------------

void
exchange_client_gone(struct exchange *x)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	x->client = NULL;
	x->restart = false;
	x->client_closed = true;
	exchange_end_note(x, RESULT_FAILED, "client_closed");
	exchange_end_lane(x, x->lane != NULL && !x->use_sent && !x->went && x->body_sent == 0);
	exchange_end_served(x);
}

void
exchange_client_drained(struct exchange *x)
{
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (x->lane != NULL && x->owed != 0) {
		lane_grant(x->lane, x->owed);
		x->owed = 0;
	}
}

// --- start and time ------------------------------------------------------------------

// A translated stream that is silent: its client hears that it goes on. A client that is slow
// to read hears enough. Returns how long it is to the next time.
static uint64_t
beat(struct exchange *x, uint64_t now)
{
	uint64_t every = x->w->config->limits.heartbeat_s * 1000000000U;
	uint64_t since = now - MAX(x->last_ns, x->beat_ns);
	if (x->client == NULL || !x->went || !x->a.streaming || x->holding)
		return UINT64_MAX;
	if (since < every)
		return every - since;
	x->beat_ns = now;
	if (client_backlog(x->client) == 0)
		answer_heartbeat(&x->a);
	return every;
}

// One timer, checked lazily: rearming it for every byte that arrives would cost more
// than waking up once too early.
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct exchange *x = arg;
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	if (x->use_again) {
		x->use_again = false;
		if (x->lane != NULL && vault_up(x->w->vault))
			use_send(x);
	}
	const struct config_limits *lim = &x->w->config->limits;
	uint64_t now = clock_mono_ns();
	uint64_t limit = x->went ? lim->upstream_idle_timeout_s * 1000000000U : VAULT_WAIT_NS;
	if (x->waiter.at != NULL) // the lane has its own deadline; this is the backstop
		limit += lim->upstream_connect_timeout_s * 1000000000U * 2;
	if (now - x->last_ns < limit) {
		uint64_t left = MIN(limit - (now - x->last_ns), beat(x, now)) / 1000U + 1000U;
		struct timeval tv = {
		    .tv_sec = (time_t)(left / 1000000U), .tv_usec = (suseconds_t)(left % 1000000U)};
		event_add(&x->timer, &tv);
		return;
	}
	if (x->ended) {
		x->use_sent = false;
		exchange_end_finish(x);
	} else if (x->went) {
		x->a.failure = (struct failure){.status = 504,
		    .code = "provider_timeout",
		    .message = VIEW("The provider was silent for too long (limit: "
				    "upstream_idle_timeout_s).")};
		attempt_on_answer(x, ANSWER_FAILED);
		struct timeval tv = {.tv_sec = 5};
		if (x->magic == EXCHANGE_MAGIC) // another attempt runs
			event_add(&x->timer, &tv);
	} else {
		x->use_sent = false;
		exchange_end_fail_with(
		    x, 503, "vault_timeout", VIEW("The key vault did not answer in time."), 1000);
	}
}

void
exchange_authorize(struct exchange *x)
{
	struct request *r = x->r;
	struct msg_authorize m = {.client_key = r->client_key,
	    .operation = r->op,
	    .model = r->model,
	    .stream = r->stream};
	x->planned = false;
	x->last_ns = clock_mono_ns();
	x->id = vault_authorize(x->w->vault, x, &m);
	struct plan *known = plans_get(x->w->plans, &x->key);
	if (known == NULL || known->cautious || x->retried)
		return;
	if (!pool_has_idle(x->w->pool, known->attempt[0].credential))
		return;
	// One that cannot be translated is refused when the vault has agreed, not before.
	struct failure f;
	if (!translate_begin(&x->t, x->w, x->r, known, 0, &f)) {
		translate_end(&x->t);
		return;
	}
	struct lane *l = pool_take(x->w->pool, known->attempt[0].credential, x);
	if (l == NULL)
		return;
	x->plan = plan_ref(known);
	attempt_use(x, l);
}

struct exchange *
exchange_start(struct worker *w, struct client *c, struct request *r)
{
	struct failure down = {.status = 503,
	    .code = "vault_unavailable",
	    .message = VIEW("The key vault is not reachable; retry."),
	    .retry_after_ms = 1000};
	struct failure full = {.status = 503,
	    .code = "audit_unavailable",
	    .message = VIEW("The audit log does not take records; no key is used without one."),
	    .retry_after_ms = 1000};
	bool up = vault_up(w->vault);
	if (!up || audit_full(w->audit)) {
		client_refuse(c, r, up ? &full : &down);
		request_free(r);
		return NULL;
	}
	struct exchange *x = base_calloc(1, sizeof(*x));
	x->magic = EXCHANGE_MAGIC;
	x->w = w;
	x->client = c;
	x->r = r;
	x->waiter.x = x;
	answer_init(&x->a, w, c, r);
	plans_key(w->plans, r, &x->key);
	evtimer_assign(&x->timer, w->base, on_timer, x);
	struct timeval tv = {.tv_sec = 5};
	event_add(&x->timer, &tv);
	TAILQ_INSERT_TAIL(&w->exchanges, x, link);
	exchange_authorize(x);
	return x;
}
