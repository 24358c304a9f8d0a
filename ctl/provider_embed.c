// SPDX-License-Identifier: Apache-2.0
// POST /v1/embeddings: floats, or base64 of little-endian float32. No I/O.
#include "ctl/provider_embed.h"

#include <openssl/evp.h>
#include <string.h>

#include "ctl/provider_json.h"

#define DIMENSIONS     8U
#define DIMENSIONS_MAX 3072U

// k/256 is exact in both float32 and decimal, so both forms carry equal numbers.
static float
component(const char *text, size_t len, size_t i)
{
	uint32_t h = 2166136261U ^ (uint32_t)i;
	for (size_t k = 0; k < len; k++)
		h = (h ^ (unsigned char)text[k]) * 16777619U;
	return (float)((int)(h % 512U) - 256) / 256.0F;
}

static void
floats(struct evbuffer *out, const char *text, size_t len, size_t n)
{
	evbuffer_add(out, "[", 1);
	for (size_t i = 0; i < n; i++)
		evbuffer_add_printf(
		    out, "%s%.8f", i == 0 ? "" : ",", (double)component(text, len, i));
	evbuffer_add(out, "]", 1);
}

static void
base64(struct evbuffer *out, const char *text, size_t len, size_t n)
{
	uint8_t raw[DIMENSIONS_MAX * 4];
	char b64[DIMENSIONS_MAX * 4 / 3 * 4 + 8];
	for (size_t i = 0; i < n; i++) {
		float f = component(text, len, i);
		uint32_t u;
		memcpy(&u, &f, sizeof(u));
		for (size_t k = 0; k < 4; k++)
			raw[i * 4 + k] = (uint8_t)(u >> (8 * k));
	}
	int m = EVP_EncodeBlock((unsigned char *)b64, raw, (int)(n * 4));
	evbuffer_add_printf(out, "\"%.*s\"", m, b64);
}

static void
one(struct answer *a, const json_t *input, size_t index, size_t n, bool as_base64)
{
	char *text = json_dumps(input, JSON_ENCODE_ANY | JSON_COMPACT);
	size_t len = text == NULL ? 0 : strlen(text);
	evbuffer_add_printf(a->body,
	    "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", index == 0 ? "" : ",",
	    index);
	if (as_base64)
		base64(a->body, text, len, n);
	else
		floats(a->body, text, len, n);
	evbuffer_add(a->body, "}", 1);
	free(text);
}

bool
provider_embed_answer(struct answer *a, const json_t *root)
{
	const json_t *input = json_object_get(root, "input");
	const json_t *dimensions = json_object_get(root, "dimensions");
	struct view format = provider_json_view(json_object_get(root, "encoding_format"));
	size_t n = DIMENSIONS;
	if (json_is_integer(dimensions) && json_integer_value(dimensions) > 0)
		n = MIN((size_t)json_integer_value(dimensions), (size_t)DIMENSIONS_MAX);
	bool many = json_is_array(input) && !json_is_integer(json_array_get(input, 0));
	if ((!many && !json_is_string(input) && !json_is_array(input)) ||
	    (json_is_array(input) && json_array_size(input) == 0))
		return false;
	evbuffer_add_printf(a->body, "{\"object\":\"list\",\"data\":[");
	if (!many)
		one(a, input, 0, n, view_eq_str(format, "base64"));
	for (size_t i = 0; many && i < json_array_size(input); i++)
		one(a, json_array_get(input, i), i, n, view_eq_str(format, "base64"));
	evbuffer_add_printf(a->body, "],\"model\":");
	provider_answer_string(a->body, view_of(a->model));
	evbuffer_add_printf(a->body, ",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu}}",
	    (unsigned long long)a->tokens_in, (unsigned long long)a->tokens_in);
	return true;
}
