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
#include "gatewayd/answer_state.h"
#include "gatewayd/cost.h"
#include "proto/upstream_error.h"

#define HOLD_MAX (64U * 1024U)

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
	a->foreign = a->streaming = false;
	a->told_status = a->fault_status = 0;
	a->told_retry_ms = 0;
	facts_init(&a->facts);
	http_parser_init(&a->parser, HTTP_RESPONSE, &limits);
}

static void
drop_held(struct answer *a)
{
	limits_unbuffer(&a->w->limits, a->held_cap);
	free(a->held);
	a->held = NULL;
	a->held_len = a->held_cap = 0;
}

void
answer_free(struct answer *a)
{
	if (a->stream != NULL)
		stream_free(a->stream);
	free(a->stream);
	a->stream = NULL;
	drop_held(a);
	plan_unref(a->plan);
	a->plan = NULL;
	facts_free(&a->facts);
	http_parser_free(&a->parser);
}

void
answer_of(struct answer *a, struct plan *p, size_t attempt, struct translation *t)
{
	struct plan *old = a->plan;
	a->plan = plan_ref(p);
	a->attempt = attempt;
	a->provider = (enum provider)p->attempt[attempt].provider;
	a->t = t;
	plan_unref(old);
}

enum answer_result
answer_failed(struct answer *a, unsigned status, const char *code, struct view message)
{
	a->failure = (struct failure){.status = status, .code = code, .message = message};
	return ANSWER_FAILED;
}

// --- the head --------------------------------------------------------------------

static void
put(struct answer *a, const void *p, size_t len)
{
	client_write(a->client, p, len);
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

void
answer_emit(struct answer *a, struct view bytes)
{
	if (bytes.len == 0)
		return; // an empty chunk would be the last
	if (a->chunked) {
		char head[HTTP_CHUNK_HEAD_MAX];
		put(a, head, http_chunk_head(head, bytes.len));
	}
	put(a, bytes.p, bytes.len);
	if (a->chunked)
		put(a, HTTP_CRLF, 2);
	if (a->first_ns == 0)
		a->first_ns = clock_mono_ns();
	a->bytes_out += bytes.len;
}

enum answer_result
answer_whole(struct answer *a)
{
	if (a->chunked)
		put(a, HTTP_LAST_CHUNK, 5);
	return ANSWER_COMPLETE;
}

static void
emit(void *cookie, struct view raw)
{
	answer_emit(cookie, raw);
}

static enum answer_result
on_head(struct answer *a)
{
	struct http_parser *p = &a->parser;
	a->upstream_status = p->status;
	a->foreign = a->t != NULL && translate_answers(a->t);
	remember_request_id(a);
	if (p->status >= 300 && p->status < 400 && p->status != 304)
		return answer_failed(a, 502, "provider_redirect",
		    VIEW("The provider answered with a redirect, which a gateway that guards keys "
			 "does not follow. Check the host of this credential."));
	struct view type = http_header(p, "content-type");
	bool sse = is_type(type, "text/event-stream");
	bool es = is_type(type, "application/vnd.amazon.eventstream");
	// A client that reads events would take anything else for an empty, clean stream.
	if (p->status / 100 == 2 && a->request->stream && !sse && !es)
		return answer_failed(a, 502, "provider_bad_stream",
		    VIEW("The provider was asked for a stream and answered with something else."));
	if (a->foreign)
		return answer_foreign_head(a, sse, es);
	if (p->status != 200 || (!sse && !es))
		return ANSWER_MORE;
	if (http_header(p, "content-encoding").len != 0 &&
	    !http_view_eq_nocase(http_header(p, "content-encoding"), "identity"))
		return answer_failed(a, 502, "provider_encoding",
		    VIEW("The provider compressed a stream although it was asked not to."));
	a->stream = base_calloc(1, sizeof(*a->stream));
	stream_init(
	    a->stream, sse ? STREAM_SSE : STREAM_EVENTSTREAM, a->request->op, &a->facts, emit, a);
	answer_begin(a, -1);
	return ANSWER_MORE;
}

// --- the body --------------------------------------------------------------------

bool
answer_hold(struct answer *a, struct view bytes)
{
	size_t need = a->held_len + bytes.len;
	if (need > a->held_cap) {
		// Mostly the whole body comes at once: no doubling from small sizes.
		size_t cap = MAX(need, a->held_cap * 2);
		if (!limits_buffer(&a->w->limits, cap - a->held_cap))
			return false;
		a->held_cap = cap;
		a->held = base_realloc(a->held, a->held_cap);
	}
	if (bytes.len != 0)
		memcpy(a->held + a->held_len, bytes.p, bytes.len);
	a->held_len = need;
	return true;
}

// What it says of the company's key is not the client's business, and may quote it.
static bool
refused_key(const struct answer *a)
{
	return a->upstream_status == 401 || a->upstream_status == 403;
}

static enum answer_result
on_body(struct answer *a, struct view bytes)
{
	if (a->stream != NULL) {
		if (stream_feed(a->stream, bytes))
			return ANSWER_MORE;
		return answer_failed(a, 502, "provider_bad_stream",
		    VIEW("The provider's stream is malformed and was cut."));
	}
	if (a->streaming)
		return answer_foreign_body(a, bytes);
	facts_feed(&a->facts, bytes);
	if (refused_key(a)) { // read for its class, never passed on
		if (a->held_len + bytes.len > HOLD_MAX || !answer_hold(a, bytes))
			drop_held(a);
		return ANSWER_MORE;
	}
	if (a->foreign)
		return answer_foreign_body(a, bytes);
	// A worker without room to hold passes on what it has.
	if (!a->begun && a->held_len + bytes.len <= HOLD_MAX && answer_hold(a, bytes))
		return ANSWER_MORE;
	if (!a->begun) {
		answer_begin(a, a->parser.has_length ? (int64_t)a->parser.content_length : -1);
		answer_emit(a, (struct view){.p = a->held, .len = a->held_len});
		drop_held(a);
	}
	answer_emit(a, bytes);
	return ANSWER_MORE;
}

// The provider's own word for the error, for the text and the record.
static void
take_error_word(struct answer *a)
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
}

