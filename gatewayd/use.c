// SPDX-License-Identifier: Apache-2.0
// The two halves of using a key: USE to the vault, and the request's body to the
// sealer. May touch: those two channels.
#include <string.h>

#include "common/clock.h"
#include "gatewayd/exchange_state.h"
#include "gatewayd/vault.h"

void
use_body(struct exchange *x)
{
	if (x->lane == NULL || x->body_sent == x->r->body_len)
		return;
	x->body_sent +=
	    lane_body(x->lane, x->r->body + x->body_sent, x->r->body_len - x->body_sent);
}

// The body is needed as long as the request may have to be sent again.
void
use_drop_body(struct exchange *x)
{
	bool last = x->attempt + 1 >= x->plan->attempt_count;
	if (x->went && x->body_sent == x->r->body_len && (x->a.any || !x->reused) &&
	    (last || x->a.begun))
		request_drop_body(x->r);
}

void
use_send(struct exchange *x)
{
	const struct request *r = x->r;
	struct msg_use m = {
	    .attempt = x->attempt,
	    .previous_status = x->previous_status,
	    .sealer = x->lane->sealer->id,
	    .lane = x->lane->id,
	    .operation = x->plan->attempt[x->attempt].operation,
	    .header_count = r->header_count,
	    .param_count = r->param_count,
	    .body_len = r->body_len,
	    .body_sha256 = {.p = (const char *)r->body_sha256, .len = sizeof(r->body_sha256)},
	};
	memcpy(m.header, r->header, r->header_count * sizeof(r->header[0]));
	memcpy(m.param, r->param, r->param_count * sizeof(r->param[0]));
	vault_use(x->w->vault, x->id, &m);
	x->use_sent = true;
	x->last_ns = clock_mono_ns();
}
