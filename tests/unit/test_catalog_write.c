// links: ctl auditd
// SPDX-License-Identifier: Apache-2.0
// A catalogue written as a file is read back as the same rows, and differences are told.
#include "ctl/catalog_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalogue_builtin.h"
#include "ctl/catalog_file.h"
#include "ctl/catalog_words.h"
#include "proto/frame.h"

static char error[CATALOG_ERROR_MAX];

static void
load_builtin(struct catalog_text *t)
{
	const uint8_t *p = catalogue_builtin;
	for (size_t len = catalogue_builtin_len; len != 0;) {
		struct frame f;
		static union msg_any m;
		assert_int_equal(frame_read_header(p, len, &f), FRAME_OK);
		assert_int_equal(msg_decode(f.type, p + FRAME_HEADER_LEN, f.len, &m), 0);
		if (f.type != MSG_CATALOGUE_BEGIN && f.type != MSG_CATALOGUE_END)
			assert_int_equal(catalog_text_add(t, f.type, &m, error), 0);
		p += FRAME_HEADER_LEN + f.len;
		len -= FRAME_HEADER_LEN + f.len;
	}
	snprintf(t->as_of, sizeof(t->as_of), "2026-11-21");
}

// Writes t as a file and reads that.
static void
there_and_back(const struct catalog_text *t, struct catalog_text *back)
{
	char path[] = "/tmp/sallyport-catalog-XXXXXX";
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");
	assert_non_null(out);
	catalog_write_yaml(t, out);
	fclose(out);
	assert_int_equal(catalog_file_read(back, path), 0);
	unlink(path);
}

static void
assert_same(const struct catalog_text *a, const struct catalog_text *b)
{
	struct catalog_change change;
	assert_int_equal(a->count, b->count);
	catalog_write_diff(a, b, stderr, &change);
	assert_int_equal(change.added + change.removed + change.changed, 0);
	for (size_t i = 0; i < a->count; i++) {
		size_t k = catalog_text_find(b, a->entry[i].what);
		assert_true(k != SIZE_MAX);
		struct view x = catalog_text_payload(a, i), y = catalog_text_payload(b, k);
		assert_int_equal(x.len, y.len);
		assert_memory_equal(x.p, y.p, x.len);
	}
}

static void
the_builtin_one_comes_back(void **state)
{
	(void)state;
	struct catalog_text t = {.version = 7}, back = {0}, again = {0};
	load_builtin(&t);
	there_and_back(&t, &back);
	assert_same(&t, &back);
	assert_true(back.has_version && back.version == 7);
	assert_string_equal(back.as_of, "2026-11-21");
	there_and_back(&back, &again); // now in the order of a file: nothing moves any more
	assert_int_equal(again.frames.len, back.frames.len);
	assert_memory_equal(again.frames.p, back.frames.p, back.frames.len);
	catalog_text_free(&t);
	catalog_text_free(&back);
	catalog_text_free(&again);
}

static void
every_field_comes_back(void **state)
{
	(void)state;
	struct catalog_text t = {0}, back = {0};
	snprintf(t.as_of, sizeof(t.as_of), "2026-11-21");
	struct msg_catalogue_host host = {PROVIDER_BEDROCK, VIEW("*"), VIEW("{region}.a.b")};
	struct msg_catalogue_op op = {.operation = OP_OPENAI_CHAT,
	    .provider = PROVIDER_AZURE,
	    .variant = 1,
	    .method = VIEW("POST"),
	    .path = VIEW("/{model}/x"),
	    .query = VIEW("a=b&c"),
	    .max_body = 5,
	    .header_count = 2,
	    .allowed_header = {{VIEW("accept")}, {VIEW("content-type")}},
	    .param_count = 1,
	    .allowed_param = {{VIEW("api-version")}}};
	struct msg_catalogue_model model = {.provider = PROVIDER_BEDROCK,
	    .name = VIEW("a\"b\\#:{}[],&!|>'%@`-?"),
	    .upstream = VIEW("null"),
	    .context = UINT32_MAX,
	    .max_output = 1,
	    .thinking = THINKING_LAST,
	    .flags = MODEL_HIDDEN * 2U - 1U,
	    .betas = VIEW("*"),
	    .profile_count = 2,
	    .profile = {{VIEW("us")}, {VIEW("no")}},
	    .in_region = true,
	    .price_count = PRICE_LAST,
	    .price_source = VIEW("a: \"b\", c"),
	    .price_as_of = VIEW("2026")};
	for (size_t i = 0; i < PRICE_LAST; i++) {
		model.price[i].kind = i + 1;
		model.price[i].value = i == 0 ? 1 : 4294000000U + i * 1000;
	}
	struct msg_catalogue_profile one = {.prefix = VIEW("us"),
	    .model = VIEW("m.one*"),
	    .source_count = 2,
	    .source = {{VIEW("us-east-1")}, {VIEW("us-west-2")}}};
	struct msg_catalogue_profile two = one, three = one, four = one;
	two.model = VIEW("m.two");
	three.model = VIEW("m.three");
	three.destination_count = 1;
	three.destination[0].name = VIEW("us-east-1");
	four.prefix = VIEW("eu");
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_HOST, &host, error), 0);
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_OP, &op, error), 0);
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_MODEL, &model, error), 0);
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_PROFILE, &one, error), 0);
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_PROFILE, &two, error), 0);
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_PROFILE, &four, error), 0);
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_PROFILE, &three, error), 0);
	there_and_back(&t, &back);
	assert_same(&t, &back);
	catalog_text_free(&t);
	catalog_text_free(&back);
}

