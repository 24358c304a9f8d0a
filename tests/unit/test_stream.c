// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Streams of the three APIs: which end is complete, truncated or failed; that only
// whole events leave, byte for byte; token counts. Each stream whole, cut at every
// byte, and byte by byte.
#include "gatewayd/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

struct result {
	char out[16384];
	size_t len;
	bool ok;
	enum stream_end end;
	uint64_t in, tokens;
	char error[FACTS_WORD_MAX];
};

static void
emit(void *cookie, struct view raw)
{
	struct result *r = cookie;
	assert_true(r->len + raw.len < sizeof(r->out));
	memcpy(r->out + r->len, raw.p, raw.len);
	r->len += raw.len;
	r->out[r->len] = '\0';
}

static void
feed(struct result *r, enum operation op, struct view text, size_t cut, size_t step)
{
	struct facts *f = malloc(sizeof(*f));
	struct stream s;
	memset(r, 0, sizeof(*r));
	facts_init(f);
	bool bedrock = op == OP_BEDROCK_CONVERSE_STREAM || op == OP_BEDROCK_INVOKE_STREAM;
	stream_init(&s, bedrock ? STREAM_EVENTSTREAM : STREAM_SSE, op, f, emit, r);
	r->ok = true;
	for (size_t at = 0; at < text.len && r->ok;) {
		size_t n = MIN(step, text.len - at);
		if (at < cut && at + n > cut)
			n = cut - at;
		char *exact = malloc(n);
		memcpy(exact, text.p + at, n);
		r->ok = stream_feed(&s, (struct view){.p = exact, .len = n});
		free(exact);
		at += n;
	}
	if (r->ok)
		r->end = stream_finish(&s);
	r->in = facts_tokens_in(f);
	r->tokens = facts_tokens_out(f);
	memcpy(r->error, s.error, sizeof(r->error));
	stream_free(&s);
	free(f);
}

static struct result whole, other;

// The same at any split; leaves the result in `whole`.
static void
run(enum operation op, struct view text)
{
	feed(&whole, op, text, 0, SIZE_MAX);
	for (size_t cut = 1; cut <= text.len; cut++) {
		// The last round feeds byte by byte.
		feed(&other, op, text, cut, cut == text.len ? 1 : SIZE_MAX);
		assert_int_equal(other.ok, whole.ok);
		assert_int_equal(other.end, whole.end);
		assert_int_equal(other.tokens, whole.tokens);
		assert_int_equal(other.in, whole.in);
		assert_string_equal(other.out, whole.out);
	}
}

static void
run_str(enum operation op, const char *text)
{
	run(op, view_of(text));
}

#define CHUNK "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":9}}\n\n"

static void
test_openai_chat(void **state)
{
	(void)state;
	run_str(OP_OPENAI_CHAT, CHUNK USAGE "data: [DONE]\n\n");
	assert_int_equal(whole.end, STREAM_COMPLETE);
	assert_string_equal(whole.out, CHUNK USAGE "data: [DONE]\n\n");
	assert_int_equal(whole.in, 7);
	assert_int_equal(whole.tokens, 9);
	// Comments are passed on, CR LF as well, the last empty line may be missing.
	run_str(OP_OPENAI_CHAT, ": ping\r\n\r\ndata: {}\r\n\r\ndata: [DONE]");
	assert_int_equal(whole.end, STREAM_COMPLETE);
	assert_string_equal(whole.out, ": ping\r\n\r\ndata: {}\r\n\r\ndata: [DONE]\n\n");
}

