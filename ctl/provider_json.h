// SPDX-License-Identifier: Apache-2.0
// Reading request bodies: the few things that the demo provider looks at.
#ifndef CTL_PROVIDER_JSON_H
#define CTL_PROVIDER_JSON_H

#include <jansson.h>

#include "common/mp.h"

struct provider_json {
	json_t *root; // an object
};

bool provider_json_parse(struct provider_json *j, struct view body);
void provider_json_free(struct provider_json *j);

// Bytes of a JSON string, borrowed; empty for anything else (NULL included).
struct view provider_json_view(const json_t *s);

// Text of the last user turn: "messages" of OpenAI, Anthropic and Converse, or
// "input" of responses. Borrowed; empty if there is none.
struct view provider_json_last_user(const struct provider_json *j);

#endif
