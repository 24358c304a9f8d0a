// SPDX-License-Identifier: Apache-2.0
// Finds the client's virtual key in a request head. Whether it is a good one is
// for the vault to say. The key is never echoed or logged. Pure.
#ifndef GATEWAYD_AUTH_H
#define GATEWAYD_AUTH_H

#include "common/http_parse.h"
#include "gatewayd/errors.h"

// Looks in Authorization: Bearer, x-api-key and api-key. Returns true and the key
// (borrowed from the head), or false and what to answer.
bool auth_find(const struct http_parser *head, struct view *key_r, struct failure *failure_r);

#endif
