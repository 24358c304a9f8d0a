// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// What a service account asks Google's token endpoint, byte for byte but for the signature
// (test_rsa.c), and the token that it signs for itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "vaultd/google.h"
#include "vaultd/rsa.h"
#include "vaultd/rsa_vector.h"

#define NOW	  1800000000U
#define BODY_HEAD "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="

static struct head_work *w;
static struct secret key;
static struct google_account account;

static int
setup(void **state)
{
	(void)state;
	if (sodium_init() < 0 || secmem_init(1 << 20) == SECMEM_NONE)
		return -1;
	rsa_init();
	w = secmem_alloc(sizeof(*w));
	if (w == NULL || secret_set(&key, RSA_VECTOR_KEY, sizeof(RSA_VECTOR_KEY) - 1) != 0)
		return -1;
	account = (struct google_account){
	    .email = VIEW("a@b.iam.gserviceaccount.com"), .key_id = VIEW("k1"), .key = &key};
	return 0;
}

// The n-th part of a token, decoded.
static const char *
part(struct view token, int n)
{
	static char out[4096];
	const char *from = token.p, *end = token.p + token.len;
	for (; n > 0; n--)
		from = (const char *)memchr(from, '.', (size_t)(end - from)) + 1;
	const char *to = memchr(from, '.', (size_t)(end - from));
	size_t len;
	if (to == NULL)
		to = end;
	assert_int_equal(
	    sodium_base642bin((uint8_t *)out, sizeof(out) - 1, from, (size_t)(to - from), NULL,
		&len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
	    0);
	out[len] = '\0';
	return out;
}

static void
test_request(void **state)
{
	(void)state;
	struct msg_exchange m = {0};
	assert_int_equal(google_token_request(w, &account, NOW, &m), 0);
	char head[512];
	snprintf(head, sizeof(head),
	    "POST /token HTTP/1.1\r\nhost: oauth2.googleapis.com\r\n"
	    "content-type: application/x-www-form-urlencoded\r\naccept-encoding: identity\r\n"
	    "user-agent: sallyport/" SALLYPORT_VERSION
	    "\r\nconnection: close\r\ncontent-length: %zu\r\n\r\n",
	    m.body.len);
	assert_true(view_eq_str(m.head, head));
	size_t n = sizeof(BODY_HEAD) - 1;
	assert_true(m.body.len > n && memcmp(m.body.p, BODY_HEAD, n) == 0);
	struct view token = {m.body.p + n, m.body.len - n};
	assert_string_equal(part(token, 0), "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}");
	assert_string_equal(part(token, 1),
	    "{\"iss\":\"a@b.iam.gserviceaccount.com\","
	    "\"aud\":\"https://oauth2.googleapis.com/token\","
	    "\"scope\":\"https://www.googleapis.com/auth/cloud-platform\","
	    "\"iat\":1799999990,\"exp\":1800000890}");
	assert_true(secmem_contains(m.body.p)); // it is as good as a key for a while
}

static void
test_self_signed(void **state)
{
	(void)state;
	struct view token;
	uint64_t until;
	assert_int_equal(google_self_signed(w, &account, "europe-west1-aiplatform.googleapis.com",
			     NOW, &token, &until),
	    0);
	assert_string_equal(part(token, 1),
	    "{\"iss\":\"a@b.iam.gserviceaccount.com\",\"sub\":\"a@b.iam.gserviceaccount.com\","
	    "\"aud\":\"https://europe-west1-aiplatform.googleapis.com/\","
	    "\"iat\":1799999400,\"exp\":1800003000}"); // an hour, 10 minutes of it gone
	assert_int_equal(until, NOW + 2400); // and 10 minutes before its end it is not used
	assert_true(secmem_contains(token.p));
}

static void
test_unusable_keys(void **state)
{
	(void)state;
	struct secret other;
	struct google_account a = account;
	struct msg_exchange m = {0};
	struct view token;
	uint64_t until;
	assert_int_equal(secret_set(&other, "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", 32), 0);
	a.key = &other;
	assert_int_equal(google_token_request(w, &a, NOW, &m), -2);
	assert_int_equal(google_self_signed(w, &a, "h", NOW, &token, &until), -2);
	secret_wipe(&other);
	a = account;
	a.email = VIEW("a\",\"sub\":\"admin");
	assert_int_equal(google_token_request(w, &a, NOW, &m), -2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_request),
	    cmocka_unit_test(test_self_signed),
	    cmocka_unit_test(test_unusable_keys),
	};
	return cmocka_run_group_tests_name("google", tests, setup, NULL);
}
