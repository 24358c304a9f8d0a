// SPDX-License-Identifier: Apache-2.0
// Chat completion request -> Converse: system, parameters, tools. Pure.
#include "dialect/chat_converse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET_LOW    1024U // Claude's least
#define BUDGET_MEDIUM 8192U
#define BUDGET_HIGH   24576U
#define ANSWER_MEAN   8192U // tokens beside the budget when nobody names a limit

static unsigned
flags(const struct converse_request *w)
{
	return w->d->r.model.flags;
}

static uint64_t
budget_of(enum chat_effort e)
{
	switch (e) {
	case EFFORT_UNSET:
	case EFFORT_NONE:
		return 0;
	case EFFORT_MINIMAL:
	case EFFORT_LOW:
		return BUDGET_LOW;
	case EFFORT_MEDIUM:
		return BUDGET_MEDIUM;
	case EFFORT_HIGH:
	case EFFORT_XHIGH:
	case EFFORT_MAX:
		return BUDGET_HIGH;
	}
	BUG("effort");
}

static const char *
effort_name(enum chat_effort e)
{
	static const char *const name[] = {
	    [EFFORT_UNSET] = "",
	    [EFFORT_NONE] = "none",
	    [EFFORT_MINIMAL] = "minimal",
	    [EFFORT_LOW] = "low",
	    [EFFORT_MEDIUM] = "medium",
	    [EFFORT_HIGH] = "high",
	    [EFFORT_XHIGH] = "xhigh",
	    [EFFORT_MAX] = "max",
	};
	return name[e];
}

// Claude has no effort below low.
static const char *
claude_effort(enum chat_effort e)
{
	return e == EFFORT_NONE || e == EFFORT_MINIMAL ? "low" : effort_name(e);
}

// Newer models refuse an assistant turn at the end.
static bool
drop_prefill(struct converse_request *w)
{
	const struct chat *c = w->c;
	w->turns = c->turn_count;
	if ((w->d->r.model.flags & MODEL_NO_PREFILL) == 0 || c->turn_count == 0 ||
	    !c->turn[c->turn_count - 1].assistant)
		return true;
	char param[48];
	(void)snprintf(param, sizeof(param), "messages[%zu]",
	    c->part[c->turn[c->turn_count - 1].first].message);
	w->turns--;
	return side_drop(w->d, param, w->f);
}

static bool
decide(struct converse_request *w)
{
	const struct chat *c = w->c;
	const struct dialect_model *m = &w->d->r.model;
	if (!drop_prefill(w))
		return false;
	bool prefill = w->turns > 0 && c->turn[w->turns - 1].assistant;
	bool client_forces = c->choice == CHOICE_REQUIRED || c->choice == CHOICE_TOOL;
	w->tools = c->tool_count > 0 && c->choice != CHOICE_NONE;
	w->native_schema = c->format == FORMAT_SCHEMA && (m->flags & MODEL_JSON_SCHEMA) != 0;
	w->json_tool =
	    c->format != FORMAT_TEXT && !w->native_schema && !(w->tools && client_forces);
	w->forced = w->json_tool || (w->tools && client_forces);

	bool wanted = c->effort != EFFORT_UNSET && c->effort != EFFORT_NONE;
	if (m->thinking == THINKING_BUDGET)
		w->thinking = wanted && !w->forced && !prefill &&
			      !(w->tools && chat_converse_lost_reasoning(c));
	else if (m->thinking == THINKING_ADAPTIVE)
		w->thinking = wanted && !w->forced;
	if (m->thinking == THINKING_BUDGET && w->thinking)
		w->budget = budget_of(c->effort);

	bool lost = m->thinking == THINKING_BUDGET && wanted && !w->thinking;
	if (lost || (m->thinking == THINKING_NONE && wanted)) {
		if (!side_drop(w->d, "reasoning_effort", w->f))
			return false;
	}
	return true;
}

