// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 parser: a table of requests and of responses with what each must
// give, every one fed whole, cut in two at every byte, and byte by byte, always
// from exact heap copies, so that a sanitizer sees any read past the input.
#include "common/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// Everything that a caller can see of a byte stream, as text.
struct transcript {
	char text[16384];
	size_t len;
	char body[8192];
	size_t body_len;
};

static void note(struct transcript *t, const char *fmt, ...) PRINTF(2, 3);

static void
note(struct transcript *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(t->text + t->len, sizeof(t->text) - t->len, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < sizeof(t->text) - t->len);
	t->len += (size_t)n;
}

static void
note_head(struct transcript *t, const struct http_parser *p, const char *what)
{
	note(t, "%s[%.*s|%.*s|%.*s|%.*s]%u", what, (int)p->method.len, p->method.p,
	    (int)p->path.len, p->path.p, (int)p->query.len, p->query.p == NULL ? "" : p->query.p,
	    (int)p->reason.len, p->reason.p, p->status);
	note(t, " 1.%u%s%s%s%s%s%s", p->minor, p->chunked ? " chunked" : "",
	    p->has_length ? " length" : "", p->has_body ? " body" : "",
	    p->until_close ? " until-close" : "", p->keep_alive ? " keep" : "",
	    p->expect_continue ? " expect" : "");
	for (size_t i = 0; i < http_header_count(p); i++) {
		struct view n, v;
		http_header_at(p, i, &n, &v);
		note(t, " {%.*s=%.*s}", (int)n.len, n.p, (int)v.len, v.p);
	}
	note(t, "\n");
}

// Feeds one piece; returns false when the stream failed.
static bool
feed_piece(struct transcript *t, struct http_parser *p, const char *piece, size_t len)
{
	char *copy = malloc(len == 0 ? 1 : len);
	assert_non_null(copy);
	memcpy(copy, piece, len);
	size_t at = 0;
	bool alive = true;
	for (;;) {
		size_t used = 99;
		enum http_event ev = http_parse_feed(p, copy + at, len - at, &used);
		assert_true(used <= len - at);
		at += used;
		if (ev == HTTP_NEED_MORE) {
			assert_int_equal(at, len);
			break;
		}
		if (ev == HTTP_HEAD) {
			note_head(t, p, "HEAD");
		} else if (ev == HTTP_INFORMATIONAL) {
			note_head(t, p, "INFO");
		} else if (ev == HTTP_BODY) {
			assert_true(p->body.len > 0 && p->body.len <= used);
			assert_true(p->body.p >= copy && p->body.p + p->body.len <= copy + at);
			assert_true(t->body_len + p->body.len <= sizeof(t->body));
			memcpy(t->body + t->body_len, p->body.p, p->body.len);
			t->body_len += p->body.len;
			assert_int_equal(p->body_seen, t->body_len);
		} else if (ev == HTTP_END) {
			note(t, "END %zu:%.*s\n", t->body_len, (int)t->body_len, t->body);
			t->body_len = 0;
			http_parser_reset(p);
			assert_true(http_parse_idle(p));
			if (at == len)
				break;
		} else {
			note(t, "FAILED %u %s\n", p->error_status, p->error_reason);
			assert_int_equal(
			    http_parse_feed(p, copy + at, len - at, &used), HTTP_FAILED);
			assert_int_equal(used, 0);
			alive = false;
			break;
		}
	}
	free(copy);
	return alive;
}

static void
note_eof(struct transcript *t, const struct http_parser *p)
{
	static const char *const names[] = {"idle", "end", "truncated"};
	note(t, "EOF %s %.*s\n", names[http_parse_eof(p)], (int)t->body_len, t->body);
}

// head_answer: the request was HEAD. step 0: two pieces cut at `cut`; else pieces of
// `step` bytes.
static void
run(struct transcript *t, enum http_kind kind, bool head_answer, struct view in, size_t cut,
    size_t step)
{
	struct http_parser p;
	*t = (struct transcript){0};
	http_parser_init(&p, kind, NULL);
	if (head_answer)
		http_parser_expect_no_body(&p);
	bool alive = true;
	if (step == 0)
		alive = feed_piece(t, &p, in.p, cut) && feed_piece(t, &p, in.p + cut, in.len - cut);
	else
		for (size_t at = 0; alive && at < in.len; at += step)
			alive = feed_piece(t, &p, in.p + at, MIN(step, in.len - at));
	if (alive)
		note_eof(t, &p);
	http_parser_free(&p);
	http_parser_free(&p);
}

