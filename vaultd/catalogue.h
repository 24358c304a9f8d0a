// SPDX-License-Identifier: Apache-2.0
// What can be asked of a provider at all: the table of operations with method, path
// template, providers, headers and parameters, and the hosts of providers. What is
// not here cannot be sent, whatever the gateway says. Operations that mint, list or
// reveal secrets are deliberately absent. Pure.
//
// Sources: OpenAI API reference; Anthropic API reference; Bedrock Runtime service
// model 2023-09-30 (paths, headers); limits from the vendors' pages.
#ifndef VAULTD_CATALOGUE_H
#define VAULTD_CATALOGUE_H

#include "proto/msg.h"
#include "vaultd/text.h"

struct catalogue_op {
	uint64_t id;
	const char *method;
	const char *prefix; // path before the model, or the whole path
	const char *suffix; // path after the model; NULL: the model is not in the path
	bool has_model;	    // the request names one (in path or body)
	unsigned providers; // bit per enum provider
	unsigned headers;   // bit per enum header_id
	unsigned params;    // bit per enum param_id
	uint64_t max_body;  // bytes; 0: the operation has no body
};

#define CATALOGUE_BIT(n) (1U << (unsigned)(n))

// NULL if there is no such operation.
const struct catalogue_op *catalogue_find(uint64_t operation);

bool catalogue_serves(const struct catalogue_op *op, uint64_t provider);
bool catalogue_auth_allowed(uint64_t provider, uint64_t auth);

// Default host of a provider into host[254]; region matters to Bedrock only. -1: the
// provider has none (its credential must name one) or the region is malformed.
int catalogue_host(uint64_t provider, struct view region, char host[254]) MUST_CHECK;

// ^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$, at most 25 characters.
bool catalogue_region_valid(struct view region);
// DNS name in lower case, or an IPv4 address; labels of 1..63, 253 in all.
bool catalogue_host_valid(struct view host);
// 1..2048 visible ASCII characters, and no path segment of its own ("." "..").
bool catalogue_model_valid(struct view model);
// Visible ASCII, spaces inside but not at the ends, 1..2048.
bool catalogue_header_valid(struct view value);
bool catalogue_param_valid(uint64_t param, struct view value);

// Path as it goes on the wire, the model percent-encoded as one segment.
void catalogue_path(const struct catalogue_op *op, struct view model, struct text *t);

#endif
