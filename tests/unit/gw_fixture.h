// SPDX-License-Identifier: Apache-2.0
// A gateway worker in this process, without sandbox or forks, between stand-ins that
// the test drives: a client at a socket pair, a vault and an auditd that listen on
// Unix sockets, a sealer without TLS, and a TCP listener as the provider. All of them
// live on the worker's own event loop, so a test is a plain sequence of steps.
#ifndef TEST_GW_FIXTURE_H
#define TEST_GW_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"
#include "dialect/dialect.h"
#include "gatewayd/audit.h"
#include "gatewayd/client.h"
#include "gatewayd/exchange.h"
#include "gatewayd/plans.h"
#include "gatewayd/pool.h"
#include "gatewayd/resolve.h"
#include "gatewayd/vault.h"
#include "gatewayd/wire.h"
#include "proto/link.h"

#define GW_EVENTS 128U

// One thing that reached a stand-in, in order over all of them.
struct gw_event {
	uint8_t type;	   // message type
	uint64_t id;	   // frame id
	uint64_t a, b, c;  // USE: attempt, lane, previous status; APPEND: result, ref_seq, status
	uint64_t op;	   // USE: operation
	uint64_t class_id; // USE: of the failure before; APPEND: of this one
	uint64_t tokens_in, tokens_out; // SETTLE
	char text[66];			// AUTHORIZE: model; APPEND: error code
};

struct gw_lane {
	uint64_t id;
	size_t body;	 // BODY bytes received
	char text[4096]; // the first of them
	size_t text_len;
	size_t body_window;  // that may still come
	size_t plain_window; // that may still be sent
	bool closed;	     // LANE_CLOSE came
	struct link *link;   // its sealer's
};

struct gw {
	char dir[64], vault_path[80], audit_path[80];
	struct config config;
	struct worker w;
	struct event *listen_vault, *listen_audit, *listen_provider, *graves;
	int vault_fd, audit_fd, provider_fd;
	struct link *vault, *audit;
	struct link *sealer[8];
	size_t sealer_count;
	int provider[16];
	size_t provider_count;
	struct gw_event event[GW_EVENTS];
	size_t event_count, event_seen;
	struct gw_lane lane[16];
	size_t lane_count;
	uint64_t next_seq;
	enum provider kind; // of the attempts; 0: OpenAI
	// What each attempt of the plan is for; zero: OpenAI chat with the model "m".
	struct gw_way {
		enum provider provider;
		enum operation op;
		const char *model;
		bool renews;
	} way[MSG_ATTEMPTS_MAX];
	size_t attempts;   // credentials 1..attempts in each plan
	bool grant_body;   // the sealer grants BODY at once
	bool ready_lanes;  // the sealer says LANE_READY at once
	bool lose_fd;	   // the vault's SEALER comes without its descriptor
	bool auto_plan;	   // the vault answers AUTHORIZE with PLAN at once
	bool auto_go;	   // and USE with GO
	bool auto_ack;	   // auditd acknowledges
	uint64_t last_use; // body length that the last USE announced
	uint8_t last_sha256[32];
	size_t last_header_count;
	uint64_t last_header[MSG_HEADERS_MAX];
	size_t last_num_count; // of the last APPEND
	struct msg_attr_num last_num[MSG_ATTRS_MAX];
	int client;	     // the test's end of the client connection
	char answer[262144]; // read by gw_read
	size_t answer_len;
};

static struct gw gw;

static inline void
gw_note(const struct gw_event *e)
{
	assert_true(gw.event_count < GW_EVENTS);
	gw.event[gw.event_count++] = *e;
}

static inline struct gw_lane *
gw_lane(uint64_t id)
{
	for (size_t i = 0; i < gw.lane_count; i++)
		if (gw.lane[i].id == id)
			return &gw.lane[i];
	return NULL;
}

// --- sealer --------------------------------------------------------------------------

static inline void
gw_plain(uint64_t lane, const char *text)
{
	size_t len = strlen(text);
	struct gw_lane *l = gw_lane(lane);
	assert_true(len <= l->plain_window);
	l->plain_window -= len;
	link_send_raw(l->link, MSG_PLAIN, lane, text, len);
}

