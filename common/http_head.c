// SPDX-License-Identifier: Apache-2.0
// Grammar of HTTP/1.1 head lines, framing rules and field look-up. Pure functions
// over the parser's head buffer; may allocate the field table. Sources: RFC 9112,
// sections 3, 4, 5 and 6; RFC 9110, sections 5, 7.2 and 10.1.1.
#include "common/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct http_field {
	uint32_t name, name_len;
	uint32_t value, value_len;
};

// T: token, V: value, G: target, H: host.
#define TVGH (HTTP_C_TOKEN | HTTP_C_VALUE | HTTP_C_TARGET | HTTP_C_HOST)
#define TVG  (HTTP_C_TOKEN | HTTP_C_VALUE | HTTP_C_TARGET)
#define VGH  (HTTP_C_VALUE | HTTP_C_TARGET | HTTP_C_HOST)
#define VG   (HTTP_C_VALUE | HTTP_C_TARGET)
#define V    (HTTP_C_VALUE)
#define TV   (HTTP_C_TOKEN | HTTP_C_VALUE)

// clang-format off
const uint8_t http_head_class[256] = {
	['\t'] = V, [' '] = V, ['!'] = TVGH, ['"'] = VG, ['#'] = TV, ['$'] = TVGH, ['%'] = TVGH,
	['&'] = TVGH, ['\''] = TVGH, ['('] = VGH, [')'] = VGH, ['*'] = TVGH, ['+'] = TVGH,
	[','] = VGH, ['-'] = TVGH, ['.'] = TVGH, ['/'] = VG, ['0' ... '9'] = TVGH, [':'] = VGH,
	[';'] = VGH, ['<'] = VG, ['='] = VGH, ['>'] = VG, ['?'] = VG, ['@'] = VG,
	['A' ... 'Z'] = TVGH, ['['] = VGH, ['\\'] = VG, [']'] = VGH, ['^'] = TVG, ['_'] = TVGH,
	['`'] = TVG, ['a' ... 'z'] = TVGH, ['{'] = VG, ['|'] = TVG, ['}'] = VG, ['~'] = TVGH,
	[0x80 ... 0xff] = V,
};
// clang-format on

bool
http_head_all(const char *p, size_t n, unsigned mask)
{
	for (size_t i = 0; i < n; i++)
		if (!http_head_is(p[i], mask))
			return false;
	return true;
}

int
http_head_fail(struct http_parser *p, unsigned status, const char *reason)
{
	if (p->error_reason == NULL) {
		p->error_status = p->kind == HTTP_RESPONSE ? 502 : (uint16_t)status;
		p->error_reason = reason;
	}
	return -1;
}

static struct view
trim(const char *p, size_t n)
{
	while (n > 0 && (p[0] == ' ' || p[0] == '\t')) {
		p++;
		n--;
	}
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return (struct view){.p = p, .len = n};
}

const char *
http_head_split(const char *line, size_t len, struct view *name_r, struct view *value_r)
{
	size_t n = 0;
	while (n < len && http_head_is(line[n], HTTP_C_TOKEN))
		n++;
	if (n == 0 && len > 0 && (line[0] == ' ' || line[0] == '\t'))
		return "folded header line";
	if (n == len)
		return "header line without colon";
	if (line[n] == ' ' || line[n] == '\t')
		return "space before header colon";
	if (n == 0 || line[n] != ':')
		return "bad header name";
	*name_r = (struct view){.p = line, .len = n};
	*value_r = trim(line + n + 1, len - n - 1);
	if (!http_head_all(value_r->p, value_r->len, HTTP_C_VALUE))
		return "control byte in header value";
	return NULL;
}

// --- start line ----------------------------------------------------------------

