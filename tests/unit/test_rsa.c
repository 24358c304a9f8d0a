// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// RSA keys and tokens: the forms that are read and those that are not, a signature known
// beforehand, and that after signing and generating no number of a private key is left
// anywhere in the process but where its owner keeps it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vaultd/jwt.h"
#include "vaultd/rsa.h"
#include "vaultd/rsa_vector.h"

#define ARENA (512U * 1024U)

static struct view
view_of_secret(const struct secret *s)
{
	return (struct view){(const char *)s->p, s->len};
}

static struct secret
vector_key(void)
{
	struct secret text, der;
	assert_int_equal(secret_set(&text, RSA_VECTOR_KEY, sizeof(RSA_VECTOR_KEY) - 1), 0);
	assert_int_equal(rsa_key_der(view_of_secret(&text), &der), 0);
	secret_wipe(&text);
	return der;
}

// --- reading ---------------------------------------------------------------------------

static void
test_forms(void **state)
{
	(void)state;
	static const char b64[] = RSA_VECTOR_KEY;
	char pem[4096];
	size_t n = (size_t)snprintf(pem, sizeof(pem), "-----BEGIN PRIVATE KEY-----\n");
	for (size_t i = 0; i < sizeof(b64) - 1; i += 64)
		n += (size_t)snprintf(pem + n, sizeof(pem) - n, "%.64s\n", b64 + i);
	n += (size_t)snprintf(pem + n, sizeof(pem) - n, "-----END PRIVATE KEY-----\n");
	struct secret der = vector_key(), again;
	struct view forms[] = {view_of_secret(&der), view_of(b64), {pem, n}};
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		assert_int_equal(rsa_key_der(forms[i], &again), 0);
		assert_int_equal(again.len, der.len);
		assert_memory_equal(again.p, der.p, der.len);
		secret_wipe(&again);
	}
	const char *bad[] = {"", "-----BEGIN PRIVATE KEY-----",
	    "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
	    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE", "AAAA"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(rsa_key_check(view_of(bad[i])), -2);
	pem[100] = '\t';
	assert_int_equal(rsa_key_check((struct view){pem, n}), -2);
	assert_int_equal(rsa_key_check((struct view){b64, sizeof(b64) - 1 - 4}), -2);
	secret_wipe(&der);
	assert_int_equal(secmem_used(), 0);
}

// No byte of the frame can be another one: every change of tags, lengths, versions and
// the algorithm is noticed, and so is every cut.
static void
test_damage(void **state)
{
	(void)state;
	struct secret der = vector_key();
	struct rsa_key k;
	for (size_t n = 0; n < der.len; n++)
		assert_int_equal(rsa_key_read((struct view){(const char *)der.p, n}, &k), -1);
	for (size_t i = 0; i < 38; i++) { // up to the modulus
		for (unsigned bit = 0; bit < 8; bit++) {
			der.p[i] ^= (uint8_t)(1U << bit);
			int r = rsa_key_read(view_of_secret(&der), &k);
			bool top = i >= 37; // first bytes of the number itself
			if (r == 0 && !top)
				fail_msg("byte %zu bit %u", i, bit);
			der.p[i] ^= (uint8_t)(1U << bit);
		}
	}
	assert_int_equal(rsa_key_read(view_of_secret(&der), &k), 0);
	uint8_t longer[RSA_KEY_DER_MAX];
	memcpy(longer, der.p, der.len);
	longer[der.len] = 0;
	assert_int_equal(rsa_key_read((struct view){(const char *)longer, der.len + 1}, &k), -1);
	secret_wipe(&der);
}

static void
test_sizes(void **state)
{
	(void)state;
	struct secret der = vector_key();
	struct rsa_key k;
	uint8_t out[RSA_KEY_DER_MAX];
	assert_int_equal(rsa_key_read(view_of_secret(&der), &k), 0);
	assert_int_equal(rsa_key_write(&k, out, sizeof(out)), der.len);
	assert_memory_equal(out, der.p, der.len);
	assert_int_equal(rsa_key_write(&k, out, der.len - 1), 0);
	struct view whole = k.part[RSA_KEY_N];
	k.part[RSA_KEY_N].len--; // 2,040 bits
	size_t n = rsa_key_write(&k, out, sizeof(out));
	struct rsa_key again;
	assert_int_equal(rsa_key_read((struct view){(const char *)out, n}, &again), -1);
	k.part[RSA_KEY_N] = whole;
	static const char even[] = {1, 0, 0};
	k.part[RSA_KEY_E] = (struct view){even, sizeof(even)};
	n = rsa_key_write(&k, out, sizeof(out));
	assert_int_equal(rsa_key_read((struct view){(const char *)out, n}, &again), -1);
	secret_wipe(&der);
}

