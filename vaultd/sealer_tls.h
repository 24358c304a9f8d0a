// SPDX-License-Identifier: Apache-2.0
// TLS towards a provider, as a pure function of bytes: ciphertext in, ciphertext
// out, no descriptor anywhere. The rules of what is acceptable (chain, host name,
// versions, ciphers) are fixed by the context, which is made from what the vault
// core said, never from anything that the gateway said.
//
// Sources: RFC 8446 (TLS 1.3), RFC 5246 with AEAD suites only (TLS 1.2), RFC 6125
// (host names), RFC 7301 (ALPN); OpenSSL 3.0 manual pages.
#ifndef VAULTD_SEALER_TLS_H
#define VAULTD_SEALER_TLS_H

#include "common/mp.h"
#include "vaultd/sealer_buf.h"

struct sealer_tls_ctx;
struct sealer_tls;

enum sealer_tls_status {
	SEALER_TLS_OK,
	SEALER_TLS_WANT,      // more ciphertext is needed first
	SEALER_TLS_CLOSED,    // the provider said close_notify
	SEALER_TLS_TRUNCATED, // the bytes ended without it
	SEALER_TLS_FAILED,    // sealer_tls_reason() says why
};

// Largest plaintext that one TLS record takes (RFC 8446, section 5.1).
#define SEALER_TLS_RECORD_MAX 16384U

// Everything that needs a file or is slow the first time: library start without
// any configuration file, error strings, the system's root certificates. Once per
// process, before the sandbox. Returns how many roots were found; 0 is legal (own
// CAs still work), the caller warns.
size_t sealer_tls_prepare(void);

// For one host (a DNS name or an IP address). ca_pem: the only roots to trust, or
// empty for the system's. NULL with a reason when it cannot be used.
struct sealer_tls_ctx *sealer_tls_ctx_new(
    struct view host, struct view ca_pem, const char **why_r) MUST_CHECK;
void sealer_tls_ctx_free(struct sealer_tls_ctx *c);

// A session keeps its context alive.
struct sealer_tls *sealer_tls_new(struct sealer_tls_ctx *c) MUST_CHECK;
void sealer_tls_free(struct sealer_tls *t); // NULL is allowed

// Ciphertext from the provider is appended to _in, ciphertext for it taken from _out.
struct sealer_buf *sealer_tls_in(struct sealer_tls *t);
struct sealer_buf *sealer_tls_out(struct sealer_tls *t);
void sealer_tls_eof(struct sealer_tls *t); // nothing more will be appended

// OK once certificate and host are verified and the session is up. Never OK before.
enum sealer_tls_status sealer_tls_handshake(struct sealer_tls *t) MUST_CHECK;

// Decrypts at most cap bytes (one record at most). OK: *n_r > 0.
enum sealer_tls_status sealer_tls_read(
    struct sealer_tls *t, uint8_t *p, size_t cap, size_t *n_r) MUST_CHECK;

// Encrypts all of it into _out. OK or FAILED; leaves no copy of p behind.
enum sealer_tls_status sealer_tls_write(
    struct sealer_tls *t, const uint8_t *p, size_t len) MUST_CHECK;

// OpenSSL's words for the last failure: never bytes of the peer. "" if none.
const char *sealer_tls_reason(const struct sealer_tls *t);

#endif
