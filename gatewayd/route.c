// SPDX-License-Identifier: Apache-2.0
// The route table and the path rules. Sources: OpenAI API reference, Anthropic API
// reference, Bedrock runtime model (restJson1 bindings). Pure.
#include "gatewayd/route.h"

#include <string.h>

#define SEGMENTS_MAX 64U

struct row {
	enum operation op;
	enum api dialect;
	bool post;
	const char *path; // without a leading /v1
};

// {id} routes are handled by code.
static const struct row rows[] = {
    {OP_OPENAI_CHAT, DIALECT_OPENAI, true, "chat/completions"},
    {OP_OPENAI_RESPONSES, DIALECT_OPENAI, true, "responses"},
    {OP_OPENAI_EMBEDDINGS, DIALECT_OPENAI, true, "embeddings"},
    {OP_OPENAI_MODELS, DIALECT_OPENAI, false, "models"},
    {OP_ANTHROPIC_MESSAGES, DIALECT_ANTHROPIC, true, "messages"},
    {OP_ANTHROPIC_COUNT_TOKENS, DIALECT_ANTHROPIC, true, "messages/count_tokens"},
};

struct bedrock_row {
	const char *verb;
	enum operation op;
	bool stream;
};

static const struct bedrock_row bedrock_rows[] = {
    {"converse", OP_BEDROCK_CONVERSE, false},
    {"converse-stream", OP_BEDROCK_CONVERSE_STREAM, true},
    {"invoke", OP_BEDROCK_INVOKE, false},
    {"invoke-with-response-stream", OP_BEDROCK_INVOKE_STREAM, true},
    {"count-tokens", OP_BEDROCK_COUNT_TOKENS, false},
};

#define KNOWN_ROUTES                                                                               \
	"POST /v1/chat/completions, /v1/responses, /v1/embeddings; GET /v1/models, "               \
	"/v1/models/{id}; POST /v1/messages, /v1/messages/count_tokens; POST "                     \
	"/model/{id}/converse, converse-stream, invoke, invoke-with-response-stream, "             \
	"count-tokens; POST /v1beta/models/{id}:generateContent, streamGenerateContent, "          \
	"countTokens, embedContent, batchEmbedContents; GET /v1beta/models; POST "                 \
	"/v1/projects/{p}/locations/{l}/publishers/{google|anthropic}/models/{id}:{method}; POST " \
	"/openai/deployments/{id}/chat/completions, responses, embeddings; the same under "        \
	"/openai, /anthropic, /bedrock, /gemini, /vertex, /azure"

// --- decoding ------------------------------------------------------------------

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

// Percent-decodes into out; only visible ASCII may come out of it. Returns the
// length, or -1.
static ssize_t
decode(struct view in, char *out, size_t cap)
{
	size_t n = 0;
	for (size_t i = 0; i < in.len; i++) {
		int c = (unsigned char)in.p[i];
		if (c == '%') {
			if (in.len - i < 3 || hex(in.p[i + 1]) < 0 || hex(in.p[i + 2]) < 0)
				return -1;
			c = hex(in.p[i + 1]) << 4 | hex(in.p[i + 2]);
			i += 2;
		}
		if (c < 0x21 || c > 0x7e || n == cap)
			return -1;
		out[n++] = (char)c;
	}
	return (ssize_t)n;
}

// --- results -------------------------------------------------------------------

void
route_fail(struct route *r, unsigned status, const char *code, struct view message)
{
	r->kind = ROUTE_FAILED;
	r->failure = (struct failure){
	    .status = status, .code = code, .message = message, .final = true, .allow = r->allow};
}

void
route_not_found(struct route *r)
{
	route_fail(r, 404, "route_not_found",
	    VIEW("No such route. This gateway serves: " KNOWN_ROUTES "."));
}

