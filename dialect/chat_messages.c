// SPDX-License-Identifier: Apache-2.0
// OpenAI chat completions -> Anthropic Messages, at Anthropic and on Vertex AI: the session,
// and the plan that the model's rules make of the parameters.
// Sources: Anthropic API reference, "Messages", "Extended thinking", "Structured outputs";
// Vertex AI, "Claude models" (model left out of the body, anthropic_version in it). Pure.
#include "dialect/chat_messages.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_MAX_TOKENS 4096U // for a model of unknown size
#define BUDGET_LOW	   1024U // the least that the API takes
#define BUDGET_MEDIUM	   8192U
#define BUDGET_HIGH	   24576U
#define THOUGHT_MAX	   ((size_t)8 << 20)   // a stream may be endless
#define NATIVE_SCHEMA_MAX  ((size_t)256 << 10) // walked once for each level

// Whether every object in the schema refuses further members, as the API demands.
static bool
closed(struct jv v)
{
	struct jv_iter it = {0};
	struct jv e;
	struct view name;
	if (jv_is(v, JV_ARRAY))
		while (jv_each(v, &it, &e))
			if (!closed(e))
				return false;
	if (!jv_is(v, JV_OBJECT))
		return true;
	if ((jv_is(jv_get(v, "properties"), JV_OBJECT) || jv_eq(jv_get(v, "type"), "object")) &&
	    !jv_is(jv_get(v, "additionalProperties"), JV_FALSE))
		return false;
	while (jv_member(v, &it, &name, &e))
		if (!closed(e))
			return false;
	return true;
}

static void
plan_json(const struct dialect *d, const struct chat *c, struct messages_plan *p)
{
	if (c->format != FORMAT_SCHEMA)
		return;
	p->native_json = (d->r.model.flags & MODEL_JSON_SCHEMA) != 0 &&
			 c->schema.text.len <= NATIVE_SCHEMA_MAX && closed(c->schema);
	// A tool that has to be called now is the answer; the schema is for a later one.
	p->json_tool = !p->native_json && c->choice != CHOICE_TOOL && c->choice != CHOICE_REQUIRED;
}

// Manual thinking wants the last assistant turn to begin with its signed block, while tool
// results are being given.
static bool
thought_lost(const struct chat *c, const struct messages_plan *p)
{
	if (p->turns < 2)
		return false;
	const struct chat_turn *last = &c->turn[p->turns - 1], *before = &c->turn[p->turns - 2];
	if (last->assistant)
		return true; // a prefill leaves no room for thinking
	if (c->part[last->first].kind != CHAT_TOOL_RESULT)
		return false;
	const struct chat_part *first = &c->part[before->first];
	return first->kind != CHAT_REASONING || (first->signature.len == 0 && !first->redacted);
}

static bool
plan_budget(
    struct dialect *d, const struct chat *c, struct messages_plan *p, struct dialect_fault *f)
{
	uint64_t cap = d->r.model.max_output;
	bool forced = c->choice == CHOICE_TOOL || c->choice == CHOICE_REQUIRED || p->json_tool;
	if (forced || thought_lost(c, p))
		return side_drop(d, "reasoning_effort", f);
	p->budget = c->effort <= EFFORT_LOW	 ? BUDGET_LOW
		    : c->effort == EFFORT_MEDIUM ? BUDGET_MEDIUM
						 : BUDGET_HIGH;
	if (p->max_tokens <= p->budget)
		p->max_tokens += p->budget;
	if (cap != 0 && p->max_tokens > cap)
		p->max_tokens = cap;
	if (p->budget >= p->max_tokens)
		p->budget = p->max_tokens / 2;
	if (p->budget < BUDGET_LOW)
		return side_drop(d, "reasoning_effort", f);
	p->think = THINK_BUDGET;
	return true;
}

static bool
plan_thinking(
    struct dialect *d, const struct chat *c, struct messages_plan *p, struct dialect_fault *f)
{
	static const char *const word[] = {
	    NULL, "low", "low", "low", "medium", "high", "high", "max"};
	enum model_thinking kind = d->r.model.thinking;
	bool claude =
	    kind == THINKING_BUDGET || kind == THINKING_ADAPTIVE || kind == THINKING_ALWAYS;
	if (c->effort == EFFORT_UNSET)
		return true;
	if (!claude)
		return c->effort == EFFORT_NONE || side_drop(d, "reasoning_effort", f);
	bool always = kind == THINKING_ALWAYS || (d->r.model.flags & MODEL_NO_THINKING_OFF) != 0;
	if (c->effort == EFFORT_NONE && !always) {
		p->think = THINK_OFF;
		return true;
	}
	if (c->effort == EFFORT_NONE && !side_drop(d, "reasoning_effort", f))
		return false;
	if (kind == THINKING_BUDGET)
		return plan_budget(d, c, p, f);
	p->effort = word[c->effort];
	if (kind == THINKING_ALWAYS && c->effort == EFFORT_XHIGH)
		p->effort = "xhigh"; // 4.6 does not know it
	if (kind == THINKING_ADAPTIVE)
		p->think = THINK_ADAPTIVE;
	return true;
}

