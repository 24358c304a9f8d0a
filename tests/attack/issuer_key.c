// SPDX-License-Identifier: Apache-2.0
// Reads a copy of a vault's store with the key to it and writes the issuer's private keys
// to standard output, in hexadecimal, one a line: a memory hunt must know what it hunts.
// Usage: issuer_key DIR KEYFILE. Holds the issuer's code itself, to get at what that
// never gives away.
#include "vaultd/issuer.c" // NOLINT

#include <stdio.h>

#include "vaultd/unlock.h"

int
main(int argc, char **argv)
{
	char method[4200];
	if (argc != 3 || sodium_init() < 0 || secmem_init(1 << 20) == SECMEM_NONE)
		return 2;
	snprintf(method, sizeof(method), "keyfile:%s", argv[2]);
	struct store *store = store_open(argv[1], "store.mdb", NULL);
	struct seal *seal = unlock_store(store, method, NULL);
	struct issuer *i = issuer_load(store, seal);
	for (const struct issuer_key *k = i->key; k < i->key + i->count; k++) {
		uint8_t *der = secmem_alloc(k->sealed_len);
		if (der == NULL || seal_open(seal, SEAL_ISSUER_KEY, view_of(k->id), 1, k->sealed,
				       k->sealed_len, der) != 0)
			return 1;
		for (size_t n = 0; n < k->sealed_len - SEAL_OVERHEAD; n++)
			printf("%02x", der[n]);
		printf("\n");
		secmem_free(der);
	}
	issuer_free(i);
	seal_free(seal);
	store_close(store);
	return 0;
}
