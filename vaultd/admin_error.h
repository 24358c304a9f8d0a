// SPDX-License-Identifier: Apache-2.0
// What an administrator is told when something is refused: a stable code, and a text
// that names the fix and never repeats a secret. Pure.
#ifndef VAULTD_ADMIN_ERROR_H
#define VAULTD_ADMIN_ERROR_H

#include "common/base.h"

struct admin_error {
	const char *code;
	char message[384];
};

// Fills *e; returns false, so that a check can end with `return admin_check_fail(...)`.
bool admin_check_fail(struct admin_error *e, const char *code, const char *fmt, ...) PRINTF(3, 4);

#endif
