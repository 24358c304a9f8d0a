// SPDX-License-Identifier: Apache-2.0
// Tools and settings of an OpenAI chat request as Gemini has them. Touches memory only.
#include "dialect/chat_generate.h"

#include <string.h>

#define STOPS_MAX 5U // Gemini API: "up to 5 character sequences"

// --- tools ---------------------------------------------------------------------------

static void
put_declaration(const struct chat_tool *t, const struct chat_names *names, struct buf *out)
{
	jv_put_comma(out);
	buf_char(out, '{');
	jv_put_member_text(out, "name", chat_names_out(names, t->name));
	if (t->description.len > 0)
		jv_put_member_text(out, "description", t->description);
	// parametersJsonSchema takes JSON Schema as it is; the older `parameters` refuses
	// additionalProperties, $ref and const.
	if (t->custom)
		buf_str(out, ",\"parametersJsonSchema\":{\"type\":\"object\",\"properties\":"
			     "{\"input\":{\"type\":\"string\"}},\"required\":[\"input\"]}");
	else if (jv_is(t->parameters, JV_OBJECT) && jv_count(t->parameters) > 0)
		jv_put_member_raw(out, "parametersJsonSchema", t->parameters);
	buf_char(out, '}');
}

static void
put_tools(const struct chat *c, const struct chat_names *names, struct buf *out)
{
	if (c->tool_count == 0)
		return;
	jv_put_name(out, "tools");
	buf_str(out, "[{\"functionDeclarations\":[");
	for (size_t i = 0; i < c->tool_count; i++)
		put_declaration(&c->tool[i], names, out);
	buf_str(out, "]}]");
}

static void
put_choice(const struct chat *c, const struct chat_names *names, struct buf *out)
{
	static const char *const mode[] = {
	    [CHOICE_AUTO] = "AUTO",
	    [CHOICE_NONE] = "NONE",
	    [CHOICE_REQUIRED] = "ANY",
	    [CHOICE_TOOL] = "ANY",
	};
	if (c->tool_count == 0 || c->choice == CHOICE_NONE_GIVEN)
		return;
	jv_put_name(out, "toolConfig");
	buf_str(out, "{\"functionCallingConfig\":{");
	jv_put_member_text(out, "mode", view_of(mode[c->choice]));
	if (c->choice == CHOICE_TOOL) {
		jv_put_name(out, "allowedFunctionNames");
		buf_char(out, '[');
		jv_put_string(out, chat_names_out(names, c->choice_tool));
		buf_char(out, ']');
	}
	buf_str(out, "}}");
}

// --- generationConfig ------------------------------------------------------------------

// Google's own members, as its OpenAI-compatible endpoint has them: google, or
// extra_body.google.
static struct jv
google_member(const struct chat *c, const char *name)
{
	struct jv v = jv_get2(c->rest, "google", name);
	if (jv_type(v) == JV_NONE)
		v = jv_get(jv_get2(c->rest, "extra_body", "google"), name);
	return v;
}

// Tokens for 2.5 models, the same steps as Google's own endpoint for OpenAI clients.
static unsigned
budget_of(enum chat_effort e, bool no_off)
{
	switch (e) {
	case EFFORT_NONE:
		return no_off ? 128 : 0;
	case EFFORT_MINIMAL:
	case EFFORT_LOW:
		return 1024;
	case EFFORT_MEDIUM:
		return 8192;
	default:
		return 24576;
	}
}

static const char *
level_of(enum chat_effort e, bool no_off)
{
	switch (e) {
	case EFFORT_NONE:
	case EFFORT_MINIMAL:
		return no_off ? "LOW" : "MINIMAL";
	case EFFORT_LOW:
		return "LOW";
	case EFFORT_MEDIUM:
		return "MEDIUM";
	default:
		return "HIGH";
	}
}

static bool
put_thinking(struct dialect *d, const struct chat *c, struct buf *out, struct dialect_fault *f)
{
	struct jv given = google_member(c, "thinking_config");
	bool no_off = (d->r.model.flags & MODEL_NO_THINKING_OFF) != 0;
	if (jv_is(given, JV_OBJECT)) {
		if (c->effort != EFFORT_UNSET)
			return side_fault(f, "invalid_value", "reasoning_effort",
			    "give reasoning_effort or google.thinking_config, not both");
		jv_put_member_raw(out, "thinkingConfig", given);
		return true;
	}
	if (c->effort == EFFORT_UNSET)
		return true;
	if (d->r.model.thinking != THINKING_GEMINI_BUDGET &&
	    d->r.model.thinking != THINKING_GEMINI_LEVEL)
		return c->effort == EFFORT_NONE || side_drop(d, "reasoning_effort", f);
	jv_put_name(out, "thinkingConfig");
	buf_char(out, '{');
	if (d->r.model.thinking == THINKING_GEMINI_BUDGET)
		jv_put_member_uint(out, "thinkingBudget", budget_of(c->effort, no_off));
	else
		jv_put_member_text(out, "thinkingLevel", view_of(level_of(c->effort, no_off)));
	if (c->effort != EFFORT_NONE)
		buf_str(out, ",\"includeThoughts\":true");
	buf_char(out, '}');
	return true;
}

