// SPDX-License-Identifier: Apache-2.0
// Rules in order, the first that fits decides; then the HTTP status alone. A text is
// only looked at beside a type or status that narrows it, and at its beginning where
// the vendor's wording is known, since messages may echo what a client wrote. Pure.
//
// Sources: AWS "Troubleshooting Amazon Bedrock API error codes", Bedrock Runtime and
// STS API references (errors); Google "Gemini API troubleshooting", google.rpc.Code and
// ErrorInfo reasons, RFC 6749 section 5.2 (token endpoint); Microsoft "Azure OpenAI
// REST API reference" and "Content filtering"; OpenAI "Error codes"; Anthropic "Errors".
#include "proto/errclass.h"

#include <string.h>

#define BIT(p)	  (1U << (unsigned)(p))
#define OPENAI	  (BIT(PROVIDER_OPENAI) | BIT(PROVIDER_OPENAI_COMPATIBLE) | BIT(PROVIDER_AZURE))
#define ANTHROPIC BIT(PROVIDER_ANTHROPIC)
#define AZURE	  BIT(PROVIDER_AZURE)
#define BEDROCK	  BIT(PROVIDER_BEDROCK)
#define GEMINI	  BIT(PROVIDER_GEMINI)
#define VERTEX	  BIT(PROVIDER_VERTEX)
#define GOOGLE	  (GEMINI | VERTEX)
// Claude speaks its own errors wherever it runs.
#define CLAUDE (ANTHROPIC | VERTEX | BEDROCK)

enum how { ANY, BEGINS, HOLDS };

struct rule {
	unsigned providers;
	unsigned status;  // 0: any
	const char *word; // equals the type or the code; NULL: any
	enum how how;
	const char *text; // of the message, in any case
	enum error_class class_id;
};

#define WORD(p, w, c)                                                                              \
	{                                                                                          \
		(p), 0, (w), ANY, NULL, (c)                                                        \
	}
#define SAID(p, s, w, how, t, c)                                                                   \
	{                                                                                          \
		(p), (s), (w), (how), (t), (c)                                                     \
	}

