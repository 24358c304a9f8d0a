// links: dialect
// SPDX-License-Identifier: Apache-2.0
// OpenAI embeddings to Gemini, Vertex AI, Titan and Cohere, floats and base64.
#include "tests/unit/dialect_fixture.h"

static void
test_gemini(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_EMBED_GEMINI, "gemini-embedding-001");
	fixture_request(&x,
	    "{\"model\":\"m\",\"input\":[\"a\\u00e9\",\"b\"],\"dimensions\":256,\"user\":\"u\"}",
	    "{\"requests\":[{\"model\":\"models/gemini-embedding-001\",\"content\":{\"parts\":[{"
	    "\"text\":\"a\\u00e9\"}]},\"outputDimensionality\":256},"
	    "{\"model\":\"models/gemini-embedding-001\",\"content\":{\"parts\":[{\"text\":\"b\"}]},"
	    "\"outputDimensionality\":256}]}");
	assert_true(view_eq_str(dialect_dropped(x.d), "user"));
	// 43: numbers as written.
	assert_true(dialect_answer(
	    x.d, VIEW("{\"embeddings\":[{\"values\":[0.10,-1e-7]},{\"values\":[1,2]}]}"), &x.out));
	fixture_equal(&x.out,
	    "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":"
	    "[0.10,-1e-7]},{\"object\":\"embedding\",\"index\":1,\"embedding\":[1,2]}],"
	    "\"model\":\"asked-model\",\"usage\":{\"prompt_tokens\":0,\"total_tokens\":0}}");
	fixture_free(&x);
}

static void
test_38_base64(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_EMBED_GEMINI, "m");
	assert_true(fixture_open(&x, "{\"input\":\"a\",\"encoding_format\":\"base64\"}"));
	assert_true(
	    dialect_answer(x.d, VIEW("{\"embeddings\":[{\"values\":[1.0,-2.5,0]}]}"), &x.out));
	// 00 00 80 3f  00 00 20 c0  00 00 00 00
	fixture_has(&x.out, "\"embedding\":\"AACAPwAAIMAAAAAA\"}");
	assert_true(fixture_open(&x, "{\"input\":\"a\",\"encoding_format\":\"float\"}"));
	assert_true(dialect_answer(x.d, VIEW("{\"embeddings\":[{\"values\":[1.0]}]}"), &x.out));
	fixture_has(&x.out, "\"embedding\":[1.0]}");
	assert_true(fixture_open(&x, "{\"input\":\"a\",\"encoding_format\":\"base64\"}"));
	assert_false(dialect_answer(x.d, VIEW("{\"embeddings\":[{\"values\":[1e99]}]}"), &x.out));
	fixture_free(&x);
}

static void
test_vertex(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_EMBED_VERTEX, "text-embedding-005");
	fixture_request(&x, "{\"input\":[\"a\",\"b\"],\"dimensions\":3}",
	    "{\"instances\":[{\"content\":\"a\"},{\"content\":\"b\"}],\"parameters\":{"
	    "\"autoTruncate\":false,\"outputDimensionality\":3}}");
	assert_true(dialect_answer(x.d,
	    VIEW(
		"{\"predictions\":[{\"embeddings\":{\"values\":[1],\"statistics\":{\"token_count\":"
		"6.0}}},{\"embeddings\":{\"values\":[2],\"statistics\":{\"token_count\":5}}}]}"),
	    &x.out));
	fixture_has(&x.out, "\"usage\":{\"prompt_tokens\":11,\"total_tokens\":11}}");
	assert_int_equal(dialect_usage(x.d)->input, 11);
	// An answer of another count is none.
	assert_true(fixture_open(&x, "{\"input\":[\"a\",\"b\"]}"));
	assert_false(dialect_answer(
	    x.d, VIEW("{\"predictions\":[{\"embeddings\":{\"values\":[1]}}]}"), &x.out));
	fixture_free(&x);
}

static void
test_titan(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_EMBED_BEDROCK, "amazon.titan-embed-text-v2:0");
	x.r.model.flags = MODEL_EMBEDDING | MODEL_TITAN_EMBED;
	fixture_request(&x, "{\"input\":[\"a\"],\"dimensions\":512}",
	    "{\"inputText\":\"a\",\"dimensions\":512,\"normalize\":true}");
	assert_true(
	    dialect_answer(x.d, VIEW("{\"embedding\":[0.5],\"inputTextTokenCount\":3}"), &x.out));
	fixture_has(&x.out, "\"index\":0,\"embedding\":[0.5]}],\"model\":\"asked-model\"");
	fixture_has(&x.out, "\"prompt_tokens\":3");
	fixture_refused(&x, "{\"input\":[\"a\",\"b\"]}", "invalid_value", "input");
	x.r.model.upstream = VIEW("amazon.titan-embed-text-v1");
	fixture_request(&x, "{\"input\":\"a\"}", "{\"inputText\":\"a\"}");
	fixture_refused(
	    &x, "{\"input\":\"a\",\"dimensions\":3}", "unsupported_parameter", "dimensions");
	fixture_free(&x);
}

