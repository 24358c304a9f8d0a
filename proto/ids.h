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
	PROVIDER_GEMINI = 5,		// Google AI Studio
	PROVIDER_AZURE = 6,		// Azure OpenAI
	PROVIDER_VERTEX = 7,		// Google Vertex AI: Gemini and Claude
	PROVIDER_LAST = PROVIDER_VERTEX,
};

// How the secret reaches the provider.
enum auth_scheme {
	AUTH_BEARER = 1,	 // Authorization: Bearer <secret>
	AUTH_API_KEY = 2,	 // x-api-key: <secret>
	AUTH_SIGV4 = 3,		 // AWS Signature Version 4; the secret itself is never sent
	AUTH_GOOGLE_API_KEY = 4, // x-goog-api-key: <secret>
	AUTH_AZURE_API_KEY = 5,	 // api-key: <secret>
	// The stored secret buys a short-lived one, which is what requests then carry.
	AUTH_GOOGLE_TOKEN = 6,	    // service account key -> token endpoint -> Bearer
	AUTH_GOOGLE_JWT = 7,	    // service account key -> self-signed JWT -> Bearer
	AUTH_STS_SESSION = 8,	    // IAM user key -> GetSessionToken -> SigV4
	AUTH_STS_ASSUME_ROLE = 9,   // IAM user key -> AssumeRole -> SigV4
	AUTH_STS_WEB_IDENTITY = 10, // our OIDC token -> AssumeRoleWithWebIdentity -> SigV4
	AUTH_LAST = AUTH_STS_WEB_IDENTITY,
};

// Further facts of a credential, as text; which kinds have which: proto/kind.h.
enum setting_id {
	SETTING_PROJECT = 1,	    // Vertex: Google Cloud project
	SETTING_API_VERSION = 2,    // Azure: dated api-version; absent: the v1 API
	SETTING_CLIENT_EMAIL = 3,   // service account
	SETTING_PRIVATE_KEY_ID = 4, // service account
	SETTING_ROLE_ARN = 5,	    // AssumeRole, AssumeRoleWithWebIdentity
	SETTING_EXTERNAL_ID = 6,    // AssumeRole
	SETTING_SESSION_NAME = 7,   // RoleSessionName
	SETTING_SUBJECT = 8,	    // web identity: scoped_principal:<team>/<actor-type>:<id>
	SETTING_AUDIENCE = 9,	    // web identity; absent: sts.amazonaws.com
	SETTING_DURATION = 10,	    // seconds that temporary credentials shall live
	SETTING_EXPIRES = 11,	    // Unix time after which the secret is dead
	SETTING_PROFILE = 12,	 // Bedrock inference profiles: auto, global, geo, none, or a prefix
	SETTING_STS_REGION = 13, // absent: the credential's region
	SETTING_LAST = SETTING_STS_REGION,
};

// What became of a request that failed upstream; decides about retries, the next
// attempt and the client's error (common/errclass.h).
enum error_class {
	CLASS_NONE = 0,
	CLASS_CLIENT = 1,
	CLASS_POLICY = 2,
	CLASS_AUTH = 3,
	CLASS_EXPIRED = 4,
	CLASS_DENIED = 5,
	CLASS_NOT_FOUND = 6,
	CLASS_RATE = 7,
	CLASS_QUOTA = 8,
	CLASS_OVERLOAD = 9,
	CLASS_SERVER = 10,
	CLASS_CANCELLED = 11,
	CLASS_LAST = CLASS_CANCELLED,
};

