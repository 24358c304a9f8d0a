// links:
// SPDX-License-Identifier: Apache-2.0
// Secret memory: guard pages fault, a forked child has no copy, freed blocks are
// wiped, a full arena says so.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/secmem.h"

#define ARENA (64U * 1024U)

// Signal that ends a child which reads *p, or 0.
static int
read_in_child(const volatile uint8_t *p)
{
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		_exit(*p == 0 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
test_blocks(void **state)
{
	(void)state;
	uint8_t *a = secmem_alloc(100), *b = secmem_alloc(200);
	assert_non_null(a);
	assert_non_null(b);
	memset(a, 0x41, 100);
	memset(b, 0x42, 200);
	secmem_free(a);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(a[i], 0); // wiped at once, not at reuse
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(b[i], 0x42);
	secmem_free(b);
	assert_int_equal(secmem_used(), 0);
}

static void
test_full_then_reused(void **state)
{
	(void)state;
	void *blocks[64];
	size_t n = 0;
	while (n < 64 && (blocks[n] = secmem_alloc(4096)) != NULL)
		n++;
	assert_in_range(n, 14, 16);
	assert_null(secmem_alloc(4096));
	for (size_t i = 0; i < n; i += 2)
		secmem_free(blocks[i]);
	for (size_t i = 1; i < n; i += 2)
		secmem_free(blocks[i]);
	void *whole = secmem_alloc(ARENA - 64);
	assert_non_null(whole); // fragments were merged
	secmem_free(whole);
}

static void
test_protection(void **state)
{
	(void)state;
	uint8_t *p = secmem_alloc(32);
	memset(p, 1, 32);
	assert_int_equal(read_in_child(p), SIGSEGV); // MADV_DONTFORK
	const uint8_t *page = (const uint8_t *)((uintptr_t)p & ~(uintptr_t)4095);
	int signal_below = read_in_child(page - 1), signal_above = read_in_child(page + ARENA);
	assert_int_equal(signal_below, SIGSEGV);
	assert_int_equal(signal_above, SIGSEGV);
	secmem_free(p);
}

static void
test_secret(void **state)
{
	(void)state;
	struct secret s = {0};
	secret_wipe(&s); // empty is fine
	assert_int_equal(secret_set(&s, "sk-canary", 9), 0);
	const uint8_t *p = s.p;
	assert_true(secmem_contains(p));
	secret_wipe(&s);
	assert_null(s.p);
	assert_int_equal(p[0], 0);
}

static int
setup(void **state)
{
	(void)state;
	return secmem_init(ARENA) == SECMEM_NONE;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blocks),
	    cmocka_unit_test(test_full_then_reused),
	    cmocka_unit_test(test_protection),
	    cmocka_unit_test(test_secret),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