static enum answer_result
key_failure(struct answer *a)
{
	const char *what = "refused the key that this gateway holds";
	const char *code = "provider_auth_failed";
	if (a->fault == CLASS_EXPIRED) {
		what = "says that the key that this gateway holds has expired";
	} else if (a->fault == CLASS_DENIED) {
		what = "does not let the key that this gateway holds do this";
		code = "provider_access_denied";
	}
	take_error_word(a);
	snprintf(a->failure_text, sizeof(a->failure_text),
	    "The provider %s (HTTP %u%s%s). Your own key is fine; ask the administrator of the "
	    "gateway to check the credential%s.",
	    what, a->upstream_status, a->failure_code[0] != '\0' ? ", " : "", a->failure_code,
	    a->fault == CLASS_DENIED ? ": its rights, and access to this model in its region" : "");
	a->failure = (struct failure){
	    .status = 502, .code = code, .message = view_of(a->failure_text), .final = true};
	return ANSWER_FAILED;
}

static enum answer_result
end_stream(struct answer *a)
{
	enum stream_end end = stream_finish(a->stream);
	if (end == STREAM_TRUNCATED)
		return answer_failed(a, 502, "stream_truncated",
		    VIEW("The provider's stream ended before it was complete."));
	if (end == STREAM_FAILED) {
		a->stream_error = true;
		snprintf(a->failure_code, sizeof(a->failure_code), "%s", a->stream->error);
		a->fault = errclass_of(&(struct errclass_facts){
		    .provider = a->provider, .status = 200, .type = view_of(a->failure_code)});
	}
	return answer_whole(a);
}

void
answer_read_error(const struct answer *a, struct upstream_error *e)
{
	bool temporary = a->plan != NULL && a->plan->attempt[a->attempt].renews;
	upstream_error_read(e, a->provider, a->upstream_status, temporary,
	    http_header(&a->parser, "x-amzn-errortype"),
	    (struct view){.p = a->held, .len = a->held_len});
}

enum answer_result
answer_settle(struct answer *a, unsigned status)
{
	a->fault_status = status;
	if (a->hold_errors && !a->begun && errclass_next(a->fault))
		return ANSWER_HELD;
	return answer_resume(a);
}

enum answer_result
answer_resume(struct answer *a)
{
	// Gemini refuses a wrong key with 400.
	if (!a->begun && (refused_key(a) || a->fault == CLASS_AUTH || a->fault == CLASS_EXPIRED))
		return key_failure(a);
	if (!a->begun) {
		answer_begin(a, (int64_t)a->held_len);
		answer_emit(a, (struct view){.p = a->held, .len = a->held_len});
	}
	return answer_whole(a);
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
	a->facts.counted = a->facts.counted || a->facts.input != 0 || a->facts.output != 0;
}

static enum answer_result
on_end(struct answer *a)
{
	a->reusable = a->parser.keep_alive && !a->parser.until_close;
	if (a->stream != NULL)
		return end_stream(a);
	if (!a->streaming) {
		a->ended = facts_end(&a->facts);
		count_tokens_in_headers(a);
	}
	if (a->foreign)
		return answer_foreign_end(a);
	if (a->upstream_status >= 400) {
		struct upstream_error e;
		answer_read_error(a, &e);
		a->fault = e.class_id;
		a->told_retry_ms = e.retry_after_ms;
	}
	return answer_settle(a, a->upstream_status);
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
			return answer_failed(a, 502, "provider_bad_response",
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
	if (a->stream != NULL || a->streaming)
		return answer_failed(a, 502, "stream_truncated",
		    VIEW("The provider's stream ended before it was complete."));
	if (!a->any)
		return answer_failed(a, 502, "provider_closed",
		    VIEW("The provider closed the connection without an answer."));
	return answer_failed(a, 502, "provider_truncated",
	    VIEW("The provider's answer ended before it was complete."));
}

void
answer_fail(struct answer *a, const struct failure *f)
{
	if (!a->begun) {
		a->status = errors_status(a->request->dialect, f);
		client_refuse(a->client, a->request, f);
		return;
	}
	bool open = a->stream != NULL ? !a->stream->failed : a->streaming && !a->stream_error;
	if (open) {
		char event[ERRORS_EVENT_MAX];
		size_t n = errors_event(a->request->dialect, a->request->op == OP_OPENAI_RESPONSES,
		    f, a->request->id, event);
		answer_emit(a, (struct view){.p = event, .len = n});
	}
	client_cut(a->client, a->by_close);
}

bool
answer_cost(const struct answer *a, uint64_t *nano_r)
{
	if (a->plan == NULL || a->upstream_status != 200)
		return false;
	const struct plan_attempt *at = &a->plan->attempt[a->attempt];
	struct cost_facts f = {.provider = a->provider,
	    .operation = at->operation,
	    .model = view_of(at->model),
	    .asked = translate_without_provider(a->request->model),
	    .region = view_of(at->region)};
	facts_usage(&a->facts, &f.usage);
	return cost_of(a->w->catalogue.present, &f, nano_r);
}

const char *
answer_error_code(const struct answer *a)
{
	if (a->stream_error)
		return a->failure_code;
	return a->facts.error_code[0] != '\0' ? a->facts.error_code : "provider_error";
}
