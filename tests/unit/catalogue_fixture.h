// SPDX-License-Identifier: Apache-2.0
// A small catalogue for tests: every operation of every provider, a few models with
// each property that decides something, inference profiles. Tests do not depend on
// the one that is built in, which changes with the market.
#ifndef TESTS_UNIT_CATALOGUE_FIXTURE_H
#define TESTS_UNIT_CATALOGUE_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "vaultd/catalogue.h"

#define FX_MIB	     1048576U
#define FX_PLAIN     "content-type accept"
#define FX_OPENAI    FX_PLAIN " openai-beta"
#define FX_ANTHROPIC FX_PLAIN " anthropic-version anthropic-beta"
#define FX_GOOGLE    FX_PLAIN " x-goog-api-client x-server-timeout"
#define FX_VERTEX    FX_GOOGLE " x-vertex-ai-llm-request-type x-vertex-ai-llm-shared-request-type"
#define FX_INVOKE                                                                                  \
	FX_PLAIN " x-amzn-bedrock-accept x-amzn-bedrock-trace x-amzn-bedrock-guardrailidentifier " \
		 "x-amzn-bedrock-guardrailversion x-amzn-bedrock-performanceconfig-latency "       \
		 "x-amzn-bedrock-service-tier"
#define FX_AI	  "/v1beta/models/{model}"
#define FX_GOOG	  "/v1/projects/{project}/locations/{region}/publishers/google/models/{model}"
#define FX_CLAUDE "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/"

struct fx_op {
	uint64_t id, provider, variant;
	const char *method, *path, *query, *headers, *params;
	uint64_t max_body;
};

#define FX_POST(op, p, path, q, h, par, mib)                                                       \
	{                                                                                          \
		(op), (p), 0, "POST", (path), (q), (h), (par), (mib)*FX_MIB                        \
	}
#define FX_GET(op, p, path, h, par)                                                                \
	{                                                                                          \
		(op), (p), 0, "GET", (path), "", (h), (par), 0                                     \
	}

