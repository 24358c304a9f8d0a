// SPDX-License-Identifier: Apache-2.0
// What a message consists of: the field tables that msg.c walks. For msg.c and
// msg_table.c only.
#ifndef PROTO_MSG_TABLE_H
#define PROTO_MSG_TABLE_H

#include "proto/msg.h"

enum kind { K_UINT, K_BOOL, K_STR, K_BIN, K_BIN_EXACT, K_BIN_OPT, K_LIST };

struct msg_field {
	const char *name;
	enum kind kind;
	size_t offset;
	uint64_t max;	     // value, bytes, or elements
	size_t count_offset; // lists: where the number of elements is
	size_t elem_size;
	size_t elem_count;
	const struct msg_field *elem; // scalar fields of one element
};

struct msg_layout {
	const char *name;
	size_t size;
	size_t count;
	const struct msg_field *fields;
};

// By type; unknown types have no name.
extern const struct msg_layout msg_table[256];

#endif
