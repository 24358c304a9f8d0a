// SPDX-License-Identifier: Apache-2.0
// Rules of catalogue rows. Pure.
#include "ctl/catalog_row.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (64U * 1024U * 1024U)

static const char *const thinkings[THINKING_LAST + 1] = {
    [THINKING_NONE] = "none",
    [THINKING_BUDGET] = "budget",
    [THINKING_ADAPTIVE] = "adaptive",
    [THINKING_ALWAYS] = "always",
    [THINKING_GEMINI_BUDGET] = "gemini-budget",
    [THINKING_GEMINI_LEVEL] = "gemini-level",
    [THINKING_EFFORT] = "effort",
};

static const char *const flags[] = {"no-sampling", "one-sampling", "json-schema", "no-prefill",
    "strict-tools", "version-2026", "signatures", "embedding", "titan-embed", "cohere-embed",
    "no-thinking-off", "claude", "hidden"};

static const char *const prices[PRICE_LAST + 1] = {
    [PRICE_INPUT] = "input",
    [PRICE_OUTPUT] = "output",
    [PRICE_CACHE_READ] = "cache_read",
    [PRICE_CACHE_WRITE] = "cache_write",
    [PRICE_ABOVE] = "above",
    [PRICE_INPUT_ABOVE] = "input_above",
    [PRICE_OUTPUT_ABOVE] = "output_above",
    [PRICE_CACHE_READ_ABOVE] = "cache_read_above",
    [PRICE_CACHE_WRITE_ABOVE] = "cache_write_above",
    [PRICE_REGIONAL_PERCENT] = "regional_percent",
    [PRICE_CACHE_WRITE_1H] = "cache_write_1h",
    [PRICE_CACHE_WRITE_1H_ABOVE] = "cache_write_1h_above",
};

const char *
catalog_row_thinking(uint64_t v)
{
	return v <= THINKING_LAST ? thinkings[v] : NULL;
}

const char *
catalog_row_flag(unsigned bit)
{
	return bit < ARRAY_LEN(flags) ? flags[bit] : NULL;
}

const char *
catalog_row_price(uint64_t kind)
{
	return kind <= PRICE_LAST ? prices[kind] : NULL;
}

bool
catalog_row_price_is_usd(uint64_t kind)
{
	return kind != PRICE_ABOVE && kind != PRICE_REGIONAL_PERCENT;
}

PRINTF(2, 3)
static int
fault(char error[CATALOG_ERROR_MAX], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(error, CATALOG_ERROR_MAX, fmt, ap);
	va_end(ap);
	return -1;
}

// --- parts ---------------------------------------------------------------------------

static int
provider_of(const char *s, uint64_t *out, char error[CATALOG_ERROR_MAX])
{
	*out = ids_provider_of(view_of(s));
	return *out != 0 ? 0 : fault(error, "there is no provider \"%s\"", s);
}

static int
number_of(
    const char *s, const char *what, uint64_t max, uint64_t *out, char error[CATALOG_ERROR_MAX])
{
	char *end;
	*out = 0;
	if (s == NULL)
		return 0;
	unsigned long long v = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end != '\0' || v > max)
		return fault(error, "%s: \"%s\" is no whole number up to %llu", what, s,
		    (unsigned long long)max);
	*out = v;
	return 0;
}

// "0.075" USD per million tokens: 75,000 pico-USD per token. At most six decimals.
static int
usd_of(const char *s, const char *what, uint64_t *out, char error[CATALOG_ERROR_MAX])
{
	uint64_t v = 0;
	unsigned decimals = 0;
	bool dot = false, digit = false;
	for (const char *p = s; *p != '\0'; p++) {
		if (*p == '.' && !dot && digit) {
			dot = true;
			continue;
		}
		if (*p < '0' || *p > '9' || v > UINT32_MAX || (dot && ++decimals > 6))
			return fault(error, "price %s: \"%s\" is no amount such as 0.075", what, s);
		v = v * 10 + (uint64_t)(*p - '0');
		digit = true;
	}
	for (; decimals < 6; decimals++)
		v *= 10;
	if (!digit || v > UINT32_MAX)
		return fault(error, "price %s: \"%s\" is no amount below 4294", what, s);
	*out = v;
	return 0;
}

