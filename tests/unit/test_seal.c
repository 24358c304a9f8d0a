// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Sealing: a record opens only with its key, as its type, id and version, and unchanged
// in every byte; the hash of virtual keys is keyed; the store key survives.
#include "tests/unit/core_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "vaultd/unlock.h"

#define TEXT "the quick brown key"

static uint8_t sealed[sizeof(TEXT) + SEAL_OVERHEAD];
static uint8_t plain[sizeof(TEXT)];

static int
try_open(struct seal *s, enum seal_type type, struct view id, uint64_t version)
{
	memset(plain, 0, sizeof(plain));
	return seal_open(s, type, id, version, sealed, sizeof(sealed), plain);
}

static void
test_round_trip(void **state)
{
	(void)state;
	uint8_t other[sizeof(sealed)];
	seal_close(fixture.seal, SEAL_SECRET, VIEW("cr_1"), 3, TEXT, sizeof(TEXT), sealed);
	assert_int_equal(try_open(fixture.seal, SEAL_SECRET, VIEW("cr_1"), 3), 0);
	assert_string_equal((char *)plain, TEXT);
	// A second sealing looks different in every part.
	seal_close(fixture.seal, SEAL_SECRET, VIEW("cr_1"), 3, TEXT, sizeof(TEXT), other);
	assert_memory_not_equal(other + 1, sealed + 1, 24);
	assert_memory_not_equal(other + 25, sealed + 25, sizeof(TEXT));
}

static void
test_bound(void **state)
{
	(void)state;
	uint8_t key[SEAL_KEY_LEN] = "another key";
	seal_close(fixture.seal, SEAL_SECRET, VIEW("cr_1"), 3, TEXT, sizeof(TEXT), sealed);
	assert_int_equal(try_open(fixture.seal, SEAL_CREDENTIAL, VIEW("cr_1"), 3), -1);
	assert_int_equal(try_open(fixture.seal, SEAL_SECRET, VIEW("cr_2"), 3), -1);
	assert_int_equal(try_open(fixture.seal, SEAL_SECRET, VIEW("cr_"), 3), -1);
	assert_int_equal(try_open(fixture.seal, SEAL_SECRET, VIEW("cr_1"), 2), -1);
	assert_int_equal(try_open(fixture.seal, SEAL_SECRET, VIEW("cr_1"), 4), -1);
	struct seal *stranger = seal_new(key);
	assert_int_equal(try_open(stranger, SEAL_SECRET, VIEW("cr_1"), 3), -1);
	seal_free(stranger);
}

static void
test_every_byte(void **state)
{
	(void)state;
	seal_close(fixture.seal, SEAL_SECRET, VIEW("cr_1"), 3, TEXT, sizeof(TEXT), sealed);
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 0x10;
		assert_int_equal(try_open(fixture.seal, SEAL_SECRET, VIEW("cr_1"), 3), -1);
		sealed[i] ^= 0x10;
	}
	for (size_t n = 0; n < sizeof(sealed); n++)
		assert_int_equal(
		    seal_open(fixture.seal, SEAL_SECRET, VIEW("cr_1"), 3, sealed, n, plain), -1);
}

static void
test_hash(void **state)
{
	(void)state;
	uint8_t a[SEAL_HASH_LEN], b[SEAL_HASH_LEN], key[SEAL_KEY_LEN] = "another key";
	seal_hash(fixture.seal, VIEW("sp-1"), a);
	seal_hash(fixture.seal, VIEW("sp-1"), b);
	assert_memory_equal(a, b, sizeof(a));
	seal_hash(fixture.seal, VIEW("sp-2"), b);
	assert_memory_not_equal(a, b, sizeof(a));
	struct seal *stranger = seal_new(key);
	seal_hash(stranger, VIEW("sp-1"), b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_free(stranger);
}

static void
test_full_arena(void **state)
{
	(void)state;
	uint8_t key[SEAL_KEY_LEN] = {0};
	void *hog[64];
	size_t n = 0;
	while (n < 64 && (hog[n] = secmem_alloc(65536)) != NULL)
		n++;
	void *rest[4096];
	size_t m = 0;
	while (m < 4096 && (rest[m] = secmem_alloc(256)) != NULL)
		m++;
	assert_null(seal_new(key));
	while (m > 0)
		secmem_free(rest[--m]);
	while (n > 0)
		secmem_free(hog[--n]);
}

// --- unlocking -----------------------------------------------------------------------

static char method[128];
static char fingerprint[80];

static void
unlock(void)
{
	char hash[2 * SEAL_HASH_LEN + 1];
	uint8_t raw[SEAL_HASH_LEN];
	struct seal *s = unlock_store(fixture.store, method, NULL);
	seal_hash(s, VIEW("fingerprint"), raw);
	sodium_bin2hex(hash, sizeof(hash), raw, sizeof(raw));
	int fd = open(fingerprint, O_RDWR | O_CREAT, 0600);
	char before[sizeof(hash)] = "";
	ssize_t had = read(fd, before, sizeof(before) - 1);
	bool same = had == 0 || strcmp(before, hash) == 0;
	if (had == 0 && write(fd, hash, sizeof(hash) - 1) < 0)
		_exit(90);
	close(fd);
	_exit(same ? 0 : 80);
}

static void
write_key(const char *path, const char *text, mode_t mode)
{
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT, mode);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	chmod(path, mode);
}

// The child does not inherit secret memory: each makes its own.
static void
unlock_in_child(void)
{
	if (secmem_init(1 << 20) == SECMEM_NONE)
		_exit(91);
	unlock();
}

static int
unlock_with(const char *how, const char *path)
{
	snprintf(method, sizeof(method), "%s%s", how, path);
	return fixture_exit_of(unlock_in_child);
}

static void
test_key_file(void **state)
{
	(void)state;
	char path[100], other[100];
	struct stat st;
	snprintf(path, sizeof(path), "%s.key", fixture.dir);
	snprintf(other, sizeof(other), "%s.other", fixture.dir);
	snprintf(fingerprint, sizeof(fingerprint), "%s.fp", fixture.dir);
	assert_int_equal(unlock_with("keyfile:", path), 0); // makes the file and the store key
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 65);
	assert_int_equal(unlock_with("keyfile:", path), 0); // the same key again
	write_key(other, "ffffffffffffffffffffffffffffffffffffffffffffffff", 0600);
	assert_int_equal(unlock_with("keyfile:", other), 1);
	write_key(other, "short", 0600);
	assert_int_equal(unlock_with("keyfile:", other), 1);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(unlock_with("keyfile:", path), 1);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(unlock_with("keyfile:", "/nonexistent"), 1);
	assert_int_equal(unlock_with("passphrase", ""), 1);
	assert_int_equal(unlock_with("something", ""), 1);
	// As a systemd credential the same content opens the same store.
	setenv("CREDENTIALS_DIRECTORY", "/tmp", 1);
	assert_int_equal(unlock_with("credential:", path + 5), 0);
	assert_int_equal(unlock_with("credential:", "../etc/passwd"), 1);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(unlock_with("credential:", path + 5), 1);
	unlink(path);
	unlink(other);
	unlink(fingerprint);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_bound),
	    cmocka_unit_test(test_every_byte),
	    cmocka_unit_test(test_hash),
	    cmocka_unit_test(test_full_arena),
	    cmocka_unit_test(test_key_file),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
