// SPDX-License-Identifier: Apache-2.0
// The demo's certificate authority and server certificate. For `sallyport up` only:
// an installed gateway gets its certificate from its operator.
#ifndef CTL_UP_CERT_H
#define CTL_UP_CERT_H

#include "common/base.h"

// Makes DIR/ca.pem, DIR/server.pem and DIR/server.key (0600) unless a certificate
// with a week left to live is there; *made_r says which. -1 after saying why.
int up_cert_ensure(const char *dir, bool *made_r) MUST_CHECK;

// Names that the server certificate carries, besides localhost and 127.0.0.1.
#define UP_CERT_OPENAI	  "openai.demo.sallyport"
#define UP_CERT_ANTHROPIC "anthropic.demo.sallyport"
#define UP_CERT_BEDROCK	  "bedrock-runtime.us-east-1.demo.sallyport"

#endif
