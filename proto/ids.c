// SPDX-License-Identifier: Apache-2.0
// Names of the protocol's numbers, one sparse table per kind. Pure.
#include "proto/ids.h"

static const char *const providers[] = {
    [PROVIDER_OPENAI] = "openai",
    [PROVIDER_ANTHROPIC] = "anthropic",
    [PROVIDER_BEDROCK] = "bedrock",
    [PROVIDER_OPENAI_COMPATIBLE] = "openai-compatible",
    [PROVIDER_GEMINI] = "gemini",
    [PROVIDER_AZURE] = "azure",
    [PROVIDER_VERTEX] = "vertex",
};

static const char *const auths[] = {
    [AUTH_BEARER] = "bearer",
    [AUTH_API_KEY] = "x-api-key",
    [AUTH_SIGV4] = "sigv4",
    [AUTH_GOOGLE_API_KEY] = "google-api-key",
    [AUTH_AZURE_API_KEY] = "azure-api-key",
    [AUTH_GOOGLE_TOKEN] = "google-token",
    [AUTH_GOOGLE_JWT] = "google-jwt",
    [AUTH_STS_SESSION] = "sts-session",
    [AUTH_STS_ASSUME_ROLE] = "sts-assume-role",
    [AUTH_STS_WEB_IDENTITY] = "sts-web-identity",
};

static const char *const settings[] = {
    [SETTING_PROJECT] = "project",
    [SETTING_API_VERSION] = "api-version",
    [SETTING_CLIENT_EMAIL] = "client-email",
    [SETTING_PRIVATE_KEY_ID] = "private-key-id",
    [SETTING_ROLE_ARN] = "role-arn",
    [SETTING_EXTERNAL_ID] = "external-id",
    [SETTING_SESSION_NAME] = "session-name",
    [SETTING_SUBJECT] = "subject",
    [SETTING_AUDIENCE] = "audience",
    [SETTING_DURATION] = "duration",
    [SETTING_EXPIRES] = "expires",
    [SETTING_PROFILE] = "profile",
    [SETTING_STS_REGION] = "sts-region",
};

static const char *const classes[] = {
    [CLASS_NONE] = "none",
    [CLASS_CLIENT] = "client",
    [CLASS_POLICY] = "policy",
    [CLASS_AUTH] = "auth",
    [CLASS_EXPIRED] = "expired",
    [CLASS_DENIED] = "denied",
    [CLASS_NOT_FOUND] = "not_found",
    [CLASS_RATE] = "rate",
    [CLASS_QUOTA] = "quota",
    [CLASS_OVERLOAD] = "overload",
    [CLASS_SERVER] = "server",
    [CLASS_CANCELLED] = "cancelled",
};

static const char *const operations[] = {
    [OP_OPENAI_CHAT] = "chat",
    [OP_OPENAI_RESPONSES] = "responses",
    [OP_OPENAI_EMBEDDINGS] = "embeddings",
    [OP_OPENAI_MODELS] = "models",
    [OP_OPENAI_MODEL] = "model",
    [OP_ANTHROPIC_MESSAGES] = "messages",
    [OP_ANTHROPIC_COUNT_TOKENS] = "count-tokens",
    [OP_ANTHROPIC_MODELS] = "anthropic-models",
    [OP_BEDROCK_CONVERSE] = "converse",
    [OP_BEDROCK_CONVERSE_STREAM] = "converse-stream",
    [OP_BEDROCK_INVOKE] = "invoke",
    [OP_BEDROCK_INVOKE_STREAM] = "invoke-stream",
    [OP_BEDROCK_COUNT_TOKENS] = "bedrock-count-tokens",
    [OP_GENERATE_CONTENT] = "generate-content",
    [OP_STREAM_GENERATE_CONTENT] = "stream-generate-content",
    [OP_GOOGLE_COUNT_TOKENS] = "google-count-tokens",
    [OP_EMBED_CONTENT] = "embed-content",
    [OP_BATCH_EMBED_CONTENTS] = "batch-embed-contents",
    [OP_GOOGLE_MODELS] = "google-models",
    [OP_GOOGLE_MODEL] = "google-model",
    [OP_PREDICT] = "predict",
    [OP_RAW_PREDICT] = "raw-predict",
    [OP_STREAM_RAW_PREDICT] = "stream-raw-predict",
    [OP_RAW_PREDICT_COUNT] = "raw-predict-count",
    [OP_STS_GET_SESSION_TOKEN] = "sts-get-session-token",
    [OP_STS_ASSUME_ROLE] = "sts-assume-role",
    [OP_STS_ASSUME_ROLE_WITH_WEB_IDENTITY] = "sts-assume-role-with-web-identity",
    [OP_STS_GET_CALLER_IDENTITY] = "sts-get-caller-identity",
    [OP_GOOGLE_TOKEN] = "google-token",
};

