// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Short-term Bedrock API keys: region and end of life, read out of the key itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
// cmocka needs the first two.
#include <cmocka.h>
#include <sodium.h>

#include "common/secmem.h"
#include "vaultd/bedrock_key.h"

// As aws-bedrock-token-generator makes it: a presigned URL of that service without its
// scheme, "&Version=1" at the end.
#define URL_START                                                                                  \
	"bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Algorithm=AWS4-HMAC-SHA256"
#define URL_END                                                                                    \
	"&X-Amz-Security-Token=IQoJb3JpZ2luX2VjTOKEN%2F%2B%3D&X-Amz-SignedHeaders=host"            \
	"&X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"        \
	"&Version=1"
#define CREDENTIAL(region)                                                                         \
	"&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20260115%2F" region "%2Fbedrock%2Faws4_request"
#define DATE	"&X-Amz-Date=20260115T120000Z"
#define EXPIRES "&X-Amz-Expires=43200"
#define GOOD	URL_START CREDENTIAL("eu-central-1") DATE EXPIRES URL_END

#define MADE 1768478400U // 2026-01-15 12:00:00 UTC

static int
setup(void **state)
{
	(void)state;
	return sodium_init() >= 0 && secmem_init(1 << 16) != SECMEM_NONE ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(secmem_used(), 0);
	return 0;
}

static int
read_url(const char *url, int variant, struct bedrock_key *k)
{
	char key[16384];
	size_t n = strlen(BEDROCK_KEY_PREFIX);
	memcpy(key, BEDROCK_KEY_PREFIX, n);
	assert_true(sodium_base64_encoded_len(strlen(url), variant) < sizeof(key) - n);
	sodium_bin2base64(key + n, sizeof(key) - n, (const uint8_t *)url, strlen(url), variant);
	return bedrock_key_read(view_of(key), k);
}

static void
test_good(void **state)
{
	(void)state;
	struct bedrock_key k;
	const int variants[] = {sodium_base64_VARIANT_ORIGINAL,
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING};
	for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
		for (int more = 0; more < 3; more++) { // each length of the padding
			char url[1024];
			snprintf(url, sizeof(url), "%s%.*s", GOOD, more, "&?>");
			assert_int_equal(read_url(url, variants[i], &k), 0);
			assert_string_equal(k.region, "eu-central-1");
			assert_int_equal(k.expires_s, MADE + 43200);
		}
	}
	// The scope may come with its slashes as they are, and parameters in any order.
	assert_int_equal(read_url("bedrock.amazonaws.com/?X-Amz-Expires=900" DATE
				  "&X-Amz-Credential=AKID/20260115/us-gov-west-1/bedrock/"
				  "aws4_request&Action=CallWithBearerToken",
			     sodium_base64_VARIANT_ORIGINAL, &k),
	    0);
	assert_string_equal(k.region, "us-gov-west-1");
	assert_int_equal(k.expires_s, MADE + 900);
	// A key lives twelve hours at most.
	assert_int_equal(
	    read_url(URL_START CREDENTIAL("us-east-1") DATE "&X-Amz-Expires=604800" URL_END,
		sodium_base64_VARIANT_ORIGINAL, &k),
	    0);
	assert_int_equal(k.expires_s, MADE + 43200);
}

