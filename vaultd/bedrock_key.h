// SPDX-License-Identifier: Apache-2.0
// What a short-term Bedrock API key says about itself: "bedrock-api-key-" and base64 of
// a presigned URL without scheme, from which region and end of life can be read here,
// without asking anybody. Source: aws/aws-bedrock-token-generator-python; Bedrock User
// Guide, "Amazon Bedrock API keys". Works in secret memory.
#ifndef VAULTD_BEDROCK_KEY_H
#define VAULTD_BEDROCK_KEY_H

#include "common/mp.h"

#define BEDROCK_KEY_PREFIX "bedrock-api-key-"

struct bedrock_key {
	char region[26];
	uint64_t expires_s; // Unix time
};

// 0; -1: it begins as one and cannot be read as one; -2: secret memory is full.
int bedrock_key_read(struct view key, struct bedrock_key *k) MUST_CHECK;

// "YYYYMMDDTHHMMSSZ" to Unix seconds; -1: malformed.
int bedrock_key_date(struct view v, uint64_t *unix_s_r) MUST_CHECK;

#endif
