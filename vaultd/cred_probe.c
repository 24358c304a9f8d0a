// SPDX-License-Identifier: Apache-2.0
// Test requests. Pure.
#include "vaultd/cred_probe.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "proto/grammar.h"

// --- bodies ------------------------------------------------------------------------

#define TURN "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define PART "{\"parts\":[{\"text\":\"Hi\"}]}"
#define SAID "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]}]"

// @ stands for the model. Reasoning models take only the newer name of the limit, and use
// some tokens before the first that is seen; other servers often know only the older.
static const struct {
	uint64_t operation;
	const char *body;
} bodies[] = {
    {OP_OPENAI_CHAT, "{\"model\":\"@\"," TURN ",\"max_completion_tokens\":16}"},
    {OP_OPENAI_EMBEDDINGS, "{\"model\":\"@\",\"input\":\"Hi\"}"},
    {OP_ANTHROPIC_MESSAGES, "{\"model\":\"@\"," TURN ",\"max_tokens\":1}"},
    {OP_BEDROCK_CONVERSE, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}],"
			  "\"inferenceConfig\":{\"maxTokens\":1}}"},
    {OP_GENERATE_CONTENT, "{" SAID ",\"generationConfig\":{\"maxOutputTokens\":1}}"},
    {OP_GOOGLE_COUNT_TOKENS, "{" SAID "}"},
    {OP_BATCH_EMBED_CONTENTS, "{\"requests\":[{\"model\":\"models/@\",\"content\":" PART "}]}"},
    {OP_PREDICT, "{\"instances\":[{\"content\":\"Hi\"}]}"},
    {OP_RAW_PREDICT, "{\"anthropic_version\":\"vertex-2023-10-16\"," TURN ",\"max_tokens\":1}"},
    {OP_RAW_PREDICT_COUNT, "{\"model\":\"@\"," TURN "}"},
};

#define COMPATIBLE "{\"model\":\"@\"," TURN ",\"max_tokens\":1}"
#define TITAN	   "{\"inputText\":\"Hi\"}"
#define COHERE	   "{\"texts\":[\"Hi\"],\"input_type\":\"search_query\"}"

static const char *
body_of(const struct cred_probe *p, const struct cred *c)
{
	const struct catalogue_model *row = p->target.row;
	if (p->op->id == OP_OPENAI_CHAT && c->provider == PROVIDER_OPENAI_COMPATIBLE)
		return COMPATIBLE;
	if (p->op->id == OP_BEDROCK_INVOKE)
		return row != NULL && (row->flags & MODEL_COHERE_EMBED) != 0 ? COHERE : TITAN;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		if (bodies[i].operation == p->op->id)
			return bodies[i].body;
	return NULL;
}

static void
put_body(struct cred_probe *p, const char *template)
{
	struct text t;
	text_init(&t, p->body, sizeof(p->body));
	for (const char *s = template; *s != '\0'; s++)
		if (*s == '@')
			text_view(&t, p->model); // no quote, no backslash: checked
		else
			text_char(&t, *s);
	BUG_IF(t.failed);
	p->body_len = t.len;
}

// --- which model -------------------------------------------------------------------

// One that costs little and that nearly every account has, first that the catalogue knows.
static const char *const cheap[] = {"gemini-2.5-flash-lite", "gemini-3.1-flash-lite",
    "gemini-2.5-flash", "nova-micro", "nova-lite", "claude-haiku-4-5"};

static bool
take_model(struct cred_probe *p, struct view model)
{
	return grammar_model_valid(model) && memchr(model.p, '"', model.len) == NULL &&
	       memchr(model.p, '\\', model.len) == NULL &&
	       view_copy(model, p->asked_text, sizeof(p->asked_text)) == 0;
}

// What this credential can do with the model in p->asked_text.
static enum policy_fit
resolve(struct cred_probe *p, const struct catalogue *cat, const struct cred *c)
{
	struct view model = view_of(p->asked_text);
	struct policy_asked a = policy_resolve_asked(cat, OP_OPENAI_CHAT, model, false);
	if (a.provider == 0)
		a.provider = c->provider; // the credential is named: whose model is no question
	enum policy_fit fit = policy_resolve(cat, &a, c, &p->target);
	bool embeds = p->target.row != NULL && (p->target.row->flags & MODEL_EMBEDDING) != 0;
	if (fit == POLICY_FIT_NONE || embeds) {
		a.operation = OP_OPENAI_EMBEDDINGS;
		fit = policy_resolve(cat, &a, c, &p->target);
	}
	return fit;
}

static bool
fits(struct cred_probe *p, const struct catalogue *cat, const struct cred *c, struct view model)
{
	return model.p[model.len - 1] != '*' && take_model(p, model) &&
	       resolve(p, cat, c) == POLICY_FIT_GOOD;
}