// Known path: judge the method.
void
route_found(struct route *r, enum operation op, enum api d, bool post, struct view method)
{
	r->op = op;
	r->dialect = d;
	r->has_body = post;
	r->allow = post ? "POST, OPTIONS" : "GET, OPTIONS";
	if (view_eq_str(method, "OPTIONS"))
		r->kind = ROUTE_OPTIONS;
	else if (view_eq_str(method, post ? "POST" : "GET"))
		r->kind = ROUTE_OPERATION;
	else
		route_fail(r, 405, "method_not_allowed",
		    post ? VIEW("This route takes POST. This gateway serves: " KNOWN_ROUTES ".")
			 : VIEW("This route takes GET. This gateway serves: " KNOWN_ROUTES "."));
}

void
route_model(struct route *r, struct view raw)
{
	ssize_t n = decode(raw, r->model, sizeof(r->model));
	if (n <= 0) {
		route_fail(r, 400, "invalid_model",
		    VIEW("The model id in the path is empty, longer than 2048 characters or badly "
			 "percent-encoded."));
		return;
	}
	r->model_in_path = true;
	r->model_len = (size_t)n;
}

// --- matching ------------------------------------------------------------------

// The path without empty segments: "//v1/chat//completions/" is three of them.
static size_t
split(struct view path, struct view seg[SEGMENTS_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < path.len;) {
		const char *slash = memchr(path.p + i, '/', path.len - i);
		size_t len = slash == NULL ? path.len - i : (size_t)(slash - path.p) - i;
		if (len != 0) {
			if (n == SEGMENTS_MAX)
				return 0;
			seg[n++] = (struct view){.p = path.p + i, .len = len};
		}
		i += len + 1;
	}
	return n;
}

static struct view
between(struct view first, struct view last)
{
	return (struct view){.p = first.p, .len = (size_t)(last.p + last.len - first.p)};
}

// /model/{id}/{verb}: the id is everything between, for clients that send an ARN
// with plain slashes.
static void
match_bedrock(struct route *r, const struct view *seg, size_t n, struct view method)
{
	r->dialect = DIALECT_BEDROCK;
	for (size_t i = 0; i < ARRAY_LEN(bedrock_rows); i++) {
		if (!view_eq_str(seg[n - 1], bedrock_rows[i].verb))
			continue;
		r->stream = bedrock_rows[i].stream;
		route_found(r, bedrock_rows[i].op, DIALECT_BEDROCK, true, method);
		if (r->kind == ROUTE_OPERATION)
			route_model(r, between(seg[1], seg[n - 2]));
		return;
	}
	route_not_found(r);
}

static void
match_models(struct route *r, const struct view *seg, size_t n, struct view method, bool anthropic)
{
	if (anthropic && n == 1) {
		route_found(r, OP_ANTHROPIC_MODELS, DIALECT_ANTHROPIC, false, method);
		return;
	}
	if (anthropic)
		r->dialect = DIALECT_ANTHROPIC;
	route_found(r, n == 1 ? OP_OPENAI_MODELS : OP_OPENAI_MODEL,
	    anthropic ? DIALECT_ANTHROPIC : DIALECT_OPENAI, false, method);
	if (n > 1 && anthropic && r->kind == ROUTE_OPERATION)
		route_fail(r, 404, "route_not_found",
		    VIEW("Single models are not served for the Anthropic API; use GET "
			 "/v1/models."));
	else if (n > 1 && r->kind == ROUTE_OPERATION)
		route_model(r, between(seg[1], seg[n - 1]));
}

static bool
row_matches(const struct row *row, const struct view *seg, size_t n)
{
	const char *p = row->path;
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(p, "/");
		if (len != seg[i].len || memcmp(p, seg[i].p, len) != 0)
			return false;
		p += len;
		if (*p == '/')
			p++;
		else if (i + 1 != n)
			return false;
	}
	return *p == '\0';
}

static bool
match_plain(struct route *r, const struct view *seg, size_t n, struct view method, bool anthropic)
{
	if (n > 0 && view_eq_str(seg[0], "v1")) {
		seg++;
		n--;
	}
	if (n > 0 && view_eq_str(seg[0], "models")) {
		match_models(r, seg, n, method, anthropic);
		return true;
	}
	for (size_t i = 0; n > 0 && i < ARRAY_LEN(rows); i++) {
		if (!row_matches(&rows[i], seg, n))
			continue;
		route_found(r, rows[i].op, rows[i].dialect, rows[i].post, method);
		return true;
	}
	return false;
}

