// SPDX-License-Identifier: Apache-2.0
// Lists of models. Ids are "provider/name", so that what is listed can be asked for and
// means one provider. Pure.
#include "gatewayd/models.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT_DEFAULT 1000U

bool
models_listing(enum operation op)
{
	return op == OP_OPENAI_MODELS || op == OP_OPENAI_MODEL || op == OP_ANTHROPIC_MODELS;
}

struct listing {
	const struct request *r;
	const struct catalog *c;
	const struct plan *p;
};

static void
id_of(const struct catalog_model *m, char *out, size_t size)
{
	snprintf(out, size, "%s/%.*s", ids_provider(m->provider), (int)m->name.len, m->name.p);
}

// pattern: a name, or the beginning of one and "*".
static bool
fits(const char *pattern, struct view name)
{
	size_t n = strlen(pattern);
	if (n == 0 || pattern[n - 1] != '*')
		return view_eq_str(name, pattern);
	return name.len >= n - 1 && memcmp(name.p, pattern, n - 1) == 0;
}

// By any of its names, with or without the provider; Bedrock's also behind the prefix of
// an inference profile. The vault judges what is asked for.
static bool
names_it(const char *pattern, const struct catalog_model *m)
{
	const char *provider = ids_provider(m->provider);
	size_t n = strlen(provider);
	if (strncmp(pattern, provider, n) == 0 && pattern[n] == '/')
		pattern += n + 1;
	const char *dot = m->provider == PROVIDER_BEDROCK ? strchr(pattern, '.') : NULL;
	return fits(pattern, m->name) || fits(pattern, m->upstream) ||
	       (dot != NULL && dot[1] != '\0' && fits(dot + 1, m->upstream));
}

static bool
allowed(const struct plan *p, const struct catalog_model *m)
{
	for (size_t i = 0; i < p->allowed_count; i++)
		if (names_it(p->allowed[i], m))
			return true;
	return p->allowed_count == 0;
}

static bool
served(const struct plan *p, const struct catalog_model *m)
{
	bool listed = false;
	for (size_t i = 0; i < p->served_count; i++) {
		if (p->served[i].provider != m->provider)
			continue;
		if (names_it(p->served[i].pattern, m))
			return true;
		listed = true;
	}
	return !listed;
}

static bool
shown(const struct listing *l, const struct catalog_model *m)
{
	if ((l->p->reach >> m->provider & 1U) == 0 || (m->flags & MODEL_HIDDEN) != 0 ||
	    !allowed(l->p, m) || !served(l->p, m))
		return false;
	// What POST /v1/messages can be asked for.
	return l->r->op != OP_ANTHROPIC_MODELS || m->provider == PROVIDER_ANTHROPIC ||
	       (m->flags & MODEL_CLAUDE) != 0;
}

static json_t *
one(const struct listing *l, const struct catalog_model *m)
{
	char id[512], date[32];
	time_t t = (time_t)l->c->as_of_s;
	struct tm tm;
	id_of(m, id, sizeof(id));
	if (l->r->op != OP_ANTHROPIC_MODELS)
		return json_pack("{s:s,s:s,s:I,s:s}", "id", id, "object", "model", "created",
		    (json_int_t)l->c->as_of_s, "owned_by", ids_provider(m->provider));
	if (gmtime_r(&t, &tm) == NULL || strftime(date, sizeof(date), "%FT%TZ", &tm) == 0)
		date[0] = '\0';
	json_t *o = json_pack("{s:s,s:s,s:s%,s:s}", "type", "model", "id", id, "display_name",
	    m->name.p, m->name.len, "created_at", date);
	if (o != NULL && m->context != 0)
		json_object_set_new(o, "max_input_tokens", json_integer((json_int_t)m->context));
	if (o != NULL && m->max_output != 0)
		json_object_set_new(o, "max_tokens", json_integer((json_int_t)m->max_output));
	return o;
}

static bool
matches(const struct catalog_model *m, struct view asked)
{
	char id[512];
	id_of(m, id, sizeof(id));
	return view_eq(m->name, asked) || view_eq_str(asked, id);
}

static struct view
param(const struct request *r, enum param_id id)
{
	for (size_t i = 0; i < r->param_count; i++)
		if (r->param[i].id == id)
			return r->param[i].value;
	return (struct view){0};
}

static size_t
limit_of(const struct request *r)
{
	struct view v = param(r, PARAM_LIMIT);
	size_t n = 0;
	for (size_t i = 0; i < v.len && n < LIMIT_DEFAULT; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return LIMIT_DEFAULT;
		n = n * 10 + (size_t)(v.p[i] - '0');
	}
	return n == 0 || n > LIMIT_DEFAULT ? LIMIT_DEFAULT : n;
}

static json_t *
all(const struct listing *l)
{
	json_t *data = json_array();
	struct view after = param(l->r, PARAM_AFTER_ID);
	bool anthropic = l->r->op == OP_ANTHROPIC_MODELS, more = false;
	size_t limit = anthropic ? limit_of(l->r) : SIZE_MAX;
	for (size_t i = 0; i < l->c->count; i++) {
		const struct catalog_model *m = &l->c->model[i];
		if (!shown(l, m))
			continue;
		if (after.len != 0) {
			after.len = matches(m, after) ? 0 : after.len;
			continue;
		}
		more = json_array_size(data) == limit;
		if (more)
			break;
		json_array_append_new(data, one(l, m));
	}
	if (!anthropic)
		return json_pack("{s:s,s:o}", "object", "list", "data", data);
	size_t n = json_array_size(data);
	json_t *first = json_object_get(json_array_get(data, 0), "id");
	json_t *last = n == 0 ? NULL : json_object_get(json_array_get(data, n - 1), "id");
	return json_pack("{s:o,s:b,s:O?,s:O?}", "data", data, "has_more", more, "first_id", first,
	    "last_id", last);
}

bool
models_write(
    const struct request *r, const struct catalog *c, const struct plan *p, struct buf *out)
{
	static const struct catalog none;
	struct listing l = {.r = r, .c = c == NULL ? &none : c, .p = p};
	json_t *o = NULL;
	if (r->op == OP_OPENAI_MODEL) {
		for (size_t i = 0; o == NULL && i < l.c->count; i++)
			if (shown(&l, &l.c->model[i]) && matches(&l.c->model[i], r->model))
				o = one(&l, &l.c->model[i]);
		if (o == NULL)
			return false;
	} else {
		o = all(&l);
	}
	char *text = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);
	if (text == NULL)
		BUG("out of memory");
	buf_str(out, text);
	free(text);
	json_decref(o);
	return true;
}
