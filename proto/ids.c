// SPDX-License-Identifier: Apache-2.0
// Names of the protocol's numbers, one sparse table per kind. Pure.
#include "proto/ids.h"

static const char *const providers[] = {
    [PROVIDER_OPENAI] = "openai",
    [PROVIDER_ANTHROPIC] = "anthropic",
    [PROVIDER_BEDROCK] = "bedrock",
    [PROVIDER_OPENAI_COMPATIBLE] = "openai-compatible",
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
};

static const char *const params[] = {
    [PARAM_BETA] = "beta",
    [PARAM_LIMIT] = "limit",
    [PARAM_AFTER_ID] = "after_id",
    [PARAM_BEFORE_ID] = "before_id",
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
    [EVENT_CREDENTIAL_ADDED] = "credential.added",
    [EVENT_CREDENTIAL_ROTATED] = "credential.rotated",
    [EVENT_CREDENTIAL_ENABLED] = "credential.enabled",
    [EVENT_CREDENTIAL_DISABLED] = "credential.disabled",
    [EVENT_CREDENTIAL_REMOVED] = "credential.removed",
    [EVENT_VKEY_ISSUED] = "vkey.issued",
    [EVENT_VKEY_REVOKED] = "vkey.revoked",
    [EVENT_VAULT_START] = "vault.start",
    [EVENT_GATEWAY_START] = "gateway.start",
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
NUMBER_FN(ids_provider_of, providers)
NUMBER_FN(ids_operation_of, operations)
NUMBER_FN(ids_header_of, headers)
NUMBER_FN(ids_param_of, params)
