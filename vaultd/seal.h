// SPDX-License-Identifier: Apache-2.0
// Sealing of stored records: XChaCha20-Poly1305 (libsodium) under a subkey per
// record, derived from the store key by keyed BLAKE2b over type and id. Associated
// data is (type, id, version), so a record cannot be moved, renamed or given an
// older version's number. All key material stays in secret memory.
//
// Sealed form: u8 format (1), 24 bytes nonce, ciphertext, 16 bytes tag.
#ifndef VAULTD_SEAL_H
#define VAULTD_SEAL_H

#include "common/mp.h"
#include "common/secmem.h"

#define SEAL_KEY_LEN  32U
#define SEAL_OVERHEAD (1U + 24U + 16U)
#define SEAL_HASH_LEN 32U

// What a sealed record is. Part of the stored format.
enum seal_type {
	SEAL_CREDENTIAL = 1, // everything about a credential but its secret
	SEAL_SECRET = 2,     // the secret itself
	SEAL_VKEY = 3,
	SEAL_WITNESS = 4,
	SEAL_SELF_TEST = 5,
	SEAL_CATALOGUE = 6,
	SEAL_ISSUER = 7,
	SEAL_ISSUER_KEY = 8, // one signing key
	SEAL_TOKEN = 16,     // a temporary credential; in memory only
};

struct seal;

// Derives what is needed from the store key, which the caller then wipes. NULL when
// secret memory is full.
struct seal *seal_new(const uint8_t store_key[SEAL_KEY_LEN]) MUST_CHECK;
void seal_free(struct seal *s);

// Writes len + SEAL_OVERHEAD bytes to out.
void seal_close(struct seal *s, enum seal_type type, struct view id, uint64_t version,
    const void *plain, size_t len, uint8_t *out);

// Writes len - SEAL_OVERHEAD bytes to out. -1: not sealed by this store as this
// record and version (nothing is written).
int seal_open(struct seal *s, enum seal_type type, struct view id, uint64_t version,
    const uint8_t *sealed, size_t len, void *out) MUST_CHECK;

// Keyed hash of a virtual key as presented; the only form of it that is stored.
void seal_hash(struct seal *s, struct view text, uint8_t out[SEAL_HASH_LEN]);

#endif
