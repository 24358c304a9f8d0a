// SPDX-License-Identifier: Apache-2.0
// Counting, hashing and holding of request bodies. May touch: its own memory.
#include "vaultd/sealer_body.h"

#include <openssl/crypto.h>
#include <string.h>

// Fetched once: an implicit fetch for every request costs more than the hash of
// a short body.
static EVP_MD *
sha256_method(void)
{
	static EVP_MD *md;
	if (md == NULL)
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	BUG_IF(md == NULL);
	return md;
}

static void
hash_more(struct sealer_body *b, const uint8_t *p, size_t len)
{
	if (b->hash == NULL) {
		b->hash = EVP_MD_CTX_new();
		if (b->hash == NULL || EVP_DigestInit_ex2(b->hash, sha256_method(), NULL) != 1)
			BUG("SHA-256 does not start");
	}
	if (EVP_DigestUpdate(b->hash, p, len) != 1)
		BUG("SHA-256 failed");
	b->seen += len;
}

static void
hash_reset(struct sealer_body *b)
{
	EVP_MD_CTX_free(b->hash);
	b->hash = NULL;
	b->seen = 0;
}

static enum sealer_body_status
check(struct sealer_body *b)
{
	if (b->seen < b->expect)
		return SEALER_BODY_OK;
	if (b->seen > b->expect)
		return SEALER_BODY_SURPLUS;
	uint8_t got[SEALER_SHA256_LEN];
	hash_more(b, NULL, 0);
	if (EVP_DigestFinal_ex(b->hash, got, NULL) != 1)
		BUG("SHA-256 failed");
	return CRYPTO_memcmp(got, b->sha256, sizeof(got)) == 0 ? SEALER_BODY_OK
							       : SEALER_BODY_MISMATCH;
}

enum sealer_body_status
sealer_body_push(struct sealer_body *b, const uint8_t *p, size_t len)
{
	if (b->bound && b->seen == b->expect) {
		sealer_buf_append(&b->next, p, len);
		return SEALER_BODY_OK;
	}
	sealer_buf_append(&b->held, p, len);
	hash_more(b, p, len);
	return b->bound ? check(b) : SEALER_BODY_OK;
}

// Everything of this request is encrypted: what waits is the next one's.
static void
finish(struct sealer_body *b)
{
	b->bound = false;
	hash_reset(b);
	b->held = b->next;
	b->next = (struct sealer_buf){0};
	if (sealer_buf_len(&b->held) != 0)
		hash_more(b, sealer_buf_bytes(&b->held), sealer_buf_len(&b->held));
}

static void
finish_if_done(struct sealer_body *b)
{
	if (b->bound && b->seen == b->expect && sealer_buf_len(&b->held) == 0)
		finish(b);
}

enum sealer_body_status
sealer_body_bind(struct sealer_body *b, uint64_t len, const uint8_t sha256[SEALER_SHA256_LEN])
{
	BUG_IF(b->bound);
	b->bound = true;
	b->expect = len;
	memcpy(b->sha256, sha256, sizeof(b->sha256));
	enum sealer_body_status s = check(b);
	if (s == SEALER_BODY_OK)
		finish_if_done(b);
	return s;
}

size_t
sealer_body_ready(const struct sealer_body *b, const uint8_t **p_r)
{
	*p_r = sealer_buf_bytes(&b->held);
	return b->bound ? sealer_buf_len(&b->held) : 0;
}

void
sealer_body_sent(struct sealer_body *b, size_t n)
{
	BUG_IF(!b->bound);
	sealer_buf_consume(&b->held, n);
	finish_if_done(b);
}

bool
sealer_body_busy(const struct sealer_body *b)
{
	return b->bound;
}

void
sealer_body_free(struct sealer_body *b)
{
	hash_reset(b);
	sealer_buf_free(&b->held);
	sealer_buf_free(&b->next);
	b->bound = false;
}
