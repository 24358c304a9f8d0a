// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// The cost of an answer through a whole worker: what the client and the record are told,
// and that nothing is said where nobody can know.
#include "tests/unit/translate_fixture.h"

static const struct msg_catalogue_model rows[] = {
    {.provider = PROVIDER_OPENAI,
	.name = VIEW("m"),
	.upstream = VIEW("m"),
	.price_count = 3,
	.price = {{PRICE_INPUT, 2000000}, {PRICE_OUTPUT, 10000000}, {PRICE_CACHE_READ, 200000}}},
    {.provider = PROVIDER_ANTHROPIC,
	.name = VIEW("claude-x"),
	.upstream = VIEW("claude-x"),
	.price_count = 2,
	.price = {{PRICE_INPUT, 3000000}, {PRICE_OUTPUT, 15000000}}},
    {.provider = PROVIDER_BEDROCK,
	.name = VIEW("nova"),
	.upstream = VIEW("amazon.nova"),
	.price_count = 2,
	.price = {{PRICE_INPUT, 1000000}, {PRICE_OUTPUT, 4000000}}},
    {.provider = PROVIDER_GEMINI,
	.name = VIEW("embed"),
	.upstream = VIEW("embed"),
	.price_count = 1,
	.price = {{PRICE_INPUT, 150000}}},
};

static int
set_up(void **state)
{
	if (gw_setup(state) != 0)
		return -1;
	struct catalog_feed *f = &gw.w.catalogue;
	struct msg_catalogue_begin b = {.rows = ARRAY_LEN(rows)};
	assert_true(catalog_feed(f, MSG_CATALOGUE_BEGIN, &b));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(catalog_feed(f, MSG_CATALOGUE_MODEL, &rows[i]));
	struct msg_catalogue_end end = {.rows = ARRAY_LEN(rows)};
	assert_true(catalog_feed(f, MSG_CATALOGUE_END, &end));
	return 0;
}

#define COST "\r\nx-sallyport-cost-usd: "
#define USAGE                                                                                      \
	"\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":200,\"prompt_tokens_details\":{"  \
	"\"cached_tokens\":400},\"completion_tokens_details\":{\"reasoning_tokens\":50}}"
#define JSON "Content-Type: application/json\r\n"

static void
recorded(uint64_t cost)
{
	gw_wait(MSG_APPEND);
	assert_int_equal(gw_attr(ATTR_COST), cost);
}

static void
test_native(void **state)
{
	(void)state;
	answer(ask(ASK), 200, JSON, "{" USAGE "}");
	gw_read("\"reasoning_tokens\":50}}}");
	expect(COST "0.003280000\r\n"); // 600 x $2 + 400 x $0.20 + 200 x $10, of a million
	recorded(3280000);
	assert_int_equal(gw_attr(ATTR_TOKENS_IN), 1000);
	assert_int_equal(gw_attr(ATTR_TOKENS_OUT), 200);
	assert_int_equal(gw_attr(ATTR_TOKENS_CACHED), 400);
	assert_int_equal(gw_attr(ATTR_TOKENS_REASONING), 50);
}

static void
test_translated(void **state)
{
	(void)state;
	to_messages(0);
	answer(ask(ASK), 200, JSON, MESSAGE);
	gw_read("\"total_tokens\":10");
	expect(COST "0.000066000\r\n"); // 7 x $3 + 3 x $15
	recorded(66000);
	assert_int_equal(gw_attr(ATTR_TOKENS_CACHED), GW_NO_ATTR);
	assert_int_equal(gw_attr(ATTR_TOKENS_REASONING), GW_NO_ATTR);
}

static void
test_translated_stream(void **state)
{
	(void)state;
	to_messages(0);
	uint64_t lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, START DELTA STOP);
	gw_plain(lane, "0\r\n\r\n");
	gw_read("[DONE]");
	expect_not("cost-usd");
	recorded(66000);
}

