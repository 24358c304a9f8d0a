// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Bodies made to cost: very many of everything that a client may repeat. Each translator
// must be done, with an answer or a refusal, in a time that grows with the body's length
// and not with its square: a worker serves others on the same thread.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
// cmocka needs the first three.
#include <cmocka.h>

#include "dialect/dialect.h"

// What 4 MiB may take. Linear work is 50 ms at most; a square takes minutes.
#define BODY_SIZE ((size_t)4 << 20)
#ifdef SALLYPORT_SAN
#define SECONDS_MAX 20.0
#else
#define SECONDS_MAX 2.0
#endif

// begin, piece repeated (%zu: its number), end.
static const struct shape {
	const char *name, *begin, *piece, *end;
} shapes[] = {
    {"messages", "{\"model\":\"m\",\"messages\":[",
	"{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"%zu\"}",
	",{\"role\":\"user\",\"content\":\"q\"}],\"max_tokens\":5}"},
    {"parts", "{\"messages\":[{\"role\":\"user\",\"content\":[",
	"{\"type\":\"text\",\"text\":\"%zu\"}", "]}],\"max_tokens\":5}"},
    {"systems", "{\"messages\":[", "{\"role\":\"system\",\"content\":\"%zu\"}",
	"],\"max_tokens\":5}"},
    {"calls", "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[",
	"{\"id\":\"c%zu\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
	"\"{}\"}}",
	"]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"x\"}]}"},
    {"names", "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[",
	"{\"id\":\"c%zu\",\"type\":\"function\",\"function\":{\"name\":\"f.%zu/x\",\"arguments\":"
	"\"\"}}",
	"]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"x\"}]}"},
    {"results",
	"{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\","
	"\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}",
	",{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"%zu\"}", "]}"},
    {"rounds", "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}",
	",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c%zu\",\"type\":\"function\","
	"\"function\":{"
	"\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c%zu\","
	"\"content\":\"x\"}",
	"]}"},
    {"tools", "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"tools\":[",
	"{\"type\":\"function\",\"function\":{\"name\":\"f%zu\"}}", "]}"},
    {"images", "{\"messages\":[{\"role\":\"user\",\"content\":[",
	"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}",
	"]}]}"},
    {"files", "{\"messages\":[{\"role\":\"user\",\"content\":[",
	"{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\",\"file_data\":"
	"\"data:application/pdf;base64,JVBERi0=\"}}",
	"]}]}"},
    {"details",
	"{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":"
	"\"a\",\"reasoning_details\":[",
	"{\"type\":\"reasoning.encrypted\",\"data\":\"%zu\",\"format\":\"google-gemini-v1\"}",
	"]},{\"role\":\"user\",\"content\":\"q\"}]}"},
    {"members", "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"max_tokens\":5",
	",\"x%zu\":1", "}"},
    {"stops", "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"stop\":[", "\"%zu\"", "]}"},
    {"betas",
	"{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"anthropic_beta\":"
	"[",
	"\"b%zu\"", "]}"},
    {"inputs", "{\"model\":\"m\",\"input\":[", "\"%zu\"", "]}"},
    {"escapes", "{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"",
	"\\\\\\\"\\u00e9\\ud83d\\ude00", "\"}]}"},
    {"backslashes", "{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"", "\\\\",
	"\"}]}"},
    {"quotes", "{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"", "\\\"",
	"\"}]}"},
    {"brackets",
	"{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
	"\"a\":[",
	"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "]}"},
};

