// SPDX-License-Identifier: Apache-2.0
// The class of every failure that the vendors document, row by row.
#include "proto/errclass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define OA PROVIDER_OPENAI
#define OC PROVIDER_OPENAI_COMPATIBLE
#define AN PROVIDER_ANTHROPIC
#define BR PROVIDER_BEDROCK
#define GE PROVIDER_GEMINI
#define AZ PROVIDER_AZURE
#define VX PROVIDER_VERTEX

struct row {
	enum provider provider;
	unsigned status;
	const char *type, *code, *message;
	enum error_class want;
	bool temporary;
};

static void
check(const struct row *rows, size_t n)
{
	size_t wrong = 0;
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		struct errclass_facts f = {.provider = r->provider,
		    .status = r->status,
		    .type = view_of(r->type),
		    .code = view_of(r->code),
		    .message = view_of(r->message),
		    .temporary_key = r->temporary};
		enum error_class got = errclass_of(&f);
		if (got == r->want)
			continue;
		wrong++;
		fprintf(stderr, "row %zu: %s %u type %s code %s: %s, want %s\n", i,
		    ids_provider(r->provider), r->status, r->type, r->code, ids_class(got),
		    ids_class(r->want));
	}
	assert_int_equal(wrong, 0);
}

static void
test_bedrock(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {BR, 429, "ThrottlingException", 0, "Too many requests", CLASS_RATE, 0},
	    {BR, 429, "ThrottlingException", 0, "Too many tokens per day, please wait", CLASS_QUOTA,
		0},
	    {BR, 429, "com.amazon.coral.service#ThrottlingException:http://internal.amazon.com/", 0,
		"", CLASS_RATE, 0},
	    {BR, 200, "throttlingException", 0, "Too many tokens", CLASS_RATE, 0}, // event stream
	    {BR, 429, "ModelNotReadyException", 0, "", CLASS_OVERLOAD, 0},
	    {BR, 408, "ModelTimeoutException", 0, "", CLASS_SERVER, 0},
	    {BR, 503, "ServiceUnavailableException", 0, "", CLASS_OVERLOAD, 0},
	    {BR, 200, "serviceUnavailableException", 0, "", CLASS_OVERLOAD, 0},
	    {BR, 500, "InternalServerException", 0, "", CLASS_SERVER, 0},
	    {BR, 500, "InternalFailure", 0, "", CLASS_SERVER, 0},
	    {BR, 424, "ModelErrorException", 0, "", CLASS_SERVER, 0},
	    {BR, 424, "ModelStreamErrorException", 0, "", CLASS_SERVER, 0},
	    {BR, 200, "modelStreamErrorException", 0, "", CLASS_SERVER, 0},
	    {BR, 400, "ServiceQuotaExceededException", 0, "", CLASS_QUOTA, 0},
	    {BR, 400, "ValidationException", 0, "max_tokens: must be positive", CLASS_CLIENT, 0},
	    {BR, 400, "ValidationException", 0, "The provided model identifier is invalid.",
		CLASS_NOT_FOUND, 0},
	    {BR, 400, "ValidationException", 0,
		"Invocation of model ID anthropic.x with on-demand throughput isn't supported. "
		"Retry your request with the ID or ARN of an inference profile",
		CLASS_NOT_FOUND, 0},
	    // Words that a client may have written change nothing.
	    {BR, 400, "ValidationException", 0,
		"bad: \"The provided model identifier is invalid. per day\"", CLASS_CLIENT, 0},
	    {BR, 400, "ConflictException", 0, "", CLASS_CLIENT, 0},
	    {BR, 404, "ResourceNotFoundException", 0, "", CLASS_NOT_FOUND, 0},
	    {BR, 404, "UnknownOperationException", 0, "", CLASS_NOT_FOUND, 0},
	    {BR, 200, "UnknownOperationException", 0, "", CLASS_NOT_FOUND, 0},
	    {BR, 403, "AccessDeniedException", 0, "You don't have access to the model",
		CLASS_DENIED, 0},
	    {BR, 403, "AccessDeniedException", 0,
		"Authentication failed: Please make sure your API Key is valid.", CLASS_AUTH, 0},
	    {BR, 403, "AccessDeniedException", 0, "Bearer Token has expired", CLASS_EXPIRED, 0},
	    {BR, 404, "FTUFormNotFilled", 0, "", CLASS_DENIED, 0},
	    {BR, 403, "ExpiredTokenException", 0, "", CLASS_EXPIRED, 1},
	    {BR, 403, 0, "ExpiredToken", "", CLASS_EXPIRED, 1},
	    {BR, 403, 0, 0, "The security token included in the request is expired", CLASS_EXPIRED,
		1},
	    {BR, 403, 0, 0, "The security token included in the request is invalid.", CLASS_AUTH,
		1},
	    {BR, 403, "UnrecognizedClientException", 0, "", CLASS_AUTH, 0},
	    {BR, 403, "InvalidSignatureException", 0, "Signature expired", CLASS_AUTH, 0},
	    {BR, 403, "IncompleteSignature", 0, "", CLASS_AUTH, 0},
	    {BR, 403, "MissingAuthenticationToken", 0, "", CLASS_AUTH, 0},
	    {BR, 400, "RequestExpired", 0, "", CLASS_AUTH, 0},
	    {BR, 400, "NotAuthorized", 0, "", CLASS_DENIED, 0},
	    {BR, 529, 0, 0, "", CLASS_OVERLOAD, 0},
	};
	check(rows, ARRAY_LEN(rows));
}

