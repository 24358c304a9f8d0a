// SPDX-License-Identifier: Apache-2.0
// A good credential of each kind, to be spoiled in one way at a time.
#ifndef TESTS_UNIT_CRED_KIND_FIXTURE_H
#define TESTS_UNIT_CRED_KIND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
// cmocka needs the first two.
#include <cmocka.h>
#include <sodium.h>

#include "common/secmem.h"
#include "tests/unit/catalogue_fixture.h"
#include "vaultd/cred_kind.h"

#define NOW 1768478400U // 2026-01-15 12:00:00 UTC

static struct catalogue *cat;
static struct msg_credential_put put;
static struct cred_kind_room room;
static struct admin_error e;

static inline int
setup(void **state)
{
	(void)state;
	cat = fx_catalogue();
	return sodium_init() >= 0 && secmem_init(1 << 16) != SECMEM_NONE ? 0 : -1;
}

static inline int
teardown(void **state)
{
	(void)state;
	catalogue_unref(cat);
	return 0;
}

// --- saying ------------------------------------------------------------------------

// In order of id, as messages have them.
static inline void
set(uint64_t id, const char *value)
{
	size_t at = 0;
	while (at < put.setting_count && put.setting[at].id < id)
		at++;
	if (at < put.setting_count && put.setting[at].id == id) {
		put.setting[at].value = view_of(value);
		return;
	}
	memmove(&put.setting[at + 1], &put.setting[at],
	    (put.setting_count - at) * sizeof(put.setting[0]));
	put.setting[at] = (struct msg_named){id, view_of(value)};
	put.setting_count++;
}

static inline void
unset(uint64_t id)
{
	size_t to = 0;
	for (size_t i = 0; i < put.setting_count; i++)
		if (put.setting[i].id != id)
			put.setting[to++] = put.setting[i];
	put.setting_count = to;
}

static inline bool
check(void)
{
	e = (struct admin_error){0};
	return cred_kind_check(&put, cat, NOW, &room, &e);
}

static inline void
good(void)
{
	if (!check())
		fail_msg("%s: %s", e.code, e.message);
}

static inline void
bad(const char *code, const char *words)
{
	if (check())
		fail_msg("accepted, not %s '%s'", code, words);
	if (strcmp(e.code, code) != 0 || strstr(e.message, words) == NULL)
		fail_msg("%s '%s', not %s '%s'", e.code, e.message, code, words);
}

// --- one of each kind --------------------------------------------------------------------

#define ARN_ROLE "arn:aws:iam::123456789012:role/sallyport"
#define SUBJECT	 "scoped_principal:team-1/service_account:bot"
#define ABSK	 "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl"
#define AWS_KEY	 "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static char pkcs8[400]; // "MI" and base64

static inline void
some(uint64_t provider, uint64_t auth)
{
	put = (struct msg_credential_put){.name = VIEW("n"), .provider = provider, .auth = auth};
	memset(pkcs8, 'A', sizeof(pkcs8) - 1);
	memcpy(pkcs8, "MIIE", 4);
	switch (provider) {
	case PROVIDER_OPENAI:
		put.secret = VIEW("sk-proj-0123456789abcdef");
		break;
	case PROVIDER_ANTHROPIC:
		put.secret = VIEW("sk-ant-api03-0123456789");
		break;
	case PROVIDER_OPENAI_COMPATIBLE:
		put.secret = VIEW("anything-of-8");
		put.host = VIEW("llm.example.com");
		break;
	case PROVIDER_GEMINI:
		put.secret = VIEW("AIzaSyA0123456789abcdefghijklmnopqrstuv");
		break;
	case PROVIDER_AZURE:
		put.secret = VIEW("0123456789abcdef0123456789abcdef");
		put.host = VIEW("res.openai.azure.com");
		break;
	case PROVIDER_VERTEX:
		put.secret = view_of(pkcs8);
		put.region = VIEW("us-central1");
		set(SETTING_PROJECT, "my-project-1");
		set(SETTING_CLIENT_EMAIL, "sp@my-project-1.iam.gserviceaccount.com");
		set(SETTING_PRIVATE_KEY_ID, "0123456789abcdef0123456789abcdef01234567");
		break;
	default:
		put.region = VIEW("us-east-1");
		put.secret = view_of(auth == AUTH_BEARER ? ABSK : AWS_KEY);
		if (auth != AUTH_BEARER && auth != AUTH_STS_WEB_IDENTITY)
			put.access_key_id = VIEW("AKIAIOSFODNN7EXAMPLE");
		if (auth == AUTH_STS_ASSUME_ROLE || auth == AUTH_STS_WEB_IDENTITY)
			set(SETTING_ROLE_ARN, ARN_ROLE);
		if (auth == AUTH_STS_WEB_IDENTITY) {
			set(SETTING_SUBJECT, SUBJECT);
			put.secret = (struct view){0};
		}
	}
}

static const struct {
	uint64_t provider, auth;
	const char *host; // that it gets
} kinds[] = {
    {PROVIDER_OPENAI, AUTH_BEARER, "api.openai.com"},
    {PROVIDER_ANTHROPIC, AUTH_API_KEY, "api.anthropic.com"},
    {PROVIDER_ANTHROPIC, AUTH_BEARER, "api.anthropic.com"},
    {PROVIDER_OPENAI_COMPATIBLE, AUTH_BEARER, "llm.example.com"},
    {PROVIDER_OPENAI_COMPATIBLE, AUTH_API_KEY, "llm.example.com"},
    {PROVIDER_GEMINI, AUTH_GOOGLE_API_KEY, "generativelanguage.googleapis.com"},
    {PROVIDER_AZURE, AUTH_AZURE_API_KEY, "res.openai.azure.com"},
    {PROVIDER_VERTEX, AUTH_GOOGLE_TOKEN, "us-central1-aiplatform.googleapis.com"},
    {PROVIDER_VERTEX, AUTH_GOOGLE_JWT, "us-central1-aiplatform.googleapis.com"},
    {PROVIDER_BEDROCK, AUTH_SIGV4, "bedrock-runtime.us-east-1.amazonaws.com"},
    {PROVIDER_BEDROCK, AUTH_BEARER, "bedrock-runtime.us-east-1.amazonaws.com"},
    {PROVIDER_BEDROCK, AUTH_STS_SESSION, "bedrock-runtime.us-east-1.amazonaws.com"},
    {PROVIDER_BEDROCK, AUTH_STS_ASSUME_ROLE, "bedrock-runtime.us-east-1.amazonaws.com"},
    {PROVIDER_BEDROCK, AUTH_STS_WEB_IDENTITY, "bedrock-runtime.us-east-1.amazonaws.com"},
};

#endif
