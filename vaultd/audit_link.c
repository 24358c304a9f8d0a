// SPDX-License-Identifier: Apache-2.0
// Records on their way to auditd. May touch: the channel to auditd, the witness
// record of the store.
#include "vaultd/audit_link.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "vaultd/witness.h"

#define LOG_EVERY_NS 60000000000U

struct slot {
	uint64_t id; // 0: free
	audit_done_fn *fn;
	void *cookie;
	uint64_t sent_ns;
	bool timed_out;
	bool refers; // to an earlier record
};

struct audit_link {
	struct core *core;
	struct link *link;
	bool greeted;
	bool started;	     // vault.start was written
	const char *refused; // why the log that connected last is not believed
	uint64_t refused_logged_ns;
	struct witness witness;
	uint64_t next_id;
	uint64_t oldest_id; // no smaller id is pending
	size_t pending;
	struct slot slot[AUDIT_LINK_PENDING]; // by id modulo its size
};

static struct slot *
slot_of(struct audit_link *a, uint64_t id)
{
	return &a->slot[id % AUDIT_LINK_PENDING];
}

struct audit_link *
audit_link_new(struct core *core, bool forget_witness)
{
	struct audit_link *a = base_calloc(1, sizeof(*a));
	a->core = core;
	a->next_id = a->oldest_id = 1;
	witness_load(&a->witness, core->store, core->seal, forget_witness);
	return a;
}

static void
finish(struct audit_link *a, struct slot *s, enum audit_outcome o, uint64_t seq, struct view code)
{
	struct slot done = *s;
	*s = (struct slot){0};
	a->pending--;
	if (done.fn != NULL)
		done.fn(done.cookie, o, seq, code);
}

// The connection is over: whoever waits learns it now, before anything else happens.
static void
disconnect(struct audit_link *a)
{
	struct link *l = a->link;
	if (l == NULL)
		return;
	a->link = NULL;
	a->greeted = false;
	link_free(l);
	for (uint64_t id = a->oldest_id; id < a->next_id; id++) {
		struct slot *s = slot_of(a, id);
		if (s->id == id)
			finish(a, s, AUDIT_LOST, 0, VIEW("audit_unavailable"));
	}
	a->oldest_id = a->next_id;
	witness_save(&a->witness, a->core->store, a->core->seal);
}

void
audit_link_free(struct audit_link *a)
{
	if (a == NULL)
		return;
	disconnect(a);
	free(a);
}

// --- frames ------------------------------------------------------------------------

static void
on_start(void *cookie, enum audit_outcome o, uint64_t seq, struct view code)
{
	struct audit_link *a = cookie;
	(void)seq, (void)code;
	if (o == AUDIT_REFUSED || o == AUDIT_LOST)
		a->started = false; // again at the next tick or greeting
}

// Key use counters begin at 1 after this record.
static void
note_start(struct audit_link *a)
{
	struct msg_append m = {.event = EVENT_VAULT_START, .user = VIEW("vault"), .text_count = 1};
	m.text[0] = (struct msg_attr_text){ATTR_VERSION, VIEW(SALLYPORT_VERSION)};
	if (!a->started)
		a->started = audit_link_append(a, &m, on_start, a) == 0;
}

