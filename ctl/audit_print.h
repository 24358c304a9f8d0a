// SPDX-License-Identifier: Apache-2.0
// One audit record as a line for people or as a JSON object. Texts in records come from
// clients: nothing in them can move a terminal's cursor or add a line. Pure but for
// standard output.
#ifndef CTL_AUDIT_PRINT_H
#define CTL_AUDIT_PRINT_H

#include "auditd/record.h"

#define AUDIT_PRINT_TIME 40U

void audit_print_line(const struct record *r);
void audit_print_json(const struct record *r, const uint8_t leaf[32]); // one line

// "2026-11-21T10:09:31.494195051Z"
void audit_print_time(uint64_t ns, char out[AUDIT_PRINT_TIME]);
// Lower hex; out has 2 * len + 1 bytes.
void audit_print_hex(const void *p, size_t len, char *out);

#endif
