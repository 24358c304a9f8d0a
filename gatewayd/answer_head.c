// SPDX-License-Identifier: Apache-2.0
// The head that a client gets before a provider's answer. May touch: the answer's client.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/http_write.h"
#include "gatewayd/answer_state.h"
#include "gatewayd/cost.h"

#define HEAD_MAX (24U * 1024U)
#define RESERVE	 3072U // for our own headers

// Response headers that clients know what to do with. Everything else, cookies and
// names of the company's account among it, stays here.
static const char *const passed[] = {
    "content-type",
    "content-encoding",
    "cache-control",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-request-id",
    "request-id",
    "openai-processing-ms",
    "openai-version",
    "openai-model",
    "apim-request-id",
    "x-ms-region",
};

static const char *const passed_prefix[] = {
    "x-ratelimit-",
    "anthropic-ratelimit-",
    "anthropic-priority-",
    "anthropic-fast-",
    "x-amzn-requestid",
    "x-amzn-errortype",
    "x-amzn-bedrock-",
};

static bool
passes(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		if (http_view_eq_nocase(name, passed[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(passed_prefix); i++) {
		size_t n = strlen(passed_prefix[i]);
		if (name.len >= n && strncasecmp(name.p, passed_prefix[i], n) == 0)
			return true;
	}
	return false;
}

// What speaks of the provider's body, in an answer whose body is ours.
static bool
describes_body(struct view name)
{
	return http_view_eq_nocase(name, "content-type") ||
	       http_view_eq_nocase(name, "content-encoding") ||
	       http_view_eq_nocase(name, "cache-control") ||
	       http_view_eq_nocase(name, "x-amzn-errortype");
}

static void
put_passed(struct http_out *o, const struct answer *a)
{
	for (size_t i = 0, n = http_header_count(&a->parser); i < n; i++) {
		struct view name, value;
		http_header_at(&a->parser, i, &name, &value);
		// One that does not fit is left out; the limit is generous.
		if (passes(name) && !(a->foreign && describes_body(name)) &&
		    o->len + name.len + value.len + RESERVE < o->cap)
			http_put_header(o, name, value);
	}
}

static bool
said(const struct answer *a, const char *name)
{
	return http_header(&a->parser, name).p != NULL;
}

// What the client's API has in place of the provider's.
static void
put_foreign(struct http_out *o, const struct answer *a)
{
	const char *id = a->request->dialect == DIALECT_ANTHROPIC ? "request-id" : "x-request-id";
	http_put_header_str(
	    o, "content-type", a->streaming ? "text/event-stream" : "application/json");
	if (a->streaming)
		http_put_header_str(o, "cache-control", "no-cache");
	if (!said(a, id) && a->provider_request_id[0] != '\0')
		http_put_header_str(o, id, a->provider_request_id);
	if (a->told_status == 0) {
		struct view dropped = translate_dropped(a->t);
		if (dropped.len != 0)
			http_put_header(o, VIEW("x-sallyport-dropped-params"), dropped);
		return;
	}
	if (a->told_retry_ms != 0 && !said(a, "retry-after") && !said(a, "retry-after-ms")) {
		http_put_header_u64(o, "retry-after", (a->told_retry_ms + 999) / 1000);
		http_put_header_u64(o, "retry-after-ms", a->told_retry_ms);
	}
	if (a->told_final && !said(a, "x-should-retry"))
		http_put_header_str(o, "x-should-retry", "false");
}

// A quota that is used up does not come back by retrying, whatever the status says.
static bool
retry_is_useless(const struct answer *a)
{
	static const char *const codes[] = {"insufficient_quota", "credit_balance_exhausted",
	    "organization_spend_limit_exceeded", "project_spend_limit_exceeded",
	    "organization_usage_limit_exceeded", "billing_error"};
	for (size_t i = 0; a->upstream_status >= 400 && i < ARRAY_LEN(codes); i++)
		if (strcmp(a->facts.error_code, codes[i]) == 0)
			return true;
	return false;
}

// Of whole answers: a stream's head leaves before anybody can know.
static void
put_cost(struct http_out *o, const struct answer *a)
{
	uint64_t nano;
	char text[COST_TEXT_MAX];
	if (!a->ended || !answer_cost(a, &nano))
		return;
	cost_text(nano, text);
	http_put_header_str(o, "x-sallyport-cost-usd", text);
}

void
answer_begin(struct answer *a, int64_t length)
{
	char buf[HEAD_MAX];
	struct http_out o;
	const struct request *r = a->request;
	unsigned status = a->told_status != 0 ? a->told_status : a->upstream_status;
	http_out_init(&o, buf, sizeof(buf));
	http_put_status(&o, status);
	put_passed(&o, a);
	http_put_header_str(&o, "x-sallyport-request-id", r->id);
	put_cost(&o, a);
	if (a->foreign)
		put_foreign(&o, a);
	else if (retry_is_useless(a) && !said(a, "x-should-retry"))
		http_put_header_str(&o, "x-should-retry", "false");
	bool none = status == 204 || status == 304;
	if (length >= 0 && !none) {
		http_put_content_length(&o, (uint64_t)length);
	} else if (!none && !r->http10) {
		http_put_chunked(&o);
		a->chunked = true;
	} else if (!none) {
		a->by_close = true;
	}
	if (a->by_close || !client_keeps(a->client, r))
		http_put_header_str(&o, "connection", "close");
	http_put_end(&o);
	BUG_IF(o.failed);
	client_write(a->client, buf, o.len);
	a->begun = true;
	a->status = status;
}
