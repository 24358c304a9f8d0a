// SPDX-License-Identifier: Apache-2.0
// The end of the road for our own mistakes, and allocation that cannot fail.
// May touch: standard error.
#include "common/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
base_bug(const char *file, int line, const char *what)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "BUG %s:%d: %s\n", file, line, what);
	// No stdio: under a sandbox a buffered stream may call fstat and hide the reason.
	if (n > 0 && write(STDERR_FILENO, text, MIN((size_t)n, sizeof(text) - 1)) < 0)
		_exit(70);
	abort();
}

void *
base_calloc(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (p == NULL)
		BUG("out of memory");
	return p;
}

void *
base_realloc(void *p, size_t size)
{
	void *q = realloc(p, size);
	if (q == NULL)
		BUG("out of memory");
	return q;
}

char *
base_strndup(const char *s, size_t n)
{
	char *p = base_calloc(1, n + 1);
	memcpy(p, s, n);
	return p;
}

#ifdef SALLYPORT_SAN
// A sandboxed, undumpable process cannot be scanned for leaks at its exit.
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0:allocator_may_return_null=1";
}
#endif
