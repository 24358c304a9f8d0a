// SPDX-License-Identifier: Apache-2.0
// Keys that the demo provider accepts, from a file with one key a line:
//
//	openai sk-...
//	anthropic sk-ant-...
//	bedrock AKID SECRET REGION [SESSION-TOKEN]
//
// Several keys of one kind are fine. They are keys of the demo provider itself and
// open nothing else, so they lie in ordinary memory.
#ifndef CTL_PROVIDER_KEYS_H
#define CTL_PROVIDER_KEYS_H

#include "common/mp.h"

#define PROVIDER_KEYS_FIELD_MAX 2048

enum provider_keys_kind { KEYS_OPENAI, KEYS_ANTHROPIC, KEYS_BEDROCK };

struct provider_key {
	enum provider_keys_kind kind;
	char *id;     // bedrock: access key id; else the key itself
	char *secret; // bedrock only, as the next two
	char *region;
	char *token; // NULL: a long-term key
	// Signing key of the day it was last used on (SigV4 derives it per day).
	char day[9];
	uint8_t signing[32];
};

struct provider_keys;

// NULL after logging which line is wrong.
struct provider_keys *provider_keys_load(const char *path);
struct provider_keys *provider_keys_parse(const char *text, const char *name);
void provider_keys_free(struct provider_keys *k);

// The key with this id, or NULL.
struct provider_key *provider_keys_find(
    struct provider_keys *k, enum provider_keys_kind kind, struct view id);

#endif
