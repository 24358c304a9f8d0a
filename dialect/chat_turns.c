// SPDX-License-Identifier: Apache-2.0
// Reading the message list of a chat request into turns that alternate and begin with the
// user. System texts go apart, tool results stand first in the turn that answers a round
// of calls, blank parts and empty messages are gone. Pure; heap only.
#include "dialect/chat_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
	struct jv role, content, refusal, tool_calls, function_call, tool_call_id, name;
	struct jv reasoning_content, reasoning; // two names for the same
	struct chat_reasoning back;
};

static const struct chat_field message_fields[] = {
    {"role", offsetof(struct message, role)},
    {"content", offsetof(struct message, content)},
    {"refusal", offsetof(struct message, refusal)},
    {"tool_calls", offsetof(struct message, tool_calls)},
    {"function_call", offsetof(struct message, function_call)},
    {"tool_call_id", offsetof(struct message, tool_call_id)},
    {"name", offsetof(struct message, name)},
    {"reasoning_content", offsetof(struct message, reasoning_content)},
    {"reasoning", offsetof(struct message, reasoning)},
    {"reasoning_details", offsetof(struct message, back.details)},
    {"thinking_blocks", offsetof(struct message, back.thinking_blocks)},
};

// --- turns -------------------------------------------------------------------------

static void
push_turn(struct chat *c, bool assistant)
{
	c->turn = chat_read_grow(c->turn, c->turn_count, sizeof(*c->turn));
	c->turn[c->turn_count++] =
	    (struct chat_turn){.assistant = assistant, .first = c->part_count};
}

static void
push_part(struct chat *c, const struct chat_part *p)
{
	c->part = chat_read_grow(c->part, c->part_count, sizeof(*c->part));
	c->part[c->part_count++] = *p;
	c->turn[c->turn_count - 1].count++;
}

// Appends to the turn of that side, which begins now unless it is the last one.
static void
add(struct chat_reader *r, bool assistant, const struct chat_part *p)
{
	struct chat *c = r->c;
	if (c->turn_count == 0 && assistant) { // the APIs want the user to begin
		push_turn(c, false);
		push_part(c, &(struct chat_part){.kind = CHAT_TEXT, .text = VIEW("...")});
	}
	if (c->turn_count == 0 || c->turn[c->turn_count - 1].assistant != assistant)
		push_turn(c, assistant);
	struct chat_part copy = *p;
	copy.message = r->message;
	push_part(c, &copy);
}

static void
add_assistant(struct chat_reader *r, const struct chat_part *p)
{
	add(r, true, p);
}

static void
add_text(struct chat_reader *r, bool assistant, struct jv string)
{
	struct chat_part p = {.kind = CHAT_TEXT, .text = chat_read_text(r->c, string)};
	if (!chat_read_blank(p.text))
		add(r, assistant, &p);
}

// Tool results before the rest, both in their order.
static void
results_first(struct chat *c, const struct chat_turn *t)
{
	size_t n = 0;
	struct chat_part *copy = base_calloc(t->count, sizeof(*copy));
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = t->first; i < t->first + t->count; i++)
			if ((c->part[i].kind == CHAT_TOOL_RESULT) == (pass == 0))
				copy[n++] = c->part[i];
	memcpy(c->part + t->first, copy, n * sizeof(*copy));
	free(copy);
}

// --- content -----------------------------------------------------------------------

static bool
content_fault(struct chat_reader *r)
{
	return chat_read_fault(
	    r, "invalid_value", ".content", "content is a string or an array of parts.");
}

static bool
read_content(struct chat_reader *r, bool assistant, struct jv content)
{
	struct jv_iter it = {0};
	struct jv e;
	if (jv_is(content, JV_STRING)) {
		add_text(r, assistant, content);
		return true;
	}
	if (!jv_is(content, JV_ARRAY))
		return jv_is(content, JV_NONE) && assistant ? true : content_fault(r);
	for (size_t i = 0; jv_each(content, &it, &e); i++) {
		struct chat_part p = {0};
		if (!chat_read_part(r, e, i, &p))
			return false;
		if (assistant && p.kind != CHAT_TEXT)
			return chat_read_fault(r, "invalid_value", ".content",
			    "An assistant message holds text and tool calls only.");
		if (p.kind == CHAT_TEXT && chat_read_blank(p.text))
			continue;
		add(r, assistant, &p);
	}
	return true;
}

