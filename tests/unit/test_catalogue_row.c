// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The rules of the catalogue's rows, each broken once, with the words of the refusal.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
// cmocka needs the first three.
#include <cmocka.h>

#include "tests/unit/catalogue_fixture.h"
#include "vaultd/catalogue_row.h"

static void
check(const char *got, const char *want)
{
	if (want == NULL ? got != NULL : got == NULL || strstr(got, want) == NULL)
		fail_msg("'%s', not '%s'", got == NULL ? "accepted" : got,
		    want == NULL ? "accepted" : want);
}

// --- hosts -----------------------------------------------------------------------

static void
host(uint64_t provider, const char *location, const char *name, const char *want)
{
	struct msg_catalogue_host m = {provider, view_of(location), view_of(name)};
	check(catalogue_row_host(&m), want);
}

static void
test_hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fx_hosts); i++)
		check(catalogue_row_host(&fx_hosts[i]), NULL);
	host(PROVIDER_BEDROCK, "us-gov-west-1", "b.{region}.example.com", NULL);
	host(0, "*", "a.example", "unknown provider");
	host(PROVIDER_LAST + 1, "*", "a.example", "unknown provider");
	host(PROVIDER_AZURE, "*", "a.example", "named by each credential");
	host(PROVIDER_OPENAI_COMPATIBLE, "*", "a.example", "named by each credential");
	host(PROVIDER_OPENAI, "", "a.example", "location");
	host(PROVIDER_OPENAI, "us-east", "a.example", "location");
	host(PROVIDER_OPENAI, "**", "a.example", "location");
	static const char *const bad[] = {"", "a", "A.example", "a.example:443", "a.example/x",
	    "https://a.example", "a..example", "{model}.example", "{region}.{region}.example",
	    "{region", "a.example\r\n", "*.example", "user@a.example", "{region}", "-a.example"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		host(PROVIDER_BEDROCK, "*", bad[i], "the host");
	char big[260];
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (size_t i = 40; i < sizeof(big) - 1; i += 40)
		big[i] = '.';
	host(PROVIDER_BEDROCK, "*", big, "the host");
}

// --- operations --------------------------------------------------------------------

static struct msg_catalogue_op
good_op(void)
{
	struct msg_catalogue_op m = {.operation = OP_BEDROCK_CONVERSE,
	    .provider = PROVIDER_BEDROCK,
	    .method = VIEW("POST"),
	    .path = VIEW("/model/{model}/converse"),
	    .max_body = 1};
	return m;
}

static void
path(uint64_t operation, const char *p, const char *want)
{
	struct msg_catalogue_op m = good_op();
	m.operation = operation;
	m.path = view_of(p);
	check(catalogue_row_op(&m), want);
}

static void
test_ids_and_bodies(void **state)
{
	(void)state;
	struct msg_catalogue_op m = good_op();
	check(catalogue_row_op(&m), NULL);
	const uint64_t bad[] = {0, 25, OP_STS_ASSUME_ROLE, OP_GOOGLE_TOKEN, UINT64_MAX};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		m.operation = bad[i];
		check(catalogue_row_op(&m), "one of the vault's own");
	}
	m = good_op();
	m.provider = PROVIDER_LAST + 1;
	check(catalogue_row_op(&m), "unknown provider");
	m = good_op();
	m.variant = 1;
	check(catalogue_row_op(&m), "only azure");
	m.provider = PROVIDER_AZURE;
	check(catalogue_row_op(&m), NULL);
	static const char *const methods[] = {"PUT", "get", "", "POST ", "POST / HTTP/1.1\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		m = good_op();
		m.method = view_of(methods[i]);
		check(catalogue_row_op(&m), "GET or POST");
	}
	m = good_op();
	m.max_body = 0;
	check(catalogue_row_op(&m), "a POST has one");
	m.method = VIEW("GET");
	check(catalogue_row_op(&m), NULL);
	m.max_body = 1;
	check(catalogue_row_op(&m), "a GET has no body");
	m = good_op();
	m.max_body = CATALOGUE_BODY_MAX;
	check(catalogue_row_op(&m), NULL);
	m.max_body++;
	check(catalogue_row_op(&m), "64 MiB");
}