static void
test_stream(void **state)
{
	(void)state;
	uint64_t lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, "data: {\"choices\":[]," USAGE "}\n\ndata: [DONE]\n\n");
	gw_plain(lane, "0\r\n\r\n");
	gw_read("[DONE]");
	expect_not("cost-usd");
	recorded(3280000);
	// Its usage was told, its end was not.
	lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, "data: {\"choices\":[]," USAGE "}\n\n");
	gw_plain(lane, "0\r\n\r\n");
	gw_read("stream_truncated");
	recorded(GW_NO_ATTR);
	assert_int_equal(gw_attr(ATTR_TOKENS_IN), 1000);
	// The provider never said.
	gw_connect_client();
	lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, "data: {\"choices\":[]}\n\ndata: [DONE]\n\n");
	gw_plain(lane, "0\r\n\r\n");
	gw_read("[DONE]");
	recorded(GW_NO_ATTR);
}

// A head that leaves before the body is whole says nothing; the record does.
static void
test_big(void **state)
{
	(void)state;
	static char body[100000];
	uint64_t lane = ask(ASK);
	memset(body, ' ', sizeof(body) - 1);
	memcpy(body, "{" USAGE, strlen("{" USAGE));
	body[sizeof(body) - 2] = '}';
	char head[200];
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n" JSON "Content-Length: %zu\r\n\r\n",
	    strlen(body));
	gw_plain(lane, head);
	for (size_t at = 0; at < strlen(body); at += 10000) {
		char piece[10001];
		snprintf(piece, sizeof(piece), "%s", body + at);
		gw_plain(lane, piece);
		gw_settle();
	}
	while (gw.answer_len < strlen(body))
		gw_read("HTTP/1.1 200");
	expect_not("cost-usd");
	recorded(3280000);
}

static void
test_counts_in_headers(void **state)
{
	(void)state;
	gw.way[0].provider = PROVIDER_BEDROCK;
	gw.way[0].op = OP_BEDROCK_INVOKE;
	gw.way[0].model = "us.amazon.nova";
	clear();
	gw_post_to("/model/us.amazon.nova/invoke", "{}");
	e = gw_wait(MSG_USE);
	answer(e->b, 200,
	    JSON "x-amzn-bedrock-input-token-count: 100\r\n"
		 "x-amzn-bedrock-output-token-count: 10\r\n",
	    "{}");
	gw_read("\r\n\r\n{}");
	expect(COST "0.000140000\r\n");
	recorded(140000);
}

static void
test_embeddings(void **state)
{
	(void)state;
	gw.way[0].provider = PROVIDER_GEMINI;
	gw.way[0].op = OP_BATCH_EMBED_CONTENTS;
	gw.way[0].model = "embed";
	clear();
	gw_post_to("/v1/embeddings", "{\"model\":\"embed\",\"input\":\"x\"}");
	e = gw_wait(MSG_USE);
	answer(e->b, 200, JSON,
	    "{\"embeddings\":[{\"values\":[1,2]}],\"usageMetadata\":{\"promptTokenCount\":20}}");
	gw_read("\"object\":\"embedding\"");
	expect(COST "0.000003000\r\n");
	recorded(3000);
}

static void
nothing_said(unsigned status)
{
	answer(ask(ASK), status, JSON, "{" USAGE "}");
	gw_read("\"reasoning_tokens\":50}}}");
	expect_not("cost-usd");
	recorded(GW_NO_ATTR);
	assert_int_equal(gw_attr(ATTR_TOKENS_IN), 1000);
}

static void
test_errors_cost_nothing(void **state)
{
	(void)state;
	nothing_said(429);
}

static void
test_model_without_price(void **state)
{
	(void)state;
	gw.way[0].model = "another";
	nothing_said(200);
}

static void
test_no_catalogue_yet(void **state)
{
	(void)state;
	catalog_feed_free(&gw.w.catalogue);
	nothing_said(200);
}

static void
test_client_leaves(void **state)
{
	(void)state;
	uint64_t lane = ask(ASK_STREAM);
	gw_plain(lane, STREAM_HEAD);
	chunk(lane, "data: {\"choices\":[]," USAGE "}\n\n");
	gw_read("cached_tokens");
	gw_connect_client(); // closes the first
	recorded(GW_NO_ATTR);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, gw_teardown)
	const struct CMUnitTest tests[] = {T(test_native), T(test_translated),
	    T(test_translated_stream), T(test_stream), T(test_big), T(test_counts_in_headers),
	    T(test_embeddings), T(test_errors_cost_nothing), T(test_model_without_price),
	    T(test_no_catalogue_yet), T(test_client_leaves)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
