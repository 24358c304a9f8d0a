// SPDX-License-Identifier: Apache-2.0
// OpenAI embeddings to those of Gemini (batchEmbedContents), Vertex AI (predict) and
// Bedrock (Titan and Cohere, by InvokeModel). Numbers of the answer are copied as text,
// or packed as little-endian float32 in base64, as the client asked: official SDKs ask
// for base64 unless told otherwise.
//
// Titan embeds one text per call; several inputs are refused rather than turned into
// several uses of the key behind the client's back. None of the targets takes token ids.
//
// Sources: OpenAI API reference, "Create embeddings"; Gemini API, "batchEmbedContents";
// Vertex AI, "Text embeddings API"; Bedrock user guide, "Amazon Titan Embeddings Text",
// "Cohere Embed". Pure.
#include "dialect/b64.h"
#include "dialect/side.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum target { TARGET_GEMINI, TARGET_VERTEX, TARGET_TITAN, TARGET_COHERE };

// Texts per call that the target documents.
static const struct {
	const char *name;
	size_t inputs;
} targets[] = {
    [TARGET_GEMINI] = {"Gemini", 100},
    [TARGET_VERTEX] = {"Vertex AI", 250},
    [TARGET_TITAN] = {"Amazon Titan", 1},
    [TARGET_COHERE] = {"Cohere on Bedrock", 96},
};

struct embed {
	enum target target;
	struct jv input;
	size_t inputs;
	bool base64;
	uint64_t dimensions; // 0: not given
};

// --- the request --------------------------------------------------------------------

static bool
model_has(const struct dialect *d, const char *word)
{
	struct view m = d->r.model.upstream;
	return memmem(m.p, m.len, word, strlen(word)) != NULL;
}

static bool
find_target(struct dialect *d, struct embed *e, struct dialect_fault *f)
{
	if (d->r.pair == DIALECT_EMBED_GEMINI)
		e->target = TARGET_GEMINI;
	else if (d->r.pair == DIALECT_EMBED_VERTEX)
		e->target = TARGET_VERTEX;
	else if ((d->r.model.flags & MODEL_TITAN_EMBED) != 0)
		e->target = TARGET_TITAN;
	else if ((d->r.model.flags & MODEL_COHERE_EMBED) != 0)
		e->target = TARGET_COHERE;
	else
		return side_fault(f, "model_not_supported", "model",
		    "this Bedrock model makes no embeddings that can be translated: ask for a "
		    "Titan or Cohere embedding model");
	return true;
}

static bool
check_text(const struct embed *e, struct jv v, struct dialect_fault *f)
{
	if (jv_is(v, JV_NUMBER_T) || jv_is(v, JV_ARRAY))
		return side_fault(f, "invalid_value", "input",
		    "%s takes no token ids: send the text itself", targets[e->target].name);
	if (!jv_is(v, JV_STRING))
		return side_fault(
		    f, "invalid_value", "input", "input must be a string or an array of strings");
	if (v.text.len == 2)
		return side_fault(
		    f, "invalid_value", "input", "input must not hold an empty string");
	return true;
}

static bool
read_input(struct embed *e, struct jv root, struct dialect_fault *f)
{
	struct jv_iter it = {0};
	struct jv v;
	size_t most = targets[e->target].inputs;
	e->input = jv_get(root, "input");
	if (!jv_is(e->input, JV_ARRAY)) {
		e->inputs = 1;
		return check_text(e, e->input, f);
	}
	while (jv_each(e->input, &it, &v)) {
		if (!check_text(e, v, f))
			return false;
		e->inputs++;
	}
	if (e->inputs == 0)
		return side_fault(f, "invalid_value", "input", "input must not be empty");
	if (e->inputs > most)
		return side_fault(f, "invalid_value", "input",
		    "%s embeds at most %zu text%s per call: send the %zu inputs in several "
		    "requests",
		    targets[e->target].name, most, most == 1 ? "" : "s", e->inputs);
	return true;
}

static bool
read_dimensions(const struct dialect *d, struct embed *e, struct jv v, struct dialect_fault *f)
{
	if (jv_type(v) == JV_NONE || jv_is(v, JV_NULL))
		return true;
	e->dimensions = jv_u64(v, 0);
	if (e->dimensions == 0 || e->dimensions > 65536)
		return side_fault(
		    f, "invalid_value", "dimensions", "dimensions must be a positive integer");
	if ((e->target == TARGET_TITAN && !model_has(d, "v2")) ||
	    (e->target == TARGET_COHERE && !model_has(d, "v4")))
		return side_fault(f, "unsupported_parameter", "dimensions",
		    "this model has one vector length: remove dimensions");
	return true;
}

static bool
read_format(struct embed *e, struct jv v, struct dialect_fault *f)
{
	if (jv_type(v) == JV_NONE || jv_is(v, JV_NULL) || jv_eq(v, "float"))
		return true;
	e->base64 = jv_eq(v, "base64");
	return e->base64 || side_fault(f, "invalid_value", "encoding_format",
				"encoding_format must be \"float\" or \"base64\"");
}

