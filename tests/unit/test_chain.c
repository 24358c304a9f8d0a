// links: auditd
// SPDX-License-Identifier: Apache-2.0
// Hashing against the published vectors and the recursive definition of RFC 6962; the
// set of open intents against a plain array. Pure.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>

#include "auditd/chain.h"

static void
assert_hex(const uint8_t h[CHAIN_HASH], const char *want)
{
	char hex[2 * CHAIN_HASH + 1];
	for (size_t i = 0; i < CHAIN_HASH; i++)
		snprintf(hex + 2 * i, 3, "%02x", h[i]);
	assert_string_equal(hex, want);
}

// The eight inputs and roots of the Certificate Transparency reference implementation.
static void
published_vectors(void **state)
{
	(void)state;
	static const char bytes[] = "\x00\x10\x20\x21\x30\x31\x40\x41\x42\x43\x50\x51\x52\x53\x54"
				    "\x55\x56\x57\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b"
				    "\x6c\x6d\x6e\x6f";
	static const size_t len[] = {0, 1, 1, 2, 2, 4, 8, 16};
	static const char *const root[] = {
	    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	};
	struct chain_edge e = {.size = 0};
	uint8_t h[CHAIN_HASH];
	chain_edge_root(&e, h);
	assert_hex(h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	const char *p = bytes;
	for (size_t i = 0; i < ARRAY_LEN(len); i++) {
		chain_leaf(h, (const uint8_t *)p, len[i]);
		p += len[i];
		chain_edge_add(&e, h);
		chain_edge_root(&e, h);
		assert_hex(h, root[i]);
	}
	assert_int_equal(e.size, 8);
}

// Section 2.1 of the RFC, word for word.
static void
by_definition(const uint8_t (*leaf)[CHAIN_HASH], size_t n, uint8_t out[CHAIN_HASH])
{
	if (n == 1) {
		memcpy(out, leaf[0], CHAIN_HASH);
		return;
	}
	size_t k = 1;
	while (k * 2 < n)
		k *= 2;
	uint8_t node[1 + 2 * CHAIN_HASH] = {0x01};
	by_definition(leaf, k, node + 1);
	by_definition(leaf + k, n - k, node + 1 + CHAIN_HASH);
	SHA256(node, sizeof(node), out);
}

static void
compact_range_equals_definition(void **state)
{
	(void)state;
	static uint8_t leaf[1024][CHAIN_HASH];
	struct chain_edge e = {.size = 0};
	for (size_t n = 0; n < ARRAY_LEN(leaf); n++) {
		uint8_t want[CHAIN_HASH], got[CHAIN_HASH];
		uint64_t v = n * 7919;
		chain_leaf(leaf[n], (uint8_t *)&v, sizeof(v));
		chain_edge_add(&e, leaf[n]);
		by_definition((const uint8_t(*)[CHAIN_HASH])leaf, n + 1, want);
		chain_edge_root(&e, got);
		assert_memory_equal(want, got, CHAIN_HASH);
		assert_int_equal(chain_edge_count(e.size), __builtin_popcountll(n + 1));
	}
}

// A leaf that looks like an inner node is not one.
static void
second_preimage(void **state)
{
	(void)state;
	uint8_t node[1 + 2 * CHAIN_HASH] = {0x01}, as_node[CHAIN_HASH], as_leaf[CHAIN_HASH];
	SHA256(node, sizeof(node), as_node);
	chain_leaf(as_leaf, node + 1, 2 * CHAIN_HASH);
	assert_memory_not_equal(as_node, as_leaf, CHAIN_HASH);
	chain_leaf(as_leaf, node, sizeof(node));
	assert_memory_not_equal(as_node, as_leaf, CHAIN_HASH);
}

static void
genesis(void **state)
{
	(void)state;
	static const uint8_t id[CHAIN_LOG_ID] = "0123456789abcde";
	uint8_t h[CHAIN_HASH], want[CHAIN_HASH];
	static const char all[] = "sallyport/audit/genesis/v1\0"
				  "0123456789abcde";
	SHA256((const uint8_t *)all, sizeof(all), want); // with both NULs
	chain_genesis(h, id);
	assert_memory_equal(h, want, CHAIN_HASH);
}

#define MODEL 4000U

static void
intents_like_an_array(void **state)
{
	(void)state;
	static enum chain_intent_state model[MODEL];
	struct chain_intents *s = chain_intents_new();
	srand(1);
	for (unsigned round = 0; round < 200000; round++) {
		unsigned seq = (unsigned)rand() % MODEL;
		enum chain_intent_state st = (enum chain_intent_state)(rand() % 3);
		chain_intent_set(s, seq, st, round);
		model[seq] = st;
		unsigned probe = (unsigned)rand() % MODEL;
		assert_int_equal(chain_intent_get(s, probe), model[probe]);
	}
	for (int st = INTENT_OPEN; st <= INTENT_ORPHANED; st++) {
		size_t n, want = 0, at = 0;
		struct chain_intent *list = chain_intent_list(s, (enum chain_intent_state)st, &n);
		for (unsigned i = 0; i < MODEL; i++)
			want += model[i] == (enum chain_intent_state)st;
		assert_int_equal(n, want);
		assert_int_equal(chain_intent_count(s, (enum chain_intent_state)st), want);
		for (unsigned i = 0; i < MODEL; i++)
			if (model[i] == (enum chain_intent_state)st)
				assert_int_equal(list[at++].seq, i);
		free(list);
	}
	for (unsigned i = 0; i < MODEL; i++)
		chain_intent_set(s, i, INTENT_NONE, 0);
	size_t n;
	assert_null(chain_intent_list(s, INTENT_OPEN, &n));
	chain_intents_free(s);
}

static void
since_is_kept(void **state)
{
	(void)state;
	struct chain_intents *s = chain_intents_new();
	chain_intent_set(s, 5, INTENT_OPEN, 77);
	chain_intent_set(s, 5, INTENT_ORPHANED, 99);
	size_t n;
	struct chain_intent *list = chain_intent_list(s, INTENT_ORPHANED, &n);
	assert_int_equal(n, 1);
	assert_int_equal(list[0].since, 77);
	free(list);
	chain_intents_free(s);
}

static int
setup(void **state)
{
	(void)state;
	chain_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_vectors),
	    cmocka_unit_test(compact_range_equals_definition),
	    cmocka_unit_test(second_preimage),
	    cmocka_unit_test(genesis),
	    cmocka_unit_test(intents_like_an_array),
	    cmocka_unit_test(since_is_kept),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
