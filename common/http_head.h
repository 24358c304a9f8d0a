// SPDX-License-Identifier: Apache-2.0
// Inside of the HTTP parser: the grammar of one head line and the decision how
// the body is framed. Only http_parse.c and http_write.c include this.
#ifndef COMMON_HTTP_HEAD_H
#define COMMON_HTTP_HEAD_H

#include "common/http_parse.h"

// Character classes, one bit each.
#define HTTP_C_TOKEN  1u // RFC 9110, 5.6.2: tchar
#define HTTP_C_VALUE  2u // RFC 9110, 5.5: HTAB, SP, VCHAR, obs-text
#define HTTP_C_TARGET 4u // visible ASCII but '#', which no request target holds
#define HTTP_C_HOST   8u // RFC 3986: uri-host and port

extern const uint8_t http_head_class[256];

static inline bool
http_head_is(char c, unsigned mask)
{
	return (http_head_class[(uint8_t)c] & mask) != 0;
}

// All n bytes of p are of one of the classes in mask.
bool http_head_all(const char *p, size_t n, unsigned mask);

// Records the failure (the first one wins). status is what a server would
// answer; a response parser always says 502. Returns -1.
int http_head_fail(struct http_parser *p, unsigned status, const char *reason);

// Splits a field line without its CR LF. Returns NULL, or what is wrong with it.
const char *http_head_split(
    const char *line, size_t len, struct view *name_r, struct view *value_r);

// One line of the head, without CR LF, not empty, lying inside p->head. The first
// one is the start line. Both return 0, or -1 after http_head_fail().
int http_head_line(struct http_parser *p, uint32_t at, uint32_t len);
// The empty line was seen: sets the results, above all the framing.
int http_head_done(struct http_parser *p);

#endif
