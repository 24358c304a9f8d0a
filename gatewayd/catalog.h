// SPDX-License-Identifier: Apache-2.0
// The models that the vault's catalogue names, as this worker needs them: to list them,
// to translate for them, to price them. The vault sends the catalogue whole after WELCOME
// and after each change; a version in use stays until its last user is done. Pure.
#ifndef GATEWAYD_CATALOG_H
#define GATEWAYD_CATALOG_H

#include "proto/msg.h"

struct catalog_model {
	enum provider provider;
	struct view name;     // what clients ask for, without the provider
	struct view upstream; // what the provider calls it, without a profile prefix
	uint64_t context;     // tokens, 0: unknown
	uint64_t max_output;  // tokens, 0: unknown
	enum model_thinking thinking;
	unsigned flags; // enum model_flag
	struct view betas;
	uint64_t price[PRICE_LAST + 1]; // by enum price_kind
	unsigned priced;		// bits 1 << enum price_kind: which are given
};

struct catalog {
	unsigned refs;
	uint64_t version;
	uint64_t as_of_s; // Unix time, 0: unknown
	size_t count;
	struct catalog_model *model;
	char *text; // what the views point into
};

struct catalog *catalog_ref(struct catalog *c);
void catalog_unref(struct catalog *c); // NULL is allowed

// The model of this provider by its client's name or its upstream name. For Bedrock the
// id may be an ARN and have a profile prefix ("eu."). NULL: not in the catalogue.
const struct catalog_model *catalog_find(
    const struct catalog *c, enum provider provider, struct view name);

// Bedrock: the id without ARN and profile prefix; prefix_r ("eu", "" if none) may be NULL.
struct view catalog_bare_id(struct view id, struct view *prefix_r);

// --- arrival ------------------------------------------------------------------------

// The catalogue that arrives, and the present one.
struct catalog_feed {
	struct catalog *present; // NULL: none came yet
	struct catalog *next;	 // between BEGIN and END
	uint64_t rows, rows_wanted;
	size_t cap;
	size_t text_len, text_cap;
};

// One message of the sequence, decoded. false: out of order, or not as announced: the
// peer has to go.
bool catalog_feed(struct catalog_feed *f, uint8_t type, const void *msg) MUST_CHECK;
void catalog_feed_reset(struct catalog_feed *f); // forgets what arrives; the present stays
void catalog_feed_free(struct catalog_feed *f);

#endif
