// SPDX-License-Identifier: Apache-2.0
// Anthropic Messages to Claude where somebody else serves it: Bedrock InvokeModel (and
// its stream) and Vertex AI rawPredict, and the two ways to count tokens there. Answers
// pass as they are; a Bedrock stream is unwrapped.
//
// Sources: Amazon Bedrock user guide, "Anthropic Claude Messages API" and API reference,
// "CountTokens"; Vertex AI, "Claude request predictions" and "Count tokens". Pure.
#include "dialect/messages_claude.h"
#include "dialect/b64.h"

#include <string.h>

#define METRICS MESSAGES_CLAUDE_METRICS

// --- answers ------------------------------------------------------------------------

// Counts only grow: a later event that says 0 does not know.
static void
take(uint64_t *to, struct jv v)
{
	uint64_t n = jv_u64(v, 0);
	if (n > 0)
		*to = n;
}

static void
read_usage(struct dialect *d, struct jv u)
{
	take(&d->usage.input, jv_get(u, "input_tokens"));
	take(&d->usage.cache_read, jv_get(u, "cache_read_input_tokens"));
	take(&d->usage.cache_write, jv_get(u, "cache_creation_input_tokens"));
	take(&d->usage.output, jv_get(u, "output_tokens"));
	take(&d->usage.reasoning, jv_get2(u, "output_tokens_details", "thinking_tokens"));
}

// Bedrock's own count at the end; only where the events gave none.
static void
read_metrics(struct dialect *d, struct jv m)
{
	if (d->usage.input + d->usage.cache_read + d->usage.cache_write == 0) {
		take(&d->usage.input, jv_get(m, "inputTokenCount"));
		take(&d->usage.cache_read, jv_get(m, "cacheReadInputTokenCount"));
		take(&d->usage.cache_write, jv_get(m, "cacheWriteInputTokenCount"));
	}
	if (d->usage.output == 0)
		take(&d->usage.output, jv_get(m, "outputTokenCount"));
}

// An error of Anthropic's or of Google's form.
static void
fail_with(struct dialect *d, struct jv error)
{
	char type[64] = "api_error", message[512] = "";
	if (jv_copy(jv_get(error, "type"), type, sizeof type) != 0 &&
	    jv_copy(jv_get(error, "status"), type, sizeof type) != 0)
		memcpy(type, "api_error", sizeof "api_error");
	if (jv_copy(jv_get(error, "message"), message, sizeof message) != 0)
		memcpy(message, "the provider reported an error",
		    sizeof "the provider reported an error");
	side_fail(d, view_of(type), view_of(message));
	d->end = DIALECT_FAILED;
}

static void
fail_text(struct dialect *d, const char *type, const char *message)
{
	side_fail(d, view_of(type), view_of(message));
	d->end = DIALECT_FAILED;
}

static bool
checked(struct view text, struct jv *root_r)
{
	if (jv_check(text, NULL) != JV_OK)
		return false;
	*root_r = jv_root(text);
	return jv_is(*root_r, JV_OBJECT);
}

static bool
claude_answer(struct dialect *d, struct view body, struct buf *out)
{
	struct jv root;
	if (!checked(body, &root))
		return false;
	if (jv_is(jv_get(root, "error"), JV_OBJECT)) {
		fail_with(d, jv_get(root, "error"));
		return false;
	}
	if (!jv_is(jv_get(root, "content"), JV_ARRAY))
		return false;
	read_usage(d, jv_get(root, "usage"));
	side_stop(d, jv_get(root, "stop_reason"));
	buf_view(out, body);
	d->has_content = true;
	d->end = DIALECT_COMPLETE;
	return true;
}

static bool
count_answer(struct dialect *d, struct view body, struct buf *out)
{
	struct jv root;
	if (!checked(body, &root))
		return false;
	if (jv_is(jv_get(root, "error"), JV_OBJECT)) {
		fail_with(d, jv_get(root, "error"));
		return false;
	}
	const char *name = messages_claude_on_bedrock(d) ? "inputTokens" : "input_tokens";
	uint64_t n = jv_u64(jv_get(root, name), UINT64_MAX);
	if (n == UINT64_MAX)
		return false;
	if (messages_claude_on_bedrock(d))
		buf_fmt(out, "{\"input_tokens\":%llu}", (unsigned long long)n);
	else
		buf_view(out, body);
	d->has_content = true;
	d->end = DIALECT_COMPLETE;
	return true;
}

// --- streams ------------------------------------------------------------------------

// An exception of the event stream, or an SSE error: {"message": ...} or bare text.
static void
fail_event(struct dialect *d, struct view type, struct view data)
{
	struct jv root = {{NULL, 0}};
	char message[512];
	if (checked(data, &root) && jv_is(jv_get(root, "error"), JV_OBJECT)) {
		fail_with(d, jv_get(root, "error"));
		return;
	}
	if (jv_copy(jv_get(root, "message"), message, sizeof message) != 0 &&
	    jv_copy(jv_get(root, "Message"), message, sizeof message) != 0 &&
	    (data.len == 0 || root.text.p != NULL || view_copy(data, message, sizeof message) != 0))
		memcpy(message, "the provider ended the stream",
		    sizeof "the provider ended the stream");
	side_fail(d, type, view_of(message));
	d->end = DIALECT_FAILED;
}

