// SPDX-License-Identifier: Apache-2.0
// Group commit. May touch: the ledger, the space watch, timers of the loop.
#include "auditd/commit.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auditd/admit.h"
#include "common/clock.h"
#include "common/log.h"

#define COMMIT_MAGIC 0x636f6d6dU
#define LAZY_MANY    512U // so many lazy records are a group of their own
// A peer that never stops sending would keep the loop from ever reaching the commit's
// priority: after this time the next push commits by itself.
#define NOW_PATIENCE_NS UINT64_C(2000000)

struct load {
	size_t count;
	size_t bytes;
};

struct commit {
	unsigned magic;
	struct commit_config config;
	struct event *now;  // priority below the links'
	struct event *soon; // COMMIT_LAZY_MS
	bool now_due;
	uint64_t now_since;
	bool soon_due;
	struct commit_entry *head;
	struct commit_entry **tail;
	struct load all;
	struct load lazy; // of these, lazy ones of producers
	struct admit admit;
};

// --- entries -----------------------------------------------------------------------

// APPEND has numbers and texts in two lists, a record has one; both ascending.
static int
merge_attrs(struct record *r, const struct msg_append *a)
{
	size_t n = 0, t = 0;
	if (a->num_count + a->text_count > RECORD_ATTRS_MAX)
		return -1;
	while (n < a->num_count || t < a->text_count) {
		struct record_attr *out = &r->attr[r->attr_count];
		bool num =
		    t == a->text_count || (n < a->num_count && a->num[n].key < a->text[t].key);
		if (num)
			*out = (struct record_attr){.key = a->num[n].key, .num = a->num[n].value};
		else
			*out = (struct record_attr){
			    .key = a->text[t].key, .is_text = true, .text = a->text[t].value};
		n += num;
		t += !num;
		if (r->attr_count != 0 && out->key <= out[-1].key)
			return -1;
		r->attr_count++;
	}
	return 0;
}

struct commit_entry *
commit_entry_decode(const uint8_t *payload, size_t len)
{
	struct commit_entry *e = base_calloc(1, sizeof(*e) + len);
	struct msg_append a;
	e->size = sizeof(*e) + len;
	memcpy(e->payload, payload, len);
	if (msg_decode(MSG_APPEND, e->payload, len, &a) != 0)
		goto bad;
	struct record *r = &e->record;
	r->event = a.event;
	r->t_event = a.time_ns;
	r->request_id = a.request_id;
	r->ref_seq = a.ref_seq;
	r->tenant = a.tenant;
	r->workspace = a.workspace;
	r->user = a.user;
	r->conversation = a.conversation;
	r->key_id = a.key_id;
	r->key_version = a.key_version;
	r->key_use = a.key_use;
	r->result = a.result;
	r->error_code = a.error_code;
	if (merge_attrs(r, &a) != 0)
		goto bad;
	return e;
bad:
	commit_entry_free(e);
	return NULL;
}

struct commit_entry *
commit_entry_own(enum audit_event event, uint64_t ref_seq, const char *text, uint64_t count)
{
	size_t len = text == NULL ? 0 : strlen(text);
	struct commit_entry *e = base_calloc(1, sizeof(*e) + len);
	e->size = sizeof(*e) + len;
	e->lazy = true;
	struct record *r = &e->record;
	r->event = event;
	r->producer = PRODUCER_AUDITD;
	r->ref_seq = ref_seq;
	if (len != 0) {
		memcpy(e->payload, text, len);
		r->attr[r->attr_count++] = (struct record_attr){.key = ATTR_REASON,
		    .is_text = true,
		    .text = {.p = (const char *)e->payload, .len = len}};
	}
	if (count != 0)
		r->attr[r->attr_count++] = (struct record_attr){.key = ATTR_COUNT, .num = count};
	return e;
}

void
commit_entry_free(struct commit_entry *e)
{
	free(e);
}

// --- what is queued ---------------------------------------------------------------------

static void
load_add(struct commit *c, const struct commit_entry *e)
{
	c->all.count++;
	c->all.bytes += e->size;
	if (e->lazy && e->source != NULL) {
		c->lazy.count++;
		c->lazy.bytes += e->size;
	}
}

static void
load_take(struct commit *c, const struct commit_entry *e)
{
	c->all.count--;
	c->all.bytes -= e->size;
	if (e->lazy && e->source != NULL) {
		c->lazy.count--;
		c->lazy.bytes -= e->size;
	}
}

static bool
fits(const struct load *l, const struct commit_entry *e, size_t share)
{
	return l->count < COMMIT_QUEUE_RECORDS / share &&
	       l->bytes + e->size <= COMMIT_QUEUE_BYTES / share;
}

