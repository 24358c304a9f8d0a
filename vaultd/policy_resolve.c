// SPDX-License-Identifier: Apache-2.0
// Models and operations upstream. Pure.
#include "vaultd/policy_resolve.h"

#include <string.h>

#include "proto/grammar.h"

// --- what was asked --------------------------------------------------------------------

// Bedrock ids come with the prefix of a profile: any first label, when the catalogue
// knows the rest.
static const struct catalogue_model *
behind_prefix(const struct catalogue *cat, struct view name)
{
	const char *dot = name.len == 0 ? NULL : memchr(name.p, '.', name.len);
	if (dot == NULL)
		return NULL;
	struct view prefix = {name.p, (size_t)(dot - name.p)};
	struct view rest = {dot + 1, name.len - prefix.len - 1};
	return grammar_prefix_valid(prefix) ? catalogue_model_upstream(cat, PROVIDER_BEDROCK, rest)
					    : NULL;
}

struct policy_asked
policy_resolve_asked(
    const struct catalogue *cat, uint64_t operation, struct view model, bool stream)
{
	struct policy_asked a = {
	    .operation = operation, .stream = stream, .model = model, .name = model};
	const char *slash = model.len == 0 ? NULL : memchr(model.p, '/', model.len);
	if (grammar_begins(model, "arn:")) {
		a.provider = PROVIDER_BEDROCK;
	} else if (slash != NULL &&
		   (slash + 1 < model.p + model.len || !catalogue_takes_model(operation))) {
		struct view first = {model.p, (size_t)(slash - model.p)};
		a.provider = ids_provider_of(first);
		if (a.provider != 0)
			a.name = (struct view){slash + 1, model.len - first.len - 1};
	}
	a.known = catalogue_model(cat, 0, a.name) != NULL ||
		  catalogue_model_upstream(cat, 0, a.name) != NULL ||
		  behind_prefix(cat, a.name) != NULL;
	return a;
}

// --- operations ------------------------------------------------------------------------

static bool
looks_like_claude(struct view name)
{
	return name.len != 0 && memmem(name.p, name.len, "claude", 6) != NULL;
}

static bool
is_claude(const struct policy_asked *a, const struct catalogue_model *row)
{
	if (row != NULL)
		return (row->flags & MODEL_CLAUDE) != 0;
	// An ARN does not tell; who asks in Claude's own dialect knows.
	return looks_like_claude(a->name) || grammar_begins(a->name, "arn:");
}

static uint64_t
chat_at(const struct policy_asked *a, const struct cred *c, const struct catalogue_model *row)
{
	bool stream = a->stream;
	switch (c->provider) {
	case PROVIDER_ANTHROPIC:
		return OP_ANTHROPIC_MESSAGES;
	case PROVIDER_BEDROCK:
		return stream ? OP_BEDROCK_CONVERSE_STREAM : OP_BEDROCK_CONVERSE;
	case PROVIDER_VERTEX:
		if (is_claude(a, row))
			return stream ? OP_STREAM_RAW_PREDICT : OP_RAW_PREDICT;
		return stream ? OP_STREAM_GENERATE_CONTENT : OP_GENERATE_CONTENT;
	case PROVIDER_GEMINI:
		return stream ? OP_STREAM_GENERATE_CONTENT : OP_GENERATE_CONTENT;
	default:
		return 0;
	}
}

static uint64_t
messages_at(const struct policy_asked *a, const struct cred *c, const struct catalogue_model *row)
{
	if (!is_claude(a, row))
		return 0;
	if (c->provider == PROVIDER_BEDROCK)
		return a->stream ? OP_BEDROCK_INVOKE_STREAM : OP_BEDROCK_INVOKE;
	if (c->provider == PROVIDER_VERTEX)
		return a->stream ? OP_STREAM_RAW_PREDICT : OP_RAW_PREDICT;
	return 0;
}

static uint64_t
count_at(const struct policy_asked *a, const struct cred *c, const struct catalogue_model *row)
{
	if (!is_claude(a, row))
		return 0;
	return c->provider == PROVIDER_BEDROCK	? OP_BEDROCK_COUNT_TOKENS
	       : c->provider == PROVIDER_VERTEX ? OP_RAW_PREDICT_COUNT
						: 0;
}

// Bedrock's embedding models have a body each: one that is not known cannot be asked.
static uint64_t
embeddings_at(const struct cred *c, const struct catalogue_model *row)
{
	if (c->provider == PROVIDER_BEDROCK)
		return row != NULL && (row->flags & (MODEL_TITAN_EMBED | MODEL_COHERE_EMBED)) != 0
			   ? OP_BEDROCK_INVOKE
			   : 0;
	return c->provider == PROVIDER_GEMINI	? OP_BATCH_EMBED_CONTENTS
	       : c->provider == PROVIDER_VERTEX ? OP_PREDICT
						: 0;
}

