// links: dialect
// SPDX-License-Identifier: Apache-2.0
// Which translator serves which operation at which provider: every combination there is,
// so that a pair added by mistake shows, as one lost does.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/dialect.h"

#define NONE DIALECT_PAIR_COUNT

struct want {
	enum operation asked;
	enum provider provider;
	enum operation upstream;
	enum dialect_pair pair;
};

static const struct want wants[] = {
    {OP_OPENAI_CHAT, PROVIDER_ANTHROPIC, OP_ANTHROPIC_MESSAGES, DIALECT_CHAT_MESSAGES},
    {OP_OPENAI_CHAT, PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE, DIALECT_CHAT_CONVERSE},
    {OP_OPENAI_CHAT, PROVIDER_BEDROCK, OP_BEDROCK_CONVERSE_STREAM, DIALECT_CHAT_CONVERSE},
    {OP_OPENAI_CHAT, PROVIDER_GEMINI, OP_GENERATE_CONTENT, DIALECT_CHAT_GENERATE},
    {OP_OPENAI_CHAT, PROVIDER_GEMINI, OP_STREAM_GENERATE_CONTENT, DIALECT_CHAT_GENERATE},
    {OP_OPENAI_CHAT, PROVIDER_VERTEX, OP_GENERATE_CONTENT, DIALECT_CHAT_GENERATE},
    {OP_OPENAI_CHAT, PROVIDER_VERTEX, OP_STREAM_GENERATE_CONTENT, DIALECT_CHAT_GENERATE},
    {OP_OPENAI_CHAT, PROVIDER_VERTEX, OP_RAW_PREDICT, DIALECT_CHAT_RAW_PREDICT},
    {OP_OPENAI_CHAT, PROVIDER_VERTEX, OP_STREAM_RAW_PREDICT, DIALECT_CHAT_RAW_PREDICT},
    {OP_ANTHROPIC_MESSAGES, PROVIDER_BEDROCK, OP_BEDROCK_INVOKE, DIALECT_MESSAGES_INVOKE},
    {OP_ANTHROPIC_MESSAGES, PROVIDER_BEDROCK, OP_BEDROCK_INVOKE_STREAM, DIALECT_MESSAGES_INVOKE},
    {OP_ANTHROPIC_MESSAGES, PROVIDER_VERTEX, OP_RAW_PREDICT, DIALECT_MESSAGES_RAW_PREDICT},
    {OP_ANTHROPIC_MESSAGES, PROVIDER_VERTEX, OP_STREAM_RAW_PREDICT, DIALECT_MESSAGES_RAW_PREDICT},
    {OP_ANTHROPIC_COUNT_TOKENS, PROVIDER_BEDROCK, OP_BEDROCK_COUNT_TOKENS, DIALECT_COUNT_BEDROCK},
    {OP_ANTHROPIC_COUNT_TOKENS, PROVIDER_VERTEX, OP_RAW_PREDICT_COUNT, DIALECT_COUNT_RAW_PREDICT},
    {OP_OPENAI_EMBEDDINGS, PROVIDER_GEMINI, OP_BATCH_EMBED_CONTENTS, DIALECT_EMBED_GEMINI},
    {OP_OPENAI_EMBEDDINGS, PROVIDER_VERTEX, OP_PREDICT, DIALECT_EMBED_VERTEX},
    {OP_OPENAI_EMBEDDINGS, PROVIDER_BEDROCK, OP_BEDROCK_INVOKE, DIALECT_EMBED_BEDROCK},
};

static enum dialect_pair
wanted(enum operation asked, enum provider provider, enum operation upstream, bool renamed)
{
	if (asked == upstream) {
		bool in_body = asked == OP_OPENAI_CHAT || asked == OP_OPENAI_RESPONSES ||
			       asked == OP_OPENAI_EMBEDDINGS || asked == OP_ANTHROPIC_MESSAGES ||
			       asked == OP_ANTHROPIC_COUNT_TOKENS;
		return renamed && in_body ? DIALECT_MODEL_IN_BODY : DIALECT_NATIVE;
	}
	for (size_t i = 0; i < ARRAY_LEN(wants); i++)
		if (wants[i].asked == asked && wants[i].provider == provider &&
		    wants[i].upstream == upstream)
			return wants[i].pair;
	return NONE;
}

static void
test_every_combination(void **state)
{
	(void)state;
	size_t translated = 0;
	for (unsigned asked = 1; asked <= OP_LAST; asked++)
		for (unsigned p = 1; p <= PROVIDER_LAST; p++)
			for (unsigned upstream = 1; upstream <= OP_LAST * 2; upstream++) {
				enum dialect_pair pair = NONE;
				bool renamed = upstream > OP_LAST;
				unsigned up = renamed ? upstream - OP_LAST : upstream;
				bool ok = dialect_pair_of(asked, p, up, renamed, &pair);
				enum dialect_pair want = wanted(asked, p, up, renamed);
				if (ok != (want != NONE) || pair != want)
					fail_msg("%s at %s by %s%s: pair %d, wanted %d",
					    ids_operation(asked), ids_provider(p),
					    ids_operation(up), renamed ? ", renamed" : "",
					    (int)pair, (int)want);
				translated += asked != up && ok;
			}
	assert_int_equal(translated, ARRAY_LEN(wants) * 2); // renamed or not
}

// Each pair that the table can give has a translator behind it: a request that is no JSON
// object is refused for what it is, not for want of one.
static void
test_every_pair_has_a_translator(void **state)
{
	(void)state;
	for (unsigned pair = DIALECT_NATIVE + 1; pair < DIALECT_PAIR_COUNT; pair++) {
		struct dialect_request r = {.pair = pair,
		    .model = {.asked = VIEW("m"), .upstream = VIEW("m")},
		    .body = VIEW("[]"),
		    .id = "1"};
		struct dialect_fault f;
		struct buf out;
		buf_init(&out, 4096);
		struct dialect *d = dialect_new(&r, &out, &f);
		if (d == NULL && strcmp(f.code, "unsupported_operation") == 0)
			fail_msg("pair %u has no translator", pair);
		dialect_free(d);
		buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_combination),
	    cmocka_unit_test(test_every_pair_has_a_translator),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