static const struct rule rules[] = {
    // Bedrock Runtime
    SAID(BEDROCK, 0, "ThrottlingException", HOLDS, "per day", CLASS_QUOTA),
    WORD(BEDROCK, "ThrottlingException", CLASS_RATE),
    WORD(BEDROCK, "Throttling", CLASS_RATE), // STS
    WORD(BEDROCK, "TooManyRequestsException", CLASS_RATE),
    WORD(BEDROCK, "ModelNotReadyException", CLASS_OVERLOAD),
    WORD(BEDROCK, "ServiceUnavailableException", CLASS_OVERLOAD),
    WORD(BEDROCK, "ServiceUnavailable", CLASS_OVERLOAD),
    WORD(BEDROCK, "ModelTimeoutException", CLASS_SERVER),
    WORD(BEDROCK, "InternalServerException", CLASS_SERVER),
    WORD(BEDROCK, "InternalFailure", CLASS_SERVER),
    WORD(BEDROCK, "ModelErrorException", CLASS_SERVER),
    WORD(BEDROCK, "ModelStreamErrorException", CLASS_SERVER),
    WORD(BEDROCK, "ServiceQuotaExceededException", CLASS_QUOTA),
    SAID(BEDROCK, 0, "ValidationException", BEGINS, "The provided model identifier is invalid",
	CLASS_NOT_FOUND),
    SAID(BEDROCK, 0, "ValidationException", BEGINS, "Invocation of model ID", CLASS_NOT_FOUND),
    WORD(BEDROCK, "ValidationException", CLASS_CLIENT),
    WORD(BEDROCK, "ConflictException", CLASS_CLIENT),
    WORD(BEDROCK, "ResourceNotFoundException", CLASS_NOT_FOUND),
    WORD(BEDROCK, "UnknownOperationException", CLASS_NOT_FOUND),
    WORD(BEDROCK, "FTUFormNotFilled", CLASS_DENIED),
    // A Bedrock API key that is wrong or past its time is an AccessDenied too.
    SAID(BEDROCK, 0, "AccessDeniedException", HOLDS, "Bearer Token has expired", CLASS_EXPIRED),
    SAID(BEDROCK, 0, "AccessDeniedException", BEGINS, "Authentication failed", CLASS_AUTH),
    WORD(BEDROCK, "AccessDeniedException", CLASS_DENIED),
    WORD(BEDROCK, "NotAuthorized", CLASS_DENIED),
    WORD(BEDROCK, "OptInRequired", CLASS_DENIED),
    WORD(BEDROCK, "ExpiredTokenException", CLASS_EXPIRED),
    WORD(BEDROCK, "ExpiredToken", CLASS_EXPIRED),
    WORD(BEDROCK, "UnrecognizedClientException", CLASS_AUTH),
    WORD(BEDROCK, "InvalidClientTokenId", CLASS_AUTH),
    WORD(BEDROCK, "InvalidSignatureException", CLASS_AUTH),
    WORD(BEDROCK, "SignatureDoesNotMatch", CLASS_AUTH),
    WORD(BEDROCK, "IncompleteSignature", CLASS_AUTH),
    WORD(BEDROCK, "IncompleteSignatureException", CLASS_AUTH),
    WORD(BEDROCK, "MissingAuthenticationToken", CLASS_AUTH),
    WORD(BEDROCK, "MissingAuthenticationTokenException", CLASS_AUTH),
    WORD(BEDROCK, "RequestExpired", CLASS_AUTH), // the signature's time: our clock
    SAID(BEDROCK, 403, NULL, BEGINS, "The security token included in the request is expired",
	CLASS_EXPIRED),
    SAID(BEDROCK, 403, NULL, BEGINS, "The security token included in the request is invalid",
	CLASS_AUTH),

    // STS
    SAID(BEDROCK, 0, "InvalidIdentityToken", BEGINS, "Couldn't retrieve verification key",
	CLASS_SERVER), // AWS could not fetch the issuer's keys; it may next time
    WORD(BEDROCK, "InvalidIdentityToken", CLASS_AUTH),
    WORD(BEDROCK, "InvalidIdentityTokenException", CLASS_AUTH),
    WORD(BEDROCK, "IDPCommunicationError", CLASS_SERVER),
    WORD(BEDROCK, "IDPRejectedClaim", CLASS_DENIED),
    WORD(BEDROCK, "AccessDenied", CLASS_DENIED),
    WORD(BEDROCK, "RegionDisabledException", CLASS_DENIED),
    WORD(BEDROCK, "MalformedPolicyDocument", CLASS_CLIENT),
    WORD(BEDROCK, "PackedPolicyTooLarge", CLASS_CLIENT),
    WORD(BEDROCK, "ValidationError", CLASS_CLIENT),

    // Google
    WORD(GOOGLE, "API_KEY_INVALID", CLASS_AUTH),
    WORD(GOOGLE, "API_KEY_EXPIRED", CLASS_AUTH),
    SAID(GOOGLE, 400, NULL, BEGINS, "API key not valid", CLASS_AUTH),
    SAID(GOOGLE, 400, NULL, BEGINS, "API key expired", CLASS_AUTH),
    SAID(GOOGLE, 403, NULL, BEGINS, "Your API key was reported as leaked", CLASS_AUTH),
    WORD(GOOGLE, "ACCESS_TOKEN_EXPIRED", CLASS_EXPIRED),
    WORD(GOOGLE, "SERVICE_DISABLED", CLASS_DENIED),
    WORD(GOOGLE, "CONSUMER_INVALID", CLASS_DENIED),
    WORD(GOOGLE, "BILLING_DISABLED", CLASS_DENIED),
    WORD(GOOGLE, "PERMISSION_DENIED", CLASS_DENIED),
    WORD(GOOGLE, "FAILED_PRECONDITION", CLASS_DENIED), // country, billing
    SAID(VERTEX, 429, NULL, HOLDS, "Exceeded the Provisioned Throughput", CLASS_OVERLOAD),
    SAID(GOOGLE, 429, NULL, HOLDS, "PerDay", CLASS_QUOTA), // a quota's id
    WORD(GOOGLE, "RESOURCE_EXHAUSTED", CLASS_RATE),
    WORD(GOOGLE, "INVALID_ARGUMENT", CLASS_CLIENT),
    WORD(GOOGLE, "NOT_FOUND", CLASS_NOT_FOUND),
    WORD(GOOGLE, "CANCELLED", CLASS_CANCELLED),
    WORD(GOOGLE, "INTERNAL", CLASS_SERVER),
    WORD(GOOGLE, "UNAVAILABLE", CLASS_OVERLOAD),
    WORD(GOOGLE, "DEADLINE_EXCEEDED", CLASS_SERVER),
    WORD(VERTEX, "invalid_grant", CLASS_AUTH),
    WORD(VERTEX, "invalid_client", CLASS_AUTH),
    WORD(VERTEX, "unauthorized_client", CLASS_DENIED),
    WORD(VERTEX, "invalid_scope", CLASS_DENIED),

    // Azure OpenAI
    WORD(AZURE, "ResponsibleAIPolicyViolation", CLASS_POLICY),
    WORD(AZURE, "DeploymentNotFound", CLASS_NOT_FOUND),

    // OpenAI and servers of its dialect
    WORD(OPENAI, "content_filter", CLASS_POLICY),
    WORD(OPENAI, "content_policy_violation", CLASS_POLICY),
    WORD(OPENAI, "moderation_blocked", CLASS_POLICY),
    WORD(OPENAI, "invalid_prompt", CLASS_POLICY),
    WORD(OPENAI, "insufficient_quota", CLASS_QUOTA),
    WORD(OPENAI, "credit_balance_exhausted", CLASS_QUOTA),
    WORD(OPENAI, "billing_hard_limit_reached", CLASS_QUOTA),
    WORD(OPENAI, "organization_spend_limit_exceeded", CLASS_QUOTA),
    WORD(OPENAI, "project_spend_limit_exceeded", CLASS_QUOTA),
    WORD(OPENAI, "organization_usage_limit_exceeded", CLASS_QUOTA),
    WORD(OPENAI, "invalid_api_key", CLASS_AUTH),
    WORD(OPENAI, "invalid_organization", CLASS_AUTH),
    WORD(OPENAI, "unsupported_country_region_territory", CLASS_DENIED),
    SAID(OPENAI, 403, "model_not_found", ANY, NULL, CLASS_DENIED), // there, but not for us
    WORD(OPENAI, "model_not_found", CLASS_NOT_FOUND),
    SAID(OPENAI, 503, "slow_down", ANY, NULL, CLASS_OVERLOAD),
    WORD(OPENAI, "slow_down", CLASS_RATE),
    WORD(OPENAI, "rate_limit_exceeded", CLASS_RATE),
    WORD(OPENAI, "server_is_overloaded", CLASS_OVERLOAD),
    SAID(OPENAI, 503, "server_error", ANY, NULL, CLASS_OVERLOAD),
    WORD(OPENAI, "server_error", CLASS_SERVER),
    SAID(OPENAI | ANTHROPIC, 409, NULL, ANY, NULL, CLASS_SERVER), // its SDKs retry it

    SAID(OPENAI, 200, "invalid_request_error", ANY, NULL, CLASS_CLIENT), // in a stream

    // Anthropic
    SAID(CLAUDE, 0, "invalid_request_error", BEGINS, "Your credit balance is too low", CLASS_QUOTA),
    SAID(CLAUDE, 0, "invalid_request_error", BEGINS,
	"You have reached your specified API usage limits", CLASS_QUOTA),
    WORD(CLAUDE, "enforced_spend_limit_reached", CLASS_QUOTA),
    WORD(CLAUDE, "contract_spend_limit_reached", CLASS_QUOTA),
    WORD(CLAUDE, "organization_spend_limit_reached", CLASS_QUOTA),
    WORD(CLAUDE, "workspace_spend_limit_reached", CLASS_QUOTA),
    WORD(CLAUDE, "invalid_request_error", CLASS_CLIENT),
    WORD(CLAUDE, "request_too_large", CLASS_CLIENT),
    WORD(ANTHROPIC, "authentication_error", CLASS_AUTH),
    WORD(CLAUDE, "billing_error", CLASS_QUOTA),
    WORD(CLAUDE, "permission_error", CLASS_DENIED),
    WORD(CLAUDE, "not_found_error", CLASS_NOT_FOUND),
    WORD(CLAUDE, "rate_limit_error", CLASS_RATE),
    WORD(CLAUDE, "overloaded_error", CLASS_OVERLOAD),
    WORD(CLAUDE, "api_error", CLASS_SERVER),
    WORD(CLAUDE, "timeout_error", CLASS_SERVER),
    WORD(CLAUDE, "conflict_error", CLASS_SERVER),
};

