// SPDX-License-Identifier: Apache-2.0
// Who may connect is given as a number or as a user's name; anything else must not
// turn into some uid. Also: what systemd passes is found by its name. Links common only.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sock.h"

static void
uid_by_number_and_name(void **state)
{
	(void)state;
	uid_t uid = 7;
	assert_int_equal(sock_uid_of("0", &uid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(sock_uid_of("64101", &uid), 0);
	assert_int_equal(uid, 64101);
	assert_int_equal(sock_uid_of("root", &uid), 0);
	assert_int_equal(uid, 0);
}

static void
uid_of_nonsense_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", " ", "-1", "+0", " 0", "0 ", "0x0", "4294967295",
	    "4294967296", "99999999999999999999", "no-such-user-here", "root:x", "roo"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uid_t uid = 7;
		assert_int_equal(sock_uid_of(bad[i], &uid), -1);
		assert_int_equal(uid, 7);
	}
}

static void
uid_lookup_leaves_no_descriptor(void **state)
{
	(void)state;
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(before);
	uid_t uid;
	assert_int_equal(sock_uid_of("root", &uid), 0);
	assert_int_equal(sock_uid_of("no-such-user-here", &uid), -1);
	int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	assert_int_equal(before, after);
}

static void
nothing_activated_without_systemd(void **state)
{
	(void)state;
	unsetenv("LISTEN_FDS");
	assert_int_equal(sock_activated("gateway"), -1);
}

static void
activation_for_another_process_is_ignored(void **state)
{
	(void)state;
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "gateway", 1);
	assert_int_equal(sock_activated("gateway"), -1);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(uid_by_number_and_name),
	    cmocka_unit_test(uid_of_nonsense_is_refused),
	    cmocka_unit_test(uid_lookup_leaves_no_descriptor),
	    cmocka_unit_test(nothing_activated_without_systemd),
	    cmocka_unit_test(activation_for_another_process_is_ignored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
