// SPDX-License-Identifier: Apache-2.0
// From a loaded file to the messages to send, all checked; then beside what the
// vault has.
#ifndef CTL_APPLY_PLAN_H
#define CTL_APPLY_PLAN_H

#include "ctl/apply_file.h"
#include "ctl/credential_in.h"
#include "proto/msg.h"

struct client;

struct apply_step {
	const char *name; // borrowed from the file
	bool is_vkey;
	bool exists; // in the vault
	uint64_t version;

	struct msg_credential_put put; // views into the file and what follows
	struct credential_in in;

	struct msg_vkey_issue issue;
	char *key_file;
};

struct apply_plan {
	size_t n;
	struct apply_step *step; // credentials first
};

// Both: -1 after printing every fault that was found, with its line.
int apply_plan_make(struct apply_plan *p, const struct apply_file *f) MUST_CHECK;
int apply_plan_compare(
    struct apply_plan *p, const struct apply_file *f, struct client *c) MUST_CHECK;
void apply_plan_free(struct apply_plan *p); // wipes the secrets

#endif
