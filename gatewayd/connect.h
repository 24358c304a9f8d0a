// SPDX-License-Identifier: Apache-2.0
// A TCP connection to a provider: looks the name up, tries its addresses (the next
// one starts when the last one failed or was silent for 250 ms, after RFC 8305), and
// asks the egress proxy for a tunnel if one is configured. Only ciphertext will go
// over it.
#ifndef GATEWAYD_CONNECT_H
#define GATEWAYD_CONNECT_H

#include "gatewayd/worker.h"

struct connect;

// fd >= 0: connected, the callee owns it. -1: error is a static text.
typedef void connect_fn(void *cookie, int fd, const char *error);

// Answers through fn once, never before this returns. The caller sets the time
// limit and cancels.
struct connect *connect_start(
    struct worker *w, const char *host, uint16_t port, connect_fn *fn, void *cookie);
void connect_cancel(struct connect *c); // NULL is allowed; not after fn was called

#endif
