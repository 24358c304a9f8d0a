// SPDX-License-Identifier: Apache-2.0
// What an attempt leaves behind: its key.complete record, and SETTLE for the vault's
// limits. May touch: the channels of auditd and the vault.
#include "common/clock.h"
#include "gatewayd/audit.h"
#include "gatewayd/exchange_state.h"
#include "gatewayd/vault.h"

#define STATUS_CLIENT_CLOSED 499U // as logged by many proxies; never sent

static void
num(struct msg_append *m, enum audit_attr key, uint64_t value)
{
	m->num[m->num_count++] = (struct msg_attr_num){.key = key, .value = value};
}

static void
text(struct msg_append *m, enum audit_attr key, const char *value)
{
	if (value[0] != '\0')
		m->text[m->text_count++] =
		    (struct msg_attr_text){.key = key, .value = view_of(value)};
}

// Without an error of the provider's own: it was cut, silent or broken.
static enum error_class
class_of(const struct exchange *x)
{
	if (x->client_closed)
		return CLASS_CANCELLED;
	return x->a.fault != CLASS_NONE ? x->a.fault : CLASS_SERVER;
}

// Attributes go in ascending order of their keys.
static void
put_attributes(struct msg_append *m, const struct exchange *x)
{
	const struct answer *a = &x->a;
	const struct request *r = x->r;
	uint64_t now = clock_mono_ns();
	num(m, ATTR_STATUS, x->client_closed && a->status == 0 ? STATUS_CLIENT_CLOSED : a->status);
	num(m, ATTR_UPSTREAM_STATUS, a->upstream_status);
	// Absent means that the provider did not say; 0 would claim that it had.
	struct facts_usage u;
	uint64_t nano;
	facts_usage(&a->facts, &u);
	if (facts_tokens_in(&a->facts) != 0 || facts_tokens_out(&a->facts) != 0) {
		num(m, ATTR_TOKENS_IN, facts_tokens_in(&a->facts));
		num(m, ATTR_TOKENS_OUT, facts_tokens_out(&a->facts));
	}
	num(m, ATTR_BYTES_IN, r->body_len);
	num(m, ATTR_BYTES_OUT, a->bytes_out);
	num(m, ATTR_DURATION_US, (now - r->started_ns) / 1000U);
	if (a->first_ns != 0)
		num(m, ATTR_FIRST_BYTE_US, (a->first_ns - r->started_ns) / 1000U);
	num(m, ATTR_STREAM, r->stream);
	// Of a part of an answer nobody knows what it cost.
	if (x->result == RESULT_OK && answer_cost(a, &nano))
		num(m, ATTR_COST, nano);
	if (u.cache_read != 0)
		num(m, ATTR_TOKENS_CACHED, u.cache_read);
	if (u.reasoning != 0)
		num(m, ATTR_TOKENS_REASONING, u.reasoning);
	text(m, ATTR_CLIENT, r->peer);
	text(m, ATTR_PROVIDER_REQUEST_ID, a->provider_request_id);
	if (x->result != RESULT_OK)
		text(m, ATTR_ERROR_CLASS, ids_class(class_of(x)));
}

void
record_attempt(const struct exchange *x)
{
	const struct plan_attempt *at = &x->plan->attempt[x->attempt];
	struct msg_append m = {
	    .event = EVENT_KEY_COMPLETE,
	    .time_ns = clock_wall_ns(),
	    .request_id = {.p = (const char *)x->r->uuid, .len = sizeof(x->r->uuid)},
	    .ref_seq = x->audit_seq,
	    .workspace = view_of(x->plan->workspace),
	    .user = view_of(x->plan->vkey_id),
	    .key_id = view_of(at->credential_id),
	    .result = x->result,
	    .error_code = view_of(x->error_code),
	};
	put_attributes(&m, x);
	audit_append(x->w->audit, &m);

	unsigned status = x->a.upstream_status;
	if (x->client_closed)
		status = STATUS_CLIENT_CLOSED; // no further attempt will follow
	else if (x->result != RESULT_OK && status < 400)
		status = 502; // none came, or a cut or broken one: the next attempt may
	struct msg_settle settle = {.audit_seq = x->audit_seq,
	    .status = status,
	    .tokens_in = facts_tokens_in(&x->a.facts),
	    .tokens_out = facts_tokens_out(&x->a.facts)};
	if (x->id != 0)
		vault_settle(x->w->vault, x->id, &settle);
}
