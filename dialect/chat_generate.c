// SPDX-License-Identifier: Apache-2.0
// OpenAI chat to Gemini generateContent, on AI Studio and on Vertex AI: the session and
// the way back. A chunk of the stream is a whole answer that holds only the new parts,
// so both ways share one reader. Touches memory only.
#include "dialect/chat_generate.h"
#include "dialect/chat_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct generate {
	struct chat chat;
	struct chat_names *names;
	struct chat_out out;
	bool out_ready;
	bool identified;
	bool candidate; // a candidate was seen
	bool ended;	// a finish reason, or a blocked prompt
	bool blocked;
	char reason[48];   // the provider's word
	char message[256]; // finishMessage
	size_t calls;
};

static bool
generate_request(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	struct generate *g = base_calloc(1, sizeof *g);
	d->state = g;
	if (!chat_in_read(d, &g->chat, f))
		return false;
	g->names = chat_names_new(&g->chat, 64, true);
	chat_out_init(&g->out, d, g->chat.include_usage);
	g->out_ready = true;
	buf_char(out, '{');
	if (!chat_generate_put_contents(d, &g->chat, g->names, out, f) ||
	    !chat_generate_put_config(d, &g->chat, g->names, out, f))
		return false;
	buf_char(out, '}');
	return true;
}

static void
generate_free(void *state)
{
	struct generate *g = state;
	if (g == NULL)
		return;
	if (g->out_ready)
		chat_out_free(&g->out);
	if (g->names != NULL)
		chat_names_free(g->names);
	chat_in_free(&g->chat);
	free(g);
}

// --- errors ----------------------------------------------------------------------------

static void
fail(struct dialect *d, const char *type, const char *message)
{
	side_fail(d, view_of(type), view_of(message));
	d->end = DIALECT_FAILED;
}

// {"error":{...}}, or the same in an array. False: no error.
static bool
failed(struct dialect *d, struct jv root)
{
	struct jv_iter it = {0};
	struct jv first = root, error;
	if (jv_is(root, JV_ARRAY) && !jv_each(root, &it, &first))
		return false;
	error = jv_get(first, "error");
	if (!jv_is(error, JV_OBJECT))
		return false;
	char type[64], message[512];
	if (jv_copy(jv_get(error, "status"), type, sizeof type) != 0)
		snprintf(type, sizeof type, "%llu",
		    (unsigned long long)jv_u64(jv_get(error, "code"), 500));
	if (jv_copy(jv_get(error, "message"), message, sizeof message) != 0)
		snprintf(message, sizeof message, "the provider reported an error");
	fail(d, type, message);
	return true;
}

// --- parts -----------------------------------------------------------------------------

// JSON without the white space between its tokens; Gemini indents whole answers.
static void
put_compact(struct buf *out, struct view text)
{
	bool string = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (!string && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
			continue;
		buf_char(out, c);
		if (c == '"')
			string = !string;
		else if (c == '\\' && i + 1 < text.len)
			buf_char(out, text.p[++i]);
	}
}

// Gemini's own id where it gives one; else one that no other request has.
static void
call_id(const struct dialect *d, struct generate *g, struct jv call, char *id, size_t size)
{
	size_t n = g->calls++;
	if (jv_copy(jv_get(call, "id"), id, size) == 0 && id[0] != '\0')
		return;
	snprintf(id, size, "call_%.40s_%zu", d->r.id == NULL ? "" : d->r.id, n);
}

static void
take_call(struct dialect *d, struct generate *g, struct jv part, struct jv call, struct buf *out)
{
	struct jv signature = jv_get(part, "thoughtSignature"), args = jv_get(call, "args");
	struct buf name, extra, text;
	char id[65];
	buf_init(&name, call.text.len);
	buf_init(&extra, part.text.len + 64);
	buf_init(&text, call.text.len + 1);
	call_id(d, g, call, id, sizeof id);
	jv_decode(jv_get(call, "name"), &name);
	if (jv_is(signature, JV_STRING)) {
		struct buf raw;
		buf_init(&raw, signature.text.len);
		jv_decode(signature, &raw);
		if (d->r.memory != NULL)
			dialect_memory_put(d->r.memory, view_of(id), buf_done(&raw));
		buf_free(&raw);
		buf_str(&extra, "{\"google\":{\"thought_signature\":");
		jv_put_raw(&extra, signature);
		buf_str(&extra, "}}");
	}
	chat_out_call(&g->out, view_of(id), chat_names_back(g->names, buf_done(&name)),
	    buf_done(&extra), out);
	if (jv_is(args, JV_OBJECT))
		put_compact(&text, args.text);
	if (text.len > 0)
		chat_out_arguments(&g->out, buf_done(&text), out);
	chat_out_call_end(&g->out, out); // writes {} where there were none
	d->has_content = true;
	buf_free(&name);
	buf_free(&extra);
	buf_free(&text);
}

