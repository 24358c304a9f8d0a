// SPDX-License-Identifier: Apache-2.0
// The growing byte buffer. Touches the heap only.
#include "common/buf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	if (b->failed || n > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	if (b->len + n > b->cap) {
		b->cap = MIN(b->max, MAX(b->len + n, MAX(b->cap * 2, (size_t)256)));
		b->p = base_realloc(b->p, b->cap);
	}
	return b->p + b->len;
}

void
buf_view(struct buf *b, struct view v)
{
	char *at = v.len == 0 ? NULL : buf_reserve(b, v.len);
	if (at == NULL)
		return;
	memcpy(at, v.p, v.len);
	b->len += v.len;
}

void
buf_str(struct buf *b, const char *s)
{
	buf_view(b, view_of(s));
}

void
buf_char(struct buf *b, char c)
{
	buf_view(b, (struct view){&c, 1});
}

void
buf_uint(struct buf *b, uint64_t v)
{
	buf_fmt(b, "%" PRIu64, v);
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	char small[256];
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	BUG_IF(n < 0);
	if ((size_t)n < sizeof(small)) {
		buf_view(b, (struct view){small, (size_t)n});
	} else {
		char *at = buf_reserve(b, (size_t)n + 1);
		if (at != NULL) {
			vsnprintf(at, (size_t)n + 1, fmt, again);
			b->len += (size_t)n;
		}
	}
	va_end(again);
}

struct view
buf_done(const struct buf *b)
{
	return (struct view){b->p, b->len};
}
