// SPDX-License-Identifier: Apache-2.0
// The state machine of a request: AUTHORIZE makes a plan (authorize.h), USE spends one
// attempt of it. Nothing that AUTHORIZE decided is believed at USE: key, credential, model,
// operation, lane, fields and rates are checked again, then auditd has to confirm the
// intent, then everything that can have changed meanwhile is checked a third time,
// and only then the secret is decrypted, put into a head, handed to the sealer and
// wiped.
#ifndef VAULTD_USE_H
#define VAULTD_USE_H

#include "vaultd/gateway.h"

enum chan_status use_on_use(struct gateway *gw, const struct frame *f);
enum chan_status use_on_settle(struct gateway *gw, const struct frame *f);

#endif
