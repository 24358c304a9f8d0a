// SPDX-License-Identifier: Apache-2.0
// The table of kinds. Constants only.
#include "proto/kind.h"

#define S(name)	 KIND_SETTING(name)
#define AWS_OWN	 (S(PROFILE) | S(EXPIRES))
#define STS_TOO	 (S(PROFILE) | S(DURATION) | S(STS_REGION))
#define ROLE_TOO (STS_TOO | S(SESSION_NAME))
#define ACCOUNT	 (S(PROJECT) | S(CLIENT_EMAIL) | S(PRIVATE_KEY_ID))

static const struct kind kinds[] = {
    {PROVIDER_OPENAI, AUTH_BEARER, 0, S(EXPIRES), true, false},
    {PROVIDER_ANTHROPIC, AUTH_API_KEY, 0, S(EXPIRES), true, false},
    {PROVIDER_ANTHROPIC, AUTH_BEARER, 0, S(EXPIRES), true, false},
    {PROVIDER_OPENAI_COMPATIBLE, AUTH_BEARER, 0, S(EXPIRES), true, false},
    {PROVIDER_OPENAI_COMPATIBLE, AUTH_API_KEY, 0, S(EXPIRES), true, false},
    {PROVIDER_GEMINI, AUTH_GOOGLE_API_KEY, 0, S(EXPIRES), true, false},
    {PROVIDER_AZURE, AUTH_AZURE_API_KEY, 0, S(API_VERSION) | S(EXPIRES), true, false},
    {PROVIDER_VERTEX, AUTH_GOOGLE_TOKEN, ACCOUNT, S(PROFILE) | S(EXPIRES), true, false},
    {PROVIDER_VERTEX, AUTH_GOOGLE_JWT, ACCOUNT, S(PROFILE) | S(EXPIRES), true, false},
    {PROVIDER_BEDROCK, AUTH_BEARER, 0, AWS_OWN, true, false},
    {PROVIDER_BEDROCK, AUTH_SIGV4, 0, AWS_OWN, true, true},
    {PROVIDER_BEDROCK, AUTH_STS_SESSION, 0, STS_TOO, true, true},
    {PROVIDER_BEDROCK, AUTH_STS_ASSUME_ROLE, S(ROLE_ARN), ROLE_TOO | S(EXTERNAL_ID), true, true},
    {PROVIDER_BEDROCK, AUTH_STS_WEB_IDENTITY, S(ROLE_ARN) | S(SUBJECT), ROLE_TOO | S(AUDIENCE),
	false, false},
};

const struct kind *
kind_at(size_t index)
{
	return index < ARRAY_LEN(kinds) ? &kinds[index] : NULL;
}

const struct kind *
kind_of(uint64_t provider, uint64_t auth)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].provider == provider && kinds[i].auth == auth)
			return &kinds[i];
	return NULL;
}

uint64_t
kind_default_auth(uint64_t provider, bool access_key)
{
	uint64_t usual = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].provider != provider)
			continue;
		if (access_key && kinds[i].access_key)
			return kinds[i].auth;
		usual = usual == 0 ? kinds[i].auth : usual;
	}
	return usual;
}

bool
kind_exchanges(uint64_t auth)
{
	return auth == AUTH_GOOGLE_TOKEN || auth == AUTH_GOOGLE_JWT || auth == AUTH_STS_SESSION ||
	       auth == AUTH_STS_ASSUME_ROLE || auth == AUTH_STS_WEB_IDENTITY;
}

bool
kind_signs(uint64_t auth)
{
	return auth == AUTH_SIGV4 || auth == AUTH_STS_SESSION || auth == AUTH_STS_ASSUME_ROLE ||
	       auth == AUTH_STS_WEB_IDENTITY;
}