static bool
has_room(const struct commit *c, const struct commit_entry *e)
{
	// auditd's own records are few (bounded by open intents) and have nobody to refuse to.
	if (e->source == NULL)
		return true;
	return fits(&c->all, e, 1) && (!e->lazy || fits(&c->lazy, e, 2));
}

// --- the group ---------------------------------------------------------------------------

static struct commit_entry *
take_group(struct commit *c, size_t *count_r)
{
	size_t bytes = 0;
	struct commit_entry *group = c->head, **end = &group;
	for (*count_r = 0; *end != NULL && *count_r < LEDGER_GROUP_MAX; end = &(*end)->next) {
		// At least one; then as many as fit the bound.
		if (*count_r != 0 && bytes + (*end)->size > LEDGER_GROUP_BYTES)
			break;
		bytes += (*end)->size;
		(*count_r)++;
		load_take(c, *end);
	}
	c->head = *end;
	*end = NULL;
	if (c->head == NULL)
		c->tail = &c->head;
	return group;
}

// What the segment has no room for goes back to the head of the queue.
static void
put_back(struct commit *c, struct commit_entry **at)
{
	struct commit_entry *rest = *at, **end = at;
	*at = NULL;
	if (rest == NULL)
		return;
	for (end = &rest; *end != NULL; end = &(*end)->next)
		load_add(c, *end);
	if (c->head == NULL)
		c->tail = end;
	*end = c->head;
	c->head = rest;
}

static enum ledger_result
store_group(struct commit *c, struct commit_entry *group)
{
	struct ledger *l = c->config.ledger;
	const struct commit_entry *first = group;
	admit_look_up(l, group);
	enum ledger_result res = ledger_begin(l);
	if (res != LEDGER_OK)
		return res;
	for (struct commit_entry **at = &group; *at != NULL; at = &(*at)->next) {
		struct commit_entry *e = *at;
		if (ledger_room(l) == 0) {
			BUG_IF(e == first);
			put_back(c, at);
			break;
		}
		admit_decide(&c->admit, l, c->config.space, e);
		if (e->what == DO_RECORD && ledger_add(l, &e->record, &e->seq, e->leaf) != 0)
			break;
	}
	res = ledger_commit(l);
	if (res != LEDGER_OK)
		admit_undo(l, group);
	return res;
}

static const struct commit_answer full = {.code = "audit_full",
    .message =
	"the audit log's file system is full: free space there; keys stay unused until then"};
static const struct commit_answer disk = {.code = "audit_disk",
    .message = "the audit log's disk failed: see the journal of sallyport-auditd"};
static const struct commit_answer busy = {
    .code = "audit_busy", .message = "the audit queue is full: try again"};

static void
answer_group(struct commit *c, struct commit_entry *group, const struct commit_answer *refusal)
{
	static const uint8_t zeros[CHAIN_HASH];
	for (struct commit_entry *e = group, *next; e != NULL; e = next) {
		next = e->next;
		struct commit_answer a = {.ok = true, .seq = e->seq, .leaf = e->leaf};
		if (refusal != NULL)
			a = *refusal;
		else if (e->what == DO_REFUSE)
			a = full;
		else if (e->what == DO_WAIT)
			a = busy;
		else if (e->what == DO_DUPLICATE)
			a = (struct commit_answer){.ok = true, .leaf = zeros};
		if (e->source != NULL)
			c->config.answer(c->config.cookie, e->source, e->id, &a);
		commit_entry_free(e);
	}
}

static void
push_own(struct commit *c, enum audit_event event, uint64_t ref, const char *text)
{
	commit_push(c, commit_entry_own(event, ref, text, 0));
}

static void
announce_full(struct commit *c)
{
	log_msg(LOG_ERROR, "%s (%" PRIu64 " bytes free)", full.message,
	    space_available(c->config.space));
	push_own(c, EVENT_AUDIT_EXHAUSTED, 0, "no space for new work");
}

static void
commit_group(struct commit *c)
{
	size_t count;
	struct commit_entry *group = take_group(c, &count);
	enum ledger_result res = store_group(c, group);
	if (res == LEDGER_RETRY)
		res = store_group(c, group);
	if (res == LEDGER_FULL) {
		bool admitted = space_admits(c->config.space);
		// Given up once, the ballast makes room for what was already begun.
		if (space_exhausted(c->config.space) || admitted)
			res = store_group(c, group);
		if (admitted)
			announce_full(c);
	}
	switch (res) {
	case LEDGER_OK:
		admit_done(c->config.ledger, group);
		answer_group(c, group, NULL);
		c->config.done(c->config.cookie, false);
		return;
	case LEDGER_RETRY:
	case LEDGER_FULL:
		answer_group(c, group, &full);
		return;
	case LEDGER_DISK:
		answer_group(c, group, &disk);
		c->config.done(c->config.cookie, true);
		log_msg(LOG_ERROR, "audit log: %s; stopping, the log is checked at the next start",
		    disk.message);
		exit(LEDGER_EXIT);
	}
}

