// SPDX-License-Identifier: Apache-2.0
// The state machine of the JSON scanner. Pure.
#include "gatewayd/json_scan.h"

#include <string.h>

enum state {
	S_VALUE,       // a value must come
	S_FIRST_VALUE, // behind '[': a value or ']'
	S_FIRST_KEY,   // behind '{': a key or '}'
	S_KEY,	       // behind ',' in an object
	S_COLON,
	S_AFTER, // behind a value: ',' or the end of the container
	S_DONE,
	S_STRING,
	S_ESCAPE,
	S_HEX,
	S_LITERAL,
	S_MINUS,
	S_ZERO,
	S_INT,
	S_DOT,
	S_FRACTION,
	S_E,
	S_E_SIGN,
	S_EXPONENT,
};

#define KEY_TOO_LONG 255U

void
json_scan_init(struct json_scan *s, json_member_fn *on_member, void *cookie)
{
	// The big arrays need no clearing: lengths say what is valid.
	s->on_member = on_member;
	s->cookie = cookie;
	s->arrays = s->lone_surrogate = s->long_number = false;
	s->state = S_VALUE;
	s->literal_at = 0;
	s->depth = 0;
	s->skip_from = 0;
	s->is_key = false;
	s->overflow = false;
	s->bad = false;
	s->hex_left = 0;
	s->hex = s->number_len = 0;
	s->surrogate = 0;
	s->token_len = 0;
}

static bool
top_is_object(const struct json_scan *s)
{
	return s->depth > 0 && (s->in_object[s->depth / 8] >> (s->depth % 8) & 1U) != 0;
}

// Whether the next scalar is a member to report.
static bool
reporting(const struct json_scan *s)
{
	return s->skip_from == 0 && top_is_object(s);
}

static void
token_put(struct json_scan *s, const char *p, size_t len)
{
	if (!reporting(s) || s->overflow)
		return;
	if (len > sizeof(s->token) - s->token_len) {
		s->overflow = true;
		return;
	}
	memcpy(s->token + s->token_len, p, len);
	s->token_len = (uint16_t)(s->token_len + len);
}

static void
token_start(struct json_scan *s)
{
	s->token_len = 0;
	s->overflow = false;
}

static void
report(struct json_scan *s, enum json_kind kind)
{
	if (!reporting(s) || s->on_member == NULL)
		return;
	struct json_member m = {.level = s->depth};
	for (size_t i = 0; i < s->depth; i++) {
		if (s->key_len[i] == KEY_TOO_LONG)
			return;
		m.path[i] = (struct view){.p = s->key[i], .len = s->key_len[i]};
	}
	m.kind = s->overflow ? SCAN_TOO_LONG : kind;
	m.value = (struct view){.p = s->token, .len = s->overflow ? 0 : s->token_len};
	s->on_member(s->cookie, &m);
}

static void
value_done(struct json_scan *s)
{
	s->state = s->depth == 0 ? S_DONE : S_AFTER;
}

static void
string_done(struct json_scan *s)
{
	if (!s->is_key) {
		report(s, SCAN_STRING);
		value_done(s);
		return;
	}
	s->is_key = false;
	s->state = S_COLON;
	if (!reporting(s))
		return;
	size_t level = s->depth - 1U;
	bool fits = !s->overflow && s->token_len <= JSON_SCAN_KEY_MAX;
	s->key_len[level] = fits ? (uint8_t)s->token_len : (uint8_t)KEY_TOO_LONG;
	if (fits)
		memcpy(s->key[level], s->token, s->token_len);
}

static bool
push(struct json_scan *s, bool object)
{
	if (s->depth >= JSON_SCAN_DEPTH_MAX - 1)
		return false;
	s->depth++;
	uint8_t bit = (uint8_t)(1U << (s->depth % 8));
	uint8_t *byte = &s->in_object[s->depth / 8];
	*byte = (uint8_t)(object ? *byte | bit : *byte & ~bit);
	bool enter = object || (s->arrays && s->depth > 2);
	if (s->skip_from == 0 && (!enter || s->depth > JSON_SCAN_LEVELS))
		s->skip_from = s->depth;
	if (s->skip_from == 0 && !object)
		s->key_len[s->depth - 1U] = 0;
	s->state = object ? S_FIRST_KEY : S_FIRST_VALUE;
	return true;
}

static void
pop(struct json_scan *s)
{
	if (s->skip_from == s->depth)
		s->skip_from = 0;
	s->depth--;
	value_done(s);
}

static bool
literal_start(struct json_scan *s, const char *literal)
{
	s->literal = literal;
	s->literal_at = 1;
	s->state = S_LITERAL;
	return true;
}

