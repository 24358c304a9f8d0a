// SPDX-License-Identifier: Apache-2.0
// A row of the catalogue as the pairs of key and value that its entry in a file has: from
// it files, JSON and differences are written. Pure.
#ifndef CTL_CATALOG_WORDS_H
#define CTL_CATALOG_WORDS_H

#include "ctl/catalog_text.h"

#define CATALOG_WORDS_MAX 32U

// Values are JSON, which is YAML too. Keys of prices begin with "prices.".
struct catalog_words {
	struct buf text;
	size_t n;
	struct {
		const char *prefix; // "prices.", or ""
		const char *key;    // lives as long as the program
		size_t at, len;	    // value in text
	} word[CATALOG_WORDS_MAX];
};

// What would be the default is left away, so that reading it back gives the same row.
// w must be zeroed or used before; its old content goes.
void catalog_words(struct catalog_words *w, uint8_t type, const void *msg);
struct view catalog_words_value(const struct catalog_words *w, size_t i);
// By key with prefix; empty if there is none.
struct view catalog_words_get(const struct catalog_words *w, const char *prefix, const char *key);
void catalog_words_free(struct catalog_words *w);

// "0.075" of 75,000 pico-USD per token.
void catalog_words_usd(uint64_t pico, char out[32]);

#endif