// /openai/deployments/{id}/chat/completions: what clients for Azure send.
static bool
match_deployment(struct route *r, const struct route_path *p)
{
	bool ours = p->n >= 3 && view_eq_str(p->seg[0], "deployments") &&
		    match_plain(r, p->seg + 2, p->n - 2, p->method, false) && r->has_body;
	if (ours && r->kind == ROUTE_OPERATION)
		route_model(r, p->seg[1]);
	return ours;
}

// --- prefixes ------------------------------------------------------------------------

#define BIT(n) (1U << (unsigned)(n))

static const unsigned served[PROVIDER_LAST + 1] = {
    [PROVIDER_OPENAI] = BIT(OP_OPENAI_CHAT) | BIT(OP_OPENAI_RESPONSES) | BIT(OP_OPENAI_EMBEDDINGS) |
			BIT(OP_OPENAI_MODELS) | BIT(OP_OPENAI_MODEL),
    [PROVIDER_ANTHROPIC] =
	BIT(OP_ANTHROPIC_MESSAGES) | BIT(OP_ANTHROPIC_COUNT_TOKENS) | BIT(OP_ANTHROPIC_MODELS),
    [PROVIDER_BEDROCK] = BIT(OP_BEDROCK_CONVERSE) | BIT(OP_BEDROCK_CONVERSE_STREAM) |
			 BIT(OP_BEDROCK_INVOKE) | BIT(OP_BEDROCK_INVOKE_STREAM) |
			 BIT(OP_BEDROCK_COUNT_TOKENS),
    [PROVIDER_GEMINI] = BIT(OP_GENERATE_CONTENT) | BIT(OP_STREAM_GENERATE_CONTENT) |
			BIT(OP_GOOGLE_COUNT_TOKENS) | BIT(OP_EMBED_CONTENT) |
			BIT(OP_BATCH_EMBED_CONTENTS) | BIT(OP_GOOGLE_MODELS) | BIT(OP_GOOGLE_MODEL),
    [PROVIDER_AZURE] = BIT(OP_OPENAI_CHAT) | BIT(OP_OPENAI_RESPONSES) | BIT(OP_OPENAI_EMBEDDINGS) |
		       BIT(OP_OPENAI_MODELS),
    [PROVIDER_VERTEX] = BIT(OP_GENERATE_CONTENT) | BIT(OP_STREAM_GENERATE_CONTENT) |
			BIT(OP_GOOGLE_COUNT_TOKENS) | BIT(OP_EMBED_CONTENT) | BIT(OP_PREDICT) |
			BIT(OP_RAW_PREDICT) | BIT(OP_STREAM_RAW_PREDICT) |
			BIT(OP_RAW_PREDICT_COUNT),
};

static enum provider
prefix_of(struct view seg)
{
	unsigned p = ids_provider_of(seg);
	return p != 0 && p <= PROVIDER_LAST && served[p] != 0 ? (enum provider)p : 0;
}

// The model becomes "provider/model", as the vault reads it.
static void
name_provider(struct route *r)
{
	const char *name = ids_provider(r->provider);
	size_t n = strlen(name);
	if (r->op == 0 || (served[r->provider] & BIT(r->op)) == 0) {
		route_not_found(r);
		return;
	}
	if (r->kind != ROUTE_OPERATION)
		return;
	if (!r->model_in_path)
		r->model_len = 0;
	if (r->model_len + n + 1 > sizeof(r->model)) {
		route_fail(r, 400, "invalid_model", VIEW("The model id in the path is too long."));
		return;
	}
	memmove(r->model + n + 1, r->model, r->model_len);
	memcpy(r->model, name, n);
	r->model[n] = '/';
	r->model_len += n + 1;
}

