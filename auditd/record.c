// SPDX-License-Identifier: Apache-2.0
// Encoding and decoding of AREC/1. Pure functions; the layout is one table that
// both directions walk, so that they cannot disagree.
#include "auditd/record.h"

#include <string.h>

#define FIELDS 29U

enum kind { K_UINT, K_STR, K_BIN, K_BIN_OPT, K_ATTRS, K_COMMIT, K_VERSION, K_NIL };

struct field {
	enum kind kind;
	size_t offset;
	uint64_t max; // value, or exact length of a byte string
};

#define F(k, name, limit)                                                                          \
	{                                                                                          \
		.kind = (k), .offset = offsetof(struct record, name), .max = (limit)               \
	}

static const struct field fields[FIELDS] = {
    {.kind = K_VERSION},
    F(K_BIN, log_id, 16),
    F(K_UINT, seq, UINT64_MAX),
    F(K_BIN, prev, 32),
    F(K_UINT, t_event, UINT64_MAX),
    F(K_UINT, t_commit, UINT64_MAX),
    F(K_UINT, boot_no, UINT64_MAX),
    F(K_UINT, t_mono, UINT64_MAX),
    F(K_UINT, clock_state, UINT8_MAX),
    F(K_UINT, event, UINT16_MAX),
    F(K_UINT, producer, UINT8_MAX),
    F(K_UINT, peer_uid, UINT32_MAX),
    F(K_UINT, peer_pid, UINT32_MAX),
    F(K_STR, peer_unit, RECORD_MAX),
    F(K_BIN_OPT, request_id, 16),
    F(K_UINT, ref_seq, UINT64_MAX),
    F(K_STR, tenant, RECORD_MAX),
    F(K_STR, workspace, RECORD_MAX),
    F(K_STR, user, RECORD_MAX),
    F(K_STR, conversation, RECORD_MAX),
    F(K_STR, key_id, RECORD_MAX),
    F(K_UINT, key_version, UINT32_MAX),
    F(K_UINT, key_use, UINT64_MAX),
    F(K_UINT, result, UINT8_MAX),
    F(K_STR, error_code, RECORD_MAX),
    F(K_UINT, flags, UINT16_MAX),
    {.kind = K_ATTRS},
    {.kind = K_COMMIT},
    {.kind = K_NIL},
};

// --- writing -------------------------------------------------------------------

static bool
put_attrs(struct mp_out *o, const struct record *r)
{
	if (r->attr_count > RECORD_ATTRS_MAX)
		return false;
	mp_put_array(o, r->attr_count);
	for (size_t i = 0; i < r->attr_count; i++) {
		const struct record_attr *a = &r->attr[i];
		if (a->key > UINT16_MAX || (i != 0 && a->key <= a[-1].key))
			return false;
		mp_put_array(o, 2);
		mp_put_uint(o, a->key);
		if (!a->is_text)
			mp_put_uint(o, a->num);
		else if (mp_utf8_valid(a->text.p, a->text.len))
			mp_put_str(o, a->text);
		else
			return false;
	}
	return true;
}

static bool
put_field(struct mp_out *o, const struct field *f, const struct record *r)
{
	const void *at = (const uint8_t *)r + f->offset;
	const struct view *v = at;
	switch (f->kind) {
	case K_VERSION:
		mp_put_uint(o, RECORD_VERSION);
		return true;
	case K_UINT:
		mp_put_uint(o, *(const uint64_t *)at);
		return *(const uint64_t *)at <= f->max;
	case K_STR:
		if (v->len > f->max || !mp_utf8_valid(v->p, v->len))
			return false;
		mp_put_str(o, *v);
		return true;
	case K_BIN:
		mp_put_bin(o, *v);
		return v->len == f->max;
	case K_BIN_OPT:
		mp_put_bin(o, *v);
		return v->len == f->max || v->len == 0;
	case K_ATTRS:
		return put_attrs(o, r);
	case K_COMMIT:
		if (r->payload_commit.len == 0)
			mp_put_nil(o);
		else
			mp_put_bin(o, r->payload_commit);
		return r->payload_commit.len == 0 || r->payload_commit.len == 32;
	case K_NIL:
		mp_put_nil(o);
		return true;
	}
	BUG("unknown field kind");
}

size_t
record_encode(const struct record *r, uint8_t *buf, size_t cap)
{
	struct mp_out o;
	mp_out_init(&o, buf, MIN(cap, RECORD_MAX));
	mp_put_array(&o, FIELDS);
	for (size_t i = 0; i < FIELDS; i++)
		if (!put_field(&o, &fields[i], r))
			return 0;
	return o.failed ? 0 : o.len;
}

