// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// The JSON scanner against jansson: the same verdict on every input, and the same
// reports at any split. First byte: where to split.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gatewayd/json_scan.h"

struct seen {
	uint64_t hash;
	size_t count;
};

static void
mix(struct seen *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ (uint8_t)p[i]) * 1099511628211U;
	s->hash = (s->hash ^ 0x100) * 1099511628211U;
}

static void
on_member(void *cookie, const struct json_member *m)
{
	struct seen *s = cookie;
	for (size_t i = 0; i < m->level; i++)
		mix(s, m->path[i].p, m->path[i].len);
	char kind = (char)m->kind;
	mix(s, &kind, 1);
	mix(s, m->value.p, m->value.len);
	s->count++;
}

static enum json_result
run(struct seen *s, const char *p, size_t len, size_t cut)
{
	struct json_scan *j = malloc(sizeof(*j));
	*s = (struct seen){.hash = 14695981039346656037U};
	json_scan_init(j, on_member, s);
	(void)json_scan_feed(j, p, cut);
	(void)json_scan_feed(j, p + cut, len - cut);
	enum json_result r = json_scan_end(j);
	free(j);
	return r;
}

// What jansson refuses although RFC 8259 does not: numbers beyond its types, a NUL
// or lone surrogate by escape, bytes that are no UTF-8.
static bool
jansson_is_stricter(const json_error_t *e)
{
	switch (json_error_code(e)) {
	case json_error_numeric_overflow:
	case json_error_null_character:
	case json_error_null_byte_in_key:
	case json_error_invalid_utf8:
	case json_error_stack_overflow:
		return true;
	default:
		return strstr(e->text, "Unicode") != NULL;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char *p = (const char *)data + 1;
	size_t len = size - 1;
	struct seen whole, split;
	enum json_result a = run(&whole, p, len, 0);
	enum json_result b = run(&split, p, len, len == 0 ? 0 : data[0] % len);
	if (a != b || (a == SCAN_DONE && (whole.hash != split.hash || whole.count != split.count)))
		abort();
	if (len != 0 && memchr(p, '\0', len) != NULL)
		return 0; // jansson overlooks a NUL behind a number
	json_error_t e;
	json_t *o = json_loadb(p, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	if (o != NULL && a != SCAN_DONE)
		abort();
	if (o == NULL && a == SCAN_DONE && !jansson_is_stricter(&e))
		abort();
	json_decref(o);
	return 0;
}
