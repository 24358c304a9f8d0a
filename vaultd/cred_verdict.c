// SPDX-License-Identifier: Apache-2.0
// From facts to a verdict: first what never reached the provider, then what its clock
// says, then its words, then the class alone. Pure.
#include "vaultd/cred_verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/errclass.h"

#define SHOWN(v)     (int)MIN((v).len, 120U), (v).len == 0 ? "" : (v).p
#define SKEW_FATAL_S 240 // AWS refuses from 5 minutes on, Google sooner

static void PRINTF(4, 5) say(
    struct cred_verdict *v, const char *outcome, enum error_class class_id, const char *fmt, ...)
{
	va_list ap;
	v->outcome = outcome;
	v->class_id = class_id;
	va_start(ap, fmt);
	vsnprintf(v->fix, sizeof(v->fix), fmt, ap);
	va_end(ap);
}

static bool
holds(struct view v, const char *text)
{
	return v.len != 0 && memmem(v.p, v.len, text, strlen(text)) != NULL;
}

static bool
word(const struct cred_facts *f, const char *text)
{
	return view_eq_str(f->type, text) || view_eq_str(f->code, text);
}

static bool
signs(const struct cred_facts *f)
{
	return f->auth != AUTH_BEARER && f->auth != AUTH_API_KEY &&
	       f->auth != AUTH_GOOGLE_API_KEY && f->auth != AUTH_AZURE_API_KEY;
}

static bool
at_sts(const struct cred_facts *f)
{
	return f->operation >= OP_STS_GET_SESSION_TOKEN &&
	       f->operation <= OP_STS_GET_CALLER_IDENTITY;
}

// --- nothing came from the provider ----------------------------------------------------

enum place { NOWHERE, HOST, NAME, REGION };

// What our own side said instead of an answer, and the fix: one text, with a value of the
// credential's in its middle.
static const struct own_word {
	const char *ours, *outcome;
	enum error_class class_id;
	const char *before;
	enum place place;
	const char *after;
} own_words[] = {
    {"audit_unavailable", "audit_unavailable", CLASS_SERVER,
	"Start sallyport-auditd (sallyport status tells what is wrong with it): no key is used "
	"without an audit record.",
	NOWHERE, ""},
    {"no_gateway", "no_gateway", CLASS_SERVER,
	"Start sallyport-gatewayd: it makes the connection, the vault cannot.", NOWHERE, ""},
    {"tls_failed", "tls", CLASS_SERVER, "Something answers for ", HOST,
	" with a certificate that is not its own: if that is your server or proxy, name its CA "
	"(--ca FILE); if not, find out who it is."},
    {"leak", "leak", CLASS_SERVER, "", HOST,
	" sends the key back in its answers: rotate the key, and do not use this host."},
    {"clock_skew", "clock_skew", CLASS_AUTH,
	"Set this host's clock right (NTP): it is more than 15 minutes off, and no signature is "
	"accepted so.",
	NOWHERE, ""},
    {"unusable_key", "bad_key", CLASS_AUTH,
	"The stored private key cannot sign: give it again, from the file as the provider made "
	"it (sallyport credential rotate ",
	NAME, ")."},
    {"no_issuer", "no_issuer", CLASS_CLIENT,
	"Give the issuer its public URL first (sallyport issuer set https://HOST/PATH), and "
	"publish its documents there.",
	NOWHERE, ""},
    {"bad_region", "wrong_region", CLASS_CLIENT, "Give the credential a region: --region REGION.",
	NOWHERE, ""},
    {"profile_needed", "profile_needed", CLASS_NOT_FOUND,
	"No inference profile that this credential may use serves the model in ", REGION,
	": change its --profile (auto, global, geo or a prefix such as eu), or its region."},
    {"vault_busy", "vault_busy", CLASS_SERVER, "Test again in a moment.", NOWHERE, ""},
    {"sealer_died", "vault_busy", CLASS_SERVER, "Test again in a moment.", NOWHERE, ""},
    {"credential_changed", "vault_busy", CLASS_SERVER, "Test again in a moment.", NOWHERE, ""},
};

static const char *
value_at(const struct cred_facts *f, enum place p)
{
	return p == HOST ? f->host : p == NAME ? f->name : p == REGION ? f->region : "";
}

