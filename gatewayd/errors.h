// SPDX-License-Identifier: Apache-2.0
// What a client is told when something fails: one struct, written in the error
// shape of the API that the client speaks, so that its SDK raises the right class
// of exception. Codes are stable; DESIGN.md lists them. Pure.
#ifndef GATEWAYD_ERRORS_H
#define GATEWAYD_ERRORS_H

#include "common/base.h"
#include "common/mp.h"

// Whose error shape a client understands.
enum api { DIALECT_OPENAI = 0, DIALECT_ANTHROPIC = 1, DIALECT_BEDROCK = 2, DIALECT_GOOGLE = 3 };

// Initializer of `message` for static objects.
#define FAILURE_TEXT(literal)                                                                      \
	{                                                                                          \
		.p = (literal), .len = sizeof(literal) - 1                                         \
	}

struct failure {
	unsigned status; // HTTP status for the client
	const char *code;
	struct view message;	 // says what to do; never a peer's bytes unless the vault's
	uint64_t retry_after_ms; // 0: no Retry-After
	bool final;		 // retrying is useless: x-should-retry: false
	const char *allow;	 // 405: value of the Allow header
};

// Longest code and message that fit the buffers below.
#define ERRORS_RESPONSE_MAX 8192U
#define ERRORS_EVENT_MAX    4096U
#define ERRORS_BODY_MAX	    4000U

// The JSON text alone.
size_t errors_body(
    enum api d, const struct failure *f, const char *request_id, char out[ERRORS_BODY_MAX]);

// The status that a client of this API gets. SDKs of AWS and Google know no
// x-should-retry and repeat every 500, 502, 503 and 504: where that is useless it is 424.
unsigned errors_status(enum api d, const struct failure *f);

// A whole response, head and body. Returns its length.
size_t errors_response(enum api d, const struct failure *f, const char *request_id, bool keep_alive,
    char out[ERRORS_RESPONSE_MAX]);

// The error as one event inside a stream that already began (HTTP 200 was sent):
// an SSE event, or for Bedrock an event-stream exception. named: the SSE stream
// uses event names (the Responses API).
size_t errors_event(enum api d, bool named, const struct failure *f, const char *request_id,
    char out[ERRORS_EVENT_MAX]);

#endif
