// SPDX-License-Identifier: Apache-2.0
// From the provider's bytes to the client's bytes. Pure but for writing to the
// client and the clock.
#include "gatewayd/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/http_write.h"
#include "gatewayd/upstream_error.h"

#define HOLD_MAX (64U * 1024U)
#define HEAD_MAX (24U * 1024U)

static const struct http_limits limits = {
    .head_max = 64U * 1024U,
    .start_line_max = 4096U,
    .headers_max = 200U,
    .trailer_max = 8192U,
    .body_max = 1ULL << 40,
};

void
answer_init(struct answer *a, struct worker *w, struct client *c, const struct request *r)
{
	memset(a, 0, offsetof(struct answer, facts));
	a->w = w;
	a->client = c;
	a->request = r;
	a->failure = (struct failure){0};
	a->failure_code[0] = '\0';
	a->provider_request_id[0] = '\0';
	a->stream = NULL;
	a->chunked = a->by_close = false;
	a->held = NULL;
	a->held_len = a->held_cap = 0;
	facts_init(&a->facts);
	http_parser_init(&a->parser, HTTP_RESPONSE, &limits);
}

void
answer_free(struct answer *a)
{
	if (a->stream != NULL)
		stream_free(a->stream);
	free(a->stream);
	a->stream = NULL;
	free(a->held);
	a->held = NULL;
	facts_free(&a->facts);
	http_parser_free(&a->parser);
}

static enum answer_result
failed(struct answer *a, unsigned status, const char *code, struct view message)
{
	a->failure = (struct failure){.status = status, .code = code, .message = message};
	return ANSWER_FAILED;
}

// --- the head --------------------------------------------------------------------

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

