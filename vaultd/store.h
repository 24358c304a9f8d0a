// SPDX-License-Identifier: Apache-2.0
// The vault's store: one LMDB environment in one file, the only user of lmdb.h in
// the vault. It keeps bytes by (type, id) and understands none of them; sealing is
// seal.h's work. Opened before the sandbox; afterwards only its two descriptors are
// used. A second vault on the same directory is refused by a lock on the file.
#ifndef VAULTD_STORE_H
#define VAULTD_STORE_H

#include "common/mp.h"

#define STORE_MAP_SIZE	 (256U * 1024U * 1024U)
#define STORE_ID_MAX	 64U
#define STORE_RECORD_MAX (128U * 1024U)
#define STORE_VALUE_MAX	 (1024U * 1024U) // the catalogue's

// Kinds of records. Part of the stored format: numbers are only ever added.
enum store_type {
	STORE_KEY = 1,	      // the sealed store key, id "store"
	STORE_CREDENTIAL = 2, // id: cr_...
	STORE_VKEY = 3,	      // id: vk_...
	STORE_WITNESS = 4,    // what the audit log has acknowledged, id "audit"
	STORE_BOOT = 5,	      // id "count"
	STORE_CATALOGUE = 6,  // the one that was applied, id "catalogue"
	STORE_ISSUER = 7,     // name and signing keys, id "issuer"
};

struct store;

// Opens or creates dir/name. owner: the user that will serve ("UID:GID" as in
// --run-as, or NULL); new files are given to it. Fatal, with what to do, on failure.
struct store *store_open(const char *dir, const char *name, const char *owner);
void store_close(struct store *s);

// Writes the descriptors that stay open to fds (at most max), returns how many.
// Before the sandbox only.
size_t store_fds(const struct store *s, int *fds, size_t max);

// 0, or -1 when there is no such record. The view is valid until the next store_ call.
int store_get(struct store *s, enum store_type type, struct view id, struct view *v_r) MUST_CHECK;

// Durable on return (fdatasync). 0, or -1 with the reason logged (disk full, I/O).
int store_put(struct store *s, enum store_type type, struct view id, struct view value) MUST_CHECK;
int store_delete(struct store *s, enum store_type type, struct view id) MUST_CHECK;

// Calls fn for each record of the type, in order of id. fn must not call store_;
// the views are valid only during the call. A result other than 0 ends the walk
// and is returned.
typedef int store_each_fn(void *cookie, struct view id, struct view value);
int store_each(struct store *s, enum store_type type, store_each_fn *fn, void *cookie) MUST_CHECK;

#endif
