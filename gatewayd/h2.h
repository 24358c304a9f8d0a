// SPDX-License-Identifier: Apache-2.0
// HTTP/2 towards clients (RFC 9113, by nghttp2), on the TLS port by ALPN and on the plain
// loopback port by prior knowledge. Each stream becomes an HTTP/1.1 request on a socket
// pair of its own, served by the same client code as every other: one strict codec, one
// set of limits and deadlines, one way for an answer to end. The price is two copies.
#ifndef GATEWAYD_H2_H
#define GATEWAYD_H2_H

#include "gatewayd/request.h"
#include "gatewayd/worker.h"

struct wire;

// What every HTTP/2 client sends first (RFC 9113, section 3.4).
#define H2_PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_PREFACE_LEN 24U

// Takes over a connection whose first bytes are the preface; they have not been consumed.
// Ownership of the wire, and of one connection of `source` in w->limits, passes.
void h2_take(
    struct worker *w, struct wire *wire, const char peer[REQUEST_PEER_MAX], uint64_t source);

// The worker drains: each connection tells its client to open no more streams (GOAWAY,
// RFC 9113, section 6.8), serves those that are under way to them, and ends with the last.
void h2_drain(struct worker *w);
void h2_close_all(struct worker *w);

#endif
