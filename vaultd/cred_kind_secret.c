// SPDX-License-Identifier: Apache-2.0
// How the secrets of each kind look, so that a key pasted into the wrong place is
// noticed before it is stored. Reads secrets, copies none.
#include <string.h>

#include "vaultd/bedrock_key.h"
#include "vaultd/cred_kind.h"
#include "proto/grammar.h"

#define SECRET_MIN 8U

// --- wrong key for the place ---------------------------------------------------------

static bool
bad(struct admin_error *e, const char *message)
{
	return admin_check_fail(e, "bad_secret", "%s", message);
}

static bool
check_openai(struct view s, struct admin_error *e)
{
	if (grammar_begins(s, "sk-ant-"))
		return bad(
		    e, "This looks like an Anthropic key (sk-ant-): use --provider anthropic.");
	if (grammar_begins(s, "sk-admin-"))
		return bad(e, "This is an admin key (sk-admin-): it cannot ask models, and could "
			      "change the organization. Make a project key (sk-proj-) instead.");
	if (grammar_begins(s, "sk-or-"))
		return bad(e, "This is an OpenRouter key (sk-or-): use --provider "
			      "openai-compatible --host openrouter.ai.");
	if (!grammar_begins(s, "sk-"))
		return bad(e, "An OpenAI key begins with sk-proj-, sk-svcacct- or sk-. For another "
			      "server of the same API use --provider openai-compatible.");
	return true;
}

static bool
check_anthropic(struct view s, struct admin_error *e)
{
	if (grammar_begins(s, "sk-ant-admin"))
		return bad(e, "This is an admin key (sk-ant-admin): it cannot ask models. Make an "
			      "API key (sk-ant-api03-) instead.");
	if (!grammar_begins(s, "sk-ant-"))
		return bad(e,
		    "An Anthropic key begins with sk-ant-. An OpenAI key (sk-) belongs to "
		    "--provider openai.");
	return true;
}

static bool
check_gemini(struct view s, struct admin_error *e)
{
	if (grammar_begins(s, "ya29."))
		return bad(e,
		    "This is an access token, which ends within the hour. Take an API key "
		    "(AIza...) from Google AI Studio.");
	if (grammar_begins(s, "sk-") || !grammar_text_valid(s, 20, 512, "_-."))
		return bad(e,
		    "This is no Gemini API key (AIza...). Make one in Google AI Studio; a "
		    "service account's file belongs to --provider vertex.");
	return true;
}

static bool
check_azure(struct view s, struct admin_error *e)
{
	if (!grammar_text_valid(s, 16, 512, ""))
		return bad(e,
		    "This is no key of an Azure resource (letters and digits): copy KEY 1 "
		    "from the resource's page Keys and Endpoint.");
	return true;
}

// Base64 of PKCS#8 DER, as the command takes it out of the service account's file.
static bool
check_vertex(struct view s, struct admin_error *e)
{
	if (grammar_begins(s, "MI") && grammar_text_valid(s, 200, 8192, "+/="))
		return true;
	return bad(e, "A vertex credential holds the private key of a service account's JSON file: "
		      "give the whole file on standard input.");
}

// --- AWS -----------------------------------------------------------------------------

static bool
check_bedrock_key(struct msg_credential_put *put, uint64_t now_s, struct cred_kind_room *room,
    struct admin_error *e)
{
	struct bedrock_key k;
	struct text t;
	if (grammar_begins(put->secret, "ABSK"))
		return true;
	if (!grammar_begins(put->secret, BEDROCK_KEY_PREFIX))
		return bad(e, "A Bedrock API key begins with ABSK or bedrock-api-key-. With an IAM "
			      "key give its --access-key-id too.");
	int r = bedrock_key_read(put->secret, &k);
	if (r == -2)
		return admin_check_fail(
		    e, "vault_busy", "The vault's secret memory is full. Try again.");
	if (r != 0)
		return bad(e, "This short-term Bedrock API key is damaged: paste it again, whole.");
	if (put->region.len != 0 && !view_eq_str(put->region, k.region))
		return admin_check_fail(e, "bad_region",
		    "This short-term key is good in %s only: use --region %s, or make one for the "
		    "other region.",
		    k.region, k.region);
	if (k.expires_s <= now_s)
		return admin_check_fail(e, "credential_expired",
		    "This short-term key has expired (it lives 12 hours at most). Make a new one, "
		    "or use a long-term key (ABSK) or an IAM key.");
	memcpy(room->region, k.region, sizeof(room->region));
	put->region = view_of(room->region);
	text_init(&t, room->expires, sizeof(room->expires));
	text_uint(&t, k.expires_s);
	struct msg_named expires = {SETTING_EXPIRES, text_done(&t)};
	size_t at = 0; // settings are in order of id
	while (at < put->setting_count && put->setting[at].id < SETTING_EXPIRES)
		at++;
	if (at < put->setting_count && put->setting[at].id == SETTING_EXPIRES) {
		put->setting[at] = expires;
	} else if (put->setting_count < MSG_SETTINGS_MAX) {
		memmove(&put->setting[at + 1], &put->setting[at],
		    (put->setting_count - at) * sizeof(put->setting[0]));
		put->setting[at] = expires;
		put->setting_count++;
	}
	return true;
}

