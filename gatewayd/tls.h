// SPDX-License-Identifier: Apache-2.0
// The server side of TLS towards clients: one context from PEM bytes, replaced as a
// whole when the certificate is renewed. TLS 1.2 and 1.3, ALPN http/1.1. Opens no
// file: the bytes come from the master.
#ifndef GATEWAYD_TLS_H
#define GATEWAYD_TLS_H

#include "common/mp.h"

struct ssl_st;
struct tls;

// Builds and checks a context. NULL and a text when certificate and key do not parse
// or do not match.
struct tls *tls_new(
    struct view certificate, struct view key, char *error_r, size_t error_size) MUST_CHECK;
// Sessions made from it live on.
void tls_free(struct tls *t); // NULL is allowed

struct ssl_st *tls_session(struct tls *t);

// One handshake over memory, both ends here: loads everything that OpenSSL loads
// late, and fails now if the sandbox forbids something. Returns 0 or -1.
int tls_selftest(struct tls *t) MUST_CHECK;

#endif
