// SPDX-License-Identifier: Apache-2.0
// What a client is told of a provider's error that came in another API than its own: by
// the error's class. Pure.
#ifndef GATEWAYD_PROVIDER_FAILURE_H
#define GATEWAYD_PROVIDER_FAILURE_H

#include "gatewayd/errors.h"
#include "proto/upstream_error.h"

// status: the provider's, 200 for an error inside a stream. f borrows from e.
void provider_failure_of(const struct upstream_error *e, unsigned status, struct failure *f);

#endif
