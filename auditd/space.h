// SPDX-License-Identifier: Apache-2.0
// Disk space of the log directory: a ballast file that can be given up to record what
// was already begun, and the decision whether new work may still begin. May touch: the
// file "ballast" in the log directory.
#ifndef AUDITD_SPACE_H
#define AUDITD_SPACE_H

#include "common/base.h"

struct space;

// reserve: no new work is admitted while less than this many bytes are free.
// ballast: size of the file that is held back for completions.
struct space *space_new(const char *dir, uint64_t reserve, uint64_t ballast) MUST_CHECK;
void space_free(struct space *s);

// Looks at the file system; call every second. Makes the ballast again when there is
// room. Returns true when the answer of space_admits() changed.
bool space_check(struct space *s);
bool space_admits(const struct space *s); // may new work (intents) be recorded?

// A commit found no space: no new work from now on, and the ballast is given up.
// Returns false when it was given up before.
bool space_exhausted(struct space *s);

uint64_t space_available(const struct space *s); // bytes, as of the last check

#endif