// --- signing ---------------------------------------------------------------------------

static bool
verifies(const struct rsa_key *k, struct view message, const uint8_t *sig, size_t len)
{
	uint8_t n[RSA_KEY_LEN_MAX], e[8];
	struct view vn = k->part[RSA_KEY_N], ve = k->part[RSA_KEY_E];
	for (size_t i = 0; i < vn.len; i++)
		n[i] = (uint8_t)vn.p[vn.len - 1 - i];
	for (size_t i = 0; i < ve.len; i++)
		e[i] = (uint8_t)ve.p[ve.len - 1 - i];
	OSSL_PARAM p[] = {OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n, vn.len),
	    OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e, ve.len), OSSL_PARAM_construct_end()};
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, p), 1);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestVerifyInit_ex(md, NULL, "SHA256", NULL, NULL, key, NULL), 1);
	bool ok = EVP_DigestVerify(md, sig, len, (const uint8_t *)message.p, message.len) == 1;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static void
test_vector(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_true(rsa_works());
	assert_int_equal(secmem_used(), 0);
}

static void
test_refused(void **state)
{
	(void)state;
	uint8_t out[RSA_KEY_LEN_MAX];
	size_t len;
	struct secret bad;
	assert_int_equal(secret_set(&bad, "no key", 6), 0);
	assert_int_equal(rsa_sign(&bad, VIEW("m"), out, &len), -2);
	secret_wipe(&bad);
	// Secret memory fills up at every place that libcrypto asks for some.
	struct secret key = vector_key();
	void *block[ARENA / 1024];
	size_t n = 0, full = 0, good = 0;
	while (n < ARRAY_LEN(block) && (block[n] = secmem_alloc(960)) != NULL)
		n++;
	while (n > 0) {
		int r = rsa_sign(&key, VIEW(RSA_VECTOR_MESSAGE), out, &len);
		assert_true(r == 0 || r == -1);
		*(r == 0 ? &good : &full) += 1;
		secmem_free(block[--n]);
	}
	assert_true(full > 3 && good > 3);
	secret_wipe(&key);
	assert_int_equal(secmem_used(), 0);
}

static void
test_generate(void **state)
{
	(void)state;
	struct secret a, b;
	struct rsa_key k;
	uint8_t sig[RSA_KEY_LEN_MAX];
	size_t len;
	assert_int_equal(rsa_generate(&a), 0);
	assert_int_equal(rsa_generate(&b), 0);
	assert_true(a.len != b.len || memcmp(a.p, b.p, a.len) != 0);
	assert_int_equal(rsa_key_read(view_of_secret(&a), &k), 0);
	assert_int_equal(k.part[RSA_KEY_N].len, RSA_BITS_NEW / 8);
	assert_int_equal(rsa_sign(&a, VIEW("message"), sig, &len), 0);
	assert_true(verifies(&k, VIEW("message"), sig, len));
	assert_false(verifies(&k, VIEW("massage"), sig, len));
	secret_wipe(&a);
	secret_wipe(&b);
	assert_int_equal(secmem_used(), 0);
}

// --- what is left behind -----------------------------------------------------------------

// Occurrences in readable memory outside of the arena of 24 bytes from the middle of a
// number, in both byte orders. The pattern is kept masked, so it is no occurrence.
static size_t
hunt_map(const uint8_t *from, size_t len, const uint8_t *masked, size_t n)
{
	size_t hits = 0;
	for (size_t i = 0; i + n <= len; i++) {
		if (from[i] != (masked[0] ^ 0xa5U) && from[i] != (masked[n - 1] ^ 0xa5U))
			continue;
		size_t a = 0, b = 0;
		while (a < n && from[i + a] == (masked[a] ^ 0xa5U))
			a++;
		while (b < n && from[i + b] == (masked[n - 1 - b] ^ 0xa5U))
			b++;
		hits += a == n || b == n;
	}
	return hits;
}

static size_t
hunt(const uint8_t *masked, size_t n)
{
	char line[512];
	size_t hits = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		unsigned long from, to;
		char mode[5];
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[0] != 'r' ||
		    mode[1] != 'w' || strstr(line, "vvar") != NULL)
			continue;
		const uint8_t *p = (const uint8_t *)from;
		if (!secmem_contains(p) && !secmem_contains(p + 4096))
			hits += hunt_map(p, to - from, masked, n);
	}
	fclose(f);
	return hits;
}

static void
test_nothing_left(void **state)
{
	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); // its shadow cannot be read like other memory
