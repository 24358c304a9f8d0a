// SPDX-License-Identifier: Apache-2.0
// The log of one daemon: what it says on standard error goes through a pipe to
// DIR/NAME.log, and warnings also to the terminal. (A pipe, because a sandboxed
// daemon may be forbidden to make any file grow.)
#ifndef CTL_UP_LOG_H
#define CTL_UP_LOG_H

#include "common/base.h"

struct event_base;
struct up_log;

struct up_log *up_log_new(struct event_base *base, const char *dir, const char *name);
void up_log_free(struct up_log *l);

// A new pipe for a new life of the daemon; returns the end to hand to it (the
// caller closes its copy), or -1.
int up_log_open_pipe(struct up_log *l) MUST_CHECK;

// Reads what is in the pipe now.
void up_log_drain(struct up_log *l);

// The last lines, to standard error.
void up_log_print_tail(const struct up_log *l);

#endif
