// SPDX-License-Identifier: Apache-2.0
// USE and SETTLE. May touch: the tables, the audit link, sealers' channels, and,
// between a confirmed intent and the sealed head, one decrypted secret.
#include "vaultd/use.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "vaultd/audit_link.h"
#include "vaultd/audit_note.h"
#include "vaultd/authorize.h"
#include "vaultd/cred_kind.h"
#include "vaultd/exchange_token.h"
#include "vaultd/head.h"
#include "vaultd/lane_ctl.h"
#include "vaultd/token.h"
#include "vaultd/use_wait.h"

#define PENDING_MAGIC 0x75736570U

static uint64_t
now_s(void)
{
	return clock_wall_ns() / 1000000000U;
}

// --- USE: before the audit record ------------------------------------------------------

// A use whose intent is on its way. Names everything by id, since anything may go
// away meanwhile; keeps the USE payload, which the head is built from.
struct pending {
	unsigned magic;
	struct core *core;
	uint64_t gateway;
	uint64_t request;
	uint64_t credential;
	uint64_t version;
	uint64_t sealer;
	uint64_t lane;
	bool answered; // the gateway has its DENY already
	size_t len;
	uint8_t use[];
};

static bool
check_attempt(const struct plan *p, const struct msg_use *m, struct deny *d)
{
	if (p->in_flight || m->attempt != p->next || p->next >= p->attempt_count)
		return deny_set(d, DENY_NO_PLAN, "This attempt of the plan is not open.");
	if (m->attempt > 0 && !policy_may_fall_back(m->previous_class, m->previous_status))
		return deny_set(d, DENY_NO_PLAN,
		    "After status %llu (%s) there is no further attempt.",
		    (unsigned long long)m->previous_status, ids_class(m->previous_class));
	if (m->operation != p->attempt[p->next].operation)
		return deny_set(d, DENY_OPERATION_NOT_ALLOWED,
		    "The plan is for the operation '%s'.",
		    ids_operation(p->attempt[p->next].operation));
	return true;
}

static bool
check_rates(struct vkey *k, struct cred *c, struct deny *d)
{
	uint64_t now = clock_mono_ns();
	uint64_t wait = limits_wait_ms(&c->limits, now);
	if (!authorize_check_key_rate(k, d))
		return false;
	return wait == 0 ? true : authorize_rate_limited(d, wait, "credential", c->name);
}

static void on_intent(void *cookie, enum audit_outcome o, uint64_t seq, struct view code);

static int
append_intent(struct pending *u, const struct plan *p, struct cred *c, const struct msg_use *m)
{
	char hex[64];
	struct text t;
	text_init(&t, hex, sizeof(hex));
	text_hex(&t, (const uint8_t *)m->body_sha256.p, m->body_sha256.len);
	const struct policy_attempt *at = &p->attempt[p->next];
	bool translated = at->operation != p->operation;
	struct msg_append a = {.event = EVENT_KEY_INTENT,
	    .workspace = view_of(p->vkey->workspace),
	    .user = view_of(p->vkey->id),
	    .conversation = plan_conversation(p),
	    .key_id = view_of(c->id),
	    .key_version = c->version,
	    .key_use = c->uses + 1,
	    .result = RESULT_OK};
	a.num[a.num_count++] = (struct msg_attr_num){ATTR_BYTES_IN, m->body_len};
	a.num[a.num_count++] = (struct msg_attr_num){ATTR_STREAM, p->stream};
	const struct msg_attr_text text[] = {
	    {ATTR_OPERATION, view_of(ids_operation(at->operation))},
	    {ATTR_PROVIDER, view_of(ids_provider(c->provider))},
	    {ATTR_MODEL, {at->model.p, MIN(at->model.len, 300U)}},
	    {ATTR_UPSTREAM_HOST, view_of(c->host)},
	    {ATTR_REGION, view_of(c->region)},
	    {ATTR_BODY_SHA256, text_done(&t)},
	    {ATTR_INGRESS, view_of(translated ? ids_operation(p->operation) : NULL)},
	};
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		if (text[i].value.len != 0)
			a.text[a.text_count++] = text[i];
	if (audit_link_append(u->core->audit, &a, on_intent, u) != 0)
		return -1;
	c->uses++;
	return 0;
}

