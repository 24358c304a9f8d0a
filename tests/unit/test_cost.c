// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// What answers cost: each provider's own words, prices of a catalogue, sums by hand.
#include "gatewayd/cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define USD(x) ((uint64_t)((x)*1000000)) // for a million tokens, as pico-USD for one

static const struct msg_catalogue_model rows[] = {
    {.provider = PROVIDER_OPENAI,
	.name = VIEW("gpt-tier"),
	.upstream = VIEW("gpt-tier"),
	.price_count = 6,
	.price = {{PRICE_INPUT, USD(2)}, {PRICE_OUTPUT, USD(10)}, {PRICE_CACHE_READ, USD(0.2)},
	    {PRICE_ABOVE, 272000}, {PRICE_INPUT_ABOVE, USD(4)}, {PRICE_OUTPUT_ABOVE, USD(15)}}},
    {.provider = PROVIDER_OPENAI,
	.name = VIEW("embed"),
	.upstream = VIEW("embed"),
	.price_count = 1,
	.price = {{PRICE_INPUT, USD(0.02)}}},
    {.provider = PROVIDER_OPENAI, .name = VIEW("gpt-unpriced"), .upstream = VIEW("gpt-unpriced")},
    {.provider = PROVIDER_AZURE,
	.name = VIEW("gpt-az"),
	.upstream = VIEW("gpt-az"),
	.price_count = 2,
	.price = {{PRICE_INPUT, USD(2.5)}, {PRICE_OUTPUT, USD(10)}}},
    {.provider = PROVIDER_ANTHROPIC,
	.name = VIEW("claude"),
	.upstream = VIEW("claude"),
	.price_count = 9,
	.price = {{PRICE_INPUT, USD(3)}, {PRICE_OUTPUT, USD(15)}, {PRICE_CACHE_READ, USD(0.3)},
	    {PRICE_CACHE_WRITE, USD(3.75)}, {PRICE_ABOVE, 200000}, {PRICE_INPUT_ABOVE, USD(6)},
	    {PRICE_OUTPUT_ABOVE, USD(22.5)}, {PRICE_CACHE_READ_ABOVE, USD(0.6)},
	    {PRICE_CACHE_WRITE_1H, USD(6)}}},
    {.provider = PROVIDER_BEDROCK,
	.name = VIEW("claude"),
	.upstream = VIEW("anthropic.claude-v1:0"),
	.price_count = 6,
	.price = {{PRICE_INPUT, USD(3)}, {PRICE_OUTPUT, USD(15)}, {PRICE_CACHE_READ, USD(0.3)},
	    {PRICE_CACHE_WRITE, USD(3.75)}, {PRICE_REGIONAL_PERCENT, 10},
	    {PRICE_CACHE_WRITE_1H, USD(6)}}},
    {.provider = PROVIDER_GEMINI,
	.name = VIEW("gemini"),
	.upstream = VIEW("gemini"),
	.price_count = 7,
	.price = {{PRICE_INPUT, USD(1.25)}, {PRICE_OUTPUT, USD(10)}, {PRICE_CACHE_READ, USD(0.125)},
	    {PRICE_ABOVE, 200000}, {PRICE_INPUT_ABOVE, USD(2.5)}, {PRICE_OUTPUT_ABOVE, USD(15)},
	    {PRICE_CACHE_READ_ABOVE, USD(0.25)}}},
    {.provider = PROVIDER_VERTEX,
	.name = VIEW("claude"),
	.upstream = VIEW("claude"),
	.price_count = 3,
	.price = {{PRICE_INPUT, USD(3)}, {PRICE_OUTPUT, USD(15)}, {PRICE_REGIONAL_PERCENT, 10}}},
    {.provider = PROVIDER_VERTEX,
	.name = VIEW("free"),
	.upstream = VIEW("free"),
	.price_count = 2,
	.price = {{PRICE_INPUT, 0}, {PRICE_OUTPUT, 0}}},
    {.provider = PROVIDER_VERTEX,
	.name = VIEW("dear"),
	.upstream = VIEW("dear"),
	.price_count = 3,
	.price = {{PRICE_INPUT, UINT32_MAX}, {PRICE_OUTPUT, UINT32_MAX},
	    {PRICE_REGIONAL_PERCENT, 10}}},
};

static struct catalog_feed feed;

static int
set_up(void **state)
{
	(void)state;
	struct msg_catalogue_begin b = {.rows = ARRAY_LEN(rows)};
	assert_true(catalog_feed(&feed, MSG_CATALOGUE_BEGIN, &b));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(catalog_feed(&feed, MSG_CATALOGUE_MODEL, &rows[i]));
	struct msg_catalogue_end e = {.rows = ARRAY_LEN(rows)};
	assert_true(catalog_feed(&feed, MSG_CATALOGUE_END, &e));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	catalog_feed_free(&feed);
	return 0;
}