static void
test_sts(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {BR, 400, 0, "ExpiredTokenException", "", CLASS_EXPIRED, 0},
	    {BR, 400, 0, "InvalidIdentityToken", "Incorrect token audience", CLASS_AUTH, 0},
	    {BR, 400, 0, "InvalidIdentityToken",
		"Couldn't retrieve verification key from your identity provider", CLASS_SERVER, 0},
	    {BR, 400, 0, "IDPCommunicationError", "", CLASS_SERVER, 0},
	    {BR, 403, 0, "IDPRejectedClaim", "", CLASS_DENIED, 0},
	    {BR, 403, 0, "AccessDenied", "Not authorized to perform sts:AssumeRole", CLASS_DENIED,
		0},
	    {BR, 403, 0, "AccessDenied", "Cannot call GetSessionToken with session credentials",
		CLASS_DENIED, 1},
	    {BR, 400, 0, "MalformedPolicyDocument", "", CLASS_CLIENT, 0},
	    {BR, 400, 0, "PackedPolicyTooLarge", "", CLASS_CLIENT, 0},
	    {BR, 400, 0, "ValidationError", "", CLASS_CLIENT, 0},
	    {BR, 403, 0, "RegionDisabledException", "", CLASS_DENIED, 0},
	    {BR, 403, 0, "InvalidClientTokenId", "", CLASS_AUTH, 0},
	    {BR, 403, 0, "SignatureDoesNotMatch", "", CLASS_AUTH, 0},
	    {BR, 400, 0, "Throttling", "Rate exceeded", CLASS_RATE, 0},
	};
	check(rows, ARRAY_LEN(rows));
}

