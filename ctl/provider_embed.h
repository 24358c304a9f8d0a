// SPDX-License-Identifier: Apache-2.0
// Embeddings of the demo provider: numbers derived from the input, so that a test
// can compare the float and the base64 form.
#ifndef CTL_PROVIDER_EMBED_H
#define CTL_PROVIDER_EMBED_H

#include <jansson.h>

#include "ctl/provider_answer.h"

// False when the input is missing or of a wrong type.
bool provider_embed_answer(struct answer *a, const json_t *root);

#endif