// "HTTP/1.1" or "HTTP/1.0" in exactly 8 bytes.
static int
parse_version(struct http_parser *p, const char *s, size_t len)
{
	bool form = len == 8 && memcmp(s, "HTTP/", 5) == 0 && s[5] >= '0' && s[5] <= '9' &&
		    s[6] == '.' && s[7] >= '0' && s[7] <= '9';
	if (!form)
		return http_head_fail(p, 400, "bad HTTP version");
	if (s[5] != '1' || (s[7] != '0' && s[7] != '1'))
		return http_head_fail(p, 505, "HTTP version not supported");
	p->minor = s[7] == '1';
	return 0;
}

static int
parse_target(struct http_parser *p)
{
	const char *s = p->target.p;
	size_t len = p->target.len;
	if (len == 1 && s[0] == '*' && view_eq_str(p->method, "OPTIONS")) {
		p->path = p->target;
		return 0;
	}
	if (len == 0 || s[0] != '/')
		return http_head_fail(p, 400, "request target is not a path");
	if (!http_head_all(s, len, HTTP_C_TARGET))
		return http_head_fail(p, 400, "bad byte in request target");
	const char *mark = memchr(s, '?', len);
	p->path = (struct view){.p = s, .len = mark == NULL ? len : (size_t)(mark - s)};
	if (mark != NULL)
		p->query = (struct view){.p = mark + 1, .len = len - p->path.len - 1};
	return 0;
}

static int
parse_request_line(struct http_parser *p, const char *s, size_t len)
{
	if (len == 14 && memcmp(s, "PRI * HTTP/2.0", 14) == 0) {
		p->error_h2_preface = true;
		return http_head_fail(p, 505, "HTTP/2 connection preface");
	}
	const char *sp1 = memchr(s, ' ', len);
	if (sp1 == NULL)
		return http_head_fail(p, 400, "bad request line");
	size_t rest = len - (size_t)(sp1 + 1 - s);
	const char *sp2 = memchr(sp1 + 1, ' ', rest);
	if (sp2 == NULL)
		return http_head_fail(p, 400, "bad request line");
	p->method = (struct view){.p = s, .len = (size_t)(sp1 - s)};
	p->target = (struct view){.p = sp1 + 1, .len = (size_t)(sp2 - sp1 - 1)};
	if (!http_is_token(p->method))
		return http_head_fail(p, 400, "bad method");
	if (parse_version(p, sp2 + 1, len - (size_t)(sp2 + 1 - s)) != 0)
		return -1;
	return parse_target(p);
}

// The space behind the status code is required by the grammar, but it is commonly
// left out together with an empty phrase; that cannot be misread.
static int
parse_status_line(struct http_parser *p, const char *s, size_t len)
{
	if (len < 12 || s[8] != ' ' || (len > 12 && s[12] != ' '))
		return http_head_fail(p, 502, "bad status line");
	if (parse_version(p, s, 8) != 0)
		return -1;
	unsigned status = 0;
	for (size_t i = 9; i < 12; i++) {
		if (s[i] < '0' || s[i] > '9')
			return http_head_fail(p, 502, "bad status code");
		status = status * 10 + (unsigned)(s[i] - '0');
	}
	if (status < 100 || status > 599)
		return http_head_fail(p, 502, "bad status code");
	p->status = (uint16_t)status;
	size_t skip = MIN(len, (size_t)13);
	p->reason = (struct view){.p = s + skip, .len = len - skip};
	if (!http_head_all(p->reason.p, p->reason.len, HTTP_C_VALUE))
		return http_head_fail(p, 502, "control byte in reason phrase");
	return 0;
}

static int
parse_start_line(struct http_parser *p, const char *s, size_t len)
{
	return p->kind == HTTP_REQUEST ? parse_request_line(p, s, len)
				       : parse_status_line(p, s, len);
}

// --- fields ----------------------------------------------------------------------

static int
set_length(struct http_parser *p, struct view v)
{
	if (p->has_length)
		return http_head_fail(p, 400, "duplicate content-length");
	uint64_t n = 0;
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return http_head_fail(p, 400, "bad content-length");
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (unsigned)(v.p[i] - '0'), &n))
			return http_head_fail(p, 400, "bad content-length");
	}
	if (v.len == 0)
		return http_head_fail(p, 400, "bad content-length");
	p->has_length = true;
	p->content_length = n;
	return 0;
}

