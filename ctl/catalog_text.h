// SPDX-License-Identifier: Apache-2.0
// A catalogue in memory: its rows as frames, in the order they were added, each with a few
// words that say what it is about and are its identity. Filled from files (catalog_file.h)
// or from what the vault tells. Pure.
#ifndef CTL_CATALOG_TEXT_H
#define CTL_CATALOG_TEXT_H

#include "common/buf.h"
#include "ctl/catalog_row.h"

#define CATALOG_ROWS_MAX 4096U
#define CATALOG_WHAT_MAX 256U

struct catalog_entry {
	uint8_t type;
	size_t at, len; // of the payload in frames
	char *what;	// "model gpt-5 of openai"; owned
};

// Zeroed: empty.
struct catalog_text {
	struct buf frames; // whole ones, header and payload
	struct catalog_entry *entry;
	size_t count;
	char as_of[33];
	char source[257];
	bool has_version;
	uint64_t version; // in force when it was told, or that a file was made from
	uint64_t applied_s;
	char applied_by[65];
};

// Adds a row of MSG_CATALOGUE_HOST, _OP, _MODEL or _PROFILE. -1 with a sentence in error:
// there is one about the same already, or it is too long.
int catalog_text_add(struct catalog_text *t, uint8_t type, const void *msg,
    char error[CATALOG_ERROR_MAX]) MUST_CHECK;
void catalog_text_free(struct catalog_text *t);

// The row decoded; views point into frames.
void catalog_text_row(const struct catalog_text *t, size_t i, union msg_any *m);
struct view catalog_text_payload(const struct catalog_text *t, size_t i);
// The row with this identity, or SIZE_MAX.
size_t catalog_text_find(const struct catalog_text *t, const char *what);
size_t catalog_text_count(const struct catalog_text *t, uint8_t type);

// The whole sequence with BEGIN and END as frames, for the packer. -1 if there is not one
// row.
int catalog_text_whole(const struct catalog_text *t, struct buf *out) MUST_CHECK;
void catalog_text_begin(const struct catalog_text *t, struct msg_catalogue_begin *m);

// What the row is about, in words.
void catalog_text_what(uint8_t type, const void *msg, char out[CATALOG_WHAT_MAX]);

#endif
