// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// The OIDC issuer: names that AWS takes, rotation with its two days, what is published
// when, which key signs, and that the record survives a restart and nothing else.
#include "tests/unit/core_fixture.h"

#include "vaultd/issuer.h"
#include "vaultd/rsa.h"

#define T0  UINT64_C(1800000000)
#define DAY UINT64_C(86400)
#define URL "https://id.example.com/sallyport"

static struct issuer *
change(const struct issuer *i, const char *url, bool rotate, uint64_t now, const char **code_r)
{
	struct admin_error e = {0};
	struct msg_issuer_set m = {.url = view_of(url), .rotate = rotate};
	struct issuer *next = issuer_change(i, fixture.seal, &m, now, &e);
	*code_r = e.code;
	assert_true(next == NULL || e.code == NULL);
	return next;
}

// Replaces *i by the changed one, which must be accepted.
static void
must(struct issuer **i, const char *url, bool rotate, uint64_t now)
{
	const char *code;
	struct issuer *next = change(*i, url, rotate, now, &code);
	assert_non_null(next);
	assert_true(issuer_version(next) == issuer_version(*i) + 1);
	issuer_free(*i);
	*i = next;
}

static size_t
published(const struct issuer *i, uint64_t now)
{
	struct msg_issuer_item m;
	issuer_tell(i, now, &m);
	return m.key_count;
}

// The key id in the head of a token made at that time.
static void
key_of_token(const struct issuer *i, uint64_t now, char kid[44])
{
	char *buf = secmem_alloc(4096), head[200];
	struct text t;
	size_t len;
	text_init(&t, buf, 4096);
	assert_int_equal(
	    issuer_sign(i, fixture.seal, VIEW("scoped_principal:t/user:1"), VIEW(""), now, &t), 0);
	const char *dot = memchr(buf, '.', t.len);
	assert_non_null(dot);
	assert_int_equal(
	    sodium_base642bin((uint8_t *)head, sizeof(head) - 1, buf, (size_t)(dot - buf), NULL,
		&len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
	    0);
	head[len] = '\0';
	const char *at = strstr(head, "\"kid\":\"");
	assert_non_null(at);
	memcpy(kid, at + 7, 43);
	kid[43] = '\0';
	secmem_free(buf);
}

static void
test_names(void **state)
{
	(void)state;
	const char *bad[] = {"http://id.example.com", "https://", "https://id",
	    "https://ID.example.com", "https://id.example.com/", "https://id.example.com:8443",
	    "https://id.example.com/a?b", "https://id.example.com/a#b", "https://u@id.example.com",
	    "https://id.example.com//a", "https://id.example.com/a/", "https://id.example.com/a\"b",
	    "id.example.com", "https:///a"};
	const char *code;
	struct issuer *i = issuer_load(fixture.store, fixture.seal);
	for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
		assert_null(change(i, bad[k], false, T0, &code));
		assert_string_equal(code, "bad_url");
	}
	char longest[300] = "https://id.example.com/";
	memset(longest + strlen(longest), 'a', 256 - strlen(longest));
	assert_null(change(i, longest, false, T0, &code));
	assert_null(change(i, "", false, T0, &code));
	assert_string_equal(code, "no_issuer");
	assert_null(change(i, "", true, T0, &code));
	assert_string_equal(code, "no_issuer");
	char nothing[16];
	struct text t;
	text_init(&t, nothing, sizeof(nothing));
	assert_int_equal(issuer_sign(i, fixture.seal, VIEW("s"), VIEW(""), T0, &t), -2);
	issuer_free(i);
}

static void
test_rotation(void **state)
{
	(void)state;
	char first[44], kid[44];
	const char *code;
	struct issuer *i = issuer_load(fixture.store, fixture.seal);
	must(&i, URL, false, T0);
	assert_int_equal(published(i, T0), 1);
	key_of_token(i, T0, first);
	assert_string_equal(first, issuer_key_id(i));
	assert_null(change(i, URL, false, T0, &code)); // it is so already
	assert_null(code);

	must(&i, "", true, T0 + DAY);
	assert_int_equal(published(i, T0 + DAY), 2);
	assert_string_not_equal(first, issuer_key_id(i));
	key_of_token(i, T0 + DAY, kid);
	assert_string_equal(kid, first); // nobody has fetched the new one yet
	key_of_token(i, T0 + 2 * DAY - 1, kid);
	assert_string_equal(kid, first);
	assert_null(change(i, "", true, T0 + 2 * DAY - 1, &code));
	assert_string_equal(code, "rotation_running");
	key_of_token(i, T0 + 2 * DAY, kid);
	assert_string_equal(kid, issuer_key_id(i));
	assert_int_equal(published(i, T0 + 3 * DAY - 1), 2); // old tokens may be on their way
	assert_int_equal(published(i, T0 + 3 * DAY), 1);

	must(&i, "", true, T0 + 2 * DAY);
	assert_int_equal(published(i, T0 + 2 * DAY), 3);
	must(&i, "", true, T0 + 3 * DAY);
	assert_int_equal(published(i, T0 + 3 * DAY), 3); // the first one is gone
	struct msg_issuer_item m;
	issuer_tell(i, T0 + 3 * DAY, &m);
	for (size_t k = 0; k < m.key_count; k++)
		assert_false(view_eq_str(m.key[k].kid, first));
	issuer_free(i);
}

