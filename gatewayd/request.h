// SPDX-License-Identifier: Apache-2.0
// One client request, read whole: what the vault is asked (operation, model,
// allowed headers and parameters, length and hash of the body) and the body. It
// owns copies of everything, since it may outlive its connection.
#ifndef GATEWAYD_REQUEST_H
#define GATEWAYD_REQUEST_H

#include "common/http_parse.h"
#include "gatewayd/limits.h"
#include "gatewayd/route.h"

#define REQUEST_ID_LEN	 36U
#define REQUEST_PEER_MAX 48U

struct request {
	unsigned magic;
	enum operation op;
	enum api dialect;
	bool stream;
	bool native;	 // the path names the provider: its own API, its own lists
	bool path_model; // the model is in the path; what the body says is the provider's business
	bool pinned;	 // names state of one account at the provider: no other key can serve it
	bool http10;
	bool keep_alive; // the client's wish
	bool
	    strict_params; // x-sallyport-strict-params: a parameter that would be left out is a 400
	uint8_t uuid[16];
	char id[REQUEST_ID_LEN + 1]; // the same as text: x-sallyport-request-id
	char peer[REQUEST_PEER_MAX]; // client address
	uint64_t started_ns;	     // CLOCK_MONOTONIC at the end of the head

	struct view client_key; // into text; wiped with it
	struct view model;	// into text or model_text; empty for operations without one
	struct view body_model; // the part that the body says; empty when it says none
	size_t header_count;
	struct msg_named header[MSG_HEADERS_MAX];
	size_t param_count;
	struct msg_named param[MSG_PARAMS_MAX];

	uint8_t *body;
	size_t body_len;
	uint8_t body_sha256[32];

	// Private.
	struct limits *limits;
	size_t body_cap;
	char *text;
	size_t text_len;
	char *model_text;
};

// From a head that was routed and holds a key. NULL and a failure when a header
// that should go upstream cannot.
struct request *request_new(const struct http_parser *head, const struct route *route,
    struct view client_key, struct limits *limits, struct failure *failure_r) MUST_CHECK;

// Appends; false: the worker's memory for bodies is used up (503).
bool request_body(struct request *r, struct view bytes) MUST_CHECK;

// The body is complete: checks it (JSON, model, stream) and hashes it. False with
// a failure: not acceptable.
bool request_complete(struct request *r, struct failure *failure_r) MUST_CHECK;

// Frees the body early: it was sent and cannot be needed again.
void request_drop_body(struct request *r);
void request_free(struct request *r); // NULL is allowed

// 36 characters and a NUL from 16 bytes.
void request_format_id(const uint8_t uuid[16], char out[REQUEST_ID_LEN + 1]);

#endif
