// SPDX-License-Identifier: Apache-2.0
// What follows a failed attempt: the same once more, the next one of the plan, or the
// client's answer. The vault decides again by the same classes (proto/errclass.h). Pure.
#ifndef GATEWAYD_RETRY_H
#define GATEWAYD_RETRY_H

#include "proto/errclass.h"

enum retry_step {
	RETRY_ANSWER, // the client gets this failure
	RETRY_SAME,   // the same attempt, once, with another temporary key
	RETRY_NEXT,   // the next attempt of the plan
};

struct retry_facts {
	enum error_class class_id;
	size_t attempt, attempts; // this one, and how many the plan has
	bool begun;		  // a byte of an answer went to the client
	bool client_gone;
	bool spent;    // the vault knows of this attempt: GO or DENY came
	bool renews;   // the credential's key is a temporary one that the vault can renew
	bool repeated; // this attempt is the repetition
	bool pinned;   // the request names state that only one account has
};

enum retry_step retry_decide(const struct retry_facts *f);

// Whether a step other than the client's answer may follow, for some class: then an error
// is held until its class is known.
bool retry_may_follow(const struct retry_facts *f);

// The class of the vault's refusal of a USE, by its status.
enum error_class retry_class_of_denial(unsigned status);

#endif