static void
test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fx_ops); i++)
		path(fx_ops[i].id, fx_ops[i].path, NULL);
	path(OP_BEDROCK_CONVERSE, "/a/...b/{model}.{region}@x", NULL);
	static const struct {
		const char *path, *want;
	} bad[] = {
	    {"", "begins with '/'"},
	    {"/", "begins with '/'"},
	    {"model/{model}", "begins with '/'"},
	    {"/model//x", "empty or a dot segment"},
	    {"/model/", "empty or a dot segment"},
	    {"/./x", "empty or a dot segment"},
	    {"/x/..", "empty or a dot segment"},
	    {"/x/.../y", "empty or a dot segment"},
	    {"/{model}/{model}", "twice"},
	    {"/{region}/x/{region}", "twice"},
	    {"/{secret}", "unknown placeholder"},
	    {"/{model", "unknown placeholder"},
	    {"/a b", "not allowed"},
	    {"/a?b=c", "not allowed"},
	    {"/a#b", "not allowed"},
	    {"/a%2fb", "not allowed"},
	    {"/a\r\nx: y", "not allowed"},
	    {"/a\xc3\xa9", "not allowed"},
	    {"/a;b", "not allowed"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		path(OP_BEDROCK_CONVERSE, bad[i].path, bad[i].want);
	path(OP_OPENAI_MODELS, "/v1/models/{model}", "no model for its path");
}

static void
test_names(void **state)
{
	(void)state;
	struct msg_catalogue_op m = good_op();
	m.query = VIEW("alt=sse&a_b=c.d-e");
	m.allowed_header[0].name = VIEW("accept");
	m.allowed_header[1].name = VIEW("anthropic-beta");
	m.header_count = 2;
	m.allowed_param[0].name = VIEW("beta");
	m.param_count = 1;
	check(catalogue_row_op(&m), NULL);
	assert_int_equal(catalogue_row_headers(&m),
	    CATALOGUE_BIT(HEADER_ACCEPT) | CATALOGUE_BIT(HEADER_ANTHROPIC_BETA));
	assert_int_equal(catalogue_row_params(&m), CATALOGUE_BIT(PARAM_BETA));
	m.allowed_header[1].name = VIEW("accept");
	check(catalogue_row_op(&m), "header is there twice");
	static const char *const headers[] = {"authorization", "host", "x-api-key",
	    "transfer-encoding", "content-length", "x-amz-date", "connection", "", "Accept"};
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		m.allowed_header[1].name = view_of(headers[i]);
		check(catalogue_row_op(&m), "unknown header");
	}
	m.header_count = 1;
	m.allowed_param[1].name = VIEW("beta");
	m.param_count = 2;
	check(catalogue_row_op(&m), "parameter is there twice");
	m.allowed_param[1].name = VIEW("key");
	check(catalogue_row_op(&m), "unknown query parameter");
	m.param_count = 0;
	static const char *const queries[] = {"a b", "a=%41", "a=b#c", "?a", "a=b\r\n",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		m.query = view_of(queries[i]);
		check(catalogue_row_op(&m), "the query");
	}
}

// --- models and profiles --------------------------------------------------------------

static struct msg_catalogue_model
good_model(void)
{
	struct msg_catalogue_model m = {.provider = PROVIDER_BEDROCK,
	    .name = VIEW("nova-lite"),
	    .upstream = VIEW("amazon.nova-lite-v1:0"),
	    .profile_count = 1,
	    .profile = {{VIEW("us")}},
	    .thinking = THINKING_LAST,
	    .flags = MODEL_HIDDEN,
	    .price_count = 2,
	    .price = {{.kind = PRICE_INPUT, .value = 1}, {.kind = PRICE_OUTPUT, .value = 2}}};
	return m;
}

static void
test_models(void **state)
{
	(void)state;
	struct msg_catalogue_model m = good_model();
	check(catalogue_row_model(&m), NULL);
	m.provider = 0;
	check(catalogue_row_model(&m), "unknown provider");
	static const char *const names[] = {"", "a b", "a\nb", "..", "a/../b", "\xc3\xa9"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		m = good_model();
		m.name = view_of(names[i]);
		check(catalogue_row_model(&m), "name of a model");
		m = good_model();
		m.upstream = view_of(names[i]);
		check(catalogue_row_model(&m), "name of a model");
	}
	m = good_model();
	m.name = VIEW("nova-*");
	check(catalogue_row_model(&m), "no '*'");
	m = good_model();
	m.upstream = VIEW("*");
	check(catalogue_row_model(&m), "no '*'");
	m = good_model();
	m.thinking = THINKING_LAST + 1;
	check(catalogue_row_model(&m), "thinking");
	m = good_model();
	m.flags = MODEL_HIDDEN << 1;
	check(catalogue_row_model(&m), "flag");
	m = good_model();
	m.provider = PROVIDER_OPENAI;
	check(catalogue_row_model(&m), "only bedrock");
	m = good_model();
	m.profile[0].name = VIEW("US");
	check(catalogue_row_model(&m), "2 to 8");
	m = good_model();
	m.price[1].kind = PRICE_INPUT;
	check(catalogue_row_model(&m), "prices");
	m.price[1].kind = PRICE_LAST + 1;
	check(catalogue_row_model(&m), "prices");
	m.price[0].kind = 0;
	check(catalogue_row_model(&m), "prices");
	struct view msg_text = VIEW("a\tb");
	m = good_model();
	m.betas = msg_text;
	check(catalogue_row_model(&m), "printable");
	m = good_model();
	m.price_source = msg_text;
	check(catalogue_row_model(&m), "printable");
	m = good_model();
	m.price_as_of = msg_text;
	check(catalogue_row_model(&m), "printable");
}