// Answers of a provider that is not well.
static const struct shape answers[] = {
    {"candidates", "{\"candidates\":[",
	"{\"content\":{\"parts\":[{\"text\":\"%zu\"}]},\"finishReason\":\"STOP\",\"index\":0}",
	"]}"},
    {"parts", "{\"candidates\":[{\"finishReason\":\"STOP\",\"content\":{\"parts\":[",
	"{\"functionCall\":{\"name\":\"f\",\"args\":{}},\"thoughtSignature\":\"%zu\"}", "]}}]}"},
    {"blocks", "{\"type\":\"message\",\"id\":\"m\",\"stop_reason\":\"tool_use\",\"content\":[",
	"{\"type\":\"tool_use\",\"id\":\"t%zu\",\"name\":\"f\",\"input\":{}}", "]}"},
    {"converse", "{\"stopReason\":\"tool_use\",\"output\":{\"message\":{\"content\":[",
	"{\"toolUse\":{\"toolUseId\":\"t%zu\",\"name\":\"f\",\"input\":{}}}", "]}}}"},
    {"embeddings", "{\"embeddings\":[", "{\"values\":[0.5,%zu]}", "]}"},
    {"predictions", "{\"predictions\":[", "{\"embeddings\":{\"values\":[0.5,%zu]}}", "]}"},
};

static struct buf
make(const struct shape *s)
{
	struct buf b;
	buf_init(&b, (size_t)1 << 24);
	buf_str(&b, s->begin);
	bool list = b.p[b.len - 1] == '[';
	for (size_t i = 1; b.len < BODY_SIZE; i++) {
		if (list && i > 1)
			buf_char(&b, ',');
		for (const char *p = s->piece; *p != '\0'; p++) {
			if (strncmp(p, "%zu", 3) == 0) {
				buf_uint(&b, i);
				p += 2;
			} else {
				buf_char(&b, *p);
			}
		}
	}
	buf_str(&b, s->end);
	return b;
}

static double
seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct buf body = make(&shapes[i]);
		assert_int_equal(jv_check(buf_done(&body), NULL), JV_OK);
		for (int pair = DIALECT_NATIVE + 1; pair < DIALECT_PAIR_COUNT; pair++) {
			struct dialect_request r = {.pair = (enum dialect_pair)pair,
			    .model = {.asked = VIEW("m"),
				.upstream = VIEW("u"),
				.max_output = 8192,
				.flags = MODEL_CLAUDE | MODEL_COHERE_EMBED | MODEL_SIGNATURES,
				.betas = VIEW("*")},
			    .body = buf_done(&body),
			    .id = "r"};
			struct dialect_fault f;
			struct buf out;
			buf_init(&out, (size_t)1 << 28);
			double start = seconds();
			dialect_free(dialect_new(&r, &out, &f));
			double took = seconds() - start;
			buf_free(&out);
			if (took > SECONDS_MAX)
				fail_msg("%s, pair %d: %.1f s", shapes[i].name, pair, took);
		}
		buf_free(&body);
	}
}

static void
test_answers(void **state)
{
	(void)state;
	static const char ask[] =
	    "{\"model\":\"m\",\"max_tokens\":5,\"input\":\"x\",\"messages\":[{\"role\":\"user\","
	    "\"content\":"
	    "\"q\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}";
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct buf body = make(&answers[i]);
		for (int pair = DIALECT_NATIVE + 1; pair < DIALECT_MODEL_IN_BODY; pair++) {
			struct dialect_request r = {.pair = (enum dialect_pair)pair,
			    .model = {.asked = VIEW("m"), .upstream = VIEW("u")},
			    .body = VIEW(ask),
			    .id = "r",
			    .memory = dialect_memory_new(64)};
			struct dialect_fault f;
			struct buf up, out;
			dialect_memory_scope(r.memory, VIEW("c"));
			buf_init(&up, (size_t)1 << 20);
			buf_init(&out, (size_t)1 << 28);
			struct dialect *d = dialect_new(&r, &up, &f);
			double start = seconds();
			if (d != NULL)
				(void)!dialect_answer(d, buf_done(&body), &out);
			double took = seconds() - start;
			dialect_free(d);
			dialect_memory_free(r.memory);
			buf_free(&up);
			buf_free(&out);
			if (took > SECONDS_MAX)
				fail_msg("%s, pair %d: %.1f s", answers[i].name, pair, took);
		}
		buf_free(&body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
