// SPDX-License-Identifier: Apache-2.0
// A growing byte queue over the heap. May touch: its own memory.
#include "vaultd/sealer_buf.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN 512U

size_t
sealer_buf_len(const struct sealer_buf *b)
{
	return b->end - b->at;
}

const uint8_t *
sealer_buf_bytes(const struct sealer_buf *b)
{
	return b->p == NULL ? NULL : b->p + b->at;
}

static void
make_room(struct sealer_buf *b, size_t need)
{
	size_t used = sealer_buf_len(b);
	if (b->at != 0) {
		memmove(b->p, b->p + b->at, used);
		b->at = 0;
		b->end = used;
	}
	if (b->cap - used >= need)
		return;
	size_t cap = MAX(b->cap * 2, CAP_MIN);
	while (cap < used + need)
		cap *= 2;
	// The first allocation fits exactly: most queues see one frame, then drain.
	if (b->cap == 0)
		cap = MAX(need, CAP_MIN);
	b->p = base_realloc(b->p, cap);
	b->cap = cap;
}

void
sealer_buf_append(struct sealer_buf *b, const void *p, size_t len)
{
	if (len == 0)
		return;
	if (b->cap - b->end < len)
		make_room(b, len);
	memcpy(b->p + b->end, p, len);
	b->end += len;
}

void
sealer_buf_consume(struct sealer_buf *b, size_t n)
{
	BUG_IF(n > sealer_buf_len(b));
	b->at += n;
	if (b->at == b->end)
		sealer_buf_free(b);
}

void
sealer_buf_free(struct sealer_buf *b)
{
	free(b->p);
	*b = (struct sealer_buf){0};
}
