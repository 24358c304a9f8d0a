// SPDX-License-Identifier: Apache-2.0
// Which record may be stored now. Memory, and the ledger read-only.
#include "auditd/admit.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/log.h"

#define NS_PER_S UINT64_C(1000000000)

static bool
completes(const struct record *r)
{
	return r->event == EVENT_KEY_COMPLETE || r->event == EVENT_KEY_INTENT_VOID;
}

// What may still be written when the disk is (nearly) full: the ends of things that
// were begun, and what this daemon says about itself. All else is new work.
static bool
from_reserve(const struct commit_entry *e)
{
	const struct record *r = &e->record;
	if (completes(r))
		return e->look != LOOK_OTHER;
	// Rejected peers and refusals are not here: a gateway can cause them without end.
	// Their producer keeps them and sends them again.
	return r->event == EVENT_KEY_LEAK_STOPPED || r->event == EVENT_SEALER_DIED ||
	       (r->producer == PRODUCER_AUDITD && r->event != EVENT_PEER_REJECTED);
}

static bool
look_one(void *cookie, uint64_t seq, struct view record)
{
	(void)seq;
	struct record r;
	struct commit_entry *e = cookie;
	if (record_decode((const uint8_t *)record.p, record.len, &r) == 0)
		e->look = r.event == EVENT_KEY_INTENT ? LOOK_INTENT : LOOK_OTHER;
	return false;
}

void
admit_look_up(struct ledger *l, struct commit_entry *group)
{
	const char *why;
	struct chain_intents *set = ledger_intents(l);
	for (struct commit_entry *e = group; e != NULL; e = e->next) {
		e->look = LOOK_NONE;
		if (!completes(&e->record) ||
		    chain_intent_get(set, e->record.ref_seq) != INTENT_NONE)
			continue;
		e->look = LOOK_OTHER;
		if (ledger_read(l, e->record.ref_seq, look_one, e, &why) != 0)
			log_msg(LOG_ERROR, "record %" PRIu64 ": %s", e->record.ref_seq, why);
	}
}

static bool
too_many(struct admit *a)
{
	uint64_t second = clock_mono_ns() / NS_PER_S;
	if (second != a->second) {
		a->second = second;
		a->extra = 0;
	}
	return ++a->extra > ADMIT_EXTRA_PER_S;
}

// The code that the producer gave moves to the reason, if it gave none.
static void
already_completed(struct record *r)
{
	static const char code[] = "already_completed";
	r->flags |= RECORD_LATE;
	if (view_eq_str(r->error_code, code))
		return; // the group's second try
	if (record_attr(r, ATTR_REASON) == NULL && r->error_code.len != 0 &&
	    r->attr_count < RECORD_ATTRS_MAX) {
		size_t at = r->attr_count++;
		for (; at != 0 && r->attr[at - 1].key > ATTR_REASON; at--)
			r->attr[at] = r->attr[at - 1];
		r->attr[at] = (struct record_attr){
		    .key = ATTR_REASON, .is_text = true, .text = r->error_code};
	}
	r->error_code = VIEW(code);
}

static void
decide_completion(struct commit_entry *e, struct chain_intents *set)
{
	struct record *r = &e->record;
	if (e->was != INTENT_NONE) {
		if (e->was == INTENT_ORPHANED)
			r->flags |= RECORD_LATE;
		chain_intent_set(set, r->ref_seq, INTENT_NONE, 0);
	} else if (e->look == LOOK_OTHER) {
		r->result = RESULT_FAILED;
		r->error_code = VIEW("no_intent");
	} else if (r->producer == PRODUCER_GATEWAY) {
		// Completed by an earlier record, or by an earlier one of this group (look_up
		// saw it open): a producer that says it again after a new connection.
		e->what = DO_DUPLICATE;
	} else {
		// The vault knows whether its key was used. A gateway that completed the
		// intent first must not make it silent.
		already_completed(r);
	}
}

void
admit_decide(struct admit *a, struct ledger *l, const struct space *space, struct commit_entry *e)
{
	struct chain_intents *set = ledger_intents(l);
	struct record *r = &e->record;
	e->what = DO_RECORD;
	e->was = INTENT_NONE;
	if (!from_reserve(e) && !space_admits(space)) {
		e->what = DO_REFUSE;
		return;
	}
	bool extra = r->producer == PRODUCER_GATEWAY && (!completes(r) || e->look == LOOK_OTHER);
	if (extra && too_many(a)) {
		e->what = DO_WAIT;
		return;
	}
	if (!completes(r) && r->event != EVENT_INTENT_ORPHAN)
		return;
	e->since = clock_mono_ns();
	e->was = chain_intent_get(set, r->ref_seq);
	if (completes(r))
		decide_completion(e, set);
	else if (e->was == INTENT_OPEN)
		chain_intent_set(set, r->ref_seq, INTENT_ORPHANED, 0);
	else
		e->what = DO_DUPLICATE; // was completed while this waited
}

void
admit_undo(struct ledger *l, struct commit_entry *group)
{
	for (struct commit_entry *e = group; e != NULL; e = e->next) {
		if (e->was != INTENT_NONE)
			chain_intent_set(ledger_intents(l), e->record.ref_seq, e->was, e->since);
		e->was = INTENT_NONE;
	}
}

void
admit_done(struct ledger *l, const struct commit_entry *group)
{
	uint64_t mono = clock_mono_ns();
	for (const struct commit_entry *e = group; e != NULL; e = e->next)
		if (e->what == DO_RECORD && e->record.event == EVENT_KEY_INTENT)
			chain_intent_set(ledger_intents(l), e->seq, INTENT_OPEN, mono);
}
