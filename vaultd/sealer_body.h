// SPDX-License-Identifier: Apache-2.0
// The request body of a lane: exactly as long as the vault core was told, and only
// complete if it hashes to what was authorized and audited. Bytes may come before
// the request is sealed; they are held. The batch that completes the body is held
// back until the hash is checked, so a wrong body never reaches the provider whole.
#ifndef VAULTD_SEALER_BODY_H
#define VAULTD_SEALER_BODY_H

#include <openssl/evp.h>

#include "vaultd/sealer_buf.h"

#define SEALER_SHA256_LEN 32U

enum sealer_body_status {
	SEALER_BODY_OK,
	SEALER_BODY_SURPLUS,  // more bytes than announced: the gateway broke the rules
	SEALER_BODY_MISMATCH, // as many as announced, but others
};

// All zero: no request yet.
struct sealer_body {
	bool bound;		// between bind and done
	uint64_t expect;	// announced length, when bound
	uint64_t seen;		// bytes hashed so far
	struct sealer_buf held; // bytes of this request, not yet encrypted
	struct sealer_buf next; // bytes that came for the request after it
	EVP_MD_CTX *hash;
	uint8_t sha256[SEALER_SHA256_LEN];
};

// Bytes from the gateway. Before a bind they belong to the request to come; after
// it they complete it. A push that crosses the announced end is SURPLUS.
enum sealer_body_status sealer_body_push(
    struct sealer_body *b, const uint8_t *p, size_t len) MUST_CHECK;

// The request is sealed with this length and hash. Not while bound (BUG).
enum sealer_body_status sealer_body_bind(
    struct sealer_body *b, uint64_t len, const uint8_t sha256[SEALER_SHA256_LEN]) MUST_CHECK;

// Bytes that may be encrypted now; tell _sent how many were.
size_t sealer_body_ready(const struct sealer_body *b, const uint8_t **p_r);
void sealer_body_sent(struct sealer_body *b, size_t n);

// True between bind and the last _sent.
bool sealer_body_busy(const struct sealer_body *b);
void sealer_body_free(struct sealer_body *b);

#endif