// A signature on text, or on an empty part at the end: kept where clients that give
// back whole messages bring it back.
static void
take_signature(struct generate *g, struct jv signature, struct buf *out)
{
	struct buf detail;
	buf_init(&detail, signature.text.len + 128);
	buf_str(&detail,
	    "{\"type\":\"reasoning.encrypted\",\"format\":\"" CHAT_GENERATE_FORMAT "\",\"data\":");
	jv_put_raw(&detail, signature);
	buf_char(&detail, '}');
	chat_out_detail(&g->out, buf_done(&detail), out);
	buf_free(&detail);
}

// An image that the model made, as Markdown: the one form that content as text has.
static void
take_image(struct dialect *d, struct generate *g, struct jv data, struct buf *out)
{
	struct buf text;
	buf_init(&text, data.text.len + 64);
	buf_str(&text, "![image](data:");
	jv_decode(jv_get(data, "mimeType"), &text);
	buf_str(&text, ";base64,");
	jv_decode(jv_get(data, "data"), &text);
	buf_char(&text, ')');
	chat_out_text(&g->out, buf_done(&text), out);
	d->has_content = true;
	buf_free(&text);
}

static void
take_part(struct dialect *d, struct generate *g, struct jv part, struct buf *out)
{
	struct jv call = jv_get(part, "functionCall"), text = jv_get(part, "text");
	struct jv signature = jv_get(part, "thoughtSignature");
	if (jv_is(call, JV_OBJECT)) {
		take_call(d, g, part, call, out);
		return;
	}
	if (jv_is(jv_get(part, "inlineData"), JV_OBJECT))
		take_image(d, g, jv_get(part, "inlineData"), out);
	if (jv_is(text, JV_STRING) && text.text.len > 2) {
		struct buf decoded;
		buf_init(&decoded, text.text.len);
		jv_decode(text, &decoded);
		if (jv_truth(jv_get(part, "thought")))
			chat_out_reasoning(&g->out, buf_done(&decoded), out);
		else
			chat_out_text(&g->out, buf_done(&decoded), out);
		d->has_content = true;
		buf_free(&decoded);
	}
	if (jv_is(signature, JV_STRING) && signature.text.len > 2)
		take_signature(g, signature, out);
}

// --- one answer or chunk -----------------------------------------------------------------

// promptTokenCount includes cached tokens, candidatesTokenCount leaves thoughts out.
// Every chunk repeats the sums: the last one holds.
static void
take_usage(struct dialect *d, struct jv u)
{
	if (!jv_is(u, JV_OBJECT))
		return;
	uint64_t prompt = jv_u64(jv_get(u, "promptTokenCount"), 0);
	uint64_t tools = jv_u64(jv_get(u, "toolUsePromptTokenCount"), 0);
	uint64_t cached = jv_u64(jv_get(u, "cachedContentTokenCount"), 0);
	uint64_t thoughts = jv_u64(jv_get(u, "thoughtsTokenCount"), 0);
	d->usage.cache_read = MIN(cached, prompt);
	d->usage.input = prompt - d->usage.cache_read + tools;
	d->usage.output = jv_u64(jv_get(u, "candidatesTokenCount"), 0) + thoughts;
	d->usage.reasoning = thoughts;
}

static void
take_reason(struct dialect *d, struct generate *g, struct jv reason)
{
	if (jv_copy(reason, g->reason, sizeof g->reason) != 0)
		snprintf(g->reason, sizeof g->reason, "OTHER");
	side_stop(d, reason);
	g->ended = true;
}

