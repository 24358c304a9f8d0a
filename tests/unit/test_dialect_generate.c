// links: dialect
// SPDX-License-Identifier: Apache-2.0
// OpenAI chat requests as Gemini takes them. Numbers in names are the corner cases that
// other gateways got wrong.
#include <stdio.h>

#include "tests/unit/dialect_fixture.h"

#define HI    "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define HI_UP "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]"
#define TOOL                                                                                       \
	"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"w\",\"description\":\"d\","    \
	"\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{}}}}]"
#define TOOL_UP                                                                                    \
	"\"tools\":[{\"functionDeclarations\":[{\"name\":\"w\",\"description\":\"d\","             \
	"\"parametersJsonSchema\":{\"type\":\"object\",\"additionalProperties\":false,"            \
	"\"properties\":{}}}]}]"

static void
start(struct fixture *x)
{
	fixture_init(x, DIALECT_CHAT_GENERATE, "gemini-x");
}

// --- the request ------------------------------------------------------------------------

static void
test_messages(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	fixture_request(&x,
	    "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
	    "{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"},"
	    "{\"role\":\"developer\",\"content\":\"t\"},"
	    "{\"role\":\"assistant\",\"content\":\"c\"},{\"role\":\"user\",\"content\":\"d\"}]}",
	    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
	    "{\"role\":\"model\",\"parts\":[{\"text\":\"c\"}]},"
	    "{\"role\":\"user\",\"parts\":[{\"text\":\"d\"}]}],"
	    "\"systemInstruction\":{\"parts\":[{\"text\":\"s\"},{\"text\":\"t\"}]}}");
	fixture_free(&x);
}

static void
test_26_blank_texts_go(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	assert_true(fixture_open(&x,
	    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\"},"
	    "{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"assistant\",\"content\":\"\"},"
	    "{\"role\":\"user\",\"content\":\"b\"}]}"));
	fixture_lacks(&x.body, "\"text\":\"\"");
	fixture_lacks(&x.body, "\"parts\":[]");
	fixture_free(&x);
}

static void
test_media(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	assert_true(fixture_open(&x,
	    "{\"messages\":[{\"role\":\"user\",\"content\":["
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/"
	    "png;base64,iVBORw0KGgo=\"}},"
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"gs://b/x.JPG\"}},"
	    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://h/x.webp?q=a.png\"}},"
	    "{\"type\":\"input_audio\",\"input_audio\":{\"format\":\"wav\",\"data\":\"UklGRg==\"}},"
	    "{\"type\":\"file\",\"file\":{\"filename\":\"f.pdf\",\"file_data\":"
	    "\"data:application/pdf;base64,JVBERi0=\"}}]}]}"));
	fixture_has(
	    &x.body, "{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBORw0KGgo=\"}}");
	fixture_has(
	    &x.body, "{\"fileData\":{\"mimeType\":\"image/jpeg\",\"fileUri\":\"gs://b/x.JPG\"}}");
	fixture_has(&x.body, "{\"fileData\":{\"mimeType\":\"image/webp\",\"fileUri\":\"https://h/"
			     "x.webp?q=a.png\"}}");
	fixture_has(&x.body, "{\"inlineData\":{\"mimeType\":\"audio/wav\",\"data\":\"UklGRg==\"}}");
	fixture_has(
	    &x.body, "{\"inlineData\":{\"mimeType\":\"application/pdf\",\"data\":\"JVBERi0=\"}}");
	static const char *const bad[] = {"http://h/x.png", "https://h/x", "file:///x.png"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char body[256];
		(void)snprintf(body, sizeof body,
		    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
		    "\"image_url\":{\"url\":\"%s\"}}]}]}",
		    bad[i]);
		assert_false(fixture_open(&x, body));
	}
	fixture_free(&x);
}

