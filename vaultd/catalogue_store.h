// SPDX-License-Identifier: Apache-2.0
// Which catalogue is in force: the one that the administrator applied last, kept sealed
// in the store, or the one that is built in. May touch: the store.
#ifndef VAULTD_CATALOGUE_STORE_H
#define VAULTD_CATALOGUE_STORE_H

#include "vaultd/catalogue.h"
#include "vaultd/seal.h"
#include "vaultd/store.h"

// Fatal if the record was changed by others. One that this version does not accept any
// more is put aside with a message, and the built-in one is used. *version_r: the
// greatest version that was ever given.
struct catalogue *catalogue_store_load(
    struct store *store, struct seal *seal, uint64_t *version_r) MUST_CHECK;

// Durable; -1: the store refused (logged).
int catalogue_store_save(
    struct store *store, struct seal *seal, const struct catalogue *c) MUST_CHECK;

#endif
