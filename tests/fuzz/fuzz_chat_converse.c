// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Chat completions on Converse. First byte: model flags and whether the rest is a request,
// a whole answer, or lines of events "type payload". What comes out must be JSON.
#include <string.h>

#include "dialect/dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char plain[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
    "\"response_format\":{\"type\":\"json_object\"},\"tools\":[{\"type\":\"function\","
    "\"function\":{\"name\":\"a/b\"}}],\"stream_options\":{\"include_usage\":true}}";

static void
feed_events(struct dialect *d, struct view v, struct buf *out)
{
	enum dialect_end end = DIALECT_OPEN;
	for (size_t at = 0; at < v.len;) {
		const char *nl = memchr(v.p + at, '\n', v.len - at);
		size_t n = nl == NULL ? v.len - at : (size_t)(nl - v.p) - at;
		struct view line = {v.p + at, n};
		const char *space = n == 0 ? NULL : memchr(line.p, ' ', n);
		size_t type = space == NULL ? n : (size_t)(space - line.p);
		size_t skip = space == NULL ? n : type + 1;
		bool error = n > 0 && line.p[0] == '!';
		end = dialect_event(d, (struct view){line.p + error, type - error},
		    (struct view){line.p + skip, n - skip}, error, out);
		at += n + 1;
	}
	end = dialect_finish(d, out);
	BUG_IF(end == DIALECT_FAILED && dialect_failure(d) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	static const enum model_thinking thinking[] = {
	    THINKING_NONE, THINKING_BUDGET, THINKING_ADAPTIVE, THINKING_EFFORT};
	struct view rest = {(const char *)data + 1, size - 1};
	unsigned mode = data[0] & 3U;
	struct dialect_request r = {.pair = DIALECT_CHAT_CONVERSE,
	    .model = {.asked = VIEW("m"),
		.upstream = VIEW("u"),
		.max_output = 4096,
		.thinking = thinking[(data[0] >> 2) & 3U],
		.flags = (data[0] & 16U ? MODEL_CLAUDE : 0U) |
			 (data[0] & 32U ? MODEL_JSON_SCHEMA : 0U) |
			 (data[0] & 64U ? MODEL_STRICT_TOOLS | MODEL_ONE_SAMPLING : 0U),
		.betas = VIEW("*")},
	    .body = mode == 0 ? rest : VIEW(plain),
	    .stream = mode >= 2,
	    .anthropic_beta = VIEW("a, b"),
	    .now_s = 1,
	    .id = "r"};
	struct dialect_fault f;
	struct buf body, out;
	if (jv_check(r.body, NULL) != JV_OK)
		return 0;
	buf_init(&body, (size_t)1 << 24);
	buf_init(&out, (size_t)1 << 24);
	struct dialect *d = dialect_new(&r, &body, &f);
	BUG_IF(d == NULL && (mode != 0 || f.code == NULL || f.message[0] == '\0'));
	BUG_IF(d != NULL && jv_check(buf_done(&body), NULL) != JV_OK);
	if (d != NULL && mode == 1) {
		bool ok = dialect_answer(d, rest, &out);
		BUG_IF(ok && jv_check(buf_done(&out), NULL) != JV_OK);
		BUG_IF(!ok && dialect_failure(d) == NULL);
	} else if (d != NULL && mode >= 2) {
		feed_events(d, rest, &out);
	}
	dialect_free(d);
	buf_free(&body);
	buf_free(&out);
	return 0;
}
