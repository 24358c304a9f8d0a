// SPDX-License-Identifier: Apache-2.0
// Peers and their records. A producer is what its channel is, with the uid and pid that
// the kernel reports; nothing in a message says who sent it. May touch: the sockets it
// was given, the vault's socket by path.
#include "auditd/serve.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auditd/query.h"
#include "common/log.h"
#include "common/sock.h"
#include "proto/link.h"

#define SERVE_MAGIC  0x73657276U
#define PEER_MAGIC   0x70656572U
#define PEERS_MAX    256U // gateway workers and readers together
#define READERS_KEPT 32U  // of these, never given to gateways: they must not blind the readers
#define DIAL_USEC    200000
#define BACKLOG_MAX  (1U << 20) // a producer that does not read its answers

struct peer {
	unsigned magic;
	struct serve *serve;
	struct link *link;   // NULL once gone
	struct query *query; // readers only
	enum role role;
	uid_t uid;
	pid_t pid;
	size_t waiting; // entries in the queue that will answer to this peer
	struct peer *next;
};

struct serve {
	unsigned magic;
	struct serve_config config;
	struct event_base *base;
	struct commit *commit;
	struct event *events;
	struct event *query;
	struct event *dial;
	struct event *tick;
	struct peer *peers;
	size_t peer_count; // accepted ones
	struct peer *vault;
	bool vault_missed; // logged that it cannot be reached
	bool stopping;
	uint64_t rejects; // since the last peer.rejected record
	bool reject_told; // one was written in this second
};

struct commit *
serve_commit(struct serve *s)
{
	return s->commit;
}

// --- rejected peers ----------------------------------------------------------------

// One record a second at most; the next tells how many there were.
static void
record_reject(struct serve *s, enum role role, uid_t uid, pid_t pid, const char *reason)
{
	log_msg(LOG_WARN, "%s (uid %u, pid %d) rejected: %s", perm_role_name(role), uid, (int)pid,
	    reason);
	s->rejects++;
	if (s->reject_told)
		return;
	char text[200];
	snprintf(text, sizeof(text), "%s: %s", perm_role_name(role), reason);
	struct commit_entry *e = commit_entry_own(EVENT_PEER_REJECTED, 0, text, s->rejects);
	e->record.peer_uid = uid;
	e->record.peer_pid = (uint64_t)pid;
	e->record.result = RESULT_DENIED;
	commit_push(s->commit, e);
	s->rejects = 0;
	s->reject_told = true;
}

static void
record_more_rejects(struct serve *s)
{
	s->reject_told = false;
	if (s->rejects == 0)
		return;
	struct commit_entry *e =
	    commit_entry_own(EVENT_PEER_REJECTED, 0, "more of them", s->rejects);
	e->record.result = RESULT_DENIED;
	commit_push(s->commit, e);
	s->rejects = 0;
	s->reject_told = true;
}

// --- peers ---------------------------------------------------------------------------

static void
peer_drop(struct peer *p)
{
	CHECK_OBJ(p, PEER_MAGIC);
	if (p->waiting != 0)
		return; // its records are still being made durable
	p->magic = 0;
	free(p);
}

static void
peer_end(struct peer *p)
{
	struct serve *s = p->serve;
	for (struct peer **at = &s->peers; *at != NULL; at = &(*at)->next) {
		if (*at != p)
			continue;
		*at = p->next;
		s->peer_count -= p != s->vault;
		break;
	}
	if (p == s->vault) {
		s->vault = NULL;
		log_msg(LOG_WARN, "the vault closed the connection");
	}
	query_free(p->query);
	p->query = NULL;
	link_free(p->link);
	p->link = NULL;
	peer_drop(p);
}

static void
on_close(void *cookie, struct link *l, enum chan_status why)
{
	struct peer *p = cookie;
	CHECK_OBJ(p, PEER_MAGIC);
	if (why == CHAN_REJECT)
		record_reject(p->serve, p->role, p->uid, p->pid, chan_reason(link_chan(l)));
	peer_end(p);
}

static void
on_answer(void *cookie, void *source, uint64_t id, const struct commit_answer *a)
{
	(void)cookie;
	struct peer *p = source;
	CHECK_OBJ(p, PEER_MAGIC);
	BUG_IF(p->waiting == 0);
	p->waiting--;
	if (p->link == NULL) {
		peer_drop(p);
		return;
	}
	if (a->ok) {
		struct msg_ack ack = {
		    .seq = a->seq, .leaf = {.p = (const char *)a->leaf, .len = CHAIN_HASH}};
		link_send(p->link, MSG_ACK, id, &ack);
	} else {
		struct msg_nack nack = {.code = view_of(a->code), .message = view_of(a->message)};
		link_send(p->link, MSG_NACK, id, &nack);
	}
}

