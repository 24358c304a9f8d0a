// SPDX-License-Identifier: Apache-2.0
// Kinds (proto/kind.h) as people write them. The vault has the last word; here a mistake is
// told by the name of the option that it was made with. Pure.
#include "ctl/spec_kind.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/kind.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

PRINTF(2, 3)
static int
fault(char error[SPEC_ERROR_MAX], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(error, SPEC_ERROR_MAX, fmt, ap);
	va_end(ap);
	return -1;
}

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

// --- grammars ------------------------------------------------------------------------

// "us-east-1": letters in groups, a number at the end. It becomes part of a host name, so
// nothing else may pass.
static bool
aws_region(const char *s)
{
	size_t len = strlen(s), letters = strcspn(s, "-");
	if (len > 25 || letters != 2 || s[len - 1] < '0' || s[len - 1] > '9')
		return false;
	return only(s, LOWER DIGITS "-") && strstr(s, "--") == NULL &&
	       strchr(s, '-') != strrchr(s, '-');
}

// global, us, eu, or "europe-west1".
static bool
google_location(const char *s)
{
	size_t word = strspn(s, LOWER);
	if (strcmp(s, "global") == 0 || strcmp(s, "us") == 0 || strcmp(s, "eu") == 0)
		return true;
	if (word == 0 || s[word] != '-' || strlen(s) > 32)
		return false;
	const char *rest = s + word + 1;
	size_t second = strspn(rest, LOWER), digits = strlen(rest) - second;
	return second != 0 && digits >= 1 && digits <= 2 && only(rest + second, DIGITS);
}

static bool
whole_number(const char *s, unsigned long long low, unsigned long long high)
{
	char *end;
	unsigned long long v = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && *end == '\0' && v >= low && v <= high;
}

static bool
role_arn(const char *s)
{
	size_t n = strlen(s);
	return strncmp(s, "arn:aws", 7) == 0 && strstr(s, ":iam::") != NULL &&
	       strstr(s, ":role/") != NULL && n >= 20 && n <= 2048 &&
	       only(s, LOWER UPPER DIGITS ":/_+=,.@-");
}

// scoped_principal:<team>/<user|service_account>:<id>
static bool
subject(const char *s)
{
	static const char head[] = "scoped_principal:";
	static const char *const actors[] = {"/user:", "/service_account:"};
	if (strncmp(s, head, strlen(head)) != 0 || strlen(s) > 255)
		return false;
	const char *team = s + strlen(head), *slash = strchr(team, '/');
	if (slash == NULL || slash == team ||
	    strspn(team, LOWER UPPER DIGITS "._-") != (size_t)(slash - team))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(actors); i++)
		if (strncmp(slash, actors[i], strlen(actors[i])) == 0) {
			const char *id = slash + strlen(actors[i]);
			return *id != '\0' && only(id, LOWER UPPER DIGITS "._@+-");
		}
	return false;
}

static bool
api_version(const char *s)
{
	size_t n = strlen(s);
	if (n != 10 && (n != 18 || strcmp(s + 10, "-preview") != 0))
		return false;
	for (size_t i = 0; i < 10; i++)
		if ((i == 4 || i == 7) ? s[i] != '-' : (s[i] < '0' || s[i] > '9'))
			return false;
	return true;
}

static bool
setting_valid(unsigned id, const char *v, uint64_t provider)
{
	static const char *const modes[] = {"auto", "global", "geo", "none"};
	size_t n = strlen(v);
	switch (id) {
	case SETTING_PROJECT:
		return n >= 4 && n <= 64 && only(v, LOWER DIGITS "-.:") && v[0] != '-';
	case SETTING_API_VERSION:
		return api_version(v);
	case SETTING_CLIENT_EMAIL:
		return n <= 254 && strchr(v, '@') != NULL && only(v, LOWER UPPER DIGITS "@._+-");
	case SETTING_PRIVATE_KEY_ID:
		return n <= 128 && only(v, LOWER UPPER DIGITS "_-");
	case SETTING_ROLE_ARN:
		return role_arn(v);
	case SETTING_EXTERNAL_ID:
		return n >= 2 && n <= 1224 && only(v, LOWER UPPER DIGITS "_+=,.@:/-");
	case SETTING_SESSION_NAME:
		return n >= 2 && n <= 64 && only(v, LOWER UPPER DIGITS "_+=,.@-");
	case SETTING_SUBJECT:
		return subject(v);
	case SETTING_AUDIENCE:
		return n <= 255 && only(v, LOWER UPPER DIGITS "._:/-");
	case SETTING_DURATION:
		return whole_number(v, 900, 129600);
	case SETTING_EXPIRES:
		return whole_number(v, 1, 253402300799ULL);
	case SETTING_PROFILE:
		for (size_t i = 0; i < ARRAY_LEN(modes); i++)
			if (strcmp(v, modes[i]) == 0)
				return provider == PROVIDER_BEDROCK || i >= 2;
		return provider == PROVIDER_BEDROCK && n >= 2 && n <= 8 && only(v, LOWER "-");
	case SETTING_STS_REGION:
		return aws_region(v);
	default:
		return false;
	}
}

