// SPDX-License-Identifier: Apache-2.0
// Relays of the vault's own exchanges (temporary credentials): one TCP connection to the
// host that the vault names, ciphertext of one sealer both ways, and nothing else. The
// answer goes to the vault; no plaintext of it ever comes here.
#ifndef GATEWAYD_RELAY_H
#define GATEWAYD_RELAY_H

#include "gatewayd/worker.h"
#include "proto/msg.h"

#define RELAY_MAX    32U // at one time; more are refused with RELAY_FAILED
#define RELAY_LIFE_S 15

// Takes ownership of fd (-1: it did not come). What cannot be done is told to the vault.
void relay_start(struct worker *w, const struct msg_relay *m, int fd);

#endif
