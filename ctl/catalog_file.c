// SPDX-License-Identifier: Apache-2.0
// The schema of catalogue files, and their rows as frames. May touch: the files it is
// given.
#include "ctl/catalog_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/catalog_row.h"
#include "ctl/yaml_file.h"
#include "proto/frame.h"

#define WHOLE_MAX (1024U * 1024U) // what the vault takes

// --- schema ------------------------------------------------------------------------

struct doc {
	char *as_of;
	struct catalog_host *hosts;
	unsigned hosts_count;
	struct catalog_op *operations;
	unsigned operations_count;
	struct catalog_model *models;
	unsigned models_count;
	struct catalog_profile *profiles;
	unsigned profiles_count;
};

static const cyaml_schema_field_t host_fields[] = {
    YAML_REQUIRED_STR(catalog_host, provider),
    YAML_REQUIRED_STR(catalog_host, location),
    YAML_REQUIRED_STR(catalog_host, host),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t op_fields[] = {
    YAML_REQUIRED_STR(catalog_op, operation),
    YAML_REQUIRED_STR(catalog_op, provider),
    YAML_REQUIRED_STR(catalog_op, method),
    YAML_REQUIRED_STR(catalog_op, path),
    YAML_OPTIONAL_STR(catalog_op, query),
    YAML_OPTIONAL_STR(catalog_op, max_body),
    YAML_OPTIONAL_BOOL(catalog_op, dated),
    YAML_STRINGS(catalog_op, headers, MSG_NAMES_MAX),
    YAML_STRINGS(catalog_op, params, MSG_NAMES_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t price_fields[] = {
    YAML_OPTIONAL_STR(catalog_prices, input),
    YAML_OPTIONAL_STR(catalog_prices, output),
    YAML_OPTIONAL_STR(catalog_prices, cache_read),
    YAML_OPTIONAL_STR(catalog_prices, cache_write),
    YAML_OPTIONAL_STR(catalog_prices, cache_write_1h),
    YAML_OPTIONAL_STR(catalog_prices, above),
    YAML_OPTIONAL_STR(catalog_prices, input_above),
    YAML_OPTIONAL_STR(catalog_prices, output_above),
    YAML_OPTIONAL_STR(catalog_prices, cache_read_above),
    YAML_OPTIONAL_STR(catalog_prices, cache_write_above),
    YAML_OPTIONAL_STR(catalog_prices, cache_write_1h_above),
    YAML_OPTIONAL_STR(catalog_prices, regional_percent),
    YAML_OPTIONAL_STR(catalog_prices, source),
    YAML_OPTIONAL_STR(catalog_prices, as_of),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t model_fields[] = {
    YAML_REQUIRED_STR(catalog_model, provider),
    YAML_REQUIRED_STR(catalog_model, name),
    YAML_OPTIONAL_STR(catalog_model, upstream),
    YAML_OPTIONAL_STR(catalog_model, context),
    YAML_OPTIONAL_STR(catalog_model, max_output),
    YAML_OPTIONAL_STR(catalog_model, thinking),
    YAML_OPTIONAL_STR(catalog_model, betas),
    YAML_STRINGS(catalog_model, flags, MSG_NAMES_MAX),
    YAML_STRINGS(catalog_model, profiles, MSG_NAMES_MAX),
    YAML_OPTIONAL_BOOL(catalog_model, in_region),
    CYAML_FIELD_MAPPING_PTR("prices", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
	struct catalog_model, prices, price_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t profile_fields[] = {
    YAML_REQUIRED_STR(catalog_profile, prefix),
    YAML_STRINGS(catalog_profile, models, 256),
    YAML_STRINGS(catalog_profile, sources, MSG_REGIONS_MAX),
    YAML_STRINGS(catalog_profile, destinations, MSG_REGIONS_MAX),
    CYAML_FIELD_END,
};

#define ENTRY(name, st)                                                                            \
	static const cyaml_schema_value_t name##_schema = {                                        \
	    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct st, name##_fields)}
ENTRY(host, catalog_host);
ENTRY(op, catalog_op);
ENTRY(model, catalog_model);
ENTRY(profile, catalog_profile);

#define SECTION(name, schema)                                                                      \
	CYAML_FIELD_SEQUENCE(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct doc, name,    \
	    &schema, 0, CATALOG_ROWS_MAX)

static const cyaml_schema_field_t top_fields[] = {
    YAML_REQUIRED_STR(doc, as_of),
    SECTION(hosts, host_schema),
    SECTION(operations, op_schema),
    SECTION(models, model_schema),
    SECTION(profiles, profile_schema),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t top_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct doc, top_fields),
};

// --- frames ------------------------------------------------------------------------

static int
add_frame(struct buf *b, uint8_t type, const void *msg)
{
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct frame f = {.type = type, .payload = payload};
	f.len = msg_encode(type, msg, payload, sizeof(payload));
	if (f.len == 0)
		return -1;
	char *at = buf_reserve(b, FRAME_HEADER_LEN);
	if (at == NULL)
		return -1;
	frame_write_header((uint8_t *)at, &f);
	b->len += FRAME_HEADER_LEN;
	buf_view(b, (struct view){(const char *)payload, f.len});
	return b->failed ? -1 : 0;
}

// True, and false the second time, for what a row is about.
static bool
first_of(struct catalog_text *t, const char *what)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->seen[i], what) == 0)
			return false;
	t->seen = base_realloc(t->seen, (t->count + 1) * sizeof(*t->seen));
	t->seen[t->count++] = base_strndup(what, strlen(what));
	return true;
}

// One row, or -1 with the reason in error.
static int
add_row(struct catalog_text *t, uint8_t type, const void *msg, const char *what,
    char error[CATALOG_ERROR_MAX])
{
	if (t->count == CATALOG_ROWS_MAX)
		snprintf(error, CATALOG_ERROR_MAX, "more than %u rows", CATALOG_ROWS_MAX);
	else if (!first_of(t, what))
		snprintf(error, CATALOG_ERROR_MAX, "%s: there is such a row already", what);
	else if (add_frame(&t->rows, type, msg) != 0)
		snprintf(error, CATALOG_ERROR_MAX, "%s: a value is too long", what);
	else
		return 0;
	return -1;
}

static int
add_host(struct catalog_text *t, const struct catalog_host *e, char error[CATALOG_ERROR_MAX])
{
	char what[CATALOG_ERROR_MAX / 2];
	struct msg_catalogue_host m;
	if (catalog_row_host(e, &m, error) != 0)
		return -1;
	snprintf(what, sizeof(what), "host of %s in %s", e->provider, e->location);
	return add_row(t, MSG_CATALOGUE_HOST, &m, what, error);
}

static int
add_op(struct catalog_text *t, const struct catalog_op *e, char error[CATALOG_ERROR_MAX])
{
	char what[CATALOG_ERROR_MAX / 2];
	struct msg_catalogue_op m;
	if (catalog_row_op(e, &m, error) != 0)
		return -1;
	snprintf(what, sizeof(what), "operation %s of %s%s", e->operation, e->provider,
	    m.variant != 0 ? ", dated" : "");
	return add_row(t, MSG_CATALOGUE_OP, &m, what, error);
}

static int
add_model(struct catalog_text *t, const struct catalog_model *e, char error[CATALOG_ERROR_MAX])
{
	char what[CATALOG_ERROR_MAX / 2];
	struct msg_catalogue_model m;
	if (catalog_row_model(e, &m, error) != 0)
		return -1;
	snprintf(what, sizeof(what), "model %s of %s", e->name, e->provider);
	return add_row(t, MSG_CATALOGUE_MODEL, &m, what, error);
}

static int
add_profile(struct catalog_text *t, const struct catalog_profile *e, char error[CATALOG_ERROR_MAX])
{
	char what[CATALOG_ERROR_MAX / 2];
	struct msg_catalogue_profile m;
	unsigned i = 0;
	do {
		if (catalog_row_profile(e, i, &m, error) != 0)
			return -1;
		snprintf(what, sizeof(what), "profile %s of %s from %s", e->prefix, e->models[i],
		    e->sources[0]);
		if (add_row(t, MSG_CATALOGUE_PROFILE, &m, what, error) != 0)
			return -1;
	} while (++i < e->models_count);
	return 0;
}

// --- reading -----------------------------------------------------------------------

#define EACH(section, add)                                                                         \
	for (unsigned i = 0; i < d->section##_count; i++)                                          \
		if (add(t, &d->section[i], error) != 0) {                                          \
			yaml_file_say(f, yaml_file_item(f, #section, i), error);                   \
			code = -1;                                                                 \
		}

static int
add_all(struct catalog_text *t, const struct yaml_file *f)
{
	const struct doc *d = f->doc;
	char error[CATALOG_ERROR_MAX];
	int code = 0;
	EACH(hosts, add_host)
	EACH(operations, add_op)
	EACH(models, add_model)
	EACH(profiles, add_profile)
	return code;
}

int
catalog_file_read(struct catalog_text *t, const char *path)
{
	struct yaml_file f;
	if (t->rows.max == 0)
		buf_init(&t->rows, WHOLE_MAX);
	int code = yaml_file_load(&f, path, &top_schema);
	if (code == 0 && f.doc == NULL) {
		yaml_file_say(&f, 0, "nothing in it");
		code = -1;
	}
	if (code == 0) {
		const struct doc *d = f.doc;
		code = add_all(t, &f);
		if (strlen(d->as_of) >= sizeof(t->as_of)) {
			yaml_file_say(&f, yaml_file_line_of(&f, 0, "as_of", NULL),
			    "as_of: write a date such as 2026-11-21");
			code = -1;
		} else if (strcmp(d->as_of, t->as_of) > 0) {
			snprintf(t->as_of, sizeof(t->as_of), "%s", d->as_of);
		}
	}
	yaml_file_free(&f);
	return code;
}

int
catalog_file_whole(const struct catalog_text *t, const char *source, struct buf *out)
{
	struct msg_catalogue_begin begin = {
	    .source = view_of(source), .as_of = view_of(t->as_of), .rows = t->count};
	struct msg_catalogue_end end = {.rows = t->count};
	buf_init(out, WHOLE_MAX);
	if (t->count == 0 || add_frame(out, MSG_CATALOGUE_BEGIN, &begin) != 0)
		return -1;
	buf_view(out, buf_done(&t->rows));
	return add_frame(out, MSG_CATALOGUE_END, &end);
}

void
catalog_file_free(struct catalog_text *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->seen[i]);
	free(t->seen);
	buf_free(&t->rows);
	*t = (struct catalog_text){0};
}
