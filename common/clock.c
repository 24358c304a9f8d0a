// SPDX-License-Identifier: Apache-2.0
// Time and time-ordered ids. May touch: the clocks (vdso) and the random source.
#include "common/clock.h"

#include <sodium.h>
#include <time.h>

static uint64_t
read_ns(clockid_t id)
{
	struct timespec ts;
	if (clock_gettime(id, &ts) != 0)
		BUG("clock_gettime");
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

uint64_t
clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

void
clock_uuid7(uint8_t out[16])
{
	uint64_t ms = clock_wall_ns() / 1000000U;
	randombytes_buf(out, 16);
	for (size_t i = 0; i < 6; i++)
		out[i] = (uint8_t)(ms >> (40 - 8 * i));
	out[6] = (uint8_t)(0x70 | (out[6] & 0x0f));
	out[8] = (uint8_t)(0x80 | (out[8] & 0x3f));
}