static uint64_t
translated(const struct policy_asked *a, const struct cred *c, const struct catalogue_model *row)
{
	bool embeds = row != NULL && (row->flags & MODEL_EMBEDDING) != 0;
	if (row == NULL && a->provider == 0)
		return 0; // an unknown name is nobody's but those who speak natively
	switch (a->operation) {
	case OP_OPENAI_CHAT:
		return embeds ? 0 : chat_at(a, c, row);
	case OP_ANTHROPIC_MESSAGES:
		return messages_at(a, c, row);
	case OP_ANTHROPIC_COUNT_TOKENS:
		return count_at(a, c, row);
	case OP_OPENAI_EMBEDDINGS:
		return row == NULL || embeds ? embeddings_at(c, row) : 0;
	default:
		return 0;
	}
}

// Operations that several providers have, so that the name of the model decides.
static bool
shared(uint64_t operation)
{
	return operation == OP_OPENAI_CHAT || operation == OP_OPENAI_RESPONSES ||
	       operation == OP_OPENAI_EMBEDDINGS || operation == OP_ANTHROPIC_MESSAGES ||
	       operation == OP_ANTHROPIC_COUNT_TOKENS;
}

// --- inference profiles ------------------------------------------------------------------

// True and the id with this prefix in front, if the profile can be called from here.
static bool
with_prefix(
    const struct catalogue *cat, const struct cred *c, unsigned prefix, struct policy_target *t)
{
	if (!catalogue_profile_serves(cat, prefix, t->row, view_of(c->region)))
		return false;
	struct text x;
	text_init(&x, t->room, sizeof(t->room));
	text_view(&x, cat->prefix[prefix]);
	text_char(&x, '.');
	text_view(&x, t->row->upstream);
	BUG_IF(x.failed); // 8 + 1 + 256
	t->model = text_done(&x);
	return true;
}

static bool
global_profile(const struct catalogue *cat, const struct cred *c, struct policy_target *t)
{
	int i = catalogue_prefix(cat, VIEW("global"));
	return i >= 0 && with_prefix(cat, c, (unsigned)i, t);
}

// Any but the global one: in which region's reach a prefix lies is the table's to say.
static bool
geo_profile(const struct catalogue *cat, const struct cred *c, struct policy_target *t)
{
	for (unsigned i = 0; i < cat->prefix_count; i++)
		if (!view_eq_str(cat->prefix[i], "global") && with_prefix(cat, c, i, t))
			return true;
	return false;
}

static bool
in_region(struct policy_target *t)
{
	t->model = t->row->upstream;
	return t->row->in_region;
}

// own_id: the client wrote Bedrock's own id, which means the model in the region.
static bool
choose_profile(
    const struct catalogue *cat, const struct cred *c, bool own_id, struct policy_target *t)
{
	struct view want = cred_setting(c, SETTING_PROFILE);
	if (want.len == 0 || view_eq_str(want, "auto"))
		return (own_id && in_region(t)) || geo_profile(cat, c, t) ||
		       global_profile(cat, c, t) || in_region(t);
	if (view_eq_str(want, "none"))
		return in_region(t);
	if (view_eq_str(want, "geo"))
		return geo_profile(cat, c, t) || in_region(t);
	int i = catalogue_prefix(cat, want);
	return i >= 0 && with_prefix(cat, c, (unsigned)i, t);
}

// Field n of "arn:partition:service:region:account:resource", the first is 0. The resource,
// which is the last, may hold colons.
static bool
arn_field(struct view arn, size_t n, struct view *r)
{
	struct view rest = arn;
	for (size_t i = 0; i < 5; i++) {
		const char *colon = rest.len == 0 ? NULL : memchr(rest.p, ':', rest.len);
		if (colon == NULL)
			return false;
		*r = (struct view){rest.p, (size_t)(colon - rest.p)};
		if (i == n)
			return true;
		rest = (struct view){colon + 1, rest.len - r->len - 1};
	}
	*r = rest;
	return true;
}

static bool
arn_region_fits(const struct cred *c, struct view model)
{
	struct view region;
	return arn_field(model, 3, &region) && view_eq_str(region, c->region);
}

// --- residency ---------------------------------------------------------------------------

// What of an ARN tells where it leads: the id of an inference profile, or "" for what is
// in the region itself. False: it may lead anywhere.
static bool
arn_place(struct view arn, struct view *id_r)
{
	static const char *const here[] = {"foundation-model/", "provisioned-model/",
	    "custom-model-deployment/", "imported-model/"};
	static const char profile[] = "inference-profile/";
	const size_t skip = sizeof(profile) - 1;
	struct view what;
	*id_r = (struct view){0};
	if (!arn_field(arn, 5, &what))
		return false;
	// A kind and one id: what has more parts is not an ARN that we understand.
	const char *slash = memchr(what.p, '/', what.len);
	if (slash == NULL ||
	    memchr(slash + 1, '/', what.len - (size_t)(slash + 1 - what.p)) != NULL)
		return false;
	if (grammar_begins(what, profile)) {
		*id_r = (struct view){what.p + skip, what.len - skip};
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(here); i++)
		if (grammar_begins(what, here[i]))
			return true;
	return false;
}

