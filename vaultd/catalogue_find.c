// SPDX-License-Identifier: Apache-2.0
// Looking things up in a catalogue. Pure.
#include <string.h>

#include "vaultd/catalogue.h"
#include "proto/grammar.h"

bool
catalogue_known_op(uint64_t operation)
{
	return operation <= CATALOGUE_OP_LAST && ids_operation(operation) != NULL;
}

bool
catalogue_takes_model(uint64_t operation)
{
	return catalogue_known_op(operation) && operation != OP_OPENAI_MODELS &&
	       operation != OP_ANTHROPIC_MODELS && operation != OP_GOOGLE_MODELS;
}

const struct catalogue_op *
catalogue_op(const struct catalogue *c, uint64_t operation, uint64_t provider, uint64_t variant)
{
	for (size_t i = 0; i < c->op_count; i++)
		if (c->op[i].id == operation && c->op[i].provider == provider &&
		    c->op[i].variant == variant)
			return &c->op[i];
	return NULL;
}

bool
catalogue_speaks(const struct catalogue *c, uint64_t operation, uint64_t provider)
{
	return catalogue_op(c, operation, provider, 0) != NULL ||
	       catalogue_op(c, operation, provider, 1) != NULL;
}

// --- hosts -----------------------------------------------------------------------

static const struct catalogue_host *
host_row(const struct catalogue *c, uint64_t provider, struct view location)
{
	for (size_t i = 0; i < c->host_count; i++)
		if (c->host[i].provider == provider && view_eq(c->host[i].location, location))
			return &c->host[i];
	return NULL;
}

int
catalogue_host(const struct catalogue *c, uint64_t provider, struct view region, char host[254])
{
	const struct catalogue_host *row = host_row(c, provider, region);
	struct text t;
	if (row == NULL)
		row = host_row(c, provider, VIEW("*"));
	if (row == NULL)
		return -1;
	const char *at = memmem(row->host.p, row->host.len, "{region}", 8);
	size_t before = at == NULL ? row->host.len : (size_t)(at - row->host.p);
	text_init(&t, host, 253);
	text_view(&t, (struct view){row->host.p, before});
	if (at != NULL) {
		if (!grammar_region_valid(region) && !grammar_location_valid(region))
			return -1;
		text_view(&t, region);
		text_view(&t, (struct view){at + 8, row->host.len - before - 8});
	}
	if (t.failed || !grammar_host_valid(text_done(&t)))
		return -1;
	host[t.len] = '\0';
	return 0;
}

// --- models ----------------------------------------------------------------------

static int
compare(struct view a, uint64_t provider_a, struct view b, uint64_t provider_b)
{
	int r = memcmp(a.p, b.p, MIN(a.len, b.len));
	if (r == 0)
		r = (a.len > b.len) - (a.len < b.len);
	return r != 0 ? r : (provider_a > provider_b) - (provider_a < provider_b);
}

// The first row that is not less than (name, provider), in either order.
static const struct catalogue_model *
lower_bound(const struct catalogue *c, struct view name, uint64_t provider, bool upstream)
{
	size_t low = 0, high = c->model_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct catalogue_model *m = upstream ? c->by_upstream[mid] : &c->model[mid];
		if (compare(upstream ? m->upstream : m->name, m->provider, name, provider) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == c->model_count)
		return NULL;
	return upstream ? c->by_upstream[low] : &c->model[low];
}

const struct catalogue_model *
catalogue_model(const struct catalogue *c, uint64_t provider, struct view name)
{
	if (name.len == 0)
		return NULL;
	const struct catalogue_model *m = lower_bound(c, name, provider, false);
	if (m == NULL || !view_eq(m->name, name) || (provider != 0 && m->provider != provider))
		return NULL;
	return m;
}

const struct catalogue_model *
catalogue_model_upstream(const struct catalogue *c, uint64_t provider, struct view upstream)
{
	if (upstream.len == 0)
		return NULL;
	const struct catalogue_model *m = lower_bound(c, upstream, provider, true);
	if (m == NULL || !view_eq(m->upstream, upstream) ||
	    (provider != 0 && m->provider != provider))
		return NULL;
	return m;
}

// --- profiles ----------------------------------------------------------------------

int
catalogue_prefix(const struct catalogue *c, struct view prefix)
{
	for (size_t i = 0; i < c->prefix_count; i++)
		if (view_eq(c->prefix[i], prefix))
			return (int)i;
	return -1;
}

static bool
matches(struct view pattern, struct view model)
{
	if (pattern.p[pattern.len - 1] != '*')
		return view_eq(pattern, model);
	return model.len >= pattern.len - 1 && memcmp(pattern.p, model.p, pattern.len - 1) == 0;
}

bool
catalogue_profile_has(
    const struct catalogue *c, unsigned prefix, struct view upstream, struct view region)
{
	for (size_t i = 0; i < c->profile_count; i++) {
		const struct catalogue_profile *p = &c->profile[i];
		if (p->prefix != prefix || !matches(p->model, upstream))
			continue;
		for (size_t k = 0; k < p->source_count; k++)
			if (view_eq(p->source[k], region))
				return true;
	}
	return false;
}

bool
catalogue_profile_serves(
    const struct catalogue *c, unsigned prefix, const struct catalogue_model *m, struct view region)
{
	return prefix < c->prefix_count && (m->profiles & CATALOGUE_BIT(prefix)) != 0 &&
	       catalogue_profile_has(c, prefix, m->upstream, region);
}

// --- paths -----------------------------------------------------------------------

// '@' needs no encoding in a path (RFC 3986, pchar). Google's own SDKs send it as it is,
// while SigV4, which Bedrock's paths are signed by, wants it encoded.
static void
put_model(const struct catalogue_op *op, struct view model, struct text *t)
{
	const char *at = op->provider == PROVIDER_VERTEX && model.len != 0
			     ? memchr(model.p, '@', model.len)
			     : NULL;
	size_t n = at == NULL ? model.len : (size_t)(at - model.p);
	text_encoded(t, (struct view){model.p, n}, false);
	if (at == NULL)
		return;
	text_char(t, '@');
	text_encoded(t, (struct view){at + 1, model.len - n - 1}, false);
}

void
catalogue_path(const struct catalogue_op *op, const struct catalogue_place *place, struct text *t)
{
	struct view p = op->path;
	while (p.len != 0) {
		size_t n = 1;
		if (grammar_begins(p, "{model}")) {
			put_model(op, place->model, t);
			n = 7;
		} else if (grammar_begins(p, "{project}")) {
			text_encoded(t, place->project, false);
			n = 9;
		} else if (grammar_begins(p, "{region}")) {
			text_encoded(t, place->region, false);
			n = 8;
		} else {
			text_char(t, p.p[0]);
		}
		p = (struct view){p.p + n, p.len - n};
	}
}