static const struct fx_op fx_ops[] = {
    FX_POST(OP_OPENAI_CHAT, PROVIDER_OPENAI, "/v1/chat/completions", "", FX_OPENAI, "", 64),
    FX_POST(
	OP_OPENAI_CHAT, PROVIDER_OPENAI_COMPATIBLE, "/v1/chat/completions", "", FX_OPENAI, "", 64),
    FX_POST(OP_OPENAI_CHAT, PROVIDER_AZURE, "/openai/v1/chat/completions", "", FX_OPENAI,
	"api-version", 64),
    {OP_OPENAI_CHAT, PROVIDER_AZURE, 1, "POST", "/openai/deployments/{model}/chat/completions", "",
	FX_PLAIN, "api-version", 64U * FX_MIB},
    FX_POST(OP_OPENAI_RESPONSES, PROVIDER_OPENAI, "/v1/responses", "", FX_OPENAI, "", 64),
    FX_POST(
	OP_OPENAI_RESPONSES, PROVIDER_OPENAI_COMPATIBLE, "/v1/responses", "", FX_OPENAI, "", 64),
    FX_POST(OP_OPENAI_RESPONSES, PROVIDER_AZURE, "/openai/v1/responses", "", FX_OPENAI,
	"api-version", 64),
    FX_POST(OP_OPENAI_EMBEDDINGS, PROVIDER_OPENAI, "/v1/embeddings", "", FX_OPENAI, "", 64),
    FX_POST(
	OP_OPENAI_EMBEDDINGS, PROVIDER_OPENAI_COMPATIBLE, "/v1/embeddings", "", FX_OPENAI, "", 64),
    FX_POST(OP_OPENAI_EMBEDDINGS, PROVIDER_AZURE, "/openai/v1/embeddings", "", FX_OPENAI,
	"api-version", 64),
    {OP_OPENAI_EMBEDDINGS, PROVIDER_AZURE, 1, "POST", "/openai/deployments/{model}/embeddings", "",
	FX_PLAIN, "api-version", 64U * FX_MIB},
    FX_GET(OP_OPENAI_MODELS, PROVIDER_OPENAI, "/v1/models", FX_OPENAI, ""),
    FX_GET(OP_OPENAI_MODELS, PROVIDER_OPENAI_COMPATIBLE, "/v1/models", FX_OPENAI, ""),
    FX_GET(OP_OPENAI_MODELS, PROVIDER_AZURE, "/openai/v1/models", FX_OPENAI, "api-version"),
    FX_GET(OP_OPENAI_MODEL, PROVIDER_OPENAI, "/v1/models/{model}", FX_OPENAI, ""),
    FX_GET(OP_OPENAI_MODEL, PROVIDER_OPENAI_COMPATIBLE, "/v1/models/{model}", FX_OPENAI, ""),
    FX_POST(
	OP_ANTHROPIC_MESSAGES, PROVIDER_ANTHROPIC, "/v1/messages", "", FX_ANTHROPIC, "beta", 32),
    FX_POST(OP_ANTHROPIC_COUNT_TOKENS, PROVIDER_ANTHROPIC, "/v1/messages/count_tokens", "",
	FX_ANTHROPIC, "beta", 32),
    FX_GET(OP_ANTHROPIC_MODELS, PROVIDER_ANTHROPIC, "/v1/models", FX_ANTHROPIC,
	"beta limit after_id before_id"),
    FX_POST(OP_BEDROCK_CONVERSE, PROVIDER_BEDROCK, "/model/{model}/converse", "", FX_PLAIN, "", 23),
    FX_POST(OP_BEDROCK_CONVERSE_STREAM, PROVIDER_BEDROCK, "/model/{model}/converse-stream", "",
	FX_PLAIN, "", 23),
    FX_POST(OP_BEDROCK_INVOKE, PROVIDER_BEDROCK, "/model/{model}/invoke", "", FX_INVOKE, "", 23),
    FX_POST(OP_BEDROCK_INVOKE_STREAM, PROVIDER_BEDROCK,
	"/model/{model}/invoke-with-response-stream", "", FX_INVOKE, "", 23),
    FX_POST(OP_BEDROCK_COUNT_TOKENS, PROVIDER_BEDROCK, "/model/{model}/count-tokens", "", FX_PLAIN,
	"", 23),
    FX_POST(OP_GENERATE_CONTENT, PROVIDER_GEMINI, FX_AI ":generateContent", "", FX_GOOGLE, "", 20),
    FX_POST(OP_STREAM_GENERATE_CONTENT, PROVIDER_GEMINI, FX_AI ":streamGenerateContent", "alt=sse",
	FX_GOOGLE, "", 20),
    FX_POST(OP_GOOGLE_COUNT_TOKENS, PROVIDER_GEMINI, FX_AI ":countTokens", "", FX_GOOGLE, "", 20),
    FX_POST(OP_EMBED_CONTENT, PROVIDER_GEMINI, FX_AI ":embedContent", "", FX_GOOGLE, "", 20),
    FX_POST(OP_BATCH_EMBED_CONTENTS, PROVIDER_GEMINI, FX_AI ":batchEmbedContents", "", FX_GOOGLE,
	"", 20),
    FX_GET(OP_GOOGLE_MODELS, PROVIDER_GEMINI, "/v1beta/models", FX_GOOGLE, "pageSize pageToken"),
    FX_GET(OP_GOOGLE_MODEL, PROVIDER_GEMINI, FX_AI, FX_GOOGLE, ""),
    FX_POST(
	OP_GENERATE_CONTENT, PROVIDER_VERTEX, FX_GOOG ":generateContent", "", FX_VERTEX, "", 20),
    FX_POST(OP_STREAM_GENERATE_CONTENT, PROVIDER_VERTEX, FX_GOOG ":streamGenerateContent",
	"alt=sse", FX_VERTEX, "", 20),
    FX_POST(OP_GOOGLE_COUNT_TOKENS, PROVIDER_VERTEX, FX_GOOG ":countTokens", "", FX_VERTEX, "", 20),
    FX_POST(OP_PREDICT, PROVIDER_VERTEX, FX_GOOG ":predict", "", FX_VERTEX, "", 20),
    FX_POST(OP_RAW_PREDICT, PROVIDER_VERTEX, FX_CLAUDE "{model}:rawPredict", "",
	FX_VERTEX " anthropic-beta", "", 30),
    FX_POST(OP_STREAM_RAW_PREDICT, PROVIDER_VERTEX, FX_CLAUDE "{model}:streamRawPredict", "",
	FX_VERTEX " anthropic-beta", "", 30),
    FX_POST(OP_RAW_PREDICT_COUNT, PROVIDER_VERTEX, FX_CLAUDE "count-tokens:rawPredict", "",
	FX_VERTEX " anthropic-beta", "", 30),
};

