// SPDX-License-Identifier: Apache-2.0
// For tests of translators: a session from a JSON text, and its ends as C strings.
#ifndef TESTS_DIALECT_FIXTURE_H
#define TESTS_DIALECT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/sse.h"
#include "dialect/dialect.h"

struct fixture {
	struct dialect_request r;
	struct dialect *d;
	struct dialect_fault fault;
	struct buf body; // the request upstream
	struct buf out;	 // to the client
};

static inline void
fixture_init(struct fixture *x, enum dialect_pair pair, const char *upstream)
{
	*x = (struct fixture){
	    .r = {.pair = pair,
		.model = {.asked = VIEW("asked-model"), .upstream = view_of(upstream)},
		.now_s = 1763700000,
		.id = "req1"}};
	buf_init(&x->body, (size_t)1 << 24);
	buf_init(&x->out, (size_t)1 << 24);
}

static inline void
fixture_free(struct fixture *x)
{
	dialect_free(x->d);
	x->d = NULL;
	buf_free(&x->body);
	buf_free(&x->out);
}

// Opens anew. True: accepted, x->body holds the request.
static inline bool
fixture_open(struct fixture *x, const char *body)
{
	dialect_free(x->d);
	buf_clear(&x->body);
	buf_clear(&x->out);
	x->r.body = view_of(body);
	assert_int_equal(jv_check(x->r.body, NULL), JV_OK);
	x->d = dialect_new(&x->r, &x->body, &x->fault);
	if (x->d != NULL)
		assert_int_equal(jv_check(buf_done(&x->body), NULL), JV_OK);
	return x->d != NULL;
}

static inline void
fixture_equal(const struct buf *b, const char *wanted)
{
	if (!view_eq_str(buf_done(b), wanted))
		fail_msg("got:\n%.*s\nwanted:\n%s", (int)b->len, b->p, wanted);
}

static inline void
fixture_has(const struct buf *b, const char *part)
{
	if (b->len == 0 || memmem(b->p, b->len, part, strlen(part)) == NULL)
		fail_msg("no %s in:\n%.*s", part, (int)b->len, b->p == NULL ? "" : b->p);
}

static inline void
fixture_lacks(const struct buf *b, const char *part)
{
	if (b->len > 0 && memmem(b->p, b->len, part, strlen(part)) != NULL)
		fail_msg("%s in:\n%.*s", part, (int)b->len, b->p);
}

static inline void
fixture_request(struct fixture *x, const char *body, const char *wanted)
{
	if (!fixture_open(x, body))
		fail_msg("refused: %s %s %s", x->fault.code, x->fault.param, x->fault.message);
	fixture_equal(&x->body, wanted);
}

static inline void
fixture_refused(struct fixture *x, const char *body, const char *code, const char *param)
{
	assert_false(fixture_open(x, body));
	assert_string_equal(x->fault.code, code);
	assert_string_equal(x->fault.param, param);
	assert_true(x->fault.message[0] != '\0');
}

// A stream of SSE, cut in two at `cut`, through the parser that the gateway uses.
static inline enum dialect_end
fixture_stream(struct fixture *x, const char *stream, size_t cut)
{
	struct sse_parser s;
	size_t len = strlen(stream), at = 0;
	sse_init(&s, 0);
	while (at < len) {
		size_t end = at < cut ? cut : len, used = 0;
		enum sse_result r = sse_feed(&s, stream + at, end - at, &used);
		at += used;
		if (r == SSE_EVENT && s.event.has_data)
			(void)dialect_event(x->d, s.event.name, s.event.data, false, &x->out);
	}
	if (sse_eof(&s) == SSE_EVENT && s.event.has_data && jv_check(s.event.data, NULL) == JV_OK)
		(void)dialect_event(x->d, s.event.name, s.event.data, false, &x->out);
	sse_free(&s);
	return dialect_finish(x->d, &x->out);
}

#endif
