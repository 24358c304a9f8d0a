// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Reading a catalogue and looking things up in it; the one that is built in. Its rows
// have a test of their own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
// cmocka needs the first three.
#include <cmocka.h>

#include "catalogue_builtin.h"
#include "tests/unit/catalogue_fixture.h"

static struct catalogue *cat;

static int
setup(void **state)
{
	(void)state;
	cat = fx_catalogue();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	catalogue_unref(cat);
	return 0;
}

// --- what is in it -----------------------------------------------------------------------

static void
test_builtin(void **state)
{
	(void)state;
	struct catalogue_error e = {0};
	struct catalogue *c = catalogue_parse(
	    (struct view){(const char *)catalogue_builtin, catalogue_builtin_len}, &e);
	if (c == NULL)
		fail_msg("%s", e.message);
	for (size_t i = 0; i < c->op_count; i++) {
		const struct catalogue_op *op = &c->op[i];
		assert_true(catalogue_known_op(op->id)); // none of the vault's own
		assert_int_equal(op->path.p[0], '/');
		// GET has no body, POST has one; nothing else exists.
		assert_true(view_eq_str(op->method, op->max_body == 0 ? "GET" : "POST"));
		assert_true(op->max_body <= CATALOGUE_BODY_MAX);
		assert_true(catalogue_speaks(c, op->id, op->provider));
		if (!catalogue_takes_model(op->id))
			assert_null(memmem(op->path.p, op->path.len, "{model}", 7));
	}
	// Every operation that a client can ask for has a row somewhere.
	for (uint64_t id = 1; id <= CATALOGUE_OP_LAST; id++) {
		bool spoken = false;
		for (uint64_t p = 1; p <= PROVIDER_LAST; p++)
			spoken = spoken || catalogue_speaks(c, id, p);
		assert_int_equal(spoken, ids_operation(id) != NULL);
	}
	char host[254];
	for (uint64_t p = 1; p <= PROVIDER_LAST; p++) {
		bool own = p == PROVIDER_AZURE || p == PROVIDER_OPENAI_COMPATIBLE;
		assert_int_equal(
		    catalogue_host(
			c, p, p == PROVIDER_VERTEX ? VIEW("global") : VIEW("us-east-1"), host),
		    own ? -1 : 0);
	}
	// Models are found by name and by id, each provider's its own.
	for (size_t i = 0; i < c->model_count; i++) {
		const struct catalogue_model *m = &c->model[i];
		assert_ptr_equal(catalogue_model(c, m->provider, m->name), m);
		const struct catalogue_model *u =
		    catalogue_model_upstream(c, m->provider, m->upstream);
		assert_non_null(u);
		assert_true(view_eq(u->upstream, m->upstream) && u->provider == m->provider);
	}
	assert_int_not_equal(c->model_count, 0);
	catalogue_unref(c);
}

static void
test_operations(void **state)
{
	(void)state;
	for (uint64_t id = 0; id <= OP_LAST + 1; id++) {
		bool known = id >= OP_OPENAI_CHAT && id <= OP_RAW_PREDICT_COUNT;
		assert_int_equal(catalogue_known_op(id), known);
		assert_int_equal(catalogue_takes_model(id), known && id != OP_OPENAI_MODELS &&
								id != OP_ANTHROPIC_MODELS &&
								id != OP_GOOGLE_MODELS);
	}
	assert_false(catalogue_known_op(UINT64_MAX));
	assert_true(catalogue_speaks(cat, OP_OPENAI_CHAT, PROVIDER_OPENAI));
	assert_true(catalogue_speaks(cat, OP_OPENAI_CHAT, PROVIDER_AZURE));
	assert_false(catalogue_speaks(cat, OP_OPENAI_CHAT, PROVIDER_ANTHROPIC));
	assert_false(catalogue_speaks(cat, OP_OPENAI_CHAT, 0));
	assert_false(catalogue_speaks(cat, OP_OPENAI_CHAT, UINT64_MAX));
	assert_null(catalogue_op(cat, OP_OPENAI_CHAT, PROVIDER_OPENAI, 1));
	assert_non_null(catalogue_op(cat, OP_OPENAI_CHAT, PROVIDER_AZURE, 1));
	assert_null(catalogue_op(cat, OP_OPENAI_CHAT, PROVIDER_AZURE, 2));
	assert_null(catalogue_op(cat, 0, PROVIDER_OPENAI, 0));
	const struct catalogue_op *op =
	    catalogue_op(cat, OP_ANTHROPIC_MODELS, PROVIDER_ANTHROPIC, 0);
	assert_int_equal(op->params, CATALOGUE_BIT(PARAM_BETA) | CATALOGUE_BIT(PARAM_LIMIT) |
					 CATALOGUE_BIT(PARAM_AFTER_ID) |
					 CATALOGUE_BIT(PARAM_BEFORE_ID));
	assert_int_equal(op->headers,
	    CATALOGUE_BIT(HEADER_CONTENT_TYPE) | CATALOGUE_BIT(HEADER_ACCEPT) |
		CATALOGUE_BIT(HEADER_ANTHROPIC_VERSION) | CATALOGUE_BIT(HEADER_ANTHROPIC_BETA));
}

