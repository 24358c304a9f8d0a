// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 head and chunk writers over the caller's buffer. Pure; no allocation.
// Sources: RFC 9112, sections 3, 4, 5 and 7.1; RFC 9110, section 15 (phrases).
#include "common/http_write.h"

#include "common/http_head.h"

#include <string.h>

void
http_out_init(struct http_out *o, char *buf, size_t cap)
{
	*o = (struct http_out){.buf = buf, .cap = cap};
}

void
http_put_bytes(struct http_out *o, struct view bytes)
{
	if (o->failed || bytes.len > o->cap - o->len) {
		o->failed = true;
		return;
	}
	if (bytes.len != 0)
		memcpy(o->buf + o->len, bytes.p, bytes.len);
	o->len += bytes.len;
}

// Decimal digits of v at the end of tmp.
static struct view
decimal(uint64_t v, char tmp[20])
{
	size_t i = 20;
	do {
		tmp[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	return (struct view){.p = tmp + i, .len = 20 - i};
}

void
http_put_status(struct http_out *o, unsigned status)
{
	BUG_IF(status < 100 || status > 599);
	char tmp[20];
	http_put_bytes(o, VIEW("HTTP/1.1 "));
	http_put_bytes(o, decimal(status, tmp));
	http_put_bytes(o, VIEW(" "));
	http_put_bytes(o, view_of(http_reason(status)));
	http_put_bytes(o, VIEW(HTTP_CRLF));
}

void
http_put_request(struct http_out *o, struct view method, struct view target)
{
	if (!http_is_token(method) || target.len == 0 || target.p[0] != '/' ||
	    !http_head_all(target.p, target.len, HTTP_C_TARGET)) {
		o->failed = true;
		return;
	}
	http_put_bytes(o, method);
	http_put_bytes(o, VIEW(" "));
	http_put_bytes(o, target);
	http_put_bytes(o, VIEW(" HTTP/1.1" HTTP_CRLF));
}

void
http_put_header(struct http_out *o, struct view name, struct view value)
{
	if (!http_is_token(name) || !http_is_field_value(value)) {
		o->failed = true;
		return;
	}
	http_put_bytes(o, name);
	http_put_bytes(o, VIEW(": "));
	http_put_bytes(o, value);
	http_put_bytes(o, VIEW(HTTP_CRLF));
}

void
http_put_header_str(struct http_out *o, const char *name, const char *value)
{
	http_put_header(o, view_of(name), view_of(value));
}

void
http_put_header_u64(struct http_out *o, const char *name, uint64_t value)
{
	char tmp[20];
	http_put_header(o, view_of(name), decimal(value, tmp));
}

void
http_put_content_length(struct http_out *o, uint64_t length)
{
	http_put_header_u64(o, "content-length", length);
}

void
http_put_chunked(struct http_out *o)
{
	http_put_bytes(o, VIEW("transfer-encoding: chunked" HTTP_CRLF));
}

void
http_put_end(struct http_out *o)
{
	http_put_bytes(o, VIEW(HTTP_CRLF));
}

size_t
http_chunk_head(char dst[HTTP_CHUNK_HEAD_MAX], size_t n)
{
	BUG_IF(n == 0); // a chunk of size zero ends the message
	size_t digits = 0;
	for (size_t v = n; v != 0; v >>= 4)
		digits++;
	for (size_t i = digits; i-- > 0; n >>= 4)
		dst[i] = "0123456789abcdef"[n & 15];
	dst[digits] = '\r';
	dst[digits + 1] = '\n';
	return digits + 2;
}

void
http_put_chunk(struct http_out *o, struct view bytes)
{
	if (bytes.len == 0)
		return;
	char head[HTTP_CHUNK_HEAD_MAX];
	http_put_bytes(o, (struct view){.p = head, .len = http_chunk_head(head, bytes.len)});
	http_put_bytes(o, bytes);
	http_put_bytes(o, VIEW(HTTP_CRLF));
}

void
http_put_last_chunk(struct http_out *o)
{
	http_put_bytes(o, VIEW(HTTP_LAST_CHUNK));
}

const char *
http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} table[] = {
	    {100, "Continue"}, {101, "Switching Protocols"}, {103, "Early Hints"}, {200, "OK"},
	    {201, "Created"}, {202, "Accepted"}, {203, "Non-Authoritative Information"},
	    {204, "No Content"}, {205, "Reset Content"}, {206, "Partial Content"},
	    {300, "Multiple Choices"}, {301, "Moved Permanently"}, {302, "Found"},
	    {303, "See Other"}, {304, "Not Modified"}, {307, "Temporary Redirect"},
	    {308, "Permanent Redirect"}, {400, "Bad Request"}, {401, "Unauthorized"},
	    {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"},
	    {405, "Method Not Allowed"}, {406, "Not Acceptable"},
	    {407, "Proxy Authentication Required"}, {408, "Request Timeout"}, {409, "Conflict"},
	    {410, "Gone"}, {411, "Length Required"}, {412, "Precondition Failed"},
	    {413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"},
	    {416, "Range Not Satisfiable"}, {417, "Expectation Failed"},
	    {421, "Misdirected Request"}, {422, "Unprocessable Content"},
	    {424, "Failed Dependency"}, {425, "Too Early"}, {426, "Upgrade Required"},
	    {428, "Precondition Required"}, {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"}, {451, "Unavailable For Legal Reasons"},
	    {500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"},
	    {503, "Service Unavailable"}, {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"}, {507, "Insufficient Storage"},
	    {529, "Overloaded"}, // Anthropic's own
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].status == status)
			return table[i].reason;
	return "Unknown";
}
