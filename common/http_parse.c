// SPDX-License-Identifier: Apache-2.0
// The state machine of the HTTP/1.1 parser: cuts the input into head lines, body
// pieces, chunk framing and trailers. The grammar of a head line and the framing
// rules are in http_head.c. No I/O; allocates the head and the field table.
// Source: RFC 9112, sections 2.2, 6 and 7.
#include "common/http_parse.h"

#include "common/http_head.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_FIRST	  1024	// bytes of the first head allocation
#define CHUNK_DIGITS_MAX  16	// hex digits of a 64-bit number
#define CHUNK_EXT_MAX	  256	// bytes of the extensions of one chunk
#define CHUNK_EXT_TOTAL	  16384 // of one message: one data byte a chunk must not cost us much
#define INFORMATIONAL_MAX 16

_Static_assert(sizeof(struct http_parser) < 300, "idle connections must stay small");

const struct http_limits http_limits_default = {
    .head_max = 64 << 10,
    .start_line_max = 16 << 10,
    .headers_max = 100,
    .trailer_max = 8 << 10,
    .body_max = 64 << 20,
};

enum state {
	ST_IDLE,	  // also inside the head: head.len tells
	ST_INFORMATIONAL, // one was reported, its head is still there
	ST_LENGTH,
	ST_UNTIL_CLOSE,
	ST_CHUNK_SIZE,
	ST_EXT_NAME_START,
	ST_EXT_NAME,
	ST_EXT_VALUE_START,
	ST_EXT_VALUE,
	ST_EXT_QUOTED,
	ST_EXT_ESCAPED,
	ST_EXT_QUOTED_END,
	ST_CHUNK_SIZE_LF,
	ST_CHUNK_DATA,
	ST_CHUNK_DATA_CR,
	ST_CHUNK_DATA_LF,
	ST_TRAILER,
	ST_END,
	ST_FAILED,
};

void
http_parser_init(struct http_parser *p, enum http_kind kind, const struct http_limits *limits)
{
	if (limits == NULL)
		limits = &http_limits_default;
	BUG_IF(limits->head_max > 16u << 20 || limits->headers_max > 16384);
	BUG_IF(limits->trailer_max > 16u << 20);
	*p = (struct http_parser){.kind = (uint8_t)kind, .limits = limits};
}

void
http_parser_free(struct http_parser *p)
{
	free(p->head.p);
	free(p->line.p);
	free(p->fields);
	p->head = p->line = (struct http_bytes){0};
	p->fields = NULL;
	p->field_count = p->field_cap = 0;
}

void
http_parser_reset(struct http_parser *p)
{
	http_parser_free(p);
	http_parser_init(p, p->kind, p->limits);
}

void
http_parser_expect_no_body(struct http_parser *p)
{
	BUG_IF(p->kind != HTTP_RESPONSE);
	p->no_body = true;
}

static enum http_event
failed(struct http_parser *p)
{
	BUG_IF(p->error_reason == NULL);
	p->state = ST_FAILED;
	return HTTP_FAILED;
}

static enum http_event
fail(struct http_parser *p, unsigned status, const char *reason)
{
	http_head_fail(p, status, reason);
	return failed(p);
}

// The caller has checked the limit, so lengths fit 32 bits.
static void
append(struct http_bytes *b, const char *p, size_t n)
{
	if (b->cap - b->len < n) {
		uint32_t cap = b->cap == 0 ? HEAD_FIRST : b->cap;
		while (cap - b->len < n)
			cap *= 2;
		b->p = base_realloc(b->p, cap);
		b->cap = cap;
	}
	memcpy(b->p + b->len, p, n);
	b->len += (uint32_t)n;
}

// --- head ------------------------------------------------------------------------

// Tells apart at the first byte what will never be a head, rather than waiting
// for a line end that does not come.
static const char *
wrong_start(const struct http_parser *p, char c)
{
	if (p->kind == HTTP_RESPONSE)
		return c == 'H' ? NULL : "not an HTTP response";
	if (c == 0x16)
		return "TLS on a plaintext port";
	if (http_head_is(c, HTTP_C_TOKEN) || c == '\r')
		return NULL;
	return c == '\n' ? "bare LF" : "not an HTTP request";
}

