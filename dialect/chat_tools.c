// SPDX-License-Identifier: Apache-2.0
// Reading tools, the choice among them, and the calls in the history. The old forms
// (functions, function_call) are read as tools. Pure; heap only.
#include "dialect/chat_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOOL_NAME_MAX 1024U

// --- calls in the history ----------------------------------------------------------

static size_t
depth_of(struct view t)
{
	size_t depth = 0, max = 0;
	for (size_t i = 0; i < t.len; i++) {
		if (t.p[i] == '"') {
			for (i++; i < t.len && t.p[i] != '"'; i++)
				if (t.p[i] == '\\')
					i++;
		} else if (t.p[i] == '{' || t.p[i] == '[') {
			max = MAX(max, ++depth);
		} else if (t.p[i] == '}' || t.p[i] == ']') {
			depth--;
		}
	}
	return max;
}

bool
chat_read_arguments(
    struct chat_reader *r, struct jv string, const char *suffix, struct view *arguments_r)
{
	struct view text = chat_read_text(r->c, string);
	*arguments_r = VIEW("{}");
	if (chat_read_blank(text) && (jv_is(string, JV_STRING) || jv_is(string, JV_NONE)))
		return true;
	if (!jv_is(string, JV_STRING) || jv_check(text, NULL) != JV_OK ||
	    !jv_is(jv_root(text), JV_OBJECT) || depth_of(text) > CHAT_ARGUMENTS_DEPTH_MAX)
		return chat_read_fault(r, "invalid_value", suffix,
		    "The arguments have to be a string that holds a JSON object.");
	*arguments_r = jv_root(text).text;
	return true;
}

struct call {
	struct jv id, type, function, custom, extra;
};

static const struct chat_field call_fields[] = {
    {"id", offsetof(struct call, id)},
    {"type", offsetof(struct call, type)},
    {"function", offsetof(struct call, function)},
    {"custom", offsetof(struct call, custom)},
    {"extra_content", offsetof(struct call, extra)},
};

bool
chat_read_call(struct chat_reader *r, struct jv call, size_t index, struct chat_part *p)
{
	struct call m = {0};
	char suffix[64];
	if (!chat_read_room(r))
		return false;
	(void)chat_read_members(call, call_fields, ARRAY_LEN(call_fields), &m, NULL, NULL);
	bool custom = jv_eq(m.type, "custom") || jv_is(m.function, JV_NONE);
	struct jv body = custom ? m.custom : m.function;
	p->call_id = chat_read_text(r->c, m.id);
	p->name = chat_read_text(r->c, jv_get(body, "name"));
	struct jv google = jv_get(m.extra, "google");
	p->signature = chat_read_text(r->c, jv_get(google, "thought_signature"));
	if (p->call_id.len == 0 || p->name.len == 0 || p->name.len > TOOL_NAME_MAX) {
		(void)snprintf(suffix, sizeof(suffix), ".tool_calls[%zu]", index);
		return chat_read_fault(
		    r, "invalid_value", suffix, "A tool call needs an id and a function name.");
	}
	if (custom) {
		struct buf *b = chat_read_chunk(r->c);
		struct buf input;
		buf_init(&input, SIZE_MAX);
		jv_decode(jv_get(body, "input"), &input);
		buf_char(b, '{');
		jv_put_member_text(b, "input", buf_done(&input));
		buf_char(b, '}');
		buf_free(&input);
		p->arguments = buf_done(b);
		return true;
	}
	(void)snprintf(suffix, sizeof(suffix), ".tool_calls[%zu].function.arguments", index);
	return chat_read_arguments(r, jv_get(body, "arguments"), suffix, &p->arguments);
}

// --- tools -------------------------------------------------------------------------

static bool
tool_fault(struct chat_reader *r, const char *list, size_t index, const char *sentence)
{
	char param[64];
	(void)snprintf(param, sizeof(param), "%s[%zu]", list, index);
	return side_fault(r->f, "invalid_value", param, "%s", sentence);
}

struct function {
	struct jv name, description, parameters, strict;
};

static const struct chat_field function_fields[] = {
    {"name", offsetof(struct function, name)},
    {"description", offsetof(struct function, description)},
    {"parameters", offsetof(struct function, parameters)},
    {"strict", offsetof(struct function, strict)},
};

