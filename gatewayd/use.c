// SPDX-License-Identifier: Apache-2.0
// The two halves of using a key: USE to the vault, and the request's body to the
// sealer. May touch: those two channels.
#include <string.h>

#include "common/clock.h"
#include "gatewayd/attempt.h"
#include "gatewayd/exchange_state.h"
#include "gatewayd/vault.h"

size_t
use_body_len(const struct exchange *x)
{
	return x->t != NULL ? x->t->body_len : x->r->body_len;
}

void
use_body(struct exchange *x)
{
	size_t len = use_body_len(x);
	if (x->lane == NULL || x->body_sent == len)
		return;
	const uint8_t *p = x->t != NULL ? (const uint8_t *)x->t->body.p : x->r->body;
	x->body_sent += lane_body(x->lane, p + x->body_sent, len - x->body_sent);
}

// The body is needed as long as the request may have to be sent again; the client's also
// as long as a session reads names in it.
void
use_drop_body(struct exchange *x)
{
	bool last = !attempt_may_follow(x);
	if (!x->went || x->body_sent != use_body_len(x) || (!x->a.any && x->reused) ||
	    !(last || x->a.begun))
		return;
	if (x->t != NULL)
		translate_drop_body(x->t);
	if (!translate_answers(x->t))
		request_drop_body(x->r);
}

void
use_send(struct exchange *x)
{
	const struct request *r = x->r;
	const struct translation *t = x->t;
	const struct plan_attempt *a = &x->plan->attempt[x->attempt];
	size_t headers = t != NULL ? t->header_count : r->header_count;
	struct msg_use m = {
	    .attempt = x->attempt,
	    .previous_status = x->previous_status,
	    .previous_class = x->previous_class,
	    .sealer = x->lane->sealer->id,
	    .lane = x->lane->id,
	    .operation = a->operation,
	    .body_len = use_body_len(x),
	    .body_sha256 = {.p = (const char *)(t != NULL ? t->sha256 : r->body_sha256),
		.len = sizeof(r->body_sha256)},
	};
	const struct msg_named *header = t != NULL ? t->header : r->header;
	for (size_t i = 0; i < headers; i++)
		if (header[i].id != HEADER_OPENAI_BETA || a->provider != PROVIDER_AZURE)
			m.header[m.header_count++] = header[i]; // Azure has no such header
	if (a->operation == r->op) { // those of another operation mean nothing to it
		m.param_count = r->param_count;
		memcpy(m.param, r->param, r->param_count * sizeof(r->param[0]));
	}
	vault_use(x->w->vault, x->id, &m);
	x->use_sent = true;
	x->last_ns = clock_mono_ns();
}
