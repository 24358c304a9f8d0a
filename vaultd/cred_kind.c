// SPDX-License-Identifier: Apache-2.0
// Where each kind of credential may send its secret. Pure.
#include "vaultd/cred_kind.h"

#include <string.h>

#include "proto/grammar.h"

#define HTTPS_PORT 443U
#define SHOWN(v)   (int)MIN((v).len, 80U), (v).p

unsigned
cred_kind_bound_settings(void)
{
	return KIND_SETTING(PROJECT) | KIND_SETTING(CLIENT_EMAIL) | KIND_SETTING(PRIVATE_KEY_ID) |
	       KIND_SETTING(ROLE_ARN) | KIND_SETTING(EXTERNAL_ID) | KIND_SETTING(SUBJECT) |
	       KIND_SETTING(AUDIENCE) | KIND_SETTING(STS_REGION);
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
check_provider(struct msg_credential_put *put, const struct kind **k_r, struct admin_error *e)
{
	if (ids_provider(put->provider) == NULL)
		return admin_check_fail(e, "bad_provider",
		    "The provider is one of openai, anthropic, bedrock, gemini, azure, vertex, "
		    "openai-compatible.");
	if (put->auth == 0)
		put->auth = kind_default_auth(put->provider, put->access_key_id.len != 0);
	*k_r = kind_of(put->provider, put->auth);
	if (*k_r == NULL)
		return admin_check_fail(e, "bad_auth",
		    "%s does not take this kind of authorization.", ids_provider(put->provider));
	return true;
}

bool
cred_kind_check(struct msg_credential_put *put, const struct catalogue *cat, uint64_t now_s,
    struct cred_kind_room *room, struct admin_error *e)
{
	const struct kind *k = NULL;
	return check_provider(put, &k, e) && cred_kind_check_secret(put, k, now_s, room, e) &&
	       check_region(put, e) && check_host(put, cat, room, e) &&
	       cred_kind_check_settings(put, k, e);
}
