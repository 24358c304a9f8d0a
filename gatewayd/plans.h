// SPDX-License-Identifier: Apache-2.0
// Plans that the vault gave, and a small cache of the last ones by (client key,
// operation, model). The cache decides nothing: it only tells which lane will most
// likely serve, so that USE can go out together with AUTHORIZE; the vault judges
// both anew each time. Pure.
#ifndef GATEWAYD_PLANS_H
#define GATEWAYD_PLANS_H

#include "gatewayd/request.h"
#include "proto/msg.h"

struct plan_attempt {
	uint64_t credential; // the vault's handle
	uint64_t provider;
	uint16_t port;
	char credential_id[65];
	char host[254];
	char region[33];
	enum operation operation; // differs from the client's when it is translated
	bool renews;		  // the vault can get another key for it
	const char *model;	  // upstream model, in the plan's text
};

struct plan {
	unsigned refs;
	// The last USE under this plan was refused: send the body only behind GO, so
	// that a refusal does not cost the lane that already holds it.
	bool cautious;
	char vkey_id[65];
	char workspace[65];
	uint64_t reach; // listing: bits of the providers that the key may use
	char *text;	// models and patterns
	// Listing: patterns ("*" at the end) of models that the key may use; none: all.
	size_t allowed_count;
	const char *allowed[MSG_NAMES_MAX];
	// And those that its credentials of a provider serve; a provider without: all.
	size_t served_count;
	struct plan_served {
		uint64_t provider;
		const char *pattern;
	} served[MSG_NAMES_MAX];
	size_t attempt_count; // 0 (a listing)..MSG_ATTEMPTS_MAX
	struct plan_attempt attempt[];
};

// NULL when the message makes no sense (no operation, a NUL in a string).
struct plan *plan_new(const struct msg_plan *m) MUST_CHECK;
struct plan *plan_ref(struct plan *p);
void plan_unref(struct plan *p); // NULL is allowed

struct plan_key {
	uint8_t bytes[16]; // keyed hash
};

struct plans;

struct plans *plans_new(void);
void plans_free(struct plans *ps);
void plans_clear(struct plans *ps); // the handles died with the vault

void plans_key(const struct plans *ps, const struct request *r, struct plan_key *k_r);
struct plan *plans_get(struct plans *ps, const struct plan_key *k);	    // borrowed, or NULL
void plans_put(struct plans *ps, const struct plan_key *k, struct plan *p); // takes a reference
void plans_drop(struct plans *ps, const struct plan_key *k);

#endif
