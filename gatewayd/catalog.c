// SPDX-License-Identifier: Apache-2.0
// Collecting rows and looking them up. Pure.
#include "gatewayd/catalog.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MODELS_MAX 4096U // a catalogue has some hundred

struct catalog *
catalog_ref(struct catalog *c)
{
	c->refs++;
	return c;
}

void
catalog_unref(struct catalog *c)
{
	if (c == NULL)
		return;
	BUG_IF(c->refs == 0);
	if (--c->refs != 0)
		return;
	free(c->model);
	free(c->text);
	free(c);
}

// --- lookup -------------------------------------------------------------------------

struct view
catalog_bare_id(struct view id, struct view *prefix_r)
{
	struct view prefix = {.p = "", .len = 0};
	// arn:aws:bedrock:REGION:ACCOUNT:inference-profile/ID
	if (id.len > 4 && memcmp(id.p, "arn:", 4) == 0) {
		const char *slash = memrchr(id.p, '/', id.len);
		if (slash != NULL)
			id = (struct view){
			    .p = slash + 1, .len = id.len - (size_t)(slash + 1 - id.p)};
	}
	// "anthropic." and "amazon." are makers, not profiles: a profile prefix is followed
	// by one more name with a dot.
	const char *dot = memchr(id.p, '.', id.len);
	size_t n = dot == NULL ? 0 : (size_t)(dot - id.p);
	bool plain = n >= 2 && n <= 8;
	for (size_t i = 0; plain && i < n; i++)
		plain = (id.p[i] >= 'a' && id.p[i] <= 'z') || id.p[i] == '-';
	if (plain) {
		struct view rest = {.p = dot + 1, .len = id.len - n - 1};
		const char *second = memchr(rest.p, '.', rest.len);
		const char *digit = rest.p;
		while (digit < rest.p + rest.len && (*digit < '0' || *digit > '9'))
			digit++;
		if (second != NULL && second < digit) {
			prefix = (struct view){.p = id.p, .len = n};
			id = rest;
		}
	}
	if (prefix_r != NULL)
		*prefix_r = prefix;
	return id;
}

const struct catalog_model *
catalog_find(const struct catalog *c, enum provider provider, struct view name)
{
	if (c == NULL || name.len == 0)
		return NULL;
	struct view id = provider == PROVIDER_BEDROCK ? catalog_bare_id(name, NULL) : name;
	for (size_t i = 0; i < c->count; i++) {
		const struct catalog_model *m = &c->model[i];
		if (m->provider == provider &&
		    (view_eq(m->upstream, id) || view_eq(m->name, id) || view_eq(m->name, name)))
			return m;
	}
	return NULL;
}

// --- arrival ------------------------------------------------------------------------

void
catalog_feed_reset(struct catalog_feed *f)
{
	catalog_unref(f->next);
	f->next = NULL;
}

void
catalog_feed_free(struct catalog_feed *f)
{
	catalog_feed_reset(f);
	catalog_unref(f->present);
	f->present = NULL;
}

// Views hold offsets until END: the text moves while it grows.
static struct view
keep(struct catalog_feed *f, struct view v)
{
	if (v.len > f->text_cap - f->text_len) {
		f->text_cap = MAX(f->text_cap * 2, f->text_len + v.len + 4096);
		f->next->text = base_realloc(f->next->text, f->text_cap);
	}
	if (v.len != 0)
		memcpy(f->next->text + f->text_len, v.p, v.len);
	struct view at = {.p = (const char *)(uintptr_t)f->text_len, .len = v.len};
	f->text_len += v.len;
	return at;
}

static void
settle(struct view *v, const char *text)
{
	v->p = text + (uintptr_t)v->p;
}

static uint64_t
date_to_unix(struct view date)
{
	char text[16];
	struct tm tm = {0};
	if (view_copy(date, text, sizeof(text)) != 0 || strptime(text, "%Y-%m-%d", &tm) == NULL)
		return 0;
	time_t t = timegm(&tm);
	return t < 0 ? 0 : (uint64_t)t;
}

static bool
on_begin(struct catalog_feed *f, const struct msg_catalogue_begin *m)
{
	if (f->next != NULL)
		return false;
	struct catalog *c = base_calloc(1, sizeof(*c));
	c->refs = 1;
	c->version = m->version;
	c->as_of_s = date_to_unix(m->as_of);
	f->next = c;
	f->rows = 0;
	f->rows_wanted = m->rows;
	f->cap = f->text_len = f->text_cap = 0;
	return true;
}

static bool
on_model(struct catalog_feed *f, const struct msg_catalogue_model *m)
{
	struct catalog *c = f->next;
	if (c->count == MODELS_MAX || m->provider == 0 || m->provider > PROVIDER_LAST)
		return false;
	if (c->count == f->cap) {
		f->cap = MAX(f->cap * 2, 64U);
		c->model = base_realloc(c->model, f->cap * sizeof(*c->model));
	}
	struct catalog_model *to = &c->model[c->count++];
	*to = (struct catalog_model){.provider = (enum provider)m->provider,
	    .name = keep(f, m->name),
	    .upstream = keep(f, m->upstream),
	    .context = m->context,
	    .max_output = m->max_output,
	    .thinking = (enum model_thinking)m->thinking,
	    .flags = (unsigned)m->flags,
	    .betas = keep(f, m->betas)};
	for (size_t i = 0; i < m->price_count; i++)
		if (m->price[i].kind <= PRICE_LAST) {
			to->price[m->price[i].kind] = m->price[i].value;
			to->priced |= 1U << m->price[i].kind;
		}
	return true;
}

static bool
on_end(struct catalog_feed *f, const struct msg_catalogue_end *m)
{
	struct catalog *c = f->next;
	if (m->rows != f->rows || f->rows != f->rows_wanted)
		return false;
	for (size_t i = 0; i < c->count; i++) {
		settle(&c->model[i].name, c->text);
		settle(&c->model[i].upstream, c->text);
		settle(&c->model[i].betas, c->text);
	}
	catalog_unref(f->present);
	f->present = c;
	f->next = NULL;
	return true;
}

bool
catalog_feed(struct catalog_feed *f, uint8_t type, const void *msg)
{
	if (type == MSG_CATALOGUE_BEGIN)
		return on_begin(f, msg);
	if (f->next == NULL)
		return false;
	if (type == MSG_CATALOGUE_END)
		return on_end(f, msg);
	f->rows++;
	if (f->rows > f->rows_wanted)
		return false;
	// Hosts, operations and profiles are the vault's own business.
	return type != MSG_CATALOGUE_MODEL || on_model(f, msg);
}
