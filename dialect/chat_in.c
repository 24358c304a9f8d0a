// SPDX-License-Identifier: Apache-2.0
// Reading an OpenAI chat completion request: the outer object and its parameters. The
// messages are read in chat_turns.c, tools in chat_tools.c. Pure; heap only.
#include "dialect/chat_in.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/chat_read.h"

// --- shared by the reader's files --------------------------------------------------

void *
chat_read_grow(void *array, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0) // 0 and powers of two are full
		return array;
	return base_realloc(array, (count == 0 ? 1 : 2 * count) * size);
}

struct buf *
chat_read_chunk(struct chat *c)
{
	c->texts = chat_read_grow(c->texts, c->texts_count, sizeof(*c->texts));
	struct buf *b = &c->texts[c->texts_count++];
	buf_init(b, SIZE_MAX); // never more than a few times the body
	return b;
}

struct view
chat_read_text(struct chat *c, struct jv string)
{
	if (!jv_is(string, JV_STRING))
		return (struct view){0};
	struct view raw = {string.text.p + 1, string.text.len - 2};
	if (memchr(raw.p, '\\', raw.len) == NULL)
		return raw;
	struct buf *b = chat_read_chunk(c);
	jv_decode(string, b);
	return buf_done(b);
}

bool
chat_read_blank(struct view t)
{
	for (size_t i = 0; i < t.len; i++)
		if (strchr(" \t\n\r\f\v", t.p[i]) == NULL || t.p[i] == '\0')
			return false;
	return true;
}

bool
chat_read_fault(struct chat_reader *r, const char *code, const char *suffix, const char *fmt, ...)
{
	char param[64], message[256];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	(void)snprintf(param, sizeof(param), "%s%s", r->where, suffix);
	return side_fault(r->f, code, param, "%s", message);
}

bool
chat_read_room(struct chat_reader *r)
{
	if (r->pieces++ < CHAT_PARTS_MAX)
		return true;
	return side_fault(r->f, "invalid_value", "messages",
	    "At most %u content parts and tool calls in all messages.", CHAT_PARTS_MAX);
}

bool
chat_read_members(struct jv object, const struct chat_field *field, size_t count, void *into,
    bool (*other)(void *cookie, struct view name, struct jv value), void *cookie)
{
	struct jv_iter it = {0};
	struct view name;
	struct jv value;
	while (jv_member(object, &it, &name, &value)) {
		size_t i = 0;
		while (i < count && !jv_name_eq(name, field[i].name))
			i++;
		if (jv_is(value, JV_NULL))
			value = (struct jv){0};
		if (i < count)
			memcpy((char *)into + field[i].at, &value, sizeof(value));
		else if (other != NULL && !other(cookie, name, value))
			return false;
	}
	return true;
}

// --- parameters --------------------------------------------------------------------

struct outer {
	struct jv model, messages, n, max_completion_tokens, max_tokens, parallel, format, effort,
	    stop, stream, stream_options, user, safety, tier, modalities;
	struct chat_tools tools;
	struct jv temperature, top_p, top_k, seed, presence_penalty, frequency_penalty;
};

static const struct chat_field outer_fields[] = {
    {"model", offsetof(struct outer, model)},
    {"messages", offsetof(struct outer, messages)},
    {"n", offsetof(struct outer, n)},
    {"max_completion_tokens", offsetof(struct outer, max_completion_tokens)},
    {"max_tokens", offsetof(struct outer, max_tokens)},
    {"parallel_tool_calls", offsetof(struct outer, parallel)},
    {"response_format", offsetof(struct outer, format)},
    {"reasoning_effort", offsetof(struct outer, effort)},
    {"stop", offsetof(struct outer, stop)},
    {"stream", offsetof(struct outer, stream)},
    {"stream_options", offsetof(struct outer, stream_options)},
    {"user", offsetof(struct outer, user)},
    {"safety_identifier", offsetof(struct outer, safety)},
    {"service_tier", offsetof(struct outer, tier)},
    {"modalities", offsetof(struct outer, modalities)},
    {"tools", offsetof(struct outer, tools.tools)},
    {"tool_choice", offsetof(struct outer, tools.tool_choice)},
    {"functions", offsetof(struct outer, tools.functions)},
    {"function_call", offsetof(struct outer, tools.function_call)},
    {"temperature", offsetof(struct outer, temperature)},
    {"top_p", offsetof(struct outer, top_p)},
    {"top_k", offsetof(struct outer, top_k)},
    {"seed", offsetof(struct outer, seed)},
    {"presence_penalty", offsetof(struct outer, presence_penalty)},
    {"frequency_penalty", offsetof(struct outer, frequency_penalty)},
};

