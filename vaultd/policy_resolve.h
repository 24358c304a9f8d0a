// SPDX-License-Identifier: Apache-2.0
// From what a client asked for to what one credential can do about it: the operation
// upstream and the model's name there. Pure.
//
// "provider/model" names the provider, an ARN means Bedrock; otherwise a name that the
// catalogue knows belongs to the providers that have it (and to openai-compatible
// servers, whose models are their own), and an unknown name to the providers that speak
// the operation natively. What is not native is translated: operations of chat,
// messages, token counts and embeddings have their counterparts at other providers.
#ifndef VAULTD_POLICY_RESOLVE_H
#define VAULTD_POLICY_RESOLVE_H

#include "vaultd/catalogue.h"
#include "vaultd/cred.h"

struct policy_asked {
	uint64_t operation;
	bool stream;
	struct view model; // as the client wrote it
	uint64_t provider; // that it named, or 0
	struct view name;  // without it
	bool known;	   // the catalogue has it for some provider
};

struct policy_target {
	uint64_t operation;
	struct view model; // into the question, the catalogue, the credential or room
	const struct catalogue_model *row; // NULL: not in the catalogue
	bool translated;
	char room[320];
};

enum policy_fit {
	POLICY_FIT_NONE,       // not of this provider
	POLICY_FIT_REGION,     // an ARN of another region
	POLICY_FIT_NO_PROFILE, // no inference profile as the credential wants it
	POLICY_FIT_GOOD,
};

struct policy_asked policy_resolve_asked(
    const struct catalogue *cat, uint64_t operation, struct view model, bool stream);

// Only POLICY_FIT_GOOD fills *t whole.
enum policy_fit policy_resolve(const struct catalogue *cat, const struct policy_asked *a,
    const struct cred *c, struct policy_target *t);

#endif
