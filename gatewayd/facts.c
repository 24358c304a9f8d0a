// SPDX-License-Identifier: Apache-2.0
// Picks the few members that matter out of answers. Pure.
#include "gatewayd/facts.h"

#include <stdlib.h>
#include <string.h>

static void
forget_text(struct facts *f)
{
	f->type[0] = '\0';
	f->error_code[0] = '\0';
	f->has_error = false;
	f->has_code = false;
	f->detail_count = f->detail_1h = 0;
	f->detail_ttl = 0;
	f->detail_counted = false;
}

void
facts_init(struct facts *f)
{
	*f = (struct facts){0};
	forget_text(f);
}

void
facts_free(struct facts *f)
{
	free(f->scan);
	f->scan = NULL;
}

// Only plain words leave here: they go into headers, logs and audit records.
static void
word(char out[FACTS_WORD_MAX], const struct json_member *m)
{
	out[0] = '\0';
	if (m->kind != SCAN_STRING || m->value.len >= FACTS_WORD_MAX)
		return;
	for (size_t i = 0; i < m->value.len; i++) {
		char c = m->value.p[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
		if (!ok)
			return;
	}
	memcpy(out, m->value.p, m->value.len);
	out[m->value.len] = '\0';
}

struct counter {
	const char *name;
	size_t offset;
};

#define COUNTER(name, f)                                                                           \
	{                                                                                          \
		name, offsetof(struct facts, f)                                                    \
	}

// Names are enough: no two APIs use one name for different things, but for input_tokens,
// which in the Responses API holds what was cached; the details beside it tell.
static const struct counter counters[] = {
    // OpenAI chat completions and embeddings
    COUNTER("prompt_tokens", input),
    COUNTER("completion_tokens", output),
    // Responses and Anthropic Messages
    COUNTER("input_tokens", input),
    COUNTER("output_tokens", output),
    COUNTER("cache_read_input_tokens", cache_read),
    COUNTER("cache_creation_input_tokens", cache_write),
    // Converse and Nova
    COUNTER("inputTokens", input),
    COUNTER("outputTokens", output),
    COUNTER("cacheReadInputTokens", cache_read),
    COUNTER("cacheWriteInputTokens", cache_write),
    // Bedrock's invocation metrics
    COUNTER("inputTokenCount", input),
    COUNTER("outputTokenCount", output),
    COUNTER("cacheReadInputTokenCount", cache_read),
    COUNTER("cacheWriteInputTokenCount", cache_write),
    // Gemini: the prompt's count includes what came from a cache, the candidates' count
    // leaves thoughts out.
    COUNTER("promptTokenCount", input),
    COUNTER("candidatesTokenCount", output),
    COUNTER("thoughtsTokenCount", thoughts),
    COUNTER("cachedContentTokenCount", cached_inside),
    COUNTER("toolUsePromptTokenCount", tool_input),
};

// Parts of the counts, one object further in.
static const struct counter details[] = {
    COUNTER("cached_tokens", cached_inside),
    COUNTER("cache_write_tokens", written_inside),
    COUNTER("reasoning_tokens", reasoning),
    COUNTER("thinking_tokens", reasoning),
    COUNTER("ephemeral_1h_input_tokens", cache_write_1h),
};

// How many members deep the usage object is whose member m is: "usage", "message.usage",
// "response.usage", Gemini's metadata, Bedrock's invocation metrics. 0: none.
static size_t
usage_at(const struct json_member *m)
{
	struct view a = m->path[0];
	if (view_eq_str(a, "usage") || view_eq_str(a, "usageMetadata") ||
	    view_eq_str(a, "amazon-bedrock-invocationMetrics"))
		return 1;
	bool wrapped = m->level > 2 && view_eq_str(m->path[1], "usage") &&
		       (view_eq_str(a, "message") || view_eq_str(a, "response"));
	return wrapped ? 2 : 0;
}

static uint64_t
number(const struct json_member *m)
{
	uint64_t v = json_member_u64(m);
	return MIN(v, (uint64_t)UINT32_MAX);
}

static void
count(struct facts *f, const struct json_member *m, const struct counter *table, size_t n)
{
	struct view name = m->path[m->level - 1];
	if (m->kind != SCAN_NUMBER)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!view_eq_str(name, table[i].name))
			continue;
		uint64_t v = number(m);
		f->counted = true;
		// message_delta may repeat input counts as 0.
		if (v != 0)
			memcpy((char *)f + table[i].offset, &v, sizeof(v));
		if (view_eq_str(name, "prompt_tokens"))
			f->inclusive = true;
	}
}

// usage.cacheDetails[] {ttl, inputTokens} of Converse, in any order.
static void
on_cache_detail(struct facts *f, const struct json_member *m)
{
	struct view name = m->path[m->level - 1];
	if (view_eq_str(name, "inputTokens") && m->kind == SCAN_NUMBER) {
		f->detail_count = number(m);
		f->detail_counted = true;
	} else if (view_eq_str(name, "ttl") && m->kind == SCAN_STRING) {
		f->detail_ttl = view_eq_str(m->value, "1h") ? 2 : 1;
	}
	if (!f->detail_counted || f->detail_ttl == 0)
		return;
	if (f->detail_ttl == 2)
		f->detail_1h += f->detail_count;
	if (f->detail_1h != 0)
		f->cache_write_1h = MIN(f->detail_1h, (uint64_t)UINT32_MAX);
	f->detail_counted = false;
	f->detail_ttl = 0;
}

