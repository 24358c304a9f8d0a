// SPDX-License-Identifier: Apache-2.0
// Credentials: what is known about each, in memory and in the store. The record as
// a whole is sealed, and the secret inside it is sealed once more on its own, so
// that loading and listing never decrypt a secret: only cred_open_secret() does, for
// one use.
//
// A credential keeps its handle (slot + 1) through rotation; the version counts each
// change. Slots of removed credentials are not used again in this process.
#ifndef VAULTD_CRED_H
#define VAULTD_CRED_H

#include "vaultd/cred_extra.h"
#include "vaultd/limits.h"
#include "vaultd/names.h"
#include "vaultd/seal.h"
#include "vaultd/store.h"

#define CRED_MAX     1024U // credentials that exist at one time
#define CRED_ID_SIZE 28U   // "cr_" + 24 hex digits + NUL

struct cred {
	char id[CRED_ID_SIZE];
	char name[65];
	uint64_t version;
	uint64_t provider;
	uint64_t auth;
	char host[254];
	uint64_t port;
	char region[33];
	char access_key_id[129];
	char hint[5]; // last four characters of a long secret
	char workspace[65];
	uint64_t rate_per_minute;
	bool enabled;
	bool has_session_token;
	uint64_t operations; // bit per enum operation; 0: all of the provider
	struct names models;
	struct view ca_pem; // owned
	struct cred_extra extra;
	uint64_t expires_s; // setting `expires`: Unix time, 0: none is known

	uint64_t secret_version; // version at which the secret was sealed
	uint8_t *sealed_secret;	 // owned ciphertext
	size_t sealed_len;

	// Since this start; kept through changes.
	struct limits limits;
	uint64_t uses; // key_use counter of the audit trail
	uint64_t last_used_s;
};

struct cred_table;

// Loads all records. Fatal if one does not open: the store was changed by others.
struct cred_table *cred_table_new(struct store *store, struct seal *seal);
void cred_table_free(struct cred_table *t);

size_t cred_count(const struct cred_table *t);
// Slots 0..cred_slots-1; NULL for removed ones. The handle is the slot + 1.
size_t cred_slots(const struct cred_table *t);
struct cred *cred_at(const struct cred_table *t, size_t slot);
struct cred *cred_by_handle(const struct cred_table *t, uint64_t handle); // or NULL
struct cred *cred_by_name(const struct cred_table *t, struct view name);  // or NULL
uint64_t cred_handle(const struct cred_table *t, const struct cred *c);

// A new state for a credential, not yet stored: old is NULL for a new one. An empty
// put->secret keeps the old secret. The message has been checked (admin_check.h).
// NULL when secret memory is full. Owned by the caller until cred_commit.
struct cred *cred_prepare(
    struct cred_table *t, const struct cred *old, const struct msg_credential_put *put) MUST_CHECK;
void cred_free(struct cred *c);
// True if the change would make no difference: no new secret, every setting as it is.
bool cred_is_same(const struct cred *c, const struct msg_credential_put *put);

// True if a and b differ in nothing but the version: fields, CA and secret. False when
// secret memory is full, which only costs a needless change.
bool cred_same(struct cred_table *t, const struct cred *a, const struct cred *b);

// Writes the new state durably and puts it in the place of the old one. Takes
// ownership of next. -1: the store refused (logged), nothing changed.
int cred_commit(struct cred_table *t, struct cred *next) MUST_CHECK;

// -1 as above.
int cred_set_enabled(struct cred_table *t, struct cred *c, bool enabled) MUST_CHECK;
int cred_remove(struct cred_table *t, struct cred *c) MUST_CHECK;

// Decrypts into new secrets; token stays empty if there is none. The caller wipes
// both. -1: secret memory is full.
int cred_open_secret(struct cred_table *t, const struct cred *c, struct secret *secret_r,
    struct secret *token_r) MUST_CHECK;

// True if its list of operations has it, or there is no list.
bool cred_allows_operation(const struct cred *c, uint64_t operation);

struct view cred_setting(const struct cred *c, enum setting_id id); // empty: absent
// Azure: what the credential calls this model; empty: nothing of its own.
struct view cred_deployment(const struct cred *c, struct view model);
// Which rows of the catalogue are this credential's: 1 for Azure's dated API.
uint64_t cred_variant(const struct cred *c);
// Whether its secret is known to be dead.
bool cred_expired(const struct cred *c, uint64_t now_s);

#endif
