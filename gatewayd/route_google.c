// SPDX-License-Identifier: Apache-2.0
// Paths of Google's two APIs, whose last segment is "{model}:{method}". Project and
// location of a Vertex path are not used: those of the credential are. Sources: Gemini
// API reference, Vertex AI API reference (publishers.models). Pure.
#include <string.h>

#include "gatewayd/route.h"

struct google_row {
	const char *method;
	enum operation op;
	bool stream;
	bool claude;
};

static const struct google_row google_rows[] = {
    {"generateContent", OP_GENERATE_CONTENT, false, false},
    {"streamGenerateContent", OP_STREAM_GENERATE_CONTENT, true, false},
    {"countTokens", OP_GOOGLE_COUNT_TOKENS, false, false},
    {"embedContent", OP_EMBED_CONTENT, false, false},
    {"batchEmbedContents", OP_BATCH_EMBED_CONTENTS, false, false},
    {"predict", OP_PREDICT, false, false},
    {"rawPredict", OP_RAW_PREDICT, false, true},
    {"streamRawPredict", OP_STREAM_RAW_PREDICT, true, true},
};

// Without it the answer is one array in pieces, which no client library asks for.
static bool
asks_for_sse(struct view query)
{
	const char *at = query.len == 0 ? NULL : memmem(query.p, query.len, "alt=sse", 7);
	return at != NULL && (at == query.p || at[-1] == '&');
}

static bool
method_of(struct route *r, const struct route_path *p, bool claude)
{
	struct view last = p->seg[p->n - 1];
	const char *colon = memrchr(last.p, ':', last.len);
	if (colon == NULL)
		return false;
	struct view model = {.p = last.p, .len = (size_t)(colon - last.p)};
	struct view name = {.p = colon + 1, .len = last.len - model.len - 1};
	for (size_t i = 0; i < ARRAY_LEN(google_rows); i++) {
		const struct google_row *row = &google_rows[i];
		if (!view_eq_str(name, row->method) || row->claude != claude)
			continue;
		bool count = row->op == OP_RAW_PREDICT && view_eq_str(model, "count-tokens");
		r->stream = row->stream;
		route_found(r, count ? OP_RAW_PREDICT_COUNT : row->op,
		    claude ? DIALECT_ANTHROPIC : DIALECT_GOOGLE, true, p->method);
		if (r->kind == ROUTE_OPERATION && row->op == OP_STREAM_GENERATE_CONTENT &&
		    !asks_for_sse(p->query))
			route_fail(r, 400, "invalid_query",
			    VIEW("streamGenerateContent is served as server-sent events only: add "
				 "?alt=sse."));
		if (r->kind == ROUTE_OPERATION && !count) // a count names its model in the body
			route_model(r, model);
		return true;
	}
	return false;
}

// projects/{p}/locations/{l}/publishers/{google|anthropic}/models/{m}:{method}
static bool
match_vertex(struct route *r, const struct route_path *p)
{
	r->dialect = DIALECT_GOOGLE;
	if (p->n != 8 || !view_eq_str(p->seg[2], "locations") ||
	    !view_eq_str(p->seg[4], "publishers") || !view_eq_str(p->seg[6], "models"))
		return false;
	bool claude = view_eq_str(p->seg[5], "anthropic");
	if (!claude && !view_eq_str(p->seg[5], "google"))
		return false;
	r->provider = PROVIDER_VERTEX;
	return method_of(r, p, claude);
}

static bool
is_version(struct view seg)
{
	return view_eq_str(seg, "v1beta") || view_eq_str(seg, "v1beta1") ||
	       view_eq_str(seg, "v1alpha") || view_eq_str(seg, "v1");
}

bool
route_google(struct route *r, const struct route_path *whole)
{
	struct route_path p = *whole;
	bool beta = false;
	if (p.n > 0 && is_version(p.seg[0])) {
		beta = !view_eq_str(p.seg[0], "v1");
		p.seg++;
		p.n--;
	}
	if (p.n > 0 && view_eq_str(p.seg[0], "projects"))
		return match_vertex(r, &p);
	if (p.n == 0 || !view_eq_str(p.seg[0], "models"))
		return false;
	if (p.n == 2 && method_of(r, &p, false))
		return true;
	// GET /v1/models is OpenAI's and Anthropic's too.
	bool ours = beta || r->provider == PROVIDER_GEMINI ||
		    (r->provider == 0 && r->dialect == DIALECT_GOOGLE);
	if (p.n > 2 || !ours)
		return false;
	route_found(
	    r, p.n == 1 ? OP_GOOGLE_MODELS : OP_GOOGLE_MODEL, DIALECT_GOOGLE, false, p.method);
	if (p.n == 2 && r->kind == ROUTE_OPERATION)
		route_model(r, p.seg[1]);
	// Only this API has such a list.
	r->provider = PROVIDER_GEMINI;
	return true;
}