static bool
may_append(enum role from, uint64_t event, struct view user)
{
	if (from == ROLE_GATEWAY_AT_AUDITD)
		return event == EVENT_KEY_COMPLETE || event == EVENT_GATEWAY_START ||
		       event == EVENT_CLIENT_DENIED;
	// The vault speaks for itself: not for the gateway, and not for this daemon. What it
	// completes are its own exchanges, and it has to say so.
	if (event == EVENT_KEY_COMPLETE)
		return view_eq_str(user, "vault");
	return ids_event(event) != NULL && event >= EVENT_KEY_INTENT &&
	       event != EVENT_INTENT_ORPHAN && event != EVENT_GATEWAY_START;
}

static enum chan_status
on_append(struct peer *p, const struct frame *f)
{
	struct chan *c = link_chan(p->link);
	struct commit_entry *e = commit_entry_decode(f->payload, f->len);
	if (e == NULL)
		return chan_reject(c, "malformed APPEND");
	if (!may_append(p->role, e->record.event, e->record.user)) {
		char reason[80];
		const char *name = ids_event(e->record.event);
		snprintf(reason, sizeof(reason), "may not append event %s (%" PRIu64 ")",
		    name == NULL ? "unknown" : name, e->record.event);
		commit_entry_free(e);
		return chan_reject(c, reason);
	}
	if (link_backlog(p->link) > BACKLOG_MAX) {
		commit_entry_free(e);
		return chan_reject(c, "does not read its answers");
	}
	bool gateway = p->role == ROLE_GATEWAY_AT_AUDITD;
	e->record.producer = gateway ? PRODUCER_GATEWAY : PRODUCER_VAULT;
	e->record.peer_uid = p->uid;
	e->record.peer_pid = (uint64_t)p->pid;
	e->source = p;
	e->id = f->id;
	e->lazy = gateway;
	p->waiting++;
	commit_push(p->serve->commit, e);
	return CHAN_OK;
}

static enum chan_status
on_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct peer *p = cookie;
	CHECK_OBJ(p, PEER_MAGIC);
	if (f->type == MSG_APPEND)
		return on_append(p, f);
	BUG_IF(f->type != MSG_AUDIT_QUERY || p->query == NULL); // proto/perm.c allows no other
	struct msg_audit_query q;
	enum chan_status st = chan_decode(link_chan(l), f, &q);
	if (st != CHAN_OK)
		return st;
	if (!query_start(p->query, f->id, &q))
		return chan_reject(link_chan(l), "a query while another one runs");
	return CHAN_OK;
}

static struct peer *
peer_new(struct serve *s, int fd, enum role role, uid_t uid, pid_t pid)
{
	struct peer *p = base_calloc(1, sizeof(*p));
	p->magic = PEER_MAGIC;
	p->serve = s;
	p->role = role;
	p->uid = uid;
	p->pid = pid;
	p->link = link_new(s->base, chan_new(fd, role, 0), on_frame, on_close, p);
	if (role == ROLE_ADMIN_AT_AUDITD)
		p->query = query_new(s->base, p->link, s->config.ledger);
	p->next = s->peers;
	s->peers = p;
	return p;
}

// --- accepting and dialing ---------------------------------------------------------------

static void
greet(struct serve *s, struct peer *p)
{
	const struct ledger *l = s->config.ledger;
	struct msg_audit_hello hello = {
	    .log_id = {.p = (const char *)ledger_log_id(l), .len = CHAIN_LOG_ID},
	    .head_seq = ledger_head_seq(l),
	    .head = {.p = (const char *)ledger_head(l), .len = CHAIN_HASH},
	    .boot_no = ledger_boot_no(l),
	};
	link_send(p->link, MSG_AUDIT_HELLO, 0, &hello);
}

static void
accept_all(struct serve *s, int listener, enum role role)
{
	for (int fd; (fd = sock_accept(listener)) >= 0;) {
		uid_t uid, want = role == ROLE_GATEWAY_AT_AUDITD ? s->config.gateway_uid
								 : s->config.admin_uid;
		pid_t pid;
		if (sock_peer_uid(fd, &uid, &pid) != 0) {
			close(fd);
			continue;
		}
		// Root may read the files anyway; as a producer it would only forge.
		if (uid != want && !(role == ROLE_ADMIN_AT_AUDITD && uid == 0)) {
			char reason[64];
			snprintf(reason, sizeof(reason), "connected as uid %u, not %u", uid, want);
			record_reject(s, role, uid, pid, reason);
			close(fd);
			continue;
		}
		bool reader = role == ROLE_ADMIN_AT_AUDITD;
		if (s->peer_count >= PEERS_MAX - (reader ? 0 : READERS_KEPT)) {
			log_msg(LOG_WARN, "too many connections: refused one");
			close(fd);
			continue;
		}
		s->peer_count++;
		struct peer *p = peer_new(s, fd, role, uid, pid);
		if (role == ROLE_GATEWAY_AT_AUDITD)
			greet(s, p);
	}
}

