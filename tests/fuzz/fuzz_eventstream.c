// SPDX-License-Identifier: Apache-2.0
// Fuzz target: AWS event streams. Raw input hardly ever has right checksums, so the
// target can also wrap it: then the headers and payload of one message are the
// fuzzer's. The result must not depend on the cuts, and what is read must be
// written as the same bytes.
#include <stdlib.h>
#include <string.h>

#include "common/eventstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

struct outcome {
	size_t messages, bytes;
	bool clean;
	const char *error;
};

static void
write_again(const struct eventstream_message *m)
{
	char *buf = malloc(m->raw.len);
	REQUIRE(buf != NULL);
	struct eventstream_out o;
	struct eventstream_header h;
	struct view rest = m->headers;
	eventstream_begin(&o, buf, m->raw.len);
	while (eventstream_next(&rest, &h))
		eventstream_put_header(&o, &h);
	REQUIRE(eventstream_end(&o, m->payload) == m->raw.len);
	REQUIRE(memcmp(buf, m->raw.p, m->raw.len) == 0);
	(void)eventstream_string(m, ":event-type");
	free(buf);
}

static struct outcome
run(const char *in, size_t size, size_t step)
{
	struct outcome out = {0};
	struct eventstream e;
	eventstream_init(&e, 4096);
	for (size_t at = 0; at < size && e.error == NULL; at += step) {
		size_t len = MIN(step, size - at), used;
		char *copy = malloc(len);
		REQUIRE(copy != NULL);
		memcpy(copy, in + at, len);
		for (size_t i = 0;
		     eventstream_feed(&e, copy + i, len - i, &used) == EVENTSTREAM_MESSAGE;
		     i += used) {
			out.messages++;
			out.bytes += e.message.raw.len;
			write_again(&e.message);
		}
		free(copy);
	}
	out.clean = eventstream_clean(&e);
	out.error = e.error;
	eventstream_free(&e);
	return out;
}

static void
check(const char *in, size_t size, size_t step)
{
	struct outcome whole = run(in, size, MAX(size, (size_t)1)), cut = run(in, size, step);
	REQUIRE(whole.messages == cut.messages && whole.bytes == cut.bytes);
	REQUIRE(whole.clean == cut.clean && whole.error == cut.error);
	REQUIRE(!whole.clean || whole.bytes == size);
}

static void
put32(char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(uint8_t)(v >> (24 - 8 * i));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t step = 1 + (data[0] & 0x3f), n = size - 2;
	const char *in = (const char *)data + 2;
	if ((data[0] & 0x80) == 0) {
		check(in, n, step);
		return 0;
	}
	size_t total = n + EVENTSTREAM_OVERHEAD;
	char *message = malloc(total);
	REQUIRE(message != NULL);
	put32(message, (uint32_t)total);
	put32(message + 4, (uint32_t)MIN((size_t)data[1], n));
	put32(message + 8, eventstream_crc(0, message, 8));
	memcpy(message + 12, in, n);
	put32(message + 12 + n, eventstream_crc(0, message, total - 4));
	check(message, total, step);
	free(message);
	return 0;
}
