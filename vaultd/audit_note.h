// SPDX-License-Identifier: Apache-2.0
// Audit records that nobody waits for: refusals, rejected peers, lane faults. A flood
// of one kind is folded: at most NOTE_RATE records a second of a kind, the rest as one
// record with a count. What auditd refuses, or had not answered when its connection
// ended, is taken back and sent again, so nothing is dropped silently; after a lost
// connection a record may be there twice, and the second says "(sent again)". All of it
// is memory: it ends with the process.
#ifndef VAULTD_AUDIT_NOTE_H
#define VAULTD_AUDIT_NOTE_H

#include "proto/msg.h"
#include "vaultd/core.h"
#include "vaultd/deny.h"

#define NOTE_RATE 20U // a second, for each kind
// Records that name another one, or an act of an administrator, kept one by one while auditd
// is away or a second is full, for each of VOID, LEAK, COMPLETE, ADMIN_FAILED and TESTED; beyond
// that they are folded like the others.
#define NOTE_REFS_MAX 8192U

// What is folded together: one kind per refusal code, and these.
enum note_kind {
	NOTE_DENY_FIRST = 0, // NOTE_DENY_FIRST + enum deny_kind
	NOTE_PEER_REJECTED = DENY_COUNT,
	NOTE_UNVERIFIED,
	NOTE_LEAK,
	NOTE_SEALER_DIED,
	NOTE_VOID,
	NOTE_COMPLETE, // of a key use by the vault itself
	NOTE_TOKEN,
	NOTE_TESTED,
	NOTE_ADMIN_FAILED, // a change that was recorded and could not be made
	NOTE_KIND_COUNT,
};

// Everything is copied but code, which must be static.
struct note {
	uint64_t event; // enum audit_event
	uint64_t ref_seq;
	const char *user;
	const char *workspace;
	const char *key_id;
	uint64_t key_version;
	uint64_t result;
	const char *code;
	uint64_t operation; // 0: none
	uint64_t signal;
	uint64_t status; // HTTP, of the provider
	uint64_t expires_s;
	struct view model;  // cut to what a record takes
	struct view reason; // likewise
};

struct audit_note *audit_note_new(struct core *core);
// After the audit link's end, which gives back what it had. Logs how many were not written.
void audit_note_free(struct audit_note *n);

void audit_note_add(struct audit_note *n, enum note_kind kind, const struct note *note);
// Writes what was kept and folded, as far as the rates allow.
void audit_note_tick(struct audit_note *n);

#endif
