// SPDX-License-Identifier: Apache-2.0
// One translation session: finds the translator for a pair of operations, runs it, and
// holds what all translators share. Pure; heap only.
#include "dialect/dialect.h"

#include <stdlib.h>

#include "dialect/side.h"

// A header of ours may be this long at most, dropped names and header values alike.
#define NAMES_MAX 1024U

// p: one bit for each provider that the pair holds for.
#define ON(provider) (1U << (provider))
#define EVERY	     UINT32_MAX

static const struct {
	enum operation asked, upstream;
	unsigned providers;
	enum dialect_pair pair;
} pairs[] = {
    {OP_OPENAI_CHAT, OP_ANTHROPIC_MESSAGES, ON(PROVIDER_ANTHROPIC), DIALECT_CHAT_MESSAGES},
    {OP_OPENAI_CHAT, OP_RAW_PREDICT, ON(PROVIDER_VERTEX), DIALECT_CHAT_RAW_PREDICT},
    {OP_OPENAI_CHAT, OP_STREAM_RAW_PREDICT, ON(PROVIDER_VERTEX), DIALECT_CHAT_RAW_PREDICT},
    {OP_OPENAI_CHAT, OP_BEDROCK_CONVERSE, ON(PROVIDER_BEDROCK), DIALECT_CHAT_CONVERSE},
    {OP_OPENAI_CHAT, OP_BEDROCK_CONVERSE_STREAM, ON(PROVIDER_BEDROCK), DIALECT_CHAT_CONVERSE},
    {OP_OPENAI_CHAT, OP_GENERATE_CONTENT, ON(PROVIDER_GEMINI) | ON(PROVIDER_VERTEX),
	DIALECT_CHAT_GENERATE},
    {OP_OPENAI_CHAT, OP_STREAM_GENERATE_CONTENT, ON(PROVIDER_GEMINI) | ON(PROVIDER_VERTEX),
	DIALECT_CHAT_GENERATE},
    {OP_ANTHROPIC_MESSAGES, OP_BEDROCK_INVOKE, ON(PROVIDER_BEDROCK), DIALECT_MESSAGES_INVOKE},
    {OP_ANTHROPIC_MESSAGES, OP_BEDROCK_INVOKE_STREAM, ON(PROVIDER_BEDROCK),
	DIALECT_MESSAGES_INVOKE},
    {OP_ANTHROPIC_MESSAGES, OP_RAW_PREDICT, ON(PROVIDER_VERTEX), DIALECT_MESSAGES_RAW_PREDICT},
    {OP_ANTHROPIC_MESSAGES, OP_STREAM_RAW_PREDICT, ON(PROVIDER_VERTEX),
	DIALECT_MESSAGES_RAW_PREDICT},
    {OP_ANTHROPIC_COUNT_TOKENS, OP_BEDROCK_COUNT_TOKENS, ON(PROVIDER_BEDROCK),
	DIALECT_COUNT_BEDROCK},
    {OP_ANTHROPIC_COUNT_TOKENS, OP_RAW_PREDICT_COUNT, ON(PROVIDER_VERTEX),
	DIALECT_COUNT_RAW_PREDICT},
    {OP_OPENAI_EMBEDDINGS, OP_BATCH_EMBED_CONTENTS, ON(PROVIDER_GEMINI), DIALECT_EMBED_GEMINI},
    {OP_OPENAI_EMBEDDINGS, OP_PREDICT, ON(PROVIDER_VERTEX), DIALECT_EMBED_VERTEX},
    {OP_OPENAI_EMBEDDINGS, OP_BEDROCK_INVOKE, ON(PROVIDER_BEDROCK), DIALECT_EMBED_BEDROCK},
};

// Operations whose body names the model; elsewhere it stands in the path.
static bool
names_model(enum operation op)
{
	return op == OP_OPENAI_CHAT || op == OP_OPENAI_RESPONSES || op == OP_OPENAI_EMBEDDINGS ||
	       op == OP_ANTHROPIC_MESSAGES || op == OP_ANTHROPIC_COUNT_TOKENS;
}