static void
put_system(struct converse_request *w)
{
	if (w->c->system_count == 0)
		return;
	jv_put_name(w->out, "system");
	buf_char(w->out, '[');
	for (size_t i = 0; i < w->c->system_count; i++) {
		jv_put_comma(w->out);
		buf_str(w->out, "{\"text\":");
		jv_put_string(w->out, w->c->system[i]);
		buf_char(w->out, '}');
	}
	buf_char(w->out, ']');
}

// An object whose members are written next; close_object() takes it back if none were.
static size_t
open_object(struct buf *out, const char *name)
{
	size_t start = out->len;
	jv_put_name(out, name);
	buf_char(out, '{');
	return start;
}

static void
close_object(struct buf *out, size_t start)
{
	if (out->len > 0 && out->p[out->len - 1] == '{')
		out->len = start;
	else
		buf_char(out, '}');
}

static void
put_max_tokens(struct converse_request *w)
{
	uint64_t max = w->c->max_tokens, limit = w->d->r.model.max_output;
	if (w->budget > 0) {
		// The budget counts against the limit and must stay below it.
		if (max == 0)
			max = limit > w->budget ? limit : w->budget + ANSWER_MEAN;
		else if (max <= w->budget)
			max = w->budget + max;
		if (limit > 0 && max > limit)
			max = limit;
		if (w->budget >= max)
			w->budget = max > BUDGET_LOW ? max - 1 : BUDGET_LOW;
	}
	if (limit > 0 && max > limit)
		max = limit;
	if (max > 0)
		jv_put_member_uint(w->out, "maxTokens", max);
}

static void
put_clamped(struct buf *out, const char *name, struct jv v)
{
	double d = jv_double(v, 0);
	jv_put_name(out, name);
	if (d < 0)
		buf_char(out, '0');
	else if (d > 1)
		buf_char(out, '1');
	else
		jv_put_raw(out, v);
}

static bool
put_inference(struct converse_request *w)
{
	const struct chat *c = w->c;
	bool temperature = jv_is(c->temperature, JV_NUMBER_T);
	bool top_p = jv_is(c->top_p, JV_NUMBER_T);
	bool refused = (flags(w) & MODEL_NO_SAMPLING) != 0 || w->thinking;
	if (temperature && refused && !side_drop(w->d, "temperature", w->f))
		return false;
	bool one = (flags(w) & MODEL_ONE_SAMPLING) != 0 && temperature;
	if (top_p && (refused || one) && !side_drop(w->d, "top_p", w->f))
		return false;

	size_t start = open_object(w->out, "inferenceConfig");
	put_max_tokens(w);
	if (temperature && !refused)
		put_clamped(w->out, "temperature", c->temperature);
	if (top_p && !refused && !one)
		put_clamped(w->out, "topP", c->top_p);
	if (c->stop_count > 0) {
		jv_put_name(w->out, "stopSequences");
		buf_char(w->out, '[');
		for (size_t i = 0; i < c->stop_count; i++) {
			jv_put_comma(w->out);
			jv_put_string(w->out, c->stop_text[i]);
		}
		buf_char(w->out, ']');
	}
	close_object(w->out, start);
	return true;
}

static bool
blank(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (strchr(" \t\r\n", v.p[i]) == NULL || v.p[i] == '\0')
			return false;
	return true;
}

static void
put_tool(struct converse_request *w, const struct chat_tool *t)
{
	struct buf *out = w->out;
	jv_put_comma(out);
	buf_str(out, "{\"toolSpec\":{\"name\":");
	jv_put_string(out, chat_names_out(w->s->names, t->name));
	if (!blank(t->description)) // an empty one is refused
		jv_put_member_text(out, "description", t->description);
	buf_str(out, ",\"inputSchema\":{\"json\":");
	if (t->custom)
		buf_str(out,
		    "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},"
		    "\"required\":[\"input\"]}");
	else if (jv_is(t->parameters, JV_OBJECT))
		jv_put_raw(out, t->parameters);
	else
		buf_str(out, "{\"type\":\"object\",\"properties\":{}}");
	buf_char(out, '}');
	if (t->strict && (flags(w) & MODEL_STRICT_TOOLS) != 0)
		buf_str(out, ",\"strict\":true");
	buf_str(out, "}}");
}

