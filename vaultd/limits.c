// SPDX-License-Identifier: Apache-2.0
// Request rate ceilings. Pure.
#include "vaultd/limits.h"

#define MINUTE_NS 60000000000U
#define MS_NS	  1000000U

void
limits_init(struct limits *l, uint64_t per_minute)
{
	*l = (struct limits){0};
	if (per_minute != 0)
		l->interval_ns = MAX(MINUTE_NS / per_minute, 1U);
}

uint64_t
limits_wait_ms(const struct limits *l, uint64_t now_ns)
{
	uint64_t full_after = l->full_at > now_ns ? l->full_at - now_ns : 0;
	if (l->interval_ns == 0 || full_after + l->interval_ns <= MINUTE_NS)
		return 0;
	return (full_after + l->interval_ns - MINUTE_NS + MS_NS - 1) / MS_NS;
}

void
limits_take(struct limits *l, uint64_t now_ns)
{
	BUG_IF(limits_wait_ms(l, now_ns) != 0);
	l->full_at = MAX(l->full_at, now_ns) + l->interval_ns;
}

void
limits_give_back(struct limits *l)
{
	l->full_at -= MIN(l->full_at, l->interval_ns);
}

void
limits_retake(struct limits *l)
{
	l->full_at += l->interval_ns;
}