static void
test_profiles(void **state)
{
	(void)state;
	static struct msg_catalogue_profile m;
	const struct msg_catalogue_profile good = {.prefix = VIEW("eu"),
	    .model = VIEW("anthropic.*"),
	    .source_count = 1,
	    .source = {{VIEW("eu-west-1")}},
	    .destination_count = 2,
	    .destination = {{VIEW("eu-west-1")}, {VIEW("eu-north-1")}}};
	m = good;
	check(catalogue_row_profile(&m), NULL);
	m.prefix = VIEW("e");
	check(catalogue_row_profile(&m), "2 to 8");
	m = good;
	m.model = VIEW("a*b");
	check(catalogue_row_profile(&m), "only at its end");
	m.model = VIEW("");
	check(catalogue_row_profile(&m), "only at its end");
	m = good;
	m.source_count = 0;
	check(catalogue_row_profile(&m), "called from");
	m = good;
	m.source[0].name = VIEW("eu");
	check(catalogue_row_profile(&m), "malformed region");
	m = good;
	m.destination[1].name = VIEW("EU-north-1");
	check(catalogue_row_profile(&m), "malformed region");
}

// --- between rows ----------------------------------------------------------------------

static void
together(struct fx_buf *b, const char *want)
{
	struct fx_buf all = {0};
	struct catalogue_error e = {0};
	fx_begin(&all, b->rows);
	all.p = base_realloc(all.p, all.len + b->len + 2 * FRAME_PAYLOAD_MAX);
	memcpy(all.p + all.len, b->p, b->len);
	all.len += b->len;
	all.rows = b->rows;
	fx_end(&all);
	struct catalogue *c = catalogue_parse((struct view){(const char *)all.p, all.len}, &e);
	check(c == NULL ? e.message : NULL, want);
	catalogue_unref(c);
	free(all.p);
	free(b->p);
	*b = (struct fx_buf){0};
}

static void
test_twice(void **state)
{
	(void)state;
	struct fx_buf b = {0};
	fx_add_op(&b, &fx_ops[0]);
	fx_add_op(&b, &fx_ops[1]);
	fx_add_op(&b, &fx_ops[2]);
	fx_add_op(&b, &fx_ops[3]); // Azure's other variant
	together(&b, NULL);
	fx_add_op(&b, &fx_ops[0]);
	fx_add_op(&b, &fx_ops[0]);
	together(&b, "row 2 (CATALOGUE_OP '/v1/chat/completions'): the provider has a row");
	fx_add_op(&b, &fx_ops[0]);
	fx_frame(&b, MSG_CATALOGUE_HOST, &fx_hosts[0]);
	fx_frame(&b, MSG_CATALOGUE_HOST, &fx_hosts[0]);
	together(&b, "row 3 (CATALOGUE_HOST 'api.openai.com'): the provider has a host");
	fx_add_op(&b, &fx_ops[0]);
	fx_add_model(&b, &fx_models[0]);
	fx_add_model(&b, &fx_models[1]); // same name, another provider
	fx_add_model(&b, &fx_models[0]);
	together(&b, "the model 'gpt-4o' of openai is there twice");
}

static void
test_many(void **state)
{
	(void)state;
	struct fx_buf b = {0};
	char name[32], prefix[8];
	fx_add_op(&b, &fx_ops[0]);
	for (unsigned i = 0; i <= CATALOGUE_PREFIXES_MAX; i++) {
		snprintf(name, sizeof(name), "model-%u", i);
		snprintf(prefix, sizeof(prefix), "%c%c", 'a' + i / 26, 'a' + i % 26);
		struct fx_model m = {PROVIDER_BEDROCK, name, name, 0, prefix, false};
		fx_add_model(&b, &m);
	}
	together(&b, "too many profiles");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_ids_and_bodies),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_models),
	    cmocka_unit_test(test_profiles),
	    cmocka_unit_test(test_twice),
	    cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
