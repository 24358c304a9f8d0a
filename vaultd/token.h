// SPDX-License-Identifier: Apache-2.0
// Temporary credentials in memory, one per stored credential: sealed like stored secrets,
// opened for one head. Decides when one is fetched, refreshed, waited for, or given up
// for a while. Pure but for memory: the caller tells the time and does the fetching.
//
//   none --fetch--> coming --> good --80 % of its life--> good, refreshing --> good
//                     |          \--its end--> none
//                     \--failed--> broken until the back-off is over --> none
//
// A token that has expired is never handed out. Times are Unix seconds of our clock; the
// provider's are moved by the difference between the clocks, which each answer tells.
#ifndef VAULTD_TOKEN_H
#define VAULTD_TOKEN_H

#include "vaultd/deny.h"
#include "vaultd/seal.h"

#define TOKEN_BACKOFF_S	    2U // after the first failure; doubles
#define TOKEN_BACKOFF_MAX_S 300U
#define TOKEN_MARGIN_S	    30U	 // this close to its end it counts as expired
#define TOKEN_DROP_S	    30U	 // a younger one is not given up on a gateway's word
#define TOKEN_SKEW_MAX_S    900U // clocks further apart are not believed

enum token_state {
	TOKEN_GOOD,
	TOKEN_GOOD_REFRESH, // good; the caller shall fetch another one now
	TOKEN_FETCH,	    // the caller shall fetch one now, and wait
	TOKEN_COMING,	    // wait for the fetch that is running
	TOKEN_BROKEN,	    // not before retry_s; why: token_why()
};

struct tokens;

struct token_value {
	struct view access_key_id; // "" for bearer tokens
	struct view secret;
	struct view session_token;
	uint64_t expires_s; // our clock
};

struct tokens *token_set_new(struct seal *seal);
void token_set_free(struct tokens *t);

// FETCH and GOOD_REFRESH mean that the fetch counts as running from now on: token_put or
// token_fail must follow. id: of the credential, for the seal.
enum token_state token_ask(
    struct tokens *t, uint64_t credential, uint64_t version, uint64_t now_s) MUST_CHECK;

// Another one is wanted whatever there is, back-off or not (a test). True: the caller shall
// fetch it now, as after FETCH. False: one is being fetched already.
bool token_renew(struct tokens *t, uint64_t credential, uint64_t version) MUST_CHECK;

// -1: secret memory is full. Results of a fetch for an older version are dropped.
int token_put(struct tokens *t, uint64_t credential, uint64_t version, const struct token_value *v,
    uint64_t now_s) MUST_CHECK;
void token_fail(struct tokens *t, uint64_t credential, uint64_t version, enum deny_kind kind,
    const char *message, uint64_t now_s);
// The reason of a TOKEN_BROKEN.
void token_why(const struct tokens *t, uint64_t credential, uint64_t now_s, struct deny *d);

// The provider says that it has expired. Believed of tokens older than TOKEN_DROP_S only.
bool token_drop(struct tokens *t, uint64_t credential, uint64_t now_s);

// Opens the token of this version; the caller wipes both. -1: there is none that is good
// now, or secret memory is full. access_key_id_r is valid until the next token_put.
int token_open(struct tokens *t, uint64_t credential, uint64_t version, uint64_t now_s,
    struct secret *secret_r, struct secret *session_r, struct view *access_key_id_r) MUST_CHECK;

// 0: none that is good now.
uint64_t token_expires_s(const struct tokens *t, uint64_t credential, uint64_t now_s);

// The provider's clock minus ours, seconds; what an answer said about it. False: they are
// too far apart to be believed.
int64_t token_skew_s(const struct tokens *t, uint64_t credential);
bool token_set_skew(struct tokens *t, uint64_t credential, uint64_t server_s, uint64_t now_s);

#endif