static const struct msg_catalogue_host fx_hosts[] = {
    {PROVIDER_OPENAI, {"*", 1}, {"api.openai.com", 14}},
    {PROVIDER_ANTHROPIC, {"*", 1}, {"api.anthropic.com", 17}},
    {PROVIDER_GEMINI, {"*", 1}, {"generativelanguage.googleapis.com", 33}},
    {PROVIDER_BEDROCK, {"*", 1}, {"bedrock-runtime.{region}.amazonaws.com", 38}},
    {PROVIDER_BEDROCK, {"cn-north-1", 10}, {"bedrock-runtime.{region}.amazonaws.com.cn", 41}},
    {PROVIDER_VERTEX, {"*", 1}, {"{region}-aiplatform.googleapis.com", 34}},
    {PROVIDER_VERTEX, {"global", 6}, {"aiplatform.googleapis.com", 25}},
    {PROVIDER_VERTEX, {"us", 2}, {"aiplatform.us.rep.googleapis.com", 32}},
    {PROVIDER_VERTEX, {"eu", 2}, {"aiplatform.eu.rep.googleapis.com", 32}},
};

struct fx_model {
	uint64_t provider;
	const char *name, *upstream;
	uint64_t flags;
	const char *profiles;
	bool in_region;
};

#define FX_EMBED MODEL_EMBEDDING

static const struct fx_model fx_models[] = {
    {PROVIDER_OPENAI, "gpt-4o", "gpt-4o", 0, "", false},
    {PROVIDER_AZURE, "gpt-4o", "gpt-4o", 0, "", false},
    {PROVIDER_OPENAI, "text-embedding-3-small", "text-embedding-3-small", FX_EMBED, "", false},
    {PROVIDER_ANTHROPIC, "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", MODEL_CLAUDE, "",
	false},
    {PROVIDER_BEDROCK, "claude-sonnet-4-5", "anthropic.claude-sonnet-4-5-20250929-v1:0",
	MODEL_CLAUDE, "us eu jp global", false},
    {PROVIDER_VERTEX, "claude-sonnet-4-5", "claude-sonnet-4-5@20250929", MODEL_CLAUDE, "", false},
    {PROVIDER_BEDROCK, "claude-opus-4-1", "anthropic.claude-opus-4-1-20250805-v1:0", MODEL_CLAUDE,
	"us", false},
    {PROVIDER_BEDROCK, "nova-lite", "amazon.nova-lite-v1:0", 0, "us eu", true},
    {PROVIDER_BEDROCK, "titan-embed", "amazon.titan-embed-text-v2:0", FX_EMBED | MODEL_TITAN_EMBED,
	"", true},
    {PROVIDER_GEMINI, "gemini-2.5-flash", "gemini-2.5-flash", 0, "", false},
    {PROVIDER_VERTEX, "gemini-2.5-flash", "gemini-2.5-flash", 0, "", false},
    {PROVIDER_GEMINI, "gemini-embedding-001", "gemini-embedding-001", FX_EMBED, "", false},
    {PROVIDER_VERTEX, "gemini-embedding-001", "gemini-embedding-001", FX_EMBED, "", false},
};

static const struct {
	const char *prefix, *model, *sources;
} fx_profiles[] = {
    {"us", "*", "us-east-1 us-west-2 ca-central-1"},
    {"eu", "*", "eu-central-1 eu-west-1"},
    {"jp", "anthropic.claude-sonnet-4-5*", "ap-northeast-1"},
    {"global", "anthropic.*", "us-east-1 eu-central-1 ap-northeast-1 ap-south-1"},
};

struct fx_buf {
	uint8_t *p;
	size_t len;
	size_t rows;
};