#define UNKNOWN UINT64_MAX

static uint64_t
cost(const struct cost_facts *f)
{
	uint64_t nano = 1;
	return cost_of(feed.present, f, &nano) ? nano : UNKNOWN;
}

static uint64_t
at(enum provider p, enum operation op, const char *model, const char *region, const char *answer)
{
	struct facts facts;
	facts_init(&facts);
	assert_true(facts_json(&facts, view_of(answer)));
	struct cost_facts f = {
	    .provider = p, .operation = op, .model = view_of(model), .region = view_of(region)};
	facts_usage(&facts, &f.usage);
	return cost(&f);
}

static uint64_t
chat(const char *usage)
{
	return at(PROVIDER_OPENAI, OP_OPENAI_CHAT, "gpt-tier", "", usage);
}

static uint64_t
messages(const char *answer)
{
	return at(PROVIDER_ANTHROPIC, OP_ANTHROPIC_MESSAGES, "claude", "", answer);
}

static void
test_openai(void **state)
{
	(void)state;
	// 1000 of $2, 200 of $10 for a million: $0.002 + $0.002
	assert_int_equal(
	    chat("{\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":200}}"), 4000000);
	// 600 at $2, 400 cached at $0.20, 200 at $10, whose reasoning is in them already
	assert_int_equal(
	    chat("{\"service_tier\":\"default\",\"usage\":{\"prompt_tokens\":1000,"
		 "\"completion_tokens\":200,\"prompt_tokens_details\":{\"cached_tokens\":"
		 "400,\"audio_tokens\":0},\"completion_tokens_details\":{"
		 "\"reasoning_tokens\":150}}}"),
	    1200000 + 80000 + 2000000);
	// Writing a cache is no extra here.
	assert_int_equal(chat("{\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":0,"
			      "\"prompt_tokens_details\":{\"cache_write_tokens\":1000}}}"),
	    2000000);
	// Responses, at the end of a stream: input_tokens holds what was cached.
	assert_int_equal(
	    at(PROVIDER_OPENAI, OP_OPENAI_RESPONSES, "gpt-tier", "",
		"{\"type\":\"response.completed\",\"response\":{\"service_tier\":\"default\","
		"\"usage\":{"
		"\"input_tokens\":1000,\"input_tokens_details\":{\"cached_tokens\":400},"
		"\"output_tokens\":200,\"output_tokens_details\":{\"reasoning_tokens\":50}}}}"),
	    1200000 + 80000 + 2000000);
	// 7 of $0.02: 140 nano-USD
	assert_int_equal(at(PROVIDER_OPENAI, OP_OPENAI_EMBEDDINGS, "embed", "",
			     "{\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}"),
	    140);
}

static void
test_tiers(void **state)
{
	(void)state;
	// 272,000 is not above it: 272,000 x $2 + 1,000 x $10
	assert_int_equal(chat("{\"usage\":{\"prompt_tokens\":272000,\"completion_tokens\":1000}}"),
	    544000000 + 10000000);
	// One more, and all of it costs more.
	assert_int_equal(chat("{\"usage\":{\"prompt_tokens\":272001,\"completion_tokens\":1000}}"),
	    1088004000 + 15000000);
	// What a cached token costs up there the catalogue does not say.
	assert_int_equal(chat("{\"usage\":{\"prompt_tokens\":272001,\"completion_tokens\":1,"
			      "\"prompt_tokens_details\":{\"cached_tokens\":1}}}"),
	    UNKNOWN);
	// The prompt is all of it, cached or not: 100,000 x $6 + 100,001 x $0.60 + 10 x $22.50
	assert_int_equal(messages("{\"usage\":{\"input_tokens\":100000,\"cache_read_input_tokens\":"
				  "100001,\"output_tokens\":10}}"),
	    600000000 + 60000600 + 225000);
	// 200,001 x $2.50 + (3 + 4) x $15
	assert_int_equal(at(PROVIDER_GEMINI, OP_GENERATE_CONTENT, "gemini", "",
			     "{\"usageMetadata\":{\"promptTokenCount\":200001,"
			     "\"candidatesTokenCount\":3,\"thoughtsTokenCount\":4}}"),
	    500002500 + 105000);
}

