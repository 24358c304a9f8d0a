// SPDX-License-Identifier: Apache-2.0
// Messages of the vault as JSON and as tables.
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>

#include "ctl/cli.h"
#include "ctl/client.h"
#include "proto/msg.h"

json_t *show_string(struct view v); // null for an empty one
json_t *show_time(uint64_t unix_s); // null for 0
json_t *show_credential(const struct msg_credential_item *c);
json_t *show_vkey(const struct msg_vkey_item *k);

// Prints and frees.
void show_json(json_t *j);

// How a list of the vault is shown: a table, or a JSON array.
struct show_list {
	uint8_t type;	  // MSG_CREDENTIAL_LIST and the like
	const char *what; // "list of credentials"
	size_t columns;
	const char *const *titles;
	void (*row)(struct cli_table *t, const union client_reply *r);
	json_t *(*json)(const union client_reply *r);
};

// Asks for it and prints it. An exit status.
int show_list(const struct show_list *l, bool as_json) MUST_CHECK;

// "gpt-*, o3", or `none` when there is none.
void show_names(const struct msg_name *n, size_t count, const char *none, char *out, size_t size);
void show_rate(uint64_t per_minute, char *out, size_t size);

#endif
