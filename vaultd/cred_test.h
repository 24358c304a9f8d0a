// SPDX-License-Identifier: Apache-2.0
// Test Connection: does this credential work, and if not, what is wrong with it. Real
// requests over the exchange engine (a sealer, a worker that relays ciphertext), audited
// like any use of a key; the answer is read by the sealer, and nobody gets plaintext.
//
//   kinds that buy a temporary secret:  the exchange, anew      -> the provider
//   IAM keys:                           STS GetCallerIdentity   -> the provider
//   all others:                                                    the provider
//
// The first leg that fails is the verdict; only that STS cannot be reached is no verdict on
// an IAM key, which does not need it. Restrictions of the credential to models and
// operations bind clients, not this: what is sent is fixed here (cred_probe.h).
#ifndef VAULTD_CRED_TEST_H
#define VAULTD_CRED_TEST_H

#include "proto/msg.h"
#include "vaultd/admin_error.h"
#include "vaultd/core.h"
#include "vaultd/exchange.h"

#define CRED_TESTS_MAX 4U // at one time

typedef void cred_test_done_fn(
    void *cookie, uint64_t admin, uint64_t frame, const struct msg_credential_tested *m);

struct cred_test_who {
	struct core *core;
	unsigned uid;
	uint64_t admin; // handed back to done
	uint64_t frame;
	cred_test_done_fn *done; // once if the test was begun, maybe before this returns
	void *cookie;
};

// False and *e if there is nothing to test: no such credential, a disabled one, a model
// that is none of its provider's, or too many tests.
bool cred_test_begin(const struct cred_test_who *who, const struct msg_credential_test *m,
    struct admin_error *e) MUST_CHECK;

// A fetch of a temporary secret ended. wrong: why its answer is of no use; NULL: see r.
void cred_test_on_token(
    struct core *core, uint64_t credential, const struct exchange_result *r, const char *wrong);

#endif