static int
set_host(struct http_parser *p, struct view v)
{
	if (p->seen_host)
		return http_head_fail(p, 400, "duplicate host");
	if (!http_head_all(v.p, v.len, HTTP_C_HOST))
		return http_head_fail(p, 400, "bad host");
	p->seen_host = true;
	return 0;
}

// Fields that decide framing or routing; all others are the caller's business.
static int
note_field(struct http_parser *p, struct view name, struct view value, bool tab)
{
	bool request = p->kind == HTTP_REQUEST;
	if (name.len == 14 && http_view_eq_nocase(name, "content-length")) {
		if (tab)
			return http_head_fail(p, 400, "tab in framing header");
		return set_length(p, value);
	}
	if (name.len == 17 && http_view_eq_nocase(name, "transfer-encoding")) {
		if (tab)
			return http_head_fail(p, 400, "tab in framing header");
		if (p->seen_te)
			return http_head_fail(p, 400, "duplicate transfer-encoding");
		if (!http_view_eq_nocase(value, "chunked"))
			return http_head_fail(p, 501, "unsupported transfer-encoding");
		p->seen_te = true;
	} else if (request && name.len == 4 && http_view_eq_nocase(name, "host")) {
		return set_host(p, value);
	} else if (request && name.len == 6 && http_view_eq_nocase(name, "expect")) {
		if (!http_view_eq_nocase(value, "100-continue"))
			return http_head_fail(p, 417, "unknown expectation");
		p->seen_expect = true;
	}
	return 0;
}

int
http_head_line(struct http_parser *p, uint32_t at, uint32_t len)
{
	const char *line = p->head.p + at;
	if (at == 0) {
		// Checked now, so that a bad one is refused at once. The buffer may
		// still move: http_head_done() sets the views for good.
		int r = parse_start_line(p, line, len);
		p->method = p->target = p->path = p->query = p->reason = (struct view){0};
		return r;
	}
	struct view name, value;
	const char *wrong = http_head_split(line, len, &name, &value);
	if (wrong != NULL)
		return http_head_fail(p, 400, wrong);
	if (p->field_count >= p->limits->headers_max)
		return http_head_fail(p, 431, "too many headers");
	if (p->field_count == p->field_cap) {
		p->field_cap = p->field_cap == 0 ? 16 : (uint16_t)(p->field_cap * 2);
		p->fields = base_realloc(p->fields, p->field_cap * sizeof(*p->fields));
	}
	p->fields[p->field_count++] = (struct http_field){
	    .name = at,
	    .name_len = (uint32_t)name.len,
	    .value = (uint32_t)(value.p - p->head.p),
	    .value_len = (uint32_t)value.len,
	};
	// A tab beside the value is legal, but nobody sends it in good faith, and some
	// servers then overlook the field (Node: "chunked\t" of a response).
	bool tab = memchr(line, '\t', len) != NULL;
	return note_field(p, name, value, tab);
}

// --- framing -----------------------------------------------------------------------

static int
frame_request(struct http_parser *p)
{
	if (p->minor == 1 && !p->seen_host)
		return http_head_fail(p, 400, "missing host");
	p->chunked = p->seen_te;
	p->has_body = p->chunked || p->content_length > 0;
	p->expect_continue = p->seen_expect && p->minor == 1 && p->has_body;
	return 0;
}

static int
frame_response(struct http_parser *p)
{
	bool bodiless = p->status < 200 || p->status == 204;
	if (p->status == 101)
		return http_head_fail(p, 502, "unexpected 101");
	if (bodiless && (p->seen_te || (p->status < 200 && p->has_length)))
		return http_head_fail(p, 502, "framing header where no body can be");
	// A 204 that names a length may be followed by bytes of that length.
	if (p->status == 204 && p->content_length > 0)
		p->keep_alive = false;
	if (bodiless || p->status == 304 || p->no_body)
		return 0;
	p->chunked = p->seen_te;
	p->until_close = !p->chunked && !p->has_length;
	p->has_body = p->chunked || p->until_close || p->content_length > 0;
	if (p->until_close)
		p->keep_alive = false;
	return 0;
}

