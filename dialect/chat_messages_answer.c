// SPDX-License-Identifier: Apache-2.0
// Anthropic Messages answers, whole and as events, into chat completions.
// Source: Anthropic API reference, "Create a message" and "Streaming messages". Pure.
#include "dialect/chat_messages.h"

// --- what whole answers and events share -------------------------------------------

static const struct {
	const char *native, *reason;
} reasons[] = {
    {"end_turn", "stop"},
    {"stop_sequence", "stop"},
    {"pause_turn", "stop"},
    {"max_tokens", "length"},
    {"model_context_window_exceeded", "length"},
    {"tool_use", "tool_calls"},
    {"refusal", "content_filter"},
};

static void
finish(struct dialect *d, struct messages_state *s, struct buf *out)
{
	const char *reason = "stop";
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (view_eq_str(view_of(d->stop_reason), reasons[i].native))
			reason = reasons[i].reason;
	// Our own tool is no call that the client knows of.
	if (view_eq_str(view_of(reason), "tool_calls") && s->out.tools == 0)
		reason = "stop";
	chat_out_finish(&s->out, reason, d->stop_reason, out);
}

// later: of message_delta, where a zero means that nothing is said about it.
static void
count(uint64_t *to, struct jv v, bool later)
{
	uint64_t n = jv_u64(v, UINT64_MAX);
	if (n != UINT64_MAX && (n != 0 || !later))
		*to = n;
}

static void
take_usage(struct dialect *d, struct jv usage, bool later)
{
	count(&d->usage.input, jv_get(usage, "input_tokens"), later);
	count(&d->usage.cache_read, jv_get(usage, "cache_read_input_tokens"), later);
	count(&d->usage.cache_write, jv_get(usage, "cache_creation_input_tokens"), later);
	count(&d->usage.output, jv_get(usage, "output_tokens"), later);
	count(
	    &d->usage.reasoning, jv_get2(usage, "output_tokens_details", "thinking_tokens"), later);
}

static struct view
decoded(struct messages_state *s, struct jv string)
{
	buf_clear(&s->text);
	jv_decode(string, &s->text);
	return buf_done(&s->text);
}

// What the client has to give back for the model to go on thinking.
static void
put_detail(struct messages_state *s, struct view text, struct view signature, struct buf *out)
{
	struct buf b;
	if (signature.len == 0 || s->thought.failed) // half a thought is worth nothing
		return;
	buf_init(&b, SIZE_MAX);
	buf_str(&b, "{\"type\":\"reasoning.text\"");
	jv_put_member_text(&b, "text", text);
	jv_put_member_text(&b, "signature", signature);
	buf_str(&b, ",\"format\":\"anthropic-claude-v1\"}");
	chat_out_detail(&s->out, buf_done(&b), out);
	buf_free(&b);
}

static void
put_redacted(struct messages_state *s, struct jv data, struct buf *out)
{
	struct buf b;
	buf_init(&b, SIZE_MAX);
	buf_str(&b, "{\"type\":\"reasoning.encrypted\"");
	jv_put_member_text(&b, "data", decoded(s, data));
	buf_str(&b, ",\"format\":\"anthropic-claude-v1\"}");
	chat_out_detail(&s->out, buf_done(&b), out);
	buf_free(&b);
}

// A tool call begins, or the answer in the shape of one.
static void
begin_tool(struct messages_state *s, struct jv block, struct buf *out)
{
	struct buf id;
	struct jv input = jv_get(block, "input");
	bool has_input = jv_is(input, JV_OBJECT) && jv_count(input) != 0;
	if (s->json_tool[0] != '\0' && jv_eq(jv_get(block, "name"), s->json_tool)) {
		s->block = s->said_json ? BLOCK_OTHER : BLOCK_JSON;
		s->said_json = true;
		if (has_input && s->block == BLOCK_JSON)
			chat_out_text(&s->out, input.text, out);
		return;
	}
	s->block = BLOCK_TOOL;
	buf_init(&id, SIZE_MAX);
	jv_decode(jv_get(block, "id"), &id);
	struct view name = chat_names_back(s->names, decoded(s, jv_get(block, "name")));
	chat_out_call(&s->out, buf_done(&id), name, VIEW(""), out);
	buf_free(&id);
	if (has_input)
		chat_out_arguments(&s->out, input.text, out);
}

