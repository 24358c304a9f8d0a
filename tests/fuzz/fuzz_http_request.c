// SPDX-License-Identifier: Apache-2.0
// Fuzz target: HTTP requests. The result must not depend on the cuts, and a head
// that is accepted must be writable again and read back as the same.
#include "tests/fuzz/fuzz_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_again(const struct http_parser *p)
{
	if (view_eq_str(p->target, "*"))
		return;
	char buf[2048];
	struct http_out o;
	http_out_init(&o, buf, sizeof(buf));
	http_put_request(&o, p->method, p->target);
	for (size_t i = 0; i < http_header_count(p); i++) {
		struct view n, v;
		http_header_at(p, i, &n, &v);
		http_put_header(&o, n, v);
	}
	http_put_end(&o);
	REQUIRE(!o.failed);

	struct http_parser q;
	size_t used;
	http_parser_init(&q, HTTP_REQUEST, NULL);
	// Written as HTTP/1.1: an HTTP/1.0 request without Host is then refused.
	enum http_event ev = http_parse_feed(&q, buf, o.len, &used);
	REQUIRE(ev == HTTP_HEAD || (p->minor == 0 && http_header(p, "host").p == NULL));
	REQUIRE(ev != HTTP_HEAD || (used == o.len && q.content_length == p->content_length));
	REQUIRE(p->minor == 0 || fold_head(0, p) == fold_head(0, &q));
	http_parser_free(&q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_http(HTTP_REQUEST, data, size, write_again);
	return 0;
}
