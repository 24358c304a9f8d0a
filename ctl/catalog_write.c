// SPDX-License-Identifier: Apache-2.0
// May touch: the stream it is given.
#include "ctl/catalog_write.h"

#include <string.h>
#include <strings.h>

#include "common/jv.h"
#include "ctl/catalog_words.h"

// --- YAML ----------------------------------------------------------------------------

// "chat" needs no quotes; whatever some reader of YAML takes for another type keeps them.
static bool
plain(struct view json)
{
	static const char *const other[] = {
	    "null", "true", "false", "yes", "no", "on", "off", "y", "n"};
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	if (json.len < 3 || json.p[0] != '"' || strchr(letters, json.p[1]) == NULL)
		return false;
	for (size_t i = 1; i + 1 < json.len; i++)
		if (strchr(letters, json.p[i]) == NULL &&
		    strchr("0123456789._-", json.p[i]) == NULL)
			return false;
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		if (json.len - 2 == strlen(other[i]) &&
		    strncasecmp(json.p + 1, other[i], json.len - 2) == 0)
			return false;
	return true;
}

static void
put_value(FILE *out, struct view json)
{
	if (plain(json))
		json = (struct view){json.p + 1, json.len - 2};
	fprintf(out, "%.*s", (int)json.len, json.p);
}

// "  - {a: b, c: d}", or a line for each key. Prices are one more mapping inside.
static void
put_entry(FILE *out, const struct catalog_words *w, bool in_one_line)
{
	size_t i = 0;
	fputs(in_one_line ? "  - {" : "  - ", out);
	for (; i < w->n && *w->word[i].prefix == '\0'; i++) {
		if (i != 0)
			fputs(in_one_line ? ", " : "    ", out);
		fprintf(out, "%s: ", w->word[i].key);
		put_value(out, catalog_words_value(w, i));
		if (!in_one_line)
			fputc('\n', out);
	}
	for (size_t first = i; i < w->n; i++) {
		struct view v = catalog_words_value(w, i);
		fprintf(out, "%s%s: %.*s", i == first ? "    prices: {" : ", ", w->word[i].key,
		    (int)v.len, v.p);
		if (i + 1 == w->n)
			fputs("}\n", out);
	}
	if (in_one_line)
		fputs("}\n", out);
}

static bool
same_names(const struct msg_name *a, size_t na, const struct msg_name *b, size_t nb)
{
	bool same = na == nb;
	for (size_t i = 0; same && i < na; i++)
		same = view_eq(a[i].name, b[i].name);
	return same;
}

static bool
same_group(const struct msg_catalogue_profile *a, const struct msg_catalogue_profile *b)
{
	return view_eq(a->prefix, b->prefix) &&
	       same_names(a->source, a->source_count, b->source, b->source_count) &&
	       same_names(
		   a->destination, a->destination_count, b->destination, b->destination_count);
}

// Neighbours that differ in the model alone are one entry.
static void
put_profile(FILE *out, struct catalog_words *w, const struct msg_catalogue_profile *last,
    const struct msg_catalogue_profile *m)
{
	if (last == NULL || !same_group(last, m)) {
		struct view models = catalog_words_get(w, "", "models");
		w->n--; // the last one, which follows as a list
		put_entry(out, w, false);
		fprintf(out, "    models:\n      - %.*s\n", (int)models.len - 2, models.p + 1);
	} else {
		struct view models = catalog_words_get(w, "", "models");
		fprintf(out, "      - %.*s\n", (int)models.len - 2, models.p + 1);
	}
}

static void
put_section(FILE *out, const struct catalog_text *t, uint8_t type, const char *title)
{
	static union msg_any m[2]; // large
	struct catalog_words w = {0};
	bool first = true;
	for (size_t i = 0, which = 0; i < t->count; i++) {
		if (t->entry[i].type != type)
			continue;
		catalog_text_row(t, i, &m[which]);
		catalog_words(&w, type, &m[which]);
		if (first)
			fprintf(out, "%s:\n", title);
		if (type == MSG_CATALOGUE_PROFILE)
			put_profile(out, &w, first ? NULL : &m[1 - which].catalogue_profile,
			    &m[which].catalogue_profile);
		else
			put_entry(out, &w, type == MSG_CATALOGUE_HOST);
		first = false;
		which = 1 - which;
	}
	catalog_words_free(&w);
}

static const struct {
	uint8_t type;
	const char *title;
} sections[] = {{MSG_CATALOGUE_HOST, "hosts"}, {MSG_CATALOGUE_OP, "operations"},
    {MSG_CATALOGUE_MODEL, "models"}, {MSG_CATALOGUE_PROFILE, "profiles"}};

void
catalog_write_yaml(const struct catalog_text *t, FILE *out)
{
	struct buf date;
	buf_init(&date, 256);
	jv_put_string(&date, view_of(t->as_of));
	fprintf(out,
	    "# A whole catalogue, to be changed and given to `sallyport catalog apply`. The "
	    "version\n"
	    "# is the one it was made from: if another is in force by then, applying is refused.\n"
	    "version: %llu\nas_of: %.*s\n",
	    (unsigned long long)t->version, (int)date.len, date.p);
	buf_free(&date);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		put_section(out, t, sections[i].type, sections[i].title);
}

