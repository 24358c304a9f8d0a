// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// The worker's copy of the catalogue: arrival in one piece or not at all, lookup with
// profile prefixes and ARNs, and GET /v1/models through a whole worker.
#include "tests/unit/gw_fixture.h"

#include <jansson.h>

static struct view
bare(const char *id, struct view *prefix)
{
	return catalog_bare_id(view_of(id), prefix);
}

static void
test_bare_id(void **state)
{
	(void)state;
	struct view p;
	assert_true(view_eq_str(bare("us.anthropic.claude-sonnet-4-5-20250929-v1:0", &p),
	    "anthropic.claude-sonnet-4-5-20250929-v1:0"));
	assert_true(view_eq_str(p, "us"));
	assert_true(
	    view_eq_str(bare("us-gov.anthropic.claude-x", &p), "anthropic.claude-x") || p.len == 0);
	assert_true(view_eq_str(
	    bare("global.anthropic.claude-opus-4-6-v1", &p), "anthropic.claude-opus-4-6-v1"));
	assert_true(view_eq_str(p, "global"));
	assert_true(view_eq_str(bare("amazon.nova-pro-v1:0", &p), "amazon.nova-pro-v1:0"));
	assert_int_equal(p.len, 0);
	assert_true(view_eq_str(bare("meta.llama3.1", &p), "meta.llama3.1")); // a version's dot
	assert_true(
	    view_eq_str(bare("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova", &p),
		"amazon.nova"));
	assert_true(view_eq_str(p, "eu"));
}

static const struct msg_catalogue_model rows[] = {
    {.provider = PROVIDER_OPENAI,
	.name = VIEW("gpt-x"),
	.upstream = VIEW("gpt-x-2026"),
	.context = 1000,
	.price_count = 1,
	.price = {{.kind = PRICE_OUTPUT, .value = 7}}},
    {.provider = PROVIDER_ANTHROPIC,
	.name = VIEW("claude-a"),
	.upstream = VIEW("claude-a"),
	.max_output = 64},
    {.provider = PROVIDER_ANTHROPIC, .name = VIEW("claude-b"), .upstream = VIEW("claude-b")},
    {.provider = PROVIDER_ANTHROPIC,
	.name = VIEW("claude-old"),
	.upstream = VIEW("claude-old"),
	.flags = MODEL_HIDDEN},
    {.provider = PROVIDER_BEDROCK,
	.name = VIEW("claude-a"),
	.upstream = VIEW("anthropic.claude-a"),
	.flags = MODEL_CLAUDE},
    {.provider = PROVIDER_BEDROCK, .name = VIEW("nova"), .upstream = VIEW("amazon.nova")},
};

static bool
begin(struct catalog_feed *f, uint64_t n)
{
	struct msg_catalogue_begin b = {.version = 3, .as_of = VIEW("2026-11-21"), .rows = n};
	return catalog_feed(f, MSG_CATALOGUE_BEGIN, &b);
}

static bool
end(struct catalog_feed *f, uint64_t n)
{
	return catalog_feed(f, MSG_CATALOGUE_END, &(struct msg_catalogue_end){.rows = n});
}

static void
feed_rows(struct catalog_feed *f)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(catalog_feed(f, MSG_CATALOGUE_MODEL, &rows[i]));
}

static void
test_arrival(void **state)
{
	(void)state;
	struct catalog_feed f = {0};
	struct msg_catalogue_host host = {.provider = 1};
	assert_false(catalog_feed(&f, MSG_CATALOGUE_HOST, &host)); // before BEGIN
	assert_true(begin(&f, ARRAY_LEN(rows) + 1));
	assert_false(begin(&f, 1)); // twice
	assert_true(catalog_feed(&f, MSG_CATALOGUE_HOST, &host));
	feed_rows(&f);
	assert_null(f.present);
	assert_false(catalog_feed(&f, MSG_CATALOGUE_HOST, &host)); // one row too many
	catalog_feed_reset(&f);
	assert_true(begin(&f, 2));
	assert_true(catalog_feed(&f, MSG_CATALOGUE_HOST, &host));
	assert_false(end(&f, 1)); // fewer than announced
	catalog_feed_reset(&f);
	assert_true(begin(&f, ARRAY_LEN(rows)));
	feed_rows(&f);
	assert_true(end(&f, ARRAY_LEN(rows)));
	struct catalog *old = catalog_ref(f.present);
	assert_true(begin(&f, 0));
	assert_true(end(&f, 0));
	assert_int_equal(f.present->count, 0);
	const struct catalog_model *m = catalog_find(old, PROVIDER_OPENAI, VIEW("gpt-x-2026"));
	assert_non_null(m); // a version in use stays whole
	assert_int_equal(m->context, 1000);
	assert_int_equal(m->price[PRICE_OUTPUT], 7);
	assert_true(view_eq_str(
	    catalog_find(old, PROVIDER_BEDROCK, VIEW("eu.amazon.nova.x")) == NULL ? VIEW("none")
										  : VIEW("some"),
	    "none"));
	m = catalog_find(old, PROVIDER_BEDROCK, VIEW("eu.anthropic.claude-a"));
	assert_non_null(m);
	assert_int_equal(m->flags, MODEL_CLAUDE);
	assert_null(catalog_find(old, PROVIDER_OPENAI, VIEW("claude-a")));
	assert_null(catalog_find(NULL, PROVIDER_OPENAI, VIEW("claude-a")));
	catalog_unref(old);
	catalog_feed_free(&f);
}

// --- through a worker ------------------------------------------------------------------

