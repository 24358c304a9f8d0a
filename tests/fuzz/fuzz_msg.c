// links:
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: frame header and every message decoder; what decodes must encode to
// the same bytes (one encoding per meaning).
#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f;
	union msg_any m;
	static uint8_t again[FRAME_PAYLOAD_MAX];
	if (frame_read_header(data, size, &f) != FRAME_OK)
		return 0;
	size_t len = size - FRAME_HEADER_LEN;
	if (msg_is_raw(f.type) || msg_decode(f.type, data + FRAME_HEADER_LEN, len, &m) != 0)
		return 0;
	size_t n = msg_encode(f.type, &m, again, sizeof(again));
	if (n != len || memcmp(again, data + FRAME_HEADER_LEN, n) != 0)
		abort();
	return 0;
}
