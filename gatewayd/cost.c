// SPDX-License-Identifier: Apache-2.0
// Counts times prices. The rules beside the catalogue's numbers: OpenAI "Prompt caching"
// (writing a cache costs nothing extra), Amazon Bedrock and Vertex AI pricing of Claude
// (a surcharge unless served globally). Pure.
#include "gatewayd/cost.h"

#include <inttypes.h>
#include <stdio.h>

// Counting tokens and listing are free.
static bool
has_price(enum operation op)
{
	switch (op) {
	case OP_OPENAI_CHAT:
	case OP_OPENAI_RESPONSES:
	case OP_OPENAI_EMBEDDINGS:
	case OP_ANTHROPIC_MESSAGES:
	case OP_BEDROCK_CONVERSE:
	case OP_BEDROCK_CONVERSE_STREAM:
	case OP_BEDROCK_INVOKE:
	case OP_BEDROCK_INVOKE_STREAM:
	case OP_GENERATE_CONTENT:
	case OP_STREAM_GENERATE_CONTENT:
	case OP_EMBED_CONTENT:
	case OP_BATCH_EMBED_CONTENTS:
	case OP_PREDICT:
	case OP_RAW_PREDICT:
	case OP_STREAM_RAW_PREDICT:
		return true;
	default:
		return false;
	}
}

struct sum {
	const struct catalog_model *m;
	bool above; // the prices for long prompts hold
	uint64_t pico;
};

static bool
given(const struct catalog_model *m, enum price_kind kind)
{
	return (m->priced >> kind & 1U) != 0;
}

// false: these tokens have no price that is known.
static bool
add(struct sum *s, uint64_t tokens, enum price_kind plain, enum price_kind above)
{
	enum price_kind kind = s->above ? above : plain;
	uint64_t pico;
	if (tokens == 0)
		return true;
	return given(s->m, kind) && !__builtin_mul_overflow(tokens, s->m->price[kind], &pico) &&
	       !__builtin_add_overflow(s->pico, pico, &s->pico);
}

static bool
served_globally(const struct cost_facts *f)
{
	struct view where = f->region;
	if (f->provider == PROVIDER_BEDROCK)
		(void)catalog_bare_id(f->model, &where);
	return view_eq_str(where, "global");
}

static bool
add_surcharge(struct sum *s, const struct cost_facts *f)
{
	uint64_t percent = s->m->price[PRICE_REGIONAL_PERCENT], pico;
	if (percent == 0 || served_globally(f))
		return true;
	if (__builtin_mul_overflow(s->pico, 100 + percent, &pico))
		return false;
	s->pico = pico / 100;
	return true;
}

static const struct catalog_model *
find(const struct catalog *c, const struct cost_facts *f)
{
	const struct catalog_model *m = catalog_find(c, f->provider, f->model);
	if (m != NULL || f->provider != PROVIDER_AZURE)
		return m;
	return catalog_find(c, f->provider, f->asked);
}

bool
cost_of(const struct catalog *c, const struct cost_facts *f, uint64_t *nano_r)
{
	struct facts_usage u = f->usage;
	struct sum s = {.m = find(c, f)};
	if (s.m == NULL || !has_price(f->operation) || !u.known || u.special)
		return false;
	uint64_t prompt = u.input + u.cache_read + u.cache_write + u.cache_write_1h;
	s.above = given(s.m, PRICE_ABOVE) && prompt > s.m->price[PRICE_ABOVE];
	bool free_write = f->provider == PROVIDER_OPENAI || f->provider == PROVIDER_AZURE;
	if (free_write && !given(s.m, PRICE_CACHE_WRITE)) {
		u.input += u.cache_write;
		u.cache_write = 0;
	}
	if (!add(&s, u.input, PRICE_INPUT, PRICE_INPUT_ABOVE) ||
	    !add(&s, u.output, PRICE_OUTPUT, PRICE_OUTPUT_ABOVE) ||
	    !add(&s, u.cache_read, PRICE_CACHE_READ, PRICE_CACHE_READ_ABOVE) ||
	    !add(&s, u.cache_write, PRICE_CACHE_WRITE, PRICE_CACHE_WRITE_ABOVE) ||
	    !add(&s, u.cache_write_1h, PRICE_CACHE_WRITE_1H, PRICE_CACHE_WRITE_1H_ABOVE) ||
	    !add_surcharge(&s, f) || s.pico > UINT64_MAX - 500)
		return false;
	*nano_r = (s.pico + 500) / 1000;
	return true;
}

void
cost_text(uint64_t nano, char out[COST_TEXT_MAX])
{
	snprintf(
	    out, COST_TEXT_MAX, "%" PRIu64 ".%09" PRIu64, nano / 1000000000U, nano % 1000000000U);
}
