// SPDX-License-Identifier: Apache-2.0
// Converse answers and ConverseStream events -> chat completions. Everything that comes
// in is the provider's word: checked as JSON before it is read, unknown kinds are passed
// over. Pure.
#include "dialect/chat_converse.h"

#include <string.h>

static void
read_usage(struct dialect *d, struct jv usage)
{
	struct converse *s = d->state;
	s->out.no_usage = !jv_is(usage, JV_OBJECT);
	d->usage = (struct dialect_usage){
	    .input = jv_u64(jv_get(usage, "inputTokens"), 0),
	    .cache_read = jv_u64(jv_get(usage, "cacheReadInputTokens"), 0),
	    .cache_write = jv_u64(jv_get(usage, "cacheWriteInputTokens"), 0),
	    .output = jv_u64(jv_get(usage, "outputTokens"), 0),
	};
}

static const char *
finish_reason(const char *stop_reason)
{
	static const struct {
		const char *from, *to;
	} known[] = {
	    {"max_tokens", "length"},
	    {"model_context_window_exceeded", "length"},
	    {"tool_use", "tool_calls"},
	    {"guardrail_intervened", "content_filter"},
	    {"content_filtered", "content_filter"},
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(stop_reason, known[i].from) == 0)
			return known[i].to;
	return "stop"; // end_turn, stop_sequence; malformed_*: the native word says so
}

static void
put_finish(struct dialect *d, struct buf *out)
{
	struct converse *s = d->state;
	const char *reason = finish_reason(d->stop_reason);
	// Only the stand-in for JSON mode was called: to the client that is no call.
	if (strcmp(reason, "tool_calls") == 0 && s->out.tools == 0)
		reason = "stop";
	chat_out_finish(&s->out, reason, d->stop_reason, out);
	d->end = DIALECT_COMPLETE;
}

// --- reasoning ------------------------------------------------------------------------

static void
put_format(struct converse *s, struct buf *b)
{
	if ((s->out.d->r.model.flags & MODEL_CLAUDE) != 0)
		jv_put_member_text(b, "format", VIEW(CONVERSE_CLAUDE_FORMAT));
}

static void
put_reasoning_detail(struct converse *s, struct view text, struct view signature, struct buf *out)
{
	if (signature.len == 0)
		return;
	struct buf b;
	buf_init(&b, SIZE_MAX);
	buf_str(&b, "{\"type\":\"reasoning.text\"");
	jv_put_member_text(&b, "text", text);
	jv_put_member_text(&b, "signature", signature);
	put_format(s, &b);
	buf_char(&b, '}');
	chat_out_detail(&s->out, buf_done(&b), out);
	buf_free(&b);
}

static void
put_redacted(struct converse *s, struct jv data, struct buf *out)
{
	struct buf b;
	buf_init(&b, SIZE_MAX);
	buf_str(&b, "{\"type\":\"reasoning.encrypted\"");
	jv_put_member_raw(&b, "data", data);
	put_format(s, &b);
	buf_char(&b, '}');
	chat_out_detail(&s->out, buf_done(&b), out);
	buf_free(&b);
}

// --- whole answers ----------------------------------------------------------------------

static void
put_text(struct converse *s, struct jv text, struct buf *out)
{
	if (!jv_is(text, JV_STRING))
		return;
	struct buf b;
	buf_init(&b, SIZE_MAX);
	jv_decode(text, &b);
	chat_out_text(&s->out, buf_done(&b), out);
	buf_free(&b);
}

static void
put_call(struct converse *s, struct jv use, struct buf *out)
{
	struct jv input = jv_get(use, "input");
	struct view arguments = jv_is(input, JV_OBJECT) ? input.text : VIEW("{}");
	if (s->json_tool[0] != '\0' && jv_eq(jv_get(use, "name"), s->json_tool)) {
		if (!s->said_json) // one answer is wanted, and two are no JSON
			chat_out_text(&s->out, arguments, out);
		s->said_json = true;
		return;
	}
	if (jv_eq(jv_get(use, "type"), "server_tool_use"))
		return; // the provider ran it itself
	struct buf id, name;
	buf_init(&id, SIZE_MAX);
	buf_init(&name, SIZE_MAX);
	jv_decode(jv_get(use, "toolUseId"), &id);
	jv_decode(jv_get(use, "name"), &name);
	chat_out_call(
	    &s->out, buf_done(&id), chat_names_back(s->names, buf_done(&name)), VIEW(""), out);
	chat_out_arguments(&s->out, arguments, out);
	chat_out_call_end(&s->out, out);
	buf_free(&id);
	buf_free(&name);
}

