// SPDX-License-Identifier: Apache-2.0
// Bounded text building into a buffer of the caller (secret memory where the text
// holds a secret). After any overflow `failed` stays set, so that a caller checks
// once at the end. Nothing is NUL-terminated.
#ifndef VAULTD_TEXT_H
#define VAULTD_TEXT_H

#include "common/mp.h"

struct text {
	char *p;
	size_t cap;
	size_t len;
	bool failed;
};

void text_init(struct text *t, void *buf, size_t cap);
void text_view(struct text *t, struct view v);
void text_str(struct text *t, const char *s);
void text_char(struct text *t, char c);
void text_uint(struct text *t, uint64_t v);		     // decimal
void text_hex(struct text *t, const uint8_t *p, size_t len); // lower case

// Percent-encodes all but RFC 3986 unreserved bytes, hex in upper case; '/' is kept
// if keep_slash. This is the encoding of SigV4 and of our path templates.
void text_encoded(struct text *t, struct view v, bool keep_slash);

struct view text_done(const struct text *t); // what was written so far

#endif
