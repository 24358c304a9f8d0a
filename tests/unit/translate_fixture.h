// SPDX-License-Identifier: Apache-2.0
// For tests of translated attempts: a client of OpenAI chat, providers that speak Anthropic
// Messages, over gw_fixture.h.
#ifndef TEST_TRANSLATE_FIXTURE_H
#define TEST_TRANSLATE_FIXTURE_H

#include <openssl/sha.h>

#include "tests/unit/gw_fixture.h"

#define ASK "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}"
#define ASK_STREAM                                                                                 \
	"{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}"
#define MESSAGE                                                                                    \
	"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\","           \
	"\"content\":[{\"type\":\"text\",\"text\":\"hello\"}],\"stop_reason\":\"end_turn\","       \
	"\"usage\":{\"input_tokens\":7,\"output_tokens\":3}}"
#define START                                                                                      \
	"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","   \
	"\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[],"              \
	"\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n"                                 \
	"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"         \
	"\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
#define DELTA                                                                                      \
	"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"         \
	"\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n"
#define STOP                                                                                       \
	"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"       \
	"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"                       \
	"{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n"                      \
	"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define FAULT                                                                                      \
	"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","        \
	"\"message\":\"Overloaded\"}}\n\n"
#define STREAM_HEAD                                                                                \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"                    \
	"request-id: req_up\r\nTransfer-Encoding: chunked\r\n\r\n"

static struct gw_event *e;

static inline void
to_messages(size_t attempt)
{
	gw.way[attempt].provider = PROVIDER_ANTHROPIC;
	gw.way[attempt].op = OP_ANTHROPIC_MESSAGES;
	gw.way[attempt].model = "claude-x";
}

static inline void
clear(void)
{
	gw.answer_len = 0;
	gw.event_seen = gw.event_count;
	for (size_t i = 0; i < gw.lane_count; i++) {
		memset(gw.lane[i].text, 0, sizeof(gw.lane[i].text));
		gw.lane[i].text_len = 0;
	}
}

// Posts and waits for USE with the whole body; returns its lane.
static inline uint64_t
ask(const char *body)
{
	clear();
	gw_post(body);
	e = gw_wait(MSG_USE);
	gw_settle();
	uint64_t lane = e->b;
	assert_int_equal(gw_lane(lane)->text_len, gw.last_use);
	uint8_t digest[32];
	SHA256((const uint8_t *)gw_lane(lane)->text, gw_lane(lane)->text_len, digest);
	assert_memory_equal(digest, gw.last_sha256, 32);
	return lane;
}

static inline void
answer(uint64_t lane, unsigned status, const char *headers, const char *body)
{
	char text[8192];
	snprintf(text, sizeof(text), "HTTP/1.1 %u X\r\n%sContent-Length: %zu\r\n\r\n%s", status,
	    headers, strlen(body), body);
	gw_plain(lane, text);
}

static inline void
chunk(uint64_t lane, const char *text)
{
	char out[8192];
	snprintf(out, sizeof(out), "%zx\r\n%s\r\n", strlen(text), text);
	gw_plain(lane, out);
}

static inline void
expect(const char *text)
{
	if (strstr(gw.answer, text) == NULL)
		fail_msg("no '%s' in: %s", text, gw.answer);
}

static inline void
expect_not(const char *text)
{
	if (strstr(gw.answer, text) != NULL)
		fail_msg("'%s' in: %s", text, gw.answer);
}

#endif
