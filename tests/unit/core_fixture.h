// SPDX-License-Identifier: Apache-2.0
// A store in a directory of its own with a fresh seal, for tests of the vault core.
#ifndef TESTS_UNIT_CORE_FIXTURE_H
#define TESTS_UNIT_CORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
// cmocka needs the first two.
#include <cmocka.h>
#include <sodium.h>

#include "vaultd/cred.h"
#include "vaultd/seal.h"
#include "vaultd/store.h"
#include "vaultd/vkey.h"

struct fixture {
	char dir[64];
	struct store *store;
	struct seal *seal;
};

static struct fixture fixture;

static inline void
fixture_open_store(void)
{
	fixture.store = store_open(fixture.dir, "store.mdb", NULL);
}

static inline int
fixture_setup(void **state)
{
	uint8_t key[SEAL_KEY_LEN] = "unit test key, 32 bytes of it...";
	(void)state;
	assert_true(sodium_init() >= 0);
	assert_int_not_equal(secmem_init(1 << 20), SECMEM_NONE);
	snprintf(fixture.dir, sizeof(fixture.dir), "%s", "/tmp/sallyport-unit-XXXXXX");
	assert_non_null(mkdtemp(fixture.dir));
	fixture_open_store();
	fixture.seal = seal_new(key);
	assert_non_null(fixture.seal);
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	char path[128];
	(void)state;
	store_close(fixture.store);
	seal_free(fixture.seal);
	snprintf(path, sizeof(path), "%s/store.mdb", fixture.dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/store.mdb.lock", fixture.dir);
	unlink(path);
	rmdir(fixture.dir);
	// Nothing may be left behind in secret memory.
	assert_int_equal(secmem_used(), 0);
	return 0;
}

// Exit status of fn in a child: for what ends the process.
static inline int
fixture_exit_of(void (*fn)(void))
{
	fflush(stdout);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(99);
		fn();
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static inline struct cred *
fixture_cred(struct cred_table *t, const struct msg_credential_put *put)
{
	struct cred *c = cred_prepare(t, cred_by_name(t, put->name), put);
	assert_non_null(c);
	assert_int_equal(cred_commit(t, c), 0);
	return cred_by_name(t, put->name);
}

static inline struct vkey *
fixture_vkey(struct vkey_table *t, const struct msg_vkey_issue *m, char text[VKEY_TEXT_LEN])
{
	struct vkey *k = vkey_prepare(t, m, 1000, text);
	assert_non_null(k);
	assert_int_equal(vkey_commit(t, k), 0);
	return k;
}

#endif
