// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Everything that the gateway does with a request before the vault hears of it:
// parser, route, key, headers, body checks. What comes out must encode as AUTHORIZE.
#include <stdlib.h>
#include <string.h>

#include "gatewayd/auth.h"
#include "gatewayd/request.h"

static void
finish(struct request *r)
{
	struct failure f;
	if (request_complete(r, &f)) {
		uint8_t buf[8192];
		struct msg_authorize m = {.client_key = r->client_key,
		    .operation = r->op,
		    .model = r->model,
		    .stream = r->stream};
		struct msg_authorize back;
		size_t n = msg_encode(MSG_AUTHORIZE, &m, buf, sizeof(buf));
		if (n == 0 || msg_decode(MSG_AUTHORIZE, buf, n, &back) != 0)
			abort();
		for (size_t i = 0; i < r->header_count; i++)
			if (r->header[i].value.len == 0 || r->header[i].value.len > 2048)
				abort();
	} else if (f.status < 400 || f.status > 499 || f.message.len == 0) {
		abort();
	}
}

static struct request *
start(struct http_parser *p, struct limits *limits)
{
	static struct route route;
	struct view key;
	struct failure f;
	enum api hint = http_header(p, "anthropic-version").p != NULL ? DIALECT_ANTHROPIC
			: http_header(p, "x-goog-api-key").p != NULL  ? DIALECT_GOOGLE
								      : DIALECT_OPENAI;
	route_find(p->method, p->path, p->query, hint, &route);
	if (route.kind == ROUTE_FAILED && route.failure.message.len == 0)
		abort();
	if (route.kind != ROUTE_OPERATION || !auth_find(p, &key, &f))
		return NULL;
	return request_new(p, &route, key, limits, &f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct limits limits = {.buffered_max = 1 << 20};
	struct http_parser p;
	struct request *r = NULL;
	http_parser_init(&p, HTTP_REQUEST, NULL);
	for (size_t at = 0;;) {
		size_t used;
		enum http_event ev = http_parse_feed(&p, (const char *)data + at, size - at, &used);
		at += used;
		if (ev == HTTP_HEAD)
			r = start(&p, &limits);
		else if (ev == HTTP_BODY && r != NULL && !request_body(r, p.body))
			break;
		else if (ev == HTTP_END && r != NULL)
			finish(r);
		if (ev == HTTP_END || ev == HTTP_NEED_MORE || ev == HTTP_FAILED ||
		    (ev == HTTP_HEAD && r == NULL))
			break;
	}
	request_free(r);
	http_parser_free(&p);
	if (limits.buffered != 0)
		abort();
	return 0;
}
