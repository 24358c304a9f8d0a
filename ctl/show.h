// SPDX-License-Identifier: Apache-2.0
// Messages of the vault as JSON and as tables.
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>

#include "ctl/cli.h"
#include "proto/msg.h"

json_t *show_string(struct view v); // null for an empty one
json_t *show_time(uint64_t unix_s); // null for 0
json_t *show_credential(const struct msg_credential_item *c);
json_t *show_vkey(const struct msg_vkey_item *k);

// Prints and frees.
void show_json(json_t *j);

// "gpt-*, o3", or `none` when there is none.
void show_names(const struct msg_name *n, size_t count, const char *none, char *out, size_t size);
void show_rate(uint64_t per_minute, char *out, size_t size);

#endif
