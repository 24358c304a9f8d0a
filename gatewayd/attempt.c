// SPDX-License-Identifier: Apache-2.0
// The attempts of one exchange: a lane and USE for each, what its answer leads to, and the
// next one. May touch: what the exchange holds.
#include "gatewayd/attempt.h"

#include "common/clock.h"
#include "gatewayd/exchange_end.h"
#include "gatewayd/exchange_state.h"
#include "gatewayd/retry.h"
#include "gatewayd/vault.h"

// --- lanes and USE ---------------------------------------------------------------

void
attempt_use(struct exchange *x, struct lane *l)
{
	x->lane = l;
	x->reused = l->used;
	x->body_sent = 0;
	if (!x->holding)
		answer_of(&x->a, x->plan, x->attempt, x->t);
	use_send(x);
	if (!x->plan->cautious)
		use_body(x);
}

static void
get_lane(struct exchange *x)
{
	const struct plan_attempt *a = &x->plan->attempt[x->attempt];
	// The second time only a lane that nobody used will do: an idle one may have
	// been closed by the provider just like the last.
	struct lane *l = x->retried ? NULL : pool_take(x->w->pool, a->credential, x);
	if (l != NULL)
		attempt_use(x, l);
	else
		pool_wait(x->w->pool, a, &x->waiter);
}

void
attempt_begin(struct exchange *x)
{
	struct failure f;
	if (translate_begin(&x->t, x->w, x->r, x->plan, x->attempt, &f))
		get_lane(x);
	else if (x->holding)
		attempt_deliver_held(x);
	else
		exchange_end_fail(x, &f);
}

// --- attempts --------------------------------------------------------------------

static void
renew_answer(struct exchange *x)
{
	answer_free(&x->a);
	answer_init(&x->a, x->w, x->client, x->r);
	if (x->plan != NULL && x->attempt < x->plan->attempt_count)
		answer_of(&x->a, x->plan, x->attempt, x->t);
	x->a.hold_errors = attempt_may_follow(x);
	x->beat_ns = 0;
}

static struct retry_facts
facts_of(const struct exchange *x)
{
	const struct plan *p = x->plan;
	return (struct retry_facts){.attempt = x->attempt,
	    .attempts = p == NULL ? 0 : p->attempt_count,
	    .begun = x->a.begun,
	    .client_gone = x->client == NULL,
	    .spent = true,
	    .renews = p != NULL && x->attempt < p->attempt_count && p->attempt[x->attempt].renews,
	    .repeated = x->repeated,
	    .pinned = x->r->pinned};
}

bool
attempt_may_follow(const struct exchange *x)
{
	struct retry_facts f = facts_of(x);
	return retry_may_follow(&f);
}

bool
attempt_after(struct exchange *x, enum error_class c, unsigned status)
{
	struct retry_facts facts = facts_of(x);
	struct failure f;
	facts.class_id = c;
	enum retry_step step = retry_decide(&facts);
	if (step == RETRY_ANSWER || !vault_up(x->w->vault))
		return false;
	// The held answer, if there is one, needs the old session no more.
	size_t next = x->attempt + (step == RETRY_NEXT);
	x->a.t = NULL;
	if (!translate_begin(&x->t, x->w, x->r, x->plan, next, &f))
		return false;
	if (x->went)
		record_attempt(x);
	x->went = false;
	exchange_end_note(x, RESULT_OK, NULL);
	x->attempt = next;
	x->repeated = step == RETRY_SAME;
	x->previous_status = status;
	x->previous_class = c;
	x->retried = false;
	x->last_ns = clock_mono_ns();
	if (!x->holding)
		renew_answer(x);
	get_lane(x);
	return true;
}

void
attempt_start_over(struct exchange *x)
{
	if (x->went) {
		exchange_end_note(x, RESULT_FAILED, "provider_closed");
		record_attempt(x);
	}
	exchange_end_note(x, RESULT_OK, NULL);
	x->went = false;
	x->restart = false;
	x->retried = true;
	x->audit_seq = 0;
	x->attempt = 0;
	x->repeated = false;
	x->previous_status = 0;
	x->previous_class = CLASS_NONE;
	vault_forget(x->w->vault, x->id);
	x->id = 0;
	plan_unref(x->plan);
	x->plan = NULL;
	translate_end(&x->t);
	renew_answer(x);
	if (vault_up(x->w->vault))
		exchange_authorize(x);
	else
		exchange_end_fail_vault(x);
}

static void
complete(struct exchange *x)
{
	struct answer *a = &x->a;
	bool sent = x->body_sent == use_body_len(x);
	bool keep = client_keeps(x->client, x->r) && !a->by_close;
	if (a->stream_error || a->upstream_status >= 400)
		exchange_end_note(x, RESULT_FAILED, answer_error_code(a));
	exchange_end_lane(x, a->reusable && sent);
	client_answered(x->client, keep);
	exchange_end_served(x);
}

// Without GO the number of this attempt is not known yet, and so no next one.
static void
mend_after_go(struct exchange *x)
{
	x->overtook = !x->went && x->use_sent;
	if (!x->overtook)
		attempt_mend(x);
}

// Broken, cut or silent, or an error that nothing could follow.
static void
on_failed(struct exchange *x)
{
	exchange_end_lane(x, false);
	exchange_end_note(x, RESULT_FAILED, x->a.failure.code);
	mend_after_go(x);
}

void
attempt_on_answer(struct exchange *x, enum answer_result r)
{
	switch (r) {
	case ANSWER_MORE:
		break;
	case ANSWER_COMPLETE:
		complete(x);
		break;
	case ANSWER_FAILED:
		on_failed(x);
		break;
	case ANSWER_HELD:
		exchange_end_lane(x, x->a.reusable && x->body_sent == use_body_len(x));
		x->holding = true;
		exchange_end_note(x, RESULT_FAILED, answer_error_code(&x->a));
		mend_after_go(x);
		break;
	}
}

void
attempt_mend(struct exchange *x)
{
	struct answer *a = &x->a;
	enum error_class c = a->fault != CLASS_NONE || x->holding ? a->fault : CLASS_SERVER;
	unsigned status = x->holding ? a->fault_status : a->failure.status;
	x->overtook = false;
	if (x->went && attempt_after(x, c, status))
		return;
	if (x->holding)
		attempt_deliver_held(x);
	else
		exchange_end_fail(x, &a->failure);
}

void
attempt_deliver_held(struct exchange *x)
{
	x->holding = false;
	enum answer_result r = answer_resume(&x->a);
	if (r == ANSWER_COMPLETE)
		complete(x);
	else
		exchange_end_fail(x, &x->a.failure);
}

void
attempt_forget_held(struct exchange *x)
{
	if (!x->holding)
		return;
	x->holding = false;
	renew_answer(x);
}
