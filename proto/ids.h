// SPDX-License-Identifier: Apache-2.0
// The numbers that messages use for things that have names outside: providers,
// credential kinds, operations, request headers, query parameters, audit events
// and attributes. Numbers are part of the protocol and of stored records: they
// are only ever added. Names come from ids.c, the one table for both directions.
#ifndef PROTO_IDS_H
#define PROTO_IDS_H

#include "common/mp.h"

enum provider {
	PROVIDER_OPENAI = 1,
	PROVIDER_ANTHROPIC = 2,
	PROVIDER_BEDROCK = 3,
	PROVIDER_OPENAI_COMPATIBLE = 4, // own host, optional own CA
};

// How the secret reaches the provider.
enum auth_scheme {
	AUTH_BEARER = 1,  // Authorization: Bearer <secret>
	AUTH_API_KEY = 2, // x-api-key: <secret>
	AUTH_SIGV4 = 3,	  // AWS Signature Version 4; the secret itself is never sent
};

// What a client may ask for. The catalogue (vaultd/catalogue.c) maps each to
// method, path template, providers and allowed headers; nothing else exists.
enum operation {
	OP_OPENAI_CHAT = 1,
	OP_OPENAI_RESPONSES = 2,
	OP_OPENAI_EMBEDDINGS = 3,
	OP_OPENAI_MODELS = 4,
	OP_OPENAI_MODEL = 5,
	OP_ANTHROPIC_MESSAGES = 6,
	OP_ANTHROPIC_COUNT_TOKENS = 7,
	OP_ANTHROPIC_MODELS = 8,
	OP_BEDROCK_CONVERSE = 9,
	OP_BEDROCK_CONVERSE_STREAM = 10,
	OP_BEDROCK_INVOKE = 11,
	OP_BEDROCK_INVOKE_STREAM = 12,
	OP_LAST = OP_BEDROCK_INVOKE_STREAM,
};

// Request headers that a client may set upstream. Everything else is dropped.
enum header_id {
	HEADER_CONTENT_TYPE = 1,
	HEADER_ACCEPT = 2,
	HEADER_ANTHROPIC_VERSION = 3,
	HEADER_ANTHROPIC_BETA = 4,
	HEADER_OPENAI_BETA = 5,
	HEADER_BEDROCK_ACCEPT = 6, // x-amzn-bedrock-accept
	HEADER_BEDROCK_TRACE = 7,
	HEADER_BEDROCK_GUARDRAIL_ID = 8,
	HEADER_BEDROCK_GUARDRAIL_VERSION = 9,
	HEADER_BEDROCK_LATENCY = 10, // x-amzn-bedrock-performanceconfig-latency
	HEADER_BEDROCK_SERVICE_TIER = 11,
	HEADER_LAST = HEADER_BEDROCK_SERVICE_TIER,
};

// Query parameters that the catalogue allows on some operations.
enum param_id {
	PARAM_BETA = 1, // ?beta=true (Anthropic SDKs)
	PARAM_LIMIT = 2,
	PARAM_AFTER_ID = 3,
	PARAM_BEFORE_ID = 4,
	PARAM_LAST = PARAM_BEFORE_ID,
};

enum audit_event {
	EVENT_GENESIS = 1,
	EVENT_AUDIT_START = 2,
	EVENT_AUDIT_STOP = 3,
	EVENT_SEGMENT_OPEN = 4,
	EVENT_AUDIT_EXHAUSTED = 5, // no space for new work; completions use the reserve
	EVENT_AUDIT_RECOVERED = 6,
	EVENT_KEY_INTENT = 16,
	EVENT_KEY_COMPLETE = 17,
	EVENT_KEY_INTENT_VOID = 18, // intent durable, but the key was not used after all
	EVENT_INTENT_ORPHAN = 19,   // intent without completion (crash or silent gateway)
	EVENT_KEY_DENIED = 20,
	EVENT_KEY_LEAK_STOPPED = 21, // an answer held the secret; it was cut
	EVENT_UPSTREAM_UNVERIFIED = 22,
	EVENT_SEALER_DIED = 23,
	EVENT_PEER_REJECTED = 24, // a process of ours broke the protocol
	EVENT_CLIENT_DENIED = 25, // unknown or revoked virtual key; coalesced
	EVENT_CREDENTIAL_ADDED = 32,
	EVENT_CREDENTIAL_ROTATED = 33,
	EVENT_CREDENTIAL_ENABLED = 34,
	EVENT_CREDENTIAL_DISABLED = 35,
	EVENT_CREDENTIAL_REMOVED = 36,
	EVENT_VKEY_ISSUED = 40,
	EVENT_VKEY_REVOKED = 41,
	EVENT_VAULT_START = 48,
	EVENT_GATEWAY_START = 56,
};

enum audit_attr {
	ATTR_OPERATION = 1,	// text
	ATTR_PROVIDER = 2,	// text
	ATTR_MODEL = 3,		// text
	ATTR_UPSTREAM_HOST = 4, // text
	ATTR_REGION = 5,	// text
	ATTR_STATUS = 6,	// number: HTTP status given to the client
	ATTR_UPSTREAM_STATUS = 7,
	ATTR_TOKENS_IN = 8,
	ATTR_TOKENS_OUT = 9,
	ATTR_BYTES_IN = 10, // request body
	ATTR_BYTES_OUT = 11,
	ATTR_DURATION_US = 12,
	ATTR_FIRST_BYTE_US = 13,
	ATTR_STREAM = 14,      // number 0 or 1
	ATTR_BODY_SHA256 = 15, // text, lower hex
	ATTR_REASON = 16,      // text
	ATTR_COUNT = 17,       // number: how many events this one stands for
	ATTR_SIGNAL = 18,      // number
	ATTR_CLIENT = 19,      // text: client address as the gateway saw it
	ATTR_VERSION = 20,     // text: software version
	ATTR_NAME = 21,	       // text: name of the object that was changed
	ATTR_PROVIDER_REQUEST_ID = 22,
	ATTR_LAST = ATTR_PROVIDER_REQUEST_ID,
};

enum audit_result { RESULT_OK = 0, RESULT_DENIED = 1, RESULT_FAILED = 2 };

// Name for a number, or NULL if the number is not in the table.
const char *ids_provider(uint64_t v);
const char *ids_operation(uint64_t v); // "chat", "messages", "converse-stream", ...
const char *ids_header(uint64_t v);    // wire name, lower case
const char *ids_param(uint64_t v);
const char *ids_event(uint64_t v); // "key.intent", ...
const char *ids_attr(uint64_t v);

// Number for a name (exact match), or 0.
unsigned ids_provider_of(struct view name);
unsigned ids_operation_of(struct view name);
unsigned ids_header_of(struct view lower_case_name);
unsigned ids_param_of(struct view name);

#endif
