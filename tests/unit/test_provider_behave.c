// links: ctl auditd
// SPDX-License-Identifier: Apache-2.0
// Model names that steer the demo provider, and the pieces of its texts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/provider_behave.h"

static void
names_mean_what_the_header_says(void **state)
{
	static const struct {
		const char *model;
		enum provider_behave_kind kind;
		uint64_t n;
	} table[] = {
	    {"gpt-5.4-mini", BEHAVE_NORMAL, 0},
	    {"us.anthropic.claude-sonnet-4-5-20250929-v1:0", BEHAVE_NORMAL, 0},
	    {"echo-headers", BEHAVE_ECHO, 0},
	    {"anthropic.echo-headers", BEHAVE_ECHO, 0},
	    {"openai/echo-split-3", BEHAVE_ECHO_SPLIT, 3},
	    {"echo-split-0", BEHAVE_NORMAL, 0},
	    {"count-0", BEHAVE_COUNT, 0},
	    {"count-100000", BEHAVE_COUNT, 100000},
	    {"count-x", BEHAVE_NORMAL, 0},
	    {"bytes-99999999999999999999999", BEHAVE_NORMAL, 0},
	    {"status-429", BEHAVE_STATUS, 429},
	    {"status-299", BEHAVE_NORMAL, 0},
	    {"status-600", BEHAVE_NORMAL, 0},
	    {"slow-20", BEHAVE_SLOW, 20},
	    {"truncate", BEHAVE_TRUNCATE, 0},
	    {"truncate-tls", BEHAVE_TRUNCATE_TLS, 0},
	    {"truncate-marker", BEHAVE_TRUNCATE_MARKER, 0},
	    {"hang", BEHAVE_HANG, 0},
	    {"drip-7", BEHAVE_DRIP, 7},
	    {"stream-error", BEHAVE_STREAM_ERROR, 0},
	    {"", BEHAVE_NORMAL, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct provider_behave b = provider_behave_of(view_of(table[i].model));
		assert_int_equal(b.kind, table[i].kind);
		assert_int_equal(b.kind == BEHAVE_NORMAL ? 0 : b.n, table[i].n);
	}
}

static void
pieces_are_the_text(void **state)
{
	static const char text[] = "One  two\nthr\xc3\xa9"
				   "e aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				   "\xc3\xa9\xc3\xa9 end";
	struct provider_text t;
	struct view v;
	char all[sizeof(text)] = "";
	size_t n = 0;
	(void)state;
	provider_text_init(&t, provider_behave_of(VIEW("m")), view_of(text));
	while (provider_text_next(&t, &v)) {
		assert_true(mp_utf8_valid(v.p, v.len));
		memcpy(all + n, v.p, v.len);
		n += v.len;
	}
	assert_string_equal(all, text);
	provider_text_free(&t);
}

static void
counts_are_exact(void **state)
{
	struct provider_text t;
	struct view v;
	uint64_t n = 0;
	(void)state;
	provider_text_init(&t, provider_behave_of(VIEW("count-1000")), VIEW(""));
	while (provider_text_next(&t, &v))
		n++;
	assert_int_equal(n, 1000);
	n = 0;
	provider_text_init(&t, provider_behave_of(VIEW("bytes-100001")), VIEW(""));
	while (provider_text_next(&t, &v))
		n += v.len;
	assert_int_equal(n, 100001);
}

static void
echoed_words_stay_whole(void **state)
{
	struct provider_text t;
	struct view v;
	char key[301];
	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	provider_text_init(&t, provider_behave_of(VIEW("echo-headers")), view_of(key));
	assert_true(provider_text_next(&t, &v));
	assert_int_equal(v.len, sizeof(key) - 1);
	provider_text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_mean_what_the_header_says),
	    cmocka_unit_test(pieces_are_the_text),
	    cmocka_unit_test(counts_are_exact),
	    cmocka_unit_test(echoed_words_stay_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