static bool
value_start(struct json_scan *s, char c)
{
	token_start(s);
	switch (c) {
	case '{':
		return push(s, true);
	case '[':
		return push(s, false);
	case '"':
		s->state = S_STRING;
		return true;
	case 't':
		return literal_start(s, "true");
	case 'f':
		return literal_start(s, "false");
	case 'n':
		return literal_start(s, "null");
	case '-':
		s->state = S_MINUS;
		break;
	case '0':
		s->state = S_ZERO;
		break;
	default:
		if (c < '1' || c > '9')
			return false;
		s->state = S_INT;
	}
	s->number_len = 1;
	token_put(s, &c, 1);
	return true;
}

static bool
key_start(struct json_scan *s, char c)
{
	if (c != '"')
		return false;
	token_start(s);
	s->is_key = true;
	s->state = S_STRING;
	return true;
}

// --- strings -------------------------------------------------------------------

static void
put_utf8(struct json_scan *s, uint32_t c)
{
	char b[4];
	size_t n;
	if (c < 0x80) {
		b[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		b[0] = (char)(0xc0 | c >> 6);
		b[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		b[0] = (char)(0xe0 | c >> 12);
		b[1] = (char)(0x80 | (c >> 6 & 0x3f));
		b[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		b[0] = (char)(0xf0 | c >> 18);
		b[1] = (char)(0x80 | (c >> 12 & 0x3f));
		b[2] = (char)(0x80 | (c >> 6 & 0x3f));
		b[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	token_put(s, b, n);
}

// A lone surrogate is legal JSON text but no character: U+FFFD stands for it.
static void
surrogate_flush(struct json_scan *s)
{
	if (s->surrogate != 0) {
		s->lone_surrogate = true;
		put_utf8(s, 0xfffd);
	}
	s->surrogate = 0;
}

static bool
escape(struct json_scan *s, char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	if (c == 'u') {
		s->hex_left = 4;
		s->hex = 0;
		s->state = S_HEX;
		return true;
	}
	const char *at = c == '\0' ? NULL : strchr(from, c);
	if (at == NULL)
		return false;
	surrogate_flush(s);
	token_put(s, to + (at - from), 1);
	s->state = S_STRING;
	return true;
}

static bool
hex_digit(struct json_scan *s, char c)
{
	uint32_t v;
	if (c >= '0' && c <= '9')
		v = (uint32_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		v = (uint32_t)(c - 'a' + 10);
	else if (c >= 'A' && c <= 'F')
		v = (uint32_t)(c - 'A' + 10);
	else
		return false;
	s->hex = s->hex << 4 | v;
	if (--s->hex_left != 0)
		return true;
	s->state = S_STRING;
	if (s->surrogate != 0 && s->hex >= 0xdc00 && s->hex <= 0xdfff) {
		put_utf8(s, 0x10000 + ((s->surrogate - 0xd800) << 10) + (s->hex - 0xdc00));
		s->surrogate = 0;
		return true;
	}
	surrogate_flush(s);
	bool low = s->hex >= 0xdc00 && s->hex <= 0xdfff;
	s->lone_surrogate |= low;
	if (s->hex >= 0xd800 && s->hex <= 0xdbff)
		s->surrogate = s->hex;
	else
		put_utf8(s, low ? 0xfffd : s->hex);
	return true;
}

// Bytes of a string up to a quote, a backslash or the end of the input.
static const char *
string_run(struct json_scan *s, const char *p, const char *end)
{
	const char *from = p;
	p += mp_plain_run(p, (size_t)(end - p));
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) {
		p++;
		p += mp_plain_run(p, (size_t)(end - p));
	}
	if (p > from) {
		surrogate_flush(s);
		token_put(s, from, (size_t)(p - from));
	}
	if (p == end)
		return p;
	if (*p == '\\') {
		s->state = S_ESCAPE;
	} else if (*p == '"') {
		surrogate_flush(s);
		string_done(s);
	} else {
		s->bad = true;
	}
	return p + 1;
}

// --- numbers -------------------------------------------------------------------

static bool
number_may_end(const struct json_scan *s)
{
	return s->state == S_ZERO || s->state == S_INT || s->state == S_FRACTION ||
	       s->state == S_EXPONENT;
}

// Next state for one character of a number, 0 (S_VALUE) when it does not belong.
static uint8_t
number_step(uint8_t state, char c)
{
	bool digit = c >= '0' && c <= '9';
	bool e = c == 'e' || c == 'E';
	switch (state) {
	case S_MINUS:
		return c == '0' ? S_ZERO : digit ? S_INT : S_VALUE;
	case S_ZERO:
		return c == '.' ? S_DOT : e ? S_E : S_VALUE;
	case S_INT:
		return digit ? S_INT : c == '.' ? S_DOT : e ? S_E : S_VALUE;
	case S_DOT:
		return digit ? S_FRACTION : S_VALUE;
	case S_FRACTION:
		return digit ? S_FRACTION : e ? S_E : S_VALUE;
	case S_E:
		return digit ? S_EXPONENT : c == '+' || c == '-' ? S_E_SIGN : S_VALUE;
	default: // S_E_SIGN, S_EXPONENT
		return digit ? S_EXPONENT : S_VALUE;
	}
}

// Returns true when c was part of the number; else the number ended before c.
static bool
number_char(struct json_scan *s, char c)
{
	uint8_t next = number_step(s->state, c);
	if (next != S_VALUE) {
		s->state = next;
		s->number_len += s->number_len <= JSON_SCAN_NUMBER_MAX;
		s->long_number |= s->number_len > JSON_SCAN_NUMBER_MAX;
		token_put(s, &c, 1);
		return true;
	}
	if (!number_may_end(s)) {
		s->bad = true;
		return true;
	}
	report(s, SCAN_NUMBER);
	value_done(s);
	return false;
}

// --- structure -----------------------------------------------------------------

static bool
literal_char(struct json_scan *s, char c)
{
	if (c != s->literal[s->literal_at])
		return false;
	if (s->literal[++s->literal_at] != '\0')
		return true;
	report(s, s->literal[0] == 't' ? SCAN_TRUE : s->literal[0] == 'f' ? SCAN_FALSE : SCAN_NULL);
	value_done(s);
	return true;
}

static bool
after_value(struct json_scan *s, char c)
{
	bool object = top_is_object(s);
	if (c == ',') {
		s->state = object ? S_KEY : S_VALUE;
		return true;
	}
	if (c != (object ? '}' : ']'))
		return false;
	pop(s);
	return true;
}

static bool
structure_char(struct json_scan *s, char c)
{
	if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		return true;
	switch (s->state) {
	case S_FIRST_VALUE:
		if (c == ']') {
			pop(s);
			return true;
		}
		return value_start(s, c);
	case S_VALUE:
		return value_start(s, c);
	case S_FIRST_KEY:
		if (c == '}') {
			pop(s);
			return true;
		}
		return key_start(s, c);
	case S_KEY:
		return key_start(s, c);
	case S_COLON:
		s->state = S_VALUE;
		return c == ':';
	case S_AFTER:
		return after_value(s, c);
	default: // S_DONE
		return false;
	}
}

enum json_result
json_scan_feed(struct json_scan *s, const char *p, size_t len)
{
	const char *end = p + len;
	while (p < end && !s->bad) {
		if (s->state == S_STRING) {
			p = string_run(s, p, end);
			continue;
		}
		if (s->state >= S_MINUS && !number_char(s, *p))
			continue; // the number ended; look at the character again
		bool ok = true;
		if (s->state == S_ESCAPE)
			ok = escape(s, *p);
		else if (s->state == S_HEX)
			ok = hex_digit(s, *p);
		else if (s->state == S_LITERAL)
			ok = literal_char(s, *p);
		else if (s->state < S_STRING)
			ok = structure_char(s, *p);
		s->bad = s->bad || !ok;
		p++;
	}
	return s->bad ? SCAN_BAD : s->state == S_DONE ? SCAN_DONE : SCAN_MORE;
}

enum json_result
json_scan_end(struct json_scan *s)
{
	if (!s->bad && s->state >= S_MINUS && number_may_end(s))
		value_done(s);
	return !s->bad && s->state == S_DONE ? SCAN_DONE : SCAN_BAD;
}

uint64_t
json_member_u64(const struct json_member *m)
{
	uint64_t v = 0;
	if (m->kind != SCAN_NUMBER || m->value.len > 18)
		return 0;
	for (size_t i = 0; i < m->value.len; i++) {
		char c = m->value.p[i];
		if (c < '0' || c > '9')
			return 0;
		v = v * 10 + (uint64_t)(c - '0');
	}
	return v;
}

bool
json_member_is(const struct json_member *m, const char *a, const char *b, const char *c)
{
	const char *want[JSON_SCAN_LEVELS] = {a, b, c};
	for (size_t i = 0; i < JSON_SCAN_LEVELS; i++) {
		if (i >= m->level)
			return want[i] == NULL;
		if (want[i] == NULL || !view_eq_str(m->path[i], want[i]))
			return false;
	}
	return true;
}