static const char *const headers[] = {
    [HEADER_CONTENT_TYPE] = "content-type",
    [HEADER_ACCEPT] = "accept",
    [HEADER_ANTHROPIC_VERSION] = "anthropic-version",
    [HEADER_ANTHROPIC_BETA] = "anthropic-beta",
    [HEADER_OPENAI_BETA] = "openai-beta",
    [HEADER_BEDROCK_ACCEPT] = "x-amzn-bedrock-accept",
    [HEADER_BEDROCK_TRACE] = "x-amzn-bedrock-trace",
    [HEADER_BEDROCK_GUARDRAIL_ID] = "x-amzn-bedrock-guardrailidentifier",
    [HEADER_BEDROCK_GUARDRAIL_VERSION] = "x-amzn-bedrock-guardrailversion",
    [HEADER_BEDROCK_LATENCY] = "x-amzn-bedrock-performanceconfig-latency",
    [HEADER_BEDROCK_SERVICE_TIER] = "x-amzn-bedrock-service-tier",
    [HEADER_VERTEX_REQUEST_TYPE] = "x-vertex-ai-llm-request-type",
    [HEADER_VERTEX_SHARED_REQUEST_TYPE] = "x-vertex-ai-llm-shared-request-type",
    [HEADER_GOOG_API_CLIENT] = "x-goog-api-client",
    [HEADER_SERVER_TIMEOUT] = "x-server-timeout",
    [HEADER_BEDROCK_REQUEST_METADATA] = "x-amzn-bedrock-request-metadata",
};

static const char *const params[] = {
    [PARAM_BETA] = "beta",
    [PARAM_LIMIT] = "limit",
    [PARAM_AFTER_ID] = "after_id",
    [PARAM_BEFORE_ID] = "before_id",
    [PARAM_API_VERSION] = "api-version",
    [PARAM_PAGE_SIZE] = "pageSize",
    [PARAM_PAGE_TOKEN] = "pageToken",
};

static const char *const events[] = {
    [EVENT_GENESIS] = "genesis",
    [EVENT_AUDIT_START] = "audit.start",
    [EVENT_AUDIT_STOP] = "audit.stop",
    [EVENT_SEGMENT_OPEN] = "segment.open",
    [EVENT_AUDIT_EXHAUSTED] = "audit.storage_exhausted",
    [EVENT_AUDIT_RECOVERED] = "audit.storage_recovered",
    [EVENT_KEY_INTENT] = "key.intent",
    [EVENT_KEY_COMPLETE] = "key.complete",
    [EVENT_KEY_INTENT_VOID] = "key.intent.void",
    [EVENT_INTENT_ORPHAN] = "intent.orphan",
    [EVENT_KEY_DENIED] = "key.denied",
    [EVENT_KEY_LEAK_STOPPED] = "key.leak_stopped",
    [EVENT_UPSTREAM_UNVERIFIED] = "upstream.unverified",
    [EVENT_SEALER_DIED] = "sealer.died",
    [EVENT_PEER_REJECTED] = "peer.rejected",
    [EVENT_CLIENT_DENIED] = "client.denied",
    [EVENT_TOKEN_REFRESHED] = "token.refreshed",
    [EVENT_TOKEN_FAILED] = "token.failed",
    [EVENT_CREDENTIAL_ADDED] = "credential.added",
    [EVENT_CREDENTIAL_ROTATED] = "credential.rotated",
    [EVENT_CREDENTIAL_ENABLED] = "credential.enabled",
    [EVENT_CREDENTIAL_DISABLED] = "credential.disabled",
    [EVENT_CREDENTIAL_REMOVED] = "credential.removed",
    [EVENT_CREDENTIAL_TESTED] = "credential.tested",
    [EVENT_VKEY_ISSUED] = "vkey.issued",
    [EVENT_VKEY_REVOKED] = "vkey.revoked",
    [EVENT_VAULT_START] = "vault.start",
    [EVENT_GATEWAY_START] = "gateway.start",
    [EVENT_CATALOGUE_APPLIED] = "catalogue.applied",
    [EVENT_ISSUER_CHANGED] = "issuer.changed",
};

