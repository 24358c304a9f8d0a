// SPDX-License-Identifier: Apache-2.0
// Rows as keys and values, the way back of catalog_row.c. Pure.
#include "ctl/catalog_words.h"

#include <stdio.h>
#include <string.h>

#include "common/jv.h"

#define TEXT_MAX 65536U

static void
begin_in(struct catalog_words *w, const char *prefix, const char *key)
{
	BUG_IF(w->n == CATALOG_WORDS_MAX || key == NULL);
	w->word[w->n].prefix = prefix;
	w->word[w->n].key = key;
	w->word[w->n].at = w->text.len;
}

static void
end(struct catalog_words *w)
{
	w->word[w->n].len = w->text.len - w->word[w->n].at;
	w->n++;
}

static void
put_text_in(struct catalog_words *w, const char *prefix, const char *key, struct view v)
{
	begin_in(w, prefix, key);
	jv_put_string(&w->text, v);
	end(w);
}

static void
put_text(struct catalog_words *w, const char *key, struct view v)
{
	put_text_in(w, "", key, v);
}

static void
put_name(struct catalog_words *w, const char *key, const char *s)
{
	put_text(w, key, view_of(s == NULL ? "?" : s));
}

// Left away when it is nothing.
static void
put_some(struct catalog_words *w, const char *key, struct view v)
{
	if (v.len != 0)
		put_text(w, key, v);
}

static void
put_number(struct catalog_words *w, const char *key, uint64_t v)
{
	if (v == 0)
		return;
	begin_in(w, "", key);
	buf_uint(&w->text, v);
	end(w);
}

static void
put_true(struct catalog_words *w, const char *key, bool v)
{
	if (!v)
		return;
	begin_in(w, "", key);
	buf_str(&w->text, "true");
	end(w);
}

static void
put_names(struct catalog_words *w, const char *key, const struct msg_name *v, size_t n)
{
	if (n == 0)
		return;
	begin_in(w, "", key);
	for (size_t i = 0; i < n; i++) {
		buf_str(&w->text, i == 0 ? "[" : ", ");
		jv_put_string(&w->text, v[i].name);
	}
	buf_char(&w->text, ']');
	end(w);
}

// --- kinds of rows -------------------------------------------------------------------

static void
host(struct catalog_words *w, const struct msg_catalogue_host *m)
{
	put_name(w, "provider", ids_provider(m->provider));
	put_text(w, "location", m->location);
	put_text(w, "host", m->host);
}

static void
op(struct catalog_words *w, const struct msg_catalogue_op *m)
{
	put_name(w, "operation", ids_operation(m->operation));
	put_name(w, "provider", ids_provider(m->provider));
	put_true(w, "dated", m->variant != 0);
	put_text(w, "method", m->method);
	put_text(w, "path", m->path);
	put_some(w, "query", m->query);
	put_number(w, "max_body", m->max_body);
	put_names(w, "headers", m->allowed_header, m->header_count);
	put_names(w, "params", m->allowed_param, m->param_count);
}

void
catalog_words_usd(uint64_t pico, char out[32])
{
	int n = snprintf(out, 32, "%llu.%06llu", (unsigned long long)(pico / 1000000),
	    (unsigned long long)(pico % 1000000));
	while (n > 0 && out[n - 1] == '0')
		out[--n] = '\0';
	if (n > 0 && out[n - 1] == '.')
		out[n - 1] = '\0';
}

static void
flags(struct catalog_words *w, uint64_t bits)
{
	struct msg_name name[MSG_NAMES_MAX];
	size_t n = 0;
	for (unsigned bit = 0; bit < MSG_NAMES_MAX; bit++)
		if ((bits >> bit & 1) != 0 && catalog_row_flag(bit) != NULL)
			name[n++].name = view_of(catalog_row_flag(bit));
	put_names(w, "flags", name, n);
}

static void
model(struct catalog_words *w, const struct msg_catalogue_model *m)
{
	put_text(w, "name", m->name);
	put_name(w, "provider", ids_provider(m->provider));
	if (!view_eq(m->name, m->upstream))
		put_text(w, "upstream", m->upstream);
	put_number(w, "context", m->context);
	put_number(w, "max_output", m->max_output);
	if (m->thinking != THINKING_NONE)
		put_name(w, "thinking", catalog_row_thinking(m->thinking));
	flags(w, m->flags);
	put_some(w, "betas", m->betas);
	put_names(w, "profiles", m->profile, m->profile_count);
	put_true(w, "in_region", m->in_region);
	for (size_t i = 0; i < m->price_count; i++) {
		char text[32];
		if (catalog_row_price_is_usd(m->price[i].kind))
			catalog_words_usd(m->price[i].value, text);
		else
			snprintf(text, sizeof(text), "%llu", (unsigned long long)m->price[i].value);
		put_text_in(w, "prices.", catalog_row_price(m->price[i].kind), view_of(text));
	}
	if (m->price_source.len != 0)
		put_text_in(w, "prices.", "source", m->price_source);
	if (m->price_as_of.len != 0)
		put_text_in(w, "prices.", "as_of", m->price_as_of);
}

static void
profile(struct catalog_words *w, const struct msg_catalogue_profile *m)
{
	put_text(w, "prefix", m->prefix);
	put_names(w, "sources", m->source, m->source_count);
	put_names(w, "destinations", m->destination, m->destination_count);
	put_names(w, "models", &(struct msg_name){m->model}, 1);
}

void
catalog_words(struct catalog_words *w, uint8_t type, const void *msg)
{
	if (w->text.max == 0)
		buf_init(&w->text, TEXT_MAX);
	buf_clear(&w->text);
	w->n = 0;
	switch (type) {
	case MSG_CATALOGUE_HOST:
		host(w, msg);
		break;
	case MSG_CATALOGUE_OP:
		op(w, msg);
		break;
	case MSG_CATALOGUE_MODEL:
		model(w, msg);
		break;
	default:
		profile(w, msg);
	}
	BUG_IF(w->text.failed); // a row is at most a frame
}

struct view
catalog_words_value(const struct catalog_words *w, size_t i)
{
	return (struct view){w->text.p + w->word[i].at, w->word[i].len};
}

struct view
catalog_words_get(const struct catalog_words *w, const char *prefix, const char *key)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->word[i].prefix, prefix) == 0 && strcmp(w->word[i].key, key) == 0)
			return catalog_words_value(w, i);
	return (struct view){0};
}

void
catalog_words_free(struct catalog_words *w)
{
	buf_free(&w->text);
	*w = (struct catalog_words){0};
}
