// SPDX-License-Identifier: Apache-2.0
// The Anthropic dialect of the demo provider: messages, count_tokens, models.
// Shapes as in the Anthropic API reference.
#ifndef CTL_PROVIDER_ANTHROPIC_H
#define CTL_PROVIDER_ANTHROPIC_H

#include "ctl/provider_answer.h"

struct answer *provider_anthropic_answer(const struct provider_call *call);

// Whether a request that both dialects could claim (GET /v1/models) is meant here.
bool provider_anthropic_claims(const struct http_parser *http);

// For Bedrock, which carries the same events: the JSON of the next event without
// any framing, its type in *type_r; false at the end.
bool provider_anthropic_event(struct answer *a, struct evbuffer *json, const char **type_r);
void provider_anthropic_whole(struct answer *a, const char *id_prefix);

#endif
