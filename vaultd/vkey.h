// SPDX-License-Identifier: Apache-2.0
// Virtual keys: what clients present instead of a provider's key. "sp-" and 43
// base64url characters (32 random bytes); shown once, stored only as a keyed hash.
// Revoked keys stay in the table, so that their use can be told from a typing error.
#ifndef VAULTD_VKEY_H
#define VAULTD_VKEY_H

#include "vaultd/limits.h"
#include "vaultd/names.h"
#include "vaultd/seal.h"
#include "vaultd/store.h"

#define VKEY_MAX      65536U
#define VKEY_ID_SIZE  28U // "vk_" + 24 hex digits + NUL
#define VKEY_TEXT_LEN 46U // "sp-" + 43

struct vkey {
	char id[VKEY_ID_SIZE];
	char name[65];
	char workspace[65];
	uint8_t hash[SEAL_HASH_LEN];
	bool revoked;
	uint64_t created_s;
	uint64_t rate_per_minute;
	struct names credentials; // names; none: any of the workspace
	struct names models;

	// Since this start.
	struct limits limits;
	uint64_t last_used_s;
};

struct vkey_table;

struct vkey_table *vkey_table_new(struct store *store, struct seal *seal);
void vkey_table_free(struct vkey_table *t);

size_t vkey_count(const struct vkey_table *t);		       // not revoked ones
size_t vkey_slots(const struct vkey_table *t);		       // all
struct vkey *vkey_at(const struct vkey_table *t, size_t slot); // slot < vkey_slots

// The key with this text, or NULL. Takes the same time whatever part of it is wrong.
struct vkey *vkey_find(struct vkey_table *t, struct view text);
// By id or by the name of one that is not revoked; NULL if there is none.
struct vkey *vkey_by_id_or_name(const struct vkey_table *t, struct view id_or_name);

// A new key, not yet stored; its text goes to text (secret memory, VKEY_TEXT_LEN).
struct vkey *vkey_prepare(struct vkey_table *t, const struct msg_vkey_issue *m, uint64_t now_s,
    char text[VKEY_TEXT_LEN]) MUST_CHECK;
void vkey_free(struct vkey *k);
// Durable; takes ownership of k. -1: the store refused, nothing changed.
int vkey_commit(struct vkey_table *t, struct vkey *k) MUST_CHECK;
int vkey_revoke(struct vkey_table *t, struct vkey *k) MUST_CHECK;

#endif
