// SPDX-License-Identifier: Apache-2.0
// Counters of one worker. Pure.
#include "gatewayd/limits.h"

#include <netinet/in.h>
#include <string.h>

void
limits_init(struct limits *l, const struct config *c)
{
	*l = (struct limits){
	    .connections_max = MAX(c->limits.connections / c->workers, 1U),
	    // One request of the largest size must fit, however many workers share.
	    .buffered_max = MAX(c->limits.buffered_bytes / c->workers, c->limits.body_bytes * 2),
	    .per_source_max = c->limits.connections_per_source,
	};
}

void
limits_free(struct limits *l)
{
	idmap_free(&l->sources);
}

uint64_t
limits_source(const struct sockaddr *peer)
{
	if (peer->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, peer, sizeof(in));
		uint32_t a = ntohl(in.sin_addr.s_addr);
		return a >> 24 == 127 ? 0 : 1ULL << 32 | a;
	}
	if (peer->sa_family != AF_INET6)
		return 0;
	struct sockaddr_in6 in6;
	memcpy(&in6, peer, sizeof(in6));
	uint64_t half[2];
	memcpy(half, &in6.sin6_addr, sizeof(half));
	if (IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr))
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		uint32_t a;
		memcpy(&a, in6.sin6_addr.s6_addr + 12, sizeof(a));
		a = ntohl(a);
		return a >> 24 == 127 ? 0 : 1ULL << 32 | a;
	}
	return half[0];
}

// The map's values are counts in disguise; idmap never looks at them.
static uint64_t
source_count(const struct limits *l, uint64_t source)
{
	return (uint64_t)(uintptr_t)idmap_get(&l->sources, source);
}

static void
source_set(struct limits *l, uint64_t source, uint64_t count)
{
	(void)idmap_take(&l->sources, source);
	if (count != 0)
		idmap_put(&l->sources, source, (void *)(uintptr_t)count);
}

bool
limits_connect(struct limits *l, uint64_t source)
{
	if (l->connections >= l->connections_max)
		return false;
	if (source != 0) {
		uint64_t n = source_count(l, source);
		if (n >= l->per_source_max)
			return false;
		source_set(l, source, n + 1);
	}
	l->connections++;
	return true;
}

void
limits_disconnect(struct limits *l, uint64_t source)
{
	BUG_IF(l->connections == 0);
	l->connections--;
	if (source != 0)
		source_set(l, source, source_count(l, source) - 1);
}

bool
limits_buffer(struct limits *l, size_t bytes)
{
	uint64_t held = l->buffered + (l->unsent == NULL ? 0 : *l->unsent);
	if (bytes > l->buffered_max - MIN(held, l->buffered_max))
		return false;
	l->buffered += bytes;
	return true;
}

void
limits_unbuffer(struct limits *l, size_t bytes)
{
	BUG_IF(bytes > l->buffered);
	l->buffered -= bytes;
}
