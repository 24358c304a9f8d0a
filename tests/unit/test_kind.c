// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The table of kinds: every provider and every authorization is in it, and what a kind
// needs and allows is something that has a name.
#include "proto/kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void
everything_is_in_it(void **state)
{
	(void)state;
	unsigned providers = 0, auths = 0, settings = 0;
	const struct kind *k;
	for (size_t i = 0; (k = kind_at(i)) != NULL; i++) {
		assert_non_null(ids_provider(k->provider));
		assert_non_null(ids_auth(k->auth));
		assert_int_equal(k->needs & k->allows, 0);
		assert_ptr_equal(kind_of(k->provider, k->auth), k); // each pair once
		assert_true(k->secret || !k->access_key);
		providers |= 1U << k->provider;
		auths |= 1U << k->auth;
		settings |= k->needs | k->allows;
	}
	assert_int_equal(providers, (2U << PROVIDER_LAST) - 2U);
	assert_int_equal(auths, (2U << AUTH_LAST) - 2U);
	assert_int_equal(settings, (2U << SETTING_LAST) - 2U);
	assert_null(kind_of(PROVIDER_OPENAI, AUTH_SIGV4));
	assert_null(kind_of(PROVIDER_LAST + 1, AUTH_BEARER));
}

static void
each_provider_has_a_usual_one(void **state)
{
	(void)state;
	static const struct {
		uint64_t provider, plain, with_access_key;
	} want[] = {
	    {PROVIDER_OPENAI, AUTH_BEARER, AUTH_BEARER},
	    {PROVIDER_ANTHROPIC, AUTH_API_KEY, AUTH_API_KEY},
	    {PROVIDER_BEDROCK, AUTH_BEARER, AUTH_SIGV4},
	    {PROVIDER_OPENAI_COMPATIBLE, AUTH_BEARER, AUTH_BEARER},
	    {PROVIDER_GEMINI, AUTH_GOOGLE_API_KEY, AUTH_GOOGLE_API_KEY},
	    {PROVIDER_AZURE, AUTH_AZURE_API_KEY, AUTH_AZURE_API_KEY},
	    {PROVIDER_VERTEX, AUTH_GOOGLE_TOKEN, AUTH_GOOGLE_TOKEN},
	};
	assert_int_equal(ARRAY_LEN(want), PROVIDER_LAST);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(kind_default_auth(want[i].provider, false), want[i].plain);
		assert_int_equal(
		    kind_default_auth(want[i].provider, true), want[i].with_access_key);
	}
	assert_int_equal(kind_default_auth(PROVIDER_LAST + 1, false), 0);
}

static void
which_exchange_and_which_sign(void **state)
{
	(void)state;
	for (unsigned a = 1; a <= AUTH_LAST; a++) {
		bool sts = a == AUTH_STS_SESSION || a == AUTH_STS_ASSUME_ROLE ||
			   a == AUTH_STS_WEB_IDENTITY;
		assert_int_equal(
		    kind_exchanges(a), sts || a == AUTH_GOOGLE_TOKEN || a == AUTH_GOOGLE_JWT);
		assert_int_equal(kind_signs(a), sts || a == AUTH_SIGV4);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(everything_is_in_it),
	    cmocka_unit_test(each_provider_has_a_usual_one),
	    cmocka_unit_test(which_exchange_and_which_sign),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
