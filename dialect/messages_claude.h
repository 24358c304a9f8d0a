// SPDX-License-Identifier: Apache-2.0
// Between the files of the Claude translator: messages_claude.c (answers, streams,
// counts) and messages_claude_in.c (the body of the request). Not for users of the
// library.
#ifndef DIALECT_MESSAGES_CLAUDE_H
#define DIALECT_MESSAGES_CLAUDE_H

#include "dialect/side.h"

// What Bedrock adds to the last event of a stream.
#define MESSAGES_CLAUDE_METRICS "amazon-bedrock-invocationMetrics"

bool messages_claude_on_bedrock(const struct dialect *d);

// The body for InvokeModel or rawPredict, and the same inside CountTokens.
bool messages_claude_request(
    struct dialect *d, struct buf *out, struct dialect_fault *f) MUST_CHECK;

#endif
