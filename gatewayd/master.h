// SPDX-License-Identifier: Apache-2.0
// The gateway's master: holds the listening sockets and the client-facing
// certificate, keeps the workers running, and talks to nobody on the network.
//
// SIGHUP reads the certificate and its key again and gives them to the workers;
// SIGTERM and SIGINT let the workers finish what runs.
#ifndef GATEWAYD_MASTER_H
#define GATEWAYD_MASTER_H

#include "gatewayd/config.h"

struct master;

// Everything that has a name: opens the listeners, reads certificate, key, hosts and
// name servers. Faults of the operator are fatal.
struct master *master_open(const struct config *c);

// The descriptors that are open now; returns how many, at most max.
size_t master_fds(const struct master *m, int *fds, size_t max);

// Probes what a worker needs, then confines the master itself.
void master_confine(struct master *m);

// Starts and supervises the workers; tells the service manager when all of them
// serve. Returns the exit status when they have drained.
int master_run(struct master *m);

#endif
