// SPDX-License-Identifier: Apache-2.0
// The table of kinds, and where each may send its secret. Pure.
#include "vaultd/cred_kind.h"

#include <string.h>

#include "vaultd/grammar.h"

#define HTTPS_PORT 443U
#define SHOWN(v)   (int)MIN((v).len, 80U), (v).p

#define S(name)	 CATALOGUE_BIT(SETTING_##name)
#define AWS_OWN	 (S(PROFILE) | S(EXPIRES))
#define STS_TOO	 (S(PROFILE) | S(DURATION) | S(STS_REGION))
#define ROLE_TOO (STS_TOO | S(SESSION_NAME))
#define ACCOUNT	 (S(PROJECT) | S(CLIENT_EMAIL) | S(PRIVATE_KEY_ID))

static const struct cred_kind kinds[] = {
    {PROVIDER_OPENAI, AUTH_BEARER, 0, S(EXPIRES), true, false, false},
    {PROVIDER_ANTHROPIC, AUTH_API_KEY, 0, S(EXPIRES), true, false, false},
    {PROVIDER_ANTHROPIC, AUTH_BEARER, 0, S(EXPIRES), true, false, false},
    {PROVIDER_OPENAI_COMPATIBLE, AUTH_BEARER, 0, S(EXPIRES), true, false, false},
    {PROVIDER_OPENAI_COMPATIBLE, AUTH_API_KEY, 0, S(EXPIRES), true, false, false},
    {PROVIDER_GEMINI, AUTH_GOOGLE_API_KEY, 0, S(EXPIRES), true, false, false},
    {PROVIDER_AZURE, AUTH_AZURE_API_KEY, 0, S(API_VERSION) | S(EXPIRES), true, false, false},
    {PROVIDER_VERTEX, AUTH_GOOGLE_TOKEN, ACCOUNT, S(PROFILE) | S(EXPIRES), true, false, true},
    {PROVIDER_VERTEX, AUTH_GOOGLE_JWT, ACCOUNT, S(PROFILE) | S(EXPIRES), true, false, true},
    {PROVIDER_BEDROCK, AUTH_SIGV4, 0, AWS_OWN, true, true, false},
    {PROVIDER_BEDROCK, AUTH_BEARER, 0, AWS_OWN, true, false, false},
    {PROVIDER_BEDROCK, AUTH_STS_SESSION, 0, STS_TOO, true, true, true},
    {PROVIDER_BEDROCK, AUTH_STS_ASSUME_ROLE, S(ROLE_ARN), ROLE_TOO | S(EXTERNAL_ID), true, true,
	true},
    {PROVIDER_BEDROCK, AUTH_STS_WEB_IDENTITY, S(ROLE_ARN) | S(SUBJECT), ROLE_TOO | S(AUDIENCE),
	false, false, true},
};

const struct cred_kind *
cred_kind_of(uint64_t provider, uint64_t auth)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].provider == provider && kinds[i].auth == auth)
			return &kinds[i];
	return NULL;
}

uint64_t
cred_kind_default_auth(uint64_t provider, bool access_key)
{
	switch (provider) {
	case PROVIDER_ANTHROPIC:
		return AUTH_API_KEY;
	case PROVIDER_GEMINI:
		return AUTH_GOOGLE_API_KEY;
	case PROVIDER_AZURE:
		return AUTH_AZURE_API_KEY;
	case PROVIDER_VERTEX:
		return AUTH_GOOGLE_TOKEN;
	case PROVIDER_BEDROCK:
		return access_key ? AUTH_SIGV4 : AUTH_BEARER;
	default:
		return AUTH_BEARER;
	}
}

bool
cred_kind_exchanges(uint64_t auth)
{
	return auth == AUTH_GOOGLE_TOKEN || auth == AUTH_GOOGLE_JWT || auth == AUTH_STS_SESSION ||
	       auth == AUTH_STS_ASSUME_ROLE || auth == AUTH_STS_WEB_IDENTITY;
}

bool
cred_kind_signs(uint64_t auth)
{
	return auth == AUTH_SIGV4 || auth == AUTH_STS_SESSION || auth == AUTH_STS_ASSUME_ROLE ||
	       auth == AUTH_STS_WEB_IDENTITY;
}

unsigned
cred_kind_bound_settings(void)
{
	return ACCOUNT | S(ROLE_ARN) | S(EXTERNAL_ID) | S(SUBJECT) | S(AUDIENCE) | S(STS_REGION);
}

struct view
cred_kind_setting(const struct msg_credential_put *put, uint64_t id)
{
	for (size_t i = 0; i < put->setting_count; i++)
		if (put->setting[i].id == id)
			return put->setting[i].value;
	return (struct view){0};
}

// --- region ------------------------------------------------------------------------