// A rotation that was begun while the clock was years ahead does not block the next.
static void
test_wrong_clock(void **state)
{
	(void)state;
	char kid[44], first[44];
	struct issuer *i = issuer_load(fixture.store, fixture.seal);
	must(&i, URL, false, T0);
	key_of_token(i, T0, first);
	must(&i, "", true, T0 + 900 * DAY);
	key_of_token(i, T0, kid);
	assert_string_equal(kid, first);
	must(&i, "", true, T0 + 1);
	assert_int_equal(published(i, T0 + 1), 2);
	key_of_token(i, T0 + 1 + DAY, kid);
	assert_string_equal(kid, issuer_key_id(i));
	issuer_free(i);
}

static void
test_record(void **state)
{
	(void)state;
	char kid[44];
	struct issuer *i = issuer_load(fixture.store, fixture.seal);
	must(&i, URL, false, T0);
	must(&i, "https://other.example.com", true, T0);
	assert_int_equal(issuer_save(fixture.store, fixture.seal, i), 0);
	struct issuer *again = issuer_load(fixture.store, fixture.seal);
	struct msg_issuer_item a, b;
	issuer_tell(i, T0, &a);
	issuer_tell(again, T0, &b);
	assert_true(view_eq(a.url, b.url) && view_eq_str(b.url, "https://other.example.com"));
	assert_int_equal(b.key_count, 2);
	for (size_t k = 0; k < 2; k++) {
		assert_true(view_eq(a.key[k].kid, b.key[k].kid) &&
			    view_eq(a.key[k].n, b.key[k].n) && view_eq(a.key[k].e, b.key[k].e));
		assert_true(a.key[k].signs_from_s == b.key[k].signs_from_s &&
			    a.key[k].retired_s == b.key[k].retired_s);
	}
	key_of_token(again, T0 + DAY, kid);
	assert_string_equal(kid, issuer_key_id(i));
	issuer_free(i);
	issuer_free(again);
}

static void
load(void)
{
	// Secret memory is not inherited.
	uint8_t key[SEAL_KEY_LEN] = "unit test key, 32 bytes of it...";
	if (secmem_init(1 << 20) == SECMEM_NONE)
		_exit(91);
	issuer_free(issuer_load(fixture.store, seal_new(key)));
}

// Each bit of the record counts: a changed one is not used, but said.
static void
test_record_changed(void **state)
{
	(void)state;
	struct view v;
	struct issuer *i = issuer_load(fixture.store, fixture.seal);
	must(&i, URL, false, T0);
	assert_int_equal(issuer_save(fixture.store, fixture.seal, i), 0);
	assert_int_equal(store_get(fixture.store, STORE_ISSUER, VIEW("issuer"), &v), 0);
	char *good = base_calloc(1, v.len);
	size_t len = v.len;
	memcpy(good, v.p, len);
	size_t at[] = {0, 7, 8, 40, len / 2, len - 1};
	for (size_t k = 0; k < ARRAY_LEN(at); k++) {
		good[at[k]] ^= 1;
		assert_int_equal(store_put(fixture.store, STORE_ISSUER, VIEW("issuer"),
				     (struct view){good, len}),
		    0);
		assert_int_equal(fixture_exit_of(load), 1);
		good[at[k]] ^= 1;
	}
	assert_int_equal(
	    store_put(fixture.store, STORE_ISSUER, VIEW("issuer"), (struct view){good, len}), 0);
	assert_int_equal(fixture_exit_of(load), 0);
	free(good);
	issuer_free(i);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_names),
	    T(test_rotation),
	    T(test_wrong_clock),
	    T(test_record),
	    T(test_record_changed),
	};
	if (sodium_init() < 0)
		return 1;
	rsa_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