static void
not_answered(const struct cred_facts *f, struct cred_verdict *v)
{
	for (size_t i = 0; i < ARRAY_LEN(own_words); i++) {
		const struct own_word *w = &own_words[i];
		if (strcmp(f->ours, w->ours) != 0)
			continue;
		say(v, w->outcome, w->class_id, "%s%s%s", w->before, value_at(f, w->place),
		    w->after);
		return;
	}
	// provider_unreachable, connection_lost, timeout
	bool region = f->region[0] != '\0';
	say(v, "network", CLASS_SERVER,
	    "See that the gateway's machine resolves and reaches %s on its port (DNS, firewall, "
	    "egress proxy)%s%s%s.",
	    f->host, region ? ", and that the region " : "", f->region, region ? " exists" : "");
}

// --- by its words ----------------------------------------------------------------------

// Who does not know the key does not look at the time.
static bool
is_clock(const struct cred_facts *f, enum error_class c)
{
	bool off = f->skew_s > SKEW_FATAL_S || f->skew_s < -SKEW_FATAL_S;
	if (!signs(f) || word(f, "UnrecognizedClientException") || word(f, "InvalidClientTokenId"))
		return false;
	return (off && (c == CLASS_AUTH || c == CLASS_EXPIRED)) || word(f, "RequestExpired") ||
	       word(f, "RequestTimeTooSkewed") || holds(f->message, "Signature expired") ||
	       holds(f->message, "Signature not yet current") ||
	       holds(f->message, "reasonable timeframe");
}

static bool
is_region(const struct cred_facts *f, struct cred_verdict *v)
{
	if (word(f, "RegionDisabledException"))
		say(v, "wrong_region", CLASS_DENIED,
		    "STS is off in %s for this account: switch it on (IAM, account settings), or "
		    "take "
		    "another region for STS.",
		    f->region);
	else if (word(f, "incorrect_hostname") || holds(f->message, "incorrect regional hostname"))
		say(v, "wrong_region", CLASS_AUTH,
		    "The key's project lives in another region: use its host (--host "
		    "eu.api.openai.com or us.api.openai.com).");
	else if (word(f, "unsupported_country_region_territory") ||
		 holds(f->message, "location is not supported"))
		say(v, "wrong_region", CLASS_DENIED,
		    "The provider does not serve the country that the gateway connects from: "
		    "connect "
		    "through another one (egress proxy), or use a provider that does.");
	else if (holds(f->message, "scoped to a valid region") ||
		 holds(f->message, "scoped to correct region"))
		say(v, "wrong_region", CLASS_AUTH,
		    "The key is for another region than %s: change --region.", f->region);
	else
		return false;
	return true;
}

static void
bad_key(const struct cred_facts *f, enum error_class c, struct cred_verdict *v)
{
	if (f->provider == PROVIDER_AZURE)
		say(v, "bad_key", c,
		    "The key is not one of this resource: take key 1 or 2 of %s (Keys and "
		    "Endpoint), "
		    "and put it in with: sallyport credential rotate %s.",
		    f->host, f->name);
	else if (word(f, "SignatureDoesNotMatch") || word(f, "InvalidSignatureException"))
		say(v, "bad_key", c,
		    "The secret access key is not that of the access key id: put in the right pair "
		    "(sallyport credential rotate %s).",
		    f->name);
	else if (f->provider == PROVIDER_VERTEX && holds(f->message, "account not found"))
		say(v, "bad_key", c,
		    "The service account does not exist (any more): make a key of one that does, "
		    "and "
		    "add it again.");
	else if (f->provider == PROVIDER_VERTEX)
		say(v, "bad_key", c,
		    "The service account's key was deleted or disabled, or is not of this account: "
		    "make "
		    "a new JSON key and put it in (sallyport credential rotate %s).",
		    f->name);
	else if (f->auth == AUTH_STS_WEB_IDENTITY)
		say(v, "bad_key", c,
		    "AWS does not take our token: see that the identity provider of that account "
		    "has "
		    "our issuer URL and audience, and can fetch both published documents.");
	else
		say(v, "bad_key", c,
		    "The provider does not know this key, or it was revoked: put in a valid one "
		    "(sallyport credential rotate %s).",
		    f->name);
}

