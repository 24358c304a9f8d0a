// SPDX-License-Identifier: Apache-2.0
// Bytes of the fixed message header. Pure functions.
#include "proto/frame.h"

static uint64_t
get_be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static void
put_be(uint8_t *p, size_t n, uint64_t v)
{
	for (size_t i = n; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

enum frame_result
frame_read_header(const uint8_t *buf, size_t len, struct frame *f_r)
{
	if (len < FRAME_HEADER_LEN)
		return FRAME_SHORT;
	if (get_be(buf, 2) != FRAME_MAGIC || buf[2] != FRAME_VERSION)
		return FRAME_BAD;
	uint64_t n = get_be(buf + 4, 4);
	if (n > FRAME_PAYLOAD_MAX)
		return FRAME_BAD;
	*f_r = (struct frame){.type = buf[3], .id = get_be(buf + 8, 8), .len = (size_t)n};
	return FRAME_OK;
}

void
frame_write_header(uint8_t out[FRAME_HEADER_LEN], const struct frame *f)
{
	BUG_IF(f->len > FRAME_PAYLOAD_MAX);
	put_be(out, 2, FRAME_MAGIC);
	out[2] = FRAME_VERSION;
	out[3] = f->type;
	put_be(out + 4, 4, f->len);
	put_be(out + 8, 8, f->id);
}