#define ROUND                                                                                      \
	"\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","             \
	"\"content\":null,\"tool_calls\":["                                                        \
	"{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"w\",\"arguments\":"     \
	"\"{\\\"id\\\":9007199254740993}\"}},"                                                     \
	"{\"id\":\"call_2\",\"type\":\"function\",\"function\":{\"name\":\"v\",\"arguments\":"     \
	"\"\"}}]},"                                                                                \
	"{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":\"22C\"},"                     \
	"{\"role\":\"tool\",\"tool_call_id\":\"call_2\",\"content\":\"{\\\"k\\\":1}\"},"           \
	"{\"role\":\"user\",\"content\":\"go\"}]"

static void
test_1_21_43_tool_round(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	fixture_request(&x, "{" ROUND "}",
	    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"q\"}]},"
	    "{\"role\":\"model\",\"parts\":["
	    "{\"functionCall\":{\"name\":\"w\",\"args\":{\"id\":9007199254740993}}},"
	    "{\"functionCall\":{\"name\":\"v\",\"args\":{}}}]},"
	    "{\"role\":\"user\",\"parts\":["
	    "{\"functionResponse\":{\"name\":\"w\",\"response\":{\"output\":\"22C\"}}},"
	    "{\"functionResponse\":{\"name\":\"v\",\"response\":{\"k\":1}}},"
	    "{\"text\":\"go\"}]}]}");
	// Results given in another order go back in that of their calls: Gemini has no ids.
	assert_true(fixture_open(&x,
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
	    "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"w\","
	    "\"arguments\":\"{}\"}},{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":"
	    "\"w\",\"arguments\":\"{}\"}}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"second\"},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"first\"}]}"));
	fixture_has(&x.body, "{\"output\":\"first\"}}},{\"functionResponse\":{\"name\":\"w\","
			     "\"response\":{\"output\":\"second\"}}}]}]}");
	assert_false(fixture_open(&x,
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"tool\","
	    "\"tool_call_id\":\"nobody\",\"content\":\"x\"}]}"));
	fixture_free(&x);
}

static void
test_16_signatures(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	x.r.model.flags = MODEL_SIGNATURES;
	// Lost: the first call of the step carries the stand-in, the second none.
	assert_true(fixture_open(&x, "{" ROUND "}"));
	fixture_has(&x.body,
	    "9007199254740993}},\"thoughtSignature\":\"skip_thought_signature_validator\"},"
	    "{\"functionCall\":{\"name\":\"v\",\"args\":{}}}]");
	// Remembered.
	x.r.memory = dialect_memory_new(16);
	dialect_memory_scope(x.r.memory, VIEW("client"));
	dialect_memory_put(x.r.memory, VIEW("call_1"), VIEW("sigA="));
	assert_true(fixture_open(&x, "{" ROUND "}"));
	fixture_has(&x.body, "\"thoughtSignature\":\"sigA=\"");
	fixture_lacks(&x.body, "skip_thought");
	// Another client's is not.
	dialect_memory_scope(x.r.memory, VIEW("other"));
	assert_true(fixture_open(&x, "{" ROUND "}"));
	fixture_has(&x.body, "skip_thought");
	// Given back by the client: that one.
	assert_true(fixture_open(&x,
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
	    "\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"w\","
	    "\"arguments\":\"{}\"},\"extra_content\":{\"google\":{\"thought_signature\":\"sigB=\"}}"
	    "}"
	    "]},{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":\"x\"}]}"));
	fixture_has(&x.body, "\"thoughtSignature\":\"sigB=\"");
	dialect_memory_free(x.r.memory);
	x.r.memory = NULL;
	// 2.5 models need none.
	x.r.model.flags = 0;
	assert_true(fixture_open(&x, "{" ROUND "}"));
	fixture_lacks(&x.body, "thoughtSignature");
	fixture_free(&x);
}