static struct transcript whole, cut_up;

static void
check_all_splits(int line, enum http_kind kind, bool head_answer, struct view in)
{
	run(&whole, kind, head_answer, in, in.len, 0);
	for (size_t cut = 0; cut <= in.len + 3; cut++) {
		size_t step = cut > in.len ? cut - in.len : 0;
		run(&cut_up, kind, head_answer, in, cut, step);
		if (strcmp(whole.text, cut_up.text) != 0)
			fail_msg("line %d cut %zu step %zu:\n%s---\n%s", line, cut, step,
			    whole.text, cut_up.text);
	}
}

struct bad {
	int line;
	struct view in;
	unsigned status;
	const char *reason;
};

struct good {
	int line;
	struct view in;
	const char *text; // the whole transcript
};

static void
check_bad(const struct bad *t, size_t n, enum http_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		char want[256];
		snprintf(want, sizeof(want), "FAILED %u %s\n", t[i].status, t[i].reason);
		check_all_splits(t[i].line, kind, false, t[i].in);
		const char *got = strstr(whole.text, "FAILED");
		if (got == NULL || strcmp(got, want) != 0)
			fail_msg("line %d: want %sgot %s", t[i].line, want, whole.text);
	}
}

static void
check_good(const struct good *t, size_t n, enum http_kind kind, bool head_answer)
{
	for (size_t i = 0; i < n; i++) {
		check_all_splits(t[i].line, kind, head_answer, t[i].in);
		if (strcmp(whole.text, t[i].text) != 0)
			fail_msg("line %d: want\n%sgot\n%s", t[i].line, t[i].text, whole.text);
	}
}

#define BAD(in, status, reason)                                                                    \
	{                                                                                          \
		__LINE__, VIEW(in), status, reason                                                 \
	}
#define GOOD(in, text)                                                                             \
	{                                                                                          \
		__LINE__, VIEW(in), text                                                           \
	}
#define H	"Host: a\r\n"
#define POST	"POST /v1 HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