static void
put_number(struct buf *out, const char *name, struct jv v)
{
	if (jv_is(v, JV_NUMBER_T))
		jv_put_member_raw(out, name, v);
}

static bool
put_stops(const struct chat *c, struct buf *out, struct dialect_fault *f)
{
	if (c->stop_count > STOPS_MAX)
		return side_fault(f, "invalid_value", "stop",
		    "Gemini takes at most %u stop sequences", STOPS_MAX);
	if (c->stop_count == 0)
		return true;
	jv_put_name(out, "stopSequences");
	buf_char(out, '[');
	for (size_t i = 0; i < c->stop_count; i++) {
		jv_put_comma(out);
		jv_put_string(out, c->stop_text[i]);
	}
	buf_char(out, ']');
	return true;
}

// Gemini's seed has 32 bits; a longer one cannot mean the same.
static bool
put_seed(struct dialect *d, const struct chat *c, struct buf *out, struct dialect_fault *f)
{
	if (!jv_is(c->seed, JV_NUMBER_T))
		return true;
	double n = jv_double(c->seed, 0.0);
	if (n < -2147483648.0 || n > 2147483647.0)
		return side_drop(d, "seed", f);
	jv_put_member_raw(out, "seed", c->seed);
	return true;
}

static bool
put_generation(struct dialect *d, const struct chat *c, struct buf *out, struct dialect_fault *f)
{
	uint64_t most = d->r.model.max_output;
	size_t before = out->len;
	jv_put_name(out, "generationConfig");
	buf_char(out, '{');
	size_t empty = out->len;
	if (c->max_tokens > 0)
		jv_put_member_uint(
		    out, "maxOutputTokens", most > 0 ? MIN(c->max_tokens, most) : c->max_tokens);
	put_number(out, "temperature", c->temperature);
	put_number(out, "topP", c->top_p);
	put_number(out, "topK", c->top_k);
	put_number(out, "presencePenalty", c->presence_penalty);
	put_number(out, "frequencyPenalty", c->frequency_penalty);
	if (!put_stops(c, out, f) || !put_seed(d, c, out, f))
		return false;
	if (c->format != FORMAT_TEXT)
		buf_str(out, out->len == empty ? "\"responseMimeType\":\"application/json\""
					       : ",\"responseMimeType\":\"application/json\"");
	if (c->format == FORMAT_SCHEMA)
		jv_put_member_raw(out, "responseJsonSchema", c->schema);
	if (!put_thinking(d, c, out, f))
		return false;
	if (out->len == empty)
		out->len = before; // nothing asked
	else
		buf_char(out, '}');
	return true;
}

// --- the rest --------------------------------------------------------------------------

static void
put_extras(const struct chat *c, struct buf *out)
{
	struct jv safety = jv_get(c->rest, "safetySettings");
	if (!jv_is(safety, JV_ARRAY))
		safety = jv_get(c->rest, "safety_settings");
	if (!jv_is(safety, JV_ARRAY))
		safety = google_member(c, "safety_settings");
	if (jv_is(safety, JV_ARRAY))
		jv_put_member_raw(out, "safetySettings", safety);
	struct jv cached = google_member(c, "cached_content");
	if (jv_is(cached, JV_STRING))
		jv_put_member_raw(out, "cachedContent", cached);
}

static bool
only_text(struct jv modalities)
{
	struct jv_iter it = {0};
	struct jv v;
	while (jv_each(modalities, &it, &v))
		if (!jv_eq(v, "text"))
			return false;
	return true;
}

static bool
drop_rest(struct dialect *d, const struct chat *c, struct dialect_fault *f)
{
	static const char *const lacks[] = {"logit_bias", "logprobs", "top_logprobs", "prediction",
	    "audio", "store", "verbosity", "prompt_cache_key", "prompt_cache_retention",
	    "prompt_cache_options", "user", "safety_identifier", "service_tier", "metadata",
	    "web_search_options", "moderation"};
	for (size_t i = 0; i < ARRAY_LEN(lacks); i++) {
		enum jv_type t = jv_type(jv_get(c->rest, lacks[i]));
		if (t != JV_NONE && t != JV_NULL && t != JV_FALSE && !side_drop(d, lacks[i], f))
			return false;
	}
	if (!only_text(jv_get(c->rest, "modalities")) && !side_drop(d, "modalities", f))
		return false;
	return !c->parallel_off || side_drop(d, "parallel_tool_calls", f);
}

bool
chat_generate_put_config(struct dialect *d, const struct chat *c, const struct chat_names *names,
    struct buf *out, struct dialect_fault *f)
{
	put_tools(c, names, out);
	put_choice(c, names, out);
	if (!put_generation(d, c, out, f))
		return false;
	put_extras(c, out);
	return drop_rest(d, c, f);
}