static inline void
gw_lane_closed(uint64_t lane, enum lane_fault fault)
{
	struct msg_lane_closed m = {.fault = fault, .detail = VIEW("test")};
	link_send(gw_lane(lane)->link, MSG_LANE_CLOSED, lane, &m);
}

static inline void
gw_credit(uint64_t lane, enum credit_kind kind, size_t n)
{
	link_send(
	    gw_lane(lane)->link, MSG_CREDIT, lane, &(struct msg_credit){.kind = kind, .bytes = n});
}

static inline void
gw_on_body(struct gw_lane *l, const struct frame *f)
{
	size_t len = f->len, n = MIN(len, sizeof(l->text) - 1 - l->text_len);
	memcpy(l->text + l->text_len, f->payload, n);
	l->text_len += n;
	l->body += len;
	assert_true(len <= l->body_window); // the gateway keeps to the window
	l->body_window -= len;
	if (gw.grant_body && l->body_window <= LANE_WINDOW / 2) {
		gw_credit(l->id, CREDIT_BODY, LANE_WINDOW - l->body_window);
		l->body_window = LANE_WINDOW;
	}
}

static inline enum chan_status
gw_sealer_frame(void *cookie, struct link *l, const struct frame *f)
{
	(void)cookie;
	struct gw_lane *lane = gw_lane(f->id);
	struct msg_credit credit;
	switch (f->type) {
	case MSG_LANE_OPEN:
		gw.lane[gw.lane_count++] = (struct gw_lane){.id = f->id,
		    .body_window = LANE_WINDOW,
		    .plain_window = LANE_WINDOW,
		    .link = l};
		if (gw.ready_lanes)
			link_send(l, MSG_LANE_READY, f->id, &(struct msg_empty){0});
		break;
	case MSG_BODY:
		gw_on_body(lane, f);
		break;
	case MSG_LANE_CLOSE:
		lane->closed = true;
		break;
	case MSG_CREDIT:
		assert_int_equal(chan_decode(link_chan(l), f, &credit), CHAN_OK);
		if (credit.kind == CREDIT_PLAIN)
			lane->plain_window += credit.bytes;
		assert_true(lane->plain_window <= LANE_WINDOW);
		return CHAN_OK; // not noted: there are many
	default:
		break;
	}
	if (f->type != MSG_BODY)
		gw_note(&(struct gw_event){.type = f->type, .id = f->id});
	return CHAN_OK;
}

static inline void
gw_sealer_close(void *cookie, struct link *l, enum chan_status why)
{
	(void)cookie;
	if (why != CHAN_EOF) // never a protocol fault
		fail_msg("the sealer rejects the gateway: %s", chan_reason(link_chan(l)));
	for (size_t i = 0; i < gw.sealer_count; i++)
		if (gw.sealer[i] == l)
			gw.sealer[i] = NULL;
	link_free(l);
}

// --- vault ---------------------------------------------------------------------------

static inline void
gw_plan(uint64_t id, uint64_t first_credential)
{
	struct msg_plan m = {.vkey_id = VIEW("vk_1"), .workspace = VIEW("w")};
	m.attempt_count = gw.attempts;
	for (size_t i = 0; i < gw.attempts; i++)
		m.attempt[i] = (struct msg_attempt){.credential = first_credential + i,
		    .credential_id = VIEW("cr_1"),
		    .provider = gw.way[i].provider != 0 ? gw.way[i].provider
				: gw.kind != 0		? gw.kind
							: PROVIDER_OPENAI,
		    .host = VIEW("127.0.0.1"),
		    .port = sock_local_port(gw.provider_fd),
		    .model = view_of(gw.way[i].model != NULL ? gw.way[i].model : "m"),
		    .operation = gw.way[i].op != 0 ? gw.way[i].op : OP_OPENAI_CHAT,
		    .renews = gw.way[i].renews};
	link_send(gw.vault, MSG_PLAN, id, &m);
}

static inline uint64_t
gw_go(uint64_t id, uint64_t attempt)
{
	struct msg_go m = {.attempt = attempt, .audit_seq = ++gw.next_seq};
	link_send(gw.vault, MSG_GO, id, &m);
	return m.audit_seq;
}

static inline void
gw_deny(uint64_t id, unsigned status, const char *code)
{
	struct msg_deny m = {
	    .status = status, .code = view_of(code), .message = VIEW("said the vault")};
	link_send(gw.vault, MSG_DENY, id, &m);
}