static void
put_passed(struct http_out *o, const struct http_parser *p)
{
	for (size_t i = 0, n = http_header_count(p); i < n; i++) {
		struct view name, value;
		http_header_at(p, i, &name, &value);
		// One that does not fit is left out; the limit is generous.
		if (passes(name) && o->len + name.len + value.len + 1024 < o->cap)
			http_put_header(o, name, value);
	}
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

static void
put(struct answer *a, const void *p, size_t len)
{
	client_write(a->client, p, len);
}

static void
count_out(struct answer *a, size_t len)
{
	if (a->first_ns == 0 && len != 0)
		a->first_ns = clock_mono_ns();
	a->bytes_out += len;
}

// length: of the body if it is known, else -1.
static void
begin(struct answer *a, int64_t length)
{
	char buf[HEAD_MAX];
	struct http_out o;
	const struct request *r = a->request;
	http_out_init(&o, buf, sizeof(buf));
	http_put_status(&o, a->upstream_status);
	put_passed(&o, &a->parser);
	http_put_header_str(&o, "x-sallyport-request-id", r->id);
	if (retry_is_useless(a) && http_header(&a->parser, "x-should-retry").p == NULL)
		http_put_header_str(&o, "x-should-retry", "false");
	bool none = a->upstream_status == 204 || a->upstream_status == 304;
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
	put(a, buf, o.len);
	a->begun = true;
	a->status = a->upstream_status;
}

static bool
is_type(struct view content_type, const char *want)
{
	size_t n = strlen(want);
	return content_type.len >= n && strncasecmp(content_type.p, want, n) == 0 &&
	       (content_type.len == n || content_type.p[n] == ';' || content_type.p[n] == ' ');
}

static void
remember_request_id(struct answer *a)
{
	static const char *const names[] = {"x-request-id", "request-id", "x-amzn-requestid"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct view v = http_header(&a->parser, names[i]);
		if (v.len == 0 || !mp_utf8_valid(v.p, v.len) ||
		    view_copy(v, a->provider_request_id, sizeof(a->provider_request_id)) != 0)
			continue;
		return;
	}
	a->provider_request_id[0] = '\0';
}

static void
emit(void *cookie, struct view raw)
{
	struct answer *a = cookie;
	if (a->chunked) {
		char head[HTTP_CHUNK_HEAD_MAX];
		put(a, head, http_chunk_head(head, raw.len));
	}
	put(a, raw.p, raw.len);
	if (a->chunked)
		put(a, HTTP_CRLF, 2);
	count_out(a, raw.len);
}

static enum answer_result
on_head(struct answer *a)
{
	struct http_parser *p = &a->parser;
	a->upstream_status = p->status;
	remember_request_id(a);
	if (p->status >= 300 && p->status < 400 && p->status != 304)
		return failed(a, 502, "provider_redirect",
		    VIEW("The provider answered with a redirect, which a gateway that guards keys "
			 "does not follow. Check the host of this credential."));
	struct view type = http_header(p, "content-type");
	bool sse = is_type(type, "text/event-stream");
	bool es = is_type(type, "application/vnd.amazon.eventstream");
	// A client that reads events would take anything else for an empty, clean stream.
	if (p->status / 100 == 2 && a->request->stream && !sse && !es)
		return failed(a, 502, "provider_bad_stream",
		    VIEW("The provider was asked for a stream and answered with something else."));
	if (p->status != 200 || (!sse && !es))
		return ANSWER_MORE;
	if (http_header(p, "content-encoding").len != 0 &&
	    !http_view_eq_nocase(http_header(p, "content-encoding"), "identity"))
		return failed(a, 502, "provider_encoding",
		    VIEW("The provider compressed a stream although it was asked not to."));
	a->stream = base_calloc(1, sizeof(*a->stream));
	stream_init(
	    a->stream, sse ? STREAM_SSE : STREAM_EVENTSTREAM, a->request->op, &a->facts, emit, a);
	begin(a, -1);
	return ANSWER_MORE;
}

// --- the body --------------------------------------------------------------------

static void
hold(struct answer *a, struct view bytes)
{
	size_t need = a->held_len + bytes.len;
	if (need > a->held_cap) {
		// Mostly the whole body comes at once: no doubling from small sizes.
		a->held_cap = MAX(need, a->held_cap * 2);
		a->held = base_realloc(a->held, a->held_cap);
	}
	memcpy(a->held + a->held_len, bytes.p, bytes.len);
	a->held_len = need;
}

static bool
refused_key(const struct answer *a)
{
	return a->upstream_status == 401 || a->upstream_status == 403;
}

// Gemini refuses a wrong key with 400; the body, held whole, says so.
static bool
refused_key_by_body(const struct answer *a)
{
	if (a->begun || a->upstream_status != 400)
		return false;
	struct upstream_error e;
	upstream_error_read(&e, a->provider, a->upstream_status,
	    http_header(&a->parser, "x-amzn-errortype"),
	    (struct view){.p = a->held, .len = a->held_len});
	return e.class_id == CLASS_AUTH || e.class_id == CLASS_EXPIRED;
}

static enum answer_result
on_body(struct answer *a, struct view bytes)
{
	if (a->stream != NULL) {
		if (stream_feed(a->stream, bytes))
			return ANSWER_MORE;
		return failed(a, 502, "provider_bad_stream",
		    VIEW("The provider's stream is malformed and was cut."));
	}
	facts_feed(&a->facts, bytes);
	if (refused_key(a))
		return ANSWER_MORE; // its text may quote parts of the key
	if (!a->begun && a->held_len + bytes.len <= HOLD_MAX) {
		hold(a, bytes);
		return ANSWER_MORE;
	}
	if (!a->begun) {
		begin(a, a->parser.has_length ? (int64_t)a->parser.content_length : -1);
		struct view held = {.p = a->held, .len = a->held_len};
		if (held.len != 0)
			emit(a, held);
		free(a->held);
		a->held = NULL;
		a->held_len = a->held_cap = 0;
	}
	emit(a, bytes);
	return ANSWER_MORE;
}

static enum answer_result
key_failure(struct answer *a)
{
	struct view type = http_header(&a->parser, "x-amzn-errortype");
	size_t n = 0;
	while (n < type.len && n + 1 < sizeof(a->failure_code) &&
	       ((type.p[n] >= 'A' && type.p[n] <= 'Z') || (type.p[n] >= 'a' && type.p[n] <= 'z')))
		n++;
	if (n != 0) {
		memcpy(a->failure_code, type.p, n);
		a->failure_code[n] = '\0';
	} else {
		snprintf(a->failure_code, sizeof(a->failure_code), "%s", a->facts.error_code);
	}
	snprintf(a->failure_text, sizeof(a->failure_text),
	    "The provider refused the key that this gateway holds (HTTP %u%s%s). Your own key is "
	    "fine; ask the administrator of the gateway to check the credential.",
	    a->upstream_status, a->failure_code[0] != '\0' ? ", " : "", a->failure_code);
	a->failure = (struct failure){.status = 502,
	    .code = "provider_auth_failed",
	    .message = view_of(a->failure_text),
	    .final = true};
	return ANSWER_FAILED;
}

static enum answer_result
end_stream(struct answer *a)
{
	enum stream_end end = stream_finish(a->stream);
	if (end == STREAM_TRUNCATED)
		return failed(a, 502, "stream_truncated",
		    VIEW("The provider's stream ended before it was complete."));
	if (end == STREAM_FAILED) {
		a->stream_error = true;
		snprintf(a->failure_code, sizeof(a->failure_code), "%s", a->stream->error);
	}
	if (a->chunked)
		put(a, HTTP_LAST_CHUNK, 5);
	return ANSWER_COMPLETE;
}

bool
answer_may_fall_back(unsigned status)
{
	return (status >= 401 && status <= 404) || status == 408 || status == 424 ||
	       status == 429 || (status >= 500 && status <= 599);
}

enum answer_result
answer_resume(struct answer *a)
{
	if (refused_key(a) || refused_key_by_body(a))
		return key_failure(a);
	if (!a->begun) {
		begin(a, (int64_t)a->held_len);
		put(a, a->held, a->held_len);
		count_out(a, a->held_len);
	} else if (a->chunked) {
		put(a, HTTP_LAST_CHUNK, 5);
	}
	return ANSWER_COMPLETE;
}

// Bedrock tells the counts in headers too; for some models only there.
static void
count_tokens_in_headers(struct answer *a)
{
	if (facts_tokens_in(&a->facts) != 0 || facts_tokens_out(&a->facts) != 0)
		return;
	struct json_member m = {.kind = SCAN_NUMBER};
	m.value = http_header(&a->parser, "x-amzn-bedrock-input-token-count");
	a->facts.input = MIN(json_member_u64(&m), (uint64_t)UINT32_MAX);
	m.value = http_header(&a->parser, "x-amzn-bedrock-output-token-count");
	a->facts.output = MIN(json_member_u64(&m), (uint64_t)UINT32_MAX);
}

static enum answer_result
on_end(struct answer *a)
{
	a->reusable = a->parser.keep_alive && !a->parser.until_close;
	if (a->stream != NULL)
		return end_stream(a);
	(void)facts_end(&a->facts);
	count_tokens_in_headers(a);
	if (a->hold_errors && !a->begun && answer_may_fall_back(a->upstream_status))
		return ANSWER_HELD;
	return answer_resume(a);
}

enum answer_result
answer_feed(struct answer *a, const uint8_t *p, size_t len)
{
	a->any = true;
	for (size_t at = 0;;) {
		size_t used;
		enum answer_result r = ANSWER_MORE;
		enum http_event ev =
		    http_parse_feed(&a->parser, (const char *)p + at, len - at, &used);
		at += used;
		switch (ev) {
		case HTTP_NEED_MORE:
			return ANSWER_MORE;
		case HTTP_INFORMATIONAL:
			break;
		case HTTP_HEAD:
			r = on_head(a);
			break;
		case HTTP_BODY:
			r = on_body(a, a->parser.body);
			break;
		case HTTP_END:
			r = on_end(a);
			a->reusable = a->reusable && at == len; // surplus bytes: out of step
			return r;
		case HTTP_FAILED:
			return failed(a, 502, "provider_bad_response",
			    VIEW("The provider's answer is not valid HTTP."));
		}
		if (r != ANSWER_MORE)
			return r;
	}
}

enum answer_result
answer_eof(struct answer *a, bool clean)
{
	// Without close_notify somebody on the way may have cut the connection.
	if (clean && a->any && http_parse_eof(&a->parser) == HTTP_EOF_END)
		return on_end(a);
	if (a->stream != NULL)
		return failed(a, 502, "stream_truncated",
		    VIEW("The provider's stream ended before it was complete."));
	if (!a->any)
		return failed(a, 502, "provider_closed",
		    VIEW("The provider closed the connection without an answer."));
	return failed(a, 502, "provider_truncated",
	    VIEW("The provider's answer ended before it was complete."));
}

void
answer_fail(struct answer *a, const struct failure *f)
{
	if (!a->begun) {
		a->status = f->status;
		client_refuse(a->client, a->request, f);
		return;
	}
	if (a->stream != NULL && !a->stream->failed) {
		char event[ERRORS_EVENT_MAX];
		size_t n = errors_event(a->request->dialect, a->request->op == OP_OPENAI_RESPONSES,
		    f, a->request->id, event);
		emit(a, (struct view){.p = event, .len = n});
	}
	client_cut(a->client, a->by_close);
}
