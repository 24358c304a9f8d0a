// SPDX-License-Identifier: Apache-2.0
// The one encoder and the one decoder of messages: they walk the field tables of
// msg_table.c. Pure.
#include "proto/msg.h"

#include <string.h>

#include "proto/msg_table.h"

// --- walking -----------------------------------------------------------------

static void put_fields(struct mp_out *o, const struct msg_field *f, size_t n, const uint8_t *base);
static int get_fields(struct mp_in *in, const struct msg_field *f, size_t n, uint8_t *base);

static bool
length_ok(const struct msg_field *f, size_t len)
{
	switch (f->kind) {
	case K_BIN_EXACT:
		return len == f->max;
	case K_BIN_OPT:
		return len == f->max || len == 0;
	default:
		return len <= f->max;
	}
}

static void
put_list(struct mp_out *o, const struct msg_field *f, const uint8_t *base)
{
	size_t n;
	memcpy(&n, base + f->count_offset, sizeof(n));
	if (n > f->max) {
		o->failed = true;
		return;
	}
	mp_put_array(o, n);
	for (size_t i = 0; i < n; i++)
		put_fields(o, f->elem, f->elem_count, base + f->offset + i * f->elem_size);
}

static void
put_field(struct mp_out *o, const struct msg_field *f, const uint8_t *base)
{
	const uint8_t *at = base + f->offset;
	uint64_t u;
	struct view v;
	switch (f->kind) {
	case K_LIST:
		put_list(o, f, base);
		return;
	case K_BOOL:
		mp_put_bool(o, *(const bool *)at);
		return;
	case K_UINT:
		memcpy(&u, at, sizeof(u));
		if (u > f->max)
			o->failed = true;
		mp_put_uint(o, u);
		return;
	case K_STR:
	case K_BIN:
	case K_BIN_EXACT:
	case K_BIN_OPT:
		memcpy(&v, at, sizeof(v));
		if (!length_ok(f, v.len))
			o->failed = true;
		if (f->kind == K_STR)
			mp_put_str(o, v);
		else
			mp_put_bin(o, v);
		return;
	}
}

static void
put_fields(struct mp_out *o, const struct msg_field *f, size_t n, const uint8_t *base)
{
	mp_put_array(o, n);
	for (size_t i = 0; i < n; i++)
		put_field(o, &f[i], base);
}

static int
get_list(struct mp_in *in, const struct msg_field *f, uint8_t *base)
{
	size_t n;
	if (mp_get_array(in, f->max, &n) != 0)
		return -1;
	memcpy(base + f->count_offset, &n, sizeof(n));
	for (size_t i = 0; i < n; i++)
		if (get_fields(in, f->elem, f->elem_count, base + f->offset + i * f->elem_size) !=
		    0)
			return -1;
	return 0;
}

static int
get_view(struct mp_in *in, const struct msg_field *f, uint8_t *at)
{
	struct view v;
	int r = f->kind == K_STR ? mp_get_str(in, f->max, &v) : mp_get_bin(in, f->max, &v);
	if (r != 0 || !length_ok(f, v.len))
		return -1;
	memcpy(at, &v, sizeof(v));
	return 0;
}

static int
get_field(struct mp_in *in, const struct msg_field *f, uint8_t *base)
{
	uint8_t *at = base + f->offset;
	uint64_t u;
	switch (f->kind) {
	case K_LIST:
		return get_list(in, f, base);
	case K_BOOL:
		return mp_get_bool(in, (bool *)at);
	case K_UINT:
		if (mp_get_uint(in, f->max, &u) != 0)
			return -1;
		memcpy(at, &u, sizeof(u));
		return 0;
	default:
		return get_view(in, f, at);
	}
}

static int
get_fields(struct mp_in *in, const struct msg_field *f, size_t n, uint8_t *base)
{
	size_t arity;
	if (mp_get_array(in, n, &arity) != 0 || arity != n)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (get_field(in, &f[i], base) != 0)
			return -1;
	return 0;
}

size_t
msg_encode(uint8_t type, const void *msg, uint8_t *buf, size_t cap)
{
	const struct msg_layout *l = &msg_table[type];
	BUG_IF(l->fields == NULL);
	struct mp_out o;
	mp_out_init(&o, buf, MIN(cap, FRAME_PAYLOAD_MAX));
	put_fields(&o, l->fields, l->count, msg);
	return o.failed ? 0 : o.len;
}

int
msg_decode(uint8_t type, const uint8_t *payload, size_t len, void *msg)
{
	const struct msg_layout *l = &msg_table[type];
	if (l->fields == NULL)
		return -1;
	struct mp_in in;
	mp_in_init(&in, payload, len);
	memset(msg, 0, l->size);
	if (get_fields(&in, l->fields, l->count, msg) != 0)
		return -1;
	return mp_in_done(&in) ? 0 : -1;
}

bool
msg_is_raw(uint8_t type)
{
	return msg_table[type].name != NULL && msg_table[type].fields == NULL;
}

const char *
msg_name(uint8_t type)
{
	return msg_table[type].name;
}

size_t
msg_struct_size(uint8_t type)
{
	return msg_table[type].size;
}
