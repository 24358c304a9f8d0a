// SPDX-License-Identifier: Apache-2.0
// POST /v1/responses of the demo provider, whole or streamed.
#ifndef CTL_PROVIDER_RESPONSES_H
#define CTL_PROVIDER_RESPONSES_H

#include <jansson.h>

#include "ctl/provider_answer.h"

void provider_responses_answer(struct answer *a, const json_t *root);

#endif
