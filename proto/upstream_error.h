// SPDX-License-Identifier: Apache-2.0
// What a provider's error answer says, in whatever shape it comes: OpenAI, Anthropic,
// Bedrock (header and body), Google (also as an array), a token endpoint, a page of HTML,
// nothing. For the gateway, and for the sealer where the vault asks something itself. Pure.
#ifndef PROTO_UPSTREAM_ERROR_H
#define PROTO_UPSTREAM_ERROR_H

#include "proto/errclass.h"

struct upstream_error {
	char type[96];
	char code[96];
	char message[512];
	uint64_t retry_after_ms; // from the body (Google's RetryInfo), 0: none
	enum error_class class_id;
};

// errortype: the x-amzn-errortype header, empty if none. body may be anything.
// temporary_key: the request went with one that can expire.
void upstream_error_read(struct upstream_error *e, enum provider provider, unsigned status,
    bool temporary_key, struct view errortype, struct view body);

#endif
