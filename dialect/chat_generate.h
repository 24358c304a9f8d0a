// SPDX-License-Identifier: Apache-2.0
// Between the files of the Gemini translator: chat_generate.c (session, answers),
// chat_generate_in.c (contents of the request), chat_generate_config.c (tools and
// settings of the request). Not for users of the library.
//
// Sources: Gemini API reference, "Generating content", "Function calling", "Thought
// signatures"; Vertex AI, "Generate content with the Gemini API". Both hosts take the
// same body; what only one of them takes (labels, ids of calls) is not sent. Pure.
#ifndef DIALECT_CHAT_GENERATE_H
#define DIALECT_CHAT_GENERATE_H

#include "dialect/chat_in.h"

// How signatures that belong to text, not to a call, travel through OpenAI clients:
// reasoning_details [{"type":"reasoning.encrypted","format":THIS,"data":"..."}].
#define CHAT_GENERATE_FORMAT "google-gemini-v1"

// Gemini's documented stand-in for a signature that was lost.
#define CHAT_GENERATE_NO_SIGNATURE "skip_thought_signature_validator"

// "contents":[...],"systemInstruction":{...}
bool chat_generate_put_contents(struct dialect *d, const struct chat *c,
    const struct chat_names *names, struct buf *out, struct dialect_fault *f) MUST_CHECK;

// "tools", "toolConfig", "generationConfig", "safetySettings"; reports what is left out.
bool chat_generate_put_config(struct dialect *d, const struct chat *c,
    const struct chat_names *names, struct buf *out, struct dialect_fault *f) MUST_CHECK;

#endif
