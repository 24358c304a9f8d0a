// SPDX-License-Identifier: Apache-2.0
// What a row of the catalogue may say. The templates end up in request heads, so their
// grammar is narrower than what HTTP allows. Pure.
#include "vaultd/catalogue_row.h"

#include <string.h>

#include "proto/grammar.h"

#define TEMPLATE_SAMPLE "us-east-1" // stands for a region while a host is judged

static bool
text_valid(struct view v)
{
	return v.len == 0 || grammar_header_valid(v);
}

// --- hosts -----------------------------------------------------------------------

const char *
catalogue_row_host(const struct msg_catalogue_host *m)
{
	char host[300];
	struct text t;
	if (ids_provider(m->provider) == NULL)
		return "unknown provider";
	if (m->provider == PROVIDER_OPENAI_COMPATIBLE || m->provider == PROVIDER_AZURE)
		return "hosts of this provider are named by each credential";
	if (!view_eq_str(m->location, "*") && !grammar_region_valid(m->location) &&
	    !grammar_location_valid(m->location))
		return "the location is a region, global, us, eu, or *";
	const char *at = m->host.len == 0 ? NULL : memmem(m->host.p, m->host.len, "{region}", 8);
	struct view before = m->host, after = {0};
	if (at != NULL) {
		before.len = (size_t)(at - m->host.p);
		after = (struct view){at + 8, m->host.len - before.len - 8};
	}
	text_init(&t, host, sizeof(host));
	text_view(&t, before);
	if (at != NULL)
		text_str(&t, TEMPLATE_SAMPLE);
	text_view(&t, after);
	if (t.failed || !grammar_host_valid(text_done(&t)))
		return "the host is no DNS name in lower case with at most one {region}";
	if (memchr(host, '.', t.len) == NULL)
		return "the host has no domain";
	return NULL;
}

// --- operations --------------------------------------------------------------------

// "{model}" and the like at p[0..len); 0 if it is none of them.
static size_t
placeholder(struct view rest, unsigned *bit)
{
	static const char *const names[] = {"{model}", "{project}", "{region}"};
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (grammar_begins(rest, names[i])) {
			*bit = 1U << i;
			return strlen(names[i]);
		}
	}
	return 0;
}

static const char *
check_path(struct view p, bool takes_model)
{
	unsigned seen = 0, bit = 0;
	size_t segment = 0;
	bool only_dots = true;
	if (p.len < 2 || p.p[0] != '/')
		return "the path begins with '/'";
	for (size_t i = 1; i <= p.len; i++) {
		if (i == p.len || p.p[i] == '/') {
			if (segment == 0 || only_dots)
				return "the path has an empty or a dot segment";
			segment = 0;
			only_dots = true;
			continue;
		}
		struct view rest = {p.p + i, p.len - i};
		size_t n = placeholder(rest, &bit);
		if (n != 0 && (seen & bit) != 0)
			return "the path has a placeholder twice";
		if (n == 0 && !grammar_text_valid((struct view){rest.p, 1}, 1, 1, "._~:@-"))
			return "the path has a character that is not allowed, or an unknown "
			       "placeholder";
		seen |= n != 0 ? bit : 0;
		only_dots = only_dots && rest.p[0] == '.';
		segment++;
		i += n != 0 ? n - 1 : 0;
	}
	return (seen & 1) != 0 && !takes_model ? "the operation has no model for its path" : NULL;
}

static const char *
check_names(const struct msg_catalogue_op *m)
{
	unsigned seen = 0;
	for (size_t i = 0; i < m->header_count; i++) {
		unsigned id = ids_header_of(m->allowed_header[i].name);
		if (id == 0)
			return "unknown header";
		if (seen & CATALOGUE_BIT(id))
			return "a header is there twice";
		seen |= CATALOGUE_BIT(id);
	}
	seen = 0;
	for (size_t i = 0; i < m->param_count; i++) {
		unsigned id = ids_param_of(m->allowed_param[i].name);
		if (id == 0)
			return "unknown query parameter";
		if (seen & CATALOGUE_BIT(id))
			return "a query parameter is there twice";
		seen |= CATALOGUE_BIT(id);
	}
	return NULL;
}

