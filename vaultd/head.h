// SPDX-License-Identifier: Apache-2.0
// The only writer of request heads. A head is built from fields whose grammar was
// checked: method and path template of the catalogue, the credential's host and
// secret, allow-listed header names, and a Content-Length. Nothing that the gateway
// says reaches the wire as raw text, and no Transfer-Encoding is ever sent.
//
// A header of zeros (x-pad) brings the public part and the secret part up to multiples
// of 256 bytes each, so that the ciphertext's length does not tell the length of the
// secret. It is also there on SigV4 requests, where it is not among the signed headers.
//
// Heads hold secrets: all of it lives in struct head_work, in secret memory.
#ifndef VAULTD_HEAD_H
#define VAULTD_HEAD_H

#include "vaultd/catalogue.h"
#include "vaultd/cred.h"
#include "vaultd/deny.h"
#include "vaultd/sigv4.h"

#define HEAD_CAP   16384U
#define HEAD_BLOCK 256U

struct head_work {
	char head[HEAD_CAP];
	char path[8192];
	char query[4096];
	char host[264];
	char date[SIGV4_DATE_LEN];
	char body_hex[64];
	char length[20];
	struct sigv4_work sig;
};

struct head_request {
	const struct catalogue_op *op;
	const struct cred *cred;
	struct view model;
	const struct msg_use *use;
	const struct secret *secret;
	const struct secret *token; // empty if none
	struct view access_key_id;  // SigV4: of a temporary secret; empty: the credential's
	uint64_t now_s;
};

struct head_built {
	struct view head; // into head_work
	size_t span_count;
	struct msg_span span[MSG_SPANS_MAX];
};

// Everything about a USE that can be refused without touching a secret: header ids
// and values, parameters, body length. False and *d if not acceptable.
bool head_check(
    const struct catalogue_op *op, const struct msg_use *use, struct deny *d) MUST_CHECK;

// Builds the head; head_check must have accepted the same use. -1: it does not fit
// (too many or too long header values).
int head_build(
    struct head_work *w, const struct head_request *r, struct head_built *built_r) MUST_CHECK;

void head_wipe(struct head_work *w);

// Leading bytes of a provider key that are the same in everybody's ("sk-proj-").
size_t head_public_len(struct view secret);

#endif
