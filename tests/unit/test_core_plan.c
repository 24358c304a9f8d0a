// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The ring of plans: finding, expiry, room made by used plans, none by unused or
// in-flight ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
// cmocka needs the first three.
#include <cmocka.h>

#include "vaultd/plan.h"

#define NONE ((struct view){0})

static struct plan_table t;

static int
each_teardown(void **state)
{
	(void)state;
	plan_clear(&t);
	return 0;
}

static void
test_find(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 1000; id++)
		assert_non_null(plan_add(&t, id * 3, VIEW("model"), VIEW("talk"), NULL, 5));
	for (uint64_t id = 1; id <= 3000; id++) {
		const struct plan *p = plan_find(&t, id, 6);
		if (id % 3 != 0) {
			assert_null(p);
			continue;
		}
		assert_int_equal(p->id, id);
		assert_true(view_eq_str(plan_model(p), "model"));
		assert_true(view_eq_str(plan_conversation(p), "talk"));
	}
	assert_null(plan_find(&t, 0, 6));
	assert_null(plan_find(&t, UINT64_MAX, 6));
}

// A plan lives longer than what it was made from.
static void
test_copies(void **state)
{
	(void)state;
	char text[] = "gpt-4o/talk/up-one/up-two";
	struct policy_choice c = {.count = 2,
	    .attempt = {
		{7, OP_OPENAI_CHAT, {text + 12, 6}}, {9, OP_BEDROCK_CONVERSE, {text + 19, 6}}}};
	assert_non_null(plan_add(&t, 1, (struct view){text, 6}, (struct view){text + 7, 4}, &c, 0));
	memset(text, 'x', sizeof(text) - 1);
	memset(&c, 0xff, sizeof(c));
	const struct plan *p = plan_find(&t, 1, 1);
	assert_non_null(p);
	assert_true(view_eq_str(plan_model(p), "gpt-4o"));
	assert_true(view_eq_str(plan_conversation(p), "talk"));
	assert_int_equal(p->attempt_count, 2);
	assert_int_equal(p->attempt[0].handle, 7);
	assert_true(view_eq_str(p->attempt[0].model, "up-one"));
	assert_int_equal(p->attempt[1].operation, OP_BEDROCK_CONVERSE);
	assert_true(view_eq_str(p->attempt[1].model, "up-two"));
}

static void
test_expiry(void **state)
{
	(void)state;
	assert_non_null(plan_add(&t, 1, NONE, NONE, NULL, 0));
	assert_non_null(plan_add(&t, 2, NONE, NONE, NULL, 10));
	assert_non_null(plan_find(&t, 1, PLAN_LIFE_NS - 1));
	assert_null(plan_find(&t, 1, PLAN_LIFE_NS));
	assert_non_null(plan_find(&t, 2, PLAN_LIFE_NS));
	plan_expire(&t, PLAN_LIFE_NS);
	assert_int_equal(t.count, 1);
	// In flight a plan stays, however old.
	plan_find(&t, 2, PLAN_LIFE_NS)->in_flight = true;
	plan_expire(&t, PLAN_LIFE_NS * 5);
	assert_non_null(plan_find(&t, 2, PLAN_LIFE_NS * 5));
	plan_drop(&t, 2);
	assert_non_null(plan_find(&t, 2, PLAN_LIFE_NS * 5));
}

static void
test_drop(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		assert_non_null(plan_add(&t, id, NONE, NONE, NULL, 0));
	plan_drop(&t, 2);
	assert_null(plan_find(&t, 2, 1));
	assert_non_null(plan_find(&t, 3, 1));
	assert_int_equal(t.count, 3);
	plan_drop(&t, 1);
	plan_drop(&t, 1);
	plan_expire(&t, 1); // both gone slots leave the ring
	assert_int_equal(t.count, 1);
	plan_drop(&t, 99);
}

static void
test_bounded(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= PLAN_MAX; id++)
		assert_non_null(plan_add(&t, id, NONE, NONE, NULL, id));
	// The oldest makes room, used or not; only a USE that waits for the audit stays.
	plan_find(&t, 1, 1)->in_flight = true;
	assert_null(plan_add(&t, PLAN_MAX + 1, NONE, NONE, NULL, PLAN_MAX));
	plan_find(&t, 1, 1)->in_flight = false;
	assert_non_null(plan_add(&t, PLAN_MAX + 1, NONE, NONE, NULL, PLAN_MAX));
	assert_null(plan_find(&t, 1, PLAN_MAX));
	assert_non_null(plan_find(&t, 2, PLAN_MAX));
	assert_int_equal(t.count, PLAN_MAX);
	// After their time they make room.
	assert_non_null(plan_add(&t, PLAN_MAX + 2, NONE, NONE, NULL, PLAN_LIFE_NS * 2));
	assert_int_equal(t.count, 1);
}

// Workers that authorize and never use cannot fill the memory together, nor keep a
// worker out that does use what it asks for.
static void
test_bounded_together(void **state)
{
	(void)state;
	size_t all = 0;
	struct plan_table many[PLAN_ALL_MAX / PLAN_MAX] = {0}, one = {.unused_all = &all};
	for (size_t k = 0; k < ARRAY_LEN(many); k++) {
		many[k].unused_all = &all;
		for (uint64_t id = 1; id <= PLAN_MAX; id++)
			assert_non_null(plan_add(&many[k], id, NONE, NONE, NULL, 1));
	}
	assert_int_equal(all, PLAN_ALL_MAX);
	uint64_t id = 1;
	for (; id <= PLAN_SHARE; id++)
		assert_non_null(plan_add(&one, id, NONE, NONE, NULL, 1));
	// Beyond its share it lives on its own oldest plans, and the total stays.
	size_t total = all;
	assert_non_null(plan_add(&one, id++, NONE, NONE, NULL, 1));
	assert_null(plan_find(&one, 1, 1));
	assert_int_equal(all, total);
	plan_find(&one, 2, 1)->in_flight = true;
	assert_null(plan_add(&one, id, NONE, NONE, NULL, 1));
	plan_find(&one, 2, 1)->in_flight = false;
	plan_mark_used(&one, plan_find(&one, 7, 1));
	plan_mark_used(&one, plan_find(&one, 7, 1)); // its second attempt
	assert_int_equal(all, total - 1);
	plan_drop(&one, 7); // was used: not counted twice
	assert_int_equal(all, total - 1);
	plan_clear(&many[0]);
	for (uint64_t i = 0; i < PLAN_SHARE; i++)
		assert_non_null(plan_add(&one, id++, NONE, NONE, NULL, 1));
	plan_clear(&one);
	for (size_t k = 0; k < ARRAY_LEN(many); k++)
		plan_clear(&many[k]);
	assert_int_equal(all, 0);
}

static void
test_wrap(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 5000; id++) {
		assert_non_null(plan_add(&t, id, VIEW("m"), NONE, NULL, id));
		if (id > 40)
			plan_drop(&t, id - 40);
		plan_expire(&t, id);
		assert_true(t.count <= 41);
		if (id > 39)
			assert_non_null(plan_find(&t, id - 39, id));
	}
	assert_true(t.cap <= 64);
}

#define EACH(fn) cmocka_unit_test_teardown(fn, each_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(test_find),
	    EACH(test_copies),
	    EACH(test_expiry),
	    EACH(test_drop),
	    EACH(test_bounded),
	    EACH(test_bounded_together),
	    EACH(test_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