static void
run_next(struct commit *c)
{
	c->now_due = true;
	c->now_since = clock_mono_ns();
	event_active(c->now, 0, 0);
}

void
commit_run(struct commit *c)
{
	CHECK_OBJ(c, COMMIT_MAGIC);
	// One group per turn of the loop, so that answers leave between them; all at once
	// without a loop.
	do {
		if (c->head != NULL)
			commit_group(c);
	} while (c->now == NULL && c->head != NULL);
	if (c->head != NULL && !c->now_due)
		run_next(c);
}

// --- queue and timers ----------------------------------------------------------------------

static void
on_now(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct commit *c = arg;
	c->now_due = false;
	if (c->soon_due) {
		event_del(c->soon);
		c->soon_due = false;
	}
	commit_run(c);
}

static void
schedule(struct commit *c, bool lazy)
{
	static const struct timeval soon = {.tv_usec = COMMIT_LAZY_MS * 1000};
	if (c->now == NULL)
		return;
	if (c->now_due) {
		if (clock_mono_ns() - c->now_since < NOW_PATIENCE_NS)
			return;
		event_del(c->now);
		c->now_due = false;
		commit_run(c);
	} else if (!lazy || c->all.count >= LAZY_MANY) {
		run_next(c);
	} else if (!c->soon_due) {
		c->soon_due = true;
		event_add(c->soon, &soon);
	}
}

void
commit_push(struct commit *c, struct commit_entry *e)
{
	CHECK_OBJ(c, COMMIT_MAGIC);
	if (!has_room(c, e)) {
		c->config.answer(c->config.cookie, e->source, e->id, &busy);
		commit_entry_free(e);
		schedule(c, false);
		return;
	}
	load_add(c, e);
	*c->tail = e;
	c->tail = &e->next;
	schedule(c, e->lazy);
}

struct commit *
commit_new(struct event_base *base, const struct commit_config *config)
{
	struct commit *c = base_calloc(1, sizeof(*c));
	c->magic = COMMIT_MAGIC;
	c->config = *config;
	c->tail = &c->head;
	if (base != NULL) {
		c->now = event_new(base, -1, 0, on_now, c);
		c->soon = event_new(base, -1, 0, on_now, c);
		BUG_IF(c->now == NULL || c->soon == NULL);
		BUG_IF(event_priority_set(c->now, COMMIT_PRIORITY) != 0);
	}
	return c;
}

void
commit_free(struct commit *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, COMMIT_MAGIC);
	for (struct commit_entry *e = c->head, *next; e != NULL; e = next) {
		next = e->next;
		commit_entry_free(e);
	}
	if (c->now != NULL) {
		event_free(c->now);
		event_free(c->soon);
	}
	c->magic = 0;
	free(c);
}

void
commit_orphans(struct commit *c, bool restart)
{
	CHECK_OBJ(c, COMMIT_MAGIC);
	size_t n = 0;
	uint64_t now = clock_mono_ns();
	struct chain_intent *open =
	    chain_intent_list(ledger_intents(c->config.ledger), INTENT_OPEN, &n);
	for (size_t i = 0; i < n; i++) {
		if (restart)
			push_own(c, EVENT_INTENT_ORPHAN, open[i].seq, "restart");
		else if (now - open[i].since >= c->config.orphan_after_ns)
			push_own(c, EVENT_INTENT_ORPHAN, open[i].seq, "timeout");
		else
			break; // ascending seq is ascending time
	}
	free(open);
}

void
commit_tick(struct commit *c)
{
	CHECK_OBJ(c, COMMIT_MAGIC);
	if (space_check(c->config.space)) {
		if (space_admits(c->config.space)) {
			log_msg(LOG_INFO, "the audit log's file system has space again");
			push_own(c, EVENT_AUDIT_RECOVERED, 0, "space for new work again");
		} else {
			announce_full(c);
		}
	}
	commit_orphans(c, false);
	if (ledger_rotate_by_age(c->config.ledger) != LEDGER_OK)
		log_msg(LOG_WARN, "the segment is due to be closed, but cannot be now");
}

size_t
commit_waiting(const struct commit *c)
{
	return c->all.count;
}
