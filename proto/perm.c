// SPDX-License-Identifier: Apache-2.0
// The permission table: type x role x state. What is not listed is refused, and
// the peer with it. Pure.
#include "proto/perm.h"

#define NEW   (1U << CHANNEL_NEW)
#define READY (1U << CHANNEL_READY)

static const uint8_t table[ROLE_COUNT][256] = {
    [ROLE_GATEWAY_AT_CORE] =
	{
	    [MSG_HELLO] = NEW,
	    [MSG_AUTHORIZE] = READY,
	    [MSG_USE] = READY,
	    [MSG_SETTLE] = READY,
	    [MSG_SEALER_OPEN] = READY,
	    [MSG_RELAY_FAILED] = READY,
	},
    [ROLE_ADMIN_AT_CORE] =
	{
	    [MSG_STATUS] = READY,
	    [MSG_CREDENTIAL_PUT] = READY,
	    [MSG_CREDENTIAL_SET] = READY,
	    [MSG_CREDENTIAL_LIST] = READY,
	    [MSG_CREDENTIAL_TEST] = READY,
	    [MSG_VKEY_ISSUE] = READY,
	    [MSG_VKEY_LIST] = READY,
	    [MSG_VKEY_REVOKE] = READY,
	    [MSG_CATALOGUE_GET] = READY,
	    [MSG_CATALOGUE_BEGIN] = READY,
	    [MSG_CATALOGUE_HOST] = READY,
	    [MSG_CATALOGUE_OP] = READY,
	    [MSG_CATALOGUE_MODEL] = READY,
	    [MSG_CATALOGUE_PROFILE] = READY,
	    [MSG_CATALOGUE_END] = READY,
	    [MSG_ISSUER_SET] = READY,
	    [MSG_ISSUER_GET] = READY,
	},
    [ROLE_AUDITD_AT_CORE] =
	{
	    [MSG_AUDIT_HELLO] = NEW,
	    [MSG_ACK] = READY,
	    [MSG_NACK] = READY,
	},
    [ROLE_ZYGOTE_AT_CORE] = {[MSG_EXITED] = READY},
    [ROLE_SEALER_AT_CORE] =
	{
	    [MSG_SEALER_READY] = NEW,
	    [MSG_LANE_VERIFIED] = READY,
	    [MSG_LANE_FAULT] = READY,
	    [MSG_EXCHANGED] = READY,
	},
    [ROLE_CORE_AT_GATEWAY] =
	{
	    [MSG_WELCOME] = NEW,
	    [MSG_PLAN] = READY,
	    [MSG_DENY] = READY,
	    [MSG_GO] = READY,
	    [MSG_SEALER] = READY,
	    [MSG_SEALER_GONE] = READY,
	    [MSG_RELAY] = READY,
	    [MSG_ISSUER_ITEM] = READY,
	    [MSG_CATALOGUE_BEGIN] = READY,
	    [MSG_CATALOGUE_HOST] = READY,
	    [MSG_CATALOGUE_OP] = READY,
	    [MSG_CATALOGUE_MODEL] = READY,
	    [MSG_CATALOGUE_PROFILE] = READY,
	    [MSG_CATALOGUE_END] = READY,
	},
    [ROLE_AUDITD_AT_GATEWAY] =
	{
	    [MSG_AUDIT_HELLO] = NEW,
	    [MSG_ACK] = READY,
	    [MSG_NACK] = READY,
	},
    [ROLE_SEALER_AT_GATEWAY] =
	{
	    [MSG_LANE_READY] = READY,
	    [MSG_LANE_CLOSED] = READY,
	    [MSG_CREDIT] = READY,
	    [MSG_CIPHER_OUT] = READY,
	    [MSG_PLAIN] = READY,
	},
    [ROLE_CORE_AT_AUDITD] = {[MSG_APPEND] = READY},
    [ROLE_GATEWAY_AT_AUDITD] = {[MSG_APPEND] = READY},
    [ROLE_ADMIN_AT_AUDITD] = {[MSG_AUDIT_QUERY] = READY},
    [ROLE_CORE_AT_ZYGOTE] = {[MSG_FORK] = READY},
    [ROLE_CORE_AT_SEALER] =
	{
	    [MSG_SEALER_CONFIG] = NEW,
	    [MSG_SEAL] = READY,
	    [MSG_EXCHANGE] = READY,
	},
    [ROLE_GATEWAY_AT_SEALER] =
	{
	    [MSG_LANE_OPEN] = READY,
	    [MSG_LANE_CLOSE] = READY,
	    [MSG_LANE_EOF] = READY,
	    [MSG_CREDIT] = READY,
	    [MSG_CIPHER_IN] = READY,
	    [MSG_BODY] = READY,
	},
    [ROLE_CORE_AT_ADMIN] =
	{
	    [MSG_STATUS_REPLY] = READY,
	    [MSG_CREDENTIAL_ITEM] = READY,
	    [MSG_VKEY_ISSUED] = READY,
	    [MSG_VKEY_ITEM] = READY,
	    [MSG_DONE] = READY,
	    [MSG_ERROR] = READY,
	    [MSG_CREDENTIAL_TESTED] = READY,
	    [MSG_CATALOGUE_BEGIN] = READY,
	    [MSG_CATALOGUE_HOST] = READY,
	    [MSG_CATALOGUE_OP] = READY,
	    [MSG_CATALOGUE_MODEL] = READY,
	    [MSG_CATALOGUE_PROFILE] = READY,
	    [MSG_CATALOGUE_END] = READY,
	    [MSG_ISSUER_ITEM] = READY,
	},
    [ROLE_AUDITD_AT_ADMIN] =
	{
	    [MSG_AUDIT_RECORD] = READY,
	    [MSG_AUDIT_END] = READY,
	    [MSG_ERROR] = READY,
	},
};

static const char *const names[ROLE_COUNT] = {
    [ROLE_GATEWAY_AT_CORE] = "gateway",
    [ROLE_ADMIN_AT_CORE] = "admin",
    [ROLE_AUDITD_AT_CORE] = "auditd",
    [ROLE_ZYGOTE_AT_CORE] = "zygote",
    [ROLE_SEALER_AT_CORE] = "sealer",
    [ROLE_CORE_AT_GATEWAY] = "vault",
    [ROLE_AUDITD_AT_GATEWAY] = "auditd",
    [ROLE_SEALER_AT_GATEWAY] = "sealer",
    [ROLE_CORE_AT_AUDITD] = "vault",
    [ROLE_GATEWAY_AT_AUDITD] = "gateway",
    [ROLE_ADMIN_AT_AUDITD] = "admin",
    [ROLE_CORE_AT_ZYGOTE] = "vault",
    [ROLE_CORE_AT_SEALER] = "vault",
    [ROLE_GATEWAY_AT_SEALER] = "gateway",
    [ROLE_CORE_AT_ADMIN] = "vault",
    [ROLE_AUDITD_AT_ADMIN] = "auditd",
};

bool
perm_allowed(enum role from, enum channel_state state, uint8_t type)
{
	BUG_IF(from >= ROLE_COUNT || state >= CHANNEL_STATE_COUNT);
	return (table[from][type] >> state & 1U) != 0;
}

enum channel_state
perm_start(enum role from)
{
	BUG_IF(from >= ROLE_COUNT);
	for (unsigned t = 0; t < 256; t++)
		if (table[from][t] & NEW)
			return CHANNEL_NEW;
	return CHANNEL_READY;
}

const char *
perm_role_name(enum role r)
{
	return r < ROLE_COUNT ? names[r] : "unknown";
}