static void
test_google(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {GE, 400, "INVALID_ARGUMENT", 0, "Unknown name", CLASS_CLIENT, 0},
	    {GE, 400, "INVALID_ARGUMENT", "API_KEY_INVALID", "", CLASS_AUTH, 0},
	    {GE, 400, "INVALID_ARGUMENT", 0, "API key not valid. Please pass a valid API key.",
		CLASS_AUTH, 0},
	    {GE, 400, "FAILED_PRECONDITION", 0, "User location is not supported", CLASS_DENIED, 0},
	    {GE, 402, 0, 0, "", CLASS_QUOTA, 0},
	    {GE, 403, "PERMISSION_DENIED", 0, "", CLASS_DENIED, 0},
	    {GE, 403, "PERMISSION_DENIED", 0, "Your API key was reported as leaked.", CLASS_AUTH,
		0},
	    {GE, 404, "NOT_FOUND", 0, "", CLASS_NOT_FOUND, 0},
	    {GE, 429, "RESOURCE_EXHAUSTED", 0, "", CLASS_RATE, 0},
	    {GE, 429, "RESOURCE_EXHAUSTED", "GenerateRequestsPerMinutePerProjectPerModel", "",
		CLASS_RATE, 0},
	    {GE, 429, "RESOURCE_EXHAUSTED", "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "",
		CLASS_QUOTA, 0},
	    {GE, 499, "CANCELLED", 0, "", CLASS_CANCELLED, 0},
	    {GE, 500, "INTERNAL", 0, "", CLASS_SERVER, 0},
	    {GE, 503, "UNAVAILABLE", 0, "The model is overloaded.", CLASS_OVERLOAD, 0},
	    {GE, 504, "DEADLINE_EXCEEDED", 0, "", CLASS_SERVER, 0},
	    {GE, 200, "UNAVAILABLE", 0, "", CLASS_OVERLOAD, 0}, // in a stream
	    {VX, 401, "UNAUTHENTICATED", 0, "", CLASS_EXPIRED, 1},
	    {VX, 401, "UNAUTHENTICATED", 0, "", CLASS_AUTH, 0},
	    {VX, 401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED", "", CLASS_EXPIRED, 1},
	    {VX, 403, "PERMISSION_DENIED", "SERVICE_DISABLED", "", CLASS_DENIED, 1},
	    {VX, 403, "PERMISSION_DENIED", "CONSUMER_INVALID", "", CLASS_DENIED, 1},
	    {VX, 403, "PERMISSION_DENIED", "BILLING_DISABLED", "", CLASS_DENIED, 1},
	    {VX, 429, "RESOURCE_EXHAUSTED", 0, "Resource exhausted, please try again later.",
		CLASS_RATE, 1},
	    {VX, 429, "RESOURCE_EXHAUSTED", 0,
		"Too many requests. Exceeded the Provisioned Throughput.", CLASS_OVERLOAD, 1},
	    {VX, 404, 0, 0, "<html>", CLASS_NOT_FOUND, 1},
	    {VX, 529, "overloaded_error", 0, "", CLASS_OVERLOAD, 1}, // Claude there
	    {VX, 400, "invalid_request_error", 0, "", CLASS_CLIENT, 1},
	    {VX, 400, "invalid_grant", 0, "Invalid JWT Signature.", CLASS_AUTH, 0},
	    {VX, 401, "invalid_client", 0, "", CLASS_AUTH, 1},
	    {VX, 400, "invalid_scope", 0, "", CLASS_DENIED, 0},
	};
	check(rows, ARRAY_LEN(rows));
}

static void
test_azure(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {AZ, 400, 0, "content_filter", "", CLASS_POLICY, 0},
	    {AZ, 400, 0, "ResponsibleAIPolicyViolation", "", CLASS_POLICY, 0},
	    {AZ, 400, 0, "unsupported_parameter", "", CLASS_CLIENT, 0},
	    {AZ, 401, 0, "401", "Access denied due to invalid subscription key", CLASS_AUTH, 0},
	    {AZ, 401, 0, 0, "", CLASS_EXPIRED, 1},
	    {AZ, 403, 0, "403", "Public access is disabled", CLASS_DENIED, 0},
	    {AZ, 404, 0, "DeploymentNotFound", "", CLASS_NOT_FOUND, 0},
	    {AZ, 404, 0, "404", "Resource not found", CLASS_NOT_FOUND, 0},
	    {AZ, 408, 0, 0, "", CLASS_SERVER, 0},
	    {AZ, 424, 0, 0, "", CLASS_SERVER, 0},
	    {AZ, 429, 0, "429", "Please retry after 6 seconds", CLASS_RATE, 0},
	    {AZ, 429, 0, "RateLimitReached", "", CLASS_RATE, 0},
	    {AZ, 429, 0, "insufficient_quota", "", CLASS_QUOTA, 0},
	    {AZ, 500, 0, 0, "", CLASS_SERVER, 0},
	    {AZ, 503, 0, 0, "", CLASS_OVERLOAD, 0},
	};
	check(rows, ARRAY_LEN(rows));
}