// Whether ids of the catalogue begin so: "anthropic", "amazon".
static bool
is_vendor(const struct catalogue *cat, struct view label)
{
	for (size_t i = 0; i < cat->model_count; i++) {
		struct view id = cat->model[i].upstream;
		if (cat->model[i].provider == PROVIDER_BEDROCK && id.len > label.len &&
		    id.p[label.len] == '.' && memcmp(id.p, label.p, label.len) == 0)
			return true;
	}
	return false;
}

// An id goes as the client wrote it, unless the credential keeps to a place: then it
// must be known to stay there. A prefix that nobody knows may lead anywhere.
static bool
stays(const struct catalogue *cat, const struct cred *c, struct view id)
{
	struct view want = cred_setting(c, SETTING_PROFILE);
	if (want.len == 0 || view_eq_str(want, "auto") || view_eq_str(want, "global"))
		return true;
	if (grammar_begins(id, "arn:") && !arn_place(id, &id))
		return false;
	const char *dot = id.len == 0 ? NULL : memchr(id.p, '.', id.len);
	struct view label = {id.p, dot == NULL ? 0 : (size_t)(dot - id.p)};
	bool geo = view_eq_str(want, "geo"), none = view_eq_str(want, "none");
	if (dot == NULL || is_vendor(cat, label)) // in the region
		return (geo || none) && (id.len == 0 || dot != NULL);
	int i = catalogue_prefix(cat, label);
	if (none || i < 0 || (geo ? view_eq_str(label, "global") : !view_eq(label, want)))
		return false;
	struct view rest = {dot + 1, id.len - label.len - 1};
	return catalogue_profile_has(cat, (unsigned)i, rest, view_of(c->region));
}

static enum policy_fit
bedrock_model(const struct catalogue *cat, const struct policy_asked *a, const struct cred *c,
    struct policy_target *t)
{
	t->model = a->name;
	if (grammar_begins(a->name, "arn:") && !arn_region_fits(c, a->name))
		return POLICY_FIT_REGION;
	bool own_id = t->row != NULL && view_eq(a->name, t->row->upstream);
	bool alias = t->row != NULL && view_eq(a->name, t->row->name);
	bool good = own_id || alias ? choose_profile(cat, c, own_id, t) : stays(cat, c, a->name);
	return good ? POLICY_FIT_GOOD : POLICY_FIT_NO_PROFILE;
}

// --- one credential ----------------------------------------------------------------------

static const struct catalogue_model *
row_of(const struct catalogue *cat, const struct policy_asked *a, uint64_t provider)
{
	const struct catalogue_model *row = catalogue_model(cat, provider, a->name);
	if (row == NULL)
		row = catalogue_model_upstream(cat, provider, a->name);
	if (row == NULL && provider == PROVIDER_BEDROCK)
		row = behind_prefix(cat, a->name);
	return row;
}

static struct view
azure_model(const struct policy_asked *a, const struct cred *c, const struct catalogue_model *row)
{
	struct view name = cred_deployment(c, a->name);
	if (name.len == 0 && row != NULL)
		name = cred_deployment(c, row->name);
	return name.len != 0 ? name : a->name;
}

// Whether the model is this provider's to serve, as far as its name tells.
static bool
is_theirs(const struct policy_asked *a, const struct cred *c, const struct catalogue_model *row)
{
	return a->provider != 0 || row != NULL || !a->known || !shared(a->operation) ||
	       c->provider == PROVIDER_OPENAI_COMPATIBLE ||
	       (c->provider == PROVIDER_AZURE && cred_deployment(c, a->name).len != 0);
}

enum policy_fit
policy_resolve(const struct catalogue *cat, const struct policy_asked *a, const struct cred *c,
    struct policy_target *t)
{
	*t = (struct policy_target){.operation = a->operation};
	if (a->provider != 0 && a->provider != c->provider)
		return POLICY_FIT_NONE;
	if (!catalogue_takes_model(a->operation))
		return catalogue_op(cat, a->operation, c->provider, cred_variant(c)) != NULL
			   ? POLICY_FIT_GOOD
			   : POLICY_FIT_NONE;
	t->row = row_of(cat, a, c->provider);
	if (!is_theirs(a, c, t->row))
		return POLICY_FIT_NONE;
	if (catalogue_op(cat, a->operation, c->provider, cred_variant(c)) == NULL) {
		t->operation = translated(a, c, t->row);
		t->translated = true;
		if (t->operation == 0 ||
		    catalogue_op(cat, t->operation, c->provider, cred_variant(c)) == NULL)
			return POLICY_FIT_NONE;
	}
	if (c->provider == PROVIDER_BEDROCK)
		return bedrock_model(cat, a, c, t);
	t->model = c->provider == PROVIDER_AZURE ? azure_model(a, c, t->row)
		   : t->row != NULL		 ? t->row->upstream
						 : a->name;
	return POLICY_FIT_GOOD;
}
