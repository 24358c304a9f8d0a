// SPDX-License-Identifier: Apache-2.0
// anthropic-ratelimit-WHAT-WHICH is x-ratelimit-WHICH-WHAT. Pure.
#include "gatewayd/rate_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/http_head.h"
#include "common/http_parse.h"

static const char *const whats[] = {"requests", "tokens"};
static const char *const whichs[] = {"limit", "remaining", "reset"};

static bool
plain_number(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
	return v.len != 0 && v.len < RATE_HEADER_MAX;
}

// "6m0s", as OpenAI writes the time that is left; 0 when it is over.
static bool
time_left(struct view v, uint64_t now_s, char out[RATE_HEADER_MAX])
{
	char text[32];
	struct tm tm = {0};
	if (view_copy(v, text, sizeof(text)) != 0)
		return false;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end == NULL || (*end != 'Z' && *end != '.'))
		return false;
	time_t at = timegm(&tm);
	uint64_t left = at > 0 && (uint64_t)at > now_s ? (uint64_t)at - now_s : 0;
	if (left >= 3600)
		snprintf(out, RATE_HEADER_MAX, "%" PRIu64 "h%" PRIu64 "m%" PRIu64 "s", left / 3600,
		    left / 60 % 60, left % 60);
	else if (left >= 60)
		snprintf(out, RATE_HEADER_MAX, "%" PRIu64 "m%" PRIu64 "s", left / 60, left % 60);
	else
		snprintf(out, RATE_HEADER_MAX, "%" PRIu64 "s", left);
	return true;
}

bool
rate_header_openai(struct view name, struct view value, uint64_t now_s, struct rate_header *out)
{
	char want[RATE_HEADER_MAX];
	for (size_t i = 0; i < ARRAY_LEN(whats); i++)
		for (size_t k = 0; k < ARRAY_LEN(whichs); k++) {
			snprintf(
			    want, sizeof(want), "anthropic-ratelimit-%s-%s", whats[i], whichs[k]);
			if (!http_view_eq_nocase(name, want))
				continue;
			snprintf(
			    out->name, sizeof(out->name), "x-ratelimit-%s-%s", whichs[k], whats[i]);
			if (strcmp(whichs[k], "reset") == 0)
				return time_left(value, now_s, out->value);
			return plain_number(value) &&
			       view_copy(value, out->value, sizeof(out->value)) == 0;
		}
	return false;
}
