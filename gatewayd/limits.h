// SPDX-License-Identifier: Apache-2.0
// What one worker may hold at a time: client connections, connections per source
// address, bytes of requests and answers. Pure counting; the caller refuses.
#ifndef GATEWAYD_LIMITS_H
#define GATEWAYD_LIMITS_H

#include "gatewayd/config.h"
#include "gatewayd/idmap.h"

struct sockaddr;

struct limits {
	uint64_t connections, connections_max;
	uint64_t buffered, buffered_max;
	const size_t *unsent; // bytes that peers have still to take count, too; NULL: none
	uint64_t per_source_max;
	struct idmap sources; // address key -> number of connections
};

void limits_init(struct limits *l, const struct config *c); // the share of one worker
void limits_free(struct limits *l);

// 64-bit key of a source: the IPv4 address, or the /64 of an IPv6 one, which is
// what one customer gets. 0: loopback or not IP, exempt from the source limit.
uint64_t limits_source(const struct sockaddr *peer);

// Counts a new connection; false: one of the limits is reached, nothing changed.
bool limits_connect(struct limits *l, uint64_t source) MUST_CHECK;
void limits_disconnect(struct limits *l, uint64_t source);

bool limits_buffer(struct limits *l, size_t bytes) MUST_CHECK;
void limits_unbuffer(struct limits *l, size_t bytes);

#endif