static void
test_openai_truncated(void **state)
{
	(void)state;
	run_str(OP_OPENAI_CHAT, "");
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	run_str(OP_OPENAI_CHAT, CHUNK);
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	// finish_reason is not the end, and half an event never leaves.
	run_str(OP_OPENAI_CHAT,
	    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"cho");
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	assert_string_equal(
	    whole.out, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
	run_str(OP_OPENAI_CHAT, CHUNK "data: [DON");
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	// The words in the text of an answer end nothing.
	run_str(OP_OPENAI_CHAT, "data: {\"choices\":[{\"delta\":{\"content\":\"[DONE]\"}}]}\n\n");
	assert_int_equal(whole.end, STREAM_TRUNCATED);
}

static void
test_openai_error(void **state)
{
	(void)state;
	run_str(OP_OPENAI_CHAT, CHUNK
	    "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"code\":null}}\n\n");
	assert_int_equal(whole.end, STREAM_FAILED);
	assert_string_equal(whole.error, "server_error");
	run_str(OP_OPENAI_CHAT, "data: {\"error\":null,\"choices\":[]}\n\ndata: [DONE]\n\n");
	assert_int_equal(whole.end, STREAM_COMPLETE);
}

static void
test_responses(void **state)
{
	(void)state;
	run_str(OP_OPENAI_RESPONSES,
	    "event: response.created\ndata: {\"type\":\"response.created\"}\n\n"
	    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":"
	    "{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}\n\n");
	assert_int_equal(whole.end, STREAM_COMPLETE);
	assert_int_equal(whole.in, 3);
	assert_int_equal(whole.tokens, 4);
	run_str(OP_OPENAI_RESPONSES, "data: {\"type\":\"response.output_text.delta\"}\n\n");
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	run_str(OP_OPENAI_RESPONSES, "data: {\"type\":\"response.incomplete\"}\n\n");
	assert_int_equal(whole.end, STREAM_COMPLETE);
	run_str(OP_OPENAI_RESPONSES, "data: {\"type\":\"error\",\"code\":\"x\"}\n\n");
	assert_int_equal(whole.end, STREAM_FAILED);
}

#define START                                                                                      \
	"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"         \
	"\"input_tokens\":5,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\n"

static void
test_anthropic(void **state)
{
	(void)state;
	run_str(OP_ANTHROPIC_MESSAGES,
	    START "event: ping\ndata: {\"type\":\"ping\"}\n\n"
		  "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":"
		  "{\"output_tokens\":42}}\n\n"
		  "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
	assert_int_equal(whole.end, STREAM_COMPLETE);
	assert_int_equal(whole.in, 105);
	assert_int_equal(whole.tokens, 42);
	run_str(OP_ANTHROPIC_MESSAGES, START);
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	run_str(OP_ANTHROPIC_MESSAGES, START "data: [DONE]\n\n"); // not this API's marker
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	run_str(OP_ANTHROPIC_MESSAGES, START
	    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
	    "\"message\":\"Overloaded\"}}\n\n");
	assert_int_equal(whole.end, STREAM_FAILED);
	assert_string_equal(whole.error, "overloaded_error");
}

// --- Bedrock -----------------------------------------------------------------------

struct blob {
	char p[8192];
	size_t len;
};

static void
add(struct blob *b, const char *kind, const char *name, const char *payload)
{
	struct eventstream_out o;
	bool exception = strcmp(kind, "exception") == 0;
	eventstream_begin(&o, b->p + b->len, sizeof(b->p) - b->len);
	eventstream_put_string(&o, exception ? ":exception-type" : ":event-type", view_of(name));
	eventstream_put_string(&o, ":message-type", view_of(kind));
	b->len += eventstream_end(&o, view_of(payload));
	assert_false(o.failed);
}

static void
add_chunk(struct blob *b, const char *event)
{
	char base64[2048], payload[4096];
	sodium_bin2base64(base64, sizeof(base64), (const unsigned char *)event, strlen(event),
	    sodium_base64_VARIANT_ORIGINAL);
	snprintf(payload, sizeof(payload), "{\"bytes\":\"%s\",\"p\":\"abc\"}", base64);
	add(b, "event", "chunk", payload);
}

static void
run_blob(enum operation op, const struct blob *b)
{
	run(op, (struct view){.p = b->p, .len = b->len});
	assert_true(whole.len <= b->len);
	assert_memory_equal(whole.out, b->p, whole.len);
}

static void
test_converse(void **state)
{
	(void)state;
	struct blob b = {0};
	add(&b, "event", "messageStart", "{\"role\":\"assistant\"}");
	run_blob(OP_BEDROCK_CONVERSE_STREAM, &b);
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	add(&b, "event", "messageStop", "{\"stopReason\":\"end_turn\"}");
	add(&b, "event", "metadata", "{\"usage\":{\"inputTokens\":8,\"outputTokens\":2}}");
	run_blob(OP_BEDROCK_CONVERSE_STREAM, &b);
	assert_int_equal(whole.end, STREAM_COMPLETE);
	assert_int_equal(whole.len, b.len);
	assert_int_equal(whole.in, 8);
	size_t end = b.len;
	add(&b, "exception", "throttlingException", "{\"message\":\"slow\"}");
	run_blob(OP_BEDROCK_CONVERSE_STREAM, &b);
	assert_int_equal(whole.end, STREAM_FAILED);
	assert_string_equal(whole.error, "throttlingException");
	// Cut in the middle of a message: it does not leave, and the end is not clean.
	b.len = end + 20;
	run_blob(OP_BEDROCK_CONVERSE_STREAM, &b);
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	assert_int_equal(whole.len, end);
	// A flipped bit.
	b.p[30] = (char)(b.p[30] ^ 1);
	run_blob(OP_BEDROCK_CONVERSE_STREAM, &b);
	assert_false(whole.ok);
	assert_int_equal(whole.len, 0);
}

static void
test_invoke(void **state)
{
	(void)state;
	struct blob b = {0};
	add_chunk(&b, "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":4}}}");
	add_chunk(&b, "{\"type\":\"content_block_delta\"}");
	run_blob(OP_BEDROCK_INVOKE_STREAM, &b);
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	add_chunk(&b, "{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":"
		      "{\"inputTokenCount\":4,\"outputTokenCount\":6}}");
	run_blob(OP_BEDROCK_INVOKE_STREAM, &b);
	assert_int_equal(whole.end, STREAM_COMPLETE);
	assert_int_equal(whole.tokens, 6);
	// Another model's events have no known last one: the clean end counts.
	struct blob t = {0};
	run_blob(OP_BEDROCK_INVOKE_STREAM, &t);
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	add_chunk(&t, "{\"outputText\":\"x\"}");
	run_blob(OP_BEDROCK_INVOKE_STREAM, &t);
	assert_int_equal(whole.end, STREAM_COMPLETE);
}