static const char *
example_of(unsigned id)
{
	static const char *const examples[] = {
	    [SETTING_PROJECT] = "a project id, such as my-project-123",
	    [SETTING_API_VERSION] = "a date such as 2024-10-21, or 2025-04-01-preview",
	    [SETTING_CLIENT_EMAIL] = "the client_email of the service account",
	    [SETTING_PRIVATE_KEY_ID] = "the private_key_id of the service account",
	    [SETTING_ROLE_ARN] = "arn:aws:iam::123456789012:role/NAME",
	    [SETTING_EXTERNAL_ID] = "the ExternalId that the role's trust policy asks for",
	    [SETTING_SESSION_NAME] = "2 to 64 letters, digits and _ + = , . @ -",
	    [SETTING_SUBJECT] = "scoped_principal:TEAM/user:ID or "
				"scoped_principal:TEAM/service_account:ID",
	    [SETTING_AUDIENCE] = "what the identity provider in IAM lists, such as "
				 "sts.amazonaws.com",
	    [SETTING_DURATION] = "seconds, 900 to 129600",
	    [SETTING_EXPIRES] = "a time such as 2026-12-31T00:00:00Z",
	    [SETTING_PROFILE] = "auto, global, geo, none, or a prefix such as eu",
	    [SETTING_STS_REGION] = "a region, such as us-east-1",
	};
	return id < ARRAY_LEN(examples) ? examples[id] : NULL;
}

// --- parts ---------------------------------------------------------------------------

static int
set_region(
    const struct spec_credential *s, struct msg_credential_put *put, char error[SPEC_ERROR_MAX])
{
	if (put->provider != PROVIDER_BEDROCK && put->provider != PROVIDER_VERTEX)
		return given(s->region) ? fault(error, "region belongs to bedrock and vertex") : 0;
	// A short-term Bedrock key says its region itself; the vault reads it.
	bool may_know = put->auth == AUTH_BEARER && !given(s->region);
	if (put->provider == PROVIDER_BEDROCK && !may_know &&
	    (!given(s->region) || !aws_region(s->region)))
		return fault(error, "provider bedrock needs a region, such as us-east-1");
	if (put->provider == PROVIDER_VERTEX && (!given(s->region) || !google_location(s->region)))
		return fault(error,
		    "provider vertex needs a region, such as us-central1, or us, eu or global");
	put->region = view_of(s->region);
	return 0;
}

static int
set_access_key(const struct spec_credential *s, const struct kind *k,
    struct msg_credential_put *put, char error[SPEC_ERROR_MAX])
{
	const char *id = s->access_key_id;
	if (!k->access_key)
		return given(id)
			   ? fault(error, "an access key id does not go with %s", ids_auth(k->auth))
			   : 0;
	if (!given(id) || !spec_access_key_id_valid(id))
		return fault(error, "%s needs an access key id (AKIA...%s; it is no secret)%s",
		    ids_auth(k->auth), k->auth == AUTH_SIGV4 ? " or ASIA..." : "",
		    k->auth == AUTH_STS_ASSUME_ROLE
			? "; without any key: subject, by our own issuer"
			: "");
	if (k->auth != AUTH_SIGV4 && strncmp(id, "ASIA", 4) == 0)
		return fault(error,
		    "%s needs a long-term key (AKIA...): a temporary one (ASIA...) cannot be "
		    "refreshed, and signs by itself: auth sigv4",
		    ids_auth(k->auth));
	put->access_key_id = view_of(id);
	return 0;
}

static int
set_settings(const struct spec_credential *s, const struct kind *k, struct msg_credential_put *put,
    char error[SPEC_ERROR_MAX])
{
	for (unsigned id = 1; id <= SETTING_LAST; id++) {
		const char *v = s->setting[id];
		if (!given(v)) {
			if ((k->needs & 1U << id) != 0)
				return fault(error, "%s needs %s: %s", ids_auth(k->auth),
				    ids_setting(id), example_of(id));
			continue;
		}
		if (((k->needs | k->allows) & 1U << id) == 0)
			return fault(error, "%s does not go with provider %s and auth %s",
			    ids_setting(id), s->provider, ids_auth(k->auth));
		if (!setting_valid(id, v, put->provider))
			return fault(
			    error, "%s \"%s\": write %s", ids_setting(id), v, example_of(id));
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
		return fault(error, "deployments belong to provider azure");
	for (size_t i = 0; i < l->n; i++) {
		const char *eq = strchr(l->v[i], '=');
		size_t model = eq == NULL ? 0 : (size_t)(eq - l->v[i]);
		if (model == 0 || model > 128 || eq[1] == '\0' || strlen(eq + 1) > 64 ||
		    !only(eq + 1, LOWER UPPER DIGITS "._-"))
			return fault(error,
			    "deployment \"%s\": write MODEL=NAME, such as gpt-4o=my-gpt-4o",
			    l->v[i]);
		put->deployment[i] = (struct msg_deployment){{l->v[i], model}, view_of(eq + 1)};
		for (size_t j = 0; j < i; j++)
			if (view_eq(put->deployment[j].model, put->deployment[i].model))
				return fault(
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
		return fault(error, "provider azure needs the host of its resource, such as "
				    "my-resource.openai.azure.com");
	if (set_region(s, put, error) != 0 || set_access_key(s, k, put, error) != 0 ||
	    set_settings(s, k, put, error) != 0)
		return -1;
	return set_deployments(s, put, error);
}
