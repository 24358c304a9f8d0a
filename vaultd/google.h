// SPDX-License-Identifier: Apache-2.0
// A service account of Google Cloud: the request that buys an access token (JWT-bearer
// grant, RFC 7523), and the token that it can sign for itself. The host of the token
// endpoint is a constant: what a service account's file says about it is never followed.
// Pure computation over the caller's secret memory.
//
// Sources: Google Identity, "Using OAuth 2.0 for Server to Server Applications"; AIP-4111
// (self-signed JWT).
#ifndef VAULTD_GOOGLE_H
#define VAULTD_GOOGLE_H

#include "vaultd/head.h"

#define GOOGLE_TOKEN_HOST "oauth2.googleapis.com"
// Of what we sign. Google takes an hour at most between the two times.
#define GOOGLE_ASSERTION_S 900U
#define GOOGLE_SELF_S	   3600U
// Issued that long ago, and not used that long before its end: nobody tells us how far
// Google's clock is from ours, in either direction.
#define GOOGLE_SELF_BACK_S 600U

struct google_account {
	struct view email;
	struct view key_id;
	const struct secret *key; // any form of rsa_key.h
};

// Head and body into w and m_r. now_s: of Google's clock. -1: secret memory is full. -2: not
// a usable key.
int google_token_request(struct head_work *w, const struct google_account *a, uint64_t now_s,
    struct msg_exchange *m_r) MUST_CHECK;

// A bearer token for this API host alone, into w, to be used until *expires_r. Errors as
// above.
int google_self_signed(struct head_work *w, const struct google_account *a, const char *api_host,
    uint64_t now_s, struct view *token_r, uint64_t *expires_r) MUST_CHECK;

#endif
