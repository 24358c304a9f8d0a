// SPDX-License-Identifier: Apache-2.0
// The cursor over checked JSON text, and the writer. The checker is jv_check.c. Pure.
#include "common/jv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// --- walking -----------------------------------------------------------------------

static size_t
skip_space(struct view t, size_t i)
{
	while (i < t.len && is_space(t.p[i]))
		i++;
	return i;
}

// i: at the opening quote. Returns the place behind the closing one.
static size_t
skip_string(struct view t, size_t i)
{
	const char *from = t.p + i + 1, *end = t.p + t.len;
	while (from < end) {
		const char *quote = memchr(from, '"', (size_t)(end - from));
		if (quote == NULL)
			break;
		// Escaped if an odd number of backslashes stands before it.
		const char *before = quote;
		while (before > from && before[-1] == '\\')
			before--;
		if ((quote - before) % 2 == 0)
			return (size_t)(quote + 1 - t.p);
		from = quote + 1;
	}
	return t.len;
}

static size_t
skip_value(struct view t, size_t i)
{
	size_t depth = 0;
	while (i < t.len) {
		char c = t.p[i];
		if (c == '"') {
			i = skip_string(t, i);
		} else if (c == '{' || c == '[') {
			depth++;
			i++;
			continue;
		} else if (c == '}' || c == ']') {
			depth--;
			i++;
		} else if (depth != 0 && (c == ',' || c == ':' || is_space(c))) {
			i++;
			continue;
		} else {
			while (i < t.len && t.p[i] != ',' && t.p[i] != ']' && t.p[i] != '}' &&
			       !is_space(t.p[i]))
				i++;
		}
		if (depth == 0)
			return i;
	}
	return t.len;
}

struct jv
jv_root(struct view text)
{
	size_t start = skip_space(text, 0);
	size_t end = skip_value(text, start);
	return (struct jv){{text.p + start, end - start}};
}

enum jv_type
jv_type(struct jv v)
{
	if (v.text.p == NULL || v.text.len == 0)
		return JV_NONE;
	switch (v.text.p[0]) {
	case 'n':
		return JV_NULL;
	case 'f':
		return JV_FALSE;
	case 't':
		return JV_TRUE;
	case '"':
		return JV_STRING;
	case '[':
		return JV_ARRAY;
	case '{':
		return JV_OBJECT;
	default:
		return JV_NUMBER_T;
	}
}

bool
jv_is(struct jv v, enum jv_type t)
{
	return jv_type(v) == t;
}

bool
jv_truth(struct jv v)
{
	return jv_is(v, JV_TRUE);
}

// To the next item behind '[', '{' or ','; false at the closing bracket.
static bool
next_item(struct view t, size_t *at)
{
	size_t i = skip_space(t, *at == 0 ? 1 : *at);
	if (*at != 0 && i < t.len && t.p[i] == ',')
		i = skip_space(t, i + 1);
	*at = i;
	return i < t.len && t.p[i] != ']' && t.p[i] != '}';
}

bool
jv_each(struct jv array, struct jv_iter *it, struct jv *elem_r)
{
	if (!jv_is(array, JV_ARRAY) || !next_item(array.text, &it->at))
		return false;
	size_t end = skip_value(array.text, it->at);
	*elem_r = (struct jv){{array.text.p + it->at, end - it->at}};
	it->at = end;
	return true;
}

bool
jv_member(struct jv object, struct jv_iter *it, struct view *name_r, struct jv *value_r)
{
	if (!jv_is(object, JV_OBJECT) || !next_item(object.text, &it->at))
		return false;
	struct view t = object.text;
	size_t name_end = skip_string(t, it->at);
	*name_r = (struct view){t.p + it->at + 1, name_end - it->at - 2};
	size_t i = skip_space(t, name_end);
	i = skip_space(t, i + 1); // behind the colon
	size_t end = skip_value(t, i);
	*value_r = (struct jv){{t.p + i, end - i}};
	it->at = end;
	return true;
}

struct jv
jv_get(struct jv v, const char *name)
{
	struct jv found = {0}, value;
	struct jv_iter it = {0};
	struct view key;
	while (jv_member(v, &it, &key, &value))
		if (jv_name_eq(key, name))
			found = value;
	return found;
}

struct jv
jv_get2(struct jv v, const char *a, const char *b)
{
	return jv_get(jv_get(v, a), b);
}

size_t
jv_count(struct jv v)
{
	struct jv_iter it = {0};
	struct jv e;
	struct view name;
	size_t n = 0;
	if (jv_is(v, JV_OBJECT))
		while (jv_member(v, &it, &name, &e))
			n++;
	else
		while (jv_each(v, &it, &e))
			n++;
	return n;
}

// --- strings -----------------------------------------------------------------------

static unsigned
hex4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)p[i];
		v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

static size_t
put_utf8(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)((0xf00U >> n & 0xf0U) | c);
	return n;
}

// Decodes one character of an escaped text at *i into out[4]; returns its bytes.
static size_t
next_char(struct view t, size_t *i, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = t.p[(*i)++];
	if (c != '\\' || *i >= t.len) {
		out[0] = c;
		return 1;
	}
	c = t.p[(*i)++];
	const char *at = c == 'u' ? NULL : strchr(from, c);
	if (at != NULL) {
		out[0] = to[at - from];
		return 1;
	}
	if (t.len - *i < 4)
		return 0;
	uint32_t u = hex4(t.p + *i);
	*i += 4;
	if (u >= 0xd800 && u < 0xdc00 && t.len - *i >= 6) {
		u = 0x10000 + ((u - 0xd800) << 10) + (hex4(t.p + *i + 2) - 0xdc00);
		*i += 6;
	}
	return put_utf8(u, out);
}