static bool
check_vertex_region(const struct msg_credential_put *put, struct admin_error *e)
{
	struct view profile = cred_kind_setting(put, SETTING_PROFILE);
	bool wide = view_eq_str(put->region, "us") || view_eq_str(put->region, "eu");
	if (!grammar_location_valid(put->region))
		return admin_check_fail(e, "bad_region",
		    "A vertex credential needs its location: --region us-central1 (or another "
		    "region), us, eu or global.");
	if (profile.len != 0 && !view_eq_str(profile, "geo") && !view_eq_str(profile, "none"))
		return admin_check_fail(e, "bad_setting",
		    "The profile of a vertex credential is geo (never the global endpoint) or "
		    "none (one region only).");
	if (profile.len != 0 &&
	    (view_eq_str(put->region, "global") || (wide && view_eq_str(profile, "none"))))
		return admin_check_fail(e, "bad_region",
		    "This credential is to stay in place (profile %.*s), and the location %.*s "
		    "does not: name a region, or take the profile away.",
		    SHOWN(profile), SHOWN(put->region));
	return true;
}

static bool
check_region(const struct msg_credential_put *put, struct admin_error *e)
{
	if (put->provider == PROVIDER_VERTEX)
		return check_vertex_region(put, e);
	if (put->provider != PROVIDER_BEDROCK) {
		if (put->region.len != 0)
			return admin_check_fail(
			    e, "bad_region", "Only bedrock and vertex credentials have a region.");
		return true;
	}
	if (!grammar_region_valid(put->region))
		return admin_check_fail(e, "bad_region",
		    "A bedrock credential needs its region, such as --region us-east-1.");
	return true;
}

// --- host --------------------------------------------------------------------------

static bool
azure_host(struct view host)
{
	static const char *const suffixes[] = {".openai.azure.com", ".services.ai.azure.com",
	    ".cognitiveservices.azure.com", ".openai.azure.us", ".services.ai.azure.us",
	    ".cognitiveservices.azure.us", ".openai.azure.cn", ".cognitiveservices.azure.cn"};
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		size_t n = strlen(suffixes[i]);
		if (grammar_ends(host, suffixes[i]) && host.len > n &&
		    memchr(host.p, '.', host.len - n) == NULL)
			return true;
	}
	return false;
}

static bool
check_azure_host(struct msg_credential_put *put, struct cred_kind_room *room, struct admin_error *e)
{
	struct text t;
	if (put->host.len != 0 && memchr(put->host.p, '.', put->host.len) == NULL &&
	    put->ca_pem.len == 0) { // the name of the resource alone
		text_init(&t, room->host, sizeof(room->host) - 1);
		text_view(&t, put->host);
		text_str(&t, ".openai.azure.com");
		put->host = text_done(&t);
	}
	if (grammar_host_valid(put->host) && (azure_host(put->host) || put->ca_pem.len != 0))
		return true;
	return admin_check_fail(e, "bad_host",
	    "An azure credential needs the host of its resource: --host NAME.openai.azure.com (or "
	    ".services.ai.azure.com, .azure.us, .azure.cn). Any other host needs its CA: --ca "
	    "FILE.");
}

static bool
check_host(struct msg_credential_put *put, const struct catalogue *cat, struct cred_kind_room *room,
    struct admin_error *e)
{
	if (put->port == 0)
		put->port = HTTPS_PORT;
	if (put->provider == PROVIDER_AZURE)
		return check_azure_host(put, room, e);
	if (put->host.len == 0) {
		if (catalogue_host(cat, put->provider, put->region, room->host) != 0)
			return admin_check_fail(e, "bad_host",
			    "An %s credential needs its host: --host HOST[:PORT].",
			    ids_provider(put->provider));
		put->host = view_of(room->host);
	}
	if (!grammar_host_valid(put->host))
		return admin_check_fail(e, "bad_host",
		    "'%.*s' is no host name: lower case, no scheme, no path.", SHOWN(put->host));
	return true;
}

// --- all of it ---------------------------------------------------------------------

static bool
check_provider(struct msg_credential_put *put, const struct cred_kind **k_r, struct admin_error *e)
{
	if (ids_provider(put->provider) == NULL)
		return admin_check_fail(e, "bad_provider",
		    "The provider is one of openai, anthropic, bedrock, gemini, azure, vertex, "
		    "openai-compatible.");
	if (put->auth == 0)
		put->auth = cred_kind_default_auth(put->provider, put->access_key_id.len != 0);
	*k_r = cred_kind_of(put->provider, put->auth);
	if (*k_r == NULL)
		return admin_check_fail(e, "bad_auth",
		    "%s does not take this kind of authorization.", ids_provider(put->provider));
	return true;
}

bool
cred_kind_check(struct msg_credential_put *put, const struct catalogue *cat, uint64_t now_s,
    struct cred_kind_room *room, struct admin_error *e)
{
	const struct cred_kind *k = NULL;
	return check_provider(put, &k, e) && cred_kind_check_secret(put, k, now_s, room, e) &&
	       check_region(put, e) && check_host(put, cat, room, e) &&
	       cred_kind_check_settings(put, k, e);
}
