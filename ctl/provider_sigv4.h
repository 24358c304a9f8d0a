// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4 as the service checks it: written from the service's
// side and sharing no code with the vault's signer, so that a mistake there cannot
// hide here. Source: AWS IAM User Guide, "Create a signed AWS API request".
#ifndef CTL_PROVIDER_SIGV4_H
#define CTL_PROVIDER_SIGV4_H

#include <time.h>

#include "common/http_parse.h"
#include "ctl/provider_keys.h"

#define PROVIDER_SIGV4_SKEW 300 // seconds that X-Amz-Date may be off

struct provider_verdict {
	const char *type; // NULL: the signature is right; else the exception's name
	const char *message;
	unsigned status;
};

// Checks the request whose head is in http and whose body is given, for service
// "bedrock": Authorization's grammar, scope, date, that host and all x-amz-* headers
// are signed, the body's hash, the session token, the signature.
struct provider_verdict provider_sigv4_check(
    struct provider_keys *keys, const struct http_parser *http, struct view body, time_t now);

#endif
