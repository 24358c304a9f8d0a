// SPDX-License-Identifier: Apache-2.0
// Rate-limit headers of Anthropic in the words of OpenAI, for clients whose request was
// translated. Sources: Anthropic API "Rate limits" (response headers), OpenAI "Rate limits"
// (rate limits in headers). Pure.
#ifndef GATEWAYD_RATE_HEADER_H
#define GATEWAYD_RATE_HEADER_H

#include "common/mp.h"

#define RATE_HEADER_MAX 48U

struct rate_header {
	char name[RATE_HEADER_MAX];
	char value[RATE_HEADER_MAX];
};

// false: not such a header, or nothing that OpenAI's has a word for. now_s: Unix time, which
// the end of a period is counted from ("2026-11-21T16:00:05Z" becomes "5s").
bool rate_header_openai(
    struct view name, struct view value, uint64_t now_s, struct rate_header *out) MUST_CHECK;

#endif