static bool
only(const char *s, const char *allowed)
{
	return s[strspn(s, allowed)] == '\0';
}

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool
region_like(const char *s)
{
	return *s != '\0' && strlen(s) <= 32 && only(s, LOWER DIGITS "-");
}

static int
names_of(char *const *v, unsigned n, const char *what, struct msg_name *out, size_t max,
    size_t *n_r, char error[CATALOG_ERROR_MAX])
{
	if (n > max)
		return fault(error, "more than %zu %s", max, what);
	for (unsigned i = 0; i < n; i++) {
		if (*v[i] == '\0' || strlen(v[i]) > 128)
			return fault(error, "%s: an entry is empty or too long", what);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(v[i], v[k]) == 0)
				return fault(error, "%s: %s is named twice", what, v[i]);
		out[i].name = view_of(v[i]);
	}
	*n_r = n;
	return 0;
}

// --- hosts ---------------------------------------------------------------------------

int
catalog_row_host(
    const struct catalog_host *e, struct msg_catalogue_host *m, char error[CATALOG_ERROR_MAX])
{
	*m =
	    (struct msg_catalogue_host){.location = view_of(e->location), .host = view_of(e->host)};
	if (provider_of(e->provider, &m->provider, error) != 0)
		return -1;
	if (strcmp(e->location, "*") != 0 && !region_like(e->location))
		return fault(error, "location \"%s\": write a region, or *", e->location);
	const char *hole = strstr(e->host, "{region}");
	char plain[256];
	size_t before = hole == NULL ? strlen(e->host) : (size_t)(hole - e->host);
	int n = snprintf(plain, sizeof(plain), "%.*s%s%s", (int)before, e->host,
	    hole == NULL ? "" : "x", hole == NULL ? "" : hole + strlen("{region}"));
	if (n <= 0 || (size_t)n >= sizeof(plain) || !only(plain, LOWER DIGITS ".-") ||
	    strchr(plain, '.') == NULL || strstr(plain, "..") != NULL ||
	    strchr(".-", plain[0]) != NULL || strchr(".-", plain[n - 1]) != NULL)
		return fault(error,
		    "host \"%s\": write a DNS name in lower case, with {region} at most once",
		    e->host);
	if (hole != NULL && strcmp(e->location, "*") != 0)
		return fault(error, "host \"%s\": {region} needs location \"*\"", e->host);
	return 0;
}

// --- operations ----------------------------------------------------------------------

static int
path_valid(const char *path, char error[CATALOG_ERROR_MAX])
{
	static const char *const holes[] = {"{model}", "{project}", "{region}"};
	char rest[256];
	if (path[0] != '/' || strlen(path) >= sizeof(rest))
		return fault(error, "path \"%s\": begin with /, at most 255 characters", path);
	snprintf(rest, sizeof(rest), "%s", path);
	for (size_t i = 0; i < ARRAY_LEN(holes); i++) {
		char *at = strstr(rest, holes[i]);
		if (at != NULL) // a letter in its place
			memmove(at + 1, at + strlen(holes[i]), strlen(at + strlen(holes[i])) + 1),
			    *at = 'x';
	}
	if (!only(rest, LOWER UPPER DIGITS "/-._~:@") || strstr(rest, "//") != NULL ||
	    strstr(rest, "/./") != NULL || strstr(rest, "/../") != NULL ||
	    rest[strlen(rest) - 1] == '/')
		return fault(error,
		    "path \"%s\": letters, digits, - . _ ~ : @ and {model} {project} {region} once "
		    "each; no empty, . or .. segment",
		    path);
	return 0;
}