static void
test_16_25_signature_on_text(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	fixture_request(&x,
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
	    "\"content\":\"a\",\"reasoning_content\":\"hm\",\"reasoning_details\":[{\"type\":"
	    "\"reasoning.encrypted\",\"format\":\"google-gemini-v1\",\"data\":\"sig+/=\"}]},"
	    "{\"role\":\"user\",\"content\":\"b\"}]}",
	    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"q\"}]},"
	    "{\"role\":\"model\",\"parts\":[{\"text\":\"a\",\"thoughtSignature\":\"sig+/=\"}]},"
	    "{\"role\":\"user\",\"parts\":[{\"text\":\"b\"}]}]}");
	// Claude's signature is not for Gemini.
	assert_true(fixture_open(&x,
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
	    "\"content\":\"a\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"t\","
	    "\"signature\":\"claude\"},{\"type\":\"reasoning.encrypted\",\"data\":\"claude\"}]},{"
	    "\"role\":\"user\",\"content\":\"b\"}]}"));
	fixture_lacks(&x.body, "claude");
	fixture_free(&x);
}

static void
test_17_tools_and_choice(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	static const struct {
		const char *choice, *config;
	} rows[] = {
	    {"\"auto\"", "{\"mode\":\"AUTO\"}"},
	    {"\"none\"", "{\"mode\":\"NONE\"}"},
	    {"\"required\"", "{\"mode\":\"ANY\"}"},
	    {"{\"type\":\"function\",\"function\":{\"name\":\"w\"}}",
		"{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"w\"]}"},
	};
	fixture_request(&x, "{" HI "," TOOL "}", "{" HI_UP "," TOOL_UP "}");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char body[1024], wanted[1024];
		(void)snprintf(
		    body, sizeof body, "{" HI "," TOOL ",\"tool_choice\":%s}", rows[i].choice);
		(void)snprintf(wanted, sizeof wanted,
		    "{" HI_UP "," TOOL_UP ",\"toolConfig\":{\"functionCallingConfig\":%s}}",
		    rows[i].config);
		fixture_request(&x, body, wanted);
	}
	// Two functions: one entry. No parameters: none sent.
	fixture_request(&x,
	    "{" HI ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\"}},"
	    "{\"type\":\"function\",\"function\":{\"name\":\"b\",\"description\":\"\"}}]}",
	    "{" HI_UP
	    ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"a\"},{\"name\":\"b\"}]}]}");
	fixture_free(&x);
}

static void
test_parameters(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	x.r.model.max_output = 65536;
	fixture_request(&x,
	    "{" HI
	    ",\"max_completion_tokens\":100000,\"temperature\":1.50,\"top_p\":0.9,\"top_k\":4,"
	    "\"seed\":7,\"presence_penalty\":1,\"frequency_penalty\":-1,\"stop\":[\"a\",\"b\"],"
	    "\"n\":1}",
	    "{" HI_UP ",\"generationConfig\":{\"maxOutputTokens\":65536,\"temperature\":1.50,"
	    "\"topP\":0.9,\"topK\":4,\"presencePenalty\":1,\"frequencyPenalty\":-1,"
	    "\"stopSequences\":[\"a\",\"b\"],\"seed\":7}}");
	fixture_request(&x, "{" HI ",\"response_format\":{\"type\":\"json_object\"}}",
	    "{" HI_UP ",\"generationConfig\":{\"responseMimeType\":\"application/json\"}}");
	fixture_request(&x,
	    "{" HI
	    ",\"max_tokens\":5,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
	    "\"name\":\"n\",\"schema\":{\"type\":\"object\",\"additionalProperties\":false}}}}",
	    "{" HI_UP ",\"generationConfig\":{\"maxOutputTokens\":5,\"responseMimeType\":"
	    "\"application/json\",\"responseJsonSchema\":{\"type\":\"object\","
	    "\"additionalProperties\":false}}}");
	fixture_request(&x,
	    "{" HI ",\"safety_settings\":[{\"category\":\"c\",\"threshold\":\"OFF\"}]}",
	    "{" HI_UP ",\"safetySettings\":[{\"category\":\"c\",\"threshold\":\"OFF\"}]}");
	fixture_refused(
	    &x, "{" HI ",\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}", "invalid_value", "stop");
	assert_false(fixture_open(&x, "{" HI ",\"n\":2}"));
	fixture_free(&x);
}