static void
test_anthropic(void **state)
{
	(void)state;
	// 10 x $3 + 1000 x $0.30 + 100 x $3.75 + 20 x $15, thinking in it
	assert_int_equal(
	    messages("{\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":1000,"
		     "\"cache_creation_input_tokens\":100,\"cache_creation\":{"
		     "\"ephemeral_5m_input_tokens\":100,\"ephemeral_1h_input_tokens\":0},"
		     "\"output_tokens\":20,\"output_tokens_details\":{\"thinking_tokens\":5},"
		     "\"service_tier\":\"standard\",\"inference_geo\":\"not_available\"}}"),
	    30000 + 300000 + 375000 + 300000);
	// 60 for five minutes, 40 for an hour at $6
	assert_int_equal(
	    messages("{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,"
		     "\"cache_creation_input_tokens\":100,\"cache_creation\":{"
		     "\"ephemeral_5m_input_tokens\":60,\"ephemeral_1h_input_tokens\":40},"
		     "\"output_tokens\":20}}}"),
	    30000 + 225000 + 240000 + 300000);
}

static void
test_bedrock(void **state)
{
	(void)state;
	static const char usage[] =
	    "{\"usage\":{\"inputTokens\":10,\"outputTokens\":20,\"totalTokens\":30,"
	    "\"cacheReadInputTokens\":1000,\"cacheWriteInputTokens\":100,\"cacheDetails\":["
	    "{\"ttl\":\"5m\",\"inputTokens\":60},{\"inputTokens\":40,\"ttl\":\"1h\"}]},"
	    "\"serviceTier\":{\"type\":\"default\"}}";
	// 10 x $3 + 1000 x $0.30 + 60 x $3.75 + 40 x $6 + 20 x $15
	uint64_t plain = 30000 + 300000 + 225000 + 240000 + 300000;
	assert_int_equal(at(PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE, "global.anthropic.claude-v1:0",
			     "eu-west-1", usage),
	    plain);
	uint64_t regional = plain / 10 * 11;
	assert_int_equal(at(PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE, "eu.anthropic.claude-v1:0",
			     "eu-west-1", usage),
	    regional);
	assert_int_equal(
	    at(PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE, "anthropic.claude-v1:0", "eu-west-1", usage),
	    regional);
	assert_int_equal(at(PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE,
			     "arn:aws:bedrock:eu-west-1:1:inference-profile/"
			     "global.anthropic.claude-v1:0",
			     "eu-west-1", usage),
	    plain);
	assert_int_equal(
	    at(PROVIDER_BEDROCK, OP_BEDROCK_INVOKE_STREAM, "global.anthropic.claude-v1:0", "",
		"{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{"
		"\"inputTokenCount\":10,\"outputTokenCount\":20,\"invocationLatency\":9,"
		"\"firstByteLatency\":3,\"cacheReadInputTokenCount\":1000,"
		"\"cacheWriteInputTokenCount\":60}}"),
	    30000 + 300000 + 225000 + 300000);
}

static void
test_google(void **state)
{
	(void)state;
	// 1000 of which 400 cached, and 50 of tool results; 20 and 30 thoughts:
	// 650 x $1.25 + 400 x $0.125 + 50 x $10
	assert_int_equal(
	    at(PROVIDER_GEMINI, OP_STREAM_GENERATE_CONTENT, "gemini", "",
		"{\"usageMetadata\":{\"promptTokenCount\":1000,\"cachedContentTokenCount\":400,"
		"\"candidatesTokenCount\":20,\"thoughtsTokenCount\":30,"
		"\"toolUsePromptTokenCount\":50,\"totalTokenCount\":1100,"
		"\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":900},{\"modality\":"
		"\"IMAGE\",\"tokenCount\":100}],\"trafficType\":\"ON_DEMAND\"}}"),
	    812500 + 50000 + 500000);
	static const char usage[] = "{\"usage\":{\"input_tokens\":10,\"output_tokens\":20}}";
	assert_int_equal(at(PROVIDER_VERTEX, OP_RAW_PREDICT, "claude", "global", usage), 330000);
	assert_int_equal(
	    at(PROVIDER_VERTEX, OP_RAW_PREDICT, "claude", "europe-west1", usage), 363000);
	assert_int_equal(at(PROVIDER_VERTEX, OP_RAW_PREDICT, "free", "global", usage), 0);
}

static void
test_azure_deployment(void **state)
{
	(void)state;
	struct cost_facts f = {.provider = PROVIDER_AZURE,
	    .operation = OP_OPENAI_CHAT,
	    .model = VIEW("team-a-prod"),
	    .usage = {.known = true, .input = 1000, .output = 100}};
	assert_int_equal(cost(&f), UNKNOWN);
	f.asked = VIEW("gpt-az");
	assert_int_equal(cost(&f), 2500000 + 1000000);
	f.provider = PROVIDER_OPENAI; // elsewhere the upstream name is the name
	f.asked = VIEW("gpt-tier");
	assert_int_equal(cost(&f), UNKNOWN);
}

