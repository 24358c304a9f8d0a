// SPDX-License-Identifier: Apache-2.0
// Names to addresses: numeric ones, the configuration's `resolve` list, /etc/hosts,
// then DNS through libevent's evdns. The files are read once, before the sandbox.
// A wrong address only costs a failed connection: the sealer checks the name in
// the provider's certificate.
#ifndef GATEWAYD_RESOLVE_H
#define GATEWAYD_RESOLVE_H

#include <sys/socket.h>

#include "gatewayd/config.h"

#define RESOLVE_ADDRESSES_MAX 8U

struct event_base;

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

struct addresses {
	size_t count;				  // 0: the name does not resolve
	struct address at[RESOLVE_ADDRESSES_MAX]; // in the order to try
};

struct resolver;

// Reads /etc/hosts and /etc/resolv.conf; opens nothing later.
struct resolver *resolver_load(const struct config *c);
// Makes the DNS sockets of this worker; once, after the fork.
void resolver_start(struct resolver *r, struct event_base *base);
void resolver_free(struct resolver *r);

typedef void resolve_fn(void *cookie, const struct addresses *found);

struct lookup;

// Answers through fn, never before this returns. cancel: fn is not called.
struct lookup *resolver_lookup(
    struct resolver *r, const char *host, uint16_t port, resolve_fn *fn, void *cookie);
void resolver_cancel(struct lookup *l); // not after fn was called

#endif
