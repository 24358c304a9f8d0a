// SPDX-License-Identifier: Apache-2.0
// Exchanges. May touch: socketpairs, the zygote's channel, control channels of its own
// sealers, the audit link; a secret only inside of the caller's build function.
#include "vaultd/exchange.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"
#include "vaultd/audit_link.h"
#include "vaultd/audit_note.h"
#include "vaultd/head.h"
#include "vaultd/lane_ctl.h"
#include "vaultd/lane_note.h"
#include "proto/grammar.h"

#define EXCHANGE_MAGIC 0x65786368U
#define ENDED_MAX      64U    // sealers that were let go and whose EXITED is still to come
#define SEALER_MEMORY  90000U // secret memory of one: channel buffers

enum phase { OPENING, RECORDING, ASKED, ENDED };

struct exchange {
	unsigned magic;
	struct core *core;
	struct exchange_request r;
	enum phase phase;
	uint64_t sealer;
	struct link *link;
	uint64_t gateway; // that relays
	bool second;	  // worker already
	bool secret_used;
	bool died;    // its sealer ended, and not by itself
	uint64_t seq; // of the intent
	char credential_id[CRED_ID_SIZE];
	struct event *timer;
	struct exchange *next;
};

struct exchanges {
	struct core *core;
	struct exchange *first;
	size_t live;
	size_t ended;
	uint64_t made;
};

struct exchanges *
exchange_set_new(struct core *core)
{
	struct exchanges *e = base_calloc(1, sizeof(*e));
	e->core = core;
	return e;
}

static void
forget(struct exchange *x)
{
	struct exchanges *e = x->core->exchanges;
	struct exchange **at = &e->first;
	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	e->ended -= x->phase == ENDED;
	link_free(x->link);
	event_free(x->timer);
	x->magic = 0;
	free(x);
}

void
exchange_set_free(struct exchanges *e)
{
	if (e == NULL)
		return;
	while (e->first != NULL)
		forget(e->first);
	free(e);
}

static struct exchange *
find(struct core *core, uint64_t sealer)
{
	for (struct exchange *x = core->exchanges->first; x != NULL; x = x->next)
		if (x->sealer == sealer)
			return x;
	return NULL;
}

static struct lane_note_who
who_of(const struct exchange *x)
{
	return (struct lane_note_who){x->core, x->sealer, x->credential_id, x->r.version};
}

// --- the end -------------------------------------------------------------------------

static void
note_end(struct exchange *x, uint64_t event, uint64_t status, bool ok, const char *code)
{
	audit_note_add(x->core->notes, event == EVENT_KEY_COMPLETE ? NOTE_COMPLETE : NOTE_VOID,
	    &(struct note){.event = event,
		.ref_seq = x->seq,
		.user = "vault",
		.key_id = x->credential_id,
		.key_version = x->r.version,
		.result = ok ? RESULT_OK : RESULT_FAILED,
		.code = code,
		.operation = x->r.operation,
		.status = status});
}

// The sealer is let go; its structure waits for EXITED.
static void
end(struct exchange *x, const struct exchange_result *r)
{
	struct exchanges *e = x->core->exchanges;
	uint64_t status = r->answer == NULL ? 0 : r->answer->status;
	if (x->phase == ENDED)
		return;
	if (x->secret_used)
		note_end(x, EVENT_KEY_COMPLETE, status, status == 200,
		    r->answer == NULL ? r->code : NULL);
	else if (x->seq != 0)
		note_end(x, EVENT_KEY_INTENT_VOID, 0, false, r->code);
	x->phase = ENDED;
	e->live--;
	e->ended++;
	event_del(x->timer);
	x->r.done(x->r.cookie, r); // views of the answer lie in the channel
	link_free(x->link);
	x->link = NULL;
}

static void
fail(struct exchange *x, const char *code, const char *message)
{
	end(x, &(struct exchange_result){.code = code, .message = message});
}

// --- the request -----------------------------------------------------------------------

// The secret is in plaintext only inside of this function.
SENSITIVE
static void
ask(struct exchange *x, const struct cred *c)
{
	struct msg_exchange m = {.format = x->r.format};
	int r = x->r.build(x->r.cookie, c, &m);
	x->secret_used = r == 0;
	if (r == 0)
		r = link_send(x->link, MSG_EXCHANGE, 0, &m);
	head_wipe(x->core->work);
	if (r == -2)
		fail(x, "unusable_key", "The stored key is none that can be used.");
	else if (r != 0)
		fail(x, "vault_busy", "The vault's secret memory is full.");
	else
		x->phase = ASKED;
}