// A parameter that no target takes. false and null ask for nothing.
static bool
unknown(void *cookie, struct view name, struct jv value)
{
	struct chat_reader *r = cookie;
	char param[64];
	if (jv_is(value, JV_NONE) || jv_is(value, JV_FALSE))
		return true;
	if (view_copy(name, param, sizeof(param)) != 0)
		param[0] = '\0';
	return side_drop(r->d, param, r->f);
}

static bool
numbers(struct chat_reader *r, const struct outer *o)
{
	const struct {
		const char *name;
		struct jv value;
		struct jv *to;
	} list[] = {
	    {"temperature", o->temperature, &r->c->temperature},
	    {"top_p", o->top_p, &r->c->top_p},
	    {"top_k", o->top_k, &r->c->top_k},
	    {"seed", o->seed, &r->c->seed},
	    {"presence_penalty", o->presence_penalty, &r->c->presence_penalty},
	    {"frequency_penalty", o->frequency_penalty, &r->c->frequency_penalty},
	};
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		if (!jv_is(list[i].value, JV_NONE) && !jv_is(list[i].value, JV_NUMBER_T))
			return side_fault(r->f, "invalid_value", list[i].name,
			    "%s has to be a number.", list[i].name);
		*list[i].to = list[i].value;
	}
	return true;
}

static bool
limits(struct chat_reader *r, const struct outer *o)
{
	bool newer = !jv_is(o->max_completion_tokens, JV_NONE);
	struct jv max = newer ? o->max_completion_tokens : o->max_tokens;
	if (!jv_is(max, JV_NONE)) {
		r->c->max_tokens = jv_u64(max, 0);
		if (r->c->max_tokens == 0)
			return side_fault(r->f, "invalid_value",
			    newer ? "max_completion_tokens" : "max_tokens",
			    "The token limit has to be a positive integer.");
	}
	if (!jv_is(o->n, JV_NONE) && jv_u64(o->n, 0) != 1)
		return side_fault(r->f, "unsupported_parameter", "n",
		    "This model gives one answer to a request: leave n out or set it to 1.");
	struct jv_iter it = {0};
	struct jv e;
	while (jv_each(o->modalities, &it, &e))
		if (!jv_eq(e, "text") && !side_drop(r->d, "modalities", r->f))
			return false;
	return true;
}

static bool
stops(struct chat_reader *r, struct jv stop)
{
	struct chat *c = r->c;
	struct jv_iter it = {0};
	struct jv e = stop;
	c->stop = stop;
	if (jv_is(stop, JV_NONE))
		return true;
	if (!jv_is(stop, JV_STRING) && !jv_is(stop, JV_ARRAY))
		return side_fault(
		    r->f, "invalid_value", "stop", "stop is a string or an array of strings.");
	while (jv_is(stop, JV_STRING) || jv_each(stop, &it, &e)) {
		if (!jv_is(e, JV_STRING))
			return side_fault(r->f, "invalid_value", "stop",
			    "stop is a string or an array of strings.");
		if (!jv_blank(e)) {
			if (c->stop_count == ARRAY_LEN(c->stop_text))
				return side_fault(r->f, "invalid_value", "stop",
				    "At most %zu stop sequences.", ARRAY_LEN(c->stop_text));
			c->stop_text[c->stop_count++] = chat_read_text(c, e);
		}
		if (jv_is(stop, JV_STRING))
			break;
	}
	return true;
}

