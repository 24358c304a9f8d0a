// SPDX-License-Identifier: Apache-2.0
// The critical path, run once under the vault's own filter before it reports ready: a
// record is sealed, stored and opened; a head with a bearer key is built; a known
// SigV4 signature comes out. Twice: in a child that names what its filter blocks
// (sandbox_probe), on throw-away secret memory and a scratch store, since a child
// inherits neither; then in the vault itself, on the real ones.
#ifndef VAULTD_SELF_TEST_H
#define VAULTD_SELF_TEST_H

#include "vaultd/core.h"

void self_test_set_dir(const char *dir); // where the scratch store goes; kept, not copied
void self_test_prepare(void);		 // in the child, before its filter
int self_test_probe(void *cookie);	 // in the child, under it; 0: fine
void self_test_run(struct core *core);	 // in the vault; fatal if it fails

#endif
