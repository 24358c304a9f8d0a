// SPDX-License-Identifier: Apache-2.0
// Writer of chat completion answers, whole and as chunks. Pure: appends to buffers.
#include "dialect/chat_out.h"

#include <string.h>

// As much as an answer may have; one that is larger fails.
#define COLLECT_MAX ((size_t)64 << 20)

static void
copy_clipped(char *dst, size_t size, struct view v)
{
	size_t n = mp_utf8_cut(v, size - 1);
	if (n > 0)
		memcpy(dst, v.p, n);
	dst[n] = '\0';
}

void
chat_out_init(struct chat_out *o, struct dialect *d, bool include_usage)
{
	*o = (struct chat_out){.d = d, .include_usage = include_usage, .stream = d->r.stream};
	buf_init(&o->content, COLLECT_MAX);
	buf_init(&o->reasoning, COLLECT_MAX);
	buf_init(&o->calls, COLLECT_MAX);
	buf_init(&o->details, COLLECT_MAX);
	buf_init(&o->head, COLLECT_MAX);
	chat_out_id(o, VIEW(""));
	chat_out_model(o, VIEW(""));
}

void
chat_out_free(struct chat_out *o)
{
	buf_free(&o->content);
	buf_free(&o->reasoning);
	buf_free(&o->calls);
	buf_free(&o->details);
	buf_free(&o->head);
}

void
chat_out_id(struct chat_out *o, struct view id)
{
	if (o->begun)
		return;
	if (id.len > 0) {
		copy_clipped(o->id, sizeof(o->id), id);
		return;
	}
	static const char prefix[] = "chatcmpl-";
	memcpy(o->id, prefix, sizeof(prefix));
	copy_clipped(
	    o->id + sizeof(prefix) - 1, sizeof(o->id) - sizeof(prefix) + 1, view_of(o->d->r.id));
}

void
chat_out_model(struct chat_out *o, struct view model)
{
	if (!o->begun)
		copy_clipped(
		    o->model, sizeof(o->model), model.len > 0 ? model : o->d->r.model.asked);
}

static void
put_identity(struct chat_out *o, const char *object, struct buf *out)
{
	buf_str(out, "{\"id\":");
	jv_put_string(out, view_of(o->id));
	buf_str(out, ",\"object\":\"");
	buf_str(out, object);
	buf_str(out, "\",\"created\":");
	buf_uint(out, o->d->r.now_s);
	buf_str(out, ",\"model\":");
	jv_put_string(out, view_of(o->model));
	buf_str(out, ",\"choices\":[");
}

// A chunk of one delta: between the two, the caller writes the delta's members.
static void
chunk_open(struct chat_out *o, struct buf *out)
{
	buf_view(out, buf_done(&o->head));
}

static void
chunk_close(struct chat_out *o, struct buf *out)
{
	buf_str(out, "},\"logprobs\":null,\"finish_reason\":null}]");
	buf_str(out, o->include_usage ? ",\"usage\":null}\n\n" : "}\n\n");
}

void
chat_out_begin(struct chat_out *o, struct buf *out)
{
	if (o->begun)
		return;
	o->begun = true;
	if (!o->stream)
		return;
	buf_str(&o->head, "data: ");
	put_identity(o, "chat.completion.chunk", &o->head);
	buf_str(&o->head, "{\"index\":0,\"delta\":{");
	chunk_open(o, out);
	buf_str(out, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
	chunk_close(o, out);
}

static void
begin_content(struct chat_out *o, struct buf *out)
{
	chat_out_begin(o, out);
	o->d->has_content = true;
}

static void
put_delta_text(struct chat_out *o, const char *member, struct view text, struct buf *out)
{
	chunk_open(o, out);
	buf_str(out, member);
	jv_put_escaped(out, text);
	buf_char(out, '"');
	chunk_close(o, out);
}

void
chat_out_text(struct chat_out *o, struct view text, struct buf *out)
{
	if (text.len == 0)
		return;
	begin_content(o, out);
	o->has_content = true;
	if (o->stream)
		put_delta_text(o, "\"content\":\"", text, out);
	else
		jv_put_escaped(&o->content, text);
}

void
chat_out_reasoning(struct chat_out *o, struct view text, struct buf *out)
{
	if (text.len == 0)
		return;
	begin_content(o, out);
	o->has_reasoning = true;
	if (o->stream)
		put_delta_text(o, "\"reasoning_content\":\"", text, out);
	else
		jv_put_escaped(&o->reasoning, text);
}

void
chat_out_detail(struct chat_out *o, struct view json_object, struct buf *out)
{
	begin_content(o, out);
	if (!o->stream) {
		if (o->details.len > 0)
			buf_char(&o->details, ',');
		buf_view(&o->details, json_object);
		return;
	}
	chunk_open(o, out);
	buf_str(out, "\"reasoning_details\":[");
	buf_view(out, json_object);
	buf_char(out, ']');
	chunk_close(o, out);
}

// The first members of a call, up to its arguments' opening quote.
static void
put_call(struct chat_out *o, struct view id, struct view name, struct view extra, struct buf *b)
{
	buf_str(b, "\"id\":");
	if (id.len > 0) {
		jv_put_string(b, id);
	} else {
		buf_str(b, "\"call_");
		jv_put_escaped(b, view_of(o->d->r.id));
		buf_fmt(b, "_%zu\"", o->tools);
	}
	buf_str(b, ",\"type\":\"function\"");
	if (extra.len > 0) {
		buf_str(b, ",\"extra_content\":");
		buf_view(b, extra);
	}
	buf_str(b, ",\"function\":{\"name\":");
	jv_put_string(b, name);
	buf_str(b, ",\"arguments\":\"");
}

void
chat_out_call(
    struct chat_out *o, struct view id, struct view name, struct view extra, struct buf *out)
{
	chat_out_call_end(o, out);
	begin_content(o, out);
	if (o->stream) {
		chunk_open(o, out);
		buf_fmt(out, "\"tool_calls\":[{\"index\":%zu,", o->tools);
		put_call(o, id, name, extra, out);
		buf_str(out, "\"}}]");
		chunk_close(o, out);
	} else {
		buf_str(&o->calls, o->calls.len > 0 ? ",{" : "{");
		put_call(o, id, name, extra, &o->calls);
	}
	o->tools++;
	o->tool_open = true;
	o->tool_has_arguments = false;
}

void
chat_out_arguments(struct chat_out *o, struct view json_text, struct buf *out)
{
	if (json_text.len == 0 || !o->tool_open)
		return;
	o->tool_has_arguments = true;
	if (!o->stream) {
		jv_put_escaped(&o->calls, json_text);
		return;
	}
	chunk_open(o, out);
	buf_fmt(out, "\"tool_calls\":[{\"index\":%zu,\"function\":{\"arguments\":\"", o->tools - 1);
	jv_put_escaped(out, json_text);
	buf_str(out, "\"}}]");
	chunk_close(o, out);
}

void
chat_out_call_end(struct chat_out *o, struct buf *out)
{
	if (!o->tool_open)
		return;
	if (!o->tool_has_arguments)
		chat_out_arguments(o, VIEW("{}"), out);
	o->tool_open = false;
	if (!o->stream)
		buf_str(&o->calls, "\"}}");
}

static uint64_t
sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b; // a provider may claim anything
}

