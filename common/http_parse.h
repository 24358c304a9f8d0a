// SPDX-License-Identifier: Apache-2.0
// Strict incremental HTTP/1.1 parser for requests and responses; no I/O. Used by
// the gateway on both sides and by the demo provider. Sources: RFC 9112 (syntax,
// framing), RFC 9110 (fields). Where the RFCs let a recipient be lenient and two
// recipients could then disagree about where a message ends, this one rejects.
//
// Use:
//	struct http_parser p;
//	http_parser_init(&p, HTTP_REQUEST, NULL);
//	for (;;) { // on every read
//		ev = http_parse_feed(&p, buf, len, &used);
//		buf += used, len -= used;
//		HTTP_NEED_MORE: all was consumed; wait for the next read
//		HTTP_HEAD:      p.method, p.target, http_header(&p, "host") ...
//		HTTP_BODY:      p.body, inside the caller's buf; use or copy it now
//		HTTP_END:       message complete; http_parser_reset(&p) for the next one
//		HTTP_FAILED:    answer p.error_status, say p.error_reason, close
//	}
// Call feed until it says NEED_MORE (or END, FAILED): HEAD and END may come
// without consuming a byte, so also call it with len 0 after each other event.
// Pipelined bytes behind END are never consumed before the reset.
#ifndef COMMON_HTTP_PARSE_H
#define COMMON_HTTP_PARSE_H

#include "common/base.h"
#include "common/mp.h"

enum http_kind { HTTP_REQUEST, HTTP_RESPONSE };

enum http_event {
	HTTP_NEED_MORE,
	HTTP_HEAD,	    // head complete; views and fields below are valid until reset
	HTTP_INFORMATIONAL, // responses only: a 1xx head (never 101); valid until next feed
	HTTP_BODY,	    // p.body is set, len > 0; chunk framing already removed
	HTTP_END,	    // repeated, consuming nothing, until reset
	HTTP_FAILED,	    // repeated until free; the stream cannot be resynchronised
};

enum http_eof {
	HTTP_EOF_IDLE,	    // not one byte of a message was seen: a clean close
	HTTP_EOF_END,	    // the message is complete (an until_close body ends here)
	HTTP_EOF_TRUNCATED, // the message is cut
};

// Kept by pointer, so it must outlive the parser (a static const is meant).
struct http_limits {
	uint32_t head_max;	 // bytes of the whole head, at most 16 MiB (else 431)
	uint32_t start_line_max; // bytes of the first line (else 414)
	uint32_t headers_max;	 // header lines (else 431)
	uint32_t trailer_max;	 // bytes of all trailer lines
	uint64_t body_max;	 // bytes of body without framing (else 413)
};

// 64 KiB head, 16 KiB first line, 100 headers, 8 KiB trailers, 64 MiB body.
extern const struct http_limits http_limits_default;

struct http_field;  // internal: offsets into head
struct http_bytes { // internal: growing bytes
	char *p;
	uint32_t len, cap;
};

// Idle (after init or reset) it owns no heap memory. Fields below "results" are
// for reading; the rest is private.
struct http_parser {
	// Results, from HTTP_HEAD until reset.
	struct view method;   // requests
	struct view target;   // requests: the whole target, "/..." or "*"
	struct view path;     // requests: target up to '?'
	struct view query;    // requests: behind '?'; .p NULL when there is no '?'
	struct view reason;   // responses: reason phrase, may be empty
	uint16_t status;      // responses: 200..599; 1xx only at HTTP_INFORMATIONAL
	uint8_t minor;	      // 1 for HTTP/1.1, 0 for HTTP/1.0
	bool chunked;	      // body is chunked
	bool has_length;      // Content-Length was given: content_length is valid
	bool has_body;	      // HTTP_BODY may follow (false: END is next)
	bool until_close;     // responses: body ends with the connection
	bool keep_alive;      // connection may carry another message after END
	bool expect_continue; // HTTP/1.1 request with Expect: 100-continue and a body
	uint64_t content_length;
	uint64_t body_seen; // body bytes reported so far

	// At HTTP_BODY: borrowed from the caller's buffer.
	struct view body;

	// At HTTP_FAILED. Requests: 400, 413, 414, 417, 431, 501 or 505; responses:
	// always 502. The text is static, stable, without any peer's bytes.
	uint16_t error_status;
	bool error_h2_preface; // the peer speaks HTTP/2 with prior knowledge
	const char *error_reason;

	// Private.
	uint8_t kind, state;
	bool no_body; // answer to HEAD
	bool seen_host, seen_te, seen_expect;
	uint8_t informational, skipped_crlf, chunk_digits;
	uint16_t field_count, field_cap, trailer_count, ext_len;
	uint32_t line_start, ext_total, trailer_total;
	uint64_t remaining;
	const struct http_limits *limits;
	struct http_field *fields;
	struct http_bytes head; // the head as received
	struct http_bytes line; // a trailer line cut by reads
};

// limits NULL: http_limits_default.
void http_parser_init(struct http_parser *p, enum http_kind kind, const struct http_limits *limits);
// Frees the head and makes ready for the next message. Ends all views.
void http_parser_reset(struct http_parser *p);
// Frees everything; safe after init or a zeroed struct; safe twice.
void http_parser_free(struct http_parser *p);

// Response parser, before the head: the request was HEAD, so no body follows
// whatever the head says. Cleared by reset.
void http_parser_expect_no_body(struct http_parser *p);

// Parses from buf[0..len); *consumed_r is always set and at most len. buf may be
// NULL when len is 0. Never reads past len, never keeps a pointer into buf.
enum http_event http_parse_feed(
    struct http_parser *p, const char *buf, size_t len, size_t *consumed_r) MUST_CHECK;

// What it means if the stream ends now (all bytes having been fed).
enum http_eof http_parse_eof(const struct http_parser *p) MUST_CHECK;

// True when no byte of the next message has been seen (idle keep-alive).
bool http_parse_idle(const struct http_parser *p);

// --- header fields: order of arrival, names as received, values trimmed ------

size_t http_header_count(const struct http_parser *p);
void http_header_at(
    const struct http_parser *p, size_t i, struct view *name_r, struct view *value_r);
// First one of this name (any case); .p NULL if absent, .p set and len 0 if empty.
struct view http_header(const struct http_parser *p, const char *name);
// How many lines carry this name: more than 1 where one is allowed is a fault.
size_t http_header_repeats(const struct http_parser *p, const char *name);
// Whether the comma-separated lists of all lines of this name hold token (any
// case; parameters behind ';' are ignored). For Connection, Accept and the like.
bool http_header_has_token(const struct http_parser *p, const char *name, const char *token);

// --- characters (RFC 9110, section 5.6.2 and 5.5) ----------------------------

bool http_is_token(struct view v);	 // one or more tchar
bool http_is_field_value(struct view v); // no control but HTAB; no space at the ends; may be empty
bool http_view_eq_nocase(struct view a, const char *b); // ASCII case only

#endif