static enum chan_status
on_hello(struct audit_link *a, struct link *l, const struct frame *f)
{
	struct msg_audit_hello m;
	if (chan_decode(link_chan(l), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	a->refused = witness_check(&a->witness, &m);
	if (a->refused != NULL) {
		uint64_t now = clock_mono_ns();
		if (now - a->refused_logged_ns > LOG_EVERY_NS || a->refused_logged_ns == 0)
			log_msg(LOG_ERROR,
			    "audit: %s (head %llu, witnessed %llu). No key is used. Look at it "
			    "with 'sallyport audit verify'; if the log was begun anew on "
			    "purpose, start sallyport-vaultd once with --accept-new-audit-log",
			    a->refused, (unsigned long long)m.head_seq,
			    (unsigned long long)a->witness.seq);
		a->refused_logged_ns = now;
		return CHAN_EOF;
	}
	a->greeted = true;
	chan_set_state(link_chan(l), CHANNEL_READY);
	log_msg(LOG_INFO, "audit: connected, head %llu", (unsigned long long)m.head_seq);
	note_start(a);
	return CHAN_OK;
}

static enum chan_status
on_answer(struct audit_link *a, struct link *l, const struct frame *f)
{
	struct slot *s = slot_of(a, f->id);
	if (f->id == 0 || s->id != f->id)
		return chan_reject(link_chan(l), "answer to a record that was not sent");
	if (f->type == MSG_NACK) {
		struct msg_nack m;
		if (chan_decode(link_chan(l), f, &m) != CHAN_OK)
			return CHAN_REJECT;
		finish(a, s, AUDIT_REFUSED, 0, m.code);
		return CHAN_OK;
	}
	struct msg_ack m;
	if (chan_decode(link_chan(l), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	// What this record says is in the log already. Nothing new was confirmed, so the
	// witness stays; an intent is never answered like this.
	bool already = m.seq == 0 && s->refers;
	if (!already && !witness_advance(&a->witness, &m))
		return chan_reject(link_chan(l), "sequence number did not grow");
	finish(a, s, AUDIT_DURABLE, m.seq, (struct view){0});
	return CHAN_OK;
}

static enum chan_status
on_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct audit_link *a = cookie;
	if (f->type == MSG_AUDIT_HELLO)
		return on_hello(a, l, f);
	return on_answer(a, l, f);
}

static void
on_close(void *cookie, struct link *l, enum chan_status why)
{
	struct audit_link *a = cookie;
	if (why == CHAN_REJECT)
		log_msg(LOG_ERROR, "audit: rejected: %s", chan_reason(link_chan(l)));
	else if (a->greeted)
		log_msg(LOG_WARN, "audit: connection lost; no key is used until it is back");
	disconnect(a);
}

void
audit_link_accept(struct audit_link *a, int fd)
{
	disconnect(a);
	struct chan *c = chan_new(fd, ROLE_AUDITD_AT_CORE, 0);
	BUG_IF(c == NULL);
	a->link = link_new(a->core->base, c, on_frame, on_close, a);
}

// --- records -----------------------------------------------------------------------

bool
audit_link_ready(const struct audit_link *a)
{
	return a->greeted;
}

const char *
audit_link_problem(const struct audit_link *a)
{
	return a->refused != NULL ? a->refused : "the audit daemon is not connected";
}

size_t
audit_link_pending(const struct audit_link *a)
{
	return a->pending;
}

int
audit_link_append(struct audit_link *a, struct msg_append *m, audit_done_fn *fn, void *cookie)
{
	struct slot *s = slot_of(a, a->next_id);
	if (!a->greeted || s->id != 0)
		return -1;
	m->time_ns = clock_wall_ns();
	*s = (struct slot){.id = a->next_id++,
	    .fn = fn,
	    .cookie = cookie,
	    .sent_ns = clock_mono_ns(),
	    .refers = m->ref_seq != 0};
	a->pending++;
	(void)link_send(a->link, MSG_APPEND, s->id, m); // cannot fail: not a secret channel
	return 0;
}

void
audit_link_tick(struct audit_link *a, bool save)
{
	uint64_t now = clock_mono_ns();
	note_start(a);
	while (a->oldest_id < a->next_id && slot_of(a, a->oldest_id)->id != a->oldest_id)
		a->oldest_id++;
	for (uint64_t id = a->oldest_id; id < a->next_id; id++) {
		struct slot *s = slot_of(a, id);
		if (s->id != id || s->timed_out)
			continue;
		if (now - s->sent_ns < AUDIT_LINK_TIMEOUT_NS)
			break; // the rest is younger
		s->timed_out = true;
		if (s->fn != NULL)
			s->fn(s->cookie, AUDIT_TIMEOUT, 0, VIEW("audit_unavailable"));
	}
	if (save)
		witness_save(&a->witness, a->core->store, a->core->seal);
}
