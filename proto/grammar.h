// SPDX-License-Identifier: Apache-2.0
// The grammars of everything that goes into a request head or names a destination:
// regions, hosts, models, header and parameter values, and the settings of
// credentials. Whatever passes here can be put between spaces, slashes and line ends
// without changing what surrounds it. Pure.
#ifndef PROTO_GRAMMAR_H
#define PROTO_GRAMMAR_H

#include "proto/msg.h"

// ^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$, at most 25 characters (AWS).
bool grammar_region_valid(struct view region);
// "global", "us", "eu" or a region of Google's, ^[a-z]+-[a-z]+[0-9]{1,2}$ (Vertex AI).
bool grammar_location_valid(struct view location);
// DNS name in lower case, or an IPv4 address; labels of 1..63, 253 in all.
bool grammar_host_valid(struct view host);
// 1..2048 visible ASCII characters, and no path segment of its own ("." "..").
bool grammar_model_valid(struct view model);
// As in a list of models: visible ASCII, '*' at the end only.
bool grammar_model_pattern_valid(struct view pattern);
// Visible ASCII, spaces inside but not at the ends, 1..2048.
bool grammar_header_valid(struct view value);
bool grammar_param_valid(uint64_t param, struct view value);
// ^[a-z-]{2,8}$: the first label of an inference profile's id.
bool grammar_prefix_valid(struct view prefix);
// 1..64 letters, digits, '.', '_' or '-', beginning with a letter or digit.
bool grammar_name_valid(struct view name);
// Letters, digits and the characters of `more`; min..max of them.
bool grammar_text_valid(struct view v, size_t min, size_t max, const char *more);
bool grammar_digits_valid(struct view v, size_t min, size_t max);
bool grammar_visible(struct view v); // also an empty one

bool grammar_begins(struct view v, const char *prefix);
bool grammar_ends(struct view v, const char *suffix);
// Decimal, at most 18 digits. -1: anything else.
int grammar_number(struct view v, uint64_t *n_r) MUST_CHECK;

#endif