// --- matching ------------------------------------------------------------------------

// "com.amazon.coral.service#ThrottlingException:http://..." is ThrottlingException; an
// event stream writes its exceptions with a small first letter.
static struct view
aws_type(struct view v)
{
	const char *colon = v.len == 0 ? NULL : memchr(v.p, ':', v.len);
	if (colon != NULL)
		v.len = (size_t)(colon - v.p);
	for (size_t i = v.len; i > 0; i--)
		if (v.p[i - 1] == '#')
			return (struct view){v.p + i, v.len - i};
	return v;
}

static bool
same_letter(char a, char b)
{
	if (a >= 'A' && a <= 'Z')
		a = (char)(a - 'A' + 'a');
	if (b >= 'A' && b <= 'Z')
		b = (char)(b - 'A' + 'a');
	return a == b;
}

static bool
begins(struct view v, const char *text)
{
	size_t n = strlen(text);
	if (v.len < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!same_letter(v.p[i], text[i]))
			return false;
	return true;
}

static bool
is_word(struct view v, const char *word, bool aws)
{
	return v.len == strlen(word) && v.len != 0 &&
	       (aws ? same_letter(v.p[0], word[0]) : v.p[0] == word[0]) &&
	       memcmp(v.p + 1, word + 1, v.len - 1) == 0;
}

