// SPDX-License-Identifier: Apache-2.0
// The answer to a request of the vault itself, in a sealer in exchange mode: HTTP, then
// what the format says, then a few typed fields for the core. Everything but the HTTP
// head (which holds no secret) lies in secret memory and is wiped.
#ifndef VAULTD_SEALER_EXCHANGE_H
#define VAULTD_SEALER_EXCHANGE_H

#include "common/http_parse.h"
#include "proto/msg.h"

#define SEALER_EXCHANGE_BODY_MAX 65536U

struct sealer_exchange;

struct sealer_exchange *sealer_exchange_new(void) MUST_CHECK; // NULL: secret memory is full
void sealer_exchange_free(struct sealer_exchange *x);

// A request of this format goes out; once. Before it nothing is fed.
int sealer_exchange_begin(struct sealer_exchange *x, uint64_t format) MUST_CHECK;
// A test of a credential: its answer holds no secret, unless somebody sends ours back.
bool sealer_exchange_is_probe(const struct sealer_exchange *x);

// Answer bytes. True when the answer is whole, or can never be: then take _result.
bool sealer_exchange_feed(struct sealer_exchange *x, const uint8_t *p, size_t n);
// The stream ended cleanly. True as above.
bool sealer_exchange_eof(struct sealer_exchange *x);

// Once. Views are valid until _free.
void sealer_exchange_result(struct sealer_exchange *x, struct msg_exchanged *m_r);

// "Sat, 21 Nov 2026 14:00:00 GMT" (RFC 9110, section 5.6.7, IMF-fixdate) as Unix time; 0:
// something else.
uint64_t sealer_exchange_date(struct view v);

#endif
