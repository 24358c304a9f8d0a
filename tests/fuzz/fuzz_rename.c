// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a body of which only the model's name changes. All other bytes stay, and the
// new name is where the old one was, or it is the first member when there was none.
#include "tests/fuzz/fuzz_dialect.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view body = {(const char *)data, size};
	struct dialect_request r = {.pair = DIALECT_MODEL_IN_BODY,
	    .model = {.asked = VIEW("m"), .upstream = VIEW("up\"stream")},
	    .body = body,
	    .id = "fuzz"};
	struct dialect_fault f;
	struct buf out;
	if (size == 0 || jv_check(body, NULL) != JV_OK)
		return 0;
	buf_init(&out, (size_t)1 << 24);
	struct dialect *d = dialect_new(&r, &out, &f);
	if (d == NULL) {
		REQUIRE(f.message[0] != '\0');
	} else {
		struct view got = buf_done(&out);
		REQUIRE(jv_check(got, NULL) == JV_OK);
		struct jv was = jv_get(jv_root(body), "model"), is = jv_get(jv_root(got), "model");
		REQUIRE(jv_eq(is, "up\"stream"));
		bool had = was.text.p != NULL;
		if (!had) // then it is a new first member
			was.text = (struct view){jv_root(body).text.p + 1, 0};
		size_t before = (size_t)(was.text.p - body.p),
		       after = body.len - before - was.text.len,
		       added = had ? 0 : strlen("\"model\":"),
		       comma = had || jv_count(jv_root(body)) == 0 ? 0 : 1;
		REQUIRE((size_t)(is.text.p - got.p) == before + added);
		REQUIRE(got.len == before + added + is.text.len + comma + after);
		REQUIRE(memcmp(got.p, body.p, before) == 0);
		REQUIRE(
		    memcmp(is.text.p + is.text.len + comma, was.text.p + was.text.len, after) == 0);
	}
	dialect_free(d);
	buf_free(&out);
	return 0;
}
