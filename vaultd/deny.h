// SPDX-License-Identifier: Apache-2.0
// Refusals: the stable codes that clients and operators see, with their HTTP status.
// A code names the check that failed; the message names the fix. Pure.
#ifndef VAULTD_DENY_H
#define VAULTD_DENY_H

#include "proto/msg.h"

enum deny_kind {
	DENY_NONE,
	DENY_INVALID_KEY,	    // 401
	DENY_KEY_REVOKED,	    // 401
	DENY_MODEL_NOT_ALLOWED,	    // 403
	DENY_OPERATION_NOT_ALLOWED, // 403
	DENY_NO_CREDENTIAL,	    // 404
	DENY_CREDENTIAL_DISABLED,   // 403
	DENY_RATE_LIMITED,	    // 429, with retry_after_ms
	DENY_AUDIT_UNAVAILABLE,	    // 503
	DENY_NO_PLAN,		    // 409
	DENY_LANE_MISMATCH,	    // 409
	DENY_BAD_HEADER,	    // 400
	DENY_BAD_PARAM,		    // 400
	DENY_BODY_TOO_LARGE,	    // 413
	DENY_TOKEN_FAILED,	    // 502: no temporary credential could be had
	DENY_PROVIDER_AUTH,	    // 502: because the provider refused the stored one
	DENY_VAULT_BUSY,	    // 503
	DENY_CREDENTIAL_EXPIRED,    // 403
	DENY_NO_PROFILE,	    // 404
	DENY_COUNT,
};

struct deny {
	enum deny_kind kind; // DENY_NONE: allowed
	uint64_t retry_after_ms;
	char message[384];
};

const char *deny_code(enum deny_kind kind);
uint64_t deny_status(enum deny_kind kind);

// Fills *d; returns false, so that a check can end with `return deny_set(...)`.
bool deny_set(struct deny *d, enum deny_kind kind, const char *fmt, ...) PRINTF(3, 4);

// The message for the gateway; views point into *d.
struct msg_deny deny_message(const struct deny *d);

#endif