// Appends a frame; may be called by tests that want a row of their own.
static inline void
fx_frame(struct fx_buf *b, uint8_t type, const void *m)
{
	b->p = base_realloc(b->p, b->len + FRAME_HEADER_LEN + FRAME_PAYLOAD_MAX);
	struct frame f = {.type = type};
	uint8_t *at = b->p + b->len;
	f.len = msg_encode(type, m, at + FRAME_HEADER_LEN, FRAME_PAYLOAD_MAX);
	BUG_IF(f.len == 0);
	frame_write_header(at, &f);
	b->len += FRAME_HEADER_LEN + f.len;
	b->rows += type >= MSG_CATALOGUE_HOST && type <= MSG_CATALOGUE_PROFILE;
}

static inline size_t
fx_words(const char *s, struct msg_name *out)
{
	size_t n = 0;
	while (*s != '\0') {
		size_t len = strcspn(s, " ");
		out[n++].name = (struct view){s, len};
		s += len + (s[len] == ' ');
	}
	return n;
}

static inline void
fx_add_op(struct fx_buf *b, const struct fx_op *o)
{
	struct msg_catalogue_op m = {.operation = o->id,
	    .provider = o->provider,
	    .variant = o->variant,
	    .method = view_of(o->method),
	    .path = view_of(o->path),
	    .query = view_of(o->query),
	    .max_body = o->max_body};
	m.header_count = fx_words(o->headers, m.allowed_header);
	m.param_count = fx_words(o->params, m.allowed_param);
	fx_frame(b, MSG_CATALOGUE_OP, &m);
}

static inline void
fx_add_model(struct fx_buf *b, const struct fx_model *o)
{
	struct msg_catalogue_model m = {.provider = o->provider,
	    .name = view_of(o->name),
	    .upstream = view_of(o->upstream),
	    .flags = o->flags,
	    .in_region = o->in_region};
	m.profile_count = fx_words(o->profiles, m.profile);
	fx_frame(b, MSG_CATALOGUE_MODEL, &m);
}

static inline void
fx_rows(struct fx_buf *b)
{
	for (size_t i = 0; i < ARRAY_LEN(fx_hosts); i++)
		fx_frame(b, MSG_CATALOGUE_HOST, &fx_hosts[i]);
	for (size_t i = 0; i < ARRAY_LEN(fx_ops); i++)
		fx_add_op(b, &fx_ops[i]);
	for (size_t i = 0; i < ARRAY_LEN(fx_models); i++)
		fx_add_model(b, &fx_models[i]);
	for (size_t i = 0; i < ARRAY_LEN(fx_profiles); i++) {
		static struct msg_catalogue_profile m;
		m = (struct msg_catalogue_profile){.prefix = view_of(fx_profiles[i].prefix),
		    .model = view_of(fx_profiles[i].model)};
		struct msg_name names[8];
		m.source_count = fx_words(fx_profiles[i].sources, names);
		memcpy(m.source, names, m.source_count * sizeof(names[0]));
		fx_frame(b, MSG_CATALOGUE_PROFILE, &m);
	}
}

// BEGIN around rows, END. The caller frees b->p.
static inline void
fx_begin(struct fx_buf *b, uint64_t rows)
{
	struct msg_catalogue_begin m = {
	    .source = VIEW("fixture"), .as_of = VIEW("2026-11-21"), .rows = rows};
	fx_frame(b, MSG_CATALOGUE_BEGIN, &m);
}

static inline void
fx_end(struct fx_buf *b)
{
	fx_frame(b, MSG_CATALOGUE_END, &(struct msg_catalogue_end){b->rows});
}

#define FX_ROWS                                                                                    \
	(ARRAY_LEN(fx_hosts) + ARRAY_LEN(fx_ops) + ARRAY_LEN(fx_models) + ARRAY_LEN(fx_profiles))

static inline struct catalogue *
fx_catalogue(void)
{
	struct fx_buf b = {0};
	struct catalogue_error e;
	fx_begin(&b, FX_ROWS);
	fx_rows(&b);
	fx_end(&b);
	struct catalogue *c = catalogue_parse((struct view){(const char *)b.p, b.len}, &e);
	BUG_IF(c == NULL);
	free(b.p);
	return c;
}

#endif
