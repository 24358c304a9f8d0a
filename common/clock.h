// SPDX-License-Identifier: Apache-2.0
// Time. Nanoseconds in u64 everywhere.
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include "common/base.h"

uint64_t clock_wall_ns(void); // CLOCK_REALTIME since 1970
uint64_t clock_mono_ns(void); // CLOCK_MONOTONIC

// 16 bytes of UUIDv7 (RFC 9562, section 5.7).
void clock_uuid7(uint8_t out[16]);

#endif