static void
put_reasoning(struct converse *s, struct jv reasoning, struct buf *out)
{
	struct jv redacted = jv_get(reasoning, "redactedContent");
	if (jv_is(redacted, JV_STRING)) {
		put_redacted(s, redacted, out);
		return;
	}
	struct jv text = jv_get(reasoning, "reasoningText");
	struct buf t, signature;
	buf_init(&t, SIZE_MAX);
	buf_init(&signature, SIZE_MAX);
	jv_decode(jv_get(text, "text"), &t);
	jv_decode(jv_get(text, "signature"), &signature);
	chat_out_reasoning(&s->out, buf_done(&t), out);
	put_reasoning_detail(s, buf_done(&t), buf_done(&signature), out);
	buf_free(&t);
	buf_free(&signature);
}

static void
put_block(struct converse *s, struct jv block, struct buf *out)
{
	struct jv v;
	if (jv_is(v = jv_get(block, "text"), JV_STRING)) {
		put_text(s, v, out);
	} else if (jv_is(v = jv_get(block, "toolUse"), JV_OBJECT)) {
		put_call(s, v, out);
	} else if (jv_is(v = jv_get(block, "reasoningContent"), JV_OBJECT)) {
		put_reasoning(s, v, out);
	} else if (jv_is(v = jv_get2(block, "citationsContent", "content"), JV_ARRAY)) {
		struct jv_iter it = {0};
		struct jv e;
		while (jv_each(v, &it, &e))
			put_text(s, jv_get(e, "text"), out);
	}
}

static void
fail(struct dialect *d, struct view type, struct jv message, const char *otherwise)
{
	struct buf m;
	buf_init(&m, SIZE_MAX);
	jv_decode(message, &m);
	side_fail(d, type, m.len > 0 ? buf_done(&m) : view_of(otherwise));
	buf_free(&m);
}

// "com.amazon...#ThrottlingException:http://..." gives ThrottlingException.
static struct view
bare_type(struct view v)
{
	const char *hash = v.len == 0 ? NULL : memchr(v.p, '#', v.len);
	if (hash != NULL)
		v = (struct view){hash + 1, v.len - (size_t)(hash + 1 - v.p)};
	const char *colon = v.len == 0 ? NULL : memchr(v.p, ':', v.len);
	if (colon != NULL)
		v.len = (size_t)(colon - v.p);
	return v.len > 0 ? v : VIEW("invalid_answer");
}

static struct jv
first(struct jv a, struct jv b)
{
	return jv_is(a, JV_STRING) ? a : b;
}

bool
chat_converse_answer(struct dialect *d, struct view body, struct buf *out)
{
	struct converse *s = d->state;
	struct jv root = jv_check(body, NULL) == JV_OK ? jv_root(body) : (struct jv){0};
	struct jv content = jv_get(jv_get2(root, "output", "message"), "content");
	if (!jv_is(content, JV_ARRAY)) {
		// Also a wrong path is answered with status 200: {"Output":{"__type":...}}.
		struct buf type;
		buf_init(&type, SIZE_MAX);
		jv_decode(first(jv_get(root, "__type"), jv_get2(root, "Output", "__type")), &type);
		fail(d, bare_type(buf_done(&type)),
		    first(jv_get(root, "message"), jv_get(root, "Message")),
		    "The provider's answer has no output.");
		buf_free(&type);
		return false;
	}
	read_usage(d, jv_get(root, "usage"));
	side_stop(d, jv_get(root, "stopReason"));
	struct jv_iter it = {0};
	struct jv block;
	while (jv_each(content, &it, &block))
		put_block(s, block, out);
	put_finish(d, out);
	return true;
}

// --- streams --------------------------------------------------------------------------

static void
end_block(struct converse *s, struct buf *out)
{
	switch (s->block) {
	case CONVERSE_TOOL:
		chat_out_call_end(&s->out, out);
		break;
	case CONVERSE_JSON:
		if (!s->json_has_text)
			chat_out_text(&s->out, VIEW("{}"), out);
		break;
	case CONVERSE_REASONING:
		put_reasoning_detail(s, buf_done(&s->reasoning), buf_done(&s->signature), out);
		buf_clear(&s->reasoning);
		buf_clear(&s->signature);
		break;
	case CONVERSE_NO_BLOCK:
	case CONVERSE_TEXT:
	case CONVERSE_HIDDEN:
		break;
	}
	s->block = CONVERSE_NO_BLOCK;
}

// Text and reasoning have no start event: the first delta begins them.
static void
need_block(struct converse *s, uint64_t index, enum converse_block kind, struct buf *out)
{
	if (s->block == kind && s->index == index)
		return;
	end_block(s, out);
	s->block = kind;
	s->index = index;
}

static void
on_start(struct converse *s, struct jv root, uint64_t index, struct buf *out)
{
	struct jv use = jv_get2(root, "start", "toolUse");
	end_block(s, out);
	s->index = index;
	if (!jv_is(use, JV_OBJECT))
		return;
	if (s->json_tool[0] != '\0' && jv_eq(jv_get(use, "name"), s->json_tool)) {
		s->block = s->said_json ? CONVERSE_HIDDEN : CONVERSE_JSON;
		s->said_json = true;
		s->json_has_text = false;
		return;
	}
	if (jv_eq(jv_get(use, "type"), "server_tool_use")) {
		s->block = CONVERSE_HIDDEN;
		return;
	}
	struct buf id, name;
	buf_init(&id, SIZE_MAX);
	buf_init(&name, SIZE_MAX);
	jv_decode(jv_get(use, "toolUseId"), &id);
	jv_decode(jv_get(use, "name"), &name);
	chat_out_call(
	    &s->out, buf_done(&id), chat_names_back(s->names, buf_done(&name)), VIEW(""), out);
	s->block = CONVERSE_TOOL;
	buf_free(&id);
	buf_free(&name);
}

