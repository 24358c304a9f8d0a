// SPDX-License-Identifier: Apache-2.0
// Writers for HTTP/1.1 heads and chunk framing into the caller's bounded buffer.
// Used by the gateway and the demo provider; no I/O, no allocation. A header that
// could change the framing of the message (bad name, control byte in the value)
// is never written: `failed` is set instead, and stays set, so that the caller
// may write a whole head and check once. Source: RFC 9112, sections 3 to 7.
#ifndef COMMON_HTTP_WRITE_H
#define COMMON_HTTP_WRITE_H

#include "common/base.h"
#include "common/mp.h"

struct http_out {
	char *buf; // the caller's
	size_t cap;
	size_t len;
	bool failed; // did not fit, or was not writable; len is then meaningless
};

void http_out_init(struct http_out *o, char *buf, size_t cap);

// "HTTP/1.1 200 OK". BUG unless 100 <= status <= 599: statuses of peers come
// through the parser, which checked them.
void http_put_status(struct http_out *o, unsigned status);
// "POST /v1/messages HTTP/1.1". Target must be visible ASCII and begin with '/'.
void http_put_request(struct http_out *o, struct view method, struct view target);
// One field line.
void http_put_header(struct http_out *o, struct view name, struct view value);
void http_put_header_str(struct http_out *o, const char *name, const char *value);
void http_put_header_u64(struct http_out *o, const char *name, uint64_t value);
// "content-length: N" / "transfer-encoding: chunked".
void http_put_content_length(struct http_out *o, uint64_t length);
void http_put_chunked(struct http_out *o);
// The empty line.
void http_put_end(struct http_out *o);
// Raw bytes, for a body that belongs in the same write. Unchecked.
void http_put_bytes(struct http_out *o, struct view bytes);
// One whole chunk: size line, bytes, CRLF. An empty one is skipped, since a chunk
// of size zero ends the message.
void http_put_chunk(struct http_out *o, struct view bytes);
// "0\r\n\r\n".
void http_put_last_chunk(struct http_out *o);

// For gathered writes: the size line of a chunk of n > 0 bytes into dst, returns
// its length. HTTP_CRLF follows the bytes; HTTP_LAST_CHUNK ends the message.
#define HTTP_CHUNK_HEAD_MAX 18
#define HTTP_CRLF	    "\r\n"
#define HTTP_LAST_CHUNK	    "0\r\n\r\n"
size_t http_chunk_head(char dst[HTTP_CHUNK_HEAD_MAX], size_t n) MUST_CHECK;

// Standard reason phrase; "Unknown" for a status without one. Never NULL.
const char *http_reason(unsigned status);

#endif