static bool
read_function(struct chat_reader *r, const char *list, size_t index, struct jv body, bool custom)
{
	struct chat *c = r->c;
	struct function m = {0};
	if (c->tool_count == CHAT_TOOLS_MAX)
		return side_fault(r->f, "invalid_value", list, "At most %u tools.", CHAT_TOOLS_MAX);
	(void)chat_read_members(body, function_fields, ARRAY_LEN(function_fields), &m, NULL, NULL);
	struct chat_tool t = {
	    .name = chat_read_text(c, m.name),
	    .description = chat_read_text(c, m.description),
	    .strict = jv_truth(m.strict),
	    .custom = custom,
	};
	if (!custom)
		t.parameters = m.parameters;
	if (t.name.len == 0 || t.name.len > TOOL_NAME_MAX)
		return tool_fault(r, list, index, "A tool needs a name.");
	if (!jv_is(t.parameters, JV_NONE) && !jv_is(t.parameters, JV_OBJECT))
		return tool_fault(r, list, index, "parameters has to be a JSON schema object.");
	c->tool = chat_read_grow(c->tool, c->tool_count, sizeof(*c->tool));
	c->tool[c->tool_count++] = t;
	return true;
}

static bool
read_list(struct chat_reader *r, const struct chat_tools *from)
{
	struct jv_iter it = {0};
	struct jv e;
	size_t i = 0;
	if (!jv_is(from->tools, JV_NONE) && !jv_is(from->tools, JV_ARRAY))
		return side_fault(r->f, "invalid_value", "tools", "tools has to be an array.");
	for (; jv_each(from->tools, &it, &e); i++) {
		struct jv type = jv_get(e, "type");
		bool custom = jv_eq(type, "custom");
		if (!custom && !jv_eq(type, "function"))
			return tool_fault(
			    r, "tools", i, "This model takes tools of type function or custom.");
		if (!read_function(
			r, "tools", i, jv_get(e, custom ? "custom" : "function"), custom))
			return false;
	}
	it = (struct jv_iter){0};
	for (i = 0; jv_each(from->functions, &it, &e); i++)
		if (!read_function(r, "functions", i, e, false))
			return false;
	return true;
}

// --- choice ------------------------------------------------------------------------

// A tool named in a choice: {"type":"function","function":{"name"}}, or the name beside type.
static struct view
named(struct chat *c, struct jv v)
{
	struct jv name =
	    jv_get(jv_get(v, jv_eq(jv_get(v, "type"), "custom") ? "custom" : "function"), "name");
	return chat_read_text(c, jv_is(name, JV_NONE) ? jv_get(v, "name") : name);
}

static bool
has_tool(const struct chat *c, struct view name)
{
	for (size_t i = 0; i < c->tool_count; i++)
		if (view_eq(c->tool[i].name, name))
			return true;
	return false;
}

// Leaves only the tools that the choice allows.
static bool
filter(struct chat_reader *r, struct jv allowed)
{
	struct chat *c = r->c;
	struct view name[CHAT_TOOLS_MAX];
	struct jv_iter it = {0};
	struct jv e;
	size_t n = 0, kept = 0;
	while (jv_each(allowed, &it, &e)) {
		if (n == CHAT_TOOLS_MAX)
			return side_fault(r->f, "invalid_value", "tool_choice.allowed_tools.tools",
			    "At most %u tools.", CHAT_TOOLS_MAX);
		name[n] = named(c, e);
		if (!has_tool(c, name[n++]))
			return side_fault(r->f, "invalid_value", "tool_choice.allowed_tools.tools",
			    "An allowed tool is not among the tools.");
	}
	for (size_t i = 0; i < c->tool_count; i++) {
		size_t j = 0;
		while (j < n && !view_eq(name[j], c->tool[i].name))
			j++;
		if (j < n)
			c->tool[kept++] = c->tool[i];
	}
	c->tool_count = kept;
	return true;
}

static bool
read_choice(struct chat_reader *r, struct jv v)
{
	struct chat *c = r->c;
	if (jv_eq(jv_get(v, "type"), "allowed_tools")) {
		struct jv list = jv_get(v, "allowed_tools");
		if (jv_is(list, JV_NONE))
			list = v;
		if (!filter(r, jv_get(list, "tools")))
			return false;
		v = jv_get(list, "mode");
	}
	if (jv_is(v, JV_NONE) || c->tool_count == 0)
		return true;
	if (jv_eq(v, "auto")) {
		c->choice = CHOICE_AUTO;
	} else if (jv_eq(v, "none")) {
		c->choice = CHOICE_NONE;
	} else if (jv_eq(v, "required")) {
		c->choice = CHOICE_REQUIRED;
	} else {
		c->choice = CHOICE_TOOL;
		c->choice_tool = named(c, v);
		if (!has_tool(c, c->choice_tool))
			return side_fault(r->f, "invalid_value", "tool_choice",
			    "tool_choice is none, auto, required, allowed_tools or a tool of this "
			    "request.");
	}
	return true;
}

bool
chat_read_tools(struct chat_reader *r, const struct chat_tools *from)
{
	bool old = jv_is(from->tool_choice, JV_NONE);
	return read_list(r, from) && read_choice(r, old ? from->function_call : from->tool_choice);
}