static bool
read_system(struct chat_reader *r, struct jv content)
{
	struct chat *c = r->c;
	struct jv_iter it = {0};
	struct jv e = content;
	if (!jv_is(content, JV_STRING) && !jv_is(content, JV_ARRAY))
		return content_fault(r);
	for (size_t i = 0; jv_is(content, JV_STRING) || jv_each(content, &it, &e); i++) {
		struct chat_part p = {.kind = CHAT_TEXT};
		if (jv_is(content, JV_STRING))
			p.text = chat_read_text(c, content);
		else if (!chat_read_part(r, e, i, &p))
			return false;
		if (p.kind != CHAT_TEXT)
			return chat_read_fault(
			    r, "invalid_value", ".content", "A system message holds text only.");
		if (!chat_read_blank(p.text)) {
			c->system = chat_read_grow(c->system, c->system_count, sizeof(*c->system));
			c->system[c->system_count++] = p.text;
		}
		if (jv_is(content, JV_STRING))
			break;
	}
	return true;
}

static bool
read_assistant(struct chat_reader *r, struct message *m)
{
	struct chat *c = r->c;
	struct chat_turn *last = c->turn_count == 0 ? NULL : &c->turn[c->turn_count - 1];
	size_t parts = c->part_count, turns = c->turn_count, count = last == NULL ? 0 : last->count;
	m->back.content =
	    jv_is(m->reasoning_content, JV_NONE) ? m->reasoning : m->reasoning_content;
	if (!chat_read_reasoning(r, &m->back, add_assistant))
		return false;
	size_t thought = c->part_count;
	if (!read_content(r, true, m->content))
		return false;
	add_text(r, true, m->refusal);
	struct jv_iter it = {0};
	struct jv e;
	for (size_t i = 0; jv_each(m->tool_calls, &it, &e); i++) {
		struct chat_part p = {.kind = CHAT_TOOL_CALL};
		if (!chat_read_call(r, e, i, &p))
			return false;
		add(r, true, &p);
	}
	if (jv_is(m->function_call, JV_OBJECT)) {
		struct chat_part p = {.kind = CHAT_TOOL_CALL};
		struct buf *id = chat_read_chunk(c);
		buf_fmt(id, "call_function_%zu", r->message);
		p.call_id = r->legacy_id = buf_done(id);
		p.name = r->legacy_name = chat_read_text(c, jv_get(m->function_call, "name"));
		if (p.name.len == 0)
			return chat_read_fault(r, "invalid_value", ".function_call.name",
			    "The function needs a name.");
		if (!chat_read_arguments(r, jv_get(m->function_call, "arguments"),
			".function_call.arguments", &p.arguments))
			return false;
		add(r, true, &p);
	}
	if (c->part_count == thought && thought != parts) { // reasoning alone says nothing
		c->part_count = parts;
		c->turn_count = turns;
		if (turns != 0)
			c->turn[turns - 1].count = count;
	}
	return true;
}

// --- tool results ------------------------------------------------------------------

