// SPDX-License-Identifier: Apache-2.0
// The validator of JSON text: RFC 8259 with bounds, and without what two readers could
// read differently. Iterative: nesting costs no stack. Pure but for a table of member
// names of the outer objects.
#include <stdlib.h>
#include <string.h>

#include "common/jv.h"

#define NUMBER_MAX	 1024U
#define DUPLICATE_LEVELS 2U

struct name {
	struct view text; // escaped, without quotes
	uint32_t object;  // number of its object, so that one table serves all
	uint32_t next;	  // in its bucket; 0 ends
};

// Names of outer objects, hashed: a body of many members must not cost their square.
struct names {
	struct name *list; // [0] is not used
	uint32_t count, cap;
	uint32_t *bucket;
	uint32_t buckets;
};

struct check {
	struct view t;
	size_t at;
	enum jv_fault fault;
	size_t depth;
	uint32_t objects;
	uint32_t object[JV_DEPTH_MAX]; // number of the open object; 0: an array
	struct names names;
};

static bool
fail(struct check *c, enum jv_fault f)
{
	if (c->fault == JV_OK)
		c->fault = f;
	return false;
}

static void
space(struct check *c)
{
	while (
	    c->at < c->t.len && strchr(" \t\n\r", c->t.p[c->at]) != NULL && c->t.p[c->at] != '\0')
		c->at++;
}

static bool
is_hex(char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f') || (ch >= 'A' && ch <= 'F');
}

