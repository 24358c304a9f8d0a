// links:
// SPDX-License-Identifier: Apache-2.0
// The sandbox: forks a child per check, lets it do the forbidden thing, and asserts
// how it ended.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"

static const struct sandbox plain = {
    .role = "test",
    .policy = "read # a\nwrite\nexit_group\nrt_sigreturn\nclose\ngetpid\n"
	      "socketpair arg0=1 # AF_UNIX only\nopenat errno=13 # libc probes\n"
	      "socket arg0=2 arg1&0xf=1\n",
    .max_files = 16,
};

// Wait status of a child that runs fn.
static int
outcome(void (*fn)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		fn();
		_exit(0);
	}
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#define ASSERT_SIGSYS(fn)                                                                          \
	do {                                                                                       \
		int status_ = outcome(fn);                                                         \
		assert_true(WIFSIGNALED(status_));                                                 \
		assert_int_equal(WTERMSIG(status_), SIGSYS);                                       \
	} while (0)
#define ASSERT_EXIT(fn, code)                                                                      \
	do {                                                                                       \
		int status_ = outcome(fn);                                                         \
		assert_true(WIFEXITED(status_));                                                   \
		assert_int_equal(WEXITSTATUS(status_), (code));                                    \
	} while (0)

static void
allowed(void)
{
	sandbox_enter(&plain);
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 || getpid() == 0)
		_exit(1);
	if (openat(AT_FDCWD, "/etc/passwd", O_RDONLY) >= 0)
		_exit(2);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_exit(s < 0 ? 3 : 0);
}

static void
forbidden_call(void)
{
	sandbox_enter(&plain);
	struct stat st;
	(void)fstat(0, &st);
	getppid();
}

static void
forbidden_argument(void)
{
	sandbox_enter(&plain);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	_exit(fd < 0 ? 1 : 2);
}

static void
forbidden_exec(void)
{
	sandbox_enter(&plain);
	execl("/bin/true", "true", (char *)NULL);
}

static void
no_core_no_ptrace(void)
{
	struct rlimit rl;
	static const struct sandbox s = {.role = "test",
	    .policy = "prctl\nprlimit64\ngetrlimit\nexit_group\nwrite\n",
	    .max_files = 16};
	sandbox_enter(&s);
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		_exit(1);
	_exit(getrlimit(RLIMIT_CORE, &rl) == 0 && rl.rlim_max == 0 ? 0 : 2);
}

static void
stray_descriptor(void)
{
	close_range(3, ~0U, 0);
	if (open("/dev/null", O_RDONLY) < 0)
		_exit(8);
	sandbox_expect_fds(NULL, 0); // exits 1
	_exit(9);
}

static void
known_descriptor(void)
{
	close_range(3, ~0U, 0);
	int known[] = {open("/dev/null", O_RDONLY)};
	sandbox_expect_fds(known, 1);
}

static int
works(void *cookie)
{
	(void)cookie;
	return getpid() > 0 ? 0 : -1;
}

static int
needs_more(void *cookie)
{
	(void)cookie;
	getppid();
	return 0;
}

static void
probe_ok(void)
{
	sandbox_probe(&plain, works, NULL);
	getppid(); // the probe sandboxed only its child
}

static void
probe_names_the_call(void)
{
	sandbox_probe(&plain, needs_more, NULL); // exits 1 through log_fatal
	_exit(9);
}

static void
root_refused(void)
{
	if (geteuid() != 0)
		_exit(1);
	sandbox_drop(NULL);
	_exit(9);
}

static void
root_dropped(void)
{
	if (geteuid() != 0)
		_exit(0);
	sandbox_drop("64199:64199");
	_exit(geteuid() == 64199 && getegid() == 64199 && setuid(0) != 0 ? 0 : 1);
}

static void
landlocked(void)
{
	static const struct sandbox s = {
	    .role = "test", .policy = "openat\nwrite\nexit_group\nclose\n", .max_files = 16};
	sandbox_enter(&s);
	_exit(openat(AT_FDCWD, "/etc/passwd", O_RDONLY) < 0 ? 0 : 1);
}

static void
test_filter(void **state)
{
	(void)state;
	ASSERT_EXIT(allowed, 0);
	ASSERT_SIGSYS(forbidden_argument);
	ASSERT_SIGSYS(forbidden_exec);
	ASSERT_SIGSYS(forbidden_call);
}

static void
test_limits(void **state)
{
	(void)state;
	ASSERT_EXIT(no_core_no_ptrace, 0);
	ASSERT_EXIT(stray_descriptor, 1);
	ASSERT_EXIT(known_descriptor, 0);
	ASSERT_EXIT(landlocked, 0);
	ASSERT_EXIT(root_refused, 1);
	ASSERT_EXIT(root_dropped, 0);
}

static void
test_probe(void **state)
{
	(void)state;
	ASSERT_EXIT(probe_ok, 0);
	ASSERT_EXIT(probe_names_the_call, 1);
}

int
main(void)
{
	log_init("test_sandbox", LOG_INFO);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_filter),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_probe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
