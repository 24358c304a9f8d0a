// SPDX-License-Identifier: Apache-2.0
// Refusals for administrators. Pure.
#include "vaultd/admin_error.h"

#include <stdarg.h>
#include <stdio.h>

bool
admin_check_fail(struct admin_error *e, const char *code, const char *fmt, ...)
{
	va_list ap;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
	va_end(ap);
	return false;
}
