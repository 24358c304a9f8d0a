// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Answers of exchanges in two pieces: whatever comes, the fields keep their bounds.
#include <sodium.h>
#include <stdlib.h>

#include "common/secmem.h"
#include "vaultd/sealer_exchange.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool ready;
	static uint8_t out[65536];
	if (!ready && (sodium_init() < 0 || secmem_init(1 << 20) == SECMEM_NONE))
		abort();
	ready = true;
	struct sealer_exchange *x = sealer_exchange_new();
	if (x == NULL || sealer_exchange_begin(x, EXCHANGE_STS) != 0)
		abort();
	size_t half = n == 0 ? 0 : p[0] % (n + 1);
	struct msg_exchanged m;
	if (sealer_exchange_feed(x, p, half) || sealer_exchange_feed(x, p + half, n - half) ||
	    sealer_exchange_eof(x)) {
		sealer_exchange_result(x, &m);
		if (msg_encode(MSG_EXCHANGED, &m, out, 20 * 1024) == 0)
			abort(); // the sealer could not report it
	}
	sealer_exchange_free(x);
	return 0;
}