static void
send_catalogue(void)
{
	struct msg_catalogue_begin b = {.version = 3, .as_of = VIEW("2026-11-21"), .rows = 6};
	link_send(gw.vault, MSG_CATALOGUE_BEGIN, 0, &b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		link_send(gw.vault, MSG_CATALOGUE_MODEL, 0, &rows[i]);
	link_send(gw.vault, MSG_CATALOGUE_END, 0, &(struct msg_catalogue_end){.rows = 6});
}

static const char *pattern;	   // what the key may use
static struct msg_named serves[3]; // what its credentials have lists of
static size_t serves_count;

static json_t *
get(const char *path, const char *extra, uint64_t providers, unsigned status)
{
	char head[256], want[32];
	gw.auto_plan = false;
	gw.answer_len = 0;
	int n = snprintf(head, sizeof(head),
	    "GET %s HTTP/1.1\r\nHost: x\r\nx-api-key: sp-1\r\n%s\r\n", path, extra);
	gw_write(head, (size_t)n);
	struct gw_event *e = gw_wait(MSG_AUTHORIZE);
	struct msg_plan m = {.vkey_id = VIEW("vk_1"), .workspace = VIEW("w"), .reach = providers};
	if (pattern != NULL) {
		m.allowed_model_count = 1;
		m.allowed_model[0].name = view_of(pattern);
	}
	m.served_model_count = serves_count;
	memcpy(m.served_model, serves, sizeof(serves));
	link_send(gw.vault, MSG_PLAN, e->id, &m);
	snprintf(want, sizeof(want), "HTTP/1.1 %u ", status);
	const char *answer = gw_read("}");
	gw_settle();
	assert_memory_equal(answer, want, strlen(want));
	json_t *o = json_loads(strstr(answer, "\r\n\r\n"), 0, NULL);
	assert_non_null(o);
	return o;
}

static const char *
text(json_t *o, size_t i, const char *name)
{
	return json_string_value(
	    json_object_get(json_array_get(json_object_get(o, "data"), i), name));
}

static void
test_listing(void **state)
{
	(void)state;
	uint64_t all = 1U << PROVIDER_OPENAI | 1U << PROVIDER_ANTHROPIC | 1U << PROVIDER_BEDROCK;
	send_catalogue();
	json_t *o = get("/v1/models", "", all, 200);
	assert_int_equal(json_array_size(json_object_get(o, "data")), 5); // not the hidden one
	assert_string_equal(text(o, 0, "id"), "openai/gpt-x");
	assert_string_equal(text(o, 0, "owned_by"), "openai");
	assert_string_equal(text(o, 0, "object"), "model");
	json_decref(o);
	o = get("/v1/models", "", 1U << PROVIDER_BEDROCK, 200);
	assert_int_equal(json_array_size(json_object_get(o, "data")), 2);
	json_decref(o);
	pattern = "anthropic/*";
	o = get("/v1/models", "", all, 200);
	assert_int_equal(json_array_size(json_object_get(o, "data")), 2);
	json_decref(o);
	pattern = NULL;
	serves[0] = (struct msg_named){PROVIDER_ANTHROPIC, VIEW("claude-b*")};
	serves[1] = (struct msg_named){PROVIDER_BEDROCK, VIEW("us.amazon.*")};
	serves_count = 2;
	o = get("/v1/models", "", all, 200); // OpenAI's have no list
	assert_int_equal(json_array_size(json_object_get(o, "data")), 3);
	assert_string_equal(text(o, 0, "id"), "openai/gpt-x");
	assert_string_equal(text(o, 1, "id"), "anthropic/claude-b");
	assert_string_equal(text(o, 2, "id"), "bedrock/nova");
	json_decref(o);
	json_decref(get("/v1/models/anthropic/claude-a", "", all, 404));
	pattern = "bedrock/*"; // both lists count
	o = get("/v1/models", "", all, 200);
	assert_int_equal(json_array_size(json_object_get(o, "data")), 1);
	json_decref(o);
	pattern = NULL;
	serves_count = 0;
	o = get("/v1/models/claude-b", "", all, 200);
	assert_string_equal(json_string_value(json_object_get(o, "id")), "anthropic/claude-b");
	json_decref(o);
	o = get("/v1/models/bedrock/nova", "", all, 200);
	json_decref(o);
	o = get("/v1/models/bedrock/nova", "", 1U << PROVIDER_OPENAI, 404);
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "error"), "code")),
	    "model_not_found");
	json_decref(o);
	const char *version = "anthropic-version: 2023-06-01\r\n";
	o = get("/v1/models?limit=2", version, all, 200);
	assert_int_equal(json_array_size(json_object_get(o, "data")), 2);
	assert_true(json_is_true(json_object_get(o, "has_more")));
	assert_string_equal(json_string_value(json_object_get(o, "last_id")), "anthropic/claude-b");
	json_decref(o);
	o = get("/v1/models?after_id=anthropic/claude-b", version, all, 200);
	assert_int_equal(json_array_size(json_object_get(o, "data")), 1); // Claude on Bedrock
	assert_string_equal(text(o, 0, "id"), "bedrock/claude-a");
	assert_true(json_is_false(json_object_get(o, "has_more")));
	json_decref(o);
	assert_int_equal(gw_count(MSG_USE), 0);
	assert_int_equal(gw_count(MSG_APPEND), 0); // no key was used
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bare_id),
	    cmocka_unit_test(test_arrival),
	    cmocka_unit_test_setup_teardown(test_listing, gw_setup, gw_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
