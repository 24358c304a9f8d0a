// SPDX-License-Identifier: Apache-2.0
// The kinds of credentials: which provider takes which authorization, which settings each
// needs and may have beside, and what it is made of. The one table of it, for the vault,
// which has the last word, and for the command, which explains a mistake before it is
// sent. Pure.
#ifndef PROTO_KIND_H
#define PROTO_KIND_H

#include "proto/ids.h"

#define KIND_SETTING(name) (1U << SETTING_##name)

struct kind {
	uint64_t provider;
	uint64_t auth;
	unsigned needs;	 // bit per enum setting_id
	unsigned allows; // beyond those
	bool secret;	 // has one of its own
	bool access_key; // has an AWS access key id, and perhaps a session token
};

// The index-th kind; NULL behind the last. The first of a provider is its usual one.
const struct kind *kind_at(size_t index);
// NULL: this provider does not take this authorization.
const struct kind *kind_of(uint64_t provider, uint64_t auth);
// What is meant when nothing is said; access_key: an access key id was given. 0 for an
// unknown provider.
uint64_t kind_default_auth(uint64_t provider, bool access_key);
// Whether the stored secret buys a temporary one, which is what requests carry.
bool kind_exchanges(uint64_t auth);
// Whether requests are signed by SigV4, with the stored or a temporary secret.
bool kind_signs(uint64_t auth);

#endif
