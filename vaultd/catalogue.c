// SPDX-License-Identifier: Apache-2.0
// The table of operations and the grammars of everything that goes into a head. Pure.
#include "vaultd/catalogue.h"

#include <string.h>

#define MIB 1048576U

#define FROM_OPENAI    (CATALOGUE_BIT(PROVIDER_OPENAI) | CATALOGUE_BIT(PROVIDER_OPENAI_COMPATIBLE))
#define FROM_ANTHROPIC CATALOGUE_BIT(PROVIDER_ANTHROPIC)
#define FROM_BEDROCK   CATALOGUE_BIT(PROVIDER_BEDROCK)

#define H_PLAIN	 (CATALOGUE_BIT(HEADER_CONTENT_TYPE) | CATALOGUE_BIT(HEADER_ACCEPT))
#define H_OPENAI (H_PLAIN | CATALOGUE_BIT(HEADER_OPENAI_BETA))
#define H_ANTHROPIC                                                                                \
	(H_PLAIN | CATALOGUE_BIT(HEADER_ANTHROPIC_VERSION) | CATALOGUE_BIT(HEADER_ANTHROPIC_BETA))
#define H_CONVERSE H_PLAIN
#define H_INVOKE                                                                                   \
	(H_PLAIN | CATALOGUE_BIT(HEADER_BEDROCK_ACCEPT) | CATALOGUE_BIT(HEADER_BEDROCK_TRACE) |    \
	    CATALOGUE_BIT(HEADER_BEDROCK_GUARDRAIL_ID) |                                           \
	    CATALOGUE_BIT(HEADER_BEDROCK_GUARDRAIL_VERSION) |                                      \
	    CATALOGUE_BIT(HEADER_BEDROCK_LATENCY) | CATALOGUE_BIT(HEADER_BEDROCK_SERVICE_TIER))

#define P_BETA CATALOGUE_BIT(PARAM_BETA)
#define P_PAGE                                                                                     \
	(CATALOGUE_BIT(PARAM_LIMIT) | CATALOGUE_BIT(PARAM_AFTER_ID) |                              \
	    CATALOGUE_BIT(PARAM_BEFORE_ID))

// Largest bodies: Anthropic 32 MB; Bedrock 25,000,000 bytes; OpenAI states none.
static const struct catalogue_op ops[] = {
    {OP_OPENAI_CHAT, "POST", "/v1/chat/completions", NULL, true, FROM_OPENAI, H_OPENAI, 0,
	64 * MIB},
    {OP_OPENAI_RESPONSES, "POST", "/v1/responses", NULL, true, FROM_OPENAI, H_OPENAI, 0, 64 * MIB},
    {OP_OPENAI_EMBEDDINGS, "POST", "/v1/embeddings", NULL, true, FROM_OPENAI, H_OPENAI, 0,
	64 * MIB},
    {OP_OPENAI_MODELS, "GET", "/v1/models", NULL, false, FROM_OPENAI, H_OPENAI, 0, 0},
    {OP_OPENAI_MODEL, "GET", "/v1/models/", "", true, FROM_OPENAI, H_OPENAI, 0, 0},
    {OP_ANTHROPIC_MESSAGES, "POST", "/v1/messages", NULL, true, FROM_ANTHROPIC, H_ANTHROPIC, P_BETA,
	32 * MIB},
    {OP_ANTHROPIC_COUNT_TOKENS, "POST", "/v1/messages/count_tokens", NULL, true, FROM_ANTHROPIC,
	H_ANTHROPIC, P_BETA, 32 * MIB},
    {OP_ANTHROPIC_MODELS, "GET", "/v1/models", NULL, false, FROM_ANTHROPIC, H_ANTHROPIC,
	P_BETA | P_PAGE, 0},
    {OP_BEDROCK_CONVERSE, "POST", "/model/", "/converse", true, FROM_BEDROCK, H_CONVERSE, 0,
	25000000},
    {OP_BEDROCK_CONVERSE_STREAM, "POST", "/model/", "/converse-stream", true, FROM_BEDROCK,
	H_CONVERSE, 0, 25000000},
    {OP_BEDROCK_INVOKE, "POST", "/model/", "/invoke", true, FROM_BEDROCK, H_INVOKE, 0, 25000000},
    {OP_BEDROCK_INVOKE_STREAM, "POST", "/model/", "/invoke-with-response-stream", true,
	FROM_BEDROCK, H_INVOKE, 0, 25000000},
};

const struct catalogue_op *
catalogue_find(uint64_t operation)
{
	if (operation == 0 || operation > ARRAY_LEN(ops))
		return NULL;
	const struct catalogue_op *op = &ops[operation - 1];
	BUG_IF(op->id != operation); // the table is in order of id
	return op;
}