int
catalog_row_op(
    const struct catalog_op *e, struct msg_catalogue_op *m, char error[CATALOG_ERROR_MAX])
{
	*m = (struct msg_catalogue_op){.operation = ids_operation_of(view_of(e->operation)),
	    .variant = e->dated != NULL && *e->dated,
	    .method = view_of(e->method),
	    .path = view_of(e->path),
	    .query = view_of(e->query)};
	bool post = strcmp(e->method, "POST") == 0;
	if (m->operation == 0 || m->operation >= OP_STS_GET_SESSION_TOKEN)
		return fault(error, "there is no operation \"%s\"", e->operation);
	if (provider_of(e->provider, &m->provider, error) != 0 || path_valid(e->path, error) != 0 ||
	    number_of(e->max_body, "max_body", BODY_MAX, &m->max_body, error) != 0)
		return -1;
	if (m->variant != 0 && m->provider != PROVIDER_AZURE)
		return fault(error, "dated: only azure has a dated API");
	if (!post && strcmp(e->method, "GET") != 0)
		return fault(error, "method \"%s\": GET or POST", e->method);
	if (post != (m->max_body != 0))
		return fault(error, post ? "a POST needs max_body" : "a GET has no max_body");
	if (e->query != NULL &&
	    (strlen(e->query) > 64 || !only(e->query, LOWER UPPER DIGITS "-._=&")))
		return fault(error, "query \"%s\": letters, digits and - . _ = &", e->query);
	if (names_of(e->headers, e->headers_count, "headers", m->allowed_header, MSG_NAMES_MAX,
		&m->header_count, error) != 0 ||
	    names_of(e->params, e->params_count, "params", m->allowed_param, MSG_NAMES_MAX,
		&m->param_count, error) != 0)
		return -1;
	for (size_t i = 0; i < m->header_count; i++)
		if (ids_header_of(m->allowed_header[i].name) == 0)
			return fault(
			    error, "header \"%s\" is none that may go upstream", e->headers[i]);
	for (size_t i = 0; i < m->param_count; i++)
		if (ids_param_of(m->allowed_param[i].name) == 0)
			return fault(
			    error, "parameter \"%s\" is none that may go upstream", e->params[i]);
	return 0;
}

// --- models --------------------------------------------------------------------------

static int
add_prices(
    const struct catalog_prices *p, struct msg_catalogue_model *m, char error[CATALOG_ERROR_MAX])
{
	if (p == NULL)
		return 0;
	const char *const text[PRICE_LAST + 1] = {
	    [PRICE_INPUT] = p->input,
	    [PRICE_OUTPUT] = p->output,
	    [PRICE_CACHE_READ] = p->cache_read,
	    [PRICE_CACHE_WRITE] = p->cache_write,
	    [PRICE_ABOVE] = p->above,
	    [PRICE_INPUT_ABOVE] = p->input_above,
	    [PRICE_OUTPUT_ABOVE] = p->output_above,
	    [PRICE_CACHE_READ_ABOVE] = p->cache_read_above,
	    [PRICE_CACHE_WRITE_ABOVE] = p->cache_write_above,
	    [PRICE_REGIONAL_PERCENT] = p->regional_percent,
	    [PRICE_CACHE_WRITE_1H] = p->cache_write_1h,
	    [PRICE_CACHE_WRITE_1H_ABOVE] = p->cache_write_1h_above,
	};
	for (unsigned k = 1; k <= PRICE_LAST; k++) {
		struct msg_price *to = &m->price[m->price_count];
		if (text[k] == NULL)
			continue;
		if (catalog_row_price_is_usd(k)
			? usd_of(text[k], prices[k], &to->value, error) != 0
			: number_of(text[k], prices[k], UINT32_MAX, &to->value, error) != 0)
			return -1;
		to->kind = k;
		m->price_count++;
	}
	if (p->above == NULL &&
	    (p->input_above != NULL || p->output_above != NULL || p->cache_read_above != NULL ||
		p->cache_write_above != NULL || p->cache_write_1h_above != NULL))
		return fault(error, "prices above need `above: TOKENS`");
	if (p->source == NULL || p->as_of == NULL)
		return fault(error, "prices need source and as_of");
	if (strlen(p->source) > 256 || strlen(p->as_of) > 32)
		return fault(error, "source or as_of is too long");
	m->price_source = view_of(p->source);
	m->price_as_of = view_of(p->as_of);
	return 0;
}

