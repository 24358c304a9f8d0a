// SPDX-License-Identifier: Apache-2.0
// The rows of the catalogue as messages: hosts, operations, models, inference profiles.
// The same sequence of frames is embedded at build time, stored by the vault, sent to
// gateway workers and shown by the command. Included by msg.h.
#ifndef PROTO_MSG_CATALOGUE_H
#define PROTO_MSG_CATALOGUE_H

#include "common/mp.h"

#define MSG_NAMES_MAX 32U

struct msg_name {
	struct view name;
};

struct msg_catalogue_get {
	uint64_t version; // 0: the present one
};

// version 0: the built-in one. When told: given by the vault, as are the last two. When a
// catalogue is sent to be applied: the version in force that it was made from; the vault
// refuses it when another is in force by now.
struct msg_catalogue_begin {
	uint64_t version;
	struct view source;
	struct view as_of;	// "2026-11-21"
	uint64_t rows;		// that follow before END
	uint64_t applied_s;	// Unix time, 0: built in
	struct view applied_by; // "uid 0"
};

// Where a provider's requests go. location: region or "*".
struct msg_catalogue_host {
	uint64_t provider;
	struct view location;
	struct view host; // may hold "{region}" as one label or a part of it
};

// variant: 0, or 1 for Azure's dated API.
struct msg_catalogue_op {
	uint64_t operation;
	uint64_t provider;
	uint64_t variant;
	struct view method;
	struct view path;  // {model} {project} {region}; each is percent-encoded
	struct view query; // fixed part, "alt=sse"
	uint64_t max_body;
	size_t header_count;
	struct msg_name allowed_header[MSG_NAMES_MAX];
	size_t param_count;
	struct msg_name allowed_param[MSG_NAMES_MAX];
};

#define MSG_PRICES_MAX 12U

struct msg_price {
	uint64_t kind; // enum price_kind
	uint64_t value;
};

struct msg_catalogue_model {
	uint64_t provider;
	struct view name;     // what clients ask for, without the provider
	struct view upstream; // what the provider calls it, without a profile prefix
	uint64_t context;     // tokens, 0: unknown
	uint64_t max_output;  // tokens, 0: unknown
	uint64_t thinking;    // enum model_thinking
	uint64_t flags;	      // enum model_flag bits
	struct view betas;    // anthropic-beta values it takes, comma list; "*": all
	size_t profile_count;
	struct msg_name profile[MSG_NAMES_MAX]; // Bedrock: "us", "eu", "global"
	bool in_region;				// Bedrock: served without a profile
	size_t price_count;
	struct msg_price price[MSG_PRICES_MAX]; // ascending kinds
	struct view price_source;
	struct view price_as_of;
};

#define MSG_REGIONS_MAX 48U

// Bedrock: an inference profile prefix, for the models that match, from these regions.
struct msg_catalogue_profile {
	struct view prefix; // "us", "eu", "global"
	struct view model;  // upstream name, "*" at the end allowed
	size_t source_count;
	struct msg_name source[MSG_REGIONS_MAX];
	size_t destination_count; // 0: anywhere
	struct msg_name destination[MSG_REGIONS_MAX];
};

struct msg_catalogue_end {
	uint64_t rows;
};

#endif
