// links: ctl auditd
// SPDX-License-Identifier: Apache-2.0
// Catalogue files: the built-in ones hold together, and a bad one is told by its line.
#include "ctl/catalog_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalogue_builtin.h"
#include "ctl/catalog_row.h"
#include "proto/frame.h"

// Walks frames; gives each decoded message to fn.
static void
walk(const uint8_t *p, size_t len, void (*fn)(void *, uint8_t, const union msg_any *), void *cookie)
{
	while (len != 0) {
		struct frame f;
		union msg_any m;
		assert_int_equal(frame_read_header(p, len, &f), FRAME_OK);
		assert_true(len >= FRAME_HEADER_LEN + f.len);
		assert_int_equal(msg_decode(f.type, p + FRAME_HEADER_LEN, f.len, &m), 0);
		fn(cookie, f.type, &m);
		p += FRAME_HEADER_LEN + f.len;
		len -= FRAME_HEADER_LEN + f.len;
	}
}

struct counted {
	size_t of[256];
	uint64_t rows, said;
	unsigned providers_with_host, providers_with_model;
	bool op[OP_LAST + 1];
	size_t unsourced, unknown_profiles;
	struct view prefix[MSG_NAMES_MAX];
	size_t prefixes;
};

static bool
known_prefix(const struct counted *c, struct view v)
{
	for (size_t i = 0; i < c->prefixes; i++)
		if (view_eq(c->prefix[i], v))
			return true;
	return false;
}

static void
count(void *cookie, uint8_t type, const union msg_any *m)
{
	struct counted *c = cookie;
	c->of[type]++;
	if (type == MSG_CATALOGUE_BEGIN)
		c->said = ((const struct msg_catalogue_begin *)(const void *)m)->rows;
	else if (type != MSG_CATALOGUE_END)
		c->rows++;
	if (type == MSG_CATALOGUE_HOST)
		c->providers_with_host |=
		    1U << ((const struct msg_catalogue_host *)(const void *)m)->provider;
	if (type == MSG_CATALOGUE_OP)
		c->op[m->catalogue_op.operation] = true;
	if (type == MSG_CATALOGUE_PROFILE && !known_prefix(c, m->catalogue_profile.prefix))
		c->prefix[c->prefixes++] = m->catalogue_profile.prefix;
	if (type == MSG_CATALOGUE_MODEL) {
		c->providers_with_model |= 1U << m->catalogue_model.provider;
		c->unsourced +=
		    m->catalogue_model.price_count != 0 && m->catalogue_model.price_source.len == 0;
	}
}

static void
count_unknown_profiles(void *cookie, uint8_t type, const union msg_any *m)
{
	struct counted *c = cookie;
	for (size_t i = 0; type == MSG_CATALOGUE_MODEL && i < m->catalogue_model.profile_count; i++)
		c->unknown_profiles += !known_prefix(c, m->catalogue_model.profile[i].name);
}

static void
the_builtin_one_is_whole(void **state)
{
	(void)state;
	struct counted c = {0};
	walk(catalogue_builtin, catalogue_builtin_len, count, &c);
	walk(catalogue_builtin, catalogue_builtin_len, count_unknown_profiles, &c);
	assert_int_equal(c.of[MSG_CATALOGUE_BEGIN], 1);
	assert_int_equal(c.of[MSG_CATALOGUE_END], 1);
	assert_int_equal(c.rows, c.said);
	for (unsigned op = 1; op < OP_STS_GET_SESSION_TOKEN; op++)
		if (ids_operation(op) != NULL)
			assert_true(c.op[op]);
	for (unsigned op = OP_STS_GET_SESSION_TOKEN; op <= OP_LAST; op++)
		assert_false(c.op[op]);
	// A compatible server and Azure have no host of their own, the first also no models.
	unsigned all = (2U << PROVIDER_LAST) - 2U;
	assert_int_equal(c.providers_with_host,
	    all & ~(1U << PROVIDER_OPENAI_COMPATIBLE) & ~(1U << PROVIDER_AZURE));
	assert_int_equal(c.providers_with_model, all & ~(1U << PROVIDER_OPENAI_COMPATIBLE));
	assert_int_equal(c.unsourced, 0);
	assert_int_equal(c.unknown_profiles, 0);
}

struct wanted {
	uint64_t provider;
	const char *name;
	struct msg_catalogue_model m;
	bool found;
};

