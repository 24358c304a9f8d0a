// SPDX-License-Identifier: Apache-2.0
// Half of the comparison with Node's parser: reads shapes from standard input and
// prints what ours makes of each. A shape is 'Q' (request) or 'R' (response), its
// length in 4 bytes big-endian, and its bytes. An answer line is
//	accept|reject|cut, reason, and per message: method or status, target, body in hex
// separated by tabs. A response stream is read up to its first final message.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_parse.h"

static char messages[1 << 16];
static size_t messages_len;

static void
note(const char *p, size_t n)
{
	if (n > sizeof(messages) - messages_len)
		exit(2);
	memcpy(messages + messages_len, p, n);
	messages_len += n;
}

static void
note_head(const struct http_parser *p)
{
	char status[8];
	int n = snprintf(status, sizeof(status), "%u", p->status);
	note("\t", 1);
	if (p->status != 0)
		note(status, (size_t)n);
	else
		note(p->method.p, p->method.len);
	note("\t", 1);
	note(p->target.p == NULL ? "" : p->target.p, p->target.len);
	note("\t", 1);
}

static void
shape(char kind, const char *in, size_t len)
{
	struct http_parser p;
	http_parser_init(&p, kind == 'Q' ? HTTP_REQUEST : HTTP_RESPONSE, NULL);
	const char *verdict = NULL, *reason = "";
	size_t at = 0, ended = 0;
	messages_len = 0;
	while (verdict == NULL) {
		size_t used;
		enum http_event ev = http_parse_feed(&p, in + at, len - at, &used);
		at += used;
		if (ev == HTTP_HEAD)
			note_head(&p);
		if (ev == HTTP_BODY)
			for (size_t i = 0; i < p.body.len; i++) {
				char hex[3];
				snprintf(hex, sizeof(hex), "%02x", (uint8_t)p.body.p[i]);
				note(hex, 2);
			}
		if (ev == HTTP_END) {
			ended++;
			if (kind == 'R' || !p.keep_alive)
				verdict = "accept";
			else
				http_parser_reset(&p);
		}
		if (ev == HTTP_FAILED) {
			verdict = "reject";
			reason = p.error_reason;
		}
		if (ev == HTTP_NEED_MORE) {
			enum http_eof eof = http_parse_eof(&p);
			bool whole = eof == HTTP_EOF_END || (eof == HTTP_EOF_IDLE && ended > 0);
			verdict = whole ? "accept" : "cut";
		}
	}
	printf("%s\t%s", verdict, reason);
	fwrite(messages, 1, messages_len, stdout);
	putchar('\n');
	http_parser_free(&p);
}

int
main(void)
{
	uint8_t head[5];
	while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
		size_t len =
		    (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
		char *in = malloc(len == 0 ? 1 : len);
		if (in == NULL || fread(in, 1, len, stdin) != len)
			return 2;
		shape((char)head[0], in, len);
		free(in);
	}
	return 0;
}