static void
test_openai(void **state)
{
	(void)state;
	static const char inv[] = "invalid_request_error";
	static const struct row rows[] = {
	    {OA, 400, inv, "context_length_exceeded", "", CLASS_CLIENT, 0},
	    {OA, 400, inv, "unsupported_parameter", "", CLASS_CLIENT, 0},
	    {OA, 400, inv, "unsupported_value", "", CLASS_CLIENT, 0},
	    {OA, 400, inv, "invalid_value", "", CLASS_CLIENT, 0},
	    {OA, 400, inv, "string_above_max_length", "", CLASS_CLIENT, 0},
	    {OA, 400, inv, "content_policy_violation", "", CLASS_POLICY, 0},
	    {OA, 400, inv, "invalid_prompt", "", CLASS_POLICY, 0},
	    {OA, 401, inv, "invalid_api_key", "", CLASS_AUTH, 0},
	    {OA, 401, inv, "invalid_organization", "", CLASS_AUTH, 0},
	    {OA, 401, inv, 0, "", CLASS_AUTH, 0},
	    {OA, 403, 0, "unsupported_country_region_territory", "", CLASS_DENIED, 0},
	    {OA, 403, inv, "model_not_found", "", CLASS_DENIED, 0},
	    {OA, 404, inv, "model_not_found", "", CLASS_NOT_FOUND, 0},
	    {OA, 409, 0, 0, "", CLASS_SERVER, 0},
	    {OA, 413, 0, 0, "", CLASS_CLIENT, 0},
	    {OA, 422, 0, 0, "", CLASS_CLIENT, 0},
	    {OA, 429, "requests", "rate_limit_exceeded", "", CLASS_RATE, 0},
	    {OA, 429, "tokens", "rate_limit_exceeded", "", CLASS_RATE, 0},
	    {OA, 429, 0, "slow_down", "", CLASS_RATE, 0},
	    {OA, 503, 0, "slow_down", "", CLASS_OVERLOAD, 0},
	    {OA, 429, "insufficient_quota", "insufficient_quota", "", CLASS_QUOTA, 0},
	    {OA, 429, 0, "credit_balance_exhausted", "", CLASS_QUOTA, 0},
	    {OA, 429, 0, "organization_spend_limit_exceeded", "", CLASS_QUOTA, 0},
	    {OA, 429, 0, "project_spend_limit_exceeded", "", CLASS_QUOTA, 0},
	    {OA, 429, 0, "organization_usage_limit_exceeded", "", CLASS_QUOTA, 0},
	    {OA, 500, "server_error", 0, "", CLASS_SERVER, 0},
	    {OA, 200, "server_error", 0, "", CLASS_SERVER, 0},
	    {OA, 200, inv, 0, "", CLASS_CLIENT, 0},
	    {OA, 502, 0, 0, "", CLASS_SERVER, 0},
	    {OA, 503, 0, "server_is_overloaded", "", CLASS_OVERLOAD, 0},
	    {OA, 504, 0, 0, "", CLASS_SERVER, 0},
	    {OC, 429, 0, "insufficient_quota", "", CLASS_QUOTA, 0},
	    {OC, 302, 0, 0, "", CLASS_SERVER, 0},
	};
	check(rows, ARRAY_LEN(rows));
}

static void
test_anthropic(void **state)
{
	(void)state;
	static const char inv[] = "invalid_request_error";
	static const struct row rows[] = {
	    {AN, 400, inv, 0, "messages: at least one", CLASS_CLIENT, 0},
	    {AN, 400, inv, 0, "Your credit balance is too low to access the Anthropic API",
		CLASS_QUOTA, 0},
	    {AN, 400, inv, 0, "You have reached your specified API usage limits.", CLASS_QUOTA, 0},
	    {AN, 400, inv, 0, "tools.0.name: \"Your credit balance is too low\"", CLASS_CLIENT, 0},
	    {AN, 401, "authentication_error", 0, "invalid x-api-key", CLASS_AUTH, 0},
	    {AN, 402, "billing_error", 0, "", CLASS_QUOTA, 0},
	    {AN, 403, "permission_error", 0, "", CLASS_DENIED, 0},
	    {AN, 404, "not_found_error", 0, "model: x", CLASS_NOT_FOUND, 0},
	    {AN, 409, "conflict_error", 0, "", CLASS_SERVER, 0},
	    {AN, 413, "request_too_large", 0, "", CLASS_CLIENT, 0},
	    {AN, 413, 0, 0, "", CLASS_CLIENT, 0},
	    {AN, 429, "rate_limit_error", 0, "", CLASS_RATE, 0},
	    {AN, 429, "rate_limit_error", "enforced_spend_limit_reached", "", CLASS_QUOTA, 0},
	    {AN, 429, "rate_limit_error", "contract_spend_limit_reached", "", CLASS_QUOTA, 0},
	    {AN, 500, "api_error", 0, "", CLASS_SERVER, 0},
	    {AN, 504, "timeout_error", 0, "", CLASS_SERVER, 0},
	    {AN, 529, "overloaded_error", 0, "Overloaded", CLASS_OVERLOAD, 0},
	    {AN, 200, "overloaded_error", 0, "Overloaded", CLASS_OVERLOAD, 0}, // in a stream
	};
	check(rows, ARRAY_LEN(rows));
}

