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
}

void
facts_init(struct facts *f)
{
	f->input = f->cache_read = f->cache_write = f->output = f->thoughts = 0;
	f->scan = NULL;
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

static const struct counter counters[] = {
    COUNTER("prompt_tokens", input),
    COUNTER("completion_tokens", output),
    COUNTER("input_tokens", input),
    COUNTER("output_tokens", output),
    COUNTER("cache_read_input_tokens", cache_read),
    COUNTER("cache_creation_input_tokens", cache_write),
    COUNTER("inputTokens", input),
    COUNTER("outputTokens", output),
    COUNTER("cacheReadInputTokens", cache_read),
    COUNTER("cacheWriteInputTokens", cache_write),
    COUNTER("inputTokenCount", input),
    COUNTER("outputTokenCount", output),
    // Gemini: the prompt's count includes what came from a cache, the candidates' count
    // leaves thoughts out.
    COUNTER("promptTokenCount", input),
    COUNTER("candidatesTokenCount", output),
    COUNTER("thoughtsTokenCount", thoughts),
};

// Members of "usage", of "message.usage" and "response.usage", and of Bedrock's
// invocation metrics.
static bool
in_usage(const struct json_member *m)
{
	if (m->level == 2)
		return view_eq_str(m->path[0], "usage") ||
		       view_eq_str(m->path[0], "usageMetadata") ||
		       view_eq_str(m->path[0], "amazon-bedrock-invocationMetrics");
	return m->level == 3 && view_eq_str(m->path[1], "usage") &&
	       (view_eq_str(m->path[0], "message") || view_eq_str(m->path[0], "response"));
}

static void
count(struct facts *f, const struct json_member *m)
{
	if (m->kind != SCAN_NUMBER)
		return;
	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		if (!view_eq_str(m->path[m->level - 1], counters[i].name))
			continue;
		uint64_t v = MIN(json_member_u64(m), (uint64_t)UINT32_MAX);
		memcpy((char *)f + counters[i].offset, &v, sizeof(v));
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
	if (json_member_is(m, "type", NULL, NULL))
		word(f->type, m);
	else if (json_member_is(m, "input_tokens", NULL, NULL) || // token counts
		 json_member_is(m, "inputTokens", NULL, NULL))
		count(f, m);
	else if (json_member_is(m, "totalTokens", NULL, NULL)) // Gemini's countTokens
		f->input = MIN(json_member_u64(m), (uint64_t)UINT32_MAX);
	else if (view_eq_str(m->path[0], "error"))
		on_error_member(f, m);
	else if (in_usage(m))
		count(f, m);
}

void
facts_feed(struct facts *f, struct view bytes)
{
	if (f->scan == NULL) {
		forget_text(f);
		f->scan = base_realloc(NULL, sizeof(*f->scan));
		json_scan_init(f->scan, on_member, f);
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
	(void)json_scan_feed(&scan, text.p, text.len);
	return json_scan_end(&scan) == SCAN_DONE;
}

uint64_t
facts_tokens_in(const struct facts *f)
{
	return MIN(f->input + f->cache_read + f->cache_write, (uint64_t)UINT32_MAX);
}

uint64_t
facts_tokens_out(const struct facts *f)
{
	return MIN(f->output + f->thoughts, (uint64_t)UINT32_MAX);
}