static void
denied_at_aws(const struct cred_facts *f, struct cred_verdict *v)
{
	bool model = holds(f->message, "access to the model") ||
		     holds(f->message, "model access") || holds(f->message, "marketplace") ||
		     holds(f->message, "Marketplace");
	if (word(f, "FTUFormNotFilled"))
		say(v, "no_model_access", CLASS_DENIED,
		    "Fill in Anthropic's use case form in the Bedrock console of that account "
		    "(Model "
		    "access).");
	else if (model)
		say(v, "no_model_access", CLASS_DENIED,
		    "Enable %.*s in the Bedrock console of that account, in %s (Model access).",
		    SHOWN(f->model), f->region);
	else if (holds(f->message, "service control policy"))
		say(v, "permission_missing", CLASS_DENIED,
		    "A service control policy of the organization denies it: allow Bedrock in %s "
		    "there.",
		    f->region);
	else if (at_sts(f) && f->auth == AUTH_STS_SESSION)
		say(v, "permission_missing", CLASS_DENIED,
		    "Sessions are made of a user's long-term key (AKIA...) only: add that one, or "
		    "use this key as it is (--auth sigv4).");
	else if (at_sts(f))
		say(v, "permission_missing", CLASS_DENIED,
		    "The role's trust policy must allow this caller: principal, external id, and "
		    "for "
		    "web identity the conditions on aud and sub.");
	else if (f->auth == AUTH_BEARER)
		say(v, "permission_missing", CLASS_DENIED,
		    "Allow bedrock:CallWithBearerToken and bedrock:InvokeModel for the user of "
		    "this "
		    "API key.");
	else
		say(v, "permission_missing", CLASS_DENIED,
		    "Allow bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream for this "
		    "identity on the model and its inference profile.");
}

static void
denied(const struct cred_facts *f, struct cred_verdict *v)
{
	if (f->provider == PROVIDER_BEDROCK)
		denied_at_aws(f, v);
	else if (word(f, "BILLING_DISABLED") || holds(f->message, "requires billing"))
		say(v, "quota", CLASS_QUOTA, "Switch on billing for the Google Cloud project.");
	else if (word(f, "SERVICE_DISABLED"))
		say(v, "permission_missing", CLASS_DENIED, "Enable the API %s in the project.",
		    f->provider == PROVIDER_VERTEX ? "aiplatform.googleapis.com"
						   : "generativelanguage.googleapis.com");
	else if (word(f, "CONSUMER_INVALID"))
		say(v, "permission_missing", CLASS_DENIED,
		    "The project does not exist, or the service account has no part in it: check "
		    "the project id.");
	else if (f->provider == PROVIDER_VERTEX)
		say(v, "permission_missing", CLASS_DENIED,
		    "Give the service account the role Vertex AI User "
		    "(aiplatform.endpoints.predict) in "
		    "the project.");
	else if (word(f, "model_not_found") || (f->model.len != 0 && f->model_asked))
		say(v, "no_model_access", CLASS_DENIED,
		    "The key may not use %.*s: allow the model for its project or workspace at the "
		    "provider.",
		    SHOWN(f->model));
	else if (f->provider == PROVIDER_AZURE)
		say(v, "permission_missing", CLASS_DENIED,
		    "The resource refuses: see its network rules (the gateway's address must be "
		    "allowed) and the key's rights.");
	else
		say(v, "permission_missing", CLASS_DENIED,
		    "The key is valid but restricted: let it list models and make requests, or "
		    "test "
		    "with a model that it may use (--model).");
}

static void
not_found(const struct cred_facts *f, struct cred_verdict *v)
{
	bool aws = f->provider == PROVIDER_BEDROCK;
	if (aws && holds(f->message, "inference profile"))
		say(v, "profile_needed", CLASS_NOT_FOUND,
		    "%s serves this model through an inference profile only: set --profile auto, "
		    "or "
		    "name the model with a prefix (us., eu., global.).",
		    f->region);
	else if (f->provider == PROVIDER_AZURE && f->model.len != 0)
		say(v, "no_model_access", CLASS_NOT_FOUND,
		    "The resource has no deployment '%.*s': make it there, or map the model to one "
		    "that "
		    "exists (--deployment MODEL=NAME).",
		    SHOWN(f->model));
	else if (f->model.len == 0)
		say(v, "bad_answer", CLASS_NOT_FOUND, "%s has no such API: check the host%s.",
		    f->host, f->provider == PROVIDER_AZURE ? " and the api-version" : "");
	else if (f->model_known && f->region[0] != '\0' && strcmp(f->region, "global") != 0)
		say(v, "wrong_region", CLASS_NOT_FOUND,
		    "%s does not serve %.*s, or not to this account: take another region%s, or "
		    "enable the model there.",
		    f->region, SHOWN(f->model), aws ? " or profile" : " (or global)");
	else
		say(v, "no_model_access", CLASS_NOT_FOUND,
		    "The provider has no model %.*s for this key: check its name, or enable it "
		    "there.",
		    SHOWN(f->model));
}

