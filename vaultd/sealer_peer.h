// SPDX-License-Identifier: Apache-2.0
// The other end of a TLS session, in memory: the built-in server that a sealer
// talks to in its self-test. It holds a throw-away key and never meets a network.
#ifndef VAULTD_SEALER_PEER_H
#define VAULTD_SEALER_PEER_H

#include <openssl/ssl.h>

#include "vaultd/sealer_tls.h"

struct sealer_peer;

// A server session of ctx; ctx stays the caller's.
struct sealer_peer *sealer_peer_new(SSL_CTX *ctx) MUST_CHECK;
void sealer_peer_free(struct sealer_peer *p);

// Carries what one side has written to the other.
void sealer_peer_shuttle(struct sealer_peer *p, struct sealer_tls *t);

// Alternates both sides until the client's handshake ends one way or the other.
enum sealer_tls_status sealer_peer_handshake(
    struct sealer_peer *p, struct sealer_tls *t) MUST_CHECK;

int sealer_peer_accept(struct sealer_peer *p); // one step; 0, -1 on failure
int sealer_peer_write(struct sealer_peer *p, const void *buf, size_t len) MUST_CHECK;
// Bytes read now, 0 if none wait.
size_t sealer_peer_read(struct sealer_peer *p, void *buf, size_t cap);
SSL *sealer_peer_ssl(struct sealer_peer *p);

#endif
