// SPDX-License-Identifier: Apache-2.0
// Event boundaries and terminal events. Sources: OpenAI API reference ("data:
// [DONE]"; response.completed, .incomplete, .failed), Anthropic API reference
// "Streaming" (message_stop, error), Bedrock runtime model (messageStop, exceptions;
// InvokeModelWithResponseStream wraps the model's own events), Gemini API reference
// "GenerateContentResponse". Pure.
#include "gatewayd/stream.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/jv.h"

#define EVENT_MAX ((size_t)8 << 20) // one SSE event: whole images travel in some

void
stream_init(struct stream *s, enum stream_kind kind, enum operation op, struct facts *facts,
    stream_emit_fn *emit, void *cookie)
{
	*s =
	    (struct stream){.kind = kind, .op = op, .facts = facts, .emit = emit, .cookie = cookie};
	if (kind == STREAM_SSE)
		sse_init(&s->in.sse, EVENT_MAX);
	else
		eventstream_init(&s->in.es, 0);
}

void
stream_free(struct stream *s)
{
	if (s->kind == STREAM_SSE)
		sse_free(&s->in.sse);
	else
		eventstream_free(&s->in.es);
}

static void
fail(struct stream *s, const char *code)
{
	s->failed = true;
	snprintf(s->error, sizeof(s->error), "%s", code);
}

// --- server-sent events ----------------------------------------------------------

static void
judge_openai(struct stream *s, const char *type)
{
	if (s->op != OP_OPENAI_RESPONSES) {
		if (s->facts->has_error)
			fail(s, s->facts->error_code);
		return;
	}
	if (strcmp(type, "response.completed") == 0 || strcmp(type, "response.incomplete") == 0)
		s->done = true;
	else if (strcmp(type, "response.failed") == 0 || strcmp(type, "error") == 0)
		fail(s, s->facts->error_code);
}

static void
judge_anthropic(struct stream *s, const char *type)
{
	if (strcmp(type, "message_stop") == 0)
		s->done = true;
	else if (strcmp(type, "error") == 0)
		fail(s, s->facts->error_code);
}

// Every chunk is a whole answer with the new parts; the one with a finishReason, or the
// one that says that the prompt was blocked, is the last (more may follow in the same
// chunk only).
static void
judge_google(struct stream *s, struct view data)
{
	if (s->facts->has_error) {
		fail(s, s->facts->error_code);
		return;
	}
	if (jv_check(data, NULL) != JV_OK)
		return;
	struct jv root = jv_root(data), candidate;
	struct jv_iter it = {0};
	struct jv candidates = jv_get(root, "candidates");
	while (jv_each(candidates, &it, &candidate))
		s->done = s->done || jv_is(jv_get(candidate, "finishReason"), JV_STRING);
	s->done = s->done || jv_is(jv_get2(root, "promptFeedback", "blockReason"), JV_STRING);
}

static bool
is_anthropic(enum operation op)
{
	return op == OP_ANTHROPIC_MESSAGES || op == OP_STREAM_RAW_PREDICT || op == OP_RAW_PREDICT;
}

static void
judge_sse(struct stream *s, const struct sse_event *e)
{
	if (!e->has_data)
		return;
	s->events++;
	if (view_eq_str(e->data, "[DONE]")) {
		s->done = s->done || (!is_anthropic(s->op) && s->op != OP_STREAM_GENERATE_CONTENT);
		return;
	}
	(void)facts_json(s->facts, e->data);
	if (s->op == OP_STREAM_GENERATE_CONTENT)
		judge_google(s, e->data);
	else if (is_anthropic(s->op))
		judge_anthropic(s, s->facts->type);
	else
		judge_openai(s, s->facts->type);
}

static bool
feed_sse(struct stream *s, struct view in)
{
	for (;;) {
		size_t used;
		enum sse_result r = sse_feed(&s->in.sse, in.p, in.len, &used);
		if (r == SSE_NEED_MORE)
			return true;
		if (r != SSE_EVENT)
			return false;
		in.p += used;
		in.len -= used;
		judge_sse(s, &s->in.sse.event);
		s->emit(s->cookie, s->in.sse.event.raw);
	}
}