static void
test_damaged(void **state)
{
	(void)state;
	static const char *const urls[] = {
	    "",
	    "x" GOOD,
	    "https://" GOOD,
	    "bedrock.amazonaws.com",
	    URL_START DATE EXPIRES URL_END,
	    URL_START CREDENTIAL("eu-central-1") EXPIRES URL_END,
	    URL_START CREDENTIAL("eu-central-1") DATE URL_END,
	    URL_START CREDENTIAL("eu-central") DATE EXPIRES URL_END,
	    URL_START CREDENTIAL("") DATE EXPIRES URL_END,
	    URL_START CREDENTIAL("EU-central-1") DATE EXPIRES URL_END,
	    URL_START "&X-Amz-Credential=AKID%2F20260115" DATE EXPIRES URL_END,
	    URL_START "&X-Amz-Credential=" DATE EXPIRES URL_END,
	    URL_START CREDENTIAL("eu-central-1") "&X-Amz-Date=20260115T1200Z" EXPIRES URL_END,
	    URL_START CREDENTIAL("eu-central-1") "&X-Amz-Date=20261315T120000Z" EXPIRES URL_END,
	    URL_START CREDENTIAL("eu-central-1") DATE "&X-Amz-Expires=604801" URL_END,
	    URL_START CREDENTIAL("eu-central-1") DATE "&X-Amz-Expires=-1" URL_END,
	    URL_START CREDENTIAL("eu-central-1") DATE "&X-Amz-Expires=" URL_END,
	};
	struct bedrock_key k;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		if (read_url(urls[i], sodium_base64_VARIANT_ORIGINAL, &k) != -1)
			fail_msg("accepted: %s", urls[i]);
	static const char *const keys[] = {"", "ABSKabc", "bedrock-api-key", "bedrock-api-key-",
	    "bedrock-api-key-!!!!", "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9B=Y",
	    "Bedrock-api-key-YmVk"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_int_equal(bedrock_key_read(view_of(keys[i]), &k), -1);
	// Longer than any of them is.
	char big[9000];
	memset(big, 'A', sizeof(big));
	memcpy(big, BEDROCK_KEY_PREFIX, strlen(BEDROCK_KEY_PREFIX));
	assert_int_equal(bedrock_key_read((struct view){big, sizeof(big)}, &k), -1);
}

// Cut anywhere, or with one character changed, it never reads beyond itself.
static void
test_cut(void **state)
{
	(void)state;
	char key[2048];
	struct bedrock_key k;
	size_t n = strlen(BEDROCK_KEY_PREFIX);
	memcpy(key, BEDROCK_KEY_PREFIX, n);
	sodium_bin2base64(key + n, sizeof(key) - n, (const uint8_t *)GOOD, strlen(GOOD),
	    sodium_base64_VARIANT_ORIGINAL);
	size_t len = strlen(key);
	for (size_t i = 0; i < len; i++) {
		if (bedrock_key_read((struct view){key, i}, &k) == 0) // the signature was cut
			assert_string_equal(k.region, "eu-central-1");
		char was = key[i];
		key[i] = 'A';
		if (bedrock_key_read((struct view){key, len}, &k) == 0)
			assert_true(strlen(k.region) < sizeof(k.region));
		key[i] = was;
	}
}

static void
test_full(void **state)
{
	(void)state;
	struct bedrock_key k;
	void *rest[64];
	size_t n = 0;
	while (n < ARRAY_LEN(rest) && (rest[n] = secmem_alloc(4096)) != NULL)
		n++;
	assert_int_equal(read_url(GOOD, sodium_base64_VARIANT_ORIGINAL, &k), -2);
	while (n > 0)
		secmem_free(rest[--n]);
	assert_int_equal(read_url(GOOD, sodium_base64_VARIANT_ORIGINAL, &k), 0);
}

static void
test_dates(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t unix_s;
	} dates[] = {
	    {"19700101T000000Z", 0},
	    {"19700101T000001Z", 1},
	    {"20000229T235959Z", 951868799},
	    {"20000301T000000Z", 951868800},
	    {"20260115T120000Z", MADE},
	    {"20261231T235959Z", 1798761599},
	    {"20280229T000000Z", 1835395200},
	    {"21000301T000000Z", 4107542400},
	};
	uint64_t got;
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		assert_int_equal(bedrock_key_date(view_of(dates[i].text), &got), 0);
		assert_int_equal(got, dates[i].unix_s);
	}
	static const char *const bad[] = {"", "20260115T120000", "20260115T120000z",
	    "20260115 120000Z", "2026-01-15T12:00", "19691231T235959Z", "20260015T120000Z",
	    "20261301T120000Z", "20260100T120000Z", "20260132T120000Z", "20260115T240000Z",
	    "20260115T126000Z", "20260115T120061Z", "2026011xT120000Z"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(bedrock_key_date(view_of(bad[i]), &got), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_dates),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