// A name that no tool of the client has: "json", "json_", ...
static void
name_json_tool(struct converse_request *w)
{
	memcpy(w->s->json_tool, "json", sizeof("json"));
	for (size_t i = 0; i < w->c->tool_count; i++) {
		struct view name = chat_names_out(w->s->names, w->c->tool[i].name);
		size_t len = strlen(w->s->json_tool);
		if (!view_eq_str(name, w->s->json_tool) || len == CONVERSE_NAME_MAX)
			continue;
		memcpy(w->s->json_tool + len, "_", 2);
		i = (size_t)-1; // again from the first
	}
}

static void
put_json_tool(struct converse_request *w)
{
	name_json_tool(w);
	jv_put_comma(w->out);
	buf_str(w->out, "{\"toolSpec\":{\"name\":");
	jv_put_string(w->out, view_of(w->s->json_tool));
	buf_str(w->out, ",\"description\":\"Gives the answer to the user. Its input is the whole "
			"answer.\",\"inputSchema\":{\"json\":");
	if (w->c->format == FORMAT_SCHEMA && jv_is(w->c->schema, JV_OBJECT))
		jv_put_raw(w->out, w->c->schema);
	else
		buf_str(w->out, "{\"type\":\"object\"}");
	buf_str(w->out, "}}}");
}

static const char *
choice_type(const struct converse_request *w)
{
	if (w->json_tool)
		return w->tools ? "any" : "tool";
	switch (w->c->choice) {
	case CHOICE_REQUIRED:
		return "any";
	case CHOICE_TOOL:
		return "tool";
	case CHOICE_NONE_GIVEN:
	case CHOICE_NONE:
	case CHOICE_AUTO:
		break;
	}
	return "auto";
}

static struct view
choice_name(const struct converse_request *w)
{
	return w->json_tool ? view_of(w->s->json_tool)
			    : chat_names_out(w->s->names, w->c->choice_tool);
}

static void
put_tools(struct converse_request *w)
{
	if (!w->tools && !w->json_tool)
		return;
	jv_put_name(w->out, "toolConfig");
	buf_str(w->out, "{\"tools\":[");
	for (size_t i = 0; w->tools && i < w->c->tool_count; i++)
		put_tool(w, &w->c->tool[i]);
	if (w->json_tool)
		put_json_tool(w);
	buf_char(w->out, ']');
	const char *type = choice_type(w);
	if (w->forced || w->c->choice == CHOICE_AUTO) {
		jv_put_name(w->out, "toolChoice");
		buf_fmt(w->out, "{\"%s\":{", type);
		if (strcmp(type, "tool") == 0)
			jv_put_member_text(w->out, "name", choice_name(w));
		buf_str(w->out, "}}");
	}
	buf_char(w->out, '}');
}

// Whether a comma list has the word; "*" has all.
static bool
in_list(struct view list, struct view word)
{
	if (view_eq_str(list, "*"))
		return true;
	for (size_t at = 0; at < list.len;) {
		const char *comma = memchr(list.p + at, ',', list.len - at);
		size_t n = comma == NULL ? list.len - at : (size_t)(comma - list.p) - at;
		struct view v = {list.p + at, n};
		while (v.len > 0 && *v.p == ' ')
			v = (struct view){v.p + 1, v.len - 1};
		if (view_eq(v, word))
			return true;
		at += n + 1;
	}
	return false;
}

