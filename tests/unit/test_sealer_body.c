// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Exact-length, hash-checked bodies: in any cut, before and after their request.
#include "vaultd/sealer_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TEXT "{\"model\":\"m\",\"messages\":[]}"
#define LEN  (sizeof(TEXT) - 1)

static uint8_t sha[SEALER_SHA256_LEN];
static uint8_t empty_sha[SEALER_SHA256_LEN];

static int
set_up(void **state)
{
	(void)state;
	(void)EVP_Digest(TEXT, LEN, sha, NULL, EVP_sha256(), NULL);
	(void)EVP_Digest("", 0, empty_sha, NULL, EVP_sha256(), NULL);
	return 0;
}

static enum sealer_body_status
push(struct sealer_body *b, const char *p, size_t n)
{
	return sealer_body_push(b, (const uint8_t *)p, n);
}

// Takes what may be encrypted, as the lane does.
static size_t
take(struct sealer_body *b, char *out)
{
	const uint8_t *p;
	size_t n = sealer_body_ready(b, &p);
	if (n != 0) {
		memcpy(out, p, n);
		sealer_body_sent(b, n);
	}
	return n;
}

static void
every_cut(void **state)
{
	(void)state;
	for (size_t before = 0; before <= LEN; before++) {
		for (size_t step = 1; step <= LEN; step++) {
			struct sealer_body b = {0};
			char got[LEN + 1] = {0};
			size_t n = 0;
			const uint8_t *p;
			assert_int_equal(push(&b, TEXT, before), SEALER_BODY_OK);
			assert_int_equal(sealer_body_ready(&b, &p), 0);
			assert_int_equal(sealer_body_bind(&b, LEN, sha), SEALER_BODY_OK);
			n += take(&b, got + n);
			for (size_t at = before; at < LEN; at += step) {
				assert_true(sealer_body_busy(&b));
				assert_int_equal(
				    push(&b, &TEXT[at], MIN(step, LEN - at)), SEALER_BODY_OK);
				n += take(&b, got + n);
			}
			assert_false(sealer_body_busy(&b));
			assert_int_equal(n, LEN);
			assert_string_equal(got, TEXT);
			assert_null(b.held.p);
			sealer_body_free(&b);
		}
	}
}

static void
wrong_hash_keeps_the_last_batch(void **state)
{
	(void)state;
	for (size_t bad = 0; bad < LEN; bad++) {
		char text[] = TEXT, got[LEN];
		text[bad] ^= 1;
		for (size_t first = 0; first < LEN; first++) {
			struct sealer_body b = {0};
			assert_int_equal(sealer_body_bind(&b, LEN, sha), SEALER_BODY_OK);
			if (first != 0)
				assert_int_equal(push(&b, text, first), SEALER_BODY_OK);
			assert_int_equal(take(&b, got), first);
			assert_int_equal(push(&b, text + first, LEN - first), SEALER_BODY_MISMATCH);
			sealer_body_free(&b);
		}
		struct sealer_body b = {0};
		assert_int_equal(push(&b, text, LEN), SEALER_BODY_OK);
		assert_int_equal(sealer_body_bind(&b, LEN, sha), SEALER_BODY_MISMATCH);
		sealer_body_free(&b);
	}
}

static void
surplus(void **state)
{
	(void)state;
	struct sealer_body b = {0};
	assert_int_equal(push(&b, TEXT "x", LEN + 1), SEALER_BODY_OK);
	assert_int_equal(sealer_body_bind(&b, LEN, sha), SEALER_BODY_SURPLUS);
	sealer_body_free(&b);
	for (size_t first = 0; first < LEN; first++) {
		assert_int_equal(sealer_body_bind(&b, LEN, sha), SEALER_BODY_OK);
		assert_int_equal(push(&b, TEXT, first), SEALER_BODY_OK);
		assert_int_equal(push(&b, &TEXT "x"[first], LEN - first + 1), SEALER_BODY_SURPLUS);
		sealer_body_free(&b);
	}
	assert_int_equal(push(&b, "x", 1), SEALER_BODY_OK);
	assert_int_equal(sealer_body_bind(&b, 0, empty_sha), SEALER_BODY_SURPLUS);
	sealer_body_free(&b);
}

static void
short_body_stays_open(void **state)
{
	(void)state;
	struct sealer_body b = {0};
	char got[LEN];
	assert_int_equal(sealer_body_bind(&b, LEN, sha), SEALER_BODY_OK);
	assert_int_equal(push(&b, TEXT, LEN - 1), SEALER_BODY_OK);
	assert_int_equal(take(&b, got), LEN - 1);
	assert_true(sealer_body_busy(&b));
	sealer_body_free(&b);
}

static void
empty_body(void **state)
{
	(void)state;
	struct sealer_body b = {0};
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sealer_body_bind(&b, 0, empty_sha), SEALER_BODY_OK);
		assert_false(sealer_body_busy(&b));
	}
	assert_int_equal(sealer_body_bind(&b, 0, sha), SEALER_BODY_MISMATCH);
	sealer_body_free(&b);
}

// The gateway may send the next body while the last bytes of this one still wait
// for the provider.
static void
next_body_waits(void **state)
{
	(void)state;
	struct sealer_body b = {0};
	char got[LEN + 1] = {0};
	assert_int_equal(sealer_body_bind(&b, LEN, sha), SEALER_BODY_OK);
	assert_int_equal(push(&b, TEXT, LEN), SEALER_BODY_OK);
	assert_int_equal(push(&b, TEXT, 5), SEALER_BODY_OK);
	assert_true(sealer_body_busy(&b));
	assert_int_equal(take(&b, got), LEN);
	assert_false(sealer_body_busy(&b));
	assert_int_equal(push(&b, &TEXT[5], LEN - 5), SEALER_BODY_OK);
	assert_int_equal(sealer_body_bind(&b, LEN, sha), SEALER_BODY_OK);
	assert_int_equal(take(&b, got), LEN);
	assert_string_equal(got, TEXT);
	assert_false(sealer_body_busy(&b));
	sealer_body_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_cut),
	    cmocka_unit_test(wrong_hash_keeps_the_last_batch),
	    cmocka_unit_test(surplus),
	    cmocka_unit_test(short_body_stays_open),
	    cmocka_unit_test(empty_body),
	    cmocka_unit_test(next_body_waits),
	};
	return cmocka_run_group_tests_name("sealer_body", tests, set_up, NULL);
}