static void
assert_path(
    uint64_t operation, uint64_t provider, uint64_t variant, const char *model, const char *want)
{
	char buf[8192] = "";
	struct text t;
	const struct catalogue_op *op = catalogue_op(cat, operation, provider, variant);
	struct catalogue_place place = {view_of(model), VIEW("example.com:p"), VIEW("us-central1")};
	assert_non_null(op);
	text_init(&t, buf, sizeof(buf) - 1);
	catalogue_path(op, &place, &t);
	assert_false(t.failed);
	assert_string_equal(buf, want);
}

#define P_OPENAI  PROVIDER_OPENAI
#define P_BEDROCK PROVIDER_BEDROCK

static void
test_paths(void **state)
{
	(void)state;
	assert_path(OP_OPENAI_CHAT, P_OPENAI, 0, "gpt-4o", "/v1/chat/completions");
	assert_path(OP_OPENAI_MODELS, P_OPENAI, 0, "", "/v1/models");
	assert_path(OP_OPENAI_MODEL, P_OPENAI, 0, "ft:gpt/x y", "/v1/models/ft%3Agpt%2Fx%20y");
	assert_path(
	    OP_ANTHROPIC_COUNT_TOKENS, PROVIDER_ANTHROPIC, 0, "x", "/v1/messages/count_tokens");
	assert_path(OP_BEDROCK_CONVERSE, P_BEDROCK, 0, "a.b-v1:0", "/model/a.b-v1%3A0/converse");
	assert_path(OP_BEDROCK_INVOKE, P_BEDROCK, 0, "a/../b?c#d%2e",
	    "/model/a%2F..%2Fb%3Fc%23d%252e/invoke");
	assert_path(OP_GENERATE_CONTENT, PROVIDER_GEMINI, 0, "tuned/x",
	    "/v1beta/models/tuned%2Fx:generateContent");
	assert_path(OP_OPENAI_CHAT, PROVIDER_AZURE, 1, "a/../b",
	    "/openai/deployments/a%2F..%2Fb/chat/completions");
	assert_path(OP_RAW_PREDICT, PROVIDER_VERTEX, 0, "claude@1",
	    "/v1/projects/example.com%3Ap/locations/us-central1/publishers/anthropic/models/"
	    "claude@1:rawPredict"); // as Google's own libraries send it
	assert_path(OP_RAW_PREDICT, PROVIDER_VERTEX, 0, "a/@b/..@?c",
	    "/v1/projects/example.com%3Ap/locations/us-central1/publishers/anthropic/models/"
	    "a%2F@b%2F..%40%3Fc:rawPredict");
	assert_path(OP_BEDROCK_CONVERSE, P_BEDROCK, 0, "a@b", "/model/a%40b/converse");
}

static void
assert_host(uint64_t provider, const char *region, const char *want)
{
	char host[254] = "";
	int r = catalogue_host(cat, provider, view_of(region), host);
	assert_int_equal(r, want == NULL ? -1 : 0);
	if (want != NULL)
		assert_string_equal(host, want);
}

static void
test_hosts(void **state)
{
	(void)state;
	assert_host(PROVIDER_OPENAI, "", "api.openai.com");
	assert_host(PROVIDER_ANTHROPIC, "us-east-1", "api.anthropic.com");
	assert_host(P_BEDROCK, "eu-central-1", "bedrock-runtime.eu-central-1.amazonaws.com");
	assert_host(P_BEDROCK, "cn-north-1", "bedrock-runtime.cn-north-1.amazonaws.com.cn");
	assert_host(P_BEDROCK, "evil.example/", NULL);
	assert_host(P_BEDROCK, "", NULL);
	assert_host(PROVIDER_VERTEX, "us-central1", "us-central1-aiplatform.googleapis.com");
	assert_host(PROVIDER_VERTEX, "global", "aiplatform.googleapis.com");
	assert_host(PROVIDER_VERTEX, "eu", "aiplatform.eu.rep.googleapis.com");
	assert_host(PROVIDER_OPENAI_COMPATIBLE, "", NULL);
	assert_host(PROVIDER_AZURE, "", NULL);
	assert_host(0, "", NULL);
}

