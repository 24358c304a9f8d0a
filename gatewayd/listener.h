// SPDX-License-Identifier: Apache-2.0
// Accepts client connections of one listening socket, within the limits.
#ifndef GATEWAYD_LISTENER_H
#define GATEWAYD_LISTENER_H

#include "gatewayd/worker.h"

struct listener;

// Takes the listening descriptor. tls: sessions come from w->tls at that time.
struct listener *listener_new(struct worker *w, int fd, bool tls);
void listener_free(struct listener *l); // NULL is allowed; closes the descriptor

#endif