static void
test_unknown(void **state)
{
	(void)state;
	static const char usage[] = "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20}}";
	assert_int_equal(at(PROVIDER_OPENAI, OP_OPENAI_CHAT, "gpt-unpriced", "", usage), UNKNOWN);
	assert_int_equal(at(PROVIDER_OPENAI, OP_OPENAI_CHAT, "nobody", "", usage), UNKNOWN);
	assert_int_equal(at(PROVIDER_OPENAI, OP_OPENAI_CHAT, "embed", "", usage), UNKNOWN);
	assert_int_equal(at(PROVIDER_OPENAI, OP_OPENAI_MODEL, "gpt-tier", "", usage), UNKNOWN);
	assert_int_equal(
	    at(PROVIDER_ANTHROPIC, OP_ANTHROPIC_COUNT_TOKENS, "claude", "", "{\"input_tokens\":9}"),
	    UNKNOWN);
	assert_int_equal(chat("{\"choices\":[]}"), UNKNOWN); // a stream without usage
	assert_int_equal(chat("{\"usage\":null}"), UNKNOWN);
	struct cost_facts f = {.provider = PROVIDER_OPENAI, .operation = OP_OPENAI_CHAT};
	uint64_t nano;
	assert_false(cost_of(NULL, &f, &nano));
}

static void
test_special(void **state)
{
	(void)state;
#define CHAT   "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1"
#define CLAUDE "\"usage\":{\"input_tokens\":1,\"output_tokens\":1"
	assert_int_equal(chat("{\"service_tier\":\"flex\"," CHAT "}}"), UNKNOWN);
	assert_int_equal(chat("{\"service_tier\":\"priority\"," CHAT "}}"), UNKNOWN);
	assert_int_equal(chat("{\"service_tier\":null," CHAT "}}"), 12000);
	assert_int_equal(
	    chat("{" CHAT ",\"completion_tokens_details\":{\"audio_tokens\":1}}}"), UNKNOWN);
	assert_int_equal(messages("{" CLAUDE ",\"service_tier\":\"priority\"}}"), UNKNOWN);
	assert_int_equal(messages("{" CLAUDE ",\"speed\":\"fast\"}}"), UNKNOWN);
	assert_int_equal(messages("{" CLAUDE ",\"inference_geo\":\"us\"}}"), UNKNOWN);
	assert_int_equal(messages("{" CLAUDE ",\"inference_geo\":\"global\"}}"), 18000);
	assert_int_equal(
	    messages("{" CLAUDE ",\"server_tool_use\":{\"web_search_requests\":1}}}"), UNKNOWN);
	assert_int_equal(
	    messages("{" CLAUDE ",\"server_tool_use\":{\"web_search_requests\":0}}}"), 18000);
	static const char *const google[] = {
	    "{\"usageMetadata\":{\"promptTokenCount\":1,\"trafficType\":\"PROVISIONED_THROUGHPUT\"}"
	    "}",
	    "{\"usageMetadata\":{\"promptTokenCount\":1,\"promptTokensDetails\":[{\"modality\":"
	    "\"AUDIO\",\"tokenCount\":1}]}}",
	};
	for (size_t i = 0; i < ARRAY_LEN(google); i++)
		assert_int_equal(
		    at(PROVIDER_GEMINI, OP_GENERATE_CONTENT, "gemini", "", google[i]), UNKNOWN);
}

// A peer's counts do not wrap around to something cheap.
static void
test_huge(void **state)
{
	(void)state;
	struct cost_facts f = {.provider = PROVIDER_VERTEX,
	    .operation = OP_RAW_PREDICT,
	    .model = VIEW("dear"),
	    .region = VIEW("global"),
	    .usage = {.known = true, .input = UINT32_MAX}};
	assert_int_equal(cost(&f), 18446744065119617ULL); // (2^32 - 1)^2 / 1000, rounded
	f.usage.output = UINT32_MAX;
	assert_int_equal(cost(&f), UNKNOWN);
	f.usage.output = 0;
	f.region = VIEW("us-central1");
	assert_int_equal(cost(&f), UNKNOWN);
}

static void
test_text(void **state)
{
	(void)state;
	char text[COST_TEXT_MAX];
	cost_text(0, text);
	assert_string_equal(text, "0.000000000");
	cost_text(140, text);
	assert_string_equal(text, "0.000000140");
	cost_text(12345678901ULL, text);
	assert_string_equal(text, "12.345678901");
	cost_text(UINT64_MAX, text);
	assert_string_equal(text, "18446744073.709551615");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_openai),
	    cmocka_unit_test(test_tiers),
	    cmocka_unit_test(test_anthropic),
	    cmocka_unit_test(test_bedrock),
	    cmocka_unit_test(test_google),
	    cmocka_unit_test(test_azure_deployment),
	    cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_special),
	    cmocka_unit_test(test_huge),
	    cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