// Several servers leave out the last empty line: a whole event is accepted without
// it, and completed.
static void
finish_sse(struct stream *s)
{
	if (sse_eof(&s->in.sse) != SSE_EVENT)
		return;
	struct sse_event *e = &s->in.sse.event;
	bool whole = e->complete || view_eq_str(e->data, "[DONE]") ||
		     (e->has_data && facts_json(s->facts, e->data));
	if (!whole)
		return;
	judge_sse(s, e);
	s->emit(s->cookie, e->raw);
	if (!e->complete)
		s->emit(s->cookie, VIEW("\n\n"));
}

// --- AWS event stream --------------------------------------------------------------

struct chunk {
	char text[2048];
	size_t len;
};

static void
on_chunk_member(void *cookie, const struct json_member *m)
{
	struct chunk *c = cookie;
	if (!json_member_is(m, "bytes", NULL, NULL) || m->kind != SCAN_STRING)
		return;
	if (sodium_base642bin((unsigned char *)c->text, sizeof(c->text), m->value.p, m->value.len,
		NULL, &c->len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		c->len = 0;
}

// The payload is {"bytes":"<base64 of the model's own event>"}.
bool
stream_chunk_facts(struct facts *f, struct view payload)
{
	struct json_scan scan;
	struct chunk c = {.len = 0};
	json_scan_init(&scan, on_chunk_member, &c);
	(void)json_scan_feed(&scan, payload.p, payload.len);
	return c.len != 0 && facts_json(f, (struct view){.p = c.text, .len = c.len});
}

static void
judge_invoke_chunk(struct stream *s, struct view payload)
{
	if (!stream_chunk_facts(s->facts, payload))
		return;
	if (strcmp(s->facts->type, "message_start") == 0)
		s->wants_stop = true;
	else if (strcmp(s->facts->type, "message_stop") == 0)
		s->done = true;
}

static void
copy_word(char out[FACTS_WORD_MAX], struct view v)
{
	size_t n = 0;
	for (size_t i = 0; i < v.len && n + 1 < FACTS_WORD_MAX; i++)
		if (v.p[i] > 0x20 && v.p[i] < 0x7f)
			out[n++] = v.p[i];
	out[n] = '\0';
}

static void
judge_message(struct stream *s, const struct eventstream_message *m)
{
	struct view kind = eventstream_string(m, ":message-type");
	s->events++;
	if (view_eq_str(kind, "exception") || view_eq_str(kind, "error")) {
		struct view what = eventstream_string(
		    m, view_eq_str(kind, "error") ? ":error-code" : ":exception-type");
		char text[FACTS_WORD_MAX];
		copy_word(text, what);
		fail(s, text);
		return;
	}
	struct view event = eventstream_string(m, ":event-type");
	if (s->op == OP_BEDROCK_INVOKE_STREAM) {
		judge_invoke_chunk(s, m->payload);
	} else if (view_eq_str(event, "messageStop")) {
		s->done = true;
	} else if (view_eq_str(event, "metadata")) {
		(void)facts_json(s->facts, m->payload);
	}
}

static bool
feed_eventstream(struct stream *s, struct view in)
{
	for (;;) {
		size_t used;
		enum eventstream_result r = eventstream_feed(&s->in.es, in.p, in.len, &used);
		if (r == EVENTSTREAM_NEED_MORE)
			return true;
		if (r != EVENTSTREAM_MESSAGE)
			return false;
		in.p += used;
		in.len -= used;
		judge_message(s, &s->in.es.message);
		s->emit(s->cookie, s->in.es.message.raw);
	}
}

// --- both ---------------------------------------------------------------------------

bool
stream_feed(struct stream *s, struct view bytes)
{
	return s->kind == STREAM_SSE ? feed_sse(s, bytes) : feed_eventstream(s, bytes);
}

enum stream_end
stream_finish(struct stream *s)
{
	bool clean = true;
	if (s->kind == STREAM_SSE)
		finish_sse(s);
	else
		clean = eventstream_clean(&s->in.es);
	if (s->failed)
		return STREAM_FAILED;
	// Models other than Claude have no common terminal event under invoke.
	bool free_form = s->op == OP_BEDROCK_INVOKE_STREAM && !s->wants_stop && s->events != 0;
	return clean && (s->done || free_form) ? STREAM_COMPLETE : STREAM_TRUNCATED;
}