static void
on_reasoning(struct converse *s, struct jv delta, uint64_t index, struct buf *out)
{
	struct jv redacted = jv_get(delta, "redactedContent");
	need_block(s, index, CONVERSE_REASONING, out);
	if (jv_is(redacted, JV_STRING)) {
		put_redacted(s, redacted, out);
		return;
	}
	size_t before = s->reasoning.len;
	jv_decode(jv_get(delta, "text"), &s->reasoning);
	if (s->reasoning.len > before)
		chat_out_reasoning(&s->out,
		    (struct view){s->reasoning.p + before, s->reasoning.len - before}, out);
	jv_decode(jv_get(delta, "signature"), &s->signature);
}

static void
on_tool_input(struct dialect *d, struct jv input, uint64_t index, struct buf *out)
{
	struct converse *s = d->state;
	bool open = s->index == index && (s->block == CONVERSE_TOOL || s->block == CONVERSE_JSON ||
					     s->block == CONVERSE_HIDDEN);
	if (!open) {
		side_fail(d, VIEW("invalid_event"),
		    VIEW("The provider's stream has arguments of a tool call that did not begin."));
		return;
	}
	struct buf b;
	buf_init(&b, SIZE_MAX);
	jv_decode(input, &b);
	if (s->block == CONVERSE_TOOL) {
		chat_out_arguments(&s->out, buf_done(&b), out);
	} else if (s->block == CONVERSE_JSON && b.len > 0) {
		s->json_has_text = true;
		chat_out_text(&s->out, buf_done(&b), out);
	}
	buf_free(&b);
}

static void
on_delta(struct dialect *d, struct jv root, uint64_t index, struct buf *out)
{
	struct converse *s = d->state;
	struct jv delta = jv_get(root, "delta"), v;
	if (jv_is(v = jv_get(delta, "text"), JV_STRING)) {
		need_block(s, index, CONVERSE_TEXT, out);
		put_text(s, v, out);
	} else if (jv_is(v = jv_get(delta, "toolUse"), JV_OBJECT)) {
		on_tool_input(d, jv_get(v, "input"), index, out);
	} else if (jv_is(v = jv_get(delta, "reasoningContent"), JV_OBJECT)) {
		on_reasoning(s, v, index, out);
	}
}

static void
on_exception(struct dialect *d, struct view type, struct view data)
{
	struct jv root = {0};
	if (jv_check(data, NULL) == JV_OK)
		root = jv_root(data);
	struct jv message = first(jv_get(root, "message"), jv_get(root, "Message"));
	if (!jv_is(message, JV_STRING))
		message = jv_get(root, "originalMessage");
	if (!jv_is(root, JV_OBJECT) && data.len > 0)
		side_fail(d, type, data); // an error message's plain text
	else
		fail(d, type, message, "The provider ended the stream with an error.");
}

void
chat_converse_event(
    struct dialect *d, struct view type, struct view data, bool is_error, struct buf *out)
{
	struct converse *s = d->state;
	if (is_error) {
		on_exception(d, type, data);
		return;
	}
	if (jv_check(data, NULL) != JV_OK || !jv_is(jv_root(data), JV_OBJECT)) {
		side_fail(d, VIEW("invalid_event"),
		    VIEW("The provider's stream has an event that is no JSON object."));
		return;
	}
	struct jv root = jv_root(data);
	uint64_t index = jv_u64(jv_get(root, "contentBlockIndex"), 0);
	if (view_eq_str(type, "contentBlockDelta")) {
		on_delta(d, root, index, out);
	} else if (view_eq_str(type, "contentBlockStart")) {
		on_start(s, root, index, out);
	} else if (view_eq_str(type, "contentBlockStop")) {
		if (s->index == index)
			end_block(s, out);
	} else if (view_eq_str(type, "messageStart")) {
		chat_out_begin(&s->out, out);
	} else if (view_eq_str(type, "messageStop")) {
		end_block(s, out);
		side_stop(d, jv_get(root, "stopReason"));
		s->stopped = true;
	} else if (view_eq_str(type, "metadata")) {
		read_usage(d, jv_get(root, "usage"));
		if (s->stopped)
			put_finish(d, out);
	}
}

// The usage comes behind the end of the message; without it the message is still whole.
void
chat_converse_finish(struct dialect *d, struct buf *out)
{
	struct converse *s = d->state;
	if (!s->stopped || d->end != DIALECT_OPEN)
		return;
	s->out.no_usage = true;
	put_finish(d, out);
}