bool
jv_name_eq(struct view name, const char *s)
{
	size_t len = strlen(s), at = 0;
	if (memchr(name.p, '\\', name.len) == NULL)
		return name.len == len && memcmp(name.p, s, len) == 0;
	for (size_t i = 0; i < name.len;) {
		char c[4];
		size_t n = next_char(name, &i, c);
		if (n > len - at || memcmp(s + at, c, n) != 0)
			return false;
		at += n;
	}
	return at == len;
}

static struct view
inside(struct jv string)
{
	if (!jv_is(string, JV_STRING))
		return (struct view){0};
	return (struct view){string.text.p + 1, string.text.len - 2};
}

bool
jv_eq(struct jv string, const char *s)
{
	return jv_is(string, JV_STRING) && jv_name_eq(inside(string), s);
}

bool
jv_blank(struct jv string)
{
	struct view t = inside(string);
	for (size_t i = 0; i < t.len;) {
		char c[4];
		size_t n = next_char(t, &i, c);
		if (n != 1 || (!is_space(c[0]) && c[0] != '\f' && c[0] != '\v'))
			return false;
	}
	return jv_is(string, JV_STRING);
}

void
jv_decode(struct jv string, struct buf *out)
{
	struct view t = inside(string);
	for (size_t i = 0; i < t.len;) {
		const char *esc = memchr(t.p + i, '\\', t.len - i);
		size_t plain = esc == NULL ? t.len - i : (size_t)(esc - (t.p + i));
		buf_view(out, (struct view){t.p + i, plain});
		i += plain;
		if (i < t.len) {
			char c[4];
			size_t n = next_char(t, &i, c);
			buf_view(out, (struct view){c, n});
		}
	}
}

int
jv_copy(struct jv string, char *dst, size_t size)
{
	struct view t = inside(string);
	size_t at = 0;
	BUG_IF(size == 0);
	if (!jv_is(string, JV_STRING))
		return -1;
	for (size_t i = 0; i < t.len;) {
		char c[4];
		size_t n = next_char(t, &i, c);
		if (n >= size - at || c[0] == '\0')
			return -1;
		memcpy(dst + at, c, n);
		at += n;
	}
	dst[at] = '\0';
	return 0;
}

// --- numbers -----------------------------------------------------------------------

uint64_t
jv_u64(struct jv v, uint64_t fallback)
{
	uint64_t n = 0;
	if (!jv_is(v, JV_NUMBER_T))
		return fallback;
	for (size_t i = 0; i < v.text.len; i++) {
		unsigned d = (unsigned)(unsigned char)v.text.p[i] - '0';
		if (d > 9 || n > (UINT64_MAX - d) / 10)
			return fallback;
		n = n * 10 + d;
	}
	return n;
}

double
jv_double(struct jv v, double fallback)
{
	char s[64];
	if (!jv_is(v, JV_NUMBER_T) || view_copy(v.text, s, sizeof(s)) != 0)
		return fallback;
	return strtod(s, NULL);
}

// --- writing -----------------------------------------------------------------------

// Length of the valid UTF-8 sequence at p, 0 if there is none.
static size_t
utf8_len(const char *p, size_t left)
{
	unsigned char c = (unsigned char)*p;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	return n <= left && mp_utf8_valid(p, n) ? n : 0;
}

void
jv_put_escaped(struct buf *b, struct view t)
{
	size_t from = 0;
	for (size_t i = mp_plain_run(t.p, t.len); i < t.len;
	     i += mp_plain_run(t.p + i, t.len - i)) {
		unsigned char c = (unsigned char)t.p[i];
		size_t n = c < 0x80 ? 1 : utf8_len(t.p + i, t.len - i);
		if (n != 0 && c >= 0x20 && c != '"' && c != '\\') {
			i += n;
			continue;
		}
		buf_view(b, (struct view){t.p + from, i - from});
		if (c == '"' || c == '\\') {
			buf_char(b, '\\');
			buf_char(b, (char)c);
		} else if (c == '\n') {
			buf_str(b, "\\n");
		} else if (c < 0x20) {
			buf_fmt(b, "\\u%04x", c);
		} else {
			buf_str(b, "\xef\xbf\xbd");
		}
		from = ++i;
	}
	if (from < t.len)
		buf_view(b, (struct view){t.p + from, t.len - from});
}

void
jv_put_string(struct buf *b, struct view text)
{
	buf_char(b, '"');
	jv_put_escaped(b, text);
	buf_char(b, '"');
}

void
jv_put_raw(struct buf *b, struct jv v)
{
	if (jv_is(v, JV_NONE))
		buf_str(b, "null");
	else
		buf_view(b, v.text);
}

void
jv_put_comma(struct buf *b)
{
	if (b->len != 0 && b->p[b->len - 1] != '{' && b->p[b->len - 1] != '[')
		buf_char(b, ',');
}

void
jv_put_name(struct buf *b, const char *name)
{
	jv_put_comma(b);
	buf_char(b, '"');
	buf_str(b, name);
	buf_str(b, "\":");
}

void
jv_put_member_text(struct buf *b, const char *name, struct view text)
{
	jv_put_name(b, name);
	jv_put_string(b, text);
}

void
jv_put_member_uint(struct buf *b, const char *name, uint64_t v)
{
	jv_put_name(b, name);
	buf_uint(b, v);
}

void
jv_put_member_raw(struct buf *b, const char *name, struct jv v)
{
	if (jv_is(v, JV_NONE))
		return;
	jv_put_name(b, name);
	jv_put_raw(b, v);
}