// Value of \uXXXX whose backslash is at c->at, or -1. Moves behind it.
static int
unicode_escape(struct check *c)
{
	int v = 0;
	if (c->t.len - c->at < 6 || c->t.p[c->at] != '\\' || c->t.p[c->at + 1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		char h = c->t.p[c->at + i];
		if (!is_hex(h))
			return -1;
		v = v << 4 | (h <= '9' ? h - '0' : (h | 0x20) - 'a' + 10);
	}
	c->at += 6;
	return v;
}

static bool
escape(struct check *c)
{
	if (c->t.len - c->at < 2)
		return fail(c, JV_SYNTAX);
	char e = c->t.p[c->at + 1];
	if (e != 'u') {
		if (e == '\0' || strchr("\"\\/bfnrt", e) == NULL)
			return fail(c, JV_SYNTAX);
		c->at += 2;
		return true;
	}
	int u = unicode_escape(c);
	if (u < 0)
		return fail(c, JV_SYNTAX);
	if (u >= 0xdc00 && u < 0xe000)
		return fail(c, JV_SURROGATE);
	if (u < 0xd800 || u >= 0xe000)
		return true;
	int low = unicode_escape(c);
	return low >= 0xdc00 && low < 0xe000 ? true : fail(c, JV_SURROGATE);
}

static bool
string(struct check *c, struct view *text_r)
{
	size_t start = ++c->at;
	bool ascii = true;
	for (;;) {
		c->at += mp_plain_run(c->t.p + c->at, c->t.len - c->at);
		if (c->at >= c->t.len || c->t.p[c->at] == '"')
			break;
		unsigned char ch = (unsigned char)c->t.p[c->at];
		if (ch < 0x20)
			return fail(c, JV_SYNTAX);
		if (ch == '\\') {
			if (!escape(c))
				return false;
			continue;
		}
		ascii = ascii && ch < 0x80;
		c->at++;
	}
	if (c->at >= c->t.len)
		return fail(c, JV_SYNTAX);
	*text_r = (struct view){c->t.p + start, c->at - start};
	c->at++;
	return ascii || mp_utf8_valid(text_r->p, text_r->len) ? true : fail(c, JV_UTF8);
}

static size_t
digits(struct check *c)
{
	size_t start = c->at;
	while (c->at < c->t.len && c->t.p[c->at] >= '0' && c->t.p[c->at] <= '9')
		c->at++;
	return c->at - start;
}

static bool
take(struct check *c, const char *any)
{
	if (c->at >= c->t.len || c->t.p[c->at] == '\0' || strchr(any, c->t.p[c->at]) == NULL)
		return false;
	c->at++;
	return true;
}

static bool
number(struct check *c)
{
	size_t start = c->at;
	(void)take(c, "-");
	bool zero = take(c, "0");
	if (!zero && digits(c) == 0)
		return fail(c, JV_SYNTAX);
	if (take(c, ".") && digits(c) == 0)
		return fail(c, JV_SYNTAX);
	if (take(c, "eE")) {
		(void)take(c, "+-");
		if (digits(c) == 0)
			return fail(c, JV_SYNTAX);
	}
	return c->at - start <= NUMBER_MAX ? true : fail(c, JV_NUMBER);
}

static bool
literal(struct check *c, const char *word)
{
	size_t n = strlen(word);
	if (c->t.len - c->at < n || memcmp(c->t.p + c->at, word, n) != 0)
		return fail(c, JV_SYNTAX);
	c->at += n;
	return true;
}

// --- duplicate names ----------------------------------------------------------------

static void
grow(struct names *n)
{
	n->cap = n->cap == 0 ? 64 : n->cap * 2;
	n->list = base_realloc(n->list, n->cap * sizeof(n->list[0]));
	n->buckets = n->cap * 2;
	n->bucket = base_realloc(n->bucket, n->buckets * sizeof(n->bucket[0]));
	memset(n->bucket, 0, n->buckets * sizeof(n->bucket[0]));
}

// FNV-1a over what the name means, escapes decoded. A flood of colliding names costs
// their square; the bound on members below keeps that small.
static uint32_t
hash_name(struct view decoded, uint32_t object)
{
	uint32_t h = 2166136261U ^ object * 16777619U;
	for (size_t i = 0; i < decoded.len; i++)
		h = (h ^ (unsigned char)decoded.p[i]) * 16777619U;
	return h;
}

static bool
same_name(struct view a, struct view b)
{
	if (view_eq(a, b))
		return true;
	if (memchr(a.p, '\\', a.len) == NULL && memchr(b.p, '\\', b.len) == NULL)
		return false;
	struct buf x, y;
	buf_init(&x, a.len + 1);
	buf_init(&y, b.len + 1);
	jv_decode((struct jv){{a.p - 1, a.len + 2}}, &x);
	jv_decode((struct jv){{b.p - 1, b.len + 2}}, &y);
	bool same = view_eq(buf_done(&x), buf_done(&y));
	buf_free(&x);
	buf_free(&y);
	return same;
}

static uint32_t
name_hash(struct view name, uint32_t object)
{
	if (memchr(name.p, '\\', name.len) == NULL)
		return hash_name(name, object);
	struct buf b;
	buf_init(&b, name.len + 1);
	jv_decode((struct jv){{name.p - 1, name.len + 2}}, &b);
	uint32_t h = hash_name(buf_done(&b), object);
	buf_free(&b);
	return h;
}

static void
insert(struct names *n, uint32_t i)
{
	uint32_t b = name_hash(n->list[i].text, n->list[i].object) % n->buckets;
	n->list[i].next = n->bucket[b];
	n->bucket[b] = i;
}

static bool
remember(struct check *c, struct view name)
{
	struct names *n = &c->names;
	uint32_t object = c->object[c->depth - 1];
	if (n->count + 1 >= n->cap) {
		grow(n);
		for (uint32_t i = 1; i <= n->count; i++)
			insert(n, i);
	}
	for (uint32_t i = n->bucket[name_hash(name, object) % n->buckets]; i != 0;
	     i = n->list[i].next)
		if (n->list[i].object == object && same_name(n->list[i].text, name))
			return fail(c, JV_DUPLICATE);
	n->list[++n->count] = (struct name){.text = name, .object = object};
	insert(n, n->count);
	return true;
}

// --- structure ----------------------------------------------------------------------

static bool
open_level(struct check *c, bool object)
{
	if (c->depth == JV_DEPTH_MAX)
		return fail(c, JV_DEPTH);
	c->object[c->depth++] = object ? ++c->objects : 0;
	c->at++;
	return true;
}

static bool
member_name(struct check *c)
{
	struct view name;
	space(c);
	if (c->at >= c->t.len || c->t.p[c->at] != '"')
		return fail(c, JV_SYNTAX);
	if (!string(c, &name) || (c->depth <= DUPLICATE_LEVELS && !remember(c, name)))
		return false;
	space(c);
	return take(c, ":") ? true : fail(c, JV_SYNTAX);
}

// One value, or the opening of one: *open_r says that a level was opened and its first
// item follows.
static bool
value(struct check *c, bool *open_r)
{
	struct view text;
	*open_r = false;
	space(c);
	if (c->at >= c->t.len)
		return fail(c, JV_SYNTAX);
	switch (c->t.p[c->at]) {
	case '{':
	case '[': {
		bool object = c->t.p[c->at] == '{';
		if (!open_level(c, object))
			return false;
		space(c);
		if (take(c, object ? "}" : "]")) {
			c->depth--;
			return true;
		}
		*open_r = true;
		return object ? member_name(c) : true;
	}
	case '"':
		return string(c, &text);
	case 't':
		return literal(c, "true");
	case 'f':
		return literal(c, "false");
	case 'n':
		return literal(c, "null");
	default:
		return number(c);
	}
}

static bool
document(struct check *c)
{
	for (;;) {
		bool open;
		if (!value(c, &open))
			return false;
		if (open)
			continue;
		for (;;) { // behind a value: close levels, or go on to the next item
			space(c);
			if (c->depth == 0)
				return c->at == c->t.len ? true : fail(c, JV_SYNTAX);
			bool object = c->object[c->depth - 1] != 0;
			if (take(c, ",")) {
				if (object && !member_name(c))
					return false;
				break;
			}
			if (!take(c, object ? "}" : "]"))
				return fail(c, JV_SYNTAX);
			c->depth--;
		}
	}
}

enum jv_fault
jv_check(struct view text, size_t *at_r)
{
	struct check c = {.t = text};
	if (!document(&c) && c.fault == JV_OK)
		c.fault = JV_SYNTAX;
	if (at_r != NULL)
		*at_r = c.at;
	free(c.names.list);
	free(c.names.bucket);
	return c.fault;
}

const char *
jv_fault_text(enum jv_fault f)
{
	switch (f) {
	case JV_OK:
		return "The text is valid JSON.";
	case JV_SYNTAX:
		return "The body is not valid JSON (RFC 8259).";
	case JV_DEPTH:
		return "The JSON is nested too deeply (128 levels are allowed).";
	case JV_UTF8:
		return "The JSON is not UTF-8.";
	case JV_SURROGATE:
		return "The JSON holds half a surrogate pair (\\uD800 to \\uDFFF alone), which is "
		       "no "
		       "character.";
	case JV_DUPLICATE:
		return "The JSON names a member twice; two readers could read two different "
		       "requests.";
	case JV_NUMBER:
		return "The JSON holds a number of more than 1,024 characters.";
	}
	BUG("unknown fault");
}
