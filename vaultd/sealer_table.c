// SPDX-License-Identifier: Apache-2.0
// A hash table that doubles. Numbers come from the gateway, so their spread is
// made by a random factor. May touch: its own memory.
#include "vaultd/sealer_table.h"

#include <sodium.h>
#include <stdlib.h>

struct sealer_table {
	struct sealer_lane **slot;
	unsigned log2;
	size_t count;
	uint64_t factor; // odd
};

struct sealer_table *
sealer_table_new(void)
{
	struct sealer_table *t = base_calloc(1, sizeof(*t));
	t->log2 = 6;
	t->slot = base_calloc((size_t)1 << t->log2, sizeof(*t->slot));
	randombytes_buf(&t->factor, sizeof(t->factor));
	t->factor |= 1U;
	return t;
}

void
sealer_table_free(struct sealer_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < (size_t)1 << t->log2; i++) {
		while (t->slot[i] != NULL) {
			struct sealer_lane *l = t->slot[i];
			t->slot[i] = sealer_lane_links(l)->hash_next;
			sealer_lane_free(l);
		}
	}
	free(t->slot);
	free(t);
}

size_t
sealer_table_count(const struct sealer_table *t)
{
	return t->count;
}

static struct sealer_lane **
slot_of(const struct sealer_table *t, uint64_t id)
{
	return &t->slot[id * t->factor >> (64 - t->log2)];
}

struct sealer_lane *
sealer_table_find(const struct sealer_table *t, uint64_t id)
{
	struct sealer_lane *l = *slot_of(t, id);
	while (l != NULL && sealer_lane_id(l) != id)
		l = sealer_lane_links(l)->hash_next;
	return l;
}

static void
insert(struct sealer_table *t, struct sealer_lane *l)
{
	struct sealer_lane **s = slot_of(t, sealer_lane_id(l));
	sealer_lane_links(l)->hash_next = *s;
	*s = l;
}

static void
grow(struct sealer_table *t)
{
	struct sealer_lane **old = t->slot;
	size_t n = (size_t)1 << t->log2;
	t->log2++;
	t->slot = base_calloc((size_t)1 << t->log2, sizeof(*t->slot));
	for (size_t i = 0; i < n; i++) {
		struct sealer_lane *next;
		for (struct sealer_lane *l = old[i]; l != NULL; l = next) {
			next = sealer_lane_links(l)->hash_next;
			insert(t, l);
		}
	}
	free(old);
}

void
sealer_table_add(struct sealer_table *t, struct sealer_lane *l)
{
	BUG_IF(sealer_table_find(t, sealer_lane_id(l)) != NULL);
	if (t->count >= (size_t)1 << t->log2)
		grow(t);
	insert(t, l);
	t->count++;
}

void
sealer_table_remove(struct sealer_table *t, struct sealer_lane *l)
{
	struct sealer_lane **s = slot_of(t, sealer_lane_id(l));
	while (*s != l) {
		BUG_IF(*s == NULL);
		s = &sealer_lane_links(*s)->hash_next;
	}
	*s = sealer_lane_links(l)->hash_next;
	t->count--;
	sealer_lane_free(l);
}