static bool
one_of(const struct json_member *m, const char *const *words, size_t n)
{
	if (m->kind == SCAN_NULL)
		return true;
	for (size_t i = 0; i < n && m->kind == SCAN_STRING; i++)
		if (view_eq_str(m->value, words[i]))
			return true;
	return false;
}

// What list prices hold for. Sources: OpenAI "Priority processing", "Flex processing";
// Anthropic "Service tiers", "Fast mode", "Data residency"; Bedrock "Service tiers";
// Vertex AI "Provisioned Throughput".
static void
judge_tier(struct facts *f, const struct json_member *m)
{
	static const char *const plain[] = {"", "default", "standard", "auto", "global",
	    "not_available", "on_demand", "ON_DEMAND", "TRAFFIC_TYPE_UNSPECIFIED"};
	f->special = f->special || !one_of(m, plain, ARRAY_LEN(plain));
}

static void
on_usage(struct facts *f, const struct json_member *m, size_t at)
{
	struct view name = m->path[m->level - 1];
	if (m->level == at + 1) {
		count(f, m, counters, ARRAY_LEN(counters));
		if (view_eq_str(name, "service_tier") || view_eq_str(name, "speed") ||
		    view_eq_str(name, "inference_geo") || view_eq_str(name, "trafficType"))
			judge_tier(f, m);
	} else if (m->level == at + 2) {
		count(f, m, details, ARRAY_LEN(details));
		// Searches are paid by the piece; sound has prices of its own.
		bool piece = view_eq_str(m->path[at], "server_tool_use");
		if ((piece || view_eq_str(name, "audio_tokens")) && number(m) != 0)
			f->special = true;
	} else if (view_eq_str(m->path[at], "cacheDetails")) {
		on_cache_detail(f, m);
	} else if (view_eq_str(name, "modality") && view_eq_str(m->value, "AUDIO")) {
		f->special = true;
	}
}

static void
on_error_member(struct facts *f, const struct json_member *m)
{
	f->has_error = f->has_error || m->kind != SCAN_NULL;
	if (json_member_is(m, "error", "code", NULL) && m->kind == SCAN_STRING) {
		word(f->error_code, m);
		f->has_code = f->error_code[0] != '\0';
	} else if ((json_member_is(m, "error", "type", NULL) ||
		       json_member_is(m, "error", "status", NULL)) &&
		   m->kind == SCAN_STRING && !f->has_code) {
		word(f->error_code, m);
	}
}

static void
on_member(void *cookie, const struct json_member *m)
{
	struct facts *f = cookie;
	size_t at = usage_at(m);
	if (at != 0 && m->level > at)
		on_usage(f, m, at);
	else if (json_member_is(m, "type", NULL, NULL))
		word(f->type, m);
	else if (json_member_is(m, "input_tokens", NULL, NULL) || // token counts
		 json_member_is(m, "inputTokens", NULL, NULL))
		count(f, m, counters, ARRAY_LEN(counters));
	else if (json_member_is(m, "totalTokens", NULL, NULL)) // Gemini's countTokens
		f->input = number(m);
	else if (json_member_is(m, "service_tier", NULL, NULL) ||
		 json_member_is(m, "response", "service_tier", NULL) ||
		 json_member_is(m, "serviceTier", "type", NULL))
		judge_tier(f, m);
	else if (view_eq_str(m->path[0], "error"))
		on_error_member(f, m);
}

void
facts_feed(struct facts *f, struct view bytes)
{
	if (f->scan == NULL) {
		forget_text(f);
		f->scan = base_realloc(NULL, sizeof(*f->scan));
		json_scan_init(f->scan, on_member, f);
		f->scan->arrays = true;
	}
	(void)json_scan_feed(f->scan, bytes.p, bytes.len);
}

bool
facts_end(struct facts *f)
{
	bool ok = f->scan != NULL && json_scan_end(f->scan) == SCAN_DONE;
	facts_free(f);
	return ok;
}

bool
facts_json(struct facts *f, struct view text)
{
	struct json_scan scan;
	forget_text(f);
	json_scan_init(&scan, on_member, f);
	scan.arrays = true;
	(void)json_scan_feed(&scan, text.p, text.len);
	return json_scan_end(&scan) == SCAN_DONE;
}

void
facts_usage(const struct facts *f, struct facts_usage *u_r)
{
	// Parts of the input that are more than it: a broken peer, and no reason to wrap around.
	uint64_t cached = MIN(f->cached_inside, f->input);
	uint64_t written = MIN(f->written_inside, f->input - cached);
	uint64_t input = f->input - cached - written;
	// Servers that say it both ways mean the same tokens.
	if (!f->inclusive && cached + written == 0) {
		cached = f->cache_read;
		written = f->cache_write;
	}
	*u_r = (struct facts_usage){
	    .known = f->counted,
	    .input = input + f->tool_input,
	    .cache_read = cached,
	    .cache_write = written - MIN(f->cache_write_1h, written),
	    .cache_write_1h = MIN(f->cache_write_1h, written),
	    .output = f->output + f->thoughts,
	    .reasoning = f->reasoning + f->thoughts,
	    .special = f->special,
	};
}

uint64_t
facts_tokens_in(const struct facts *f)
{
	struct facts_usage u;
	facts_usage(f, &u);
	return MIN(u.input + u.cache_read + u.cache_write + u.cache_write_1h, (uint64_t)UINT32_MAX);
}

uint64_t
facts_tokens_out(const struct facts *f)
{
	return MIN(f->output + f->thoughts, (uint64_t)UINT32_MAX);
}