// clang-format off
static const struct bad bad_requests[] = {
	// Line ends.
	BAD("GET / HTTP/1.1\n" H "\r\n", 400, "bare LF"),
	BAD("GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bare LF"),
	BAD("GET / HTTP/1.1\r\n" H "\n", 400, "bare LF"),
	BAD("\nGET / HTTP/1.1\r\n" H "\r\n", 400, "bare LF"),
	BAD("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, "control byte in header value"),
	BAD("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400, "control byte in header value"),
	BAD("GET / HTTP/1.1\r\r\n" H "\r\n", 400, "bad HTTP version"),
	BAD("GET / HTTP/1.1\r\n" H "\rX: 1\r\n\r\n", 400, "bad header name"),
	BAD("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400, "empty line before the start line"),
	BAD("GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 400, "folded header line"),
	BAD("GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", 400, "folded header line"),
	BAD("GET / HTTP/1.1\r\n X: a\r\n" H "\r\n", 400, "folded header line"),
	// Request line.
	BAD("GET\r\n\r\n", 400, "bad request line"),
	BAD("GET /\r\n\r\n", 400, "bad request line"),
	BAD("GET  / HTTP/1.1\r\n" H "\r\n", 400, "bad HTTP version"),
	BAD("GET /  HTTP/1.1\r\n" H "\r\n", 400, "bad HTTP version"),
	BAD("GET / HTTP/1.1 \r\n" H "\r\n", 400, "bad HTTP version"),
	BAD(" GET / HTTP/1.1\r\n" H "\r\n", 400, "not an HTTP request"),
	BAD("GET\t/ HTTP/1.1\r\n" H "\r\n", 400, "bad request line"),
	BAD("GET\t/ HTTP/1.1 HTTP/1.1\r\n" H "\r\n", 400, "bad method"),
	BAD("G(T / HTTP/1.1\r\n" H "\r\n", 400, "bad method"),
	BAD("GET /\0 HTTP/1.1\r\n" H "\r\n", 400, "bad byte in request target"),
	BAD("GET /\x7f HTTP/1.1\r\n" H "\r\n", 400, "bad byte in request target"),
	BAD("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400, "bad byte in request target"),
	BAD("GET /\t HTTP/1.1\r\n" H "\r\n", 400, "bad byte in request target"),
	BAD("GET /a#b HTTP/1.1\r\n" H "\r\n", 400, "bad byte in request target"),
	BAD("GET http://a/ HTTP/1.1\r\n" H "\r\n", 400, "request target is not a path"),
	BAD("CONNECT a:443 HTTP/1.1\r\n" H "\r\n", 400, "request target is not a path"),
	BAD("GET * HTTP/1.1\r\n" H "\r\n", 400, "request target is not a path"),
	BAD("OPTIONS ** HTTP/1.1\r\n" H "\r\n", 400, "request target is not a path"),
	BAD("options * HTTP/1.1\r\n" H "\r\n", 400, "request target is not a path"),
	BAD("GET a HTTP/1.1\r\n" H "\r\n", 400, "request target is not a path"),
	BAD("GET / http/1.1\r\n" H "\r\n", 400, "bad HTTP version"),
	BAD("GET / HTTP/1\r\n" H "\r\n", 400, "bad HTTP version"),
	BAD("GET / HTTP/1.10\r\n" H "\r\n", 400, "bad HTTP version"),
	BAD("GET / HTTP/01.1\r\n" H "\r\n", 400, "bad HTTP version"),
	BAD("GET / HTTP/1.x\r\n" H "\r\n", 400, "bad HTTP version"),
	BAD("GET / ICE/1.1\r\n" H "\r\n", 400, "bad HTTP version"),
	BAD("GET / HTTP/1.2\r\n" H "\r\n", 505, "HTTP version not supported"),
	BAD("GET / HTTP/2.0\r\n" H "\r\n", 505, "HTTP version not supported"),
	BAD("GET / HTTP/0.9\r\n\r\n", 505, "HTTP version not supported"),
	BAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2 connection preface"),
	BAD("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "TLS on a plaintext port"),
	BAD("\x05\x01", 400, "not an HTTP request"),
	BAD("\0", 400, "not an HTTP request"),
	// Fields.
	BAD("GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", 400, "space before header colon"),
	BAD("GET / HTTP/1.1\r\n" H "X\t: a\r\n\r\n", 400, "space before header colon"),
	BAD("GET / HTTP/1.1\r\n" H ": a\r\n\r\n", 400, "bad header name"),
	BAD("GET / HTTP/1.1\r\n" H "X(: a\r\n\r\n", 400, "bad header name"),
	BAD("GET / HTTP/1.1\r\n" H "X\xc3\xa4: a\r\n\r\n", 400, "bad header name"),
	BAD("GET / HTTP/1.1\r\n" H "X\0: a\r\n\r\n", 400, "bad header name"),
	BAD("GET / HTTP/1.1\r\n" H "X y: a\r\n\r\n", 400, "space before header colon"),
	BAD("GET / HTTP/1.1\r\n" H "X\r\n\r\n", 400, "header line without colon"),
	BAD("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n", 400, "control byte in header value"),
	BAD("GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", 400, "control byte in header value"),
	BAD("GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 400, "control byte in header value"),
	BAD("GET / HTTP/1.1\r\n" H "X: \x0b" "a\r\n\r\n", 400, "control byte in header value"),
	// Host.
	BAD("GET / HTTP/1.1\r\n\r\n", 400, "missing host"),
	BAD("GET / HTTP/1.1\r\n" H H "\r\n", 400, "duplicate host"),
	BAD("GET / HTTP/1.0\r\n" H "hOST: a\r\n\r\n", 400, "duplicate host"),
	BAD("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad host"),
	BAD("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad host"),
	BAD("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "bad host"),
	BAD("GET / HTTP/1.1\r\nHost: a\xff\r\n\r\n", 400, "bad host"),
	// Content-Length.
	BAD(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, "duplicate content-length"),
	BAD(POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello", 400, "duplicate content-length"),
	BAD(POST "Content-Length: 5, 5\r\n\r\nhello", 400, "bad content-length"),
	BAD(POST "Content-Length: +5\r\n\r\nhello", 400, "bad content-length"),
	BAD(POST "Content-Length: -5\r\n\r\nhello", 400, "bad content-length"),
	BAD(POST "Content-Length: 5 5\r\n\r\nhello", 400, "bad content-length"),
	BAD(POST "Content-Length: 5\t\r\n\r\nhello", 400, "tab in framing header"),
	BAD(POST "Content-Length:\t5\r\n\r\nhello", 400, "tab in framing header"),
	BAD(POST "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n", 400, "tab in framing header"),
	BAD(POST "Content-Length: 0x5\r\n\r\nhello", 400, "bad content-length"),
	BAD(POST "Content-Length: 5.0\r\n\r\nhello", 400, "bad content-length"),
	BAD(POST "Content-Length:\r\n\r\n", 400, "bad content-length"),
	BAD(POST "Content-Length: 18446744073709551616\r\n\r\n", 400, "bad content-length"),
	BAD(POST "Content-Length: 99999999999999999999\r\n\r\n", 400, "bad content-length"),
	BAD(POST "Content-Length: 18446744073709551615\r\n\r\n", 413, "body too large"),
	BAD(POST "Content-Length: 67108865\r\n\r\n", 413, "body too large"),
	// Transfer-Encoding.
	BAD(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
	    "both content-length and transfer-encoding"),
	BAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400,
	    "both content-length and transfer-encoding"),
	BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
	    "duplicate transfer-encoding"),
	BAD(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 501, "unsupported transfer-encoding"),
	BAD(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "unsupported transfer-encoding"),
	BAD(POST "Transfer-Encoding: chunked, identity\r\n\r\n", 501, "unsupported transfer-encoding"),
	BAD(POST "Transfer-Encoding: identity\r\n\r\n", 501, "unsupported transfer-encoding"),
	BAD(POST "Transfer-Encoding: xchunked\r\n\r\n", 501, "unsupported transfer-encoding"),
	BAD(POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501, "unsupported transfer-encoding"),
	BAD(POST "Transfer-Encoding: chunked;q=1\r\n\r\n", 501, "unsupported transfer-encoding"),
	BAD(POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n", 400, "control byte in header value"),
	BAD(POST "Transfer-Encoding:\r\n\r\n", 501, "unsupported transfer-encoding"),
	BAD("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400,
	    "transfer-encoding in HTTP/1.0"),
	BAD(POST "Expect: 200-ok\r\n\r\n", 417, "unknown expectation"),
	// Chunks.
	BAD(CHUNKED "\r\n", 400, "bad chunk size"),
	BAD(CHUNKED "g\r\n", 400, "bad chunk size"),
	BAD(CHUNKED "0x5\r\nhello\r\n", 400, "bad chunk size"),
	BAD(CHUNKED "-1\r\n", 400, "bad chunk size"),
	BAD(CHUNKED "+5\r\nhello\r\n", 400, "bad chunk size"),
	BAD(CHUNKED " 5\r\nhello\r\n", 400, "bad chunk size"),
	BAD(CHUNKED "5 \r\nhello\r\n", 400, "bad chunk size"),
	BAD(CHUNKED "5 ;a\r\nhello\r\n", 400, "bad chunk size"),
	BAD(CHUNKED "5\nhello\r\n", 400, "bad chunk size"),
	BAD(CHUNKED "5\rhello\r\n", 400, "bare CR in chunk size line"),
	BAD(CHUNKED "5\r\nhello\n", 400, "chunk longer than its size"),
	BAD(CHUNKED "5\r\nhello!\r\n", 400, "chunk longer than its size"),
	BAD(CHUNKED "5\r\nhello\r0", 400, "bare CR behind chunk"),
	BAD(CHUNKED "5\r\nhello0\r\n\r\n", 400, "chunk longer than its size"),
	BAD(CHUNKED "00000000000000005\r\n", 400, "chunk size too long"),
	BAD(CHUNKED "ffffffffffffffff\r\n", 413, "body too large"),
	BAD(CHUNKED "4000001\r\n", 413, "body too large"),
	BAD(CHUNKED "1\r\na\r\n4000000\r\n", 413, "body too large"),
	BAD(CHUNKED "5;\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;a\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;a\rhello\r\n", 400, "bare CR in chunk size line"),
	BAD(CHUNKED "5;a\0\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5; a\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;a b\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;a=\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;a==b\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;a=b;\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;a=\"b\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;a=\"b\"c\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;a=\"\\\r\nhello\r\n", 400, "bad chunk extension"),
	BAD(CHUNKED "5;=a\r\nhello\r\n", 400, "bad chunk extension"),
	// Trailers.
	BAD(CHUNKED "0\r\nX: a\n\r\n", 400, "bare LF"),
	BAD(CHUNKED "0\r\n\n", 400, "bare LF"),
	BAD(CHUNKED "0\r\nX : a\r\n\r\n", 400, "space before header colon"),
	BAD(CHUNKED "0\r\nX\r\n\r\n", 400, "header line without colon"),
	BAD(CHUNKED "0\r\nX: a\r\n b\r\n\r\n", 400, "folded header line"),
	BAD(CHUNKED "0\r\nContent-Length: 5\r\n\r\n", 400, "framing header in trailers"),
	BAD(CHUNKED "0\r\ntransfer-encoding: chunked\r\n\r\n", 400, "framing header in trailers"),
	BAD(CHUNKED "0\r\nhost: b\r\n\r\n", 400, "framing header in trailers"),
	BAD(CHUNKED "0\r\nX: a\0\r\n\r\n", 400, "control byte in header value"),
	// A good message first: the fault of the second is still found.
	BAD("GET / HTTP/1.1\r\n" H "\r\nGET / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: "
	    "chunked\r\n\r\n", 400, "both content-length and transfer-encoding"),
	BAD(POST "Content-Length: 2\r\n\r\nabcGET / HTTP/1.1\n", 400, "bare LF"),
};

static const struct good good_requests[] = {
	GOOD("", "EOF idle \n"),
	GOOD("\r\n", "EOF idle \n"),
	GOOD("\r", "EOF truncated \n"),
	GOOD("GET / HTTP/1.1\r\n" H "\r\n", "HEAD[GET|/||]0 1.1 keep {Host=a}\nEND 0:\nEOF idle \n"),
	GOOD("GET / HTTP/1.1\r\n" H "\r", "EOF truncated \n"),
	GOOD("\r\nGET /a?b=c?d HTTP/1.1\r\nhost:a\r\n\r\n",
	    "HEAD[GET|/a|b=c?d|]0 1.1 keep {host=a}\nEND 0:\nEOF idle \n"),
	GOOD("GET /? HTTP/1.1\r\nHost:\r\n\r\n", "HEAD[GET|/||]0 1.1 keep {Host=}\nEND 0:\nEOF idle \n"),
	GOOD("GET //x/../%2e;a[]\"<>\\^`{|} HTTP/1.1\r\n" H "\r\n",
	    "HEAD[GET|//x/../%2e;a[]\"<>\\^`{|}||]0 1.1 keep {Host=a}\nEND 0:\nEOF idle \n"),
	GOOD("OPTIONS * HTTP/1.1\r\n" H "\r\n", "HEAD[OPTIONS|*||]0 1.1 keep {Host=a}\nEND 0:\nEOF idle \n"),
	GOOD("M-SEARCH / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
	    "HEAD[M-SEARCH|/||]0 1.1 keep {Host=[::1]:8080}\nEND 0:\nEOF idle \n"),
	GOOD("GET / HTTP/1.1\r\nX:\t a \xff b \t\r\n" H "!#$%&'*+-.^_`|~0: y\r\n\r\n",
	    "HEAD[GET|/||]0 1.1 keep {X=a \xff b} {Host=a} {!#$%&'*+-.^_`|~0=y}\nEND 0:\nEOF idle \n"),
	// Keep-alive.
	GOOD("GET / HTTP/1.1\r\n" H "Connection: Close\r\n\r\n",
	    "HEAD[GET|/||]0 1.1 {Host=a} {Connection=Close}\nEND 0:\nEOF idle \n"),
	GOOD("GET / HTTP/1.1\r\n" H "Connection: x, close ,y\r\n\r\n",
	    "HEAD[GET|/||]0 1.1 {Host=a} {Connection=x, close ,y}\nEND 0:\nEOF idle \n"),
	GOOD("GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n",
	    "HEAD[GET|/||]0 1.1 keep {Host=a} {Connection=closed}\nEND 0:\nEOF idle \n"),
	GOOD("GET / HTTP/1.0\r\n\r\n", "HEAD[GET|/||]0 1.0\nEND 0:\nEOF idle \n"),
	GOOD("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
	    "HEAD[GET|/||]0 1.0 keep {Connection=Keep-Alive}\nEND 0:\nEOF idle \n"),
	GOOD("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
	    "HEAD[GET|/||]0 1.0 {Connection=keep-alive} {Connection=close}\nEND 0:\nEOF idle \n"),
	GOOD("GET / HTTP/1.1\r\n" H "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
	    "HEAD[GET|/||]0 1.1 keep {Host=a} {Upgrade=h2c} {Connection=upgrade}\nEND 0:\nEOF idle \n"),
	// Bodies.
	GOOD(POST "Content-Length: 5\r\n\r\nhello",
	    "HEAD[POST|/v1||]0 1.1 length body keep {Host=a} {Content-Length=5}\nEND 5:hello\nEOF idle \n"),
	GOOD(POST "Content-Length: 0005\r\n\r\nhello",
	    "HEAD[POST|/v1||]0 1.1 length body keep {Host=a} {Content-Length=0005}\nEND 5:hello\nEOF idle \n"),
	GOOD(POST "Content-Length: 5\r\n\r\nhell",
	    "HEAD[POST|/v1||]0 1.1 length body keep {Host=a} {Content-Length=5}\nEOF truncated hell\n"),
	GOOD(POST "Content-Length: 0\r\n\r\n",
	    "HEAD[POST|/v1||]0 1.1 length keep {Host=a} {Content-Length=0}\nEND 0:\nEOF idle \n"),
	GOOD(POST "Content-Length: 2\r\n\r\nhi\r\nGET /2 HTTP/1.1\r\n" H "\r\n",
	    "HEAD[POST|/v1||]0 1.1 length body keep {Host=a} {Content-Length=2}\nEND 2:hi\n"
	    "HEAD[GET|/2||]0 1.1 keep {Host=a}\nEND 0:\nEOF idle \n"),
	GOOD("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
	    "HEAD[POST|/||]0 1.0 length body {Content-Length=2}\nEND 2:hi\nEOF idle \n"),
	GOOD(POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi",
	    "HEAD[POST|/v1||]0 1.1 length body keep expect {Host=a} {Expect=100-Continue} "
	    "{Content-Length=2}\nEND 2:hi\nEOF idle \n"),
	GOOD(POST "Expect: 100-continue\r\n\r\n",
	    "HEAD[POST|/v1||]0 1.1 keep {Host=a} {Expect=100-continue}\nEND 0:\nEOF idle \n"),
	GOOD("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
	    "HEAD[POST|/||]0 1.0 length body {Expect=100-continue} {Content-Length=1}\nEND 1:x\nEOF idle \n"),
	// Chunks.
	GOOD(POST "transfer-encoding: CHUNKED\r\n\r\n5\r\nhello\r\n00A;n=v;m=\"q \\\"\"\r\n, world!!!\r\n0;x\r\n"
	    "T: 1\r\nU:\r\n\r\nGET /2 HTTP/1.1\r\n" H "\r\n",
	    "HEAD[POST|/v1||]0 1.1 chunked body keep {Host=a} {transfer-encoding=CHUNKED}\n"
	    "END 15:hello, world!!!\nHEAD[GET|/2||]0 1.1 keep {Host=a}\nEND 0:\nEOF idle \n"),
	GOOD(CHUNKED "5;a;b=c;d=\"\";e\r\nhello\r\n000\r\n\r\n",
	    "HEAD[POST|/v1||]0 1.1 chunked body keep {Host=a} {Transfer-Encoding=chunked}\n"
	    "END 5:hello\nEOF idle \n"),
	GOOD(CHUNKED "0000000000000001\r\n\n\r\n0\r\n\r",
	    "HEAD[POST|/v1||]0 1.1 chunked body keep {Host=a} {Transfer-Encoding=chunked}\n"
	    "EOF truncated \n\n"),
	GOOD(CHUNKED "5\r\nhello\r\n",
	    "HEAD[POST|/v1||]0 1.1 chunked body keep {Host=a} {Transfer-Encoding=chunked}\n"
	    "EOF truncated hello\n"),
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct bad bad_responses[] = {
	BAD("\r\n" OK "\r\n", 502, "not an HTTP response"),
	BAD("ICY 200 OK\r\n\r\n", 502, "not an HTTP response"),
	BAD("HTTP/1.1 200 OK\n\r\n", 502, "bare LF"),
	BAD("HTTP/1.1 20 OK\r\n\r\n", 502, "bad status line"),
	BAD("HTTP/1.1 2000 OK\r\n\r\n", 502, "bad status line"),
	BAD("HTTP/1.1 099 OK\r\n\r\n", 502, "bad status code"),
	BAD("HTTP/1.1 600 OK\r\n\r\n", 502, "bad status code"),
	BAD("HTTP/1.1 +20 OK\r\n\r\n", 502, "bad status code"),
	BAD("HTTP/1.1  200 OK\r\n\r\n", 502, "bad status line"),
	BAD("HTTP/1.1\t200 OK\r\n\r\n", 502, "bad status line"),
	BAD("HTTP/1.1 200\tOK\r\n\r\n", 502, "bad status line"),
	BAD("HTTP/1.1\r\n\r\n", 502, "bad status line"),
	BAD("HTTP/2.0 200 OK\r\n\r\n", 502, "HTTP version not supported"),
	BAD("HTTP/1.2 200 OK\r\n\r\n", 502, "HTTP version not supported"),
	BAD("HTTQ/1.1 200 OK\r\n\r\n", 502, "bad HTTP version"),
	BAD("HTTP/1.1 200 O\x01K\r\n\r\n", 502, "control byte in reason phrase"),
	BAD("HTTP/1.1 200 O\rK\r\n\r\n", 502, "control byte in reason phrase"),
	BAD(OK "X: a\r\n b\r\n\r\n", 502, "folded header line"),
	BAD(OK "X : a\r\n\r\n", 502, "space before header colon"),
	BAD(OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 502,
	    "both content-length and transfer-encoding"),
	BAD(OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 502, "duplicate content-length"),
	BAD(OK "Transfer-Encoding: gzip\r\n\r\n", 502, "unsupported transfer-encoding"),
	BAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 502, "transfer-encoding in HTTP/1.0"),
	BAD("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 502, "unexpected 101"),
	BAD("HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n", 502,
	    "framing header where no body can be"),
	BAD("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 502,
	    "framing header where no body can be"),
	BAD(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX", 502, "chunk longer than its size"),
	BAD(OK "Content-Length: 2\r\n\r\nhixx", 502, "not an HTTP response"),
	BAD("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", 502, "not an HTTP response"),
};

static const struct good good_responses[] = {
	GOOD(OK "Content-Length: 2\r\n\r\nhi",
	    "HEAD[|||OK]200 1.1 length body keep {Content-Length=2}\nEND 2:hi\nEOF idle \n"),
	GOOD(OK "Content-Length: 2\r\n\r\nh",
	    "HEAD[|||OK]200 1.1 length body keep {Content-Length=2}\nEOF truncated h\n"),
	GOOD(OK "\r\nto the end", "HEAD[|||OK]200 1.1 body until-close\nEOF end to the end\n"),
	GOOD(OK "\r\n", "HEAD[|||OK]200 1.1 body until-close\nEOF end \n"),
	GOOD("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nx",
	    "HEAD[|||OK]200 1.0 body until-close {Connection=keep-alive}\nEOF end x\n"),
	GOOD(OK "Transfer-Encoding: Chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	    "HEAD[|||OK]200 1.1 chunked body {Transfer-Encoding=Chunked} {Connection=close}\n"
	    "END 3:abc\nEOF idle \n"),
	GOOD(OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	    "HEAD[|||OK]200 1.1 chunked body keep {Transfer-Encoding=chunked}\nEOF truncated abc\n"),
	GOOD("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: x\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
	    "INFO[|||Continue]100 1.1 keep\nINFO[|||]103 1.1 keep {Link=x}\n"
	    "HEAD[|||OK]200 1.1 length body keep {Content-Length=1}\nEND 1:x\nEOF idle \n"),
	GOOD("HTTP/1.1 100 Continue\r\n\r\n", "INFO[|||Continue]100 1.1 keep\nEOF truncated \n"),
	GOOD("HTTP/1.1 204 No Content\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
	    "HEAD[|||No Content]204 1.1 keep\nEND 0:\n"
	    "HEAD[|||OK]200 1.1 length keep {Content-Length=0}\nEND 0:\nEOF idle \n"),
	GOOD("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
	    "HEAD[|||No Content]204 1.1 length {Content-Length=5}\nEND 0:\nEOF idle \n"),
	GOOD("HTTP/1.1 304 Not Modified\r\nContent-Length: 99999999999\r\n\r\n",
	    "HEAD[|||Not Modified]304 1.1 length keep {Content-Length=99999999999}\nEND 0:\nEOF idle \n"),
	GOOD("HTTP/1.1 429\r\nContent-Length: 0\r\n\r\n",
	    "HEAD[|||]429 1.1 length keep {Content-Length=0}\nEND 0:\nEOF idle \n"),
	GOOD("HTTP/1.1 529 \xc3\xa4 b\tc\r\nContent-Length: 0\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n",
	    "HEAD[|||\xc3\xa4 b\tc]529 1.1 length keep {Content-Length=0} {Set-Cookie=a} {set-cookie=b}\n"
	    "END 0:\nEOF idle \n"),
};

static const struct good head_answers[] = {
	GOOD(OK "Content-Length: 5\r\n\r\n",
	    "HEAD[|||OK]200 1.1 length keep {Content-Length=5}\nEND 0:\nEOF idle \n"),
	GOOD(OK "Transfer-Encoding: chunked\r\n\r\n",
	    "HEAD[|||OK]200 1.1 keep {Transfer-Encoding=chunked}\nEND 0:\nEOF idle \n"),
	GOOD("HTTP/1.1 100 Continue\r\n\r\n" OK "\r\n",
	    "INFO[|||Continue]100 1.1 keep\nHEAD[|||OK]200 1.1 keep\nEND 0:\nEOF idle \n"),
};
// clang-format on

static void
test_requests(void **state)
{
	(void)state;
	check_bad(bad_requests, ARRAY_LEN(bad_requests), HTTP_REQUEST);
	check_good(good_requests, ARRAY_LEN(good_requests), HTTP_REQUEST, false);
}

static void
test_responses(void **state)
{
	(void)state;
	check_bad(bad_responses, ARRAY_LEN(bad_responses), HTTP_RESPONSE);
	check_good(good_responses, ARRAY_LEN(good_responses), HTTP_RESPONSE, false);
}

static void
test_answers_to_head(void **state)
{
	(void)state;
	check_good(head_answers, ARRAY_LEN(head_answers), HTTP_RESPONSE, true);
}

// Every byte value at every kind of place: accepted exactly where the grammar says.
static void
test_every_byte(void **state)
{
	(void)state;
	static const struct {
		const char *before, *after, *accepted;
	} places[] = {
	    {"G", "T / HTTP/1.1\r\nHost: a\r\n\r\n",
		"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"},
	    {"GET / HTTP/1.1\r\nHost: a\r\nX", "Y: 1\r\n\r\n",
		"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:"},
	    {"GET / HTTP/1.1\r\nHost: a", "b\r\n\r\n",
		"!$%&'()*+,-.:;=[]_~"
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"},
	    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1", "\r\n\r\n12345678901234567890",
		"0123456789 "},
	    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1", "\r\n0\r\n\r\n",
		"0123456789abcdefABCDEF"},
	};
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		for (int c = 0; c < 256; c++) {
			char in[256];
			int n =
			    snprintf(in, sizeof(in), "%s?%s", places[i].before, places[i].after);
			in[strlen(places[i].before)] = (char)c;
			run(&whole, HTTP_REQUEST, false, (struct view){in, (size_t)n}, 0, 0);
			bool accepted = strstr(whole.text, "FAILED") == NULL;
			bool want = c != 0 && strchr(places[i].accepted, c) != NULL;
			if (accepted != want)
				fail_msg("place %zu byte %d: %s", i, c, whole.text);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_responses),
	    cmocka_unit_test(test_answers_to_head),
	    cmocka_unit_test(test_every_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
