// SPDX-License-Identifier: Apache-2.0
// The table of refusals. Pure.
#include "vaultd/deny.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	uint64_t status;
	const char *code;
} kinds[DENY_COUNT] = {
    [DENY_NONE] = {200, "ok"},
    [DENY_INVALID_KEY] = {401, "invalid_key"},
    [DENY_KEY_REVOKED] = {401, "key_revoked"},
    [DENY_MODEL_NOT_ALLOWED] = {403, "model_not_allowed"},
    [DENY_OPERATION_NOT_ALLOWED] = {403, "operation_not_allowed"},
    [DENY_NO_CREDENTIAL] = {404, "no_credential"},
    [DENY_CREDENTIAL_DISABLED] = {403, "credential_disabled"},
    [DENY_RATE_LIMITED] = {429, "rate_limited"},
    [DENY_AUDIT_UNAVAILABLE] = {503, "audit_unavailable"},
    [DENY_NO_PLAN] = {409, "no_plan"},
    [DENY_LANE_MISMATCH] = {409, "lane_mismatch"},
    [DENY_BAD_HEADER] = {400, "bad_header"},
    [DENY_BAD_PARAM] = {400, "bad_param"},
    [DENY_BODY_TOO_LARGE] = {413, "body_too_large"},
    [DENY_TOKEN_FAILED] = {502, "token_exchange_failed"},
    [DENY_PROVIDER_AUTH] = {502, "provider_auth_failed"},
    [DENY_VAULT_BUSY] = {503, "vault_busy"},
    [DENY_CREDENTIAL_EXPIRED] = {403, "credential_expired"},
    [DENY_NO_PROFILE] = {404, "no_inference_profile"},
};

const char *
deny_code(enum deny_kind kind)
{
	BUG_IF(kind >= DENY_COUNT);
	return kinds[kind].code;
}

uint64_t
deny_status(enum deny_kind kind)
{
	BUG_IF(kind >= DENY_COUNT);
	return kinds[kind].status;
}

bool
deny_set(struct deny *d, enum deny_kind kind, const char *fmt, ...)
{
	va_list ap;
	d->kind = kind;
	d->retry_after_ms = kind == DENY_AUDIT_UNAVAILABLE || kind == DENY_VAULT_BUSY ? 1000 : 0;
	va_start(ap, fmt);
	vsnprintf(d->message, sizeof(d->message), fmt, ap);
	va_end(ap);
	return false;
}

struct msg_deny
deny_message(const struct deny *d)
{
	return (struct msg_deny){.status = deny_status(d->kind),
	    .code = view_of(deny_code(d->kind)),
	    .message = view_of(d->message),
	    .retry_after_ms = d->retry_after_ms};
}