static bool
read_rest(struct dialect *d, const struct embed *e, struct jv root, struct dialect_fault *f)
{
	static const char *const known[] = {"model", "input", "dimensions", "encoding_format"};
	struct jv_iter it = {0};
	struct view name;
	struct jv v;
	while (jv_member(root, &it, &name, &v)) {
		bool is_known = e->target == TARGET_COHERE && jv_name_eq(name, "input_type");
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			is_known = is_known || jv_name_eq(name, known[i]);
		if (is_known || jv_is(v, JV_NULL))
			continue;
		char param[64];
		if (view_copy(name, param, sizeof param) != 0)
			param[0] = '\0';
		if (!side_drop(d, param, f))
			return false;
	}
	return true;
}

// Calls put for the one text, or for each.
static void
each_input(const struct dialect *d, const struct embed *e,
    void (*put)(const struct dialect *, const struct embed *, struct jv, struct buf *),
    struct buf *out)
{
	struct jv_iter it = {0};
	struct jv v;
	if (!jv_is(e->input, JV_ARRAY))
		put(d, e, e->input, out);
	while (jv_each(e->input, &it, &v)) {
		jv_put_comma(out);
		put(d, e, v, out);
	}
}

static void
put_gemini(const struct dialect *d, const struct embed *e, struct jv text, struct buf *out)
{
	struct view m = d->r.model.upstream;
	bool full = m.len > 7 && memcmp(m.p, "models/", 7) == 0;
	buf_str(out, full ? "{\"model\":\"" : "{\"model\":\"models/");
	jv_put_escaped(out, m);
	buf_str(out, "\",\"content\":{\"parts\":[{\"text\":");
	jv_put_raw(out, text);
	buf_str(out, "}]}");
	if (e->dimensions > 0)
		jv_put_member_uint(out, "outputDimensionality", e->dimensions);
	buf_char(out, '}');
}

static void
put_vertex(const struct dialect *d, const struct embed *e, struct jv text, struct buf *out)
{
	(void)d;
	(void)e;
	buf_str(out, "{\"content\":");
	jv_put_raw(out, text);
	buf_char(out, '}');
}

static void
put_text(const struct dialect *d, const struct embed *e, struct jv text, struct buf *out)
{
	(void)d;
	(void)e;
	jv_put_raw(out, text);
}

static void
put_request(const struct dialect *d, const struct embed *e, struct jv root, struct buf *out)
{
	struct jv input_type = jv_get(root, "input_type"), text = e->input;
	struct jv_iter first = {0};
	switch (e->target) {
	case TARGET_GEMINI:
		buf_str(out, "{\"requests\":[");
		each_input(d, e, put_gemini, out);
		buf_str(out, "]}");
		return;
	case TARGET_VERTEX:
		buf_str(out, "{\"instances\":[");
		each_input(d, e, put_vertex, out);
		// Too long a text is an error for OpenAI's clients, not cut without a word.
		buf_str(out, "],\"parameters\":{\"autoTruncate\":false");
		if (e->dimensions > 0)
			jv_put_member_uint(out, "outputDimensionality", e->dimensions);
		buf_str(out, "}}");
		return;
	case TARGET_TITAN:
		(void)jv_each(e->input, &first, &text); // the one of an array
		buf_str(out, "{\"inputText\":");
		jv_put_raw(out, text);
		if (e->dimensions > 0)
			jv_put_member_uint(out, "dimensions", e->dimensions);
		if (model_has(d, "v2"))
			buf_str(out, ",\"normalize\":true"); // as OpenAI's vectors are
		buf_char(out, '}');
		return;
	case TARGET_COHERE:
		buf_str(out, "{\"texts\":[");
		each_input(d, e, put_text, out);
		buf_str(out, "],\"input_type\":");
		if (jv_is(input_type, JV_STRING))
			jv_put_raw(out, input_type);
		else
			buf_str(out, "\"search_document\"");
		buf_str(out, ",\"embedding_types\":[\"float\"]");
		if (e->dimensions > 0)
			jv_put_member_uint(out, "output_dimension", e->dimensions);
		buf_char(out, '}');
		return;
	}
	BUG("no such target");
}

static bool
embed_request(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	struct jv root = jv_root(d->r.body);
	struct embed *e = base_calloc(1, sizeof *e);
	d->state = e;
	if (!jv_is(root, JV_OBJECT))
		return side_fault(f, "invalid_value", "", "the body must be a JSON object");
	if (!find_target(d, e, f) || !read_input(e, root, f) ||
	    !read_dimensions(d, e, jv_get(root, "dimensions"), f) ||
	    !read_format(e, jv_get(root, "encoding_format"), f) || !read_rest(d, e, root, f))
		return false;
	put_request(d, e, root, out);
	return true;
}

