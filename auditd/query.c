// SPDX-License-Identifier: Apache-2.0
// One reader's stream. May touch: its link, the ledger read-only.
#include "auditd/query.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "auditd/commit.h"

#define QUERY_MAGIC 0x71756572U
#define PIECE_BYTES (256U * 1024U)
#define BACKLOG	    (512U * 1024U) // more waits in the kernel's queue first
#define RETRY_USEC  1000

struct query {
	unsigned magic;
	struct link *link;
	struct ledger *ledger;
	struct event *pump;
	bool running;
	bool scheduled;
	uint64_t id;
	uint64_t next;
	uint64_t left; // records still wanted
	bool follow;
	size_t piece;
};

static bool
send_one(void *cookie, uint64_t seq, struct view record)
{
	struct query *q = cookie;
	link_send_raw(q->link, MSG_AUDIT_RECORD, q->id, record.p, record.len);
	q->next = seq + 1;
	q->left--;
	q->piece += record.len;
	return q->left != 0 && q->piece < PIECE_BYTES;
}

static void
finish(struct query *q)
{
	struct msg_audit_end end = {.head_seq = ledger_head_seq(q->ledger),
	    .head = {.p = (const char *)ledger_head(q->ledger), .len = CHAIN_HASH}};
	link_send(q->link, MSG_AUDIT_END, q->id, &end);
	q->running = false;
}

static void
fail(struct query *q, const char *why)
{
	char text[160];
	snprintf(text, sizeof(text), "record %" PRIu64 ": %s", q->next, why);
	struct msg_error e = {.code = VIEW("audit_tampered"), .message = view_of(text)};
	link_send(q->link, MSG_ERROR, q->id, &e);
	q->running = false;
}

static void
schedule(struct query *q, long usec)
{
	if (q->scheduled)
		return;
	q->scheduled = true;
	if (usec == 0) {
		event_active(q->pump, 0, 0);
	} else {
		struct timeval tv = {.tv_usec = usec};
		event_add(q->pump, &tv);
	}
}

static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct query *q = arg;
	CHECK_OBJ(q, QUERY_MAGIC);
	q->scheduled = false;
	if (!q->running)
		return;
	if (link_backlog(q->link) > BACKLOG) {
		schedule(q, RETRY_USEC);
		return;
	}
	const char *why;
	uint64_t before = q->next;
	q->piece = 0;
	if (q->left != 0 && ledger_read(q->ledger, q->next, send_one, q, &why) != 0) {
		fail(q, why);
		return;
	}
	if (q->left == 0)
		finish(q);
	else if (q->next != before && q->next <= ledger_head_seq(q->ledger))
		schedule(q, 0);
	else if (!q->follow)
		finish(q);
}

struct query *
query_new(struct event_base *base, struct link *l, struct ledger *ledger)
{
	struct query *q = base_calloc(1, sizeof(*q));
	q->magic = QUERY_MAGIC;
	q->link = l;
	q->ledger = ledger;
	q->pump = event_new(base, -1, 0, on_pump, q);
	BUG_IF(q->pump == NULL || event_priority_set(q->pump, COMMIT_PRIORITY) != 0);
	return q;
}

void
query_free(struct query *q)
{
	if (q == NULL)
		return;
	CHECK_OBJ(q, QUERY_MAGIC);
	event_free(q->pump);
	q->magic = 0;
	free(q);
}

bool
query_start(struct query *q, uint64_t id, const struct msg_audit_query *m)
{
	CHECK_OBJ(q, QUERY_MAGIC);
	if (q->running)
		return false;
	q->running = true;
	q->id = id;
	q->next = m->from_seq;
	q->left = m->count == 0 ? UINT64_MAX : m->count;
	q->follow = m->follow;
	schedule(q, 0);
	return true;
}

void
query_wake(struct query *q)
{
	CHECK_OBJ(q, QUERY_MAGIC);
	if (q->running && q->follow)
		schedule(q, 0);
}