#endif
	uint8_t sig[RSA_KEY_LEN_MAX], masked[RSA_KEY_PARTS][24];
	size_t len;
	struct secret der;
	struct rsa_key k;
	assert_int_equal(rsa_generate(&der), 0);
	assert_int_equal(rsa_key_read(view_of_secret(&der), &k), 0);
	for (size_t i = RSA_KEY_D; i < RSA_KEY_PARTS; i++)
		for (size_t j = 0; j < sizeof(masked[0]); j++)
			masked[i][j] = (uint8_t)(k.part[i].p[48 + j] ^ 0xa5);
	size_t used = secmem_used();
	for (int i = 0; i < 3; i++)
		assert_int_equal(rsa_sign(&der, VIEW("message"), sig, &len), 0);
	assert_int_equal(secmem_used(), used);
	for (size_t i = RSA_KEY_D; i < RSA_KEY_PARTS; i++)
		if (hunt(masked[i], sizeof(masked[i])) != 0)
			fail_msg("number %zu of the key is outside of secret memory", i);
	// The hunter finds what is there.
	uint8_t *copy = malloc(64);
	assert_non_null(copy);
	memcpy(copy, k.part[RSA_KEY_P].p + 48, 24);
	__asm__ volatile("" : : "r"(copy) : "memory");
	assert_int_equal(hunt(masked[RSA_KEY_P], 24), 1);
	free(copy);
	secret_wipe(&der);
}

// --- tokens ------------------------------------------------------------------------------

static void
test_token(void **state)
{
	(void)state;
	struct secret key = vector_key();
	struct rsa_key k;
	char *buf = secmem_alloc(4096);
	struct text t;
	struct jwt_claims c = {.issuer = VIEW("https://issuer.example"),
	    .subject = VIEW("scoped_principal:team/user:7"),
	    .audience = VIEW("sts.amazonaws.com"),
	    .id = VIEW("x1"),
	    .issued_s = 1700000000,
	    .expires_s = 1700000600};
	text_init(&t, buf, 4096);
	text_str(&t, "assertion=");
	assert_int_equal(jwt_sign(&t, &key, VIEW("kid-1"), &c), 0);
	assert_false(t.failed);
	static const char want[] =
	    "assertion=eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC0xIiwidHlwIjoiSldUIn0."
	    "eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoic2NvcGVkX3ByaW5jaXBhbDp0ZWFtL3VzZX"
	    "I6NyIsImF1ZCI6InN0cy5hbWF6b25hd3MuY29tIiwianRpIjoieDEiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6"
	    "MTcwMDAwMDYwMH0.";
	assert_true(t.len == sizeof(want) - 1 + 342);
	assert_memory_equal(buf, want, sizeof(want) - 1);
	uint8_t sig[RSA_KEY_LEN_MAX];
	size_t len;
	assert_int_equal(sodium_base642bin(sig, sizeof(sig), buf + sizeof(want) - 1, 342, NULL,
			     &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
	    0);
	assert_int_equal(rsa_key_read(view_of_secret(&key), &k), 0);
	assert_true(verifies(&k, (struct view){buf + 10, sizeof(want) - 1 - 11}, sig, len));
	secret_wipe(&key);
	secmem_free(buf);
	assert_int_equal(secmem_used(), 0);
}

static void
test_token_refused(void **state)
{
	(void)state;
	struct secret key = vector_key();
	char buf[2048];
	struct text t;
	const char *bad[] = {"a\"", "a\\", "a\n", "\x7f", "\xc3\xa4", "x\",\"sub\":\"y"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct view v = view_of(bad[i]);
		struct jwt_claims c[] = {
		    {.issuer = v}, {.subject = v}, {.audience = v}, {.scope = v}, {.id = v}};
		for (size_t j = 0; j < ARRAY_LEN(c); j++) {
			text_init(&t, buf, sizeof(buf));
			assert_int_equal(jwt_sign(&t, &key, VIEW("k"), &c[j]), -2);
			assert_int_equal(t.len, 0);
		}
		text_init(&t, buf, sizeof(buf));
		assert_int_equal(jwt_sign(&t, &key, v, &(struct jwt_claims){0}), -2);
	}
	text_init(&t, buf, 300); // head and claims fit, the signature does not
	assert_int_equal(jwt_sign(&t, &key, VIEW("k"), &(struct jwt_claims){0}), 0);
	assert_true(t.failed);
	secret_wipe(&key);
	assert_int_equal(secmem_used(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_vector),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_generate),
	    cmocka_unit_test(test_nothing_left),
	    cmocka_unit_test(test_token),
	    cmocka_unit_test(test_token_refused),
	};
	if (sodium_init() < 0 || secmem_init(ARENA) == SECMEM_NONE)
		return 1;
	rsa_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