static const struct dialect_side *const sides[DIALECT_PAIR_COUNT] = {
    [DIALECT_CHAT_CONVERSE] = &dialect_side_chat_converse,
    [DIALECT_MODEL_IN_BODY] = &dialect_side_rename,
    [DIALECT_VERSION_IN_BODY] = &dialect_side_version,
    [DIALECT_CHAT_GENERATE] = &dialect_side_chat_generate,
    [DIALECT_MESSAGES_INVOKE] = &dialect_side_messages_claude,
    [DIALECT_MESSAGES_RAW_PREDICT] = &dialect_side_messages_claude,
    [DIALECT_COUNT_BEDROCK] = &dialect_side_count,
    [DIALECT_COUNT_RAW_PREDICT] = &dialect_side_count,
    [DIALECT_EMBED_GEMINI] = &dialect_side_embed,
    [DIALECT_EMBED_VERTEX] = &dialect_side_embed,
    [DIALECT_EMBED_BEDROCK] = &dialect_side_embed,
    [DIALECT_CHAT_MESSAGES] = &dialect_side_chat_messages,
    [DIALECT_CHAT_RAW_PREDICT] = &dialect_side_chat_messages,
};

bool
dialect_pair_of(enum operation asked, enum provider provider, enum operation upstream, bool renamed,
    enum dialect_pair *pair_r)
{
	if (asked == upstream) {
		*pair_r = renamed && names_model(asked) ? DIALECT_MODEL_IN_BODY : DIALECT_NATIVE;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if (pairs[i].asked == asked && pairs[i].upstream == upstream &&
		    (pairs[i].providers & ON(provider)) != 0) {
			*pair_r = pairs[i].pair;
			return true;
		}
	}
	return false;
}

struct dialect *
dialect_new(const struct dialect_request *r, struct buf *out, struct dialect_fault *f)
{
	*f = (struct dialect_fault){.code = "invalid_value"};
	if (r->pair >= DIALECT_PAIR_COUNT || sides[r->pair] == NULL) {
		(void)side_fault(f, "unsupported_operation", "",
		    "This provider cannot serve this kind of request.");
		return NULL;
	}
	struct dialect *d = base_calloc(1, sizeof(*d));
	d->side = sides[r->pair];
	d->r = *r;
	buf_init(&d->dropped, NAMES_MAX);
	buf_init(&d->header_text, NAMES_MAX);
	if (!d->side->request(d, out, f))
		goto fail;
	if (out->failed) {
		(void)side_fault(f, "request_too_large", "",
		    "The request grew above %zu bytes in the provider's format.", out->max);
		goto fail;
	}
	return d;
fail:
	dialect_free(d);
	return NULL;
}

void
dialect_free(struct dialect *d)
{
	if (d == NULL)
		return;
	if (d->side->free != NULL)
		d->side->free(d->state);
	else
		free(d->state);
	buf_free(&d->dropped);
	buf_free(&d->header_text);
	free(d);
}

struct view
dialect_dropped(const struct dialect *d)
{
	return buf_done(&d->dropped);
}

size_t
dialect_headers(const struct dialect *d, struct msg_named *header, size_t max)
{
	size_t n = MIN(max, d->header_count);
	for (size_t i = 0; i < n; i++)
		header[i] = d->header[i];
	return n;
}

bool
dialect_answer(struct dialect *d, struct view body, struct buf *out)
{
	if (d->side->answer == NULL || !d->side->answer(d, body, out) || d->has_failure ||
	    out->failed)
		return false;
	d->end = DIALECT_COMPLETE;
	return true;
}

enum dialect_end
dialect_event(struct dialect *d, struct view type, struct view data, bool is_error, struct buf *out)
{
	if (d->end == DIALECT_OPEN && d->side->event != NULL)
		d->side->event(d, type, data, is_error, out);
	return d->end;
}

enum dialect_end
dialect_finish(struct dialect *d, struct buf *out)
{
	if (d->end == DIALECT_OPEN && d->side->finish != NULL)
		d->side->finish(d, out);
	return d->end;
}

bool
dialect_has_content(const struct dialect *d)
{
	return d->has_content;
}

const struct dialect_usage *
dialect_usage(const struct dialect *d)
{
	return &d->usage;
}

const struct dialect_failure *
dialect_failure(const struct dialect *d)
{
	return d->has_failure ? &d->failure : NULL;
}

const char *
dialect_stop_reason(const struct dialect *d)
{
	return d->stop_reason;
}
