// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The issuer's two documents: what they say, and that whatever is in a name stays text.
#include "proto/issuer_doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/jv.h"

static struct buf b;

static struct jv
checked(void)
{
	assert_false(b.failed);
	assert_int_equal(jv_check(buf_done(&b), NULL), JV_OK);
	return jv_root(buf_done(&b));
}

static void
configuration(void **state)
{
	(void)state;
	static const char *const urls[] = {"https://id.corp.example", "https://id.corp.example/a"};
	static const char *const uris[] = {"https://id.corp.example/.well-known/jwks.json",
	    "https://id.corp.example/a/.well-known/jwks.json"};
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct msg_issuer_item m = {.url = view_of(urls[i])};
		buf_init(&b, ISSUER_DOC_MAX);
		issuer_doc_configuration(&m, &b);
		struct jv j = checked();
		assert_true(jv_eq(jv_get(j, "issuer"), urls[i]));
		assert_true(jv_eq(jv_get(j, "jwks_uri"), uris[i]));
		assert_int_equal(jv_count(jv_get(j, "claims_supported")), 5);
		assert_true(jv_is(jv_get(j, "response_types_supported"), JV_ARRAY));
		assert_true(jv_is(jv_get(j, "subject_types_supported"), JV_ARRAY));
		static const char algs[] = "\"id_token_signing_alg_values_supported\":[\"RS256\"]";
		assert_non_null(memmem(b.p, b.len, algs, strlen(algs)));
		buf_free(&b);
	}
	// One slash in the middle, whatever the name ends with.
	struct msg_issuer_item m = {.url = VIEW("https://id.corp.example/")};
	buf_init(&b, ISSUER_DOC_MAX);
	issuer_doc_configuration(&m, &b);
	assert_true(jv_eq(jv_get(checked(), "issuer"), "https://id.corp.example/"));
	assert_true(jv_eq(jv_get(checked(), "jwks_uri"), uris[0]));
	buf_free(&b);
}

static void
keys(void **state)
{
	(void)state;
	struct msg_issuer_item m = {.url = VIEW("https://a.example"),
	    .key_count = 2,
	    .key = {{.kid = VIEW("k\"1"), .n = VIEW("nnn"), .e = VIEW("AQAB")},
		{.kid = VIEW("k2"), .n = VIEW("mmm"), .e = VIEW("AQAB"), .retired_s = 5}}};
	buf_init(&b, ISSUER_DOC_MAX);
	issuer_doc_jwks(&m, &b);
	struct jv all = jv_get(checked(), "keys"), k;
	struct jv_iter it = {0};
	assert_int_equal(jv_count(all), 2);
	assert_true(jv_each(all, &it, &k));
	assert_int_equal(jv_count(k), 6);
	assert_true(jv_eq(jv_get(k, "kty"), "RSA") && jv_eq(jv_get(k, "use"), "sig") &&
		    jv_eq(jv_get(k, "alg"), "RS256") && jv_eq(jv_get(k, "kid"), "k\"1") &&
		    jv_eq(jv_get(k, "n"), "nnn") && jv_eq(jv_get(k, "e"), "AQAB"));
	assert_true(jv_each(all, &it, &k));
	assert_true(jv_eq(jv_get(k, "kid"), "k2"));
	buf_free(&b);
	m.key_count = 0;
	buf_init(&b, ISSUER_DOC_MAX);
	issuer_doc_jwks(&m, &b);
	assert_true(view_eq_str(buf_done(&b), "{\"keys\":[]}\n"));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(configuration),
	    cmocka_unit_test(keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
