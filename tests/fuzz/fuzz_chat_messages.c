// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: OpenAI chat <-> Anthropic Messages. Input: two bytes of model rules, the
// request's body, a NUL, then the upstream's answer or one event on each line. What is sent
// upstream and what the client gets as a whole has to be JSON whatever comes in.
#include <stdlib.h>
#include <string.h>

#include "dialect/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

static void
events(struct dialect *d, struct view rest, struct buf *out)
{
	while (rest.len != 0) {
		const char *end = memchr(rest.p, '\n', rest.len);
		size_t n = end == NULL ? rest.len : (size_t)(end - rest.p);
		(void)dialect_event(
		    d, VIEW("message"), (struct view){rest.p, n}, n % 61 == 60, out);
		n = MIN(n + 1, rest.len);
		rest = (struct view){rest.p + n, rest.len - n};
	}
	if (dialect_finish(d, out) == DIALECT_FAILED)
		REQUIRE(dialect_failure(d) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char ask[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"tools\":"
				  "[{\"type\":\"function\",\"function\":{\"name\":\"a.b\"}}]}";
	if (size < 3)
		return 0;
	struct view text = {(const char *)data + 2, size - 2}, body = text, answer = {0};
	const char *nul = memchr(text.p, '\0', text.len);
	if (nul != NULL) {
		body.len = (size_t)(nul - text.p);
		answer = (struct view){nul + 1, text.len - body.len - 1};
	}
	if (body.len == 0)
		body = VIEW(ask);
	if (jv_check(body, NULL) != JV_OK)
		return 0;
	struct dialect_request r = {
	    .pair = (data[0] & 0x40) != 0 ? DIALECT_CHAT_RAW_PREDICT : DIALECT_CHAT_MESSAGES,
	    .model = {VIEW("asked"), VIEW("upstream"), (data[0] & 0x20) != 0 ? 8192 : 0,
		(enum model_thinking)(data[0] & 3), (unsigned)data[1], VIEW("")},
	    .body = body,
	    .stream = (data[0] & 4) != 0,
	    .strict_params = (data[0] & 8) != 0,
	    .id = "r",
	};
	struct buf up, out;
	struct dialect_fault f;
	buf_init(&up, (size_t)8 << 20);
	buf_init(&out, (size_t)8 << 20);
	struct dialect *d = dialect_new(&r, &up, &f);
	if (d == NULL) {
		REQUIRE(f.code != NULL && f.message[0] != '\0');
	} else {
		REQUIRE(jv_check(buf_done(&up), NULL) == JV_OK);
		if (r.stream)
			events(d, answer, &out);
		else if (dialect_answer(d, answer, &out))
			REQUIRE(jv_check(buf_done(&out), NULL) == JV_OK);
		else
			REQUIRE(out.failed || dialect_failure(d) != NULL);
	}
	dialect_free(d);
	buf_free(&up);
	buf_free(&out);
	return 0;
}
