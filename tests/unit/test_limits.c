// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Rate ceilings: a burst of one minute's worth, then an even refill, exact waits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka needs the three above.
#include <cmocka.h>

#include "vaultd/limits.h"

#define S UINT64_C(1000000000)

static void
test_none(void **state)
{
	(void)state;
	struct limits l;
	limits_init(&l, 0);
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(limits_wait_ms(&l, 5), 0);
		limits_take(&l, 5);
	}
}

static void
test_burst_and_refill(void **state)
{
	(void)state;
	struct limits l;
	uint64_t now = 1000 * S;
	limits_init(&l, 6);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(limits_wait_ms(&l, now), 0);
		limits_take(&l, now);
	}
	assert_int_equal(limits_wait_ms(&l, now), 10000);
	assert_int_equal(limits_wait_ms(&l, now + 4 * S), 6000);
	assert_int_equal(limits_wait_ms(&l, now + 10 * S), 0);
	limits_take(&l, now + 10 * S);
	assert_int_equal(limits_wait_ms(&l, now + 10 * S), 10000);
	// After a quiet time there is one minute's worth again, not more.
	int n = 0;
	for (; n < 100 && limits_wait_ms(&l, now + 1000 * S) == 0; n++)
		limits_take(&l, now + 1000 * S);
	assert_int_equal(n, 6);
}

static void
test_never_more_than_the_ceiling(void **state)
{
	(void)state;
	struct limits l;
	limits_init(&l, 90);
	uint64_t taken = 0;
	// Asked 20 times a second for 10 minutes: the first burst, then 90 a minute.
	for (uint64_t now = S; now < 601 * S; now += S / 20) {
		if (limits_wait_ms(&l, now) != 0)
			continue;
		limits_take(&l, now);
		taken++;
	}
	assert_in_range(taken, 985, 990);
}

static void
test_give_back(void **state)
{
	(void)state;
	struct limits l;
	limits_init(&l, 1);
	limits_take(&l, S);
	assert_int_not_equal(limits_wait_ms(&l, S), 0);
	limits_give_back(&l);
	assert_int_equal(limits_wait_ms(&l, S), 0);
	limits_retake(&l);
	assert_int_not_equal(limits_wait_ms(&l, S), 0);
	struct limits none;
	limits_init(&none, 0);
	limits_give_back(&none);
	assert_int_equal(limits_wait_ms(&none, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_burst_and_refill),
	    cmocka_unit_test(test_never_more_than_the_ceiling),
	    cmocka_unit_test(test_give_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
