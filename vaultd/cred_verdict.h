// SPDX-License-Identifier: Apache-2.0
// What the end of a test of a credential means: one stable word, the class of the failure,
// and a sentence that says what to do. Pure.
//
// ok, bad_key, expired, no_model_access, wrong_region, profile_needed, permission_missing,
// quota, rate_limited, clock_skew, network, tls, leak, no_gateway, audit_unavailable,
// no_issuer, provider_error, bad_answer, bad_request, vault_busy.
//
// Sources: the vendors' error pages, as in proto/errclass.c; AWS "Troubleshooting Amazon
// Bedrock API error codes" and STS common errors; Google Identity, "JWT error codes".
#ifndef VAULTD_CRED_VERDICT_H
#define VAULTD_CRED_VERDICT_H

#include "proto/ids.h"

#define CRED_VERDICT_SKEW_S 60 // from here on the clock is worth a word

struct cred_facts {
	// What was tried.
	const char *name; // of the credential
	uint64_t provider;
	uint64_t auth;
	const char *region;
	const char *host;
	uint64_t operation; // of the leg that was last
	struct view model;  // upstream; empty: the request named none
	bool model_known;   // the catalogue has it for this provider
	bool model_asked;   // by the administrator, not our choice

	// What came back. ours: why there was no answer, or it is of no use; NULL: there was one.
	const char *ours;
	const char *ours_text;
	unsigned status;
	struct view type;
	struct view code;
	struct view message;
	int64_t skew_s; // the provider's clock minus ours
};

struct cred_verdict {
	const char *outcome;
	enum error_class class_id; // CLASS_NONE: ok
	char fix[512];
};

void cred_verdict_of(const struct cred_facts *f, struct cred_verdict *v);

#endif