static bool
plan_sampling(
    struct dialect *d, const struct chat *c, struct messages_plan *p, struct dialect_fault *f)
{
	bool thinks = p->think == THINK_BUDGET || p->think == THINK_ADAPTIVE;
	p->sampling = !thinks && (d->r.model.flags & MODEL_NO_SAMPLING) == 0;
	// 1 is the default: leaving it out changes nothing.
	bool heat = jv_is(c->temperature, JV_NUMBER_T) && jv_double(c->temperature, 1) != 1;
	bool top_p = jv_is(c->top_p, JV_NUMBER_T) && jv_double(c->top_p, 1) != 1;
	bool top_k = jv_is(c->top_k, JV_NUMBER_T);
	if (!p->sampling)
		return (!heat || side_drop(d, "temperature", f)) &&
		       (!top_p || side_drop(d, "top_p", f)) && (!top_k || side_drop(d, "top_k", f));
	bool one = (d->r.model.flags & MODEL_ONE_SAMPLING) != 0;
	if (one && top_p && jv_is(c->temperature, JV_NUMBER_T))
		return side_drop(d, "top_p", f);
	return true;
}

// What Messages has no word for at all.
static bool
drop_rest(struct dialect *d, const struct chat *c, struct dialect_fault *f)
{
	return (jv_is(c->seed, JV_NONE) || side_drop(d, "seed", f)) &&
	       (jv_double(c->presence_penalty, 0) == 0 || side_drop(d, "presence_penalty", f)) &&
	       (jv_double(c->frequency_penalty, 0) == 0 || side_drop(d, "frequency_penalty", f)) &&
	       (c->service_tier.len == 0 || view_eq_str(c->service_tier, "auto") ||
		   view_eq_str(c->service_tier, "default") || side_drop(d, "service_tier", f));
}

bool
chat_messages_plan(
    struct dialect *d, const struct chat *c, struct messages_plan *p, struct dialect_fault *f)
{
	uint64_t cap = d->r.model.max_output;
	*p = (struct messages_plan){.turns = c->turn_count};
	const struct chat_turn *last = &c->turn[c->turn_count - 1];
	if (last->assistant && (d->r.model.flags & MODEL_NO_PREFILL) != 0) {
		char param[48];
		size_t message = c->part[last->first].message;
		(void)snprintf(param, sizeof(param), "messages[%zu]", message);
		if (!side_drop(d, param, f))
			return false;
		p->turns--;
	}
	p->max_tokens = c->max_tokens != 0 ? c->max_tokens : cap != 0 ? cap : DEFAULT_MAX_TOKENS;
	if (cap != 0 && p->max_tokens > cap)
		p->max_tokens = cap;
	plan_json(d, c, p);
	return plan_thinking(d, c, p, f) && plan_sampling(d, c, p, f) && drop_rest(d, c, f);
}

// A name for our tool that no tool of the client has.
static void
name_json_tool(const struct chat *c, char *name, size_t size)
{
	for (size_t n = 0; n <= c->tool_count; n++) {
		(void)snprintf(name, size, n == 0 ? "json" : "json_%zu", n);
		bool taken = false;
		for (size_t i = 0; i < c->tool_count; i++)
			taken = taken || view_eq_str(c->tool[i].name, name);
		if (!taken)
			return;
	}
}

static bool
request(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	struct chat c;
	struct messages_plan p;
	struct messages_state *s = base_calloc(1, sizeof(*s));
	d->state = s;
	buf_init(&s->text, SIZE_MAX);
	buf_init(&s->thought, THOUGHT_MAX);
	buf_init(&s->signature, THOUGHT_MAX);
	if (!chat_in_read(d, &c, f))
		return false;
	bool ok = chat_messages_plan(d, &c, &p, f);
	if (ok) {
		s->names = chat_names_new(&c, 64, false);
		if (p.json_tool)
			name_json_tool(&c, s->json_tool, sizeof(s->json_tool));
		chat_out_init(&s->out, d, c.include_usage);
		s->has_out = true;
		if (d->r.pair == DIALECT_CHAT_MESSAGES)
			side_header(d, HEADER_ANTHROPIC_VERSION, VIEW("2023-06-01"));
		ok = chat_messages_body(d, &c, &p, out, f);
	}
	chat_in_free(&c);
	return ok;
}

static void
release(void *state)
{
	struct messages_state *s = state;
	if (s == NULL)
		return;
	if (s->has_out)
		chat_out_free(&s->out);
	chat_names_free(s->names);
	buf_free(&s->text);
	buf_free(&s->thought);
	buf_free(&s->signature);
	free(s);
}

const struct dialect_side dialect_side_chat_messages = {
    .request = request,
    .answer = chat_messages_answer,
    .event = chat_messages_event,
    .finish = NULL, // message_stop ends a stream; without it the answer was cut
    .free = release,
};
