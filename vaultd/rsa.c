// SPDX-License-Identifier: Apache-2.0
// libcrypto, kept inside of the arena. May touch: secret memory, libcrypto's own state.
#include "vaultd/rsa.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vaultd/rsa_vector.h"

// Deeper than the exponentiation goes: its largest tables are on the heap.
#define STACK_DEPTH (64U * 1024U)

static const char *const names[RSA_KEY_PARTS] = {
    [RSA_KEY_N] = OSSL_PKEY_PARAM_RSA_N,
    [RSA_KEY_E] = OSSL_PKEY_PARAM_RSA_E,
    [RSA_KEY_D] = OSSL_PKEY_PARAM_RSA_D,
    [RSA_KEY_P] = OSSL_PKEY_PARAM_RSA_FACTOR1,
    [RSA_KEY_Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,
    [RSA_KEY_DP] = OSSL_PKEY_PARAM_RSA_EXPONENT1,
    [RSA_KEY_DQ] = OSSL_PKEY_PARAM_RSA_EXPONENT2,
    [RSA_KEY_QI] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

// --- libcrypto's memory ----------------------------------------------------------------

static bool guarded; // allocations come from the arena
static bool starved; // one of them failed

static void *
take(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	if (n == 0)
		return NULL;
	void *p = guarded ? secmem_alloc(n) : malloc(n);
	starved = starved || p == NULL;
	return p;
}

static void
give(void *p, const char *file, int line)
{
	(void)file, (void)line;
	if (secmem_contains(p))
		secmem_free(p);
	else
		free(p);
}

// What is once in the arena stays there, and what grows under guard goes there.
static void *
again(void *p, size_t n, const char *file, int line)
{
	if (p == NULL || n == 0) {
		give(p, file, line);
		return take(n, file, line);
	}
	bool inside = secmem_contains(p);
	if (!inside && !guarded)
		return realloc(p, n);
	void *q = secmem_alloc(n);
	if (q == NULL) {
		starved = true;
		return NULL;
	}
	memcpy(q, p, MIN(n, inside ? secmem_len(p) : malloc_usable_size(p)));
	give(p, file, line);
	return q;
}

static void
guard(void)
{
	BUG_IF(guarded);
	guarded = true;
	starved = false;
}

// Everything made since guard() has been freed by now, but for the words of an error.
static void
unguard(void)
{
	ERR_clear_error();
	guarded = false;
	sodium_stackzero(STACK_DEPTH);
}

// --- signing ---------------------------------------------------------------------------

static bool
push_parts(OSSL_PARAM_BLD *b, const struct rsa_key *k, BIGNUM **n)
{
	for (size_t i = 0; i < RSA_KEY_PARTS; i++) {
		n[i] = BN_bin2bn((const uint8_t *)k->part[i].p, (int)k->part[i].len, NULL);
		if (n[i] == NULL || OSSL_PARAM_BLD_push_BN(b, names[i], n[i]) != 1)
			return false;
	}
	return true;
}

static EVP_PKEY *
load(const struct rsa_key *k)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = NULL;
	BIGNUM *n[RSA_KEY_PARTS] = {0};
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (b != NULL && ctx != NULL && push_parts(b, k, n))
		params = OSSL_PARAM_BLD_to_param(b);
	if (params != NULL && (EVP_PKEY_fromdata_init(ctx) != 1 ||
				  EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1))
		key = NULL;
	for (size_t i = 0; i < RSA_KEY_PARTS; i++)
		BN_clear_free(n[i]);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static bool
sign(EVP_PKEY *key, struct view message, uint8_t *out, size_t *len)
{
	*len = RSA_KEY_LEN_MAX;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL &&
		  EVP_DigestSignInit_ex(md, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
		  EVP_DigestSign(md, out, len, (const uint8_t *)message.p, message.len) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

SENSITIVE
int
rsa_sign(
    const struct secret *stored, struct view message, uint8_t out[RSA_KEY_LEN_MAX], size_t *len)
{
	struct rsa_key k;
	struct secret der;
	int r = rsa_key_der((struct view){(const char *)stored->p, stored->len}, &der);
	if (r != 0)
		return r;
	BUG_IF(rsa_key_read((struct view){(const char *)der.p, der.len}, &k) != 0);
	guard();
	EVP_PKEY *key = load(&k);
	bool ok = key != NULL && sign(key, message, out, len);
	EVP_PKEY_free(key);
	unguard();
	secret_wipe(&der);
	if (!ok)
		sodium_memzero(out, RSA_KEY_LEN_MAX);
	return ok ? 0 : starved ? -1 : -2;
}

// --- new keys --------------------------------------------------------------------------

static EVP_PKEY *
generate(void)
{
	unsigned size = RSA_BITS_NEW;
	EVP_PKEY *key = NULL;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_BITS, &size), OSSL_PARAM_construct_end()};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_params(ctx, params) != 1 || EVP_PKEY_generate(ctx, &key) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

// The numbers of a key, one behind the other in room.
static bool
parts_of(const EVP_PKEY *key, uint8_t *room, size_t cap, struct rsa_key *k)
{
	bool ok = true;
	for (size_t i = 0; ok && i < RSA_KEY_PARTS; i++) {
		BIGNUM *n = NULL;
		ok =
		    EVP_PKEY_get_bn_param(key, names[i], &n) == 1 && (size_t)BN_num_bytes(n) <= cap;
		if (ok) {
			size_t len = (size_t)BN_bn2bin(n, room);
			k->part[i] = (struct view){(const char *)room, len};
			room += len;
			cap -= len;
		}
		BN_clear_free(n);
	}
	return ok;
}

SENSITIVE
int
rsa_generate(struct secret *der)
{
	struct rsa_key k;
	uint8_t *room = secmem_alloc(RSA_KEY_DER_MAX);
	*der = (struct secret){.p = secmem_alloc(RSA_KEY_DER_MAX)};
	bool ok = room != NULL && der->p != NULL;
	if (ok) {
		guard();
		EVP_PKEY *key = generate();
		ok = key != NULL && parts_of(key, room, RSA_KEY_DER_MAX, &k);
		EVP_PKEY_free(key);
		unguard();
	}
	if (ok)
		der->len = rsa_key_write(&k, der->p, RSA_KEY_DER_MAX);
	secmem_free(room);
	if (der->len == 0)
		secret_wipe(der);
	return der->len == 0 ? -1 : 0;
}

// --- start -----------------------------------------------------------------------------

bool
rsa_works(void)
{
	uint8_t out[RSA_KEY_LEN_MAX];
	size_t len = 0;
	struct secret key;
	if (secret_set(&key, RSA_VECTOR_KEY, sizeof(RSA_VECTOR_KEY) - 1) != 0)
		return false;
	int r = rsa_sign(&key, VIEW(RSA_VECTOR_MESSAGE), out, &len);
	secret_wipe(&key);
	return r == 0 && len == sizeof(rsa_vector_signature) &&
	       memcmp(out, rsa_vector_signature, len) == 0;
}

// With the key of the vector, which is public, so that what is made for good lies on the
// ordinary heap.
void
rsa_init(void)
{
	struct rsa_key k;
	uint8_t out[RSA_KEY_LEN_MAX], der[RSA_KEY_DER_MAX];
	size_t len;
	if (CRYPTO_set_mem_functions(take, again, give) != 1 ||
	    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		log_fatal("libcrypto was in use before its memory could be guarded");
	BUG_IF(sodium_base642bin(der, sizeof(der), RSA_VECTOR_KEY, sizeof(RSA_VECTOR_KEY) - 1, NULL,
		   &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	       rsa_key_read((struct view){(const char *)der, len}, &k) != 0);
	EVP_PKEY *key = load(&k);
	if (key == NULL || !sign(key, VIEW(RSA_VECTOR_MESSAGE), out, &len) ||
	    memcmp(out, rsa_vector_signature, sizeof(rsa_vector_signature)) != 0)
		log_fatal("libcrypto does not sign with RSA");
	EVP_PKEY_free(key);
	ERR_clear_error();
}
