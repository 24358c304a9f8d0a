// SPDX-License-Identifier: Apache-2.0
// The kinds of credentials: which provider takes which authorization, which settings
// each needs and may have, how its secret looks, and the grammar of all of it. What is
// stored has passed here, so it can go into hosts, paths, heads and tokens as it is.
// Pure.
//
// Sources: AWS STS and IAM references (names, ARNs, durations), Bedrock User Guide (API
// keys), Google Cloud (projects, service accounts), Azure OpenAI REST reference
// (hosts, api-version), the vendors' key formats.
#ifndef VAULTD_CRED_KIND_H
#define VAULTD_CRED_KIND_H

#include "vaultd/admin_error.h"
#include "vaultd/catalogue.h"

struct cred_kind {
	uint64_t provider;
	uint64_t auth;
	unsigned needs;	 // bit per enum setting_id
	unsigned allows; // beyond those
	bool secret;	 // has one of its own
	bool access_key; // has an AWS access key id
	bool exchanges;	 // buys a temporary secret, which is what requests carry
};

// NULL: this provider does not take this authorization.
const struct cred_kind *cred_kind_of(uint64_t provider, uint64_t auth);
// The usual one; access_key: an access key id was given.
uint64_t cred_kind_default_auth(uint64_t provider, bool access_key);
bool cred_kind_exchanges(uint64_t auth);
// Whether requests are signed by SigV4, with the stored or a temporary secret.
bool cred_kind_signs(uint64_t auth);
// Settings that say whom the secret is for: they do not change without it.
unsigned cred_kind_bound_settings(void);

// Room for what a check fills in; must live as long as the message does.
struct cred_kind_room {
	char host[254];
	char region[26];
	char expires[21];
};

// Everything about provider, auth, region, host, settings and deployments; the secret
// when there is one. Fills in what may be left out. now_s: Unix time.
bool cred_kind_check(struct msg_credential_put *put, const struct catalogue *cat, uint64_t now_s,
    struct cred_kind_room *room, struct admin_error *e) MUST_CHECK;

// Parts of it, in cred_kind_*.c.
bool cred_kind_check_settings(
    const struct msg_credential_put *put, const struct cred_kind *k, struct admin_error *e);
bool cred_kind_check_secret(struct msg_credential_put *put, const struct cred_kind *k,
    uint64_t now_s, struct cred_kind_room *room, struct admin_error *e);

struct view cred_kind_setting(const struct msg_credential_put *put, uint64_t id);

#endif
