// SPDX-License-Identifier: Apache-2.0
// Sealing of records. Pure computation; key material lives in one block of secret
// memory that also serves as working space.
#include "vaultd/seal.h"

#include <sodium.h>
#include <string.h>

#define FORMAT	  1
#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN	  crypto_aead_xchacha20poly1305_ietf_ABYTES

struct seal {
	uint8_t record_key[32];
	uint8_t hash_key[32];
	uint8_t subkey[32];
	crypto_generichash_state hash; // BLAKE2b state holds the key's block
};

SENSITIVE
static void
keyed_hash(struct seal *s, const uint8_t key[32], struct view label, const uint8_t *p, size_t len,
    uint8_t out[32])
{
	crypto_generichash_init(&s->hash, key, 32, 32);
	crypto_generichash_update(&s->hash, (const uint8_t *)label.p, label.len);
	crypto_generichash_update(&s->hash, p, len);
	crypto_generichash_final(&s->hash, out, 32);
	sodium_memzero(&s->hash, sizeof(s->hash));
	sodium_stackzero(1024);
}

SENSITIVE
struct seal *
seal_new(const uint8_t store_key[SEAL_KEY_LEN])
{
	struct seal *s = secmem_alloc(sizeof(*s));
	if (s == NULL)
		return NULL;
	keyed_hash(s, store_key, VIEW("sallyport records 1"), NULL, 0, s->record_key);
	keyed_hash(s, store_key, VIEW("sallyport virtual keys 1"), NULL, 0, s->hash_key);
	return s;
}

void
seal_free(struct seal *s)
{
	secmem_free(s);
}

struct label {
	uint8_t bytes[1 + 8 + 64];
	size_t len;
};

static void
put_be64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

// type, version, id: unambiguous because the first two have fixed lengths.
static void
make_label(struct label *l, enum seal_type type, uint64_t version, struct view id)
{
	BUG_IF(id.len > 64);
	l->bytes[0] = (uint8_t)type;
	put_be64(l->bytes + 1, version);
	memcpy(l->bytes + 9, id.p, id.len);
	l->len = 9 + id.len;
}

static void
derive(struct seal *s, enum seal_type type, struct view id)
{
	struct label l;
	make_label(&l, type, 0, id);
	keyed_hash(s, s->record_key, VIEW("record"), l.bytes, l.len, s->subkey);
}

SENSITIVE
void
seal_close(struct seal *s, enum seal_type type, struct view id, uint64_t version, const void *plain,
    size_t len, uint8_t *out)
{
	struct label ad;
	make_label(&ad, type, version, id);
	derive(s, type, id);
	out[0] = FORMAT;
	randombytes_buf(out + 1, NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    out + 1 + NONCE_LEN, NULL, plain, len, ad.bytes, ad.len, NULL, out + 1, s->subkey);
	sodium_memzero(s->subkey, sizeof(s->subkey));
	sodium_stackzero(1024);
}

SENSITIVE
int
seal_open(struct seal *s, enum seal_type type, struct view id, uint64_t version,
    const uint8_t *sealed, size_t len, void *out)
{
	if (len < SEAL_OVERHEAD || sealed[0] != FORMAT)
		return -1;
	struct label ad;
	make_label(&ad, type, version, id);
	derive(s, type, id);
	int r = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed + 1 + NONCE_LEN,
	    len - 1 - NONCE_LEN, ad.bytes, ad.len, sealed + 1, s->subkey);
	sodium_memzero(s->subkey, sizeof(s->subkey));
	sodium_stackzero(1024);
	return r == 0 ? 0 : -1;
}

void
seal_hash(struct seal *s, struct view text, uint8_t out[SEAL_HASH_LEN])
{
	keyed_hash(s, s->hash_key, VIEW("key"), (const uint8_t *)text.p, text.len, out);
}