const char *
catalogue_row_op(const struct msg_catalogue_op *m)
{
	bool get = view_eq_str(m->method, "GET");
	if (!catalogue_known_op(m->operation))
		return "unknown operation, or one of the vault's own";
	if (ids_provider(m->provider) == NULL)
		return "unknown provider";
	if (m->variant != 0 && m->provider != PROVIDER_AZURE)
		return "only azure has a second variant";
	if (!get && !view_eq_str(m->method, "POST"))
		return "the method is GET or POST";
	if (get ? m->max_body != 0 : m->max_body == 0)
		return "a GET has no body, a POST has one";
	if (m->max_body > CATALOGUE_BODY_MAX)
		return "max_body is above 64 MiB";
	if (!grammar_text_valid(m->query, 0, 64, "._=&-"))
		return "the query has a character that is not allowed";
	const char *fault = check_path(m->path, catalogue_takes_model(m->operation));
	return fault != NULL ? fault : check_names(m);
}

unsigned
catalogue_row_headers(const struct msg_catalogue_op *m)
{
	unsigned bits = 0;
	for (size_t i = 0; i < m->header_count; i++)
		bits |= CATALOGUE_BIT(ids_header_of(m->allowed_header[i].name));
	return bits;
}

unsigned
catalogue_row_params(const struct msg_catalogue_op *m)
{
	unsigned bits = 0;
	for (size_t i = 0; i < m->param_count; i++)
		bits |= CATALOGUE_BIT(ids_param_of(m->allowed_param[i].name));
	return bits;
}

// --- models and profiles --------------------------------------------------------------

const char *
catalogue_row_model(const struct msg_catalogue_model *m)
{
	uint64_t last = 0;
	if (ids_provider(m->provider) == NULL)
		return "unknown provider";
	if (!grammar_model_valid(m->name) || !grammar_model_valid(m->upstream))
		return "the name of a model is visible ASCII without dot segments";
	if (memchr(m->name.p, '*', m->name.len) != NULL ||
	    memchr(m->upstream.p, '*', m->upstream.len) != NULL)
		return "the name of a model has no '*'";
	if (m->thinking > THINKING_LAST || m->flags >= MODEL_HIDDEN * 2U)
		return "unknown thinking or flag";
	if (m->provider != PROVIDER_BEDROCK && m->profile_count != 0)
		return "only bedrock models have profiles";
	for (size_t i = 0; i < m->profile_count; i++)
		if (!grammar_prefix_valid(m->profile[i].name))
			return "a profile is 2 to 8 lower case letters";
	for (size_t i = 0; i < m->price_count; i++) {
		if (m->price[i].kind <= last || m->price[i].kind > PRICE_LAST)
			return "prices are in order of kind, each once";
		last = m->price[i].kind;
	}
	if (!text_valid(m->betas) || !text_valid(m->price_source) || !text_valid(m->price_as_of))
		return "a text is not printable ASCII";
	return NULL;
}

static bool
regions_valid(const struct msg_name *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!grammar_region_valid(r[i].name))
			return false;
	return true;
}

const char *
catalogue_row_profile(const struct msg_catalogue_profile *m)
{
	if (!grammar_prefix_valid(m->prefix))
		return "a profile is 2 to 8 lower case letters";
	if (!grammar_model_pattern_valid(m->model))
		return "the model is a name, with '*' only at its end";
	if (m->source_count == 0)
		return "a profile has regions that it can be called from";
	if (!regions_valid(m->source, m->source_count) ||
	    !regions_valid(m->destination, m->destination_count))
		return "malformed region";
	return NULL;
}
