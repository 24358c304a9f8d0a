// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4, header form. Source: AWS IAM User Guide, "Create a
// signed AWS API request"; checked against the signing test suite of
// awslabs/aws-c-auth. Pure: no clock, no allocation; the caller names the time and
// lends the working memory.
//
// The request is given as fields, never as text that somebody else composed, so
// nothing can be signed but what the caller is about to send.
#ifndef VAULTD_SIGV4_H
#define VAULTD_SIGV4_H

#include <sodium.h>

#include "common/mp.h"
#include "common/secmem.h"

#define SIGV4_FIELDS_MAX 32U
#define SIGV4_DATE_LEN	 16U // YYYYMMDDTHHMMSSZ
#define SIGV4_TEXT_CAP	 (32U * 1024U)

struct sigv4_field {
	struct view name; // any case
	struct view value;
};

struct sigv4_request {
	struct view method;
	struct view path;		 // as on the wire; percent-encoded once more here
	struct view query;		 // as on the wire, without '?'
	const struct sigv4_field *field; // all headers to sign: host, x-amz-date, ...
	size_t field_count;
	struct view body_sha256_hex;
	bool raw_path; // do not normalise "." ".." "//" (S3-like services, test suite)
};

struct sigv4_scope {
	struct view date; // 16 characters, equal to the x-amz-date field
	struct view region;
	struct view service;
	struct view access_key_id;
};

// Everything that depends on a secret. Lives in secret memory and is wiped by the
// caller; the canonical request is here because it holds the session token.
struct sigv4_work {
	char text[SIGV4_TEXT_CAP];
	struct view canonical;	    // into text
	struct view signed_headers; // into text
	char to_sign[512];
	size_t to_sign_len;
	uint8_t key[32];
	uint8_t prefixed[4 + 4096]; // "AWS4" + secret
	uint8_t digest[32];
	crypto_hash_sha256_state sha;
	crypto_auth_hmacsha256_state hmac;
};

// Each returns 0, or -1 when something does not fit its buffer.
int sigv4_canonical(struct sigv4_work *w, const struct sigv4_request *r) MUST_CHECK;
int sigv4_string_to_sign(struct sigv4_work *w, const struct sigv4_scope *s) MUST_CHECK;

// Signing key into w->key. Secrets longer than 4096 bytes are refused.
int sigv4_key(
    struct sigv4_work *w, const struct secret *secret, const struct sigv4_scope *s) MUST_CHECK;

// One step of the key chain: out = HMAC-SHA256(key, text); for tests.
void sigv4_step(
    struct sigv4_work *w, const uint8_t *key, size_t key_len, struct view text, uint8_t out[32]);

// All of the above; writes the signature of the request in lower hex.
int sigv4_sign(struct sigv4_work *w, const struct sigv4_request *r, const struct sigv4_scope *s,
    const struct secret *secret, char hex[64]) MUST_CHECK;

// "YYYYMMDDTHHMMSSZ" of Unix seconds, without the C library's time zone machinery
// (which opens files).
void sigv4_date(uint64_t unix_seconds, char out[SIGV4_DATE_LEN]);

#endif