static bool
begin_use(struct gateway *gw, struct plan *p, struct cred *c, const struct frame *f,
    const struct msg_use *m, struct deny *d)
{
	struct core *core = gw->core;
	struct pending *u = base_calloc(1, sizeof(*u) + f->len);
	u->magic = PENDING_MAGIC;
	u->core = core;
	u->gateway = gw->id;
	u->request = f->id;
	u->credential = p->attempt[p->next].handle;
	u->version = c->version;
	u->sealer = m->sealer;
	u->lane = m->lane;
	u->len = f->len;
	memcpy(u->use, f->payload, f->len);
	if (append_intent(u, p, c, m) != 0) {
		free(u);
		return deny_set(d, DENY_VAULT_BUSY, "Too many records wait for the audit log.");
	}
	uint64_t now = clock_mono_ns();
	limits_take(&p->vkey->limits, now);
	limits_take(&c->limits, now);
	lane_ctl_hold(core->lanes, m->sealer, m->lane, f->id);
	p->in_flight = true;
	return true;
}

// Whether the use goes on now: it has what it needs, or waits for it, or is refused.
static enum exchange_token_want
token_want(struct gateway *gw, struct plan *p, const struct cred *c, const struct frame *f,
    const struct msg_use *m, struct deny *d)
{
	enum exchange_token_want w = EXCHANGE_TOKEN_GO;
	if (exchange_token_needed(c))
		w = exchange_token_want(gw->core, c, gw->id, d);
	if (w == EXCHANGE_TOKEN_WAIT) {
		p->in_flight = true;
		use_wait_add(gw, f, p->attempt[p->next].handle, m->sealer, m->lane);
	}
	return w;
}

// After "expired" the same attempt may come once more, with another token.
static void
reopen(struct gateway *gw, struct plan *p, const struct msg_use *m)
{
	if (p->in_flight || p->reopened || m->previous_class != CLASS_EXPIRED || p->next == 0 ||
	    m->attempt + 1 != p->next)
		return;
	uint64_t handle = p->attempt[m->attempt].handle;
	const struct cred *c = cred_by_handle(gw->core->creds, handle);
	if (c == NULL || (!exchange_token_needed(c) && !exchange_token_signed(c)))
		return;
	(void)token_drop(gw->core->tokens, handle, clock_wall_ns() / 1000000000U);
	p->reopened = true;
	p->next--;
}

// A refused attempt is spent, so that the gateway can go on with the next one;
// only the wrong lane may be corrected.
static void
spend_attempt(struct gateway *gw, struct plan *p, const struct msg_use *m, const struct deny *d)
{
	if (d->kind == DENY_LANE_MISMATCH || d->kind == DENY_NO_PLAN || m->attempt != p->next)
		return;
	p->next++;
	plan_mark_used(&gw->plans, p); // it was begun: it may make room for others
}

// What was planned and rechecked is in the catalogue.
static const struct catalogue_op *
op_of(const struct core *core, const struct policy_attempt *at, const struct cred *c)
{
	const struct catalogue_op *op =
	    catalogue_op(core->catalogue, at->operation, c->provider, cred_variant(c));
	BUG_IF(op == NULL);
	return op;
}

