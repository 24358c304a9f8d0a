// SPDX-License-Identifier: Apache-2.0
// The class of an upstream failure, from what the provider said. One table for the
// gateway (next attempt, the client's error), the vault (which attempt may follow) and
// Test Connection. Sources: the vendors' error pages, named in errclass.c. Pure.
#ifndef PROTO_ERRCLASS_H
#define PROTO_ERRCLASS_H

#include "proto/ids.h"

// What an error answer held. Empty views where it did not say. Google says "not again
// today" only in QuotaFailure.violations[].quotaId: that goes into code.
struct errclass_facts {
	uint64_t provider; // enum provider
	unsigned status;   // HTTP; 0: no answer (network)
	struct view type;  // error.type, error.status, x-amzn-errortype, __type
	struct view code;  // error.code, details.error_code, details[].reason, innererror.code
	struct view message;
	bool temporary_key; // a token or session credential was used
};

enum error_class errclass_of(const struct errclass_facts *f);

// Worth one more try with the same key; EXPIRED after a refresh. RATE is not: only
// a short retry-after makes it so, and that the caller knows.
bool errclass_same_key(enum error_class c);
bool errclass_next(enum error_class c); // the next attempt of the plan may follow
// Whether a client gains from retrying by itself (x-should-retry).
bool errclass_client_may_retry(enum error_class c);

#endif
