// SPDX-License-Identifier: Apache-2.0
// Entries of a catalogue file, as YAML gives them, and the rows of messages they become;
// every rule of the vault is checked here too, where a line can be named. Pure.
#ifndef CTL_CATALOG_ROW_H
#define CTL_CATALOG_ROW_H

#include "proto/msg.h"

#define CATALOG_ERROR_MAX 512U

struct catalog_host {
	char *provider, *location, *host;
};

struct catalog_op {
	char *operation, *provider, *method, *path, *query, *max_body;
	bool *dated; // Azure's dated API
	char **headers;
	unsigned headers_count;
	char **params;
	unsigned params_count;
};

struct catalog_prices {
	char *input, *output, *cache_read, *cache_write, *cache_write_1h, *above, *input_above,
	    *output_above, *cache_read_above, *cache_write_above, *cache_write_1h_above,
	    *regional_percent, *source, *as_of;
};

struct catalog_model {
	char *provider, *name, *upstream, *context, *max_output, *thinking, *betas;
	char **flags;
	unsigned flags_count;
	char **profiles;
	unsigned profiles_count;
	bool *in_region;
	struct catalog_prices *prices;
};

struct catalog_profile {
	char *prefix;
	char **models;
	unsigned models_count;
	char **sources;
	unsigned sources_count;
	char **destinations;
	unsigned destinations_count;
};

// Each: views of *m point into the entry. -1 with one sentence in error.
int catalog_row_host(const struct catalog_host *e, struct msg_catalogue_host *m,
    char error[CATALOG_ERROR_MAX]) MUST_CHECK;
int catalog_row_op(const struct catalog_op *e, struct msg_catalogue_op *m,
    char error[CATALOG_ERROR_MAX]) MUST_CHECK;
int catalog_row_model(const struct catalog_model *e, struct msg_catalogue_model *m,
    char error[CATALOG_ERROR_MAX]) MUST_CHECK;
// One entry makes one row for each of its models.
int catalog_row_profile(const struct catalog_profile *e, unsigned model,
    struct msg_catalogue_profile *m, char error[CATALOG_ERROR_MAX]) MUST_CHECK;

// Words of the file for the protocol's numbers; NULL if there is none.
const char *catalog_row_thinking(uint64_t v);
const char *catalog_row_flag(unsigned bit); // of MODEL_* 1U << bit
const char *catalog_row_price(uint64_t kind);
bool catalog_row_price_is_usd(uint64_t kind); // else a plain number

#endif