static void
on_events(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	accept_all(arg, fd, ROLE_GATEWAY_AT_AUDITD);
}

static void
on_query(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	accept_all(arg, fd, ROLE_ADMIN_AT_AUDITD);
}

static void
on_dial(evutil_socket_t unused, short what, void *arg)
{
	(void)unused, (void)what;
	struct serve *s = arg;
	uid_t uid;
	pid_t pid;
	if (s->vault != NULL || s->stopping)
		return;
	int fd = sock_connect_unix(s->config.vault_socket, false);
	if (fd < 0) {
		if (!s->vault_missed)
			log_msg(LOG_WARN, "cannot reach the vault at %s: %s (trying again)",
			    s->config.vault_socket, strerror(errno));
		s->vault_missed = true;
		return;
	}
	// The listening socket is made by the service manager, so its owner may be root.
	if (sock_peer_uid(fd, &uid, &pid) != 0 || (uid != s->config.vault_uid && uid != 0)) {
		if (!s->vault_missed)
			log_msg(LOG_ERROR, "%s belongs to uid %u, not to the vault's uid %u",
			    s->config.vault_socket, uid, s->config.vault_uid);
		s->vault_missed = true;
		close(fd);
		return;
	}
	s->vault = peer_new(s, fd, ROLE_CORE_AT_AUDITD, uid, pid);
	s->vault_missed = false;
	greet(s, s->vault);
	log_msg(LOG_INFO, "connected to the vault");
}

// --- timers, start, stop -------------------------------------------------------------------

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct serve *s = arg;
	record_more_rejects(s);
	commit_tick(s->commit);
}

// Before the process ends. Whoever does not get it will ask again.
static void
last_word(struct peer *p)
{
	if (chan_flush(link_chan(p->link)) != CHAN_OK)
		log_msg(LOG_INFO, "%s did not take its last answers", perm_role_name(p->role));
}

static void
on_done(void *cookie, bool fatal)
{
	struct serve *s = cookie;
	for (struct peer *p = s->peers; p != NULL; p = p->next) {
		if (fatal)
			last_word(p);
		else if (p->query != NULL)
			query_wake(p->query);
	}
}

static struct event *
timer(struct serve *s, event_callback_fn fn, long usec)
{
	struct event *e = event_new(s->base, -1, EV_PERSIST, fn, s);
	struct timeval tv = {.tv_sec = usec / 1000000, .tv_usec = usec % 1000000};
	BUG_IF(e == NULL || event_add(e, &tv) != 0);
	return e;
}

static struct event *
listener(struct serve *s, int fd, event_callback_fn fn)
{
	struct event *e = event_new(s->base, fd, EV_READ | EV_PERSIST, fn, s);
	BUG_IF(e == NULL || event_add(e, NULL) != 0);
	return e;
}

struct serve *
serve_new(struct event_base *base, const struct serve_config *config)
{
	struct serve *s = base_calloc(1, sizeof(*s));
	s->magic = SERVE_MAGIC;
	s->config = *config;
	s->base = base;
	struct commit_config cc = {.ledger = config->ledger,
	    .space = config->space,
	    .orphan_after_ns = config->orphan_after_ns,
	    .answer = on_answer,
	    .done = on_done,
	    .cookie = s};
	s->commit = commit_new(base, &cc);
	s->events = listener(s, config->events_fd, on_events);
	s->query = listener(s, config->query_fd, on_query);
	s->tick = timer(s, on_tick, 1000000);
	if (config->vault_socket != NULL) {
		s->dial = timer(s, on_dial, DIAL_USEC);
		event_active(s->dial, 0, 0);
	}
	return s;
}

void
serve_stop(struct serve *s)
{
	CHECK_OBJ(s, SERVE_MAGIC);
	s->stopping = true;
	event_del(s->events);
	event_del(s->query);
	commit_push(s->commit, commit_entry_own(EVENT_AUDIT_STOP, 0, NULL, 0));
	while (commit_waiting(s->commit) != 0)
		commit_run(s->commit);
	for (struct peer *p = s->peers; p != NULL; p = p->next)
		last_word(p);
}

void
serve_free(struct serve *s)
{
	if (s == NULL)
		return;
	CHECK_OBJ(s, SERVE_MAGIC);
	commit_free(s->commit);
	for (struct peer *p = s->peers; p != NULL; p = s->peers) {
		p->waiting = 0;
		peer_end(p);
	}
	event_free(s->events);
	event_free(s->query);
	event_free(s->tick);
	if (s->dial != NULL)
		event_free(s->dial);
	s->magic = 0;
	free(s);
}