int
http_head_done(struct http_parser *p)
{
	const char *end = memchr(p->head.p, '\r', p->head.len);
	BUG_IF(end == NULL);
	if (parse_start_line(p, p->head.p, (size_t)(end - p->head.p)) != 0)
		BUG("a start line that was accepted is rejected");

	if (p->seen_te && p->has_length)
		return http_head_fail(p, 400, "both content-length and transfer-encoding");
	if (p->seen_te && p->minor == 0)
		return http_head_fail(p, 400, "transfer-encoding in HTTP/1.0");
	bool close = http_header_has_token(p, "connection", "close");
	bool keep = p->minor == 1 || http_header_has_token(p, "connection", "keep-alive");
	p->keep_alive = keep && !close;
	if ((p->kind == HTTP_REQUEST ? frame_request(p) : frame_response(p)) != 0)
		return -1;
	if (p->has_body && p->content_length > p->limits->body_max)
		return http_head_fail(p, 413, "body too large");
	return 0;
}

// --- look-up -------------------------------------------------------------------------

size_t
http_header_count(const struct http_parser *p)
{
	return p->field_count;
}

void
http_header_at(const struct http_parser *p, size_t i, struct view *name_r, struct view *value_r)
{
	BUG_IF(i >= p->field_count);
	const struct http_field *f = &p->fields[i];
	*name_r = (struct view){.p = p->head.p + f->name, .len = f->name_len};
	*value_r = (struct view){.p = p->head.p + f->value, .len = f->value_len};
}

// Index of the first field of this name at or behind i, or field_count.
static size_t
find(const struct http_parser *p, size_t i, const char *name)
{
	size_t len = strlen(name);
	for (; i < p->field_count; i++)
		if (p->fields[i].name_len == len &&
		    strncasecmp(p->head.p + p->fields[i].name, name, len) == 0)
			break;
	return i;
}

struct view
http_header(const struct http_parser *p, const char *name)
{
	struct view n, v = {0};
	size_t i = find(p, 0, name);
	if (i < p->field_count)
		http_header_at(p, i, &n, &v);
	return v;
}

size_t
http_header_repeats(const struct http_parser *p, const char *name)
{
	size_t n = 0;
	for (size_t i = find(p, 0, name); i < p->field_count; i = find(p, i + 1, name))
		n++;
	return n;
}

static bool
list_has(struct view list, const char *token)
{
	const char *end = list.p + list.len;
	for (const char *s = list.p; s < end;) {
		const char *comma = memchr(s, ',', (size_t)(end - s));
		const char *stop = comma == NULL ? end : comma;
		const char *semi = memchr(s, ';', (size_t)(stop - s));
		if (http_view_eq_nocase(trim(s, (size_t)((semi == NULL ? stop : semi) - s)), token))
			return true;
		s = comma == NULL ? end : comma + 1;
	}
	return false;
}

bool
http_header_has_token(const struct http_parser *p, const char *name, const char *token)
{
	for (size_t i = find(p, 0, name); i < p->field_count; i = find(p, i + 1, name)) {
		struct view n, v;
		http_header_at(p, i, &n, &v);
		if (list_has(v, token))
			return true;
	}
	return false;
}

bool
http_is_token(struct view v)
{
	return v.len > 0 && http_head_all(v.p, v.len, HTTP_C_TOKEN);
}

bool
http_is_field_value(struct view v)
{
	return http_head_all(v.p, v.len, HTTP_C_VALUE) && trim(v.p, v.len).len == v.len;
}

bool
http_view_eq_nocase(struct view a, const char *b)
{
	return a.len == strlen(b) && (a.len == 0 || strncasecmp(a.p, b, a.len) == 0);
}
