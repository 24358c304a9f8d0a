// SPDX-License-Identifier: Apache-2.0
// GET /v1/models of the OpenAI and the Anthropic API, answered from the catalogue after
// the vault has accepted the client's key. Sources: OpenAI API reference "List models",
// Anthropic API reference "List Models". Pure.
#ifndef GATEWAYD_MODELS_H
#define GATEWAYD_MODELS_H

#include "common/buf.h"
#include "gatewayd/catalog.h"
#include "gatewayd/plans.h"

// Whether this operation is a listing that the gateway can answer by itself.
bool models_listing(enum operation op);

// Writes the body for r (a listing): the models that the key of this plan may ask for.
// false: there is no such model (404); only for single ones.
bool models_write(const struct request *r, const struct catalog *c, const struct plan *p,
    struct buf *out) MUST_CHECK;

#endif