static void
twins_are_refused(void **state)
{
	(void)state;
	struct catalog_text t = {0};
	struct msg_catalogue_host a = {PROVIDER_OPENAI, VIEW("*"), VIEW("a.b")}, b = a;
	b.host = VIEW("c.d");
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_HOST, &a, error), 0);
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_HOST, &b, error), -1);
	assert_non_null(strstr(error, "host of openai in *"));
	b.location = VIEW("eu");
	assert_int_equal(catalog_text_add(&t, MSG_CATALOGUE_HOST, &b, error), 0);
	assert_int_equal(t.count, 2);
	catalog_text_free(&t);
}

static void
add_model(struct catalog_text *t, const char *name, uint64_t context, uint64_t in)
{
	struct msg_catalogue_model m = {.provider = PROVIDER_OPENAI,
	    .name = view_of(name),
	    .upstream = view_of(name),
	    .context = context,
	    .price_count = in == 0 ? 0 : 1,
	    .price = {{PRICE_INPUT, in}},
	    .price_source = in == 0 ? VIEW("") : VIEW("s"),
	    .price_as_of = in == 0 ? VIEW("") : VIEW("d")};
	assert_int_equal(catalog_text_add(t, MSG_CATALOGUE_MODEL, &m, error), 0);
}

static void
differences_are_told(void **state)
{
	(void)state;
	struct catalog_text a = {.as_of = "2026"}, b = {.as_of = "2026"};
	struct catalog_change change;
	char *said = NULL;
	size_t len = 0;
	add_model(&a, "gone", 1, 0);
	add_model(&a, "same", 2, 3000000);
	add_model(&a, "more", 3, 75000);
	add_model(&a, "less", 4, 1000000);
	add_model(&b, "less", 4, 0);
	add_model(&b, "more", 30, 80000);
	add_model(&b, "same", 2, 3000000);
	add_model(&b, "new", 1, 0);
	FILE *out = open_memstream(&said, &len);
	catalog_write_diff(&a, &b, out, &change);
	fclose(out);
	assert_string_equal(said,
	    "- model gone of openai\n"
	    "~ model less of openai: prices.input \"1\" -> none, prices.source \"s\" -> none, "
	    "prices.as_of \"d\" -> none\n"
	    "~ model more of openai: context 3 -> 30, prices.input \"0.075\" -> \"0.08\"\n"
	    "+ model new of openai\n");
	free(said);
	assert_int_equal(change.added, 1);
	assert_int_equal(change.removed, 1);
	assert_int_equal(change.changed, 2);
	snprintf(b.as_of, sizeof(b.as_of), "2027");
	catalog_write_diff(&b, &b, NULL, &change);
	assert_int_equal(change.changed, 0);
	catalog_write_diff(&a, &b, NULL, &change);
	assert_int_equal(change.changed, 3);
	catalog_text_free(&a);
	catalog_text_free(&b);
}

static void
json_has_every_row(void **state)
{
	(void)state;
	struct catalog_text t = {.version = 0};
	load_builtin(&t);
	json_t *j = catalog_write_json(&t);
	assert_int_equal(json_array_size(json_object_get(j, "hosts")) +
			     json_array_size(json_object_get(j, "operations")) +
			     json_array_size(json_object_get(j, "models")) +
			     json_array_size(json_object_get(j, "profiles")),
	    t.count);
	json_t *model = json_array_get(json_object_get(j, "models"), 0);
	assert_true(json_is_string(json_object_get(model, "name")));
	assert_true(json_is_integer(json_object_get(model, "context")));
	assert_true(json_is_string(json_object_get(json_object_get(model, "prices"), "input")));
	assert_true(json_is_null(json_object_get(j, "applied_unix")));
	json_decref(j);
	catalog_text_free(&t);
}

static void
prices_are_written_short(void **state)
{
	(void)state;
	static const struct {
		uint64_t pico;
		const char *usd;
	} want[] = {{0, "0"}, {1, "0.000001"}, {75000, "0.075"}, {3000000, "3"}, {10000000, "10"},
	    {1250000, "1.25"}};
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		char text[32];
		catalog_words_usd(want[i].pico, text);
		assert_string_equal(text, want[i].usd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_builtin_one_comes_back),
	    cmocka_unit_test(every_field_comes_back),
	    cmocka_unit_test(twins_are_refused),
	    cmocka_unit_test(differences_are_told),
	    cmocka_unit_test(json_has_every_row),
	    cmocka_unit_test(prices_are_written_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