static const char *const attrs[] = {
    [ATTR_OPERATION] = "operation",
    [ATTR_PROVIDER] = "provider",
    [ATTR_MODEL] = "model",
    [ATTR_UPSTREAM_HOST] = "upstream_host",
    [ATTR_REGION] = "region",
    [ATTR_STATUS] = "status",
    [ATTR_UPSTREAM_STATUS] = "upstream_status",
    [ATTR_TOKENS_IN] = "tokens_in",
    [ATTR_TOKENS_OUT] = "tokens_out",
    [ATTR_BYTES_IN] = "bytes_in",
    [ATTR_BYTES_OUT] = "bytes_out",
    [ATTR_DURATION_US] = "duration_us",
    [ATTR_FIRST_BYTE_US] = "first_byte_us",
    [ATTR_STREAM] = "stream",
    [ATTR_BODY_SHA256] = "body_sha256",
    [ATTR_REASON] = "reason",
    [ATTR_COUNT] = "count",
    [ATTR_SIGNAL] = "signal",
    [ATTR_CLIENT] = "client",
    [ATTR_VERSION] = "version",
    [ATTR_NAME] = "name",
    [ATTR_PROVIDER_REQUEST_ID] = "provider_request_id",
    [ATTR_COST] = "cost_nano_usd",
    [ATTR_ERROR_CLASS] = "error_class",
    [ATTR_INGRESS] = "ingress",
    [ATTR_TOKENS_CACHED] = "tokens_cached",
    [ATTR_TOKENS_REASONING] = "tokens_reasoning",
    [ATTR_EXPIRES] = "expires",
};

static const char *
name_of(const char *const *table, size_t n, uint64_t v)
{
	return v < n ? table[v] : NULL;
}

static unsigned
number_of(const char *const *table, size_t n, struct view name)
{
	for (size_t i = 0; i < n; i++)
		if (table[i] != NULL && view_eq_str(name, table[i]))
			return (unsigned)i;
	return 0;
}

#define NAME_FN(fn, table)                                                                         \
	const char *fn(uint64_t v)                                                                 \
	{                                                                                          \
		return name_of(table, ARRAY_LEN(table), v);                                        \
	}
#define NUMBER_FN(fn, table)                                                                       \
	unsigned fn(struct view name)                                                              \
	{                                                                                          \
		return number_of(table, ARRAY_LEN(table), name);                                   \
	}

NAME_FN(ids_provider, providers)
NAME_FN(ids_operation, operations)
NAME_FN(ids_header, headers)
NAME_FN(ids_param, params)
NAME_FN(ids_event, events)
NAME_FN(ids_attr, attrs)
NAME_FN(ids_auth, auths)
NAME_FN(ids_setting, settings)
NAME_FN(ids_class, classes)
NUMBER_FN(ids_provider_of, providers)
NUMBER_FN(ids_operation_of, operations)
NUMBER_FN(ids_header_of, headers)
NUMBER_FN(ids_param_of, params)
NUMBER_FN(ids_auth_of, auths)
NUMBER_FN(ids_setting_of, settings)
