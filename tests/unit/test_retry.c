// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Which step follows a failure: every class in every situation.
#include "gatewayd/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

// Classes after which another attempt may serve (providers' documentation; vaultd/policy.c).
static bool
moves_on(unsigned class_id)
{
	return class_id == CLASS_AUTH || class_id == CLASS_EXPIRED || class_id == CLASS_DENIED ||
	       class_id == CLASS_NOT_FOUND || class_id == CLASS_RATE || class_id == CLASS_QUOTA ||
	       class_id == CLASS_OVERLOAD || class_id == CLASS_SERVER;
}

static void
test_every_situation(void **state)
{
	(void)state;
	for (unsigned class_id = 0; class_id <= CLASS_LAST; class_id++)
		for (unsigned bits = 0; bits < 128; bits++) {
			struct retry_facts f = {.class_id = class_id,
			    .attempts = 2,
			    .attempt = bits & 1U,
			    .begun = bits >> 1 & 1U,
			    .client_gone = bits >> 2 & 1U,
			    .spent = bits >> 3 & 1U,
			    .renews = bits >> 4 & 1U,
			    .repeated = bits >> 5 & 1U,
			    .pinned = bits >> 6 & 1U};
			enum retry_step want = RETRY_ANSWER;
			if (f.begun || f.client_gone || !f.spent)
				want = RETRY_ANSWER;
			else if (class_id == CLASS_EXPIRED && f.renews && !f.repeated)
				want = RETRY_SAME;
			else if (moves_on(class_id) && f.attempt == 0 && !f.pinned)
				want = RETRY_NEXT;
			assert_int_equal(retry_decide(&f), want);
			// What may lead to a step is held; nothing that leads to one is not.
			if (want != RETRY_ANSWER)
				assert_true(retry_may_follow(&f));
		}
}

static void
test_holding(void **state)
{
	(void)state;
	struct retry_facts f = {.attempts = 1};
	assert_false(retry_may_follow(&f)); // one attempt, a lasting key: answers go straight on
	f.renews = true;
	assert_true(retry_may_follow(&f));
	f.repeated = true;
	assert_false(retry_may_follow(&f));
	f.attempts = 2;
	assert_true(retry_may_follow(&f));
	f.pinned = true;
	assert_false(retry_may_follow(&f));
	f.pinned = false;
	f.begun = true;
	assert_false(retry_may_follow(&f));
	f.begun = false;
	f.client_gone = true;
	assert_false(retry_may_follow(&f));
}

static void
test_denials(void **state)
{
	(void)state;
	assert_int_equal(retry_class_of_denial(429), CLASS_RATE);
	assert_int_equal(retry_class_of_denial(403), CLASS_DENIED);
	assert_int_equal(retry_class_of_denial(404), CLASS_NOT_FOUND);
	assert_int_equal(retry_class_of_denial(502), CLASS_SERVER);
	assert_int_equal(retry_class_of_denial(503), CLASS_OVERLOAD);
	assert_int_equal(retry_class_of_denial(400), CLASS_CLIENT);
	assert_int_equal(retry_class_of_denial(409), CLASS_CLIENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_situation),
	    cmocka_unit_test(test_holding),
	    cmocka_unit_test(test_denials),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