// What the credential is restricted to, else a cheap one, else any of the provider's.
static bool
choose(struct cred_probe *p, const struct catalogue *cat, const struct cred *c)
{
	struct msg_name name[MSG_NAMES_MAX];
	size_t count = 0;
	names_fill(&c->models, name, &count);
	for (size_t i = 0; i < count; i++)
		if (name[i].name.len != 0 && fits(p, cat, c, name[i].name))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(cheap); i++)
		if (catalogue_model(cat, c->provider, view_of(cheap[i])) != NULL &&
		    fits(p, cat, c, view_of(cheap[i])))
			return true;
	for (size_t i = 0; i < cat->model_count; i++)
		if (cat->model[i].provider == c->provider &&
		    (cat->model[i].flags & MODEL_EMBEDDING) == 0 &&
		    fits(p, cat, c, cat->model[i].name))
			return true;
	return false;
}

// --- which operation -----------------------------------------------------------------

static uint64_t
listing(uint64_t provider)
{
	switch (provider) {
	case PROVIDER_OPENAI:
	case PROVIDER_OPENAI_COMPATIBLE:
	case PROVIDER_AZURE:
		return OP_OPENAI_MODELS;
	case PROVIDER_ANTHROPIC:
		return OP_ANTHROPIC_MODELS;
	case PROVIDER_GEMINI:
		return OP_GOOGLE_MODELS;
	default:
		return 0;
	}
}

static void
short_list(struct cred_probe *p)
{
	static const struct {
		uint64_t operation;
		uint64_t param;
	} limit[] = {{OP_ANTHROPIC_MODELS, PARAM_LIMIT}, {OP_GOOGLE_MODELS, PARAM_PAGE_SIZE}};
	for (size_t i = 0; i < ARRAY_LEN(limit); i++)
		if (p->op->id == limit[i].operation &&
		    (p->op->params & CATALOGUE_BIT(limit[i].param)) != 0)
			p->use.param[p->use.param_count++] =
			    (struct msg_named){limit[i].param, VIEW("1")};
}

// Where counting is free, it tells as much about a credential as an answer does.
static uint64_t
free_of(uint64_t operation)
{
	return operation == OP_GENERATE_CONTENT ? OP_GOOGLE_COUNT_TOKENS
	       : operation == OP_RAW_PREDICT	? OP_RAW_PREDICT_COUNT
						: operation;
}

// --- all of it -----------------------------------------------------------------------

static bool
with_model(struct cred_probe *p, const struct catalogue *cat, const struct cred *c,
    struct view model, struct admin_error *e)
{
	if (p->asked && !take_model(p, model))
		return admin_check_fail(
		    e, "bad_model", "The model's name is too long or holds what no name does.");
	enum policy_fit fit = p->asked		  ? resolve(p, cat, c)
			      : choose(p, cat, c) ? POLICY_FIT_GOOD
						  : POLICY_FIT_NO_PROFILE;
	if (fit == POLICY_FIT_NONE)
		return admin_check_fail(e, "bad_model",
		    "'%.80s' is no model of %s, or of a kind that cannot be tested.", p->asked_text,
		    ids_provider(c->provider));
	if (fit == POLICY_FIT_REGION)
		return admin_check_fail(e, "bad_model",
		    "The ARN '%.80s' is of another region than the credential (%s).", p->asked_text,
		    c->region);
	p->no_profile = fit == POLICY_FIT_NO_PROFILE;
	p->known = p->target.row != NULL;
	struct view model_sent = p->no_profile ? view_of(p->asked_text) : p->target.model;
	BUG_IF(view_copy(model_sent, p->sent_text, sizeof(p->sent_text)) != 0); // 2048 at most
	p->model = view_of(p->sent_text);
	uint64_t operation = p->asked ? p->target.operation : free_of(p->target.operation);
	p->op = catalogue_op(cat, operation, c->provider, cred_variant(c));
	return true;
}

bool
cred_probe_make(struct cred_probe *p, const struct catalogue *cat, const struct cred *c,
    struct view model, struct admin_error *e)
{
	*p = (struct cred_probe){.asked = model.len != 0};
	if (!p->asked && listing(c->provider) != 0) {
		p->op = catalogue_op(cat, listing(c->provider), c->provider, cred_variant(c));
	} else {
		if (!with_model(p, cat, c, model, e))
			return false;
		if (p->no_profile)
			return true;
	}
	if (p->op == NULL)
		return admin_check_fail(e, "bad_model",
		    "The catalogue in force has no operation of %s that could be tested.",
		    ids_provider(c->provider));
	short_list(p);
	const char *template = body_of(p, c);
	if (template != NULL)
		put_body(p, template);
	crypto_hash_sha256(p->sha256, (const uint8_t *)p->body, p->body_len);
	p->use.operation = p->op->id;
	p->use.body_len = p->body_len;
	p->use.body_sha256 = (struct view){(const char *)p->sha256, sizeof(p->sha256)};
	return true;
}
