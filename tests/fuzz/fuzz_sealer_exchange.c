// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Answers of exchanges in two pieces, read as each format there is: whatever comes, the
// fields keep their bounds, and only a format that brings secrets has one.
#include <sodium.h>
#include <stdlib.h>

#include "common/secmem.h"
#include "vaultd/sealer_exchange.h"

static void
visible(struct view v, char lowest)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < lowest || v.p[i] > 0x7e)
			abort();
}

static void
read_as(uint64_t format, const uint8_t *p, size_t n)
{
	static uint8_t out[65536];
	struct sealer_exchange *x = sealer_exchange_new();
	if (x == NULL || sealer_exchange_begin(x, format) != 0)
		abort();
	size_t half = n == 0 ? 0 : p[0] % (n + 1);
	struct msg_exchanged m;
	if (sealer_exchange_feed(x, p, half) || sealer_exchange_feed(x, p + half, n - half) ||
	    sealer_exchange_eof(x)) {
		sealer_exchange_result(x, &m);
		if (msg_encode(MSG_EXCHANGED, &m, out, 20 * 1024) == 0)
			abort(); // the sealer could not report it
		if (format == EXCHANGE_PROBE && m.secret.len + m.session_token.len != 0)
			abort();
		if (m.secret.len != 0 && (m.status != 200 || m.expires_s == 0))
			abort();
		visible(m.secret, 0x21);
		visible(m.error_type, 0x21);
		visible(m.code, 0x21);
		visible(m.message, 0x20);
	}
	sealer_exchange_free(x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool ready;
	if (!ready && (sodium_init() < 0 || secmem_init(1 << 20) == SECMEM_NONE))
		abort();
	ready = true;
	for (uint64_t format = EXCHANGE_STS; format <= EXCHANGE_PROBE; format++)
		read_as(format, p, n);
	return 0;
}
