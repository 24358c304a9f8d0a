// SPDX-License-Identifier: Apache-2.0
// Strict msgpack reader, and the writer on top of msgpack-c. Pure functions over
// the caller's buffers; no allocation.
// Format source: msgpack spec, https://github.com/msgpack/msgpack/blob/master/spec.md
#include "common/mp.h"

#include <msgpack/pack.h>
#include <string.h>

struct view
view_of(const char *cstr)
{
	return (struct view){.p = cstr, .len = cstr == NULL ? 0 : strlen(cstr)};
}

bool
view_eq(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
view_eq_str(struct view a, const char *b)
{
	return view_eq(a, view_of(b));
}

int
view_copy(struct view v, char *dst, size_t size)
{
	if (v.len >= size || (v.len != 0 && memchr(v.p, '\0', v.len) != NULL))
		return -1;
	if (v.len != 0)
		memcpy(dst, v.p, v.len);
	dst[v.len] = '\0';
	return 0;
}

// --- writing ---------------------------------------------------------------

static int
append(void *data, const char *p, size_t n)
{
	struct mp_out *o = data;
	if (o->failed || n > o->cap - o->len) {
		o->failed = true;
		return -1;
	}
	if (n != 0)
		memcpy(o->buf + o->len, p, n);
	o->len += n;
	return 0;
}

// msgpack-c reports what append() reported, and append() remembers it.
#define PACK(o, call, ...)                                                                         \
	do {                                                                                       \
		msgpack_packer pk;                                                                 \
		msgpack_packer_init(&pk, (o), append);                                             \
		if (call(&pk __VA_OPT__(, ) __VA_ARGS__) != 0)                                     \
			(o)->failed = true;                                                        \
	} while (0)

void
mp_out_init(struct mp_out *o, uint8_t *buf, size_t cap)
{
	*o = (struct mp_out){.buf = buf, .cap = cap};
}

void
mp_put_array(struct mp_out *o, size_t n)
{
	PACK(o, msgpack_pack_array, n);
}

void
mp_put_uint(struct mp_out *o, uint64_t v)
{
	PACK(o, msgpack_pack_uint64, v);
}

void
mp_put_bool(struct mp_out *o, bool v)
{
	if (v)
		PACK(o, msgpack_pack_true);
	else
		PACK(o, msgpack_pack_false);
}

void
mp_put_nil(struct mp_out *o)
{
	PACK(o, msgpack_pack_nil);
}

void
mp_put_str(struct mp_out *o, struct view v)
{
	PACK(o, msgpack_pack_str, v.len);
	append(o, v.p, v.len);
}

void
mp_put_bin(struct mp_out *o, struct view v)
{
	PACK(o, msgpack_pack_bin, v.len);
	append(o, v.p, v.len);
}

// --- reading ---------------------------------------------------------------

void
mp_in_init(struct mp_in *in, const uint8_t *buf, size_t len)
{
	*in = (struct mp_in){.p = buf, .len = len};
}

static int
fail(struct mp_in *in)
{
	in->failed = true;
	return -1;
}

static int
take(struct mp_in *in, size_t n, const uint8_t **p_r)
{
	if (in->failed || n > in->len)
		return fail(in);
	*p_r = in->p;
	in->p += n;
	in->len -= n;
	return 0;
}

// Reads an n-byte big-endian number that must not fit in a shorter form.
static int
take_be(struct mp_in *in, size_t n, uint64_t floor, uint64_t *v_r)
{
	const uint8_t *p;
	if (take(in, n, &p) != 0)
		return -1;
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	if (v < floor)
		return fail(in);
	*v_r = v;
	return 0;
}

int
mp_get_uint(struct mp_in *in, uint64_t max, uint64_t *v_r)
{
	const uint8_t *p;
	uint64_t v;
	if (take(in, 1, &p) != 0)
		return -1;
	int r = 0;
	switch (*p) {
	case 0xcc:
		r = take_be(in, 1, 0x80, &v);
		break;
	case 0xcd:
		r = take_be(in, 2, 0x100, &v);
		break;
	case 0xce:
		r = take_be(in, 4, 0x10000, &v);
		break;
	case 0xcf:
		r = take_be(in, 8, 0x100000000, &v);
		break;
	default:
		if (*p > 0x7f)
			return fail(in);
		v = *p;
	}
	if (r != 0 || v > max)
		return fail(in);
	*v_r = v;
	return 0;
}

int
mp_get_bool(struct mp_in *in, bool *v_r)
{
	const uint8_t *p;
	if (take(in, 1, &p) != 0)
		return -1;
	if (*p != 0xc2 && *p != 0xc3)
		return fail(in);
	*v_r = *p == 0xc3;
	return 0;
}

bool
mp_next_is_nil(struct mp_in *in)
{
	if (in->failed || in->len == 0 || *in->p != 0xc0)
		return false;
	in->p++;
	in->len--;
	return true;
}

int
mp_get_array(struct mp_in *in, size_t max, size_t *n_r)
{
	const uint8_t *p;
	uint64_t n;
	if (take(in, 1, &p) != 0)
		return -1;
	if ((*p & 0xf0) == 0x90)
		n = *p & 0x0f;
	else if (*p != 0xdc || take_be(in, 2, 16, &n) != 0)
		return fail(in);
	if (n > max)
		return fail(in);
	*n_r = (size_t)n;
	return 0;
}

static int
take_view(struct mp_in *in, uint64_t n, size_t max, struct view *v_r)
{
	const uint8_t *p;
	if (n > max || take(in, (size_t)n, &p) != 0)
		return fail(in);
	*v_r = (struct view){.p = (const char *)p, .len = (size_t)n};
	return 0;
}

int
mp_get_bin(struct mp_in *in, size_t max, struct view *v_r)
{
	const uint8_t *p;
	uint64_t n = 0;
	if (take(in, 1, &p) != 0)
		return -1;
	int r = -1;
	if (*p == 0xc4)
		r = take_be(in, 1, 0, &n);
	else if (*p == 0xc5)
		r = take_be(in, 2, 0x100, &n);
	else if (*p == 0xc6)
		r = take_be(in, 4, 0x10000, &n);
	return r != 0 ? fail(in) : take_view(in, n, max, v_r);
}

int
mp_get_str(struct mp_in *in, size_t max, struct view *v_r)
{
	const uint8_t *p;
	uint64_t n = 0;
	if (take(in, 1, &p) != 0)
		return -1;
	int r = -1;
	if ((*p & 0xe0) == 0xa0) {
		n = *p & 0x1f;
		r = 0;
	} else if (*p == 0xd9) {
		r = take_be(in, 1, 0x20, &n);
	} else if (*p == 0xda) {
		r = take_be(in, 2, 0x100, &n);
	} else if (*p == 0xdb) {
		r = take_be(in, 4, 0x10000, &n);
	}
	if (r != 0 || take_view(in, n, max, v_r) != 0)
		return fail(in);
	return mp_utf8_valid(v_r->p, v_r->len) ? 0 : fail(in);
}

bool
mp_in_done(const struct mp_in *in)
{
	return !in->failed && in->len == 0;
}

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

// Whether some byte of w is 0; some(w ^ EACH_BYTE(c)): is c.
static uint64_t
some_zero(uint64_t w)
{
	return (w - EACH_BYTE(1)) & ~w & EACH_BYTE(0x80);
}

size_t
mp_plain_run(const char *p, size_t len)
{
	size_t i = 0;
	for (uint64_t w; len - i >= sizeof(w); i += sizeof(w)) {
		memcpy(&w, p + i, sizeof(w));
		uint64_t control = (w - EACH_BYTE(0x20)) & ~w;
		uint64_t odd = ((w | control) & EACH_BYTE(0x80)) | some_zero(w ^ EACH_BYTE('"')) |
			       some_zero(w ^ EACH_BYTE('\\'));
		if (odd != 0)
			break;
	}
	return i;
}

bool
mp_utf8_valid(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	for (size_t i = 0; i < len;) {
		uint64_t w;
		if (len - i >= sizeof(w) &&
		    (memcpy(&w, p + i, sizeof(w)), (w & EACH_BYTE(0x80)) == 0)) {
			i += sizeof(w);
			continue;
		}
		uint8_t c = p[i];
		size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
		if (n == 1) {
			i++;
			continue;
		}
		if (c < 0xc2 || c > 0xf4 || n > len - i)
			return false;
		uint32_t cp = c & (0x7fU >> n);
		for (size_t k = 1; k < n; k++) {
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
			cp = cp << 6 | (p[i + k] & 0x3f);
		}
		if ((n == 3 && (cp < 0x800 || (cp >= 0xd800 && cp <= 0xdfff))) ||
		    (n == 4 && (cp < 0x10000 || cp > 0x10ffff)))
			return false;
		i += n;
	}
	return true;
}

size_t
mp_utf8_cut(struct view text, size_t max)
{
	if (text.len <= max)
		return text.len;
	while (max > 0 && ((unsigned char)text.p[max] & 0xc0) == 0x80)
		max--;
	return max;
}