struct intent {
	struct core *core;
	uint64_t sealer;
	char credential_id[CRED_ID_SIZE];
	uint64_t version;
};

static void
on_intent(void *cookie, enum audit_outcome o, uint64_t seq, struct view code)
{
	struct intent *i = cookie;
	struct exchange *x = find(i->core, i->sealer);
	const struct cred *c = x == NULL ? NULL : cred_by_handle(i->core->creds, x->r.credential);
	(void)code;
	if (o == AUDIT_DURABLE && (x == NULL || x->phase != RECORDING)) {
		audit_note_add(i->core->notes, NOTE_VOID,
		    &(struct note){.event = EVENT_KEY_INTENT_VOID,
			.ref_seq = seq,
			.key_id = i->credential_id,
			.key_version = i->version,
			.result = RESULT_DENIED,
			.code = "exchange_over"});
	} else if (o == AUDIT_DURABLE) {
		x->seq = seq;
		if (c == NULL || !c->enabled || c->version != x->r.version)
			fail(x, "credential_changed", "The credential was changed meanwhile.");
		else
			ask(x, c);
	} else if (x != NULL && x->phase == RECORDING) {
		fail(x, "audit_unavailable", "No key is used without an audit record.");
	}
	if (o != AUDIT_TIMEOUT)
		free(i);
}

static void
record(struct exchange *x)
{
	struct cred *c = cred_by_handle(x->core->creds, x->r.credential);
	if (c == NULL || c->version != x->r.version) {
		fail(x, "credential_changed", "The credential was changed meanwhile.");
		return;
	}
	struct intent *i = base_calloc(1, sizeof(*i));
	*i = (struct intent){.core = x->core, .sealer = x->sealer, .version = x->r.version};
	memcpy(i->credential_id, x->credential_id, sizeof(i->credential_id));
	struct msg_append a = {.event = EVENT_KEY_INTENT,
	    .workspace = view_of(c->workspace),
	    .user = VIEW("vault"),
	    .key_id = view_of(c->id),
	    .key_version = c->version,
	    .key_use = c->uses + 1,
	    .result = RESULT_OK};
	const struct msg_attr_text text[] = {
	    {ATTR_OPERATION, view_of(ids_operation(x->r.operation))},
	    {ATTR_PROVIDER, view_of(ids_provider(c->provider))},
	    {ATTR_MODEL, {x->r.model.p, MIN(x->r.model.len, 300U)}},
	    {ATTR_UPSTREAM_HOST, view_of(x->r.host)},
	    {ATTR_REGION, view_of(c->region)},
	};
	for (size_t k = 0; k < ARRAY_LEN(text); k++)
		if (text[k].value.len != 0)
			a.text[a.text_count++] = text[k];
	x->phase = RECORDING;
	if (audit_link_append(x->core->audit, &a, on_intent, i) != 0) {
		free(i);
		fail(x, "audit_unavailable", "No key is used without an audit record.");
		return;
	}
	c->uses++;
}

// --- opening -------------------------------------------------------------------------

static const char *open_sealer(struct exchange *x, struct gateway *gw);
static void on_timer(evutil_socket_t fd, short what, void *arg);

// The worker cannot relay: another one, once, while no key was used.
static void
relay_lost(struct exchange *x, const char *code, const char *message)
{
	struct gateway *gw = x->phase == OPENING && !x->second
				 ? gateway_pick(x->core->gateways, 0, x->gateway)
				 : NULL;
	if (gw == NULL) {
		fail(x, code, message);
		return;
	}
	uint64_t old_sealer = x->sealer;
	link_free(x->link);
	x->link = NULL;
	x->second = true;
	const char *why = open_sealer(x, gw);
	if (why != NULL) {
		fail(x, "vault_busy", why);
		return;
	}
	// The old sealer keeps a structure of its own until it has ended.
	struct exchange *old = base_calloc(1, sizeof(*old));
	*old = *x;
	old->sealer = old_sealer;
	old->phase = ENDED;
	old->link = NULL;
	old->timer = event_new(x->core->base, -1, 0, on_timer, old);
	BUG_IF(old->timer == NULL);
	old->next = x->next;
	x->next = old;
	x->core->exchanges->ended++;
}

// Words of others, for people: one line, and never half a character.
static void
make_plain(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
}

