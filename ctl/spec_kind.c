// SPDX-License-Identifier: Apache-2.0
// Kinds (proto/kind.h) as people write them. The vault has the last word; here a mistake is
// told by the name of the option that it was made with. Pure.
#include "ctl/spec_kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/grammar.h"
#include "proto/kind_setting.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool
given(const char *s)
{
	return s != NULL && *s != '\0';
}

static bool
only(const char *s, const char *allowed)
{
	return s[strspn(s, allowed)] == '\0';
}

// --- which kind ----------------------------------------------------------------------

static uint64_t
guess(const struct spec_credential *s, uint64_t provider)
{
	if (provider == PROVIDER_BEDROCK && given(s->setting[SETTING_SUBJECT]))
		return AUTH_STS_WEB_IDENTITY;
	if (provider == PROVIDER_BEDROCK && given(s->setting[SETTING_ROLE_ARN]))
		return AUTH_STS_ASSUME_ROLE;
	// A long-term key buys sessions, so that requests are signed with short-lived ones.
	if (provider == PROVIDER_BEDROCK && given(s->access_key_id) &&
	    strncmp(s->access_key_id, "AKIA", 4) == 0)
		return AUTH_STS_SESSION;
	return kind_default_auth(provider, given(s->access_key_id));
}

static const struct kind *
choose(const struct spec_credential *s, uint64_t provider, char error[SPEC_ERROR_MAX])
{
	if (!given(s->auth))
		return kind_of(provider, guess(s, provider));
	unsigned auth = ids_auth_of(view_of(s->auth));
	const struct kind *k = auth == 0 ? NULL : kind_of(provider, auth);
	if (k != NULL)
		return k;
	int n =
	    snprintf(error, SPEC_ERROR_MAX, "auth \"%s\": provider %s takes", s->auth, s->provider);
	for (size_t i = 0; (k = kind_at(i)) != NULL && n > 0 && n < 400; i++)
		if (k->provider == provider)
			n += snprintf(
			    error + n, SPEC_ERROR_MAX - (size_t)n, " %s", ids_auth(k->auth));
	return NULL;
}

// --- parts ---------------------------------------------------------------------------

static int
set_region(
    const struct spec_credential *s, struct msg_credential_put *put, char error[SPEC_ERROR_MAX])
{
	if (put->provider != PROVIDER_BEDROCK && put->provider != PROVIDER_VERTEX)
		return given(s->region) ? spec_fault(error, "region belongs to bedrock and vertex")
					: 0;
	bool vertex = put->provider == PROVIDER_VERTEX;
	const char *want =
	    vertex ? "such as us-central1, or us, eu or global" : "such as us-east-1";
	// A short-term Bedrock key says its region itself; the vault reads it.
	if (!given(s->region) && put->auth != AUTH_BEARER)
		return spec_fault(error, "provider %s needs a region, %s", s->provider, want);
	if (!given(s->region))
		return 0;
	struct view region = view_of(s->region);
	if (vertex ? !grammar_location_valid(region) : !grammar_region_valid(region))
		return spec_fault(error, "region \"%s\": write one of %s's, %s", s->region,
		    vertex ? "Google Cloud" : "AWS", want);
	put->region = view_of(s->region);
	return 0;
}

static int
set_access_key(const struct spec_credential *s, const struct kind *k,
    struct msg_credential_put *put, char error[SPEC_ERROR_MAX])
{
	const char *id = s->access_key_id;
	if (!k->access_key)
		return given(id) ? spec_fault(error, "an access key id does not go with %s",
				       ids_auth(k->auth))
				 : 0;
	if (!given(id) || !spec_access_key_id_valid(id))
		return spec_fault(error, "%s needs an access key id (AKIA...%s; it is no secret)%s",
		    ids_auth(k->auth), k->auth == AUTH_SIGV4 ? " or ASIA..." : "",
		    k->auth == AUTH_STS_ASSUME_ROLE
			? "; without any key: subject, by our own issuer"
			: "");
	if (k->auth != AUTH_SIGV4 && strncmp(id, "ASIA", 4) == 0)
		return spec_fault(error,
		    "%s needs a long-term key (AKIA...): a temporary one (ASIA...) cannot be "
		    "refreshed, and signs by itself: auth sigv4",
		    ids_auth(k->auth));
	put->access_key_id = view_of(id);
	return 0;
}

static const char *
wanted(const struct kind *k, unsigned id, const char *v)
{
	return kind_setting_wanted(k->provider, k->auth, id, view_of(v));
}

static int
set_settings(const struct spec_credential *s, const struct kind *k, struct msg_credential_put *put,
    char error[SPEC_ERROR_MAX])
{
	for (unsigned id = 1; id <= SETTING_LAST; id++) {
		const char *v = s->setting[id];
		if (!given(v)) {
			if ((k->needs & 1U << id) != 0)
				return spec_fault(error, "%s needs %s: %s", ids_auth(k->auth),
				    ids_setting(id), wanted(k, id, ""));
			continue;
		}
		if (((k->needs | k->allows) & 1U << id) == 0)
			return spec_fault(error, "%s does not go with provider %s and auth %s",
			    ids_setting(id), s->provider, ids_auth(k->auth));
		if (wanted(k, id, v) != NULL)
			return spec_fault(
			    error, "%s \"%s\": write %s", ids_setting(id), v, wanted(k, id, v));
		put->setting[put->setting_count++] =
		    (struct msg_named){.id = id, .value = view_of(v)};
	}
	return 0;
}

static int
set_deployments(
    const struct spec_credential *s, struct msg_credential_put *put, char error[SPEC_ERROR_MAX])
{
	const struct cli_list *l = &s->deployments;
	if (l->n != 0 && put->provider != PROVIDER_AZURE)
		return spec_fault(error, "deployments belong to provider azure");
	for (size_t i = 0; i < l->n; i++) {
		const char *eq = strchr(l->v[i], '=');
		size_t model = eq == NULL ? 0 : (size_t)(eq - l->v[i]);
		if (model == 0 || model > 128 || eq[1] == '\0' || strlen(eq + 1) > 64 ||
		    !only(eq + 1, LOWER UPPER DIGITS "._-"))
			return spec_fault(error,
			    "deployment \"%s\": write MODEL=NAME, such as gpt-4o=my-gpt-4o",
			    l->v[i]);
		put->deployment[i] = (struct msg_deployment){{l->v[i], model}, view_of(eq + 1)};
		for (size_t j = 0; j < i; j++)
			if (view_eq(put->deployment[j].model, put->deployment[i].model))
				return spec_fault(
				    error, "deployment \"%s\": its model is given twice", l->v[i]);
	}
	put->deployment_count = l->n;
	return 0;
}

int
spec_kind(
    const struct spec_credential *s, struct msg_credential_put *put, char error[SPEC_ERROR_MAX])
{
	const struct kind *k = choose(s, put->provider, error);
	if (k == NULL)
		return -1;
	put->auth = k->auth;
	if (put->provider == PROVIDER_AZURE && !given(s->host))
		return spec_fault(error, "provider azure needs the host of its resource, such as "
					 "my-resource.openai.azure.com");
	if (set_region(s, put, error) != 0 || set_access_key(s, k, put, error) != 0 ||
	    set_settings(s, k, put, error) != 0)
		return -1;
	return set_deployments(s, put, error);
}