static inline void
gw_open_sealer(const struct frame *f)
{
	struct msg_sealer_open m;
	int fds[2];
	assert_int_equal(chan_decode(link_chan(gw.vault), f, &m), CHAN_OK);
	if (gw.lose_fd) { // what proto/chan.c does when the kernel takes no more
		struct msg_sealer lost = {.credential = m.credential, .sealer = 99};
		link_send(gw.vault, MSG_SEALER, f->id | UINT64_C(1) << 63, &lost);
		return;
	}
	assert_int_equal(sock_pair(fds), 0);
	assert_true(gw.sealer_count < ARRAY_LEN(gw.sealer));
	gw.sealer[gw.sealer_count++] = link_new(gw.w.base,
	    chan_new(fds[0], ROLE_GATEWAY_AT_SEALER, 0), gw_sealer_frame, gw_sealer_close, NULL);
	struct msg_sealer r = {.credential = m.credential, .sealer = 100 + m.credential};
	link_send_fds(gw.vault, MSG_SEALER, f->id, &r, &fds[1], 1);
}

static inline void
gw_note_use(const struct frame *f)
{
	struct msg_use m;
	assert_int_equal(chan_decode(link_chan(gw.vault), f, &m), CHAN_OK);
	gw_note(&(struct gw_event){.type = f->type,
	    .id = f->id,
	    .a = m.attempt,
	    .b = m.lane,
	    .c = m.previous_status,
	    .class_id = m.previous_class,
	    .op = m.operation});
	gw.last_use = m.body_len;
	gw.last_header_count = m.header_count;
	for (size_t i = 0; i < m.header_count; i++)
		gw.last_header[i] = m.header[i].id;
	assert_int_equal(m.body_sha256.len, 32);
	memcpy(gw.last_sha256, m.body_sha256.p, 32);
	if (gw.auto_go)
		gw_go(f->id, m.attempt);
}

static inline void
gw_note_authorize(const struct frame *f)
{
	struct msg_authorize m;
	assert_int_equal(chan_decode(link_chan(gw.vault), f, &m), CHAN_OK);
	struct gw_event e = {.type = f->type, .id = f->id};
	assert_int_equal(view_copy(m.model, e.text, sizeof(e.text)), 0);
	gw_note(&e);
	if (gw.auto_plan)
		gw_plan(f->id, 1);
}

static inline void
gw_note_settle(const struct frame *f)
{
	struct msg_settle m;
	assert_int_equal(chan_decode(link_chan(gw.vault), f, &m), CHAN_OK);
	gw_note(&(struct gw_event){.type = f->type,
	    .id = f->id,
	    .a = m.status,
	    .tokens_in = m.tokens_in,
	    .tokens_out = m.tokens_out});
}

static inline enum chan_status
gw_vault_frame(void *cookie, struct link *l, const struct frame *f)
{
	(void)cookie;
	switch (f->type) {
	case MSG_HELLO:
		chan_set_state(link_chan(l), CHANNEL_READY);
		link_send(l, MSG_WELCOME, f->id, &(struct msg_welcome){.version = VIEW("t")});
		break;
	case MSG_AUTHORIZE:
		gw_note_authorize(f);
		break;
	case MSG_USE:
		gw_note_use(f);
		break;
	case MSG_SEALER_OPEN:
		gw_open_sealer(f);
		break;
	case MSG_SETTLE:
		gw_note_settle(f);
		break;
	default:
		gw_note(&(struct gw_event){.type = f->type, .id = f->id});
	}
	return CHAN_OK;
}

static inline void
gw_vault_close(void *cookie, struct link *l, enum chan_status why)
{
	(void)cookie;
	assert_int_equal(why, CHAN_EOF);
	link_free(l);
	gw.vault = NULL;
}

static inline void
gw_accept_vault(evutil_socket_t fd, short what, void *arg)
{
	(void)what, (void)arg;
	int s = sock_accept(fd);
	assert_true(s >= 0);
	gw.vault = link_new(
	    gw.w.base, chan_new(s, ROLE_GATEWAY_AT_CORE, 0), gw_vault_frame, gw_vault_close, NULL);
}

