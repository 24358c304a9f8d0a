// SPDX-License-Identifier: Apache-2.0
// Thought signatures: found again by tenant and call id only, replaced, bounded in
// entries and in bytes, the longest unused going first.
#include "dialect/memory.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void
put(struct dialect_memory *m, const char *id, const char *signature)
{
	dialect_memory_put(m, view_of(id), view_of(signature));
}

static void
expect(struct dialect_memory *m, const char *id, const char *signature)
{
	struct view v = dialect_memory_get(m, view_of(id));
	assert_int_equal(v.len, strlen(signature));
	if (v.len > 0)
		assert_memory_equal(v.p, signature, v.len);
}

static void
test_put_get_replace(void **state)
{
	(void)state;
	struct dialect_memory *m = dialect_memory_new(8);
	expect(m, "call_1", "");
	put(m, "call_1", "one");
	put(m, "call_2", "two");
	put(m, "call_1", "changed");
	expect(m, "call_1", "changed");
	expect(m, "call_2", "two");
	put(m, "", "nobody");
	expect(m, "", "");
	put(m, "call_2", ""); // nothing to remember: what is there stays
	expect(m, "call_2", "two");
	dialect_memory_free(m);
	dialect_memory_free(NULL);
}

static void
test_tenants_do_not_see_each_other(void **state)
{
	(void)state;
	struct dialect_memory *m = dialect_memory_new(8);
	dialect_memory_scope(m, VIEW("key-a"));
	put(m, "call_1", "of a");
	dialect_memory_scope(m, VIEW("key-b"));
	expect(m, "call_1", "");
	put(m, "call_1", "of b");
	dialect_memory_scope(m, VIEW("key-a"));
	expect(m, "call_1", "of a");
	dialect_memory_scope(m, VIEW("key-b"));
	expect(m, "call_1", "of b");
	dialect_memory_free(m);
}

static void
test_longest_unused_goes_first(void **state)
{
	(void)state;
	struct dialect_memory *m = dialect_memory_new(3);
	put(m, "a", "A");
	put(m, "b", "B");
	put(m, "c", "C");
	expect(m, "a", "A"); // used: b is the oldest now
	put(m, "d", "D");
	expect(m, "b", "");
	expect(m, "a", "A");
	expect(m, "c", "C");
	expect(m, "d", "D");
	put(m, "a", "A2"); // replacing needs no other place
	expect(m, "c", "C");
	dialect_memory_free(m);
}

static void
test_bytes_are_bounded(void **state)
{
	(void)state;
	struct dialect_memory *m = dialect_memory_new(64); // 128 KiB
	char *big = base_calloc(1, SIGNATURE_MAX + 1);
	memset(big, 'x', SIGNATURE_MAX + 1);
	dialect_memory_put(m, VIEW("too big"), (struct view){big, SIGNATURE_MAX + 1});
	expect(m, "too big", "");
	char id[16];
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "call_%d", i);
		dialect_memory_put(m, view_of(id), (struct view){big, SIGNATURE_MAX});
		assert_true(m->bytes <= m->bytes_max);
	}
	expect(m, "call_5", "");
	assert_int_equal(dialect_memory_get(m, VIEW("call_6")).len, SIGNATURE_MAX);
	assert_int_equal(dialect_memory_get(m, VIEW("call_7")).len, SIGNATURE_MAX);
	free(big);
	dialect_memory_free(m);
}

// Against a plain list that keeps the use order; small, so that all paths are met often.
static void
test_against_a_model(void **state)
{
	(void)state;
	enum { PLACES = 5, IDS = 9 };
	struct dialect_memory *m = dialect_memory_new(PLACES);
	int order[PLACES] = {0}, value[IDS] = {0}; // order: newest first
	int n = 0;
	uint32_t r = 12345;
	for (int step = 1; step < 20000; step++) {
		r = r * 1664525U + 1013904223U;
		int k = (int)(r >> 20) % IDS;
		char id[8], text[16];
		snprintf(id, sizeof(id), "id%d", k);
		int at = 0;
		while (at < n && order[at] != k)
			at++;
		if ((r >> 8) % 2 == 0) {
			snprintf(text, sizeof(text), "v%d", step);
			put(m, id, text);
			value[k] = step;
			if (at == n)
				n = n < PLACES ? n + 1 : n;
			at = at < n ? at : n - 1;
		} else {
			snprintf(text, sizeof(text), "v%d", value[k]);
			expect(m, id, at < n ? text : "");
			if (at == n)
				continue;
		}
		memmove(&order[1], &order[0], (size_t)at * sizeof(order[0]));
		order[0] = k;
	}
	dialect_memory_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_put_get_replace),
	    cmocka_unit_test(test_tenants_do_not_see_each_other),
	    cmocka_unit_test(test_longest_unused_goes_first),
	    cmocka_unit_test(test_bytes_are_bounded),
	    cmocka_unit_test(test_against_a_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