static void
put_usage(const struct dialect_usage *u, struct buf *out)
{
	uint64_t prompt = sum(sum(u->input, u->cache_read), u->cache_write);
	buf_str(out, "\"usage\":{\"prompt_tokens\":");
	buf_uint(out, prompt);
	buf_str(out, ",\"completion_tokens\":");
	buf_uint(out, u->output);
	buf_str(out, ",\"total_tokens\":");
	buf_uint(out, sum(prompt, u->output));
	buf_str(out, ",\"prompt_tokens_details\":{\"cached_tokens\":");
	buf_uint(out, u->cache_read);
	buf_str(out, ",\"cache_write_tokens\":");
	buf_uint(out, u->cache_write);
	buf_char(out, '}');
	if (u->reasoning > 0) {
		buf_str(out, ",\"completion_tokens_details\":{\"reasoning_tokens\":");
		buf_uint(out, u->reasoning);
		buf_char(out, '}');
	}
	buf_char(out, '}');
}

static void
put_reason(const char *reason, const char *native, struct buf *out)
{
	buf_str(out, "\"logprobs\":null,\"finish_reason\":\"");
	buf_str(out, reason);
	buf_char(out, '"');
	if (native != NULL && native[0] != '\0') {
		buf_str(out, ",\"native_finish_reason\":");
		jv_put_string(out, view_of(native));
	}
	buf_str(out, "}]");
}

static void
finish_stream(struct chat_out *o, const char *reason, const char *native, struct buf *out)
{
	bool usage = o->include_usage && !o->no_usage;
	chunk_open(o, out);
	buf_str(out, "},");
	put_reason(reason, native, out);
	buf_str(out, o->include_usage ? ",\"usage\":null}\n\n" : "}\n\n");
	if (usage) {
		buf_str(out, "data: ");
		put_identity(o, "chat.completion.chunk", out);
		buf_str(out, "],");
		put_usage(&o->d->usage, out);
		buf_str(out, "}\n\n");
	}
	buf_str(out, "data: [DONE]\n\n");
}

static void
put_collected(struct buf *out, const char *open, const struct buf *b, const char *close)
{
	buf_str(out, open);
	buf_view(out, buf_done(b));
	buf_str(out, close);
}

static void
finish_whole(struct chat_out *o, const char *reason, const char *native, struct buf *out)
{
	put_identity(o, "chat.completion", out);
	buf_str(out, "{\"index\":0,\"message\":{\"role\":\"assistant\",");
	if (o->has_content)
		put_collected(out, "\"content\":\"", &o->content, "\"");
	else
		buf_str(out, "\"content\":null");
	buf_str(out, ",\"refusal\":null");
	if (o->has_reasoning)
		put_collected(out, ",\"reasoning_content\":\"", &o->reasoning, "\"");
	if (o->details.len > 0)
		put_collected(out, ",\"reasoning_details\":[", &o->details, "]");
	if (o->tools > 0)
		put_collected(out, ",\"tool_calls\":[", &o->calls, "]");
	buf_str(out, "},");
	put_reason(reason, native, out);
	if (!o->no_usage) {
		buf_char(out, ',');
		put_usage(&o->d->usage, out);
	}
	buf_char(out, '}');
	if (o->content.failed || o->reasoning.failed || o->details.failed || o->calls.failed)
		out->failed = true;
}

void
chat_out_finish(struct chat_out *o, const char *reason, const char *native, struct buf *out)
{
	chat_out_begin(o, out);
	chat_out_call_end(o, out);
	if (o->tools > 0 && strcmp(reason, "stop") == 0)
		reason = "tool_calls";
	if (o->stream)
		finish_stream(o, reason, native, out);
	else
		finish_whole(o, reason, native, out);
}
