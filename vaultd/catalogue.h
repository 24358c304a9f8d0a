// SPDX-License-Identifier: Apache-2.0
// What can be asked of a provider at all: operations with method, path template,
// headers and parameters, the hosts of providers, the models that are known and the
// inference profiles of Bedrock. What is not here cannot be sent, whatever the gateway
// says. Operations that mint, list or reveal secrets cannot be in it: there are no
// numbers for them that a row may use.
//
// It is data: frames (proto/msg_catalogue.h) built in, or applied by the administrator
// and kept in the store. Every row is checked before any of it counts.
#ifndef VAULTD_CATALOGUE_H
#define VAULTD_CATALOGUE_H

#include "proto/msg.h"
#include "vaultd/text.h"

#define CATALOGUE_SIZE_MAX 1000000U // bytes of all frames
#define CATALOGUE_ROWS_MAX 4096U
#define CATALOGUE_BODY_MAX (64U * 1048576U)
#define CATALOGUE_OP_LAST  24U // exchanges of the vault itself have greater numbers

#define CATALOGUE_BIT(n) (1U << (unsigned)(n))

struct catalogue_op {
	uint64_t id;
	uint64_t provider;
	uint64_t variant; // 1: Azure's dated API
	struct view method;
	struct view path; // template with {model} {project} {region}
	struct view query;
	unsigned headers;  // bit per enum header_id
	unsigned params;   // bit per enum param_id
	uint64_t max_body; // bytes; 0: the operation has no body
};

struct catalogue_host {
	uint64_t provider;
	struct view location;
	struct view host;
};

struct catalogue_model {
	uint64_t provider;
	struct view name;
	struct view upstream;
	uint64_t flags;	   // enum model_flag
	unsigned profiles; // bit per entry of catalogue.prefix
	bool in_region;
};

#define CATALOGUE_PREFIXES_MAX 32U

struct catalogue_profile {
	unsigned prefix; // index into catalogue.prefix
	struct view model;
	size_t source_count;
	struct view *source;
};

// Views point into frames.
struct catalogue {
	unsigned refs;
	uint64_t version;
	uint64_t applied_s; // Unix time, 0: built in
	struct view applied_by;
	struct view source;
	struct view as_of;
	struct view frames; // owned: BEGIN .. END, whole frames with id 0
	size_t rows_at;	    // offset in frames behind BEGIN
	struct catalogue_op *op;
	size_t op_count;
	struct catalogue_host *host;
	size_t host_count;
	struct catalogue_model *model; // in order of name, then provider
	size_t model_count;
	struct catalogue_model **by_upstream;
	struct catalogue_profile *profile;
	size_t profile_count;
	struct view prefix[CATALOGUE_PREFIXES_MAX];
	size_t prefix_count;
};

struct catalogue_error {
	char message[320]; // names the row and the fault
};

// Frames back to back, with whatever ids. NULL and *e if anything about them is not
// acceptable. Its version is that of BEGIN.
struct catalogue *catalogue_parse(struct view frames, struct catalogue_error *e) MUST_CHECK;
// What the vault says of a catalogue, whatever its frames say.
struct catalogue_stamp {
	uint64_t version;
	uint64_t applied_s; // Unix time, 0: built in
	struct view applied_by;
};

// The same content with another stamp.
struct catalogue *catalogue_parse_as(
    struct view frames, const struct catalogue_stamp *stamp, struct catalogue_error *e) MUST_CHECK;
struct catalogue *catalogue_ref(struct catalogue *c);
void catalogue_unref(struct catalogue *c); // NULL is allowed

// Walks whole frames: true and the next one, whose offset grows by what was read.
bool catalogue_next_frame(struct view frames, size_t *at, struct frame *f) MUST_CHECK;

// NULL if this provider does not speak it.
const struct catalogue_op *catalogue_op(
    const struct catalogue *c, uint64_t operation, uint64_t provider, uint64_t variant);
bool catalogue_speaks(const struct catalogue *c, uint64_t operation, uint64_t provider);

// Whether requests of this operation name a model, in path or body; the three that list
// models do not. False for unknown operations too.
bool catalogue_takes_model(uint64_t operation);
bool catalogue_known_op(uint64_t operation); // a number that rows may use

// Default host of a provider in a region. -1: it has none (the credential must name
// one), or the region is malformed.
int catalogue_host(
    const struct catalogue *c, uint64_t provider, struct view region, char host[254]) MUST_CHECK;

// By the name that clients use; NULL if there is none. provider 0: whichever is first.
const struct catalogue_model *catalogue_model(
    const struct catalogue *c, uint64_t provider, struct view name);
// By the provider's own name, without profile prefix.
const struct catalogue_model *catalogue_model_upstream(
    const struct catalogue *c, uint64_t provider, struct view upstream);

// The index in c->prefix, or -1.
int catalogue_prefix(const struct catalogue *c, struct view prefix);
// Whether a row of this profile fits the id, known or not, for callers in the region.
bool catalogue_profile_has(
    const struct catalogue *c, unsigned prefix, struct view upstream, struct view region);
// Whether this profile serves the model for callers in the region.
bool catalogue_profile_serves(const struct catalogue *c, unsigned prefix,
    const struct catalogue_model *m, struct view region);

struct catalogue_place {
	struct view model;
	struct view project;
	struct view region;
};

// Path as it goes on the wire, each placeholder percent-encoded as one segment.
void catalogue_path(const struct catalogue_op *op, const struct catalogue_place *p, struct text *t);

#endif
