// SPDX-License-Identifier: Apache-2.0
// What the parts of the vault core share: one process, one loop, one of each table.
// No part keeps state outside of this struct, so tests can make several.
#ifndef VAULTD_CORE_H
#define VAULTD_CORE_H

#include "common/base.h"
#include "common/secmem.h"

struct event_base;
struct store;
struct seal;
struct catalogue;
struct cred_table;
struct issuer;
struct vkey_table;
struct head_work;
struct audit_link;
struct audit_note;
struct lane_ctl;
struct gateways;
struct admins;
struct admin_change;
struct exchanges;
struct tokens;
struct use_wait;
struct cred_test;

struct core {
	struct event_base *base;
	struct store *store;
	struct seal *seal;
	struct catalogue *catalogue;
	uint64_t catalogue_version; // greatest that was ever given
	struct cred_table *creds;
	struct vkey_table *vkeys;
	struct issuer *issuer;
	struct head_work *work; // secret memory, wiped after each head
	struct audit_link *audit;
	struct audit_note *notes;
	struct lane_ctl *lanes;
	struct gateways *gateways;
	struct exchanges *exchanges;
	struct tokens *tokens;
	struct use_wait *waiting; // USEs that wait for a token
	struct cred_test *tests;  // of credentials, that are running
	struct admins *admins;
	struct admin_change *change; // the one that is being recorded, or NULL

	enum secmem_kind memory;
	size_t secret_limit; // secret memory that sealers may take; the rest is the administrator's
	uint64_t started_ns; // monotonic
	uint64_t uses;
	uint64_t denials;
};

#endif
