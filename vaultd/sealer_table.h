// SPDX-License-Identifier: Apache-2.0
// Lanes by their number: a chained hash table that owns its lanes.
#ifndef VAULTD_SEALER_TABLE_H
#define VAULTD_SEALER_TABLE_H

#include "vaultd/sealer_lane.h"

struct sealer_table;

struct sealer_table *sealer_table_new(void) MUST_CHECK;
void sealer_table_free(struct sealer_table *t); // and all lanes in it
size_t sealer_table_count(const struct sealer_table *t);
struct sealer_lane *sealer_table_find(const struct sealer_table *t, uint64_t id); // or NULL
void sealer_table_add(struct sealer_table *t, struct sealer_lane *l);		  // takes ownership
void sealer_table_remove(struct sealer_table *t, struct sealer_lane *l);	  // frees l

#endif
