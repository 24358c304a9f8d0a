// SPDX-License-Identifier: Apache-2.0
// A strict reader for the XML of STS. Pure computation over the caller's memory.
#include "vaultd/sealer_sts.h"

#include <string.h>

#define DEPTH_MAX 8U
#define NAME_MAX_ 64U

struct xml {
	char *p;
	size_t len;
	size_t at;
	size_t depth;
	struct view open[DEPTH_MAX];
};

// --- time --------------------------------------------------------------------------

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
uint64_t
sealer_sts_days(uint64_t year, uint64_t month, uint64_t day)
{
	uint64_t y = month <= 2 ? year - 1 : year;
	uint64_t era = y / 400, yoe = y % 400;
	uint64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	uint64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static bool
number(struct view v, size_t at, size_t n, uint64_t max, uint64_t *r)
{
	*r = 0;
	for (size_t i = at; i < at + n; i++) {
		if (i >= v.len || v.p[i] < '0' || v.p[i] > '9')
			return false;
		*r = *r * 10 + (uint64_t)(v.p[i] - '0');
	}
	return *r <= max;
}

uint64_t
sealer_sts_time(struct view v)
{
	uint64_t year, month, day, hour, minute, second;
	if (v.len < 20 || v.len > 30 || v.p[4] != '-' || v.p[7] != '-' || v.p[10] != 'T' ||
	    v.p[13] != ':' || v.p[16] != ':' || v.p[v.len - 1] != 'Z' ||
	    (v.len > 20 && v.p[19] != '.') || !number(v, 0, 4, 9999, &year) ||
	    !number(v, 5, 2, 12, &month) || !number(v, 8, 2, 31, &day) ||
	    !number(v, 11, 2, 23, &hour) || !number(v, 14, 2, 59, &minute) ||
	    !number(v, 17, 2, 60, &second) || year < 1970 || month == 0 || day == 0)
		return 0;
	return sealer_sts_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

// --- text --------------------------------------------------------------------------

static int
reference_value(struct view name)
{
	static const struct {
		const char *name;
		char c;
	} known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (view_eq_str(name, known[i].name))
			return known[i].c;
	if (name.len < 2 || name.len > 6 || name.p[0] != '#')
		return -1;
	bool hex = name.p[1] == 'x';
	int v = 0;
	for (size_t i = hex ? 2 : 1; i < name.len; i++) {
		char c = name.p[i];
		int d = c >= '0' && c <= '9'	      ? c - '0'
			: hex && c >= 'a' && c <= 'f' ? c - 'a' + 10
			: hex && c >= 'A' && c <= 'F' ? c - 'A' + 10
						      : -1;
		if (d < 0)
			return -1;
		v = v * (hex ? 16 : 10) + d;
	}
	return v >= 0x20 && v < 0x7f ? v : -1;
}

// Decodes [from, to) in place; the result is never longer.
static int
decode(char *from, size_t len, struct view *r)
{
	size_t out = 0;
	for (size_t i = 0; i < len; i++) {
		char c = from[i];
		if (c == '&') {
			const char *end = memchr(from + i, ';', len - i);
			if (end == NULL)
				return -1;
			struct view name = {from + i + 1, (size_t)(end - from) - i - 1};
			int v = reference_value(name);
			if (v < 0)
				return -1;
			c = (char)v;
			i = (size_t)(end - from);
		}
		from[out++] = c;
	}
	*r = (struct view){from, out};
	return 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_space(struct xml *x)
{
	while (x->at < x->len && is_space(x->p[x->at]))
		x->at++;
}

// --- elements ------------------------------------------------------------------------

static bool
name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

static int
read_name(struct xml *x, struct view *r)
{
	size_t from = x->at;
	while (x->at < x->len && name_char(x->p[x->at]))
		x->at++;
	*r = (struct view){x->p + from, x->at - from};
	return r->len == 0 || r->len > NAME_MAX_ ? -1 : 0;
}

// Behind the name: attributes, which nothing here needs, up to '>'. empty_r: "/>".
static int
skip_attributes(struct xml *x, bool *empty_r)
{
	char quote = 0;
	for (; x->at < x->len; x->at++) {
		char c = x->p[x->at];
		if (quote != 0)
			quote = c == quote ? 0 : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '<')
			return -1;
		else if (c == '>')
			break;
	}
	if (x->at == x->len)
		return -1;
	*empty_r = x->p[x->at - 1] == '/';
	x->at++;
	return 0;
}

static bool
path_is(const struct xml *x, size_t depth, const char *last, const char *before)
{
	return x->depth == depth && view_eq_str(x->open[depth - 1], last) &&
	       view_eq_str(x->open[depth - 2], before);
}

static int
set_once(struct view *field, struct view v, size_t max)
{
	if (field->p != NULL || v.len == 0 || v.len > max)
		return -1;
	*field = v;
	return 0;
}

// A leaf's text: kept when it is one of the few that count, by its place in the tree.
static int
take(const struct xml *x, struct view v, struct view *expires, struct msg_exchanged *m)
{
	if (path_is(x, 4, "AccessKeyId", "Credentials"))
		return set_once(&m->access_key_id, v, 128);
	if (path_is(x, 4, "SecretAccessKey", "Credentials"))
		return set_once(&m->secret, v, 8192);
	if (path_is(x, 4, "SessionToken", "Credentials"))
		return set_once(&m->session_token, v, 8192);
	if (path_is(x, 4, "Expiration", "Credentials"))
		return set_once(expires, v, 30);
	if (path_is(x, 3, "Code", "Error"))
		return set_once(&m->code, v, 128);
	if (path_is(x, 3, "Message", "Error") && v.len != 0)
		return set_once(&m->message, v, SIZE_MAX);
	return 0;
}

static int
begin_element(struct xml *x, bool *leaf)
{
	bool empty = false;
	struct view name;
	x->at++;
	if (read_name(x, &name) != 0 || x->depth == DEPTH_MAX || skip_attributes(x, &empty) != 0)
		return -1;
	if (!empty)
		x->open[x->depth++] = name;
	*leaf = !empty;
	return 0;
}

static int
end_element(struct xml *x)
{
	struct view name;
	x->at += 2;
	if (read_name(x, &name) != 0 || x->depth == 0 || !view_eq(name, x->open[x->depth - 1]))
		return -1;
	skip_space(x);
	if (x->at == x->len || x->p[x->at] != '>')
		return -1;
	x->at++;
	x->depth--;
	return 0;
}

static int
walk(struct xml *x, struct view *expires, struct msg_exchanged *m)
{
	bool leaf = false; // the last tag opened an element
	do {
		char *text = x->p + x->at;
		const char *tag = memchr(text, '<', x->len - x->at);
		if (tag == NULL)
			return -1;
		size_t n = (size_t)(tag - text);
		x->at += n;
		bool closing = x->at + 1 < x->len && x->p[x->at + 1] == '/';
		struct view v;
		if (closing && leaf) {
			if (decode(text, n, &v) != 0 || take(x, v, expires, m) != 0)
				return -1;
		} else {
			for (size_t i = 0; i < n; i++)
				if (!is_space(text[i]))
					return -1;
		}
		leaf = false;
		if ((closing ? end_element(x) : begin_element(x, &leaf)) != 0)
			return -1;
	} while (x->depth != 0);
	skip_space(x);
	return x->at == x->len ? 0 : -1;
}

static int
skip_declaration(struct xml *x)
{
	skip_space(x);
	if (x->len - x->at < 5 || memcmp(x->p + x->at, "<?xml", 5) != 0)
		return 0;
	const char *end = memmem(x->p + x->at, x->len - x->at, "?>", 2);
	if (end == NULL)
		return -1;
	x->at = (size_t)(end - x->p) + 2;
	skip_space(x);
	return 0;
}

static bool
visible(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x21 || v.p[i] > 0x7e)
			return false;
	return true;
}

int
sealer_sts_read(char *xml, size_t len, struct msg_exchanged *m)
{
	struct xml x = {.p = xml, .len = len};
	struct view expires = {0};
	if (skip_declaration(&x) != 0 || x.len - x.at < 2 || walk(&x, &expires, m) != 0)
		return -1;
	m->expires_s = expires.p == NULL ? 0 : sealer_sts_time(expires);
	if (!visible(m->access_key_id) || !visible(m->secret) || !visible(m->session_token) ||
	    !visible(m->code))
		return -1;
	if (m->code.len != 0)
		return m->secret.len == 0 ? 0 : -1;
	return m->access_key_id.len != 0 && m->secret.len != 0 && m->session_token.len != 0 &&
		       m->expires_s != 0
		   ? 0
		   : -1;
}
