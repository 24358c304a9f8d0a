// SPDX-License-Identifier: Apache-2.0
// How an exchange ends: its lane, its client, its record, itself. May touch: what the
// exchange holds.
#include "gatewayd/exchange_end.h"

#include <event2/event.h>
#include <string.h>

#include "common/http_write.h"
#include "gatewayd/exchange_state.h"
#include "gatewayd/vault.h"

void
exchange_end_finish(struct exchange *x)
{
	if (x->went)
		record_attempt(x);
	if (x->id != 0)
		vault_forget(x->w->vault, x->id);
	pool_unwait(&x->waiter);
	event_del(&x->timer);
	answer_free(&x->a);
	translate_end(&x->t);
	request_free(x->r);
	plan_unref(x->plan);
	TAILQ_REMOVE(&x->w->exchanges, x, link);
	x->magic = 0;
	worker_bury(x->w, x);
	if (x->w->draining)
		x->w->on_quiet(x->w);
}

void
exchange_end_served(struct exchange *x)
{
	BUG_IF(x->lane != NULL);
	x->client = NULL;
	x->ended = true;
	x->use_again = false;
	pool_unwait(&x->waiter);
	if (!x->use_sent)
		exchange_end_finish(x);
}

void
exchange_end_lane(struct exchange *x, bool reuse)
{
	struct lane *l = x->lane;
	x->lane = NULL;
	if (l != NULL && reuse)
		lane_release(l);
	else if (l != NULL)
		lane_abandon(l);
}

void
exchange_end_note(struct exchange *x, enum audit_result result, const char *code)
{
	x->result = result;
	x->error_code[0] = '\0';
	if (code != NULL)
		strncat(x->error_code, code, sizeof(x->error_code) - 1);
}

void
exchange_end_local(struct exchange *x, struct view json)
{
	if (x->client != NULL) {
		bool keep = client_keeps(x->client, x->r);
		char head[512];
		struct http_out o;
		http_out_init(&o, head, sizeof(head));
		http_put_status(&o, 200);
		http_put_header_str(&o, "content-type", "application/json");
		http_put_content_length(&o, json.len);
		http_put_header_str(&o, "x-sallyport-request-id", x->r->id);
		if (!keep)
			http_put_header_str(&o, "connection", "close");
		http_put_end(&o);
		BUG_IF(o.failed);
		client_write(x->client, head, o.len);
		client_write(x->client, json.p, json.len);
		client_answered(x->client, keep);
	}
	exchange_end_served(x);
}

// Tells the client and ends. The lane is closed: its state is unknown.
void
exchange_end_fail(struct exchange *x, const struct failure *f)
{
	exchange_end_note(x, RESULT_FAILED, f->code);
	if (x->client != NULL) {
		x->a.client = x->client;
		answer_fail(&x->a, f);
	}
	x->client = NULL;
	exchange_end_lane(x, false);
	exchange_end_served(x);
}

void
exchange_end_fail_with(struct exchange *x, unsigned status, const char *code, struct view message,
    uint64_t retry_after_ms)
{
	exchange_end_fail(x, &(struct failure){.status = status,
				 .code = code,
				 .message = message,
				 .retry_after_ms = retry_after_ms});
}

void
exchange_end_fail_vault(struct exchange *x)
{
	exchange_end_fail_with(
	    x, 503, "vault_unavailable", VIEW("The key vault is not reachable; retry."), 1000);
}
