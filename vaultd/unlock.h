// SPDX-License-Identifier: Apache-2.0
// How the store key itself is sealed: by a key file, by a systemd credential, or by
// a passphrase (Argon2id). Runs before the sandbox; the only part of the vault that
// reads files other than the store. The first start makes the store key (and the
// key file, if that is missing too).
//
// Method, as given to --unlock:
//   keyfile:PATH      at least 32 bytes; made (64 hex digits) if the store is new
//   credential:NAME   the same content in $CREDENTIALS_DIRECTORY/NAME
//   passphrase        from the terminal without echo, else the first line of stdin
// Key file and credential are interchangeable: what counts is the content, without
// white space at the end.
#ifndef VAULTD_UNLOCK_H
#define VAULTD_UNLOCK_H

#include "vaultd/seal.h"
#include "vaultd/store.h"

// Returns the opened seal. Every failure is fatal and says what to do; a wrong key
// changes nothing. owner as for store_open.
struct seal *unlock_store(struct store *s, const char *method, const char *owner);

#endif