static bool
check_access_key(const struct msg_credential_put *put, const struct kind *k, struct admin_error *e)
{
	struct view id = put->access_key_id;
	if (!k->access_key) {
		if (id.len != 0 || put->session_token.len != 0)
			return admin_check_fail(e, "bad_access_key",
			    "An access key id or session token belongs to a bedrock credential "
			    "with AWS keys only.");
		return true;
	}
	bool ok = id.len >= 16;
	for (size_t i = 0; i < id.len; i++)
		ok = ok &&
		     ((id.p[i] >= 'A' && id.p[i] <= 'Z') || (id.p[i] >= '0' && id.p[i] <= '9'));
	if (!ok)
		return admin_check_fail(e, "bad_access_key",
		    "A bedrock credential needs its access key id, such as --access-key-id "
		    "AKIAIOSFODNN7EXAMPLE.");
	if (!grammar_visible(put->session_token))
		return admin_check_fail(e, "bad_session_token",
		    "The session token holds a space or a line end: paste it again, alone.");
	if (kind_exchanges(k->auth) && (grammar_begins(id, "ASIA") || put->session_token.len != 0))
		return admin_check_fail(e, "bad_access_key",
		    "A temporary key (ASIA) cannot be refreshed through STS: give the long-term "
		    "key (AKIA) of an IAM user, or use --auth sigv4 and replace it before it "
		    "expires.");
	if (grammar_begins(id, "ASIA") && put->secret.len != 0 && put->session_token.len == 0)
		return admin_check_fail(e, "bad_session_token",
		    "ASIA keys are temporary and need their session token.");
	return true;
}

static bool
check_aws_secret(struct view s, struct admin_error *e)
{
	if (grammar_begins(s, "AKIA") || grammar_begins(s, "ASIA"))
		return bad(e, "This is the access key id; the secret access key is wanted here.");
	if ((grammar_begins(s, "ABSK") && s.len > 60) || grammar_begins(s, BEDROCK_KEY_PREFIX))
		return bad(e, "This is a Bedrock API key: it goes without an access key id (leave "
			      "--access-key-id away).");
	return true;
}

// --- all of it -----------------------------------------------------------------------

static bool
check_text(const struct msg_credential_put *put, struct admin_error *e)
{
	struct view s = put->secret;
	if (!grammar_visible(s))
		return bad(e, "The key holds a space, a line end or something that is not ASCII: "
			      "paste it again, alone.");
	if (s.len < SECRET_MIN)
		return admin_check_fail(
		    e, "bad_secret", "The key has %zu characters; that is too short.", s.len);
	if (grammar_begins(s, "sp-"))
		return bad(e, "This is a Sallyport key. A credential holds the provider's key.");
	switch (put->provider) {
	case PROVIDER_OPENAI:
		return check_openai(s, e);
	case PROVIDER_ANTHROPIC:
		return check_anthropic(s, e);
	case PROVIDER_GEMINI:
		return check_gemini(s, e);
	case PROVIDER_AZURE:
		return check_azure(s, e);
	case PROVIDER_VERTEX:
		return check_vertex(s, e);
	case PROVIDER_BEDROCK:
		return put->auth == AUTH_BEARER || check_aws_secret(s, e);
	default:
		return true;
	}
}

static bool
check_expiry(const struct msg_credential_put *put, uint64_t now_s, struct admin_error *e)
{
	uint64_t at;
	struct view v = cred_kind_setting(put, SETTING_EXPIRES);
	if (v.len == 0 || grammar_number(v, &at) != 0 || at > now_s)
		return true; // what is no number is refused with the settings
	return admin_check_fail(e, "credential_expired", "This key has expired already%s.",
	    grammar_begins(put->access_key_id, "ASIA")
		? ": a temporary key (ASIA) cannot be refreshed; get a new one with its token, or "
		  "use a long-term key (AKIA)"
		: ": make a new one at the provider");
}

bool
cred_kind_check_secret(struct msg_credential_put *put, const struct kind *k, uint64_t now_s,
    struct cred_kind_room *room, struct admin_error *e)
{
	if (!check_access_key(put, k, e))
		return false;
	if (!k->secret) {
		if (put->secret.len != 0 || put->session_token.len != 0)
			return bad(e,
			    "A credential with web identity has no secret: Sallyport signs "
			    "its own tokens. See: sallyport issuer show");
		return true;
	}
	if (put->secret.len == 0)
		return true;
	if (!check_text(put, e))
		return false;
	if (put->provider == PROVIDER_BEDROCK && put->auth == AUTH_BEARER &&
	    !check_bedrock_key(put, now_s, room, e))
		return false;
	return check_expiry(put, now_s, e);
}
