// SPDX-License-Identifier: Apache-2.0
// For fuzz targets of translators. Input: one byte of choices, the client's body, then
// answers or stream events; NUL stands between them. What must hold: what is written
// upstream is JSON, a whole answer is JSON, a stream is SSE whose data is JSON or
// [DONE], and nothing is written after an end.
#ifndef TESTS_FUZZ_DIALECT_H
#define TESTS_FUZZ_DIALECT_H

#include <stdlib.h>
#include <string.h>

#include "common/sse.h"
#include "dialect/dialect.h"

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct view
fuzz_piece(struct view *rest)
{
	const char *nul = rest->len == 0 ? NULL : memchr(rest->p, '\0', rest->len);
	struct view v = {rest->p, nul == NULL ? rest->len : (size_t)(nul - rest->p)};
	size_t used = nul == NULL ? v.len : v.len + 1;
	*rest = (struct view){rest->p + used, rest->len - used};
	return v;
}

static inline void
fuzz_check_stream(struct view text)
{
	struct sse_parser s;
	sse_init(&s, (size_t)1 << 24);
	while (text.len > 0) {
		size_t used = 0;
		if (sse_feed(&s, text.p, text.len, &used) == SSE_EVENT) {
			REQUIRE(s.event.has_data && s.event.complete);
			REQUIRE(view_eq_str(s.event.data, "[DONE]") ||
				jv_check(s.event.data, NULL) == JV_OK);
		}
		text = (struct view){text.p + used, text.len - used};
	}
	REQUIRE(sse_eof(&s) == SSE_NEED_MORE);
	sse_free(&s);
}

// The piece behind the first space, and what is before it as the event's name.
static inline struct view
fuzz_named_piece(struct view *rest, struct view *name_r)
{
	struct view v = fuzz_piece(rest);
	const char *space = v.len == 0 ? NULL : memchr(v.p, ' ', v.len);
	size_t n = space == NULL ? 0 : (size_t)(space - v.p);
	*name_r = (struct view){v.p, n};
	return space == NULL ? v : (struct view){space + 1, v.len - n - 1};
}

// Bits of choices: 1 stream, 2 strict, 4 signatures wanted, 8 the last event is an exception.
// event: the name of all events; NULL: each event's piece begins with its own.
static inline void
fuzz_run(struct dialect_request *r, unsigned choices, struct view rest, const char *event)
{
	struct dialect_fault f;
	struct buf body, out;
	r->body = fuzz_piece(&rest);
	r->stream = (choices & 1) != 0;
	r->strict_params = (choices & 2) != 0;
	r->id = "fuzz";
	r->memory = dialect_memory_new(4);
	dialect_memory_scope(r->memory, VIEW("fuzz"));
	if (jv_check(r->body, NULL) != JV_OK) {
		dialect_memory_free(r->memory);
		return;
	}
	buf_init(&body, (size_t)1 << 24);
	buf_init(&out, (size_t)1 << 24);
	struct dialect *d = dialect_new(r, &body, &f);
	if (d == NULL) {
		REQUIRE(f.message[0] != '\0');
	} else {
		REQUIRE(jv_check(buf_done(&body), NULL) == JV_OK);
		enum dialect_end end = DIALECT_OPEN;
		if (!r->stream) {
			if (dialect_answer(d, fuzz_piece(&rest), &out))
				REQUIRE(jv_check(buf_done(&out), NULL) == JV_OK);
		} else {
			while (rest.len > 0) {
				size_t before = out.len;
				enum dialect_end was = end;
				struct view name, piece = event == NULL
							      ? fuzz_named_piece(&rest, &name)
							      : fuzz_piece(&rest);
				if (event != NULL)
					name = view_of(event);
				end = dialect_event(
				    d, name, piece, (choices & 8) != 0 && rest.len == 0, &out);
				REQUIRE(was == DIALECT_OPEN || (end == was && out.len == before));
			}
			end = dialect_finish(d, &out);
			REQUIRE((end == DIALECT_FAILED) == (dialect_failure(d) != NULL));
			fuzz_check_stream(buf_done(&out));
		}
	}
	dialect_free(d);
	dialect_memory_free(r->memory);
	buf_free(&body);
	buf_free(&out);
}

#endif