static void
test_models(void **state)
{
	(void)state;
	const struct catalogue_model *m =
	    catalogue_model(cat, PROVIDER_VERTEX, VIEW("claude-sonnet-4-5"));
	assert_true(view_eq_str(m->upstream, "claude-sonnet-4-5@20250929"));
	m = catalogue_model(cat, 0, VIEW("claude-sonnet-4-5"));
	assert_int_equal(m->provider, PROVIDER_ANTHROPIC); // the first of them
	assert_null(catalogue_model(cat, PROVIDER_OPENAI, VIEW("claude-sonnet-4-5")));
	assert_null(catalogue_model(cat, 0, VIEW("claude-sonnet-4")));
	assert_null(catalogue_model(cat, 0, VIEW("claude-sonnet-4-5-")));
	assert_null(catalogue_model(cat, 0, VIEW("")));
	assert_null(catalogue_model(cat, 0, VIEW("\xff")));
	m = catalogue_model_upstream(cat, P_BEDROCK, VIEW("amazon.nova-lite-v1:0"));
	assert_true(view_eq_str(m->name, "nova-lite"));
	assert_null(catalogue_model_upstream(cat, PROVIDER_GEMINI, VIEW("amazon.nova-lite-v1:0")));
	assert_null(catalogue_model_upstream(cat, 0, VIEW("nova-lite")));
}

static bool
serves(const char *prefix, const char *model, const char *region)
{
	int i = catalogue_prefix(cat, view_of(prefix));
	assert_true(i >= 0);
	return catalogue_profile_serves(
	    cat, (unsigned)i, catalogue_model(cat, P_BEDROCK, view_of(model)), view_of(region));
}

static void
test_profiles(void **state)
{
	(void)state;
	assert_int_equal(catalogue_prefix(cat, VIEW("apac")), -1);
	assert_int_equal(catalogue_prefix(cat, VIEW("")), -1);
	assert_true(serves("us", "nova-lite", "us-east-1"));
	assert_false(serves("us", "nova-lite", "eu-west-1"));
	assert_false(serves("us", "titan-embed", "us-east-1"));	  // it has none
	assert_false(serves("global", "nova-lite", "us-east-1")); // nor this one
	assert_true(serves("jp", "claude-sonnet-4-5", "ap-northeast-1"));
	assert_false(serves("eu", "claude-opus-4-1", "eu-west-1"));
	// An id that is not in it: by the rows alone.
	unsigned jp = (unsigned)catalogue_prefix(cat, VIEW("jp"));
	assert_true(catalogue_profile_has(
	    cat, jp, VIEW("anthropic.claude-sonnet-4-5-next"), VIEW("ap-northeast-1")));
	assert_false(
	    catalogue_profile_has(cat, jp, VIEW("anthropic.next"), VIEW("ap-northeast-1")));
	assert_false(catalogue_profile_serves(cat, CATALOGUE_PREFIXES_MAX,
	    catalogue_model(cat, P_BEDROCK, VIEW("nova-lite")), VIEW("us-east-1")));
}

// --- the frames ----------------------------------------------------------------------------

static struct view
whole(const struct fx_buf *b)
{
	return (struct view){(const char *)b->p, b->len};
}

static void
refused(struct view frames, const char *part)
{
	struct catalogue_error e = {0};
	struct catalogue *c = catalogue_parse(frames, &e);
	if (c != NULL || strstr(e.message, part) == NULL)
		fail_msg("%s, not '%s'", c != NULL ? "accepted" : e.message, part);
}