// --- auditd ----------------------------------------------------------------------------

static inline void
gw_ack(uint64_t id)
{
	static const char leaf[32];
	struct msg_ack m = {.seq = 1, .leaf = {.p = leaf, .len = sizeof(leaf)}};
	link_send(gw.audit, MSG_ACK, id, &m);
}

static inline enum chan_status
gw_audit_frame(void *cookie, struct link *l, const struct frame *f)
{
	(void)cookie;
	struct msg_append m;
	assert_int_equal(f->type, MSG_APPEND);
	assert_int_equal(chan_decode(link_chan(l), f, &m), CHAN_OK);
	assert_int_equal(m.event, EVENT_KEY_COMPLETE);
	struct gw_event e = {
	    .type = f->type, .id = f->id, .a = m.result, .b = m.ref_seq, .c = m.num[0].value};
	assert_int_equal(m.num[0].key, ATTR_STATUS);
	for (size_t i = 0; i < m.text_count; i++)
		if (m.text[i].key == ATTR_ERROR_CLASS)
			for (uint64_t c = 1; c <= CLASS_LAST; c++)
				if (view_eq_str(m.text[i].value, ids_class(c)))
					e.class_id = c;
	gw.last_num_count = m.num_count;
	memcpy(gw.last_num, m.num, sizeof(m.num));
	assert_int_equal(view_copy(m.error_code, e.text, sizeof(e.text)), 0);
	gw_note(&e);
	if (gw.auto_ack)
		gw_ack(f->id);
	return CHAN_OK;
}

static inline void
gw_audit_close(void *cookie, struct link *l, enum chan_status why)
{
	(void)cookie;
	assert_int_equal(why, CHAN_EOF);
	link_free(l);
	gw.audit = NULL;
}

static inline void
gw_accept_audit(evutil_socket_t fd, short what, void *arg)
{
	(void)what, (void)arg;
	static const char zero[32];
	int s = sock_accept(fd);
	assert_true(s >= 0);
	gw.audit = link_new(gw.w.base, chan_new(s, ROLE_GATEWAY_AT_AUDITD, 0), gw_audit_frame,
	    gw_audit_close, NULL);
	struct msg_audit_hello m = {
	    .log_id = {.p = zero, .len = 16}, .head = {.p = zero, .len = 32}, .boot_no = 1};
	link_send(gw.audit, MSG_AUDIT_HELLO, 0, &m);
}

static inline void
gw_accept_provider(evutil_socket_t fd, short what, void *arg)
{
	(void)what, (void)arg;
	assert_true(gw.provider_count < ARRAY_LEN(gw.provider));
	gw.provider[gw.provider_count++] = sock_accept(fd);
}

// --- steps -------------------------------------------------------------------------------

static inline void
gw_turn(void)
{
	event_base_loop(gw.w.base, EVLOOP_NONBLOCK);
}

// Lets everything that is under way happen.
static inline void
gw_settle(void)
{
	for (int i = 0; i < 30; i++) {
		gw_turn();
		usleep(200);
	}
}

// The next event of this type within a second; others before it are skipped.
static inline struct gw_event *
gw_wait(uint8_t type)
{
	for (int i = 0; i < 1000; i++) {
		while (gw.event_seen < gw.event_count)
			if (gw.event[gw.event_seen++].type == type)
				return &gw.event[gw.event_seen - 1];
		gw_turn();
		usleep(1000);
	}
	fail_msg("no %s came", msg_name(type));
	return NULL;
}

static inline size_t
gw_count(uint8_t type)
{
	size_t n = 0;
	for (size_t i = 0; i < gw.event_count; i++)
		n += gw.event[i].type == type;
	return n;
}

#include "tests/unit/gw_client.h"

#define GW_BODY	  "{\"model\":\"m\"}"
#define GW_STREAM "{\"model\":\"m\",\"stream\":true}"
#define GW_ANSWER                                                                                  \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n"          \
	"{\"answer\":42}"

#define GW_NO_ATTR UINT64_MAX

// A number of the last record.
static inline uint64_t
gw_attr(enum audit_attr key)
{
	for (size_t i = 0; i < gw.last_num_count; i++)
		if (gw.last_num[i].key == key)
			return gw.last_num[i].value;
	return GW_NO_ATTR;
}

