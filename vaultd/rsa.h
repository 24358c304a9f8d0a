// SPDX-License-Identifier: Apache-2.0
// RSA signatures, the one thing that the core takes from libcrypto. Keys stay in secret
// memory: while one of these functions runs, everything that libcrypto allocates comes
// from the arena (and is wiped when freed), and the stack below is wiped afterwards. What
// libcrypto keeps for good (algorithm tables, the state of its generator) is made by
// rsa_init, before there is any key, on the ordinary heap.
#ifndef VAULTD_RSA_H
#define VAULTD_RSA_H

#include "vaultd/rsa_key.h"

#define RSA_BITS_NEW 2048U // of keys that we make; every verifier has it

// Before any other use of libcrypto in the process, once, and before the sandbox: what
// libcrypto loads lazily is loaded here. Fatal if it cannot sign.
void rsa_init(void);

// Signs the known message with the known key: the self-test.
bool rsa_works(void) MUST_CHECK;

// RSASSA-PKCS1-v1_5 with SHA-256 (RS256, RFC 7518, section 3.3). key: any form of
// rsa_key.h. -1: secret memory is full. -2: not a usable key.
int rsa_sign(const struct secret *key, struct view message, uint8_t out[RSA_KEY_LEN_MAX],
    size_t *len_r) MUST_CHECK;

// A new key as DER. Takes about a tenth of a second, a whole one with bad luck. -1: secret
// memory is full, or there is no randomness.
int rsa_generate(struct secret *der_r) MUST_CHECK;

#endif
