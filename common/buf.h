// SPDX-License-Identifier: Apache-2.0
// A growing byte buffer, for texts whose size is not known before they are written.
// Owns its memory; never for secrets (reallocation leaves copies behind: secrets live in
// secmem.h). Growth is bounded: beyond `max` the buffer keeps what it has and `failed`
// stays set, so that a caller checks once at the end.
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include "common/mp.h"

struct buf {
	char *p;
	size_t len;
	size_t max; // bytes; more than that fails
	bool failed;
	size_t cap; // private
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);  // safe twice, and on a zeroed struct
void buf_clear(struct buf *b); // empty, memory kept, failure forgotten

void buf_view(struct buf *b, struct view v);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_uint(struct buf *b, uint64_t v); // decimal
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF(2, 3);

// Room for n more bytes at the returned place (then advance len), or NULL when failed.
char *buf_reserve(struct buf *b, size_t n);

struct view buf_done(const struct buf *b); // what was written so far; borrowed

#endif
