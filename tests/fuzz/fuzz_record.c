// links: auditd
// SPDX-License-Identifier: Apache-2.0
// The record decoder: whatever it accepts encodes to the same bytes, stays within the
// cap, and can be shortened and verified without a fault. Memory only.
#include <stdint.h>
#include <string.h>

#include "auditd/record.h"
#include "auditd/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_verifier(const uint8_t *data, size_t size)
{
	static bool ready;
	if (!ready)
		chain_init();
	ready = true;
	struct verify v;
	verify_init(&v);
	(void)verify_record(&v, data, size, NULL);
	(void)verify_end(&v);
	verify_free(&v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record r;
	uint8_t again[RECORD_MAX];
	check_verifier(data, size);
	if (record_decode(data, size, &r) != 0)
		return 0;
	size_t n = record_encode(&r, again, sizeof(again));
	BUG_IF(n != size || size > RECORD_MAX || memcmp(again, data, size) != 0);
	record_shorten(&r);
	n = record_encode(&r, again, sizeof(again));
	BUG_IF(n == 0 || n > size + 2); // the flag may need two bytes more
	BUG_IF(record_decode(again, n, &r) != 0);
	return 0;
}