static void
find(void *cookie, uint8_t type, const union msg_any *m)
{
	struct wanted *w = cookie;
	if (type != MSG_CATALOGUE_MODEL || m->catalogue_model.provider != w->provider ||
	    !view_eq_str(m->catalogue_model.name, w->name))
		return;
	w->m = m->catalogue_model;
	w->found = true;
}

static void
models_say_what_they_are(void **state)
{
	(void)state;
	struct wanted w = {.provider = PROVIDER_BEDROCK, .name = "claude-sonnet-4-5"};
	walk(catalogue_builtin, catalogue_builtin_len, find, &w);
	assert_true(w.found);
	assert_true(view_eq_str(w.m.upstream, "anthropic.claude-sonnet-4-5-20250929-v1:0"));
	assert_int_equal(w.m.context, 200000);
	assert_int_equal(w.m.thinking, THINKING_BUDGET);
	assert_true((w.m.flags & MODEL_CLAUDE) != 0 && (w.m.flags & MODEL_VERSION_2026) == 0);
	assert_false(w.m.in_region);
	assert_int_equal(w.m.profile_count, 5);
	assert_int_equal(w.m.price[0].kind, PRICE_INPUT);
	assert_int_equal(w.m.price[0].value, 3000000); // $3 for a million: 3,000,000 pico-USD
	w = (struct wanted){.provider = PROVIDER_VERTEX, .name = "claude-haiku-4-5"};
	walk(catalogue_builtin, catalogue_builtin_len, find, &w);
	assert_true(w.found);
	assert_true(view_eq_str(w.m.upstream, "claude-haiku-4-5@20251001"));
	w = (struct wanted){.provider = PROVIDER_OPENAI, .name = "gpt-5-nano"};
	walk(catalogue_builtin, catalogue_builtin_len, find, &w);
	assert_true(w.found);
	assert_int_equal(w.m.price[2].kind, PRICE_CACHE_READ);
	assert_int_equal(w.m.price[2].value, 5000); // $0.005
}

// The flag words follow the order of the bits.
static void
words_are_the_bits(void **state)
{
	(void)state;
	static const struct {
		unsigned flag;
		const char *word;
	} want[] = {{MODEL_NO_SAMPLING, "no-sampling"}, {MODEL_ONE_SAMPLING, "one-sampling"},
	    {MODEL_JSON_SCHEMA, "json-schema"}, {MODEL_NO_PREFILL, "no-prefill"},
	    {MODEL_STRICT_TOOLS, "strict-tools"}, {MODEL_VERSION_2026, "version-2026"},
	    {MODEL_SIGNATURES, "signatures"}, {MODEL_EMBEDDING, "embedding"},
	    {MODEL_TITAN_EMBED, "titan-embed"}, {MODEL_COHERE_EMBED, "cohere-embed"},
	    {MODEL_NO_THINKING_OFF, "no-thinking-off"}, {MODEL_CLAUDE, "claude"},
	    {MODEL_HIDDEN, "hidden"}};
	for (unsigned bit = 0; bit < ARRAY_LEN(want); bit++) {
		assert_int_equal(want[bit].flag, 1U << bit);
		assert_string_equal(catalog_row_flag(bit), want[bit].word);
	}
	assert_null(catalog_row_flag(ARRAY_LEN(want)));
}

// --- bad files -----------------------------------------------------------------------

static char said[4096];

