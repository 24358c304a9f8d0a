// SPDX-License-Identifier: Apache-2.0
// Linear probing with backward-shift removal, so that no tombstones pile up over
// millions of short-lived ids. Pure.
#include "gatewayd/idmap.h"

#include <stdlib.h>

#define CAP_MIN 64U

// Ids are mostly consecutive: spread them (Fibonacci hashing).
static size_t
home(const struct idmap *m, uint64_t id)
{
	return (size_t)((id * 0x9e3779b97f4a7c15ULL) >> 20) & (m->cap - 1);
}

static void
insert(struct idmap *m, uint64_t id, void *value)
{
	size_t i = home(m, id);
	while (m->slots[i].id != 0) {
		BUG_IF(m->slots[i].id == id);
		i = (i + 1) & (m->cap - 1);
	}
	m->slots[i] = (struct idmap_slot){.id = id, .value = value};
}

static void
grow(struct idmap *m)
{
	struct idmap old = *m;
	m->cap = old.cap == 0 ? CAP_MIN : old.cap * 2;
	m->slots = base_calloc(m->cap, sizeof(*m->slots));
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].id != 0)
			insert(m, old.slots[i].id, old.slots[i].value);
	free(old.slots);
}

void
idmap_put(struct idmap *m, uint64_t id, void *value)
{
	BUG_IF(id == 0 || value == NULL);
	if (m->count * 2 >= m->cap)
		grow(m);
	insert(m, id, value);
	m->count++;
}

static bool
find(const struct idmap *m, uint64_t id, size_t *at_r)
{
	if (m->cap == 0 || id == 0)
		return false;
	for (size_t i = home(m, id); m->slots[i].id != 0; i = (i + 1) & (m->cap - 1)) {
		if (m->slots[i].id == id) {
			*at_r = i;
			return true;
		}
	}
	return false;
}

void *
idmap_get(const struct idmap *m, uint64_t id)
{
	size_t at;
	return find(m, id, &at) ? m->slots[at].value : NULL;
}

void *
idmap_take(struct idmap *m, uint64_t id)
{
	size_t hole;
	if (!find(m, id, &hole))
		return NULL;
	void *value = m->slots[hole].value;
	size_t mask = m->cap - 1;
	// Move back every later entry of the run that may live in the hole.
	for (size_t i = (hole + 1) & mask; m->slots[i].id != 0; i = (i + 1) & mask) {
		size_t distance = (i - home(m, m->slots[i].id)) & mask;
		if (distance >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct idmap_slot){0};
	m->count--;
	return value;
}

void
idmap_drain(struct idmap *m, void (*fn)(void *value))
{
	struct idmap old = *m;
	*m = (struct idmap){0};
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].id != 0)
			fn(old.slots[i].value);
	free(old.slots);
}

void
idmap_free(struct idmap *m)
{
	free(m->slots);
	*m = (struct idmap){0};
}
