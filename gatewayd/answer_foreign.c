// SPDX-License-Identifier: Apache-2.0
// Answers of another API than the client's. Whole ones are collected, errors are told in
// the client's own form, and what a stream gives is kept back until it has content, since
// another attempt may serve until then. May touch: the answer's client.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/http_write.h"
#include "gatewayd/answer_state.h"
#include "gatewayd/provider_failure.h"

enum answer_result
answer_foreign_head(struct answer *a, bool sse, bool eventstream)
{
	const struct http_parser *p = &a->parser;
	struct view coding = http_header(p, "content-encoding");
	if (coding.len != 0 && !http_view_eq_nocase(coding, "identity"))
		return answer_failed(a, 502, "provider_encoding",
		    VIEW("The provider compressed an answer although it was asked not to."));
	if (p->has_length && p->content_length > TRANSLATE_ANSWER_MAX)
		return answer_failed(a, 502, "provider_bad_response",
		    VIEW("The provider's answer is too large to be translated."));
	a->streaming = p->status / 100 == 2 && (sse || eventstream);
	if (a->streaming)
		translate_stream(a->t, sse, &a->facts);
	return ANSWER_MORE;
}

// --- errors ------------------------------------------------------------------------

// Only plain words go into records.
static void
note_code(struct answer *a, const char *code)
{
	size_t n = 0;
	for (; code[n] != '\0' && n + 1 < sizeof(a->failure_code); n++) {
		if (!isalnum((unsigned char)code[n]) && strchr("_.-", code[n]) == NULL)
			break;
		a->failure_code[n] = code[n];
	}
	a->failure_code[code[n] == '\0' ? n : 0] = '\0';
}

static void
note_error(struct answer *a, const struct upstream_error *e, const struct failure *f)
{
	a->stream_error = true;
	note_code(a, e->code[0] != '\0' ? e->code : e->type);
	if (a->failure_code[0] == '\0')
		note_code(a, f->code);
}

// Nothing was given to the client yet: it gets a whole error, or another attempt serves.
static enum answer_result
refuse(struct answer *a, const struct upstream_error *e)
{
	struct failure f;
	char body[ERRORS_BODY_MAX];
	provider_failure_of(e, a->upstream_status, &f);
	note_error(a, e, &f);
	a->streaming = false;
	a->fault = e->class_id;
	a->told_status = f.status;
	a->told_retry_ms = f.retry_after_ms;
	a->held_len = 0;
	size_t n = errors_body(a->request->dialect, &f, a->request->id, body);
	if (!answer_hold(a, (struct view){.p = body, .len = n}))
		return answer_failed(a, f.status, "provider_error",
		    VIEW("The provider reported an error; the gateway is too busy to say which."));
	return answer_settle(a, a->upstream_status >= 400 ? a->upstream_status : f.status);
}

// The stream began: its error is one event more, and the clean end of the body.
static enum answer_result
end_by_error(struct answer *a, const struct upstream_error *e)
{
	struct failure f;
	char event[ERRORS_EVENT_MAX];
	provider_failure_of(e, a->upstream_status, &f);
	size_t n = errors_event(a->request->dialect, false, &f, a->request->id, event);
	answer_emit(a, (struct view){.p = event, .len = n});
	a->fault = e->class_id;
	note_error(a, e, &f);
	return answer_whole(a);
}

// What the session says of an error in a stream, or in an answer of status 200.
static void
read_session(const struct answer *a, struct upstream_error *e)
{
	const struct dialect_failure *d = dialect_failure(a->t->d);
	*e = (struct upstream_error){.class_id = CLASS_SERVER};
	if (d == NULL)
		return;
	snprintf(e->type, sizeof(e->type), "%s", d->type);
	snprintf(e->message, sizeof(e->message), "%s", d->message);
	// Exceptions of event streams are named like members: throttlingException.
	if (a->provider == PROVIDER_BEDROCK && strstr(e->type, "Exception") != NULL)
		e->type[0] = (char)toupper((unsigned char)e->type[0]);
	enum error_class c = errclass_of(&(struct errclass_facts){.provider = a->provider,
	    .status = 200,
	    .type = view_of(e->type),
	    .message = view_of(e->message)});
	if (c != CLASS_NONE)
		e->class_id = c;
}