static int
add_flags(
    const struct catalog_model *e, struct msg_catalogue_model *m, char error[CATALOG_ERROR_MAX])
{
	for (unsigned i = 0; i < e->flags_count; i++) {
		unsigned bit = 0;
		while (bit < ARRAY_LEN(flags) && strcmp(flags[bit], e->flags[i]) != 0)
			bit++;
		if (bit == ARRAY_LEN(flags))
			return fault(error, "there is no flag \"%s\"", e->flags[i]);
		m->flags |= 1U << bit;
	}
	if (e->thinking == NULL)
		return 0;
	for (unsigned t = 0; t <= THINKING_LAST; t++)
		if (strcmp(thinkings[t], e->thinking) == 0) {
			m->thinking = t;
			return 0;
		}
	return fault(error,
	    "thinking \"%s\": none, budget, adaptive, always, gemini-budget, gemini-level or "
	    "effort",
	    e->thinking);
}

static bool
model_name_valid(const char *s, size_t max)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x21 || s[i] > 0x7e)
			return false;
	return n >= 1 && n <= max && strstr(s, "..") == NULL && strchr(s, '*') == NULL;
}

int
catalog_row_model(
    const struct catalog_model *e, struct msg_catalogue_model *m, char error[CATALOG_ERROR_MAX])
{
	const char *upstream = e->upstream == NULL ? e->name : e->upstream;
	*m = (struct msg_catalogue_model){.name = view_of(e->name),
	    .upstream = view_of(upstream),
	    .betas = view_of(e->betas),
	    .in_region = e->in_region != NULL && *e->in_region};
	if (provider_of(e->provider, &m->provider, error) != 0 ||
	    number_of(e->context, "context", UINT32_MAX, &m->context, error) != 0 ||
	    number_of(e->max_output, "max_output", UINT32_MAX, &m->max_output, error) != 0 ||
	    add_flags(e, m, error) != 0 || add_prices(e->prices, m, error) != 0 ||
	    names_of(e->profiles, e->profiles_count, "profiles", m->profile, MSG_NAMES_MAX,
		&m->profile_count, error) != 0)
		return -1;
	if (!model_name_valid(e->name, 128) || !model_name_valid(upstream, 256))
		return fault(error, "model \"%s\": visible characters, no *", e->name);
	if (m->betas.len > 2048)
		return fault(error, "betas are longer than 2048");
	if (m->provider != PROVIDER_BEDROCK && (m->profile_count != 0 || e->in_region != NULL))
		return fault(error, "profiles and in_region belong to provider bedrock");
	if (m->provider == PROVIDER_BEDROCK && m->profile_count == 0 && !m->in_region)
		return fault(error, "a bedrock model needs profiles, or in_region: true");
	return 0;
}

// --- profiles ------------------------------------------------------------------------

int
catalog_row_profile(const struct catalog_profile *e, unsigned model,
    struct msg_catalogue_profile *m, char error[CATALOG_ERROR_MAX])
{
	size_t n = strlen(e->prefix);
	*m = (struct msg_catalogue_profile){.prefix = view_of(e->prefix)};
	if (n < 2 || n > 8 || !only(e->prefix, LOWER "-"))
		return fault(error, "prefix \"%s\": 2 to 8 small letters and -", e->prefix);
	if (e->models_count == 0 || e->sources_count == 0)
		return fault(error, "a profile needs models and sources");
	const char *name = e->models[model], *star = strchr(name, '*');
	if (*name == '\0' || strlen(name) > 256 || (star != NULL && star[1] != '\0'))
		return fault(error, "model \"%s\": an upstream name, * only at the end", name);
	m->model = view_of(name);
	if (names_of(e->sources, e->sources_count, "sources", m->source, MSG_REGIONS_MAX,
		&m->source_count, error) != 0 ||
	    names_of(e->destinations, e->destinations_count, "destinations", m->destination,
		MSG_REGIONS_MAX, &m->destination_count, error) != 0)
		return -1;
	for (size_t i = 0; i < m->source_count; i++)
		if (!region_like(e->sources[i]))
			return fault(error, "source \"%s\" is no region", e->sources[i]);
	for (size_t i = 0; i < m->destination_count; i++)
		if (!region_like(e->destinations[i]))
			return fault(error, "destination \"%s\" is no region", e->destinations[i]);
	return 0;
}
