// SPDX-License-Identifier: Apache-2.0
// Bounded text building. Pure.
#include "vaultd/text.h"

#include <string.h>

void
text_init(struct text *t, void *buf, size_t cap)
{
	*t = (struct text){.p = buf, .cap = cap};
}

void
text_view(struct text *t, struct view v)
{
	if (t->failed || v.len > t->cap - t->len) {
		t->failed = true;
		return;
	}
	if (v.len != 0)
		memcpy(t->p + t->len, v.p, v.len);
	t->len += v.len;
}

void
text_str(struct text *t, const char *s)
{
	text_view(t, view_of(s));
}

void
text_char(struct text *t, char c)
{
	text_view(t, (struct view){.p = &c, .len = 1});
}

void
text_uint(struct text *t, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);
	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	text_view(t, (struct view){.p = digits + n, .len = sizeof(digits) - n});
}

void
text_hex(struct text *t, const uint8_t *p, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	for (size_t i = 0; i < len; i++) {
		text_char(t, hex[p[i] >> 4]);
		text_char(t, hex[p[i] & 15]);
	}
}

static bool
unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

void
text_encoded(struct text *t, struct view v, bool keep_slash)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = (uint8_t)v.p[i];
		if (unreserved(v.p[i]) || (keep_slash && c == '/')) {
			text_char(t, v.p[i]);
			continue;
		}
		text_char(t, '%');
		text_char(t, hex[c >> 4]);
		text_char(t, hex[c & 15]);
	}
}

struct view
text_done(const struct text *t)
{
	return (struct view){.p = t->p, .len = t->len};
}
