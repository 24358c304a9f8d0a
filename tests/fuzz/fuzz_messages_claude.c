// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: Anthropic Messages to Claude elsewhere. The piece behind the body is the
// client's anthropic-beta header.
#include "tests/fuzz/fuzz_dialect.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dialect_pair pairs[] = {DIALECT_MESSAGES_INVOKE,
	    DIALECT_MESSAGES_RAW_PREDICT, DIALECT_COUNT_BEDROCK, DIALECT_COUNT_RAW_PREDICT};
	if (size == 0)
		return 0;
	unsigned which = data[0] >> 6;
	struct dialect_request r = {.pair = pairs[which],
	    .model = {.asked = VIEW("m"),
		.upstream = VIEW("claude-x"),
		.betas = (data[0] & 16) != 0 ? VIEW("*") : VIEW("tool-search-tool-1,b")}};
	struct view rest = {(const char *)data + 1, size - 1};
	r.anthropic_beta = fuzz_piece(&rest);
	if ((data[0] & 4) != 0)
		r.anthropic_version = VIEW("2026-10-21");
	fuzz_run(&r, which >= 2 ? data[0] & 2U : data[0], rest, "chunk");
	return 0;
}