// Betas that the model does not take are refused with the whole request: left out.
static void
put_betas(struct converse_request *w)
{
	struct view list = w->d->r.anthropic_beta;
	bool any = false;
	for (size_t at = 0; at < list.len;) {
		const char *comma = memchr(list.p + at, ',', list.len - at);
		size_t n = comma == NULL ? list.len - at : (size_t)(comma - list.p) - at;
		struct view v = {list.p + at, n};
		at += n + 1;
		while (v.len > 0 && *v.p == ' ')
			v = (struct view){v.p + 1, v.len - 1};
		while (v.len > 0 && v.p[v.len - 1] == ' ')
			v.len--;
		if (v.len == 0 || !in_list(w->d->r.model.betas, v))
			continue;
		if (!any) {
			jv_put_name(w->out, "anthropic_beta");
			buf_char(w->out, '[');
			any = true;
		}
		jv_put_comma(w->out);
		jv_put_string(w->out, v);
	}
	if (any)
		buf_char(w->out, ']');
}

static void
put_thinking(struct converse_request *w)
{
	const struct dialect_model *m = &w->d->r.model;
	enum chat_effort e = w->c->effort;
	const char *effort = NULL;
	switch (m->thinking) {
	case THINKING_BUDGET:
		if (w->thinking) {
			jv_put_name(w->out, "thinking");
			buf_str(w->out, "{\"type\":\"enabled\",\"budget_tokens\":");
			buf_uint(w->out, w->budget);
			buf_char(w->out, '}');
		}
		break;
	case THINKING_ADAPTIVE:
		if (e == EFFORT_UNSET)
			break;
		if (e == EFFORT_NONE && (m->flags & MODEL_NO_THINKING_OFF) == 0) {
			jv_put_name(w->out, "thinking");
			buf_str(w->out, "{\"type\":\"disabled\"}");
			break;
		}
		if (w->thinking) {
			jv_put_name(w->out, "thinking");
			buf_str(w->out, "{\"type\":\"adaptive\"}");
		}
		effort = claude_effort(e);
		break;
	case THINKING_ALWAYS:
		if (e != EFFORT_UNSET)
			effort = claude_effort(e);
		break;
	case THINKING_EFFORT:
		// Models that cannot stop thinking (gpt-oss) know low, medium and high.
		if (e != EFFORT_UNSET)
			jv_put_member_text(w->out, "reasoning_effort",
			    view_of((m->flags & MODEL_NO_THINKING_OFF) == 0 ? effort_name(e)
				    : e >= EFFORT_HIGH			    ? "high"
									    : claude_effort(e)));
		break;
	case THINKING_NONE:
	case THINKING_GEMINI_BUDGET:
	case THINKING_GEMINI_LEVEL:
		break;
	}
	if (effort != NULL) {
		jv_put_name(w->out, "output_config");
		buf_str(w->out, "{\"effort\":\"");
		buf_str(w->out, effort);
		buf_str(w->out, "\"}");
	}
}

static bool
put_additional(struct converse_request *w)
{
	const struct chat *c = w->c;
	bool claude = (flags(w) & MODEL_CLAUDE) != 0;
	bool top_k = jv_is(c->top_k, JV_NUMBER_T);
	bool refused = (flags(w) & MODEL_NO_SAMPLING) != 0 || w->thinking;
	if (top_k && refused && !side_drop(w->d, "top_k", w->f))
		return false;
	if (c->parallel_off && !claude && w->tools && !side_drop(w->d, "parallel_tool_calls", w->f))
		return false;

	size_t start = open_object(w->out, "additionalModelRequestFields");
	if (top_k && !refused)
		jv_put_member_raw(w->out, "top_k", c->top_k);
	put_thinking(w);
	if (claude)
		put_betas(w);
	if (c->parallel_off && claude && w->tools) {
		const char *type = choice_type(w);
		jv_put_name(w->out, "tool_choice");
		buf_fmt(w->out, "{\"type\":\"%s\"", type);
		if (strcmp(type, "tool") == 0)
			jv_put_member_text(w->out, "name", choice_name(w));
		buf_str(w->out, ",\"disable_parallel_tool_use\":true}");
	}
	close_object(w->out, start);
	return true;
}