static bool
says(struct view message, enum how how, const char *text)
{
	if (how == ANY)
		return true;
	if (how == BEGINS)
		return begins(message, text);
	for (size_t i = 0; i < message.len; i++)
		if (begins((struct view){message.p + i, message.len - i}, text))
			return true;
	return false;
}

static bool
fits(const struct rule *r, const struct errclass_facts *f, struct view type, struct view code)
{
	bool aws = f->provider == PROVIDER_BEDROCK;
	if (f->provider >= 32 || (r->providers & BIT(f->provider)) == 0 ||
	    (r->status != 0 && r->status != f->status))
		return false;
	if (r->word != NULL && !is_word(code, r->word, aws) && !is_word(type, r->word, aws))
		return false;
	return says(f->message, r->how, r->text) ||
	       (r->how == HOLDS && says(f->code, r->how, r->text));
}

static enum error_class
by_status(unsigned status, bool temporary_key)
{
	switch (status) {
	case 401:
		return temporary_key ? CLASS_EXPIRED : CLASS_AUTH;
	case 402:
		return CLASS_QUOTA;
	case 403:
		return CLASS_DENIED;
	case 404:
	case 410:
		return CLASS_NOT_FOUND;
	case 408:
	case 424:
		return CLASS_SERVER;
	case 429:
		return CLASS_RATE;
	case 499:
		return CLASS_CANCELLED;
	case 503:
	case 529:
		return CLASS_OVERLOAD;
	default:
		break;
	}
	if (status >= 200 && status < 300)
		return CLASS_NONE;
	// No answer at all, a redirect that nobody follows, or their own fault.
	return status >= 400 && status < 500 ? CLASS_CLIENT : CLASS_SERVER;
}

enum error_class
errclass_of(const struct errclass_facts *f)
{
	struct view type = aws_type(f->type), code = aws_type(f->code);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (fits(&rules[i], f, type, code))
			return rules[i].class_id;
	// An error inside a stream comes under status 200: a name that is not in the
	// table is still an error.
	enum error_class c = by_status(f->status, f->temporary_key);
	return c == CLASS_NONE && (type.len != 0 || code.len != 0) ? CLASS_SERVER : c;
}

// --- what follows --------------------------------------------------------------------

bool
errclass_same_key(enum error_class c)
{
	return c == CLASS_EXPIRED || c == CLASS_OVERLOAD || c == CLASS_SERVER;
}

bool
errclass_next(enum error_class c)
{
	switch (c) {
	case CLASS_AUTH:
	case CLASS_EXPIRED:
	case CLASS_DENIED:
	case CLASS_NOT_FOUND:
	case CLASS_RATE:
	case CLASS_QUOTA:
	case CLASS_OVERLOAD:
	case CLASS_SERVER:
		return true;
	case CLASS_NONE:
	case CLASS_CLIENT:
	case CLASS_POLICY:
	case CLASS_CANCELLED:
		break;
	}
	return false;
}

bool
errclass_client_may_retry(enum error_class c)
{
	return c == CLASS_RATE || c == CLASS_OVERLOAD || c == CLASS_SERVER;
}