// --- the two ends ------------------------------------------------------------------------

static inline int
gw_setup(void **state)
{
	(void)state;
	memset(&gw, 0, sizeof(gw));
	log_init("test", LOG_ERROR);
	gw.client = -1;
	gw.attempts = 1;
	gw.ready_lanes = gw.grant_body = gw.auto_plan = gw.auto_go = gw.auto_ack = true;
	snprintf(gw.dir, sizeof(gw.dir), "/tmp/sp-gw-XXXXXX");
	if (mkdtemp(gw.dir) == NULL)
		return -1;
	snprintf(gw.vault_path, sizeof(gw.vault_path), "%s/v", gw.dir);
	snprintf(gw.audit_path, sizeof(gw.audit_path), "%s/a", gw.dir);
	static char yaml[256], error[256];
	int n = snprintf(yaml, sizeof(yaml),
	    "listen: {plain: '127.0.0.1:1'}\nworkers: 1\nvault_socket: %s\naudit_socket: %s\n",
	    gw.vault_path, gw.audit_path);
	struct config *c = config_parse("t", yaml, (size_t)n, error, sizeof(error));
	if (c == NULL)
		return -1;
	struct worker *w = &gw.w;
	w->config = c;
	w->base = event_base_new();
	w->wires = wires_new(w->base);
	w->resolver = resolver_load(c);
	resolver_start(w->resolver, w->base);
	w->plans = plans_new();
	w->memory = dialect_memory_new(64);
	w->pool = pool_new(w);
	worker_graves(w);
	limits_init(&w->limits, c);
	w->limits.unsent = wires_unsent(w->wires);
	w->http_limits = http_limits_default;
	TAILQ_INIT(&w->clients);
	TAILQ_INIT(&w->exchanges);
	gw.vault_fd = sock_listen_unix(gw.vault_path, 0600);
	gw.audit_fd = sock_listen_unix(gw.audit_path, 0600);
	gw.provider_fd = sock_listen_tcp("127.0.0.1:0", false);
	short what = EV_READ | EV_PERSIST;
	gw.listen_vault = event_new(w->base, gw.vault_fd, what, gw_accept_vault, NULL);
	gw.listen_audit = event_new(w->base, gw.audit_fd, what, gw_accept_audit, NULL);
	gw.listen_provider = event_new(w->base, gw.provider_fd, what, gw_accept_provider, NULL);
	event_add(gw.listen_vault, NULL);
	event_add(gw.listen_audit, NULL);
	event_add(gw.listen_provider, NULL);
	w->vault = vault_new(w);
	w->audit = audit_new(w);
	for (int i = 0; i < 1000 && !(vault_up(w->vault) && audit_up(w->audit)); i++)
		gw_turn();
	gw_connect_client();
	return vault_up(w->vault) && audit_up(w->audit) ? 0 : -1;
}

static inline int
gw_teardown(void **state)
{
	(void)state;
	struct worker *w = &gw.w;
	close(gw.client);
	client_close_all(w);
	gw_settle();
	event_free(gw.listen_vault);
	event_free(gw.listen_audit);
	event_free(gw.listen_provider);
	pool_free(w->pool);
	vault_free(w->vault);
	audit_free(w->audit);
	link_free(gw.vault);
	link_free(gw.audit);
	for (size_t i = 0; i < gw.sealer_count; i++)
		link_free(gw.sealer[i]);
	int leaked =
	    !TAILQ_EMPTY(&w->exchanges) || w->limits.buffered != 0 || w->limits.connections != 0;
	wires_free(w->wires);
	plans_free(w->plans);
	dialect_memory_free(w->memory);
	catalog_feed_free(&w->catalogue);
	limits_free(&w->limits);
	resolver_free(w->resolver);
	worker_graves_end(w);
	event_base_free(w->base);
	close(gw.vault_fd);
	close(gw.audit_fd);
	close(gw.provider_fd);
	for (size_t i = 0; i < gw.provider_count; i++)
		if (gw.provider[i] >= 0)
			close(gw.provider[i]);
	unlink(gw.vault_path);
	unlink(gw.audit_path);
	rmdir(gw.dir);
	config_free((struct config *)(uintptr_t)w->config);
	return leaked;
}

#endif