static enum chan_status
on_fault(struct exchange *x, struct link *l, const struct frame *f)
{
	struct msg_lane_fault m;
	if (chan_decode(link_chan(l), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	struct lane_note_who who = who_of(x);
	m.audit_seq = x->seq;
	lane_note_fault(&who, &m);
	char why[200];
	snprintf(why, sizeof(why), "The host's certificate was not acceptable: %.*s",
	    (int)MIN(m.detail.len, 120U), m.detail.len == 0 ? "no reason given" : m.detail.p);
	make_plain(why);
	if (m.fault == LANE_TLS_FAILED)
		fail(x, "tls_failed", why);
	else if (m.fault == LANE_LEAK)
		fail(x, "leak", "The answer held the key, and was cut off.");
	else
		fail(x, "connection_lost", "The connection ended before the answer.");
	return CHAN_EOF;
}

bool
exchange_answer_sound(const struct msg_exchanged *m)
{
	for (size_t i = 0; i < m->message.len; i++)
		if (m->message.p[i] < 0x20 || m->message.p[i] > 0x7e)
			return false;
	return grammar_visible(m->error_type) && grammar_visible(m->code) &&
	       grammar_visible(m->access_key_id) && grammar_visible(m->secret) &&
	       grammar_visible(m->session_token);
}

static enum chan_status
on_exchanged(struct exchange *x, struct link *l, const struct frame *f)
{
	struct msg_exchanged m;
	if (chan_decode(link_chan(l), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (x->phase != ASKED)
		return chan_reject(link_chan(l), "EXCHANGED without a question");
	if (!exchange_answer_sound(&m))
		return chan_reject(link_chan(l), "EXCHANGED with text that no sealer sends");
	end(x, &(struct exchange_result){.answer = &m});
	return CHAN_EOF; // the link is gone
}

// A worker that went away ends the sealer before we hear of it.
static void
sealer_lost(struct exchange *x)
{
	if (x->died)
		fail(x, "sealer_died", "The process that spoke with the provider ended.");
	else
		relay_lost(x, "connection_lost", "The connection to the provider was lost.");
}

static enum chan_status
on_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct exchange *x = cookie;
	struct msg_lane_verified v;
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	switch (f->type) {
	case MSG_SEALER_READY:
		chan_set_state(link_chan(l), CHANNEL_READY);
		return CHAN_OK;
	case MSG_LANE_VERIFIED:
		if (chan_decode(link_chan(l), f, &v) != CHAN_OK)
			return CHAN_REJECT;
		if (x->phase != OPENING)
			return chan_reject(link_chan(l), "lane verified twice");
		record(x);
		return x->phase == ENDED ? CHAN_EOF : CHAN_OK;
	case MSG_LANE_FAULT:
		return on_fault(x, l, f);
	case MSG_EXCHANGED:
		return on_exchanged(x, l, f);
	default:
		return chan_reject(link_chan(l), "unexpected message");
	}
}

static void
on_close(void *cookie, struct link *l, enum chan_status why)
{
	struct exchange *x = cookie;
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	struct lane_note_who who = who_of(x);
	if (why == CHAN_REJECT)
		lane_note_rejected(&who, false, chan_reason(link_chan(l)));
	sealer_lost(x);
}

// NULL, or why not: nothing that the provider or the network would have to do with.
static const char *
open_sealer(struct exchange *x, struct gateway *gw)
{
	struct core *core = x->core;
	const struct cred *c = cred_by_handle(core->creds, x->r.credential);
	int control[2], lanes[2];
	if (c == NULL || c->version != x->r.version)
		return "The credential was changed.";
	if (!lane_ctl_memory_left(core, SEALER_MEMORY + 2 * c->ca_pem.len))
		return "The vault's secret memory is full.";
	if (sock_pair(control) != 0)
		return "The vault is out of descriptors.";
	if (sock_pair(lanes) != 0) {
		close(control[0]);
		close(control[1]);
		return "The vault is out of descriptors.";
	}
	struct chan *ch = chan_new(control[0], ROLE_SEALER_AT_CORE, CHAN_SECRET);
	struct msg_sealer_config m = {
	    .host = view_of(x->r.host), .ca_pem = c->ca_pem, .exchange = true};
	if (ch == NULL)
		close(control[0]);
	else
		x->link = link_new(core->base, ch, on_frame, on_close, x);
	if (ch == NULL || link_send(x->link, MSG_SEALER_CONFIG, 0, &m) != 0) {
		link_free(x->link);
		x->link = NULL;
		close(control[1]);
		close(lanes[0]);
		close(lanes[1]);
		return "The vault's secret memory is full.";
	}
	x->sealer = ++core->exchanges->made | EXCHANGE_SEALER;
	x->gateway = gw->id;
	memcpy(x->credential_id, c->id, sizeof(x->credential_id));
	lane_ctl_fork(core->lanes, x->sealer, (const int[]){control[1], lanes[1]});
	struct msg_relay relay = {
	    .sealer = x->sealer, .host = view_of(x->r.host), .port = x->r.port};
	(void)link_send_fds(gw->link, MSG_RELAY, 0, &relay, &lanes[0], 1);
	return NULL;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct exchange *x = arg;
	CHECK_OBJ(x, EXCHANGE_MAGIC);
	fail(x, "timeout", "There was no answer in time.");
}

static struct exchange_result
refusal(const struct core *core, const struct gateway *gw)
{
	const struct exchanges *e = core->exchanges;
	if (!audit_link_ready(core->audit))
		return (struct exchange_result){.code = "audit_unavailable",
		    .message = "No key is used without an audit record."};
	if (gw == NULL)
		return (struct exchange_result){.code = "no_gateway",
		    .message = "No gateway worker is there to connect to the provider."};
	if (e->live >= EXCHANGE_MAX || e->ended >= ENDED_MAX)
		return (struct exchange_result){
		    .code = "vault_busy", .message = "Many exchanges are running."};
	return (struct exchange_result){0};
}

bool
exchange_start(struct core *core, const struct exchange_request *r, struct exchange_result *why_r)
{
	struct exchanges *e = core->exchanges;
	struct gateway *gw = gateway_pick(core->gateways, r->prefer, 0);
	*why_r = refusal(core, gw);
	if (why_r->code != NULL)
		return false;
	struct exchange *x = base_calloc(1, sizeof(*x));
	x->magic = EXCHANGE_MAGIC;
	x->core = core;
	x->r = *r;
	x->timer = event_new(core->base, -1, 0, on_timer, x);
	BUG_IF(x->timer == NULL);
	const char *why = open_sealer(x, gw);
	if (why != NULL) {
		*why_r = (struct exchange_result){.code = "vault_busy", .message = why};
		event_free(x->timer);
		free(x);
		return false;
	}
	event_add(x->timer, &(struct timeval){.tv_sec = EXCHANGE_LIFE_S});
	x->next = e->first;
	e->first = x;
	e->live++;
	return true;
}

// A sealer whose worker could not connect ends cleanly, and the zygote may say so before the
// worker says why, and before we have read what the sealer said last.
void
exchange_on_exited(struct core *core, const struct msg_exited *m)
{
	struct exchange *x = find(core, m->sealer);
	if (x == NULL)
		return;
	struct lane_note_who who = who_of(x);
	lane_note_exit(&who, m);
	x->died = m->exit_code != 0 || m->signal != 0;
	if (x->link != NULL)
		link_drain(x->link);
	x = find(core, m->sealer);
	BUG_IF(x == NULL);
	if (x->phase != ENDED)
		sealer_lost(x);
	x = find(core, m->sealer); // another one, when another sealer has taken over
	BUG_IF(x == NULL);
	forget(x);
}

// --- workers -------------------------------------------------------------------------

enum chan_status
exchange_on_relay_failed(struct gateway *gw, const struct frame *f)
{
	struct msg_relay_failed m;
	if (chan_decode(link_chan(gw->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	struct exchange *x = find(gw->core, m.sealer);
	if (x == NULL || x->phase == ENDED)
		return CHAN_OK; // it crossed the end on the way
	if (x->gateway != gw->id)
		return chan_reject(link_chan(gw->link), "RELAY_FAILED of another worker's relay");
	// The worker's own words: shown to people, nothing hangs on them.
	char why[200];
	snprintf(why, sizeof(why), "The host of the exchange cannot be reached: %.*s",
	    (int)MIN(m.message.len, 120U), m.message.len == 0 ? "no reason given" : m.message.p);
	make_plain(why);
	relay_lost(x, "provider_unreachable", why);
	return CHAN_OK;
}

void
exchange_gateway_gone(struct core *core, uint64_t gateway)
{
	struct exchange *next;
	for (struct exchange *x = core->exchanges->first; x != NULL; x = next) {
		next = x->next;
		if (x->phase != ENDED && x->gateway == gateway)
			relay_lost(x, "connection_lost", "The gateway worker went away.");
	}
}