static void
begin_block(struct messages_state *s, struct jv block, struct buf *out)
{
	struct jv type = jv_get(block, "type");
	s->block = BLOCK_OTHER;
	if (jv_eq(type, "text")) {
		s->block = BLOCK_TEXT;
		chat_out_text(&s->out, decoded(s, jv_get(block, "text")), out);
	} else if (jv_eq(type, "thinking")) {
		s->block = BLOCK_THINKING;
		buf_clear(&s->thought);
		buf_clear(&s->signature);
		jv_decode(jv_get(block, "thinking"), &s->thought);
		jv_decode(jv_get(block, "signature"), &s->signature);
		chat_out_reasoning(&s->out, buf_done(&s->thought), out);
	} else if (jv_eq(type, "redacted_thinking")) {
		put_redacted(s, jv_get(block, "data"), out);
	} else if (jv_eq(type, "tool_use")) {
		begin_tool(s, block, out);
	}
}

static void
end_block(struct messages_state *s, struct buf *out)
{
	if (s->block == BLOCK_TOOL)
		chat_out_call_end(&s->out, out);
	if (s->block == BLOCK_THINKING)
		put_detail(s, buf_done(&s->thought), buf_done(&s->signature), out);
	s->block = BLOCK_NONE;
}

static void
fail(struct dialect *d, struct jv root)
{
	side_fail_jv(d, jv_get2(root, "error", "type"), jv_get2(root, "error", "message"));
}

// --- whole -------------------------------------------------------------------------

bool
chat_messages_answer(struct dialect *d, struct view body, struct buf *out)
{
	struct messages_state *s = d->state;
	struct jv root, block, content;
	struct jv_iter it = {0};
	if (!side_json(d, body, &root))
		return false;
	content = jv_get(root, "content");
	if (jv_eq(jv_get(root, "type"), "error")) {
		fail(d, root);
		return false;
	}
	if (!jv_is(content, JV_ARRAY)) {
		side_fail(d, VIEW("invalid_response"),
		    VIEW("The provider's answer is not a message: it has no content."));
		return false;
	}
	chat_out_id(&s->out, decoded(s, jv_get(root, "id")));
	while (jv_each(content, &it, &block)) {
		begin_block(s, block, out);
		end_block(s, out);
	}
	side_stop(d, jv_get(root, "stop_reason"));
	take_usage(d, jv_get(root, "usage"), false);
	finish(d, s, out);
	return true;
}

// --- events ------------------------------------------------------------------------

static void
on_delta(struct messages_state *s, struct jv root, struct buf *out)
{
	struct jv delta = jv_get(root, "delta"), type = jv_get(delta, "type");
	if (jv_u64(jv_get(root, "index"), s->block_index) != s->block_index)
		return; // of no open block
	if (jv_eq(type, "text_delta")) {
		chat_out_text(&s->out, decoded(s, jv_get(delta, "text")), out);
	} else if (jv_eq(type, "thinking_delta") && s->block == BLOCK_THINKING) {
		struct view text = decoded(s, jv_get(delta, "thinking"));
		buf_view(&s->thought, text);
		chat_out_reasoning(&s->out, text, out);
	} else if (jv_eq(type, "signature_delta") && s->block == BLOCK_THINKING) {
		jv_decode(jv_get(delta, "signature"), &s->signature);
	} else if (jv_eq(type, "input_json_delta")) {
		struct view text = decoded(s, jv_get(delta, "partial_json"));
		if (s->block == BLOCK_JSON)
			chat_out_text(&s->out, text, out);
		else if (s->block == BLOCK_TOOL)
			chat_out_arguments(&s->out, text, out);
	}
}

void
chat_messages_event(
    struct dialect *d, struct view type, struct view data, bool is_error, struct buf *out)
{
	struct messages_state *s = d->state;
	struct jv root;
	if (is_error) { // an exception of the transport: its payload may be anything
		side_fail(d, type, data);
		return;
	}
	if (!side_json(d, data, &root))
		return;
	struct jv kind = jv_get(root, "type");
	if (jv_eq(kind, "message_start")) {
		struct jv message = jv_get(root, "message");
		chat_out_id(&s->out, decoded(s, jv_get(message, "id")));
		take_usage(d, jv_get(message, "usage"), false);
		chat_out_begin(&s->out, out);
	} else if (jv_eq(kind, "content_block_start")) {
		end_block(s, out);
		s->block_index = jv_u64(jv_get(root, "index"), 0);
		begin_block(s, jv_get(root, "content_block"), out);
	} else if (jv_eq(kind, "content_block_delta")) {
		on_delta(s, root, out);
	} else if (jv_eq(kind, "content_block_stop")) {
		end_block(s, out);
	} else if (jv_eq(kind, "message_delta")) {
		struct jv reason = jv_get2(root, "delta", "stop_reason");
		if (jv_is(reason, JV_STRING))
			side_stop(d, reason);
		take_usage(d, jv_get(root, "usage"), true);
	} else if (jv_eq(kind, "message_stop")) {
		end_block(s, out);
		finish(d, s, out);
		d->end = DIALECT_COMPLETE;
	} else if (jv_eq(kind, "error")) {
		fail(d, root);
	} // ping, and what is yet to be invented
}