static void
test_frames(void **state)
{
	(void)state;
	struct fx_buf b = {0};
	struct catalogue_error e;
	fx_begin(&b, FX_ROWS);
	fx_rows(&b);
	size_t before_end = b.len;
	fx_end(&b);
	struct view good = whole(&b);
	struct catalogue *c = catalogue_parse(good, &e);
	assert_non_null(c);
	assert_true(view_eq_str(c->source, "fixture") && view_eq_str(c->as_of, "2026-11-21"));
	assert_true(view_eq(c->frames, good));
	catalogue_unref(c);
	refused((struct view){good.p, 0}, "empty");
	refused((struct view){good.p, CATALOGUE_SIZE_MAX + 1}, "longer");
	for (size_t n = 1; n < good.len; n += 97) // wherever it breaks off
		refused((struct view){good.p, n}, n < 60 ? "" : "breaks off");
	refused((struct view){good.p, before_end}, "breaks off");
	free(b.p);

	b = (struct fx_buf){0}; // no END, but something else
	fx_begin(&b, 0);
	fx_frame(&b, MSG_CREDIT, &(struct msg_credit){0});
	refused(whole(&b), "row 1: not a row");
	free(b.p);
	b = (struct fx_buf){0};
	fx_rows(&b);
	fx_end(&b);
	refused(whole(&b), "begin with a good BEGIN");
	free(b.p);
	b = (struct fx_buf){0};
	fx_begin(&b, FX_ROWS - 1);
	fx_rows(&b);
	fx_end(&b);
	refused(whole(&b), "number of rows");
	free(b.p);
	b = (struct fx_buf){0};
	fx_begin(&b, FX_ROWS);
	fx_rows(&b);
	b.rows--;
	fx_end(&b);
	refused(whole(&b), "number of rows");
	free(b.p);
	b = (struct fx_buf){0};
	fx_begin(&b, FX_ROWS);
	fx_rows(&b);
	fx_end(&b);
	fx_end(&b);
	refused(whole(&b), "after its end");
	free(b.p);
	b = (struct fx_buf){0};
	fx_begin(&b, 0);
	fx_end(&b);
	refused(whole(&b), "no operation");
	free(b.p);
}

// Ids of frames are of no matter: a copy that came over a channel is the same one.
static void
test_ids_do_not_count(void **state)
{
	(void)state;
	struct catalogue_error e;
	char *copy = base_strndup("", 0);
	copy = base_realloc(copy, cat->frames.len);
	memcpy(copy, cat->frames.p, cat->frames.len);
	size_t at = 0;
	struct frame f;
	for (size_t start = 0; catalogue_next_frame((struct view){copy, cat->frames.len}, &at, &f);
	     start = at)
		copy[start + FRAME_ID_AT + 7] = 9;
	assert_int_equal(at, cat->frames.len);
	struct catalogue *c = catalogue_parse((struct view){copy, cat->frames.len}, &e);
	assert_non_null(c);
	assert_true(view_eq(c->frames, cat->frames));
	catalogue_unref(c);
	free(copy);
}

static void
test_versions(void **state)
{
	(void)state;
	struct catalogue_error e;
	const struct catalogue_stamp none = {0}, first = {.version = 1};
	struct catalogue_stamp strange = {.version = 1, .applied_by = VIEW("a\nb")};
	assert_int_equal(cat->version, 0);
	assert_null(catalogue_parse_as(cat->frames, &strange, &e));
	const uint64_t versions[] = {0, 1, 7, 1U << 20, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct catalogue_stamp stamp = {versions[i], 1700000000 + i, VIEW("uid 0")};
		struct catalogue *c = catalogue_parse_as(cat->frames, &stamp, &e);
		assert_non_null(c);
		assert_int_equal(c->version, versions[i]);
		assert_int_equal(c->applied_s, stamp.applied_s);
		assert_true(view_eq(c->applied_by, stamp.applied_by));
		assert_int_equal(c->model_count, cat->model_count);
		struct catalogue *back = catalogue_parse_as(c->frames, &none, &e);
		assert_true(view_eq(back->frames, cat->frames));
		catalogue_unref(back);
		catalogue_unref(c);
	}
	assert_null(catalogue_parse_as((struct view){0}, &first, &e));
	assert_null(catalogue_parse_as((struct view){cat->frames.p, 10}, &first, &e));
	assert_null(
	    catalogue_parse_as((struct view){cat->frames.p, cat->frames.len - 1}, &first, &e));
}

static void
test_references(void **state)
{
	(void)state;
	struct catalogue *c = fx_catalogue();
	assert_ptr_equal(catalogue_ref(c), c);
	catalogue_unref(c);
	assert_non_null(catalogue_op(c, OP_OPENAI_CHAT, PROVIDER_OPENAI, 0)); // still there
	catalogue_unref(c);
	catalogue_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_builtin),
	    cmocka_unit_test(test_operations),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_models),
	    cmocka_unit_test(test_profiles),
	    cmocka_unit_test(test_frames),
	    cmocka_unit_test(test_ids_do_not_count),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_references),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
