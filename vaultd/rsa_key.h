// SPDX-License-Identifier: Apache-2.0
// RSA private keys as bytes: PKCS#8 (RFC 5208) around RSAPrivateKey (RFC 8017, appendix
// A.1.2) in DER, or the same in base64, with or without the lines of PEM (RFC 7468).
// A reader for exactly that, on purpose: general ones copy what they read, take a dozen
// other formats, and ask for passwords. Works in the caller's secret memory, copies
// nothing. Pure.
#ifndef VAULTD_RSA_KEY_H
#define VAULTD_RSA_KEY_H

#include "common/mp.h"
#include "common/secmem.h"

#define RSA_KEY_BITS_MIN 2048U
#define RSA_KEY_BITS_MAX 4096U
#define RSA_KEY_LEN_MAX	 (RSA_KEY_BITS_MAX / 8U)
#define RSA_KEY_DER_MAX	 3072U
#define RSA_KEY_PARTS	 8U

// Numbers are big-endian, without leading zeros.
enum rsa_key_part {
	RSA_KEY_N,
	RSA_KEY_E,
	RSA_KEY_D,
	RSA_KEY_P,
	RSA_KEY_Q,
	RSA_KEY_DP,
	RSA_KEY_DQ,
	RSA_KEY_QI,
};

struct rsa_key {
	struct view part[RSA_KEY_PARTS]; // into the DER
};

// -1: not such a key, or shorter or longer than we take.
int rsa_key_read(struct view der, struct rsa_key *k_r) MUST_CHECK;

// DER of a key in any of the three forms, as a new secret. -1: secret memory is full. -2: it
// is no key.
int rsa_key_der(struct view stored, struct secret *der_r) MUST_CHECK;

// Whether it could be used. 0, or as above.
int rsa_key_check(struct view stored) MUST_CHECK;

// The other way: writes DER, returns its length; 0 if it does not fit.
size_t rsa_key_write(const struct rsa_key *k, uint8_t *out, size_t cap) MUST_CHECK;

#endif