// --- reading -------------------------------------------------------------------

static int
get_attrs(struct mp_in *in, struct record *r)
{
	if (mp_get_array(in, RECORD_ATTRS_MAX, &r->attr_count) != 0)
		return -1;
	for (size_t i = 0; i < r->attr_count; i++) {
		struct record_attr *a = &r->attr[i];
		size_t two;
		if (mp_get_array(in, 2, &two) != 0 || two != 2 ||
		    mp_get_uint(in, UINT16_MAX, &a->key) != 0)
			return -1;
		if (i != 0 && a->key <= a[-1].key)
			return -1;
		// The first byte tells a string (fixstr, str8-32) from a number.
		uint8_t first = in->len == 0 ? 0 : *in->p;
		a->is_text = (first & 0xe0) == 0xa0 || (first >= 0xd9 && first <= 0xdb);
		if (a->is_text ? mp_get_str(in, RECORD_MAX, &a->text) != 0
			       : mp_get_uint(in, UINT64_MAX, &a->num) != 0)
			return -1;
	}
	return 0;
}

static int
get_field(struct mp_in *in, const struct field *f, struct record *r)
{
	void *at = (uint8_t *)r + f->offset;
	struct view *v = at;
	uint64_t version;
	switch (f->kind) {
	case K_VERSION:
		return mp_get_uint(in, RECORD_VERSION, &version) == 0 && version == RECORD_VERSION
			   ? 0
			   : -1;
	case K_UINT:
		return mp_get_uint(in, f->max, at);
	case K_STR:
		return mp_get_str(in, f->max, v);
	case K_BIN:
		return mp_get_bin(in, f->max, v) == 0 && v->len == f->max ? 0 : -1;
	case K_BIN_OPT:
		return mp_get_bin(in, f->max, v) == 0 && (v->len == f->max || v->len == 0) ? 0 : -1;
	case K_ATTRS:
		return get_attrs(in, r);
	case K_COMMIT:
		if (mp_next_is_nil(in))
			return 0;
		return mp_get_bin(in, 32, &r->payload_commit) == 0 && r->payload_commit.len == 32
			   ? 0
			   : -1;
	case K_NIL:
		return mp_next_is_nil(in) ? 0 : -1;
	}
	BUG("unknown field kind");
}

int
record_decode(const uint8_t *buf, size_t len, struct record *r_r)
{
	if (len > RECORD_MAX)
		return -1;
	struct mp_in in;
	size_t n;
	mp_in_init(&in, buf, len);
	*r_r = (struct record){.seq = 0};
	if (mp_get_array(&in, FIELDS, &n) != 0 || n != FIELDS)
		return -1;
	for (size_t i = 0; i < FIELDS; i++)
		if (get_field(&in, &fields[i], r_r) != 0)
			return -1;
	if (!mp_in_done(&in))
		return -1;
	uint8_t again[RECORD_MAX];
	return record_encode(r_r, again, sizeof(again)) == len && memcmp(again, buf, len) == 0 ? 0
											       : -1;
}

// --- help ----------------------------------------------------------------------

void
record_shorten(struct record *r)
{
	struct view *longest = &r->conversation;
	struct view *const texts[] = {
	    &r->tenant, &r->workspace, &r->user, &r->key_id, &r->error_code, &r->peer_unit};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i]->len > longest->len)
			longest = texts[i];
	for (size_t i = 0; i < r->attr_count; i++)
		if (r->attr[i].is_text && r->attr[i].text.len > longest->len)
			longest = &r->attr[i].text;
	size_t n = longest->len / 2;
	while (n != 0 && ((uint8_t)longest->p[n] & 0xc0) == 0x80)
		n--;
	longest->len = n;
	r->flags |= RECORD_SHORTENED;
}

const struct record_attr *
record_attr(const struct record *r, uint64_t key)
{
	for (size_t i = 0; i < r->attr_count; i++)
		if (r->attr[i].key == key)
			return &r->attr[i];
	return NULL;
}

const char *
record_producer_name(uint64_t producer)
{
	static const char *const names[] = {[PRODUCER_VAULT] = "vault",
	    [PRODUCER_GATEWAY] = "gateway",
	    [PRODUCER_ADMIN] = "admin",
	    [PRODUCER_AUDITD] = "auditd"};
	return producer >= 1 && producer < ARRAY_LEN(names) ? names[producer] : "unknown";
}

const char *
record_result_name(uint64_t result)
{
	static const char *const names[] = {"ok", "denied", "failed"};
	return result < ARRAY_LEN(names) ? names[result] : "unknown";
}
