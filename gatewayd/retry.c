// SPDX-License-Identifier: Apache-2.0
// Steps after a failure. There is no repetition for a provider that is busy or broken:
// the clients' SDKs do that, and ours would multiply with theirs. Pure.
#include "gatewayd/retry.h"

static bool
may_repeat(const struct retry_facts *f)
{
	return f->renews && !f->repeated && f->spent;
}

static bool
may_go_on(const struct retry_facts *f)
{
	return f->attempt + 1 < f->attempts && f->spent && !f->pinned;
}

enum retry_step
retry_decide(const struct retry_facts *f)
{
	if (f->begun || f->client_gone)
		return RETRY_ANSWER;
	if (f->class_id == CLASS_EXPIRED && may_repeat(f))
		return RETRY_SAME;
	if (errclass_next(f->class_id) && may_go_on(f))
		return RETRY_NEXT;
	return RETRY_ANSWER;
}

bool
retry_may_follow(const struct retry_facts *f)
{
	struct retry_facts later = *f;
	later.spent = true; // by the time the answer is there
	return !f->begun && !f->client_gone && (may_repeat(&later) || may_go_on(&later));
}

enum error_class
retry_class_of_denial(unsigned status)
{
	struct errclass_facts f = {.status = status};
	return errclass_of(&f);
}
