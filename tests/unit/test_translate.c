// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Translated streams that stop too early: at whichever byte, only one that holds its API's
// terminal event ends well.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gatewayd/translate.h"
#include "gatewayd/worker.h"

static struct worker worker = {.limits = {.buffered_max = 1U << 30}};
static struct facts facts;

static struct translation *
session(enum dialect_pair pair)
{
	static const char body[] =
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}";
	struct dialect_request r = {.pair = pair,
	    .model = {.asked = VIEW("m"), .upstream = VIEW("u"), .betas = VIEW("")},
	    .body = view_of(body),
	    .stream = true,
	    .id = "r"};
	struct dialect_fault f;
	struct translation *t = calloc(1, sizeof(*t));
	t->w = &worker;
	buf_init(&t->body, 1 << 20);
	buf_init(&t->out, 1 << 20);
	t->d = dialect_new(&r, &t->body, &f);
	assert_non_null(t->d);
	facts_init(&facts);
	translate_stream(t, pair != DIALECT_CHAT_CONVERSE, &facts);
	return t;
}

// How a stream of this much ends; *text tells what the client got.
static enum dialect_end
end_of(enum dialect_pair pair, struct view wire, char *text, size_t size)
{
	struct translation *t = session(pair);
	enum dialect_end end = DIALECT_FAILED;
	if (translate_feed(t, wire))
		end = translate_finish(t);
	snprintf(text, size, "%.*s", (int)t->out.len, t->out.p);
	translate_end(&t);
	facts_free(&facts);
	return end;
}

static const char messages[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"usage\":"
    "{\"input_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
    "\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
    "\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

static void
test_messages(void **state)
{
	(void)state;
	char text[8192];
	size_t whole = sizeof(messages) - 1 - 2; // without the empty line
	for (size_t n = 0; n <= sizeof(messages) - 1; n++) {
		enum dialect_end end =
		    end_of(DIALECT_CHAT_MESSAGES, (struct view){messages, n}, text, sizeof(text));
		assert_int_equal(end, n >= whole ? DIALECT_COMPLETE : DIALECT_OPEN);
		assert_int_equal(strstr(text, "[DONE]") != NULL, n >= whole);
	}
}

static const char generate[] =
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}],\"role\":\"model\"}}]}\n\n"
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"y\"}]},\"finishReason\":"
    "\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":2}}\n\n";
static const char after[] = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"z\"}]}}]}";

// More may follow the chunk with the reason, but no half of it.
static void
test_generate(void **state)
{
	(void)state;
	char text[8192], wire[1024];
	size_t whole = sizeof(generate) - 1 - 2;
	snprintf(wire, sizeof(wire), "%s%s", generate, after);
	for (size_t n = 0; n <= strlen(wire); n++) {
		enum dialect_end end =
		    end_of(DIALECT_CHAT_GENERATE, (struct view){wire, n}, text, sizeof(text));
		// "da" and the like begin no event with data yet.
		bool good = (n >= whole && n <= whole + 2 + strlen("data")) || n == strlen(wire);
		if (n > whole + 2 && n < whole + 2 + strlen("data: {"))
			continue;
		assert_int_equal(end, good ? DIALECT_COMPLETE : DIALECT_OPEN);
		assert_int_equal(strstr(text, "[DONE]") != NULL, good);
	}
}

static size_t
put_frame(char *at, size_t room, const char *name, const char *data)
{
	struct eventstream_out o;
	eventstream_begin(&o, at, room);
	eventstream_put_string(&o, ":message-type", VIEW("event"));
	eventstream_put_string(&o, ":event-type", view_of(name));
	size_t n = eventstream_end(&o, view_of(data));
	assert_int_not_equal(n, 0);
	return n;
}

static void
test_converse(void **state)
{
	(void)state;
	static const char *const frames[][2] = {{"messageStart", "{\"role\":\"assistant\"}"},
	    {"contentBlockDelta", "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"x\"}}"},
	    {"contentBlockStop", "{\"contentBlockIndex\":0}"},
	    {"messageStop", "{\"stopReason\":\"end_turn\"}"},
	    {"metadata", "{\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}"}};
	char wire[2048], text[8192];
	size_t len = 0, stop = 0;
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		len += put_frame(wire + len, sizeof(wire) - len, frames[i][0], frames[i][1]);
		if (i == 3)
			stop = len;
	}
	for (size_t n = 0; n <= len; n++) {
		enum dialect_end end =
		    end_of(DIALECT_CHAT_CONVERSE, (struct view){wire, n}, text, sizeof(text));
		bool good = n == stop || n == len; // in the middle of a frame nothing ends well
		assert_int_equal(end, good ? DIALECT_COMPLETE : DIALECT_OPEN);
		assert_int_equal(strstr(text, "[DONE]") != NULL, good);
	}
	wire[20] ^= 1; // a checksum that does not hold
	struct translation *t = session(DIALECT_CHAT_CONVERSE);
	assert_false(translate_feed(t, (struct view){wire, len}));
	translate_end(&t);
}

static void
test_done_of_others(void **state)
{
	(void)state;
	char text[8192], wire[2048];
	snprintf(wire, sizeof(wire), "%sdata: [DONE]\n\n", messages);
	assert_int_equal(
	    end_of(DIALECT_CHAT_MESSAGES, view_of(wire), text, sizeof(text)), DIALECT_COMPLETE);
	snprintf(wire, sizeof(wire), "%.*sdata: [DONE]\n\n", 300, messages);
	wire[strstr(wire, "\n\n") + 2 - wire] = '\0';
	strncat(wire, "data: [DONE]\n\n", 20);
	assert_int_equal(
	    end_of(DIALECT_CHAT_MESSAGES, view_of(wire), text, sizeof(text)), DIALECT_OPEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_generate), cmocka_unit_test(test_converse),
	    cmocka_unit_test(test_done_of_others)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
