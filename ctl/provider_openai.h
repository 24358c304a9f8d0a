// SPDX-License-Identifier: Apache-2.0
// The OpenAI dialect of the demo provider: chat completions, responses,
// embeddings, models. Shapes as in the OpenAI API reference.
#ifndef CTL_PROVIDER_OPENAI_H
#define CTL_PROVIDER_OPENAI_H

#include "ctl/provider_answer.h"

// Answers any request whose path belongs to this dialect.
struct answer *provider_openai_answer(const struct provider_call *call);

#endif
