// SPDX-License-Identifier: Apache-2.0
// Requests to AWS STS, built from fields: GetSessionToken, AssumeRole,
// AssumeRoleWithWebIdentity, GetCallerIdentity. Pure computation over the caller's secret memory.
// Sources: STS API reference 2011-06-15; AWS IAM User Guide, "Managing AWS STS in an AWS Region".
#ifndef VAULTD_STS_H
#define VAULTD_STS_H

#include "vaultd/head.h"

// A constant with the region in it; never data. False: no region.
bool sts_host(const char *region, char host[254]) MUST_CHECK;

#define STS_SESSION_NAME_MAX 64U

struct sts_request {
	struct view region;
	struct view access_key_id;   // not of web identity
	const struct secret *secret; // the same
	struct view session_token;   // of a temporary key; GetCallerIdentity only
	uint64_t duration_s;	     // 900..129600; of roles up to 43200
	uint64_t now_s;		     // of the provider's clock
	struct view role_arn;	     // of the two that assume one, as the name
	struct view session_name;
	struct view external_id; // AssumeRole; may be empty
	struct view token; // web identity: signed by our issuer, in secret memory; not in w->path
};

// Head and body into w and m_r. -1: the secret is longer than any of AWS, or something
// does not fit.
int sts_session(
    struct head_work *w, const struct sts_request *r, struct msg_exchange *m_r) MUST_CHECK;
int sts_assume_role(
    struct head_work *w, const struct sts_request *r, struct msg_exchange *m_r) MUST_CHECK;
// Not signed: the token says who asks.
int sts_web_identity(
    struct head_work *w, const struct sts_request *r, struct msg_exchange *m_r) MUST_CHECK;
// Needs no permission, so it tests a key. No duration.
int sts_caller_identity(
    struct head_work *w, const struct sts_request *r, struct msg_exchange *m_r) MUST_CHECK;

#endif