// Reads the text as a file; standard error goes to said.
static int
try_text(const char *text)
{
	char path[] = "/tmp/sallyport-catalog-XXXXXX", err[] = "/tmp/sallyport-catalog-XXXXXX";
	int fd = mkstemp(path), to = mkstemp(err), saved = dup(STDERR_FILENO);
	assert_true(fd >= 0 && to >= 0 && saved >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	dup2(to, STDERR_FILENO);
	struct catalog_text t = {0};
	int r = catalog_file_read(&t, path);
	catalog_text_free(&t);
	dup2(saved, STDERR_FILENO);
	close(saved);
	memset(said, 0, sizeof(said));
	assert_true(pread(to, said, sizeof(said) - 1, 0) >= 0);
	close(to);
	unlink(path);
	unlink(err);
	return r;
}

#define OP_BEGIN "as_of: 2026-11-21\noperations:\n  - operation: chat\n    provider: openai\n"

static void
faults_have_a_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *line, *word;
	} bad[] = {
	    {"as_of: x\nhosts:\n  - provider: nobody\n    location: \"*\"\n    host: a.b\n",
		":3:", "nobody"},
	    {"as_of: x\nhosts:\n  - {provider: openai, location: \"*\", host: a.b}\n"
	     "  - {provider: openai, location: \"*\", host: c.d}\n",
		":4:", "already"},
	    {"as_of: x\nhosts:\n  - {provider: openai, location: \"*\", host: \"a.b/c\"}\n",
		":3:", "a.b/c"},
	    {"as_of: x\nhosts:\n  - {provider: bedrock, location: eu, host: \"{region}.b\"}\n",
		":3:", "location"},
	    {OP_BEGIN "    method: PUT\n    path: /v1\n", ":3:", "PUT"},
	    {OP_BEGIN "    method: POST\n    path: /v1\n", ":3:", "max_body"},
	    {OP_BEGIN "    method: GET\n    path: /v1\n    max_body: 5\n", ":3:", "max_body"},
	    {OP_BEGIN "    method: GET\n    path: /v1/../admin\n", ":3:", "segment"},
	    {OP_BEGIN "    method: GET\n    path: /v1/{secret}\n", ":3:", "path"},
	    {OP_BEGIN "    method: GET\n    path: /{model}/{model}\n", ":3:", "once"},
	    {OP_BEGIN "    method: GET\n    path: /v1\n    headers: [authorization]\n",
		":3:", "authorization"},
	    {OP_BEGIN "    method: GET\n    path: /v1\n    params: [key]\n", ":3:", "key"},
	    {OP_BEGIN "    method: GET\n    path: /v1\n    dated: true\n", ":3:", "azure"},
	    {"as_of: x\noperations:\n  - operation: sts-assume-role\n    provider: bedrock\n"
	     "    method: GET\n    path: /\n",
		":3:", "sts-assume-role"},
	    {"as_of: x\nmodels:\n  - name: a\n    provider: openai\n    colour: red\n",
		":5:", "colour"},
	    {"as_of: x\nmodels:\n  - name: a\n", "", "provider"},
	    {"as_of: x\nmodels:\n  - name: a\n    provider: openai\n  - name: b\n"
	     "    provider: openai\n    flags: [fast]\n",
		":5:", "fast"},
	    {"as_of: x\nmodels:\n  - name: a\n    provider: openai\n    thinking: deep\n",
		":3:", "deep"},
	    {"as_of: x\nmodels:\n  - name: a\n    provider: openai\n    prices: {input: \"1\"}\n",
		":3:", "source"},
	    {"as_of: x\nmodels:\n  - name: a\n    provider: openai\n"
	     "    prices: {input: \"1,5\", source: s, as_of: d}\n",
		":3:", "1,5"},
	    {"as_of: x\nmodels:\n  - name: a\n    provider: openai\n"
	     "    prices: {input_above: \"1\", source: s, as_of: d}\n",
		":3:", "above"},
	    {"as_of: x\nmodels:\n  - name: a\n    provider: bedrock\n", ":3:", "profiles"},
	    {"as_of: x\nmodels:\n  - name: a\n    provider: openai\n    profiles: [us]\n",
		":3:", "bedrock"},
	    {"as_of: x\nmodels:\n  - name: \"a b\"\n    provider: openai\n", ":3:", "a b"},
	    {"as_of: x\nprofiles:\n  - prefix: US\n    models: [a]\n    sources: [us-east-1]\n",
		":3:", "US"},
	    {"as_of: x\nprofiles:\n  - prefix: us\n    models: [a]\n", ":3:", "sources"},
	    {"as_of: x\nprofiles:\n  - prefix: us\n    models: [\"a*b\"]\n    sources: [u]\n",
		":3:", "a*b"},
	    {"as_of: x\nprofiles:\n  - prefix: us\n    models: [a]\n    sources: [\"u v\"]\n",
		":3:", "u v"},
	    {"hosts: []\n", "", "as_of"},
	    {"as_of: [1\n", "", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (try_text(bad[i].text) == 0 || strstr(said, bad[i].line) == NULL ||
		    strstr(said, bad[i].word) == NULL)
			fail_msg("file %zu was told as: %s", i, said);
	}
	assert_int_equal(try_text(OP_BEGIN "    method: GET\n    path: /v1/{model}\n"), 0);
	assert_string_equal(said, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_builtin_one_is_whole),
	    cmocka_unit_test(models_say_what_they_are),
	    cmocka_unit_test(words_are_the_bits),
	    cmocka_unit_test(faults_have_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