static enum http_event
head_complete(struct http_parser *p)
{
	if (http_head_done(p) != 0)
		return failed(p);
	if (p->kind == HTTP_RESPONSE && p->status < 200) {
		if (++p->informational > INFORMATIONAL_MAX)
			return fail(p, 502, "too many informational responses");
		p->state = ST_INFORMATIONAL;
		return HTTP_INFORMATIONAL;
	}
	p->remaining = p->content_length;
	if (!p->has_body)
		p->state = ST_END;
	else if (p->chunked)
		p->state = ST_CHUNK_SIZE;
	else
		p->state = p->until_close ? ST_UNTIL_CLOSE : ST_LENGTH;
	return HTTP_HEAD;
}

// A complete line lies at the end of the head buffer. NEED_MORE: go on.
static enum http_event
head_line(struct http_parser *p)
{
	uint32_t at = p->line_start;
	uint32_t len = p->head.len - at;
	if (len < 2 || p->head.p[at + len - 2] != '\r')
		return fail(p, 400, "bare LF");
	len -= 2;
	p->line_start = p->head.len;
	if (len > 0)
		return http_head_line(p, at, len) == 0 ? HTTP_NEED_MORE : failed(p);
	if (at > 0)
		return head_complete(p);
	// RFC 9112, 2.2: some clients send one CR LF behind a body.
	if (p->kind == HTTP_RESPONSE || p->skipped_crlf > 0)
		return fail(p, 400, "empty line before the start line");
	p->skipped_crlf = 1;
	p->head.len = p->line_start = 0;
	return HTTP_NEED_MORE;
}

static enum http_event
feed_head(struct http_parser *p, const char *buf, size_t len, size_t *used)
{
	while (*used < len) {
		const char *at = buf + *used;
		size_t left = len - *used;
		const char *wrong = p->head.len == 0 ? wrong_start(p, *at) : NULL;
		if (wrong != NULL)
			return fail(p, 400, wrong);
		const char *lf = memchr(at, '\n', left);
		size_t take = lf == NULL ? left : (size_t)(lf - at) + 1;
		if (p->line_start == 0 && take > p->limits->start_line_max - p->head.len)
			return fail(p, 414, "start line too long");
		if (take > p->limits->head_max - p->head.len)
			return fail(p, 431, "head too large");
		append(&p->head, at, take);
		*used += take;
		if (lf == NULL)
			break;
		enum http_event ev = head_line(p);
		if (ev != HTTP_NEED_MORE)
			return ev;
	}
	return HTTP_NEED_MORE;
}

// Drops an informational head; what was promised for the final one stays.
static void
next_head(struct http_parser *p)
{
	bool no_body = p->no_body;
	uint8_t informational = p->informational;
	http_parser_reset(p);
	p->no_body = no_body;
	p->informational = informational;
}

// --- body ------------------------------------------------------------------------

static enum http_event
give_body(struct http_parser *p, const char *at, size_t n, size_t *used)
{
	p->body = (struct view){.p = at, .len = n};
	p->body_seen += n;
	*used += n;
	return HTTP_BODY;
}

static enum http_event
feed_sized(struct http_parser *p, const char *at, size_t left, size_t *used, enum state next)
{
	if (left == 0)
		return HTTP_NEED_MORE;
	size_t n = (size_t)MIN((uint64_t)left, p->remaining);
	p->remaining -= n;
	if (p->remaining == 0)
		p->state = (uint8_t)next;
	return give_body(p, at, n, used);
}