// --- JSON ----------------------------------------------------------------------------

static json_t *
value_of(struct view json)
{
	json_t *v = json_loadb(json.p, json.len, JSON_DECODE_ANY, NULL);
	return v == NULL ? json_null() : v;
}

static json_t *
row_of(const struct catalog_words *w)
{
	json_t *row = json_object(), *prices = NULL;
	for (size_t i = 0; i < w->n; i++) {
		json_t *to = row;
		if (*w->word[i].prefix != '\0') {
			if (prices == NULL) {
				prices = json_object();
				json_object_set_new(row, "prices", prices);
			}
			to = prices;
		}
		json_object_set_new(to, w->word[i].key, value_of(catalog_words_value(w, i)));
	}
	return row;
}

// When it was applied; null for the built-in one.
static json_t *
applied(const struct catalog_text *t)
{
	return t->applied_s == 0 ? json_null() : json_integer((json_int_t)t->applied_s);
}

json_t *
catalog_write_json(const struct catalog_text *t)
{
	static union msg_any m;
	struct catalog_words w = {0};
	json_t *all = json_object();
	json_object_set_new(all, "version", json_integer((json_int_t)t->version));
	json_object_set_new(all, "as_of", json_string(t->as_of));
	json_object_set_new(all, "source", json_string(t->source));
	json_object_set_new(all, "applied_by", json_string(t->applied_by));
	json_object_set_new(all, "applied_unix", applied(t));
	for (size_t s = 0; s < ARRAY_LEN(sections); s++) {
		json_t *rows = json_array();
		for (size_t i = 0; i < t->count; i++) {
			if (t->entry[i].type != sections[s].type)
				continue;
			catalog_text_row(t, i, &m);
			catalog_words(&w, t->entry[i].type, &m);
			json_array_append_new(rows, row_of(&w));
		}
		json_object_set_new(all, sections[s].title, rows);
	}
	catalog_words_free(&w);
	return all;
}

// --- differences ---------------------------------------------------------------------

static void
put_field(FILE *out, const char *comma, const char *prefix, const char *key, struct view was,
    struct view is)
{
	fprintf(out, "%s %s%s %.*s -> %.*s", comma, prefix, key, was.len == 0 ? 4 : (int)was.len,
	    was.len == 0 ? "none" : was.p, is.len == 0 ? 4 : (int)is.len,
	    is.len == 0 ? "none" : is.p);
}

static void
put_fields(FILE *out, const struct catalog_words *a, const struct catalog_words *b)
{
	const char *comma = ":";
	for (size_t i = 0; i < b->n; i++) {
		struct view is = catalog_words_value(b, i);
		struct view was = catalog_words_get(a, b->word[i].prefix, b->word[i].key);
		if (view_eq(was, is))
			continue;
		put_field(out, comma, b->word[i].prefix, b->word[i].key, was, is);
		comma = ",";
	}
	for (size_t i = 0; i < a->n; i++)
		if (catalog_words_get(b, a->word[i].prefix, a->word[i].key).len == 0) {
			put_field(out, comma, a->word[i].prefix, a->word[i].key,
			    catalog_words_value(a, i), (struct view){0});
			comma = ",";
		}
}

static void
put_changed(
    FILE *out, const struct catalog_text *from, size_t a, const struct catalog_text *to, size_t b)
{
	static union msg_any m;
	struct catalog_words was = {0}, is = {0};
	catalog_text_row(from, a, &m);
	catalog_words(&was, from->entry[a].type, &m);
	catalog_text_row(to, b, &m);
	catalog_words(&is, to->entry[b].type, &m);
	fprintf(out, "~ %s", to->entry[b].what);
	put_fields(out, &was, &is);
	fputc('\n', out);
	catalog_words_free(&was);
	catalog_words_free(&is);
}

void
catalog_write_diff(const struct catalog_text *from, const struct catalog_text *to, FILE *out,
    struct catalog_change *change_r)
{
	*change_r = (struct catalog_change){.changed = strcmp(from->as_of, to->as_of) != 0};
	if (change_r->changed != 0 && out != NULL)
		fprintf(out, "~ as_of: %s -> %s\n", from->as_of, to->as_of);
	for (size_t i = 0; i < from->count; i++) {
		if (catalog_text_find(to, from->entry[i].what) != SIZE_MAX)
			continue;
		change_r->removed++;
		if (out != NULL)
			fprintf(out, "- %s\n", from->entry[i].what);
	}
	for (size_t i = 0; i < to->count; i++) {
		size_t old = catalog_text_find(from, to->entry[i].what);
		if (old == SIZE_MAX) {
			change_r->added++;
			if (out != NULL)
				fprintf(out, "+ %s\n", to->entry[i].what);
		} else if (!view_eq(catalog_text_payload(from, old), catalog_text_payload(to, i))) {
			change_r->changed++;
			if (out != NULL)
				put_changed(out, from, old, to, i);
		}
	}
}
