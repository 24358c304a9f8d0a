// SPDX-License-Identifier: Apache-2.0
// One logging function for all programs: one line on standard error, with the
// journal's priority prefix ("<4>"), the program name and the text. Arguments
// are typed by printf; there is deliberately no formatter for struct secret, and
// nobody logs header values, bodies, tokens or query strings.
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/base.h"

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

// Must be called once at start, before any sandbox. name is kept, not copied.
void log_init(const char *name, enum log_level max);

// Writes one line; control characters in the text are replaced by '?', so that
// a peer's string cannot forge a second line. Uses write(2) only.
void log_msg(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

// Logs and exits with status 1: for faults of the operator (bad flag, missing
// file, wrong permission). The text says what to do.
NORETURN void log_fatal(const char *fmt, ...) PRINTF(1, 2);

#endif
