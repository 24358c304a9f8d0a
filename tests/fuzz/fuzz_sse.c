// SPDX-License-Identifier: Apache-2.0
// Fuzz target: server-sent events. Against a plain reading of the standard (line
// ends made equal first, then line by line): same events at any cut; and the raw
// spans must add up to the input.
#include <stdlib.h>
#include <string.h>

#include "common/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

struct list {
	char *p; // name NUL data NUL, per event with data
	size_t len;
};

static void
add(struct list *l, const char *p, size_t n)
{
	if (n != 0)
		memcpy(l->p + l->len, p, n);
	l->len += n;
	l->p[l->len++] = '\0';
}

// Only complete events. Never gives more than the input's bytes and 2 per line.
static void
by_the_standard(struct list *l, const char *in, size_t size)
{
	char *data = malloc(size + 1), *name = malloc(size + 1);
	REQUIRE(data != NULL && name != NULL);
	size_t data_len = 0, name_len = 0, at = 0;
	if (size >= 3 && memcmp(in, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	for (;;) {
		size_t end = at;
		while (end < size && in[end] != '\r' && in[end] != '\n')
			end++;
		if (end == size)
			break;
		const char *line = in + at;
		size_t len = end - at, field = 0;
		at = end + 1;
		if (in[end] == '\r' && at < size && in[at] == '\n')
			at++;
		if (len == 0) {
			if (data_len > 0) {
				add(l, name, name_len);
				add(l, data, data_len - 1);
			}
			data_len = name_len = 0;
			continue;
		}
		while (field < len && line[field] != ':')
			field++;
		size_t value = MIN(field + 1, len);
		if (value < len && line[value] == ' ')
			value++;
		if (field == 4 && memcmp(line, "data", 4) == 0) {
			memcpy(data + data_len, line + value, len - value);
			data_len += len - value;
			data[data_len++] = '\n';
		} else if (field == 5 && memcmp(line, "event", 5) == 0) {
			name_len = len - value;
			memcpy(name, line + value, name_len);
		}
	}
	free(data);
	free(name);
}

static void
by_ours(struct list *l, const char *in, size_t size, size_t step)
{
	struct sse_parser s;
	size_t raw = 0;
	sse_init(&s, 0);
	for (size_t at = 0; at < size; at += step) {
		size_t len = MIN(step, size - at), used;
		char *copy = malloc(len);
		REQUIRE(copy != NULL);
		memcpy(copy, in + at, len);
		enum sse_result r;
		for (size_t i = 0; (r = sse_feed(&s, copy + i, len - i, &used)) == SSE_EVENT;
		     i += used) {
			REQUIRE(memcmp(in + raw, s.event.raw.p, s.event.raw.len) == 0);
			raw += s.event.raw.len;
			if (s.event.has_data) {
				add(l, s.event.name.p, s.event.name.len);
				add(l, s.event.data.p, s.event.data.len);
			}
		}
		REQUIRE(r == SSE_NEED_MORE);
		free(copy);
	}
	if (sse_eof(&s) == SSE_EVENT) {
		REQUIRE(memcmp(in + raw, s.event.raw.p, s.event.raw.len) == 0);
		raw += s.event.raw.len;
		if (s.event.has_data && s.event.complete) {
			add(l, s.event.name.p, s.event.name.len);
			add(l, s.event.data.p, s.event.data.len);
		}
	}
	REQUIRE(raw == size);
	sse_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const char *in = (const char *)data + 1;
	size_t n = size - 1;
	struct list want = {malloc(4 * n + 4), 0}, got = {malloc(4 * n + 4), 0};
	REQUIRE(want.p != NULL && got.p != NULL);
	by_the_standard(&want, in, n);
	by_ours(&got, in, n, MAX(n, (size_t)1));
	REQUIRE(want.len == got.len && memcmp(want.p, got.p, got.len) == 0);
	got.len = 0;
	by_ours(&got, in, n, 1 + (data[0] & 0x3f));
	REQUIRE(want.len == got.len && memcmp(want.p, got.p, got.len) == 0);
	free(want.p);
	free(got.p);
	return 0;
}
