// SPDX-License-Identifier: Apache-2.0
// A catalogue as text: a file that catalog_file_read() takes back unchanged, JSON, and the
// difference of two. Pure but for what is printed.
#ifndef CTL_CATALOG_WRITE_H
#define CTL_CATALOG_WRITE_H

#include <jansson.h>
#include <stdio.h>

#include "ctl/catalog_text.h"

// Its version goes along, so that applying an edited copy notices what others applied
// meanwhile.
void catalog_write_yaml(const struct catalog_text *t, FILE *out);
json_t *catalog_write_json(const struct catalog_text *t); // owned by the caller

struct catalog_change {
	size_t added, removed, changed;
};

// From one to the other; out NULL: only counted. One line for each row:
//	+ model gpt-6 of openai
//	- model gpt-3 of openai
//	~ model gpt-5 of openai: context 400000 -> 500000
void catalog_write_diff(const struct catalog_text *from, const struct catalog_text *to, FILE *out,
    struct catalog_change *change_r);

#endif