static void
match(struct route *r, struct route_path *p, enum api hint)
{
	enum provider prefix = p->n > 0 ? prefix_of(p->seg[0]) : 0;
	if (prefix != 0) {
		p->seg++;
		p->n--;
		r->provider = prefix;
	}
	if (prefix == PROVIDER_AZURE && p->n > 0 && view_eq_str(p->seg[0], "openai")) {
		p->seg++;
		p->n--;
	}
	bool anthropic = prefix == PROVIDER_ANTHROPIC || (prefix == 0 && hint == DIALECT_ANTHROPIC);
	r->dialect = anthropic ? DIALECT_ANTHROPIC : prefix == 0 ? hint : DIALECT_OPENAI;
	if ((prefix == PROVIDER_AZURE || prefix == PROVIDER_OPENAI) && match_deployment(r, p))
		r->provider = PROVIDER_AZURE;
	else if (p->n >= 3 && view_eq_str(p->seg[0], "model"))
		match_bedrock(r, p->seg, p->n, p->method);
	else if (!route_google(r, p) && !match_plain(r, p->seg, p->n, p->method, anthropic))
		route_not_found(r);
	if (r->provider != 0)
		name_provider(r);
}

// --- query ---------------------------------------------------------------------

static bool
param_wanted(enum operation op, unsigned id)
{
	switch (op) {
	case OP_ANTHROPIC_MESSAGES:
	case OP_ANTHROPIC_COUNT_TOKENS:
		return id == PARAM_BETA;
	case OP_ANTHROPIC_MODELS:
		return id == PARAM_BETA || id == PARAM_LIMIT || id == PARAM_AFTER_ID ||
		       id == PARAM_BEFORE_ID;
	case OP_GOOGLE_MODELS:
		return id == PARAM_PAGE_SIZE || id == PARAM_PAGE_TOKEN;
	default:
		return false;
	}
}

// Known parameters are kept; others (api-version and the like) mean nothing here
// and are dropped. Names are not decoded: nobody encodes them.
static void
parse_query(struct route *r, struct view query)
{
	size_t used = 0;
	while (query.len > 0) {
		const char *amp = memchr(query.p, '&', query.len);
		struct view pair = {
		    .p = query.p, .len = amp == NULL ? query.len : (size_t)(amp - query.p)};
		query.p += pair.len + (amp != NULL);
		query.len -= pair.len + (amp != NULL);
		const char *eq = pair.len == 0 ? NULL : memchr(pair.p, '=', pair.len);
		if (eq == NULL)
			continue;
		unsigned id =
		    ids_param_of((struct view){.p = pair.p, .len = (size_t)(eq - pair.p)});
		if (id == 0 || !param_wanted(r->op, id))
			continue;
		struct view raw = {.p = eq + 1, .len = (size_t)(pair.p + pair.len - eq - 1)};
		ssize_t n = decode(raw, r->param_text + used, sizeof(r->param_text) - used);
		bool twice = false;
		for (size_t i = 0; i < r->param_count; i++)
			twice = twice || r->param[i].id == id;
		if (n < 0 || twice || r->param_count == MSG_PARAMS_MAX) {
			route_fail(r, 400, "invalid_query",
			    VIEW("A query parameter is repeated, too long or badly encoded."));
			return;
		}
		r->param[r->param_count++] = (struct msg_named){
		    .id = id, .value = {.p = r->param_text + used, .len = (size_t)n}};
		used += (size_t)n;
	}
}

void
route_find(
    struct view method, struct view path, struct view query, enum api hint, struct route *r_r)
{
	memset(r_r, 0, offsetof(struct route, model));
	r_r->param_count = 0;
	if (view_eq_str(path, "/healthz")) {
		r_r->allow = "GET";
		r_r->kind = ROUTE_HEALTH;
		if (!view_eq_str(method, "GET"))
			route_fail(r_r, 405, "method_not_allowed", VIEW("This route takes GET."));
		return;
	}
	struct view seg[SEGMENTS_MAX];
	struct route_path p = {.seg = seg, .n = split(path, seg), .method = method, .query = query};
	match(r_r, &p, hint);
	if (r_r->kind == ROUTE_OPERATION && query.len != 0)
		parse_query(r_r, query);
}