static void
take_candidate(struct dialect *d, struct generate *g, struct jv candidate, struct buf *out)
{
	struct jv_iter it = {0};
	struct jv part, reason = jv_get(candidate, "finishReason");
	if (jv_u64(jv_get(candidate, "index"), 0) != 0)
		return; // one was asked for
	g->candidate = true;
	struct jv parts = jv_get2(candidate, "content", "parts");
	while (jv_each(parts, &it, &part))
		take_part(d, g, part, out);
	if (!jv_is(reason, JV_STRING))
		return;
	take_reason(d, g, reason);
	if (jv_copy(jv_get(candidate, "finishMessage"), g->message, sizeof g->message) != 0)
		g->message[0] = '\0';
}

static void
take_response(struct dialect *d, struct generate *g, struct jv root, struct buf *out)
{
	struct jv_iter it = {0};
	struct jv candidate, id = jv_get(root, "responseId");
	struct jv blocked = jv_get2(root, "promptFeedback", "blockReason");
	char text[128];
	if (!g->identified && jv_copy(id, text, sizeof text) == 0 && text[0] != '\0') {
		chat_out_id(&g->out, view_of(text));
		g->identified = true;
	}
	struct jv candidates = jv_get(root, "candidates");
	while (jv_each(candidates, &it, &candidate))
		take_candidate(d, g, candidate, out);
	if (jv_is(blocked, JV_STRING)) {
		take_reason(d, g, blocked);
		g->blocked = true;
	}
	take_usage(d, jv_get(root, "usageMetadata"));
}

// --- the end -----------------------------------------------------------------------------

static bool
one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, list[i]) == 0)
			return true;
	return false;
}

static const char *
openai_reason(const struct generate *g)
{
	static const char *const filtered[] = {"SAFETY", "RECITATION", "BLOCKLIST",
	    "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
	    "IMAGE_RECITATION", "LANGUAGE"};
	if (g->blocked || one_of(g->reason, filtered, ARRAY_LEN(filtered)))
		return "content_filter";
	return strcmp(g->reason, "MAX_TOKENS") == 0 ? "length" : "stop";
}

// The model broke down before it said anything: no answer, another attempt may serve.
static bool
broke_down(struct dialect *d, const struct generate *g)
{
	static const char *const broken[] = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",
	    "TOO_MANY_TOOL_CALLS", "OTHER", "NO_IMAGE", "IMAGE_OTHER"};
	if (g->blocked || d->has_content || !one_of(g->reason, broken, ARRAY_LEN(broken)))
		return false;
	fail(
	    d, g->reason, g->message[0] != '\0' ? g->message : "the model ended without an answer");
	return true;
}

static void
finish(struct dialect *d, struct generate *g, struct buf *out)
{
	chat_out_finish(&g->out, openai_reason(g), g->reason, out);
	d->end = DIALECT_COMPLETE;
}

static bool
generate_answer(struct dialect *d, struct view body, struct buf *out)
{
	struct generate *g = d->state;
	if (jv_check(body, NULL) != JV_OK)
		return false;
	struct jv root = jv_root(body);
	if (failed(d, root) || !jv_is(root, JV_OBJECT))
		return false;
	take_response(d, g, root, out);
	if ((!g->candidate && !g->blocked) || broke_down(d, g))
		return false;
	finish(d, g, out);
	return true;
}

static void
generate_event(
    struct dialect *d, struct view type, struct view data, bool is_error, struct buf *out)
{
	struct generate *g = d->state;
	(void)type; // Gemini names no events
	if (d->end != DIALECT_OPEN)
		return;
	if (jv_check(data, NULL) != JV_OK) {
		fail(d, "INTERNAL", "a chunk of the stream is not JSON");
		return;
	}
	struct jv root = jv_root(data);
	if (failed(d, root))
		return;
	if (is_error)
		fail(d, "INTERNAL", "the provider ended the stream");
	else
		take_response(d, g, root, out);
}

// More parts can follow a finish reason, so the closing chunks wait for the end.
static void
generate_finish(struct dialect *d, struct buf *out)
{
	struct generate *g = d->state;
	if (d->end == DIALECT_OPEN && g->ended && !broke_down(d, g))
		finish(d, g, out);
}

const struct dialect_side dialect_side_chat_generate = {
    .request = generate_request,
    .answer = generate_answer,
    .event = generate_event,
    .finish = generate_finish,
    .free = generate_free,
};