static void
put_schema(struct converse_request *w)
{
	if (!w->native_schema)
		return;
	jv_put_name(w->out, "outputConfig");
	buf_str(w->out, "{\"textFormat\":{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":"
			"{\"schema\":");
	struct view schema =
	    jv_is(w->c->schema, JV_OBJECT) ? w->c->schema.text : VIEW("{\"type\":\"object\"}");
	jv_put_string(w->out, schema);
	if (w->c->schema_name.len > 0)
		jv_put_member_text(w->out, "name", w->c->schema_name);
	buf_str(w->out, "}}}}");
}

static bool
put_tier(struct converse_request *w)
{
	struct view tier = w->c->service_tier;
	if (tier.len == 0 || view_eq_str(tier, "auto"))
		return true;
	if (!view_eq_str(tier, "default") && !view_eq_str(tier, "flex") &&
	    !view_eq_str(tier, "priority"))
		return side_drop(w->d, "service_tier", w->f);
	jv_put_name(w->out, "serviceTier");
	buf_char(w->out, '{');
	jv_put_member_text(w->out, "type", tier);
	buf_char(w->out, '}');
	return true;
}

// The end user goes into the customer's own invocation log, where AWS's grammar allows.
static bool
put_user(struct converse_request *w)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789 :_@$#=/+,-.";
	struct view user = w->c->user;
	if (user.len == 0)
		return true;
	bool fits = user.len <= 256;
	for (size_t i = 0; fits && i < user.len; i++)
		fits = user.p[i] != '\0' && strchr(allowed, user.p[i]) != NULL;
	if (!fits)
		return side_drop(w->d, "user", w->f);
	jv_put_name(w->out, "requestMetadata");
	buf_char(w->out, '{');
	jv_put_member_text(w->out, "user", user);
	buf_char(w->out, '}');
	return true;
}

static bool
drop_unknown(struct converse_request *w)
{
	const struct chat *c = w->c;
	const struct {
		struct jv v;
		const char *name;
	} none[] = {{c->seed, "seed"}, {c->presence_penalty, "presence_penalty"},
	    {c->frequency_penalty, "frequency_penalty"}};
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (jv_is(none[i].v, JV_NUMBER_T) && !side_drop(w->d, none[i].name, w->f))
			return false;
	return true;
}

static bool
write_request(struct converse_request *w)
{
	if (!decide(w) || !drop_unknown(w))
		return false;
	buf_char(w->out, '{');
	if (!chat_converse_put_turns(w))
		return false;
	put_system(w);
	if (!put_inference(w))
		return false;
	put_tools(w);
	if (!put_additional(w))
		return false;
	put_schema(w);
	if (!put_tier(w) || !put_user(w))
		return false;
	buf_char(w->out, '}');
	return true;
}

static bool
request(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	struct chat c;
	struct converse *s = base_calloc(1, sizeof(*s));
	d->state = s; // freed with the session, also when the request is refused
	buf_init(&s->reasoning, SIZE_MAX);
	buf_init(&s->signature, SIZE_MAX);
	chat_out_init(&s->out, d, false);
	if (!chat_in_read(d, &c, f))
		return false;
	s->out.include_usage = c.include_usage;
	s->names = chat_names_new(&c, CONVERSE_NAME_MAX, false);
	struct converse_request w = {.d = d, .c = &c, .s = s, .out = out, .f = f};
	bool ok = write_request(&w);
	chat_in_free(&c);
	return ok;
}

static void
free_state(void *state)
{
	struct converse *s = state;
	if (s == NULL)
		return;
	chat_names_free(s->names);
	chat_out_free(&s->out);
	buf_free(&s->reasoning);
	buf_free(&s->signature);
	free(s);
}

const struct dialect_side dialect_side_chat_converse = {
    .request = request,
    .answer = chat_converse_answer,
    .event = chat_converse_event,
    .finish = chat_converse_finish,
    .free = free_state,
};