static void
test_cohere(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_EMBED_BEDROCK, "cohere.embed-v4:0");
	x.r.model.flags = MODEL_EMBEDDING | MODEL_COHERE_EMBED;
	fixture_request(&x, "{\"input\":[\"a\",\"b\"],\"dimensions\":256}",
	    "{\"texts\":[\"a\",\"b\"],\"input_type\":\"search_document\",\"embedding_types\":["
	    "\"float\"],\"output_dimension\":256}");
	assert_true(dialect_answer(x.d, VIEW("{\"embeddings\":{\"float\":[[1],[2]]}}"), &x.out));
	fixture_has(&x.out, "\"index\":1,\"embedding\":[2]}]");
	fixture_request(&x, "{\"input\":\"a\",\"input_type\":\"search_query\"}",
	    "{\"texts\":[\"a\"],\"input_type\":\"search_query\",\"embedding_types\":[\"float\"]}");
	assert_true(dialect_answer(x.d, VIEW("{\"embeddings\":[[1]]}"), &x.out));
	x.r.model.upstream = VIEW("cohere.embed-english-v3");
	fixture_refused(
	    &x, "{\"input\":\"a\",\"dimensions\":3}", "unsupported_parameter", "dimensions");
	x.r.model.flags = 0;
	fixture_refused(&x, "{\"input\":\"a\"}", "model_not_supported", "model");
	fixture_free(&x);
}

static void
test_refused(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_EMBED_GEMINI, "m");
	static const struct {
		const char *body, *param;
	} bad[] = {
	    {"{}", "input"},
	    {"{\"input\":null}", "input"},
	    {"{\"input\":\"\"}", "input"},
	    {"{\"input\":[]}", "input"},
	    {"{\"input\":[1,2]}", "input"},
	    {"{\"input\":[[1,2]]}", "input"},
	    {"{\"input\":[\"a\",{}]}", "input"},
	    {"{\"input\":\"a\",\"dimensions\":0}", "dimensions"},
	    {"{\"input\":\"a\",\"dimensions\":1.5}", "dimensions"},
	    {"{\"input\":\"a\",\"dimensions\":\"3\"}", "dimensions"},
	    {"{\"input\":\"a\",\"encoding_format\":\"int8\"}", "encoding_format"},
	    {"[]", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		fixture_refused(&x, bad[i].body, "invalid_value", bad[i].param);
	x.r.strict_params = true;
	fixture_refused(&x, "{\"input\":\"a\",\"user\":\"u\"}", "unsupported_parameter", "user");
	fixture_free(&x);
}

static void
test_bad_answers(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_EMBED_GEMINI, "m");
	static const char *const bad[] = {"", "[]", "{}", "{\"embeddings\":[]}",
	    "{\"embeddings\":[{}]}", "{\"embeddings\":[{\"values\":\"x\"}]}",
	    "{\"embeddings\":[{\"values\":[\"x\"]}]}",
	    "{\"embeddings\":[{\"values\":[1]},{\"values\":[1]}]}"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(fixture_open(&x, "{\"input\":\"a\"}"));
		assert_false(dialect_answer(x.d, view_of(bad[i]), &x.out));
	}
	assert_true(fixture_open(&x, "{\"input\":\"a\"}"));
	assert_false(dialect_answer(
	    x.d, VIEW("{\"error\":{\"status\":\"INTERNAL\",\"message\":\"m\"}}"), &x.out));
	assert_string_equal(dialect_failure(x.d)->type, "INTERNAL");
	fixture_free(&x);
}

// The list is a header of the answer, and a name is whatever the client wrote.
static void
test_dropped_names(void **state)
{
	(void)state;
	struct fixture x;
	fixture_init(&x, DIALECT_EMBED_GEMINI, "m");
	static const char *const odd[] = {"{\"input\":\"a\",\"\x7f\":1}",
	    "{\"input\":\"a\",\" b\":1}", "{\"input\":\"a\",\"\":1}",
	    "{\"input\":\"a\",\"\\r\\nx: y\":1}", "{\"input\":\"a\",\"b,c\":1}",
	    "{\"input\":\"a\",\"a_name_of_more_than_sixty_three_bytes_which_is_not_repeated_here_"
	    "\":"
	    "1}"};
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		x.r.strict_params = false;
		assert_true(fixture_open(&x, odd[i]));
		assert_true(view_eq_str(dialect_dropped(x.d), "other"));
		x.r.strict_params = true;
		assert_false(fixture_open(&x, odd[i]));
		assert_string_equal(x.fault.param, "other");
	}
	fixture_free(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_gemini),
	    cmocka_unit_test(test_38_base64),
	    cmocka_unit_test(test_vertex),
	    cmocka_unit_test(test_titan),
	    cmocka_unit_test(test_cohere),
	    cmocka_unit_test(test_dropped_names),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_bad_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
