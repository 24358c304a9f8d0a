// SPDX-License-Identifier: Apache-2.0
// Fuzz target: HTTP responses. The result must not depend on the cuts.
#include "tests/fuzz/fuzz_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_http(HTTP_RESPONSE, data, size, NULL);
	return 0;
}
