// SPDX-License-Identifier: Apache-2.0
// The exchanges that there are: what kind of credential buys its temporary secret where,
// with which request. Each host is a constant of this program, with at most the region in
// it; each request is built from fields.
#ifndef VAULTD_EXCHANGE_KIND_H
#define VAULTD_EXCHANGE_KIND_H

#include "vaultd/core.h"
#include "vaultd/cred.h"

struct exchange_kind {
	uint64_t auth;
	uint64_t operation; // name in the audit trail
	uint64_t format;    // enum exchange_format
	const char *who;    // who sells, for texts
	// False: the credential's settings give no host.
	bool (*host)(const struct cred *c, char host[254]);
	// Opens the credential's secret, builds the request into core->work and *m, wipes the
	// secret. now_s: of the provider's clock. -1: secret memory is full, or the key is
	// none that can be used.
	int (*build)(
	    struct core *core, const struct cred *c, uint64_t now_s, struct msg_exchange *m);
};

// NULL: this kind buys nothing.
const struct exchange_kind *exchange_kind_of(uint64_t auth);

#endif
