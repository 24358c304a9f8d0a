// SPDX-License-Identifier: Apache-2.0
// What remains of a secret after it was used: enough to recognise any piece of it
// in an answer, in plain, base64, hexadecimal or percent-encoded form, and not
// enough to get it back. Every window of 12 characters (24 for hexadecimal and
// percent) of every form is kept as one bit in a filter and one keyed
// BLAKE2b-128; the keys live in secret memory. DESIGN.md, "Sealer", says why no
// linear rolling hash is used and what this cannot find.
#ifndef VAULTD_SEALER_NEEDLE_H
#define VAULTD_SEALER_NEEDLE_H

#include "common/base.h"

#define SEALER_NEEDLE_WINDOW_MAX 24U // longest window of any form
#define SEALER_NEEDLE_SECRET_MIN 6U  // shorter secrets cannot be told from chance

struct sealer_needle;
struct sealer_keys; // hash keys of this process, in secret memory

// Random keys, made once per sealer. NULL when the secret arena is full.
struct sealer_keys *sealer_keys_new(void) MUST_CHECK;
void sealer_keys_free(struct sealer_keys *k);

// Identity of a secret under these keys: tells whether it changed, nothing more.
void sealer_needle_identity(
    const struct sealer_keys *k, const uint8_t *secret, size_t len, uint8_t id_r[16]);

// secret: the bytes behind the public prefix, at least SEALER_NEEDLE_SECRET_MIN
// of them (BUG else). k must outlive the needle.
struct sealer_needle *sealer_needle_new(
    struct sealer_keys *k, const uint8_t *secret, size_t len) MUST_CHECK;
void sealer_needle_free(struct sealer_needle *n);
bool sealer_needle_is(const struct sealer_needle *n, const uint8_t id[16]);

// Offset where the first matching window begins, or -1.
ssize_t sealer_needle_find(const struct sealer_needle *n, const uint8_t *p, size_t len);

// Length of a window that ends exactly at p + len and matches, or 0.
size_t sealer_needle_ends(const struct sealer_needle *n, const uint8_t *p, size_t len);

#endif