bool
catalogue_serves(const struct catalogue_op *op, uint64_t provider)
{
	return provider < 32 && (op->providers & CATALOGUE_BIT(provider)) != 0;
}

bool
catalogue_auth_allowed(uint64_t provider, uint64_t auth)
{
	switch (provider) {
	case PROVIDER_OPENAI:
		return auth == AUTH_BEARER;
	case PROVIDER_ANTHROPIC:
	case PROVIDER_OPENAI_COMPATIBLE:
		return auth == AUTH_BEARER || auth == AUTH_API_KEY;
	case PROVIDER_BEDROCK:
		return auth == AUTH_BEARER || auth == AUTH_SIGV4 || auth == AUTH_STS_SESSION;
	default:
		return false;
	}
}

int
catalogue_host(uint64_t provider, struct view region, char host[254])
{
	struct text t;
	text_init(&t, host, 253);
	switch (provider) {
	case PROVIDER_OPENAI:
		text_str(&t, "api.openai.com");
		break;
	case PROVIDER_ANTHROPIC:
		text_str(&t, "api.anthropic.com");
		break;
	case PROVIDER_BEDROCK:
		if (!catalogue_region_valid(region))
			return -1;
		text_str(&t, "bedrock-runtime.");
		text_view(&t, region);
		text_str(&t, ".amazonaws.com");
		break;
	default:
		return -1;
	}
	host[t.len] = '\0';
	return 0;
}

// --- grammars --------------------------------------------------------------------

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
catalogue_region_valid(struct view r)
{
	if (r.len < 6 || r.len > 25 || !is_lower(r.p[0]) || !is_lower(r.p[1]))
		return false;
	size_t i = 2, words = 0;
	while (i + 1 < r.len && r.p[i] == '-' && is_lower(r.p[i + 1])) {
		for (i++; i < r.len && is_lower(r.p[i]);)
			i++;
		words++;
	}
	if (words == 0 || i >= r.len || r.p[i] != '-')
		return false;
	size_t digits = r.len - i - 1;
	if (digits < 1 || digits > 2)
		return false;
	return is_digit(r.p[i + 1]) && is_digit(r.p[r.len - 1]);
}

bool
catalogue_host_valid(struct view h)
{
	if (h.len == 0 || h.len > 253)
		return false;
	size_t label = 0;
	for (size_t i = 0; i < h.len; i++) {
		char c = h.p[i];
		if (c == '.') {
			if (label == 0 || h.p[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!is_lower(c) && !is_digit(c) && (c != '-' || label == 0))
			return false;
		if (++label > 63)
			return false;
	}
	return label != 0 && h.p[h.len - 1] != '-';
}

static bool
visible(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x21 || v.p[i] > 0x7e)
			return false;
	return true;
}

// A model id is one path segment on the wire ('/' is sent as %2F), but a server that
// decodes before it resolves would climb: no part between slashes may be "." or "..".
static bool
has_dot_segment(struct view m)
{
	size_t start = 0;
	for (size_t i = 0; i <= m.len; i++) {
		if (i < m.len && m.p[i] != '/')
			continue;
		struct view part = {m.p + start, i - start};
		if (view_eq_str(part, ".") || view_eq_str(part, ".."))
			return true;
		start = i + 1;
	}
	return false;
}

bool
catalogue_model_valid(struct view m)
{
	return m.len >= 1 && m.len <= 2048 && visible(m) && !has_dot_segment(m);
}

bool
catalogue_header_valid(struct view v)
{
	if (v.len == 0 || v.len > 2048 || v.p[0] == ' ' || v.p[v.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x20 || v.p[i] > 0x7e)
			return false;
	return true;
}

static bool
token_char(char c)
{
	return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
	       c == '.' || c == ':';
}

bool
catalogue_param_valid(uint64_t param, struct view v)
{
	switch (param) {
	case PARAM_BETA:
		return view_eq_str(v, "true") || view_eq_str(v, "false");
	case PARAM_LIMIT:
		for (size_t i = 0; i < v.len; i++)
			if (!is_digit(v.p[i]))
				return false;
		return v.len >= 1 && v.len <= 4;
	case PARAM_AFTER_ID:
	case PARAM_BEFORE_ID:
		for (size_t i = 0; i < v.len; i++)
			if (!token_char(v.p[i]))
				return false;
		return v.len >= 1 && v.len <= 128;
	default:
		return false;
	}
}

void
catalogue_path(const struct catalogue_op *op, struct view model, struct text *t)
{
	text_str(t, op->prefix);
	if (op->suffix == NULL)
		return;
	text_encoded(t, model, false);
	text_str(t, op->suffix);
}