// Of what was made a moment ago.
static void
expired(const struct cred_facts *f, struct cred_verdict *v)
{
	if (f->auth == AUTH_GOOGLE_JWT)
		bad_key(f, CLASS_AUTH, v);
	else if (f->auth == AUTH_SIGV4 || !signs(f))
		say(v, "expired", CLASS_EXPIRED,
		    "The key's time is over and it cannot be renewed here: put in a new one "
		    "(sallyport credential rotate %s).",
		    f->name);
	else
		say(v, "expired", CLASS_EXPIRED,
		    "A temporary credential that was just bought is called expired: set this "
		    "host's "
		    "clock right (NTP), and test again.");
}

// --- by its class ----------------------------------------------------------------------

static void
by_class(const struct cred_facts *f, enum error_class c, struct cred_verdict *v)
{
	switch (c) {
	case CLASS_AUTH:
		bad_key(f, c, v);
		break;
	case CLASS_EXPIRED:
		expired(f, v);
		break;
	case CLASS_DENIED:
		denied(f, v);
		break;
	case CLASS_NOT_FOUND:
		not_found(f, v);
		break;
	case CLASS_QUOTA:
		say(v, "quota", c,
		    "The key is valid, but its quota or credit is used up: raise the limit or pay "
		    "at the provider.");
		break;
	case CLASS_RATE:
		say(v, "rate_limited", c,
		    "The key is valid; the provider's rate limit is reached at the moment: test "
		    "again later, or ask for a higher one.");
		break;
	case CLASS_CLIENT:
	case CLASS_POLICY:
		say(v, "bad_request", c,
		    "The provider knows the key but refuses the test's request%s%.*s: test with "
		    "another model (--model).",
		    f->model.len == 0 ? "" : " for ", SHOWN(f->model));
		break;
	default:
		say(v, "provider_error", c,
		    "The provider has trouble of its own, which says nothing about the key: test "
		    "again later.");
		break;
	}
}

// A reasoning model that could not even begin within so few tokens has answered.
static bool
worked(const struct cred_facts *f)
{
	if (f->status >= 200 && f->status < 300)
		return f->code.len == 0;
	return f->status == 400 && holds(f->message, "model output limit was reached");
}

void
cred_verdict_of(const struct cred_facts *f, struct cred_verdict *v)
{
	*v = (struct cred_verdict){0};
	if (f->ours != NULL) {
		not_answered(f, v);
		return;
	}
	if (view_eq_str(f->code, "bad_answer")) {
		say(v, "bad_answer", CLASS_SERVER,
		    "%s answers, but not as %s does: check the host.", f->host,
		    ids_provider(f->provider));
		return;
	}
	if (worked(f)) {
		int64_t off = f->skew_s < 0 ? -f->skew_s : f->skew_s;
		v->outcome = "ok";
		if (off >= CRED_VERDICT_SKEW_S)
			say(v, "ok", CLASS_NONE,
			    "It works, but this host's clock is %lld s %s: set it right (NTP).",
			    (long long)off, f->skew_s < 0 ? "ahead" : "behind");
		return;
	}
	struct errclass_facts e = {.provider = f->provider,
	    .status = f->status,
	    .type = f->type,
	    .code = f->code,
	    .message = f->message};
	enum error_class c = errclass_of(&e);
	if (is_clock(f, c))
		say(v, "clock_skew", c,
		    "Set this host's clock right (NTP): it is %lld s off the provider's, and "
		    "signatures are refused.",
		    (long long)(f->skew_s < 0 ? -f->skew_s : f->skew_s));
	else if (!is_region(f, v))
		by_class(f, c == CLASS_NONE ? CLASS_SERVER : c, v);
}
