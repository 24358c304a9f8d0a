// SPDX-License-Identifier: Apache-2.0
// What an answer cost by the catalogue's prices: integers all the way, and no answer
// rather than a wrong one. An estimate by list prices; discounts are not known here. Pure.
#ifndef GATEWAYD_COST_H
#define GATEWAYD_COST_H

#include "gatewayd/catalog.h"
#include "gatewayd/facts.h"

// What was used, and where: the provider's operation, its name for the model and the
// credential's region, as the vault's plan gives them.
struct cost_facts {
	enum provider provider;
	enum operation operation;
	struct view model; // Bedrock: with profile prefix, or an ARN
	struct view asked; // Azure: what the client asked for; a deployment may be named otherwise
	struct view region;
	struct facts_usage usage;
};

// Nano-USD, rounded to the nearest. false: not known. The model is not in the catalogue, a
// price that it needs is not given, the provider did not say what was used, or something
// in it has no price by the token.
bool cost_of(const struct catalog *c, const struct cost_facts *f, uint64_t *nano_r) MUST_CHECK;

// "0.000123400": USD with nine decimals.
#define COST_TEXT_MAX 24U
void cost_text(uint64_t nano, char out[COST_TEXT_MAX]);

#endif
