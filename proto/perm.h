// SPDX-License-Identifier: Apache-2.0
// Who may say what, when. A channel's role is fixed by the descriptor it came
// over (which socket was accepted, which socketpair was made), never by anything
// in a message. Every received frame is checked here, by chan_next(), before any
// handler sees it.
#ifndef PROTO_PERM_H
#define PROTO_PERM_H

#include "proto/msg.h"

// The sender, as seen from the receiver of a frame.
enum role {
	ROLE_GATEWAY_AT_CORE,
	ROLE_ADMIN_AT_CORE,
	ROLE_AUDITD_AT_CORE,
	ROLE_ZYGOTE_AT_CORE,
	ROLE_SEALER_AT_CORE,
	ROLE_CORE_AT_GATEWAY,
	ROLE_AUDITD_AT_GATEWAY,
	ROLE_SEALER_AT_GATEWAY,
	ROLE_CORE_AT_AUDITD,
	ROLE_GATEWAY_AT_AUDITD,
	ROLE_ADMIN_AT_AUDITD,
	ROLE_CORE_AT_ZYGOTE,
	ROLE_CORE_AT_SEALER,
	ROLE_GATEWAY_AT_SEALER,
	ROLE_CORE_AT_ADMIN,
	ROLE_AUDITD_AT_ADMIN,
	ROLE_COUNT,
};

// NEW: before the greeting of that channel (HELLO, AUDIT_HELLO, SEALER_CONFIG,
// SEALER_READY; channels without a greeting start READY, see perm_start()).
enum channel_state { CHANNEL_NEW, CHANNEL_READY, CHANNEL_STATE_COUNT };

bool perm_allowed(enum role from, enum channel_state state, uint8_t type);
enum channel_state perm_start(enum role from);
const char *perm_role_name(enum role r);

#endif
