// SPDX-License-Identifier: Apache-2.0
// AUTHORIZE, and what it shares with USE: refusals and the question to the policy. May
// touch: the tables, the audit link's state; no secret.
#include "vaultd/authorize.h"

#include "common/clock.h"
#include "vaultd/audit_link.h"
#include "vaultd/audit_note.h"
#include "vaultd/exchange_token.h"
#include "proto/grammar.h"

static uint64_t
now_s(void)
{
	return clock_wall_ns() / 1000000000U;
}

// --- refusing ----------------------------------------------------------------------

void
authorize_refuse(struct gateway *gw, uint64_t request, const struct deny *d,
    const struct authorize_subject *about)
{
	struct core *core = gw->core;
	bool client = d->kind == DENY_INVALID_KEY || d->kind == DENY_KEY_REVOKED;
	struct msg_deny m = deny_message(d);
	(void)link_send(gw->link, MSG_DENY, request, &m); // cannot fail: not a secret channel
	core->denials++;
	struct note n = {.event = client ? EVENT_CLIENT_DENIED : EVENT_KEY_DENIED,
	    .user = about->vkey == NULL ? NULL : about->vkey->id,
	    .workspace = about->vkey == NULL ? NULL : about->vkey->workspace,
	    .key_id = about->cred == NULL ? NULL : about->cred->id,
	    .key_version = about->cred == NULL ? 0 : about->cred->version,
	    .result = RESULT_DENIED,
	    .code = deny_code(d->kind),
	    .operation = about->operation,
	    .model = about->model};
	audit_note_add(core->notes, NOTE_DENY_FIRST + (enum note_kind)d->kind, &n);
}

bool
authorize_audit_up(const struct core *core, struct deny *d)
{
	if (audit_link_ready(core->audit))
		return true;
	return deny_set(d, DENY_AUDIT_UNAVAILABLE, "No key is used without an audit record: %s.",
	    audit_link_problem(core->audit));
}

// --- shared checks ------------------------------------------------------------

bool
authorize_rate_limited(struct deny *d, uint64_t wait_ms, const char *whose, const char *name)
{
	deny_set(d, DENY_RATE_LIMITED, "The rate ceiling of the %s '%s' is reached.", whose, name);
	d->retry_after_ms = wait_ms;
	return false;
}

// Only the key's own ceiling: a credential's may be gone by the time of USE.
bool
authorize_check_key_rate(const struct vkey *k, struct deny *d)
{
	uint64_t wait = limits_wait_ms(&k->limits, clock_mono_ns());
	return wait == 0 ? true : authorize_rate_limited(d, wait, "key", k->name);
}

struct policy_request
authorize_request(const struct core *core, const struct plan *p)
{
	return (struct policy_request){.vkey = p->vkey,
	    .cat = core->catalogue,
	    .operation = p->operation,
	    .stream = p->stream,
	    .model = plan_model(p),
	    .now_s = now_s()};
}

// --- AUTHORIZE -----------------------------------------------------------------------

// "openai/": an operation without a model, of this provider.
static bool
names_provider(struct view v)
{
	return v.len > 1 && v.p[v.len - 1] == '/' &&
	       ids_provider_of((struct view){v.p, v.len - 1}) != 0;
}

static bool
check_request(const struct msg_authorize *m, struct deny *d)
{
	if (!catalogue_known_op(m->operation))
		return deny_set(d, DENY_OPERATION_NOT_ALLOWED, "There is no such operation.");
	bool takes = catalogue_takes_model(m->operation);
	if (!takes && m->model.len != 0 && !names_provider(m->model))
		return deny_set(d, DENY_BAD_PARAM, "The operation '%s' takes no model.",
		    ids_operation(m->operation));
	if (takes && !grammar_model_valid(m->model))
		return deny_set(d, DENY_BAD_PARAM,
		    "The model is missing, too long, or not printable ASCII without spaces.");
	return true;
}

static bool
check_key(struct core *core, const struct msg_authorize *m, struct vkey **k_r, struct deny *d)
{
	struct vkey *k = vkey_find(core->vkeys, m->client_key);
	*k_r = k;
	if (k == NULL)
		return deny_set(d, DENY_INVALID_KEY,
		    "This is not a Sallyport key. Keys begin with 'sp-'; make one with: "
		    "sallyport vkey issue");
	if (k->revoked)
		return deny_set(d, DENY_KEY_REVOKED,
		    "This Sallyport key was revoked. Ask for a new one: sallyport vkey issue");
	return true;
}

static void
send_plan(struct gateway *gw, const struct plan *p)
{
	struct core *core = gw->core;
	struct msg_plan m = {.vkey_id = view_of(p->vkey->id),
	    .workspace = view_of(p->vkey->workspace),
	    .attempt_count = p->attempt_count};
	for (size_t i = 0; i < p->attempt_count; i++) {
		const struct policy_attempt *a = &p->attempt[i];
		const struct cred *c = cred_by_handle(core->creds, a->handle);
		m.attempt[i] = (struct msg_attempt){.credential = a->handle,
		    .credential_id = view_of(c->id),
		    .provider = c->provider,
		    .host = view_of(c->host),
		    .port = c->port,
		    .region = view_of(c->region),
		    .model = a->model,
		    .operation = a->operation,
		    .renews = exchange_token_needed(c)};
	}
	struct policy_request r = authorize_request(core, p);
	if (policy_lists(&r)) {
		m.reach = policy_reach(p->vkey, core->creds, r.now_s);
		policy_served(p->vkey, core->creds, r.now_s, &m);
		names_fill(&p->vkey->models, m.allowed_model, &m.allowed_model_count);
	}
	(void)link_send(gw->link, MSG_PLAN, p->id, &m); // cannot fail: not a secret channel
}

static bool
make_plan(
    struct gateway *gw, uint64_t id, const struct msg_authorize *m, struct vkey *k, struct deny *d)
{
	struct policy_request r = {.vkey = k,
	    .cat = gw->core->catalogue,
	    .operation = m->operation,
	    .stream = m->stream,
	    .model = m->model,
	    .now_s = now_s()};
	struct policy_choice choice;
	if (!policy_choose(&r, gw->core->creds, &choice, d) || !authorize_check_key_rate(k, d) ||
	    !authorize_audit_up(gw->core, d))
		return false;
	struct plan *p =
	    plan_add(&gw->plans, id, m->model, m->conversation, &choice, clock_mono_ns());
	if (p == NULL)
		return deny_set(d, DENY_VAULT_BUSY, "Too many requests are planned and not begun.");
	p->vkey = k;
	p->operation = m->operation;
	p->stream = m->stream;
	send_plan(gw, p);
	return true;
}

enum chan_status
authorize_on_frame(struct gateway *gw, const struct frame *f)
{
	struct msg_authorize m;
	struct deny d = {0};
	struct vkey *k = NULL;
	if (chan_decode(link_chan(gw->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (f->id <= gw->last_request)
		return chan_reject(link_chan(gw->link), "request id does not grow");
	gw->last_request = f->id;
	if (check_key(gw->core, &m, &k, &d) && check_request(&m, &d) &&
	    make_plan(gw, f->id, &m, k, &d)) {
		k->last_used_s = now_s();
		return CHAN_OK;
	}
	struct authorize_subject about = {.vkey = k, .operation = m.operation};
	if (catalogue_takes_model(m.operation) && grammar_model_valid(m.model))
		about.model = m.model;
	authorize_refuse(gw, f->id, &d, &about);
	return CHAN_OK;
}