// --- the answer ---------------------------------------------------------------------

// Little-endian IEEE 754, whatever the machine.
static bool
put_float(struct buf *bytes, struct jv v)
{
	float x = (float)jv_double(v, 0.0);
	uint32_t bits;
	if (!isfinite(x))
		return false;
	memcpy(&bits, &x, sizeof bits);
	for (unsigned i = 0; i < 4; i++)
		buf_char(bytes, (char)(unsigned char)(bits >> (8 * i)));
	return true;
}

static bool
put_vector(const struct embed *e, struct jv vector, struct buf *out)
{
	struct jv_iter it = {0};
	struct jv v;
	if (!jv_is(vector, JV_ARRAY))
		return false;
	struct buf bytes;
	buf_init(&bytes, 4 * vector.text.len); // a number takes a character at least
	bool ok = true;
	while (ok && jv_each(vector, &it, &v))
		ok = jv_is(v, JV_NUMBER_T) && (!e->base64 || put_float(&bytes, v));
	if (ok && e->base64) {
		buf_char(out, '"');
		b64_put(out, buf_done(&bytes));
		buf_char(out, '"');
	} else if (ok) {
		jv_put_raw(out, vector);
	}
	buf_free(&bytes);
	return ok;
}

static bool
put_one(const struct embed *e, struct jv vector, size_t index, struct buf *out)
{
	jv_put_comma(out);
	buf_str(out, "{\"object\":\"embedding\"");
	jv_put_member_uint(out, "index", index);
	jv_put_name(out, "embedding");
	if (!put_vector(e, vector, out))
		return false;
	buf_char(out, '}');
	return true;
}

// Where the list of results lies, and in each the numbers.
static struct jv
vectors_of(const struct embed *e, struct jv root)
{
	struct jv list = jv_get(root, "embeddings");
	if (e->target == TARGET_VERTEX)
		return jv_get(root, "predictions");
	if (e->target == TARGET_COHERE && jv_is(list, JV_OBJECT))
		return jv_get(list, "float"); // embeddings_by_type
	return list;
}

static struct jv
vector_of(const struct embed *e, struct jv item)
{
	if (e->target == TARGET_VERTEX)
		return jv_get2(item, "embeddings", "values");
	return e->target == TARGET_GEMINI ? jv_get(item, "values") : item;
}

// Vertex writes counts as 6 or 6.0.
static uint64_t
count_of(struct jv v)
{
	double n = jv_double(v, 0.0);
	return n >= 1.0 && n < 1e15 ? (uint64_t)n : 0;
}

static bool
put_list(struct dialect *d, const struct embed *e, struct jv root, struct buf *out)
{
	struct jv_iter it = {0};
	struct jv item;
	size_t n = 0;
	if (e->target == TARGET_TITAN) {
		d->usage.input = jv_u64(jv_get(root, "inputTextTokenCount"), 0);
		return put_one(e, jv_get(root, "embedding"), 0, out);
	}
	struct jv vectors = vectors_of(e, root);
	while (jv_each(vectors, &it, &item)) {
		if (!put_one(e, vector_of(e, item), n++, out))
			return false;
		if (e->target == TARGET_VERTEX)
			d->usage.input += count_of(
			    jv_get(jv_get2(item, "embeddings", "statistics"), "token_count"));
	}
	if (e->target == TARGET_GEMINI)
		d->usage.input = jv_u64(jv_get2(root, "usageMetadata", "promptTokenCount"), 0);
	if (e->target == TARGET_COHERE)
		d->usage.input =
		    jv_u64(jv_get(jv_get2(root, "meta", "billed_units"), "input_tokens"), 0);
	return n == e->inputs;
}

static bool
embed_answer(struct dialect *d, struct view body, struct buf *out)
{
	struct embed *e = d->state;
	if (jv_check(body, NULL) != JV_OK)
		return false;
	struct jv root = jv_root(body), error = jv_get(root, "error");
	if (jv_is(error, JV_OBJECT)) {
		char type[64] = "", message[512] = "";
		if (jv_copy(jv_get(error, "status"), type, sizeof type) != 0)
			type[0] = '\0';
		if (jv_copy(jv_get(error, "message"), message, sizeof message) != 0)
			message[0] = '\0';
		side_fail(d, view_of(type), view_of(message));
		return false;
	}
	buf_str(out, "{\"object\":\"list\",\"data\":[");
	if (!put_list(d, e, root, out))
		return false;
	buf_char(out, ']');
	jv_put_member_text(out, "model", d->r.model.asked);
	buf_str(out, ",\"usage\":{");
	jv_put_member_uint(out, "prompt_tokens", d->usage.input);
	jv_put_member_uint(out, "total_tokens", d->usage.input);
	buf_str(out, "}}");
	d->has_content = true;
	d->end = DIALECT_COMPLETE;
	return true;
}

const struct dialect_side dialect_side_embed = {
    .request = embed_request,
    .answer = embed_answer,
};
