// SPDX-License-Identifier: Apache-2.0
// From method and path to an operation of the catalogue. The gateway names the
// operation to the vault; the vault decides and builds the upstream path itself.
// Lenient where SDKs differ (trailing slash, doubled slash, missing /v1), strict
// everywhere else. Pure.
#ifndef GATEWAYD_ROUTE_H
#define GATEWAYD_ROUTE_H

#include "gatewayd/errors.h"
#include "proto/ids.h"
#include "proto/msg.h"

#define ROUTE_MODEL_MAX 2048U // Bedrock's own limit for modelId

enum route_kind {
	ROUTE_OPERATION,
	ROUTE_HEALTH,	// GET /healthz
	ROUTE_DOCUMENT, // of the issuer; found by its URL (issuer_docs.h), not here
	ROUTE_OPTIONS,	// OPTIONS on a known path: `allow` says what it takes
	ROUTE_FAILED,	// `failure` says why
};

struct route {
	enum route_kind kind;
	enum api dialect;
	enum operation op;
	bool has_body;	    // POST
	bool stream;	    // the operation itself streams (Bedrock)
	bool model_in_path; // else in the body, or none
	// Set by a prefix of the path ("/bedrock/...") or by a path that only one provider
	// has: the model then begins with its name and a slash; alone when it is in the body.
	enum provider provider;
	const char *allow;
	struct failure failure;
	size_t model_len;
	char model[ROUTE_MODEL_MAX]; // decoded, not terminated
	size_t param_count;
	struct msg_named param[MSG_PARAMS_MAX]; // values point into param_text
	char param_text[1024];
};

// query.p NULL: none. hint: whose headers the request has (anthropic-version,
// x-goog-api-key), which tells GET /v1/models of the three APIs apart.
void route_find(
    struct view method, struct view path, struct view query, enum api hint, struct route *r_r);

// --- between route.c and route_google.c ------------------------------------------------

struct route_path {
	const struct view *seg; // without empty ones
	size_t n;
	struct view method, query;
};

void route_fail(struct route *r, unsigned status, const char *code, struct view message);
void route_not_found(struct route *r);
// Known path: judges the method.
void route_found(
    struct route *r, enum operation op, enum api dialect, bool post, struct view method);
void route_model(struct route *r, struct view raw); // percent-decodes it

// Paths of the Gemini API and of Vertex AI. false: it is none of theirs.
bool route_google(struct route *r, const struct route_path *p) MUST_CHECK;

#endif