enum chan_status
use_on_use(struct gateway *gw, const struct frame *f)
{
	struct core *core = gw->core;
	struct msg_use m;
	struct deny d = {0};
	struct authorize_subject about = {0};
	if (chan_decode(link_chan(gw->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (f->id > gw->last_request)
		return chan_reject(
		    link_chan(gw->link), "USE of a request that was never authorized");
	struct plan *p = plan_find(&gw->plans, f->id, clock_mono_ns());
	if (p == NULL) {
		deny_set(&d, DENY_NO_PLAN, "There is no plan (denied, expired or used up).");
		about.operation = m.operation;
		authorize_refuse(gw, f->id, &d, &about);
		return CHAN_OK;
	}
	about = (struct authorize_subject){
	    .vkey = p->vkey, .operation = p->operation, .model = plan_model(p)};
	struct policy_request r = authorize_request(core, p);
	reopen(gw, p, &m);
	if (check_attempt(p, &m, &d)) {
		const struct policy_attempt *at = &p->attempt[p->next];
		struct cred *c = cred_by_handle(core->creds, at->handle);
		about.cred = c;
		if (policy_recheck(&r, c, at, &d) &&
		    lane_ctl_check(
			core->lanes, gw->id, m.sealer, m.lane, at->handle, c->version, &d) &&
		    head_check(op_of(core, at, c), &m, &d) && check_rates(p->vkey, c, &d) &&
		    authorize_audit_up(core, &d)) {
			enum exchange_token_want w = token_want(gw, p, c, f, &m, &d);
			if (w == EXCHANGE_TOKEN_WAIT ||
			    (w == EXCHANGE_TOKEN_GO && begin_use(gw, p, c, f, &m, &d)))
				return CHAN_OK;
		}
	}
	authorize_refuse(gw, f->id, &d, &about);
	if (!p->in_flight)
		spend_attempt(gw, p, &m, &d);
	return CHAN_OK;
}

// --- USE: after the audit record -------------------------------------------------------

// The one place where a use gets its secrets: the stored ones, or a temporary one.
SENSITIVE
static bool
open_secrets(const struct pending *u, const struct cred *c, struct secret *secret,
    struct secret *token, struct view *access_key_id, struct deny *d)
{
	struct core *core = u->core;
	*secret = *token = (struct secret){0};
	*access_key_id = view_of(c->access_key_id);
	if (exchange_token_needed(c) || exchange_token_signed(c))
		return exchange_token_open(core, c, secret, token, access_key_id, d);
	BUG_IF(kind_exchanges(c->auth)); // a stored secret never goes in the place of what it buys
	if (cred_open_secret(core->creds, c, secret, token) == 0)
		return true;
	return deny_set(d, DENY_VAULT_BUSY, "The vault's secret memory is full.");
}

// The secret is in plaintext only inside of this function.
SENSITIVE
static bool
release(struct pending *u, const struct policy_attempt *at, const struct cred *c,
    const struct msg_use *m, uint64_t seq, struct deny *d)
{
	struct core *core = u->core;
	struct secret secret, token;
	struct head_built b;
	bool ok = false;
	struct view access_key_id;
	if (!open_secrets(u, c, &secret, &token, &access_key_id, d))
		return false;
	struct head_request r = {.op = op_of(core, at, c),
	    .cred = c,
	    .model = at->model,
	    .use = m,
	    .secret = &secret,
	    .token = &token,
	    .access_key_id = access_key_id,
	    .now_s = exchange_token_time(core, c)};
	if (head_build(core->work, &r, &b) != 0) {
		deny_set(d, DENY_BAD_HEADER, "The request's header values are too long together.");
	} else {
		struct msg_seal s = {.lane = u->lane,
		    .audit_seq = seq,
		    .head = b.head,
		    .span_count = b.span_count,
		    .body_len = m->body_len,
		    .body_sha256 = m->body_sha256};
		memcpy(s.span, b.span, sizeof(s.span));
		ok = lane_ctl_seal(core->lanes, u->sealer, u->request, &s) == 0;
		if (!ok)
			deny_set(d, DENY_VAULT_BUSY, "The vault's secret memory is full.");
	}
	head_wipe(core->work);
	secret_wipe(&secret);
	secret_wipe(&token);
	return ok;
}

static void
note_void(struct pending *u, uint64_t seq, const struct cred *c, const char *code)
{
	audit_note_add(u->core->notes, NOTE_VOID,
	    &(struct note){.event = EVENT_KEY_INTENT_VOID,
		.ref_seq = seq,
		.key_id = c == NULL ? NULL : c->id,
		.key_version = u->version,
		.result = RESULT_DENIED,
		.code = code});
}

static void
give_back(struct pending *u, struct plan *p, struct cred *c)
{
	lane_ctl_unhold(u->core->lanes, u->sealer, u->lane, u->request);
	if (c != NULL)
		limits_give_back(&c->limits);
	if (p == NULL)
		return;
	limits_give_back(&p->vkey->limits);
	p->in_flight = false;
}

static void
answer_deny(struct pending *u, struct gateway *gw, struct plan *p, const struct msg_use *m,
    const struct cred *c, const struct deny *d)
{
	u->answered = true;
	if (gw == NULL || p == NULL)
		return;
	struct authorize_subject about = {
	    .vkey = p->vkey, .cred = c, .operation = p->operation, .model = plan_model(p)};
	authorize_refuse(gw, u->request, d, &about);
	spend_attempt(gw, p, m, d);
}

static void
on_durable(struct pending *u, struct gateway *gw, struct plan *p, struct cred *c,
    const struct msg_use *m, uint64_t seq)
{
	struct core *core = u->core;
	struct deny d = {0};
	struct policy_request r = authorize_request(core, p);
	const struct policy_attempt *at = &p->attempt[p->next];
	bool held = lane_ctl_holds(core->lanes, u->sealer, u->lane, u->request);
	give_back(u, p, c); // taken again below if the key is used
	if (!held)
		(void)deny_set(&d, DENY_LANE_MISMATCH, "The lane was closed meanwhile.");
	if (!held || !policy_recheck(&r, c, at, &d) ||
	    !lane_ctl_check(
		core->lanes, u->gateway, u->sealer, u->lane, u->credential, c->version, &d) ||
	    !release(u, at, c, m, seq, &d)) {
		answer_deny(u, gw, p, m, c, &d);
		note_void(u, seq, c, deny_code(d.kind));
		return;
	}
	limits_retake(&p->vkey->limits);
	limits_retake(&c->limits);
	core->uses++;
	c->last_used_s = now_s();
	p->next++;
	plan_mark_used(&gw->plans, p);
	p->sealer = u->sealer;
	p->lane = u->lane;
	p->audit_seq = seq;
	struct msg_go go = {.attempt = m->attempt, .audit_seq = seq};
	(void)link_send(gw->link, MSG_GO, u->request, &go); // cannot fail: not a secret channel
}

static void
on_intent(void *cookie, enum audit_outcome o, uint64_t seq, struct view code)
{
	struct pending *u = cookie;
	CHECK_OBJ(u, PENDING_MAGIC);
	struct core *core = u->core;
	struct deny d = {0};
	struct msg_use m;
	BUG_IF(msg_decode(MSG_USE, u->use, u->len, &m) != 0); // it was decoded before
	struct cred *c = cred_by_handle(core->creds, u->credential);
	struct gateway *gw = gateway_by_id(core->gateways, u->gateway);
	// A plan in flight stays in its table, so a live gateway still has it.
	struct plan *p =
	    gw == NULL || u->answered ? NULL : plan_find(&gw->plans, u->request, clock_mono_ns());
	BUG_IF(gw != NULL && p == NULL && !u->answered);
	if (p != NULL && o == AUDIT_DURABLE) {
		on_durable(u, gw, p, c, &m, seq);
	} else if (o == AUDIT_DURABLE) {
		// Too late, or the worker is gone: the intent stands, the key was not used.
		if (!u->answered)
			give_back(u, NULL, c);
		note_void(u, seq, c, u->answered ? "audit_unavailable" : "gateway_gone");
	} else if (!u->answered) {
		give_back(u, p, c);
		deny_set(&d, DENY_AUDIT_UNAVAILABLE,
		    "No key is used without an audit record: auditd says '%.*s'.", (int)code.len,
		    code.p);
		answer_deny(u, gw, p, &m, c, &d);
	}
	if (o == AUDIT_TIMEOUT)
		return;
	u->magic = 0;
	free(u);
}

// --- SETTLE --------------------------------------------------------------------------

// Whether another attempt may still come: the next one, or the last one again with
// another temporary secret.
static bool
may_go_on(const struct core *core, const struct plan *p, uint64_t status)
{
	if (status != 0 && status < 400)
		return false;
	if (p->next < p->attempt_count)
		return true;
	const struct cred *c =
	    p->next == 0 ? NULL : cred_by_handle(core->creds, p->attempt[p->next - 1].handle);
	return c != NULL && !p->reopened && kind_exchanges(c->auth);
}

enum chan_status
use_on_settle(struct gateway *gw, const struct frame *f)
{
	struct msg_settle m;
	if (chan_decode(link_chan(gw->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	struct plan *p = plan_find(&gw->plans, f->id, clock_mono_ns());
	if (m.audit_seq == 0) // no key was used
		return CHAN_OK;
	if (p == NULL || p->audit_seq != m.audit_seq) { // a stream longer than a plan's life
		lane_ctl_settled_late(gw->core->lanes, gw->id, m.audit_seq);
		return CHAN_OK;
	}
	lane_ctl_settled(gw->core->lanes, p->sealer, p->lane, m.audit_seq);
	if (!may_go_on(gw->core, p, m.status))
		plan_drop(&gw->plans, f->id);
	return CHAN_OK;
}
