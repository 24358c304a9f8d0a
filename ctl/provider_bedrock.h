// SPDX-License-Identifier: Apache-2.0
// The Bedrock runtime of the demo provider: Converse and Invoke, whole or as an
// event stream. Shapes as in the Bedrock API reference.
#ifndef CTL_PROVIDER_BEDROCK_H
#define CTL_PROVIDER_BEDROCK_H

#include "ctl/provider_answer.h"

struct answer *provider_bedrock_answer(const struct provider_call *call);

#endif
