// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Rate-limit headers for clients of another API.
#include "gatewayd/rate_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1795276800U // 2026-11-21T16:00:00Z

static void
told(const char *name, const char *value, const char *want_name, const char *want_value)
{
	struct rate_header h;
	if (!rate_header_openai(view_of(name), view_of(value), NOW, &h))
		fail_msg("%s: %s was dropped", name, value);
	assert_string_equal(h.name, want_name);
	assert_string_equal(h.value, want_value);
}

static void
dropped(const char *name, const char *value)
{
	struct rate_header h;
	if (rate_header_openai(view_of(name), view_of(value), NOW, &h))
		fail_msg("%s: %s became %s: %s", name, value, h.name, h.value);
}

static void
test_told(void **state)
{
	(void)state;
	told("anthropic-ratelimit-requests-limit", "50", "x-ratelimit-limit-requests", "50");
	told("Anthropic-RateLimit-Tokens-Remaining", "0", "x-ratelimit-remaining-tokens", "0");
	told("anthropic-ratelimit-tokens-reset", "2026-11-21T16:00:05Z", "x-ratelimit-reset-tokens",
	    "5s");
	told("anthropic-ratelimit-requests-reset", "2026-11-21T16:06:00Z",
	    "x-ratelimit-reset-requests", "6m0s");
	told("anthropic-ratelimit-requests-reset", "2026-11-21T18:02:03.5Z",
	    "x-ratelimit-reset-requests", "2h2m3s");
	told("anthropic-ratelimit-requests-reset", "2020-01-01T00:00:00Z",
	    "x-ratelimit-reset-requests", "0s");
}

static void
test_dropped(void **state)
{
	(void)state;
	dropped("anthropic-ratelimit-input-tokens-limit", "50");
	dropped("anthropic-ratelimit-requests", "50");
	dropped("anthropic-ratelimit-requests-limit", "50; x=1");
	dropped("anthropic-ratelimit-requests-limit", "");
	dropped("anthropic-ratelimit-requests-reset", "soon");
	dropped("anthropic-ratelimit-requests-reset", "2026-11-21T16:00:05");
	dropped("anthropic-ratelimit-requests-reset",
	    "2026-11-21T16:00:05Z                                                         ");
	dropped("x-ratelimit-limit-requests", "50");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_told),
	    cmocka_unit_test(test_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
