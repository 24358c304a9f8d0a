// SPDX-License-Identifier: Apache-2.0
// From a policy text to a loaded seccomp filter. Used by sandbox.c and by the
// test that tries every system call in every sandbox.
#ifndef COMMON_SANDBOX_SECCOMP_H
#define COMMON_SANDBOX_SECCOMP_H

#include "common/base.h"

#define SANDBOX_ARGS_MAX 3U

// One line of a policy.
struct sandbox_rule {
	char syscall[32];
	int nr;	   // negative: unknown to this libseccomp
	int error; // 0: allow, else answer this errno
	size_t arg_count;
	struct {
		unsigned index;
		uint64_t mask; // UINT64_MAX: compare all bits
		uint64_t value;
	} arg[SANDBOX_ARGS_MAX];
};

// Parses the line at *text and moves *text behind it. Returns 1 for a rule, 0 for
// an empty or comment line, -1 at the end of the text. A line that cannot be
// understood is fatal.
int sandbox_seccomp_next(const char **text, struct sandbox_rule *r_r);

// Builds and loads the filter; default_action is libseccomp's SCMP_ACT_*. Fatal
// on any failure.
void sandbox_seccomp_load(const char *role, const char *policy, uint32_t default_action);

#endif
