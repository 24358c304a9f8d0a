// SPDX-License-Identifier: Apache-2.0
// Request rate ceilings: one bucket per virtual key and one per credential, holding
// one minute's worth of requests and refilled evenly. Pure; the caller tells the time
// (monotonic nanoseconds).
#ifndef VAULTD_LIMITS_H
#define VAULTD_LIMITS_H

#include "common/base.h"

// Generic cell rate algorithm: full_at is when the bucket will be full again.
struct limits {
	uint64_t interval_ns; // between two requests at the ceiling; 0: no ceiling
	uint64_t full_at;
};

void limits_init(struct limits *l, uint64_t per_minute); // 0: no ceiling

// Milliseconds until one request fits, 0 if it fits now. Changes nothing.
uint64_t limits_wait_ms(const struct limits *l, uint64_t now_ns);

// Takes one request out; only after limits_wait_ms said 0 (BUG else).
void limits_take(struct limits *l, uint64_t now_ns);

// Puts one back that was taken but not used, and takes it again without a check.
void limits_give_back(struct limits *l);
void limits_retake(struct limits *l);

#endif
