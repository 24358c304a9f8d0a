// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: OpenAI chat to Bedrock Converse and back. Each event's piece begins with its
// name and a space.
#include "tests/fuzz/fuzz_dialect.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct dialect_request r = {.pair = DIALECT_CHAT_CONVERSE,
	    .model = {.asked = VIEW("m"),
		.upstream = VIEW("claude-x"),
		.max_output = (data[0] & 64) != 0 ? 8192 : 0,
		.thinking = (enum model_thinking)(data[0] >> 4 & 3),
		.flags = data[1] | ((data[0] & 128) != 0 ? MODEL_CLAUDE : 0U),
		.betas = VIEW("a,b")},
	    .anthropic_beta = (data[0] & 4) != 0 ? VIEW("b, c") : VIEW("")};
	fuzz_run(&r, data[0], (struct view){(const char *)data + 2, size - 2}, NULL);
	return 0;
}