// How a model is told to think (catalogue rows of models).
enum model_thinking {
	THINKING_NONE = 0,
	THINKING_BUDGET = 1,	    // Claude to 4.5: thinking.enabled with budget_tokens
	THINKING_ADAPTIVE = 2,	    // Claude from 4.6: thinking.adaptive and output_config.effort
	THINKING_ALWAYS = 3,	    // Claude that always thinks: effort only
	THINKING_GEMINI_BUDGET = 4, // Gemini 2.5: thinkingConfig.thinkingBudget
	THINKING_GEMINI_LEVEL = 5,  // Gemini 3: thinkingConfig.thinkingLevel
	THINKING_EFFORT = 6,	    // a reasoning_effort field of its own (gpt-oss, OpenAI)
	THINKING_LAST = THINKING_EFFORT,
};

// Parameter rules of a model (catalogue rows), bits.
enum model_flag {
	MODEL_NO_SAMPLING = 1U << 0,	  // refuses temperature, top_p, top_k
	MODEL_ONE_SAMPLING = 1U << 1,	  // refuses temperature together with top_p
	MODEL_JSON_SCHEMA = 1U << 2,	  // takes a JSON schema for its output natively
	MODEL_NO_PREFILL = 1U << 3,	  // refuses an assistant turn at the end
	MODEL_STRICT_TOOLS = 1U << 4,	  // takes `strict` on tools
	MODEL_VERSION_2026 = 1U << 5,	  // knows anthropic-version 2026-10-21 on Bedrock
	MODEL_SIGNATURES = 1U << 6,	  // Gemini 3: thought signatures must come back
	MODEL_EMBEDDING = 1U << 7,	  // makes embeddings
	MODEL_TITAN_EMBED = 1U << 8,	  // Bedrock body of Titan embeddings
	MODEL_COHERE_EMBED = 1U << 9,	  // Bedrock body of Cohere embeddings
	MODEL_NO_THINKING_OFF = 1U << 10, // thinking cannot be switched off
	MODEL_CLAUDE = 1U << 11,	  // speaks Anthropic Messages (invoke, rawPredict)
	MODEL_HIDDEN = 1U << 12,	  // not in GET /v1/models
};

// Prices of a model, pico-USD per token ($1 per million tokens = 1,000,000).
enum price_kind {
	PRICE_INPUT = 1,
	PRICE_OUTPUT = 2,
	PRICE_CACHE_READ = 3,
	PRICE_CACHE_WRITE = 4, // kept for five minutes
	PRICE_ABOVE = 5,       // prompt tokens above which the next four hold for all tokens
	PRICE_INPUT_ABOVE = 6,
	PRICE_OUTPUT_ABOVE = 7,
	PRICE_CACHE_READ_ABOVE = 8,
	PRICE_CACHE_WRITE_ABOVE = 9,
	PRICE_REGIONAL_PERCENT = 10, // surcharge when not served globally
	PRICE_CACHE_WRITE_1H = 11,   // kept for an hour
	PRICE_CACHE_WRITE_1H_ABOVE = 12,
	PRICE_LAST = PRICE_CACHE_WRITE_1H_ABOVE,
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
	OP_BEDROCK_COUNT_TOKENS = 13,
	OP_GENERATE_CONTENT = 14, // Gemini API and Vertex AI, as the following
	OP_STREAM_GENERATE_CONTENT = 15,
	OP_GOOGLE_COUNT_TOKENS = 16,
	OP_EMBED_CONTENT = 17,
	OP_BATCH_EMBED_CONTENTS = 18,
	OP_GOOGLE_MODELS = 19,
	OP_GOOGLE_MODEL = 20,
	OP_PREDICT = 21,     // Vertex AI: embeddings
	OP_RAW_PREDICT = 22, // Vertex AI: Claude
	OP_STREAM_RAW_PREDICT = 23,
	OP_RAW_PREDICT_COUNT = 24, // Vertex AI: Claude's token count