static void
test_left_out(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	fixture_request(&x,
	    "{" HI
	    ",\"logit_bias\":{\"1\":2},\"user\":\"u\",\"logprobs\":false,\"seed\":4294967296}",
	    "{" HI_UP "}");
	fixture_has(&(struct buf){.p = (char *)(uintptr_t)dialect_dropped(x.d).p,
			.len = dialect_dropped(x.d).len},
	    "logit_bias");
	x.r.strict_params = true;
	fixture_refused(
	    &x, "{" HI ",\"logit_bias\":{\"1\":2}}", "unsupported_parameter", "logit_bias");
	fixture_free(&x);
}

static void
test_thinking(void **state)
{
	(void)state;
	static const struct {
		unsigned kind, flags;
		const char *effort, *config;
	} rows[] = {
	    {THINKING_GEMINI_BUDGET, 0, "none", "{\"thinkingBudget\":0}"},
	    {THINKING_GEMINI_BUDGET, MODEL_NO_THINKING_OFF, "none", "{\"thinkingBudget\":128}"},
	    {THINKING_GEMINI_BUDGET, 0, "low",
		"{\"thinkingBudget\":1024,\"includeThoughts\":true}"},
	    {THINKING_GEMINI_BUDGET, 0, "medium",
		"{\"thinkingBudget\":8192,\"includeThoughts\":true}"},
	    {THINKING_GEMINI_BUDGET, 0, "high",
		"{\"thinkingBudget\":24576,\"includeThoughts\":true}"},
	    {THINKING_GEMINI_LEVEL, 0, "none", "{\"thinkingLevel\":\"MINIMAL\"}"},
	    {THINKING_GEMINI_LEVEL, MODEL_NO_THINKING_OFF, "minimal",
		"{\"thinkingLevel\":\"LOW\",\"includeThoughts\":true}"},
	    {THINKING_GEMINI_LEVEL, 0, "medium",
		"{\"thinkingLevel\":\"MEDIUM\",\"includeThoughts\":true}"},
	    {THINKING_GEMINI_LEVEL, 0, "xhigh",
		"{\"thinkingLevel\":\"HIGH\",\"includeThoughts\":true}"},
	};
	struct fixture x;
	start(&x);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char body[512], wanted[512];
		x.r.model.thinking = rows[i].kind;
		x.r.model.flags = rows[i].flags;
		(void)snprintf(
		    body, sizeof body, "{" HI ",\"reasoning_effort\":\"%s\"}", rows[i].effort);
		(void)snprintf(wanted, sizeof wanted,
		    "{" HI_UP ",\"generationConfig\":{\"thinkingConfig\":%s}}", rows[i].config);
		fixture_request(&x, body, wanted);
	}
	fixture_request(&x,
	    "{" HI
	    ",\"extra_body\":{\"google\":{\"thinking_config\":{\"include_thoughts\":true}}}}",
	    "{" HI_UP ",\"generationConfig\":{\"thinkingConfig\":{\"include_thoughts\":true}}}");
	fixture_refused(&x,
	    "{" HI ",\"reasoning_effort\":\"low\",\"google\":{\"thinking_config\":{}}}",
	    "invalid_value", "reasoning_effort");
	fixture_free(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_26_blank_texts_go),
	    cmocka_unit_test(test_media),
	    cmocka_unit_test(test_1_21_43_tool_round),
	    cmocka_unit_test(test_16_signatures),
	    cmocka_unit_test(test_16_25_signature_on_text),
	    cmocka_unit_test(test_17_tools_and_choice),
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_left_out),
	    cmocka_unit_test(test_thinking),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
