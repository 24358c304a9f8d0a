// SPDX-License-Identifier: Apache-2.0
// The schema of catalogue files. May touch: the files it is
// given.
#include "ctl/catalog_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/catalog_row.h"
#include "ctl/yaml_file.h"

// --- schema ------------------------------------------------------------------------

struct doc {
	char *as_of, *version;
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
    YAML_OPTIONAL_STR(doc, version),
    SECTION(hosts, host_schema),
    SECTION(operations, op_schema),
    SECTION(models, model_schema),
    SECTION(profiles, profile_schema),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t top_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct doc, top_fields),
};

// --- rows --------------------------------------------------------------------------

static int
add_host(struct catalog_text *t, const struct catalog_host *e, char error[CATALOG_ERROR_MAX])
{
	struct msg_catalogue_host m;
	return catalog_row_host(e, &m, error) != 0
		   ? -1
		   : catalog_text_add(t, MSG_CATALOGUE_HOST, &m, error);
}

static int
add_op(struct catalog_text *t, const struct catalog_op *e, char error[CATALOG_ERROR_MAX])
{
	struct msg_catalogue_op m;
	return catalog_row_op(e, &m, error) != 0 ? -1
						 : catalog_text_add(t, MSG_CATALOGUE_OP, &m, error);
}

static int
add_model(struct catalog_text *t, const struct catalog_model *e, char error[CATALOG_ERROR_MAX])
{
	struct msg_catalogue_model m;
	return catalog_row_model(e, &m, error) != 0
		   ? -1
		   : catalog_text_add(t, MSG_CATALOGUE_MODEL, &m, error);
}

static int
add_profile(struct catalog_text *t, const struct catalog_profile *e, char error[CATALOG_ERROR_MAX])
{
	struct msg_catalogue_profile m;
	unsigned i = 0;
	do {
		if (catalog_row_profile(e, i, &m, error) != 0 ||
		    catalog_text_add(t, MSG_CATALOGUE_PROFILE, &m, error) != 0)
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

// The version that the file was made from, which all files must agree on.
static int
take_version(struct catalog_text *t, const struct yaml_file *f)
{
	const struct doc *d = f->doc;
	char *end;
	if (d->version == NULL)
		return 0;
	unsigned line = yaml_file_line_of(f, 0, "version", NULL);
	unsigned long long v = strtoull(d->version, &end, 10);
	if (*d->version < '0' || *d->version > '9' || *end != '\0' || v > UINT32_MAX) {
		yaml_file_say(f, line, "version: write the number that `catalog show` tells");
		return -1;
	}
	if (t->has_version && t->version != v) {
		yaml_file_say(f, line, "version: another file names another version");
		return -1;
	}
	t->has_version = true;
	t->version = v;
	return 0;
}

static int
take_as_of(struct catalog_text *t, const struct yaml_file *f)
{
	const struct doc *d = f->doc;
	if (strlen(d->as_of) >= sizeof(t->as_of)) {
		yaml_file_say(f, yaml_file_line_of(f, 0, "as_of", NULL),
		    "as_of: write a date such as 2026-11-21");
		return -1;
	}
	if (strcmp(d->as_of, t->as_of) > 0)
		snprintf(t->as_of, sizeof(t->as_of), "%s", d->as_of);
	return 0;
}

int
catalog_file_read(struct catalog_text *t, const char *path)
{
	struct yaml_file f;
	int code = yaml_file_load(&f, path, &top_schema);
	if (code == 0 && f.doc == NULL) {
		yaml_file_say(&f, 0, "nothing in it");
		code = -1;
	}
	if (code == 0) {
		code = add_all(t, &f);
		if (take_as_of(t, &f) != 0 || take_version(t, &f) != 0)
			code = -1;
	}
	yaml_file_free(&f);
	return code;
}
