// SPDX-License-Identifier: Apache-2.0
// The strict msgpack subset that everything of ours speaks (messages and audit
// records): arrays, unsigned integers, booleans, nil, UTF-8 strings, byte
// strings; shortest form only; no maps, no signed integers, floats or ext.
//
// Writing goes through msgpack-c. Reading does not: msgpack-c accepts every
// longer-than-needed form and allocates by counts that the peer chose, and a
// canonical format needs exactly one encoding per meaning.
#ifndef COMMON_MP_H
#define COMMON_MP_H

#include "common/base.h"

// Borrowed bytes; never NUL-terminated, never owned.
struct view {
	const char *p;
	size_t len;
};

#define VIEW(literal) ((struct view){.p = (literal), .len = sizeof(literal) - 1})

struct view view_of(const char *cstr);	    // NULL gives an empty view
bool view_eq(struct view a, struct view b); // same bytes
bool view_eq_str(struct view a, const char *b);
// NUL-terminated copy into dst[size]; returns -1 if it does not fit or holds a NUL.
int view_copy(struct view v, char *dst, size_t size) MUST_CHECK;

// Writer into a fixed buffer. After any overflow `failed` stays set.
struct mp_out {
	uint8_t *buf;
	size_t cap;
	size_t len;
	bool failed;
};

void mp_out_init(struct mp_out *o, uint8_t *buf, size_t cap);
void mp_put_array(struct mp_out *o, size_t n);
void mp_put_uint(struct mp_out *o, uint64_t v);
void mp_put_bool(struct mp_out *o, bool v);
void mp_put_nil(struct mp_out *o);
void mp_put_str(struct mp_out *o, struct view v);
void mp_put_bin(struct mp_out *o, struct view v);

// Reader. Each getter returns 0, or -1 on wrong type, non-canonical form, a
// limit exceeded or short input; then `failed` stays set and all later getters
// return -1, so a caller may check once at the end with mp_in_done().
struct mp_in {
	const uint8_t *p;
	size_t len; // bytes left
	bool failed;
};

void mp_in_init(struct mp_in *in, const uint8_t *buf, size_t len);
int mp_get_array(struct mp_in *in, size_t max, size_t *n_r);
int mp_get_uint(struct mp_in *in, uint64_t max, uint64_t *v_r);
int mp_get_bool(struct mp_in *in, bool *v_r);
int mp_get_str(struct mp_in *in, size_t max, struct view *v_r); // valid UTF-8 only
int mp_get_bin(struct mp_in *in, size_t max, struct view *v_r);
bool mp_next_is_nil(struct mp_in *in); // consumes a nil if one is next

// True when everything was consumed and nothing failed.
bool mp_in_done(const struct mp_in *in) MUST_CHECK;

// RFC 3629 check: no surrogates, no overlong forms, at most U+10FFFF.
bool mp_utf8_valid(const char *p, size_t len);
// How much of valid UTF-8 fits into max bytes without half a character at the end.
size_t mp_utf8_cut(struct view text, size_t max);
// How many bytes at p are ASCII characters that mean nothing in a JSON string: no quote, no
// backslash, no control character. Looks at eight at a time and may stop before the end of
// the run, so the caller goes on byte by byte from there.
size_t mp_plain_run(const char *p, size_t len);

#endif