static void
test_oversized_event(void **state)
{
	(void)state;
	size_t len = (size_t)9 << 20;
	char *big = malloc(len);
	memset(big, 'x', len);
	feed(&whole, OP_OPENAI_CHAT, (struct view){.p = big, .len = len}, 0, 16384);
	assert_false(whole.ok);
	free(big);
}

static void
test_gemini(void **state)
{
	(void)state;
	enum operation op = OP_STREAM_GENERATE_CONTENT;
#define PIECE                                                                                      \
	"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"finishReason\"}]}}]}\r\n\r\n"
	run(op, VIEW(PIECE
		    "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":"
		    "{\"promptTokenCount\":7,\"candidatesTokenCount\":3,\"thoughtsTokenCount\":2}}"
		    "\r\n\r\n"));
	assert_int_equal(whole.end, STREAM_COMPLETE);
	assert_int_equal(whole.in, 7);
	assert_int_equal(whole.tokens, 5); // thoughts are paid too
	run(op, VIEW(PIECE));
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	run(op, VIEW("data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\r\n\r\n"));
	assert_int_equal(whole.end, STREAM_COMPLETE);
	run(op, VIEW(PIECE "data: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}\r\n\r\n"));
	assert_int_equal(whole.end, STREAM_FAILED);
	assert_string_equal(whole.error, "UNAVAILABLE");
	run(op, VIEW(PIECE "data: [DONE]\r\n\r\n")); // not of this API
	assert_int_equal(whole.end, STREAM_TRUNCATED);
	run(OP_STREAM_RAW_PREDICT,
	    VIEW("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
	assert_int_equal(whole.end, STREAM_COMPLETE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_openai_chat),
	    cmocka_unit_test(test_openai_truncated),
	    cmocka_unit_test(test_openai_error),
	    cmocka_unit_test(test_responses),
	    cmocka_unit_test(test_anthropic),
	    cmocka_unit_test(test_converse),
	    cmocka_unit_test(test_invoke),
	    cmocka_unit_test(test_oversized_event),
	    cmocka_unit_test(test_gemini),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