static int
by_id(const void *a, const void *b)
{
	struct view x = ((const struct chat_call *)a)->id, y = ((const struct chat_call *)b)->id;
	int order = memcmp(x.p, y.p, MIN(x.len, y.len));
	return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

// The call that a result answers: in the last assistant turn. Sorted once for each turn,
// since a long list of calls and of results must not cost their product.
static const struct chat_call *
find_call(struct chat_reader *r, struct view id)
{
	struct chat *c = r->c;
	size_t turn = id.len == 0 ? 0 : c->turn_count; // index + 1
	while (turn != 0 && !c->turn[turn - 1].assistant)
		turn--;
	if (turn == 0)
		return NULL;
	if (r->call_turn != turn) {
		const struct chat_turn *t = &c->turn[turn - 1];
		r->call = base_realloc(r->call, t->count * sizeof(*r->call));
		r->call_count = 0;
		for (size_t i = t->first; i < t->first + t->count; i++)
			if (c->part[i].kind == CHAT_TOOL_CALL)
				r->call[r->call_count++] =
				    (struct chat_call){c->part[i].call_id, c->part[i].name};
		qsort(r->call, r->call_count, sizeof(*r->call), by_id);
		r->call_turn = turn;
	}
	const struct chat_call key = {.id = id};
	return r->call_count == 0 ? NULL
				  : bsearch(&key, r->call, r->call_count, sizeof(*r->call), by_id);
}

// Content of a tool message: texts joined by line ends, images and files aside.
static bool
read_result(struct chat_reader *r, struct jv content, struct chat_part *result)
{
	struct chat *c = r->c;
	struct jv_iter it = {0};
	struct jv e;
	if (jv_is(content, JV_STRING))
		result->text = chat_read_text(c, content);
	else if (!jv_is(content, JV_ARRAY) && !jv_is(content, JV_NONE))
		return content_fault(r);
	result->first_extra = c->extra_count;
	struct buf joined;
	buf_init(&joined, SIZE_MAX);
	bool ok = true;
	for (size_t i = 0; ok && jv_each(content, &it, &e); i++) {
		struct chat_part p = {.message = r->message};
		ok = chat_read_part(r, e, i, &p);
		if (!ok)
			break;
		if (p.kind == CHAT_TEXT) {
			if (joined.len != 0 && p.text.len != 0)
				buf_char(&joined, '\n');
			buf_view(&joined, p.text);
		} else {
			c->extra = chat_read_grow(c->extra, c->extra_count, sizeof(*c->extra));
			c->extra[c->extra_count++] = p;
		}
	}
	result->extra_count = c->extra_count - result->first_extra;
	if (ok && joined.len != 0) {
		struct buf *keep = chat_read_chunk(c);
		*keep = joined;
		result->text = buf_done(keep);
	} else {
		buf_free(&joined);
	}
	return ok;
}

static bool
read_tool(struct chat_reader *r, const struct message *m, bool legacy)
{
	struct chat_part p = {.kind = CHAT_TOOL_RESULT};
	if (legacy) {
		p.name = chat_read_text(r->c, m->name);
		p.call_id = r->legacy_id;
		if (r->legacy_id.len == 0 || !view_eq(p.name, r->legacy_name))
			return chat_read_fault(r, "invalid_value", ".name",
			    "No assistant message before this one calls that function.");
	} else {
		p.call_id = chat_read_text(r->c, m->tool_call_id);
		const struct chat_call *call = find_call(r, p.call_id);
		if (call == NULL)
			return chat_read_fault(r, "invalid_value", ".tool_call_id",
			    "The assistant message before this one has no tool call with this id.");
		p.name = call->name;
	}
	if (!read_result(r, m->content, &p))
		return false;
	struct view t = p.text;
	while (t.len != 0 && chat_read_blank((struct view){t.p, 1}))
		t = (struct view){t.p + 1, t.len - 1};
	p.is_object = t.len != 0 && t.p[0] == '{' && jv_check(p.text, NULL) == JV_OK;
	add(r, false, &p);
	return true;
}

static bool
read_message(struct chat_reader *r, struct jv message)
{
	struct message m = {0};
	if (!jv_is(message, JV_OBJECT))
		return chat_read_fault(r, "invalid_value", "", "A message has to be an object.");
	(void)chat_read_members(message, message_fields, ARRAY_LEN(message_fields), &m, NULL, NULL);
	if (jv_eq(m.role, "user"))
		return read_content(r, false, m.content);
	if (jv_eq(m.role, "assistant"))
		return read_assistant(r, &m);
	if (jv_eq(m.role, "tool") || jv_eq(m.role, "function"))
		return read_tool(r, &m, jv_eq(m.role, "function"));
	if (jv_eq(m.role, "system") || jv_eq(m.role, "developer"))
		return read_system(r, m.content);
	return chat_read_fault(r, "invalid_value", ".role",
	    "The role is system, developer, user, assistant, tool or function.");
}

bool
chat_read_messages(struct chat_reader *r, struct jv messages)
{
	struct chat *c = r->c;
	struct jv_iter it = {0};
	struct jv e;
	if (!jv_is(messages, JV_ARRAY))
		return side_fault(
		    r->f, "invalid_value", "messages", "messages has to be an array of messages.");
	for (; jv_each(messages, &it, &e); r->message++) {
		(void)snprintf(r->where, sizeof(r->where), "messages[%zu]", r->message);
		if (r->message >= CHAT_MESSAGES_MAX)
			return side_fault(r->f, "invalid_value", "messages", "At most %u messages.",
			    CHAT_MESSAGES_MAX);
		if (!read_message(r, e))
			return false;
	}
	if (r->message == 0)
		return side_fault(r->f, "invalid_value", "messages", "messages must not be empty.");
	r->where[0] = '\0';
	if (c->turn_count == 0)
		add(r, false, &(struct chat_part){.kind = CHAT_TEXT, .text = VIEW("...")});
	for (size_t i = 0; i < c->turn_count; i++)
		if (!c->turn[i].assistant)
			results_first(c, &c->turn[i]);
	for (size_t i = 0; i < c->part_count; i++)
		if (c->part[i].kind == CHAT_TOOL_CALL || c->part[i].kind == CHAT_TOOL_RESULT)
			c->history_has_tools = true;
	return true;
}
