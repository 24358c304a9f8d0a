// SPDX-License-Identifier: Apache-2.0
// Words that every file of the project shares: attributes, the two kinds of
// failure, and size helpers. Depends on nothing but the C library.
#ifndef COMMON_BASE_H
#define COMMON_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MUST_CHECK	__attribute__((warn_unused_result))
#define NORETURN	__attribute__((noreturn))
#define PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))

// Clears call-used registers on return: for functions that handle key bytes.
#if defined(__GNUC__) && !defined(__clang__)
#define SENSITIVE __attribute__((zero_call_used_regs("used")))
#else
#define SENSITIVE
#endif

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

// BUG(): one of our own invariants is broken. Prints place and reason, then
// aborts without clean-up. Never used for anything that a peer can cause; a
// peer's fault is rejected (close the channel, count it, audit it).
NORETURN void base_bug(const char *file, int line, const char *what);
#define BUG(what) base_bug(__FILE__, __LINE__, (what))
#define BUG_IF(cond)                                                                               \
	do {                                                                                       \
		if (cond)                                                                          \
			BUG(#cond);                                                                \
	} while (0)

// Every heap object that lives across events begins with a magic number; it is
// cleared on free, so that a stale pointer is found at its next use.
#define CHECK_OBJ(ptr, MAGIC) BUG_IF((ptr) == NULL || (ptr)->magic != (MAGIC))

// malloc family that cannot fail: running out of memory is fatal by design,
// since a daemon that limps on without memory loses requests silently.
void *base_calloc(size_t n, size_t size) MUST_CHECK;
void *base_realloc(void *p, size_t size) MUST_CHECK;
char *base_strndup(const char *s, size_t n) MUST_CHECK;

#endif
