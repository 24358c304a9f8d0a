// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: host name and CA text as they come in SEALER_CONFIG. Input: host,
// newline, text.
#include <string.h>

#include "vaultd/sealer_tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	if (!ready)
		(void)sealer_tls_prepare();
	ready = true;
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
	size_t n = end == NULL ? size : (size_t)(end - data);
	struct view host = {.p = (const char *)data, .len = n};
	struct view pem = {.p = (const char *)data + n, .len = size - n};
	const char *why;
	struct sealer_tls_ctx *c = sealer_tls_ctx_new(host, pem, &why);
	if (c != NULL)
		sealer_tls_free(sealer_tls_new(c));
	sealer_tls_ctx_free(c);
	return 0;
}