static enum answer_result
broken(struct answer *a, const char *code, const char *message)
{
	struct upstream_error e = {.class_id = CLASS_SERVER};
	if (a->begun)
		return answer_failed(a, 502, code, view_of(message));
	snprintf(e.type, sizeof(e.type), "%s", code);
	snprintf(e.message, sizeof(e.message), "%s", message);
	return refuse(a, &e);
}

static enum answer_result
crowded(struct answer *a)
{
	return answer_failed(
	    a, 503, "overloaded", VIEW("The gateway holds as many answers as it can; retry."));
}

// --- bodies ------------------------------------------------------------------------

// Where the provider says it in a place that facts.c does not know (embeddings).
static void
count_tokens(struct answer *a)
{
	const struct dialect_usage *u = dialect_usage(a->t->d);
	if (a->facts.counted || u->input + u->output == 0)
		return;
	a->facts.counted = true;
	a->facts.input = MIN(u->input, (uint64_t)UINT32_MAX);
	a->facts.output = MIN(u->output, (uint64_t)UINT32_MAX);
}

static void
pass_on(struct answer *a)
{
	struct translation *t = a->t;
	if (!a->begun && (dialect_has_content(t->d) || translate_state(t) == DIALECT_COMPLETE))
		answer_begin(a, -1);
	if (!a->begun)
		return;
	answer_emit(a, buf_done(&t->out));
	buf_clear(&t->out);
}

void
answer_heartbeat(struct answer *a)
{
	struct buf *out = &a->t->out;
	if (!a->begun)
		answer_begin(a, -1);
	answer_emit(a, buf_done(out));
	buf_clear(out);
	answer_emit(a, VIEW(": keep-alive\n\n"));
}

// After whatever the stream gave.
static enum answer_result
judge(struct answer *a)
{
	struct upstream_error e;
	pass_on(a);
	if (translate_state(a->t) != DIALECT_FAILED)
		return ANSWER_MORE;
	read_session(a, &e);
	return a->begun ? end_by_error(a, &e) : refuse(a, &e);
}

enum answer_result
answer_foreign_body(struct answer *a, struct view bytes)
{
	if (!a->streaming) {
		if (a->held_len + bytes.len > TRANSLATE_ANSWER_MAX || !answer_hold(a, bytes))
			return answer_failed(a, 502, "provider_bad_response",
			    VIEW("The provider's answer is too large to be translated."));
		return ANSWER_MORE;
	}
	bool good = translate_feed(a->t, bytes);
	if (translate_crowded(a->t))
		return crowded(a);
	enum answer_result r = judge(a);
	if (r != ANSWER_MORE || good)
		return r;
	return broken(a, "provider_bad_stream", "The provider's stream is malformed and was cut.");
}

static enum answer_result
end_stream(struct answer *a)
{
	enum dialect_end end = translate_finish(a->t);
	enum answer_result r = judge(a);
	if (r != ANSWER_MORE)
		return r;
	if (end == DIALECT_COMPLETE)
		return answer_whole(a);
	return broken(a, "stream_truncated", "The provider's stream ended before it was complete.");
}

static enum answer_result
end_error(struct answer *a)
{
	struct upstream_error e;
	answer_read_error(a, &e);
	return refuse(a, &e);
}

enum answer_result
answer_foreign_end(struct answer *a)
{
	struct upstream_error e;
	if (a->streaming)
		return end_stream(a);
	if (a->upstream_status / 100 != 2)
		return end_error(a);
	struct view body = {.p = a->held, .len = a->held_len};
	bool good = translate_answer(a->t, body);
	count_tokens(a);
	if (translate_crowded(a->t))
		return crowded(a);
	if (good) {
		struct view out = buf_done(&a->t->out);
		answer_begin(a, (int64_t)out.len);
		answer_emit(a, out);
		return answer_whole(a);
	}
	if (dialect_failure(a->t->d) == NULL)
		return broken(a, "provider_bad_response",
		    "The provider's answer is not what its API promises.");
	read_session(a, &e);
	return refuse(a, &e);
}
