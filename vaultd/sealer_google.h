// SPDX-License-Identifier: Apache-2.0
// Reads the answer of Google's token endpoint, in place: the access token never lies
// anywhere but in the caller's secret memory. Pure, but for the member names that the
// checker of JSON text keeps for a moment.
//
// Source: Google Identity, "Using OAuth 2.0 for Server to Server Applications"; RFC 6749,
// section 5.1.
#ifndef VAULTD_SEALER_GOOGLE_H
#define VAULTD_SEALER_GOOGLE_H

#include "proto/msg.h"

#define SEALER_GOOGLE_LIFE_MAX 43200U // no access token of Google lives longer

// Fills secret and expires_s (seconds from now) of a good answer. -1: it is none.
int sealer_google_read(char *json, size_t len, struct msg_exchanged *m) MUST_CHECK;

#endif