static enum http_event
feed_until_close(struct http_parser *p, const char *at, size_t left, size_t *used)
{
	if (left == 0)
		return HTTP_NEED_MORE;
	if (left > p->limits->body_max - p->body_seen)
		return fail(p, 413, "body too large");
	return give_body(p, at, left, used);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum http_event
chunk_size_byte(struct http_parser *p, char c)
{
	int digit = hex(c);
	if (digit >= 0) {
		if (p->chunk_digits++ == 0)
			p->remaining = 0;
		if (p->chunk_digits > CHUNK_DIGITS_MAX)
			return fail(p, 400, "chunk size too long");
		p->remaining = p->remaining << 4 | (unsigned)digit;
		return HTTP_NEED_MORE;
	}
	if (p->chunk_digits == 0 || (c != ';' && c != '\r'))
		return fail(p, 400, "bad chunk size");
	if (p->remaining > p->limits->body_max - p->body_seen)
		return fail(p, 413, "body too large");
	p->ext_len = 0;
	p->state = c == ';' ? ST_EXT_NAME_START : ST_CHUNK_SIZE_LF;
	return HTTP_NEED_MORE;
}

// chunk-ext = *( ";" name [ "=" ( token / quoted-string ) ] ), without the optional
// white space of old senders: RFC 9112, 7.1.1. Returns the next state, or ST_FAILED.
static enum state
ext_next(enum state state, char c)
{
	bool token = http_head_is(c, HTTP_C_TOKEN), value = http_head_is(c, HTTP_C_VALUE);
	bool may_end = state == ST_EXT_NAME || state == ST_EXT_VALUE || state == ST_EXT_QUOTED_END;
	if (may_end && c == '\r')
		return ST_CHUNK_SIZE_LF;
	if (may_end && c == ';')
		return ST_EXT_NAME_START;
	switch (state) {
	case ST_EXT_NAME:
		if (c == '=')
			return ST_EXT_VALUE_START;
		return token ? ST_EXT_NAME : ST_FAILED;
	case ST_EXT_NAME_START:
		return token ? ST_EXT_NAME : ST_FAILED;
	case ST_EXT_VALUE_START:
		if (c == '"')
			return ST_EXT_QUOTED;
		return token ? ST_EXT_VALUE : ST_FAILED;
	case ST_EXT_VALUE:
		return token ? ST_EXT_VALUE : ST_FAILED;
	case ST_EXT_QUOTED:
		if (c == '"')
			return ST_EXT_QUOTED_END;
		if (c == '\\')
			return ST_EXT_ESCAPED;
		return value ? ST_EXT_QUOTED : ST_FAILED;
	case ST_EXT_ESCAPED:
		return value ? ST_EXT_QUOTED : ST_FAILED;
	default:
		return ST_FAILED;
	}
}

// Extensions are ignored; but not without limit.
static enum http_event
chunk_ext_byte(struct http_parser *p, char c)
{
	enum state next = ext_next((enum state)p->state, c);
	if (next == ST_FAILED)
		return fail(p, 400, "bad chunk extension");
	if (next != ST_CHUNK_SIZE_LF &&
	    (++p->ext_len > CHUNK_EXT_MAX || ++p->ext_total > CHUNK_EXT_TOTAL))
		return fail(p, 400, "chunk extensions too long");
	p->state = (uint8_t)next;
	return HTTP_NEED_MORE;
}

static enum http_event
chunk_byte(struct http_parser *p, char c)
{
	switch ((enum state)p->state) {
	case ST_CHUNK_SIZE:
		return chunk_size_byte(p, c);
	case ST_EXT_NAME_START:
	case ST_EXT_NAME:
	case ST_EXT_VALUE_START:
	case ST_EXT_VALUE:
	case ST_EXT_QUOTED:
	case ST_EXT_ESCAPED:
	case ST_EXT_QUOTED_END:
		return chunk_ext_byte(p, c);
	case ST_CHUNK_SIZE_LF:
		if (c != '\n')
			return fail(p, 400, "bare CR in chunk size line");
		p->chunk_digits = 0;
		p->state = p->remaining == 0 ? ST_TRAILER : ST_CHUNK_DATA;
		return HTTP_NEED_MORE;
	case ST_CHUNK_DATA_CR:
		if (c != '\r')
			return fail(p, 400, "chunk longer than its size");
		p->state = ST_CHUNK_DATA_LF;
		return HTTP_NEED_MORE;
	case ST_CHUNK_DATA_LF:
		if (c != '\n')
			return fail(p, 400, "bare CR behind chunk");
		p->state = ST_CHUNK_SIZE;
		return HTTP_NEED_MORE;
	default:
		BUG("not a chunk state");
	}
}

// --- trailers: checked and dropped (RFC 9112, 7.1.2 allows it) --------------------

static enum http_event
trailer_line(struct http_parser *p, const char *line, size_t len)
{
	if (len < 2 || line[len - 2] != '\r')
		return fail(p, 400, "bare LF");
	len -= 2;
	if (len == 0) {
		p->state = ST_END;
		return HTTP_END;
	}
	struct view name, value;
	const char *wrong = http_head_split(line, len, &name, &value);
	if (wrong != NULL)
		return fail(p, 400, wrong);
	if (++p->trailer_count > p->limits->headers_max)
		return fail(p, 431, "too many trailers");
	if (http_view_eq_nocase(name, "content-length") ||
	    http_view_eq_nocase(name, "transfer-encoding") || http_view_eq_nocase(name, "host"))
		return fail(p, 400, "framing header in trailers");
	return HTTP_NEED_MORE;
}

static enum http_event
feed_trailer(struct http_parser *p, const char *buf, size_t len, size_t *used)
{
	while (*used < len) {
		const char *at = buf + *used;
		const char *lf = memchr(at, '\n', len - *used);
		size_t take = lf == NULL ? len - *used : (size_t)(lf - at) + 1;
		if (take > p->limits->trailer_max - p->trailer_total)
			return fail(p, 431, "trailers too large");
		p->trailer_total += (uint32_t)take;
		*used += take;
		if (lf == NULL || p->line.len > 0) {
			append(&p->line, at, take);
			at = p->line.p;
			take = p->line.len;
		}
		if (lf == NULL)
			break;
		p->line.len = 0;
		enum http_event ev = trailer_line(p, at, take);
		if (ev != HTTP_NEED_MORE)
			return ev;
	}
	return HTTP_NEED_MORE;
}

// --- the machine -------------------------------------------------------------------

static enum http_event
feed(struct http_parser *p, const char *buf, size_t len, size_t *used)
{
	for (;;) {
		const char *at = len == 0 ? NULL : buf + *used;
		size_t left = len - *used;
		switch ((enum state)p->state) {
		case ST_INFORMATIONAL:
			next_head(p);
			break;
		case ST_IDLE:
			return feed_head(p, buf, len, used);
		case ST_LENGTH:
			return feed_sized(p, at, left, used, ST_END);
		case ST_UNTIL_CLOSE:
			return feed_until_close(p, at, left, used);
		case ST_CHUNK_DATA:
			return feed_sized(p, at, left, used, ST_CHUNK_DATA_CR);
		case ST_TRAILER:
			return feed_trailer(p, buf, len, used);
		case ST_END:
			return HTTP_END;
		case ST_FAILED:
			return HTTP_FAILED;
		default: // one byte of chunk framing
			if (left == 0)
				return HTTP_NEED_MORE;
			++*used;
			if (chunk_byte(p, *at) == HTTP_FAILED)
				return HTTP_FAILED;
		}
	}
}

enum http_event
http_parse_feed(struct http_parser *p, const char *buf, size_t len, size_t *consumed_r)
{
	*consumed_r = 0;
	p->body = (struct view){0};
	return feed(p, buf, len, consumed_r);
}

enum http_eof
http_parse_eof(const struct http_parser *p)
{
	if (http_parse_idle(p))
		return HTTP_EOF_IDLE;
	if (p->state == ST_END || p->state == ST_UNTIL_CLOSE)
		return HTTP_EOF_END;
	return HTTP_EOF_TRUNCATED;
}

bool
http_parse_idle(const struct http_parser *p)
{
	return p->state == ST_IDLE && p->head.len == 0 && p->informational == 0;
}