// One line: white space between tokens may hold line breaks, strings cannot.
static void
put_line(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.len; i++)
		buf_char(out, text.p[i] == '\n' || text.p[i] == '\r' ? ' ' : text.p[i]);
}

static void
put_as_written(struct buf *out, struct view name, struct jv v)
{
	jv_put_comma(out);
	buf_char(out, '"');
	buf_view(out, name);
	buf_str(out, "\":");
	jv_put_raw(out, v);
}

static void
put_event(struct buf *out, const char *type, struct jv root)
{
	struct jv_iter it = {0};
	struct view name;
	struct jv v;
	buf_fmt(out, "event: %s\ndata: ", type);
	if (jv_type(jv_get(root, METRICS)) == JV_NONE) {
		if (memchr(root.text.p, '\n', root.text.len) == NULL &&
		    memchr(root.text.p, '\r', root.text.len) == NULL)
			buf_view(out, root.text);
		else
			put_line(out, root.text);
	} else {
		struct buf b;
		buf_init(&b, root.text.len + 2);
		buf_char(&b, '{');
		while (jv_member(root, &it, &name, &v))
			if (!jv_name_eq(name, METRICS))
				put_as_written(&b, name, v);
		buf_char(&b, '}');
		put_line(out, buf_done(&b));
		buf_free(&b);
	}
	buf_str(out, "\n\n");
}

static bool
event_name_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz_");
	return n > 0 && s[n] == '\0';
}

// One Anthropic event: remembered, then written as the client expects it.
static void
pass_event(struct dialect *d, struct view text, struct buf *out)
{
	struct jv root;
	char type[64];
	if (!checked(text, &root)) {
		fail_text(d, "api_error", "an event of the stream is not JSON");
		return;
	}
	if (jv_copy(jv_get(root, "type"), type, sizeof type) != 0 || !event_name_ok(type)) {
		if (jv_is(jv_get(root, "error"), JV_OBJECT))
			fail_with(d, jv_get(root, "error"));
		return; // no event of this API
	}
	if (strcmp(type, "error") == 0) {
		fail_with(d, jv_get(root, "error"));
		return;
	}
	if (strcmp(type, "message_start") == 0) {
		read_usage(d, jv_get2(root, "message", "usage"));
	} else if (strcmp(type, "message_delta") == 0) {
		read_usage(d, jv_get(root, "usage"));
		side_stop(d, jv_get2(root, "delta", "stop_reason"));
	} else if (strncmp(type, "content_block_", 14) == 0) {
		d->has_content = true;
	} else if (strcmp(type, "message_stop") == 0) {
		read_metrics(d, jv_get(root, METRICS));
		d->end = DIALECT_COMPLETE;
	}
	put_event(out, type, root);
}

// {"bytes":"<base64 of one event>","p":"<padding>"}
static void
unwrap_chunk(struct dialect *d, struct view data, struct buf *out)
{
	struct jv root;
	struct buf text, event;
	buf_init(&text, data.len + 1);
	buf_init(&event, data.len + 4);
	if (checked(data, &root))
		jv_decode(jv_get(root, "bytes"), &text);
	if (text.len == 0 || !b64_take(&event, buf_done(&text)))
		fail_text(d, "api_error", "a chunk of the stream is not base64");
	else
		pass_event(d, buf_done(&event), out);
	buf_free(&text);
	buf_free(&event);
}

static void
claude_event(struct dialect *d, struct view type, struct view data, bool is_error, struct buf *out)
{
	if (d->end != DIALECT_OPEN)
		return;
	if (is_error)
		fail_event(d, type, data);
	else if (!messages_claude_on_bedrock(d))
		pass_event(d, data, out);
	else if (view_eq_str(type, "chunk"))
		unwrap_chunk(d, data, out);
}

static void
claude_finish(struct dialect *d, struct buf *out)
{
	(void)d; // message_stop has decided
	(void)out;
}

// --- counting -----------------------------------------------------------------------

static bool
count_request(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	if (!messages_claude_on_bedrock(d))
		return messages_claude_request(d, out, f);
	struct buf inner;
	buf_init(&inner, out->max);
	bool ok = messages_claude_request(d, &inner, f);
	if (ok) {
		buf_str(out, "{\"input\":{\"invokeModel\":{\"body\":\"");
		b64_put(out, buf_done(&inner));
		buf_str(out, "\"}}}");
		out->failed = out->failed || inner.failed;
	}
	buf_free(&inner);
	return ok;
}

const struct dialect_side dialect_side_messages_claude = {
    .request = messages_claude_request,
    .answer = claude_answer,
    .event = claude_event,
    .finish = claude_finish,
};

const struct dialect_side dialect_side_count = {
    .request = count_request,
    .answer = count_answer,
};
