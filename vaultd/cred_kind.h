// SPDX-License-Identifier: Apache-2.0
// Credentials by their kinds (proto/kind.h): how each secret looks, where it may go, and
// the grammar of the settings. What is stored has passed here, so it can go into hosts,
// paths, heads and tokens as it is. Pure.
//
// Sources: AWS STS and IAM references (names, ARNs, durations), Bedrock User Guide (API
// keys), Google Cloud (projects, service accounts), Azure OpenAI REST reference
// (hosts, api-version), the vendors' key formats.
#ifndef VAULTD_CRED_KIND_H
#define VAULTD_CRED_KIND_H

#include "proto/kind.h"
#include "vaultd/admin_error.h"
#include "vaultd/catalogue.h"

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
    const struct msg_credential_put *put, const struct kind *k, struct admin_error *e);
bool cred_kind_check_secret(struct msg_credential_put *put, const struct kind *k, uint64_t now_s,
    struct cred_kind_room *room, struct admin_error *e);

struct view cred_kind_setting(const struct msg_credential_put *put, uint64_t id);

#endif
