// SPDX-License-Identifier: Apache-2.0
// The head that a client gets before a provider's answer. May touch: the answer's client.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/http_write.h"
#include "gatewayd/answer_state.h"
#include "gatewayd/cost.h"
#include "gatewayd/rate_header.h"

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

// Headers of Anthropic mean nothing to a client of another API, but its limits do.
static void
put_limit(struct http_out *o, struct view name, struct view value, uint64_t now_s)
{
	struct rate_header h;
	if (rate_header_openai(name, value, now_s, &h))
		http_put_header_str(o, h.name, h.value);
}

static void
put_passed(struct http_out *o, const struct answer *a)
{
	bool translate = a->foreign && a->request->dialect == DIALECT_OPENAI;
	for (size_t i = 0, n = http_header_count(&a->parser); i < n; i++) {
		struct view name, value;
		http_header_at(&a->parser, i, &name, &value);
		// One that does not fit is left out; the limit is generous.
		if (!passes(name) || (a->foreign && describes_body(name)) ||
		    o->len + name.len + value.len + RESERVE >= o->cap)
			continue;
		if (translate && name.len > 10 && strncasecmp(name.p, "anthropic-", 10) == 0)
			put_limit(o, name, value, clock_wall_ns() / 1000000000U);
		else
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
	if (a->told_status != 0)
		return; // the session may be that of another attempt by now
	struct view dropped = translate_dropped(a->t);
	if (dropped.len != 0)
		http_put_header(o, VIEW("x-sallyport-dropped-params"), dropped);
}

// SDKs of OpenAI and Anthropic repeat 408, 409, 429 and every 5xx by themselves: told is
// where they are wrong, as far as the provider did not say it.
static void
put_retry(struct http_out *o, const struct answer *a, unsigned status)
{
	bool repeats = status == 408 || status == 409 || status == 429 || status >= 500;
	if (a->fault == CLASS_NONE)
		return;
	if (a->told_retry_ms != 0 && !said(a, "retry-after") && !said(a, "retry-after-ms")) {
		http_put_header_u64(o, "retry-after", (a->told_retry_ms + 999) / 1000);
		http_put_header_u64(o, "retry-after-ms", a->told_retry_ms);
	}
	bool may = errclass_client_may_retry(a->fault);
	if (may != repeats && !said(a, "x-should-retry"))
		http_put_header_str(o, "x-should-retry", may ? "true" : "false");
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
	put_retry(&o, a, status);
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
