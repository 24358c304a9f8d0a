// SPDX-License-Identifier: Apache-2.0
// The grammar of each setting of a credential (enum setting_id). What passes here can go
// into hosts, paths, heads and tokens as it is. For the vault, and for the command before
// it sends anything. Pure.
//
// Sources: AWS STS and IAM references (names, ARNs, durations), Google Cloud (projects,
// service accounts), Azure OpenAI REST reference (api-version).
#ifndef PROTO_KIND_SETTING_H
#define PROTO_KIND_SETTING_H

#include "proto/kind.h"

// NULL: v is a good value. Otherwise what one looks like, to be put behind "write" or
// "is": "a region, such as us-east-1".
const char *kind_setting_wanted(uint64_t provider, uint64_t auth, uint64_t id, struct view v);

#endif