static bool
effort(struct chat_reader *r, struct jv v)
{
	static const char *const word[] = {
	    "none", "minimal", "low", "medium", "high", "xhigh", "max"};
	if (jv_is(v, JV_NONE))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(word); i++) {
		if (jv_eq(v, word[i])) {
			r->c->effort = (enum chat_effort)(EFFORT_NONE + i);
			return true;
		}
	}
	return side_fault(r->f, "invalid_value", "reasoning_effort",
	    "reasoning_effort is one of none, minimal, low, medium, high, xhigh, max.");
}

static bool
format(struct chat_reader *r, struct jv v)
{
	struct chat *c = r->c;
	struct jv type = jv_get(v, "type");
	if (jv_is(v, JV_NONE) || jv_eq(type, "text"))
		return true;
	if (jv_eq(type, "json_object")) {
		c->format = FORMAT_JSON;
		return true;
	}
	if (!jv_eq(type, "json_schema"))
		return side_fault(r->f, "invalid_value", "response_format",
		    "response_format.type is text, json_object or json_schema.");
	struct jv schema = jv_get2(v, "json_schema", "schema");
	if (!jv_is(schema, JV_OBJECT))
		return side_fault(r->f, "invalid_value", "response_format.json_schema.schema",
		    "The schema has to be an object.");
	c->format = FORMAT_SCHEMA;
	c->schema = schema;
	c->schema_name = chat_read_text(c, jv_get2(v, "json_schema", "name"));
	return true;
}

// A look-up walks over all members before it, so the long ones stay out.
static void
read_rest(struct chat *c, struct jv root)
{
	static const char *const without[] = {"messages", "tools", "functions"};
	struct jv_iter it = {0};
	struct view name;
	struct jv value;
	struct buf *b = chat_read_chunk(c);
	buf_char(b, '{');
	while (jv_member(root, &it, &name, &value)) {
		size_t i = 0;
		while (i < ARRAY_LEN(without) && !jv_name_eq(name, without[i]))
			i++;
		if (i < ARRAY_LEN(without))
			continue;
		jv_put_comma(b);
		buf_char(b, '"');
		buf_view(b, name); // still escaped
		buf_str(b, "\":");
		buf_view(b, value.text);
	}
	buf_char(b, '}');
	c->rest = jv_root(buf_done(b));
}

static bool
read_all(struct chat_reader *r)
{
	struct chat *c = r->c;
	struct outer o = {0};
	struct jv root = jv_root(r->d->r.body);
	if (!jv_is(root, JV_OBJECT))
		return side_fault(
		    r->f, "invalid_value", "", "The request has to be a JSON object.");
	read_rest(c, root);
	if (!chat_read_members(root, outer_fields, ARRAY_LEN(outer_fields), &o, unknown, r) ||
	    !numbers(r, &o) || !limits(r, &o) || !stops(r, o.stop) || !effort(r, o.effort) ||
	    !format(r, o.format))
		return false;
	c->messages = o.messages;
	c->parallel_off = jv_is(o.parallel, JV_FALSE);
	c->stream = jv_truth(o.stream);
	c->include_usage = jv_truth(jv_get(o.stream_options, "include_usage"));
	c->user = chat_read_text(c, jv_is(o.safety, JV_NONE) ? o.user : o.safety);
	c->service_tier = chat_read_text(c, o.tier);
	return chat_read_tools(r, &o.tools) && chat_read_messages(r, o.messages);
}

bool
chat_in_read(struct dialect *d, struct chat *c, struct dialect_fault *f)
{
	struct chat_reader r = {.d = d, .c = c, .f = f};
	*c = (struct chat){0};
	bool ok = read_all(&r);
	free(r.call);
	if (!ok)
		chat_in_free(c);
	return ok;
}

void
chat_in_free(struct chat *c)
{
	for (size_t i = 0; i < c->texts_count; i++)
		buf_free(&c->texts[i]);
	free(c->texts);
	free(c->part);
	free(c->extra);
	free(c->turn);
	free(c->system);
	free(c->tool);
	*c = (struct chat){0};
}
