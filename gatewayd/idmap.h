// SPDX-License-Identifier: Apache-2.0
// A map from the non-zero 64-bit ids of frames to what waits for them. Open
// addressing; grows, never shrinks below its first size. Pure.
#ifndef GATEWAYD_IDMAP_H
#define GATEWAYD_IDMAP_H

#include "common/base.h"

struct idmap_slot {
	uint64_t id; // 0: free
	void *value;
};

// All zero is an empty map.
struct idmap {
	struct idmap_slot *slots;
	size_t cap; // power of two, or 0
	size_t count;
};

void idmap_put(struct idmap *m, uint64_t id, void *value); // the id must be new
void *idmap_get(const struct idmap *m, uint64_t id);	   // NULL if absent
void *idmap_take(struct idmap *m, uint64_t id);		   // get and remove
// Empties the map and calls fn for each value that was in it; fn may use the map.
void idmap_drain(struct idmap *m, void (*fn)(void *value));
void idmap_free(struct idmap *m); // the values stay the caller's

#endif