// Inside a stream, under status 200, only the name speaks.
static void
test_names_alone(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {BR, 200, "TooManyRequestsException", 0, "", CLASS_RATE, 0},
	    {BR, 200, "ServiceUnavailable", 0, "", CLASS_OVERLOAD, 0},
	    {BR, 200, "ModelTimeoutException", 0, "", CLASS_SERVER, 0},
	    {BR, 200, "ValidationException", 0, "", CLASS_CLIENT, 0},
	    {BR, 200, "ConflictException", 0, "", CLASS_CLIENT, 0},
	    {BR, 200, "ResourceNotFoundException", 0, "", CLASS_NOT_FOUND, 0},
	    {BR, 200, "AccessDeniedException", 0, "", CLASS_DENIED, 0},
	    {BR, 200, "OptInRequired", 0, "", CLASS_DENIED, 0},
	    {BR, 200, "IncompleteSignatureException", 0, "", CLASS_AUTH, 0},
	    {BR, 200, "MissingAuthenticationTokenException", 0, "", CLASS_AUTH, 0},
	    {BR, 200, "InvalidIdentityTokenException", 0, "", CLASS_AUTH, 0},
	    {BR, 200, "IDPRejectedClaim", 0, "", CLASS_DENIED, 0},
	    {BR, 200, "AccessDenied", 0, "", CLASS_DENIED, 0},
	    {BR, 200, "RegionDisabledException", 0, "", CLASS_DENIED, 0},
	    {BR, 200, "MalformedPolicyDocument", 0, "", CLASS_CLIENT, 0},
	    {BR, 200, "PackedPolicyTooLarge", 0, "", CLASS_CLIENT, 0},
	    {BR, 200, "ValidationError", 0, "", CLASS_CLIENT, 0},
	    {GE, 200, "API_KEY_EXPIRED", 0, "", CLASS_AUTH, 0},
	    {GE, 200, "ACCESS_TOKEN_EXPIRED", 0, "", CLASS_EXPIRED, 0},
	    {GE, 200, "SERVICE_DISABLED", 0, "", CLASS_DENIED, 0},
	    {GE, 200, "CONSUMER_INVALID", 0, "", CLASS_DENIED, 0},
	    {GE, 200, "BILLING_DISABLED", 0, "", CLASS_DENIED, 0},
	    {GE, 200, "PERMISSION_DENIED", 0, "", CLASS_DENIED, 0},
	    {GE, 200, "RESOURCE_EXHAUSTED", 0, "", CLASS_RATE, 0},
	    {GE, 200, "INVALID_ARGUMENT", 0, "", CLASS_CLIENT, 0},
	    {GE, 200, "NOT_FOUND", 0, "", CLASS_NOT_FOUND, 0},
	    {GE, 200, "CANCELLED", 0, "", CLASS_CANCELLED, 0},
	    {VX, 200, "unauthorized_client", 0, "", CLASS_DENIED, 0},
	    {AZ, 200, "DeploymentNotFound", 0, "", CLASS_NOT_FOUND, 0},
	    {OA, 200, "moderation_blocked", 0, "", CLASS_POLICY, 0},
	    {OA, 200, "billing_hard_limit_reached", 0, "", CLASS_QUOTA, 0},
	    {OA, 200, "invalid_api_key", 0, "", CLASS_AUTH, 0},
	    {OA, 200, "invalid_organization", 0, "", CLASS_AUTH, 0},
	    {OA, 200, "unsupported_country_region_territory", 0, "", CLASS_DENIED, 0},
	    {OA, 200, "model_not_found", 0, "", CLASS_NOT_FOUND, 0},
	    {OA, 200, "slow_down", 0, "", CLASS_RATE, 0},
	    {OA, 200, "rate_limit_exceeded", 0, "", CLASS_RATE, 0},
	    {OA, 200, "server_is_overloaded", 0, "", CLASS_OVERLOAD, 0},
	    {AN, 200, "organization_spend_limit_reached", 0, "", CLASS_QUOTA, 0},
	    {AN, 200, "workspace_spend_limit_reached", 0, "", CLASS_QUOTA, 0},
	    {AN, 200, "invalid_request_error", 0, "", CLASS_CLIENT, 0},
	    {AN, 200, "request_too_large", 0, "", CLASS_CLIENT, 0},
	    {AN, 200, "authentication_error", 0, "", CLASS_AUTH, 0},
	    {AN, 200, "billing_error", 0, "", CLASS_QUOTA, 0},
	    {AN, 200, "permission_error", 0, "", CLASS_DENIED, 0},
	    {AN, 200, "not_found_error", 0, "", CLASS_NOT_FOUND, 0},
	    {AN, 200, "rate_limit_error", 0, "", CLASS_RATE, 0},
	    {BR, 200, "overloaded_error", 0, "", CLASS_OVERLOAD, 0},
	    // Under a status that would say something else.
	    {BR, 400, "ModelTimeoutException", 0, "", CLASS_SERVER, 0},
	    {BR, 400, "InternalServerException", 0, "", CLASS_SERVER, 0},
	    {BR, 400, "InternalFailure", 0, "", CLASS_SERVER, 0},
	    {BR, 400, "ModelErrorException", 0, "", CLASS_SERVER, 0},
	    {BR, 400, "ModelStreamErrorException", 0, "", CLASS_SERVER, 0},
	    {GE, 400, "INTERNAL", 0, "", CLASS_SERVER, 0},
	    {GE, 400, "DEADLINE_EXCEEDED", 0, "", CLASS_SERVER, 0},
	    {OA, 400, "server_error", 0, "", CLASS_SERVER, 0},
	    {AN, 400, "api_error", 0, "", CLASS_SERVER, 0},
	    {AN, 400, "timeout_error", 0, "", CLASS_SERVER, 0},
	    {AN, 400, "conflict_error", 0, "", CLASS_SERVER, 0},
	    {OA, 503, "server_error", 0, "", CLASS_OVERLOAD, 0},
	    {GE, 400, "INVALID_ARGUMENT", 0, "API key expired. Please renew the API key.",
		CLASS_AUTH, 0},
	};
	check(rows, ARRAY_LEN(rows));
}

