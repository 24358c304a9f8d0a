// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Private keys: what is read is written again as it was, and nothing else is read.
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "vaultd/rsa_key.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool ready;
	static uint8_t out[RSA_KEY_DER_MAX];
	if (!ready && (sodium_init() < 0 || secmem_init(1 << 16) == SECMEM_NONE))
		abort();
	ready = true;
	struct secret der;
	struct rsa_key k;
	int r = rsa_key_der((struct view){(const char *)p, n}, &der);
	if (r == 0) {
		if (rsa_key_read((struct view){(const char *)der.p, der.len}, &k) != 0 ||
		    rsa_key_write(&k, out, sizeof(out)) != der.len ||
		    memcmp(out, der.p, der.len) != 0)
			abort();
	} else if (r != -2) {
		abort(); // 64 KiB are enough
	}
	secret_wipe(&der);
	if (secmem_used() != 0)
		abort();
	return 0;
}
