// SPDX-License-Identifier: Apache-2.0
// The critical path of a sealer, once, without a network: a handshake with the
// built-in peer, verification by an own CA, a request, an answer, the scanner.
// Run in the zygote it fills OpenSSL's lazy tables before the forks; run under the
// sandbox it proves that the installed libraries still fit the policy.
#ifndef VAULTD_SEALER_SELFTEST_H
#define VAULTD_SEALER_SELFTEST_H

#include "common/base.h"

// Makes the peer's throw-away key and certificate. Once, after sealer_tls_prepare().
void sealer_selftest_prepare(void);

// Needs secmem_init() when scan is set. Returns 0, or -1 with one log line.
int sealer_selftest_run(bool scan) MUST_CHECK;

#endif