static void
test_without_words(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {OA, 0, 0, 0, "", CLASS_SERVER, 0}, // no answer
	    {OA, 200, 0, 0, "", CLASS_NONE, 0},
	    {OA, 200, "something_new", 0, "", CLASS_SERVER, 0},
	    {OA, 418, 0, 0, "", CLASS_CLIENT, 0},
	    {OA, 599, 0, 0, "", CLASS_SERVER, 0},
	    {BR, 499, 0, 0, "", CLASS_CANCELLED, 0},
	    {0, 429, "rate_limit_error", 0, "", CLASS_RATE, 0},
	    {OA, 429, "overloaded_error", 0, "", CLASS_RATE, 0}, // another vendor's word
	    {AN, 400, "#:", ":", "", CLASS_CLIENT, 0},
	};
	check(rows, ARRAY_LEN(rows));
	struct errclass_facts far = {.provider = 4000, .status = 500};
	assert_int_equal(errclass_of(&far), CLASS_SERVER);
}

// The table "same", "next" and x-should-retry by class.
static void
test_what_follows(void **state)
{
	(void)state;
	static const struct {
		bool same, next, client;
	} want[CLASS_LAST + 1] = {
	    [CLASS_NONE] = {0, 0, 0},
	    [CLASS_CLIENT] = {0, 0, 0},
	    [CLASS_POLICY] = {0, 0, 0},
	    [CLASS_AUTH] = {0, 1, 0},
	    [CLASS_EXPIRED] = {1, 1, 0},
	    [CLASS_DENIED] = {0, 1, 0},
	    [CLASS_NOT_FOUND] = {0, 1, 0},
	    [CLASS_RATE] = {0, 1, 1},
	    [CLASS_QUOTA] = {0, 1, 0},
	    [CLASS_OVERLOAD] = {1, 1, 1},
	    [CLASS_SERVER] = {1, 1, 1},
	    [CLASS_CANCELLED] = {0, 0, 0},
	};
	for (unsigned c = 0; c <= CLASS_LAST; c++) {
		assert_int_equal(errclass_same_key((enum error_class)c), want[c].same);
		assert_int_equal(errclass_next((enum error_class)c), want[c].next);
		assert_int_equal(errclass_client_may_retry((enum error_class)c), want[c].client);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bedrock),
	    cmocka_unit_test(test_sts),
	    cmocka_unit_test(test_google),
	    cmocka_unit_test(test_azure),
	    cmocka_unit_test(test_openai),
	    cmocka_unit_test(test_anthropic),
	    cmocka_unit_test(test_names_alone),
	    cmocka_unit_test(test_without_words),
	    cmocka_unit_test(test_what_follows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