	// Exchanges of the vault itself: names for the audit trail, never in the
	// catalogue, so no gateway can ask for one.
	OP_STS_GET_SESSION_TOKEN = 32,
	OP_STS_ASSUME_ROLE = 33,
	OP_STS_ASSUME_ROLE_WITH_WEB_IDENTITY = 34,
	OP_STS_GET_CALLER_IDENTITY = 35,
	OP_GOOGLE_TOKEN = 36,
	OP_LAST = OP_GOOGLE_TOKEN,
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
	HEADER_VERTEX_REQUEST_TYPE = 12,	// x-vertex-ai-llm-request-type
	HEADER_VERTEX_SHARED_REQUEST_TYPE = 13, // x-vertex-ai-llm-shared-request-type
	HEADER_GOOG_API_CLIENT = 14,		// x-goog-api-client
	HEADER_SERVER_TIMEOUT = 15,		// x-server-timeout
	HEADER_BEDROCK_REQUEST_METADATA = 16,
	HEADER_LAST = HEADER_BEDROCK_REQUEST_METADATA,
};

// Query parameters that the catalogue allows on some operations.
enum param_id {
	PARAM_BETA = 1, // ?beta=true (Anthropic SDKs)
	PARAM_LIMIT = 2,
	PARAM_AFTER_ID = 3,
	PARAM_BEFORE_ID = 4,
	PARAM_API_VERSION = 5, // Azure
	PARAM_PAGE_SIZE = 6,   // Google
	PARAM_PAGE_TOKEN = 7,
	PARAM_LAST = PARAM_PAGE_TOKEN,
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
	EVENT_PEER_REJECTED = 24,   // a process of ours broke the protocol
	EVENT_CLIENT_DENIED = 25,   // unknown or revoked virtual key; coalesced
	EVENT_TOKEN_REFRESHED = 26, // an exchange brought a temporary credential
	EVENT_TOKEN_FAILED = 27,    // it did not
	EVENT_CREDENTIAL_ADDED = 32,
	EVENT_CREDENTIAL_ROTATED = 33,
	EVENT_CREDENTIAL_ENABLED = 34,
	EVENT_CREDENTIAL_DISABLED = 35,
	EVENT_CREDENTIAL_REMOVED = 36,
	EVENT_CREDENTIAL_TESTED = 37,
	EVENT_VKEY_ISSUED = 40,
	EVENT_VKEY_REVOKED = 41,
	EVENT_VAULT_START = 48,
	EVENT_GATEWAY_START = 56,
	EVENT_CATALOGUE_APPLIED = 64,
	EVENT_ISSUER_CHANGED = 65, // issuer URL set, signing key made or rotated
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
	ATTR_COST = 23,	       // number: nano-USD, by the catalogue's prices
	ATTR_ERROR_CLASS = 24, // text
	ATTR_INGRESS = 25,     // text: the client's operation, when it was translated
	ATTR_TOKENS_CACHED = 26,
	ATTR_TOKENS_REASONING = 27,
	ATTR_EXPIRES = 28, // number: Unix time
	ATTR_LAST = ATTR_EXPIRES,
};

enum audit_result { RESULT_OK = 0, RESULT_DENIED = 1, RESULT_FAILED = 2 };

// Name for a number, or NULL if the number is not in the table.
const char *ids_provider(uint64_t v);
const char *ids_operation(uint64_t v); // "chat", "messages", "converse-stream", ...
const char *ids_header(uint64_t v);    // wire name, lower case
const char *ids_param(uint64_t v);
const char *ids_event(uint64_t v); // "key.intent", ...
const char *ids_attr(uint64_t v);
const char *ids_auth(uint64_t v);    // "bearer", "sigv4", "sts-session", ...
const char *ids_setting(uint64_t v); // "project", "role-arn", ...
const char *ids_class(uint64_t v);   // "auth", "rate", ...

// Number for a name (exact match), or 0.
unsigned ids_provider_of(struct view name);
unsigned ids_operation_of(struct view name);
unsigned ids_header_of(struct view lower_case_name);
unsigned ids_param_of(struct view name);
unsigned ids_auth_of(struct view name);
unsigned ids_setting_of(struct view name);

#endif
