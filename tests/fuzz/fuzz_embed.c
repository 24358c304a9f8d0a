// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: embeddings of four targets.
#include "tests/fuzz/fuzz_dialect.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dialect_pair pairs[] = {DIALECT_EMBED_GEMINI, DIALECT_EMBED_VERTEX,
	    DIALECT_EMBED_BEDROCK, DIALECT_EMBED_BEDROCK};
	if (size == 0)
		return 0;
	unsigned which = data[0] >> 6;
	struct dialect_request r = {.pair = pairs[which],
	    .model = {.asked = VIEW("m"),
		.upstream = VIEW("embed-v4-v2"),
		.flags = which == 3 ? MODEL_TITAN_EMBED : MODEL_COHERE_EMBED}};
	fuzz_run(&r, data[0] & 2, (struct view){(const char *)data + 1, size - 1}, "");
	return 0;
}
