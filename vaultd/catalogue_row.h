// SPDX-License-Identifier: Apache-2.0
// The rules for one row of a catalogue, apart from those that concern several rows.
// Pure.
#ifndef VAULTD_CATALOGUE_ROW_H
#define VAULTD_CATALOGUE_ROW_H

#include "vaultd/catalogue.h"

// Each returns NULL, or what is wrong with the row.
const char *catalogue_row_host(const struct msg_catalogue_host *m);
const char *catalogue_row_op(const struct msg_catalogue_op *m);
const char *catalogue_row_model(const struct msg_catalogue_model *m);
const char *catalogue_row_profile(const struct msg_catalogue_profile *m);

// Bits of the names; the row was found good before.
unsigned catalogue_row_headers(const struct msg_catalogue_op *m);
unsigned catalogue_row_params(const struct msg_catalogue_op *m);

#endif
