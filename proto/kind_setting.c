// SPDX-License-Identifier: Apache-2.0
// Settings of credentials, each by its grammar. Pure.
#include "proto/kind_setting.h"

#include <string.h>

#include "proto/grammar.h"

#define DURATION_MIN	  900U
#define DURATION_MAX	  43200U
#define DURATION_SESSION  129600U // GetSessionToken
#define SUBJECT_BEGINNING "scoped_principal:"

static bool
project_valid(struct view v)
{
	const char *colon = v.len == 0 ? NULL : memchr(v.p, ':', v.len);
	if (colon != NULL) { // domain-scoped: example.com:project
		struct view domain = {v.p, (size_t)(colon - v.p)};
		if (!grammar_host_valid(domain) || memchr(domain.p, '.', domain.len) == NULL)
			return false;
		v = (struct view){colon + 1, v.len - domain.len - 1};
	}
	if (grammar_digits_valid(v, 6, 20))
		return true;
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] >= 'A' && v.p[i] <= 'Z')
			return false;
	return grammar_text_valid(v, 6, 30, "-") && v.p[0] >= 'a' && v.p[0] <= 'z' &&
	       v.p[v.len - 1] != '-';
}

// 2024-10-21, 2025-04-01-preview.
static bool
api_version_valid(struct view v)
{
	if (grammar_ends(v, "-preview"))
		v.len -= strlen("-preview");
	return v.len == 10 && v.p[4] == '-' && v.p[7] == '-' &&
	       grammar_digits_valid((struct view){v.p, 4}, 4, 4) &&
	       grammar_digits_valid((struct view){v.p + 5, 2}, 2, 2) &&
	       grammar_digits_valid((struct view){v.p + 8, 2}, 2, 2);
}

static bool
email_valid(struct view v)
{
	const char *at = v.len == 0 ? NULL : memchr(v.p, '@', v.len);
	if (at == NULL || v.len > 254)
		return false;
	struct view user = {v.p, (size_t)(at - v.p)};
	struct view host = {at + 1, v.len - user.len - 1};
	return grammar_text_valid(user, 1, 100, "-._") && grammar_host_valid(host) &&
	       grammar_ends(host, ".gserviceaccount.com");
}

// arn:aws:iam::123456789012:role/path/name
static bool
role_arn_valid(struct view v)
{
	static const char *const starts[] = {
	    "arn:aws:iam::", "arn:aws-us-gov:iam::", "arn:aws-cn:iam::"};
	if (v.len < 20 || v.len > 2048)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		size_t n = strlen(starts[i]);
		if (!grammar_begins(v, starts[i]) || v.len <= n + 12)
			continue;
		struct view account = {v.p + n, 12};
		struct view role = {v.p + n + 12, v.len - n - 12};
		return grammar_digits_valid(account, 12, 12) && grammar_begins(role, ":role/") &&
		       role.len > 6 && role.p[role.len - 1] != '/' &&
		       grammar_text_valid(
			   (struct view){role.p + 6, role.len - 6}, 1, 577, "_+=,.@/-");
	}
	return false;
}

// scoped_principal:<team>/<user|service_account>:<id>
static bool
subject_valid(struct view v)
{
	if (!grammar_begins(v, SUBJECT_BEGINNING) || v.len > 255)
		return false;
	struct view rest = {v.p + strlen(SUBJECT_BEGINNING), v.len - strlen(SUBJECT_BEGINNING)};
	const char *slash = rest.len == 0 ? NULL : memchr(rest.p, '/', rest.len);
	if (slash == NULL)
		return false;
	struct view team = {rest.p, (size_t)(slash - rest.p)};
	struct view who = {slash + 1, rest.len - team.len - 1};
	size_t skip = grammar_begins(who, "user:")		? 5
		      : grammar_begins(who, "service_account:") ? 16
								: 0;
	return skip != 0 && grammar_text_valid(team, 1, 64, "._-") &&
	       grammar_text_valid((struct view){who.p + skip, who.len - skip}, 1, 128, "._@+-");
}

// Of Bedrock: a prefix; auto, global, geo and none are such words too. Of Vertex AI: how far
// from its location a request may go.
static bool
profile_valid(struct view v, uint64_t provider)
{
	if (provider == PROVIDER_VERTEX)
		return view_eq_str(v, "geo") || view_eq_str(v, "none");
	return grammar_prefix_valid(v);
}

static bool
duration_valid(struct view v, uint64_t auth)
{
	uint64_t n;
	return grammar_number(v, &n) == 0 && n >= DURATION_MIN &&
	       n <= (auth == AUTH_STS_SESSION ? DURATION_SESSION : DURATION_MAX);
}

static bool
expires_valid(struct view v)
{
	uint64_t n;
	return grammar_number(v, &n) == 0 && n != 0;
}

const char *
kind_setting_wanted(uint64_t provider, uint64_t auth, uint64_t id, struct view v)
{
	switch ((enum setting_id)id) {
	case SETTING_PROJECT:
		return project_valid(v) ? NULL : "a project id, such as my-project-1234";
	case SETTING_API_VERSION:
		return api_version_valid(v) ? NULL
					    : "a date, such as 2024-10-21 or 2025-04-01-preview; "
					      "leave it away for the v1 API";
	case SETTING_CLIENT_EMAIL:
		return email_valid(v) ? NULL
				      : "the address of a service account (...gserviceaccount.com)";
	case SETTING_PRIVATE_KEY_ID:
		return grammar_text_valid(v, 8, 128, "")
			   ? NULL
			   : "the private_key_id of the service account's JSON file";
	case SETTING_ROLE_ARN:
		return role_arn_valid(v) ? NULL
					 : "the ARN of a role, such as "
					   "arn:aws:iam::123456789012:role/sallyport";
	case SETTING_EXTERNAL_ID:
		return grammar_text_valid(v, 2, 1224, "_+=,.@:/-")
			   ? NULL
			   : "2 to 1224 letters, digits and _+=,.@:/-";
	case SETTING_SESSION_NAME:
		return grammar_text_valid(v, 2, 64, "_+=,.@-")
			   ? NULL
			   : "2 to 64 letters, digits and _+=,.@-";
	case SETTING_SUBJECT:
		return subject_valid(v) ? NULL
					: "scoped_principal:TEAM/user:ID or "
					  "scoped_principal:TEAM/service_account:ID";
	case SETTING_AUDIENCE:
		return grammar_text_valid(v, 1, 255, "._:/-") ? NULL : "letters, digits and ._:/-";
	case SETTING_DURATION:
		return duration_valid(v, auth)
			   ? NULL
			   : "900 to 43200 seconds (129600 for a session of an IAM user)";
	case SETTING_EXPIRES:
		return expires_valid(v) ? NULL
					: "a time such as 2026-12-31T00:00:00Z, as Unix seconds";
	case SETTING_PROFILE:
		if (profile_valid(v, provider))
			return NULL;
		return provider == PROVIDER_VERTEX
			   ? "geo (never the global endpoint) or none (one region only)"
			   : "auto, geo, global, none or a prefix such as eu";
	case SETTING_STS_REGION:
		return grammar_region_valid(v) ? NULL : "a region, such as us-east-1";
	}
	return "known to this version";
}
