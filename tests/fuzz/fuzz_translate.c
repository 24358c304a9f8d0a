// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a provider's stream as it arrives, through the gateway's reader and a
// translator. Input: a byte for the pair, one for the cut, then SSE as it is, or, for
// Bedrock, pieces between NULs, each put in a frame: "name data", "!name data" for an
// exception. Wherever the bytes are cut, the client gets the same; what it gets is SSE of
// JSON; and its API's end is there when the stream ended well, and only then.
#include "common/eventstream.h"
#include "gatewayd/translate.h"
#include "gatewayd/worker.h"
#include "tests/fuzz/fuzz_dialect.h"

#define WIRE_MAX ((size_t)4 << 20)

static const enum dialect_pair pairs[] = {DIALECT_CHAT_MESSAGES, DIALECT_CHAT_CONVERSE,
    DIALECT_CHAT_GENERATE, DIALECT_MESSAGES_INVOKE, DIALECT_MESSAGES_RAW_PREDICT};

static bool
framed(enum dialect_pair pair)
{
	return pair == DIALECT_CHAT_CONVERSE || pair == DIALECT_MESSAGES_INVOKE;
}

static void
put_frames(struct view rest, struct buf *wire)
{
	while (rest.len > 0) {
		struct view name, data = fuzz_named_piece(&rest, &name);
		bool bad = name.len > 0 && name.p[0] == '!';
		size_t room = data.len + name.len + 256;
		struct eventstream_out o;
		char *at = buf_reserve(wire, room);
		if (at == NULL)
			return;
		eventstream_begin(&o, at, room);
		eventstream_put_string(
		    &o, ":message-type", bad ? VIEW("exception") : VIEW("event"));
		eventstream_put_string(&o, bad ? ":exception-type" : ":event-type",
		    bad ? (struct view){name.p + 1, name.len - 1} : name);
		wire->len += eventstream_end(&o, data);
	}
}

struct result {
	bool fed;
	enum dialect_end end;
	struct buf out;
};

static void
run(enum dialect_pair pair, struct view wire, size_t step, struct result *res)
{
	static const char body[] = "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":"
				   "\"user\",\"content\":\"q\"}],"
				   "\"stream\":true}";
	static struct worker w = {.limits = {.buffered_max = 1U << 30}};
	struct facts facts;
	struct dialect_fault f;
	struct dialect_request r = {.pair = pair,
	    .model = {.asked = VIEW("m"), .upstream = VIEW("u"), .betas = VIEW("")},
	    .body = view_of(body),
	    .stream = true,
	    .id = "fuzz"};
	struct translation *t = calloc(1, sizeof(*t));
	REQUIRE(t != NULL);
	t->w = &w;
	buf_init(&t->body, WIRE_MAX);
	buf_init(&t->out, WIRE_MAX * 16);
	facts_init(&facts);
	t->d = dialect_new(&r, &t->body, &f);
	REQUIRE(t->d != NULL);
	translate_stream(t, !framed(pair), &facts);
	res->fed = true;
	for (size_t at = 0; at < wire.len && res->fed; at += step)
		res->fed = translate_feed(t, (struct view){wire.p + at, MIN(step, wire.len - at)});
	res->end = res->fed ? translate_finish(t) : DIALECT_OPEN;
	res->out = t->out;
	t->out = (struct buf){0};
	facts_free(&facts);
	translate_end(&t);
}

static bool
ends_with(const struct buf *b, const char *text)
{
	size_t n = strlen(text);
	return b->len >= n && memcmp(b->p + b->len - n, text, n) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > WIRE_MAX / 64)
		return 0;
	enum dialect_pair pair = pairs[data[0] % ARRAY_LEN(pairs)];
	struct view in = {(const char *)data + 2, size - 2};
	struct buf wire;
	struct result whole, cut;
	buf_init(&wire, WIRE_MAX);
	if (framed(pair))
		put_frames(in, &wire);
	else
		buf_view(&wire, in);
	run(pair, buf_done(&wire), wire.len + 1, &whole);
	run(pair, buf_done(&wire), (size_t)data[1] + 1, &cut);
	REQUIRE(whole.fed == cut.fed && whole.end == cut.end && whole.out.len == cut.out.len);
	REQUIRE(whole.out.len == 0 || memcmp(whole.out.p, cut.out.p, whole.out.len) == 0);
	fuzz_check_stream(buf_done(&whole.out));
	if (pair != DIALECT_MESSAGES_INVOKE && pair != DIALECT_MESSAGES_RAW_PREDICT)
		REQUIRE(
		    (whole.end == DIALECT_COMPLETE) == ends_with(&whole.out, "data: [DONE]\n\n"));
	buf_free(&whole.out);
	buf_free(&cut.out);
	buf_free(&wire);
	return 0;
}
