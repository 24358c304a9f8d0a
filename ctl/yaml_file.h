// SPDX-License-Identifier: Apache-2.0
// A YAML file read by a schema of libcyaml, with faults told as "FILE:LINE: text".
#ifndef CTL_YAML_FILE_H
#define CTL_YAML_FILE_H

#include <cyaml/cyaml.h>

#include "common/base.h"

struct yaml_file {
	const char *path;
	char *text; // NUL-terminated
	size_t len;
	const cyaml_schema_value_t *schema;
	void *doc;
};

#define YAML_OPTIONAL_STR(st, f)                                                                   \
	CYAML_FIELD_STRING_PTR(                                                                    \
	    #f, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct st, f, 0, CYAML_UNLIMITED)
#define YAML_REQUIRED_STR(st, f)                                                                   \
	CYAML_FIELD_STRING_PTR(#f, CYAML_FLAG_POINTER, struct st, f, 1, CYAML_UNLIMITED)
#define YAML_STRINGS(st, f, most)                                                                  \
	CYAML_FIELD_SEQUENCE(#f, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct st, f,           \
	    &yaml_string_schema, 0, most)
#define YAML_OPTIONAL_BOOL(st, f)                                                                  \
	CYAML_FIELD_BOOL_PTR(#f, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct st, f)

extern const cyaml_schema_value_t yaml_string_schema;

// -1 after saying what is wrong. doc may be NULL for an empty file.
int yaml_file_load(
    struct yaml_file *f, const char *path, const cyaml_schema_value_t *schema) MUST_CHECK;
void yaml_file_free(struct yaml_file *f);

void yaml_file_say(const struct yaml_file *f, unsigned line, const char *text); // 0: no line
// First line at or after `from` that holds key as a mapping key, with this value if one is
// given; 0 if there is none.
unsigned yaml_file_line_of(
    const struct yaml_file *f, unsigned from, const char *key, const char *value);
// Line of the n-th entry (from 0) of the list under a top-level key; 0 if not found.
unsigned yaml_file_item(const struct yaml_file *f, const char *section, unsigned n);

#endif
