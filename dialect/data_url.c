// SPDX-License-Identifier: Apache-2.0
// Data URLs and base64 in the forms that clients write. Pure; heap only.
#include "dialect/data_url.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static struct view
trim(struct view v)
{
	while (v.len != 0 && is_space(v.p[0]))
		v = (struct view){v.p + 1, v.len - 1};
	while (v.len != 0 && is_space(v.p[v.len - 1]))
		v.len--;
	return v;
}

static bool
same_word(struct view v, const char *word)
{
	return v.len == strlen(word) && strncasecmp(v.p, word, v.len) == 0;
}

static int
hex(char c)
{
	return c >= '0' && c <= '9'			? c - '0'
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
							: -1;
}

// The byte at *i, %-escapes decoded; moves *i.
static char
next_byte(struct view v, size_t *i)
{
	char c = v.p[(*i)++];
	if (c != '%' || v.len - *i < 2 || hex(v.p[*i]) < 0 || hex(v.p[*i + 1]) < 0)
		return c;
	c = (char)(hex(v.p[*i]) << 4 | hex(v.p[*i + 1]));
	*i += 2;
	return c;
}

static bool
in_alphabet(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/';
}

static bool
in_form(struct view v)
{
	size_t n = v.len;
	if (n == 0 || n % 4 != 0)
		return false;
	for (int i = 0; i < 2 && v.p[n - 1] == '='; i++)
		n--;
	for (size_t i = 0; i < n; i++)
		if (!in_alphabet(v.p[i]))
			return false;
	return true;
}

bool
data_url_base64(struct view in, struct view *data_r, struct buf *text)
{
	*data_r = in;
	if (in_form(in))
		return true;
	char *to = in.len == 0 ? NULL : buf_reserve(text, in.len + 3);
	size_t n = 0;
	bool padding = false;
	if (to == NULL)
		return false;
	for (size_t i = 0; i < in.len;) {
		char c = next_byte(in, &i);
		if (is_space(c))
			continue;
		c = c == '-' ? '+' : c == '_' ? '/' : c;
		if (c == '=') {
			padding = true;
			continue;
		}
		if (padding || !in_alphabet(c))
			return false;
		to[n++] = c;
	}
	if (n == 0 || n % 4 == 1)
		return false;
	while (n % 4 != 0)
		to[n++] = '=';
	text->len += n;
	*data_r = (struct view){to, n};
	return true;
}

// Data that is written as text with %-escapes.
static bool
from_text(struct view in, struct view *data_r, struct buf *text)
{
	struct buf bytes;
	buf_init(&bytes, text->max);
	for (size_t i = 0; i < in.len;)
		buf_char(&bytes, next_byte(in, &i));
	size_t need = sodium_base64_ENCODED_LEN(bytes.len, sodium_base64_VARIANT_ORIGINAL);
	char *to = bytes.len == 0 ? NULL : buf_reserve(text, need);
	if (to != NULL) {
		(void)sodium_bin2base64(to, need, (const unsigned char *)bytes.p, bytes.len,
		    sodium_base64_VARIANT_ORIGINAL);
		text->len += need - 1;
		*data_r = (struct view){to, need - 1};
	}
	buf_free(&bytes);
	return to != NULL;
}

bool
data_url_is(struct view url)
{
	url = trim(url);
	return url.len >= 5 && strncasecmp(url.p, "data:", 5) == 0;
}

bool
data_url_parse(struct view url, struct data_url *u, struct buf *text)
{
	url = trim(url);
	*u = (struct data_url){.mime = "text/plain"};
	const char *comma = url.len == 0 ? NULL : memchr(url.p, ',', url.len);
	if (!data_url_is(url) || comma == NULL)
		return false;
	struct view head = {url.p + 5, (size_t)(comma - url.p) - 5};
	struct view data = {comma + 1, url.len - (size_t)(comma + 1 - url.p)};
	bool base64 = false, first = true;
	while (head.len != 0 || first) {
		const char *end = head.len == 0 ? NULL : memchr(head.p, ';', head.len);
		size_t n = end == NULL ? head.len : (size_t)(end - head.p);
		struct view word = trim((struct view){head.p, n});
		if (first && word.len != 0) {
			if (view_copy(word, u->mime, sizeof(u->mime)) != 0)
				return false;
			for (char *c = u->mime; *c != '\0'; c++)
				*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
		} else if (!first && same_word(word, "base64")) {
			base64 = true;
		}
		first = false;
		n = MIN(n + 1, head.len);
		head = (struct view){head.p + n, head.len - n};
	}
	return base64 ? data_url_base64(data, &u->data, text) : from_text(data, &u->data, text);
}

const char *
data_url_sniff(struct view base64)
{
	unsigned char b[12];
	size_t n = 0, use = MIN(base64.len, (size_t)16);
	if (sodium_base642bin(
		b, sizeof(b), base64.p, use, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return NULL;
	if (n >= 8 && memcmp(b, "\x89PNG\r\n\x1a\n", 8) == 0)
		return "image/png";
	if (n >= 3 && memcmp(b, "\xff\xd8\xff", 3) == 0)
		return "image/jpeg";
	if (n >= 6 && (memcmp(b, "GIF87a", 6) == 0 || memcmp(b, "GIF89a", 6) == 0))
		return "image/gif";
	if (n >= 12 && memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "WEBP", 4) == 0)
		return "image/webp";
	if (n >= 5 && memcmp(b, "%PDF-", 5) == 0)
		return "application/pdf";
	return NULL;
}
