// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: OpenAI chat to Gemini and back.
#include "tests/fuzz/fuzz_dialect.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct dialect_request r = {.pair = DIALECT_CHAT_GENERATE,
	    .model = {.asked = VIEW("m"), .upstream = VIEW("gemini-x"), .max_output = 65536}};
	r.model.flags = (data[0] & 4) != 0 ? MODEL_SIGNATURES : 0;
	r.model.thinking = (data[0] & 16) != 0 ? THINKING_GEMINI_LEVEL : THINKING_GEMINI_BUDGET;
	fuzz_run(&r, data[0], (struct view){(const char *)data + 1, size - 1}, "");
	return 0;
}
