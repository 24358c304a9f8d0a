// SPDX-License-Identifier: Apache-2.0
// One lane: one TLS session to the provider, its request and its answer, and the
// windows of its four byte streams. Knows no descriptor: input comes by calls, and
// output leaves through struct sealer_port.
//
//   OPENING --handshake--> READY --SEAL--> body goes out, answer comes in
//                            ^------------ body complete: the next SEAL may come
//
// Whether the answer is complete is the gateway's business: nothing here parses HTTP.
#ifndef VAULTD_SEALER_LANE_H
#define VAULTD_SEALER_LANE_H

#include "proto/msg.h"
#include "vaultd/sealer_body.h"
#include "vaultd/sealer_exchange.h"
#include "vaultd/sealer_scan.h"
#include "vaultd/sealer_tls.h"

// Where messages go. Raw payloads are borrowed for the call.
struct sealer_port {
	void (*to_gateway)(void *cookie, uint8_t type, uint64_t lane, const void *msg);
	void (*to_gateway_raw)(void *cookie, uint8_t type, uint64_t lane, const void *p, size_t n);
	void (*to_core)(void *cookie, uint8_t type, const void *msg);
	void *cookie;
};

// What all lanes of a sealer share.
struct sealer_env {
	struct sealer_tls_ctx *tls;
	struct sealer_guard *guard;
	struct sealer_port port;
	uint8_t *scratch; // SEALER_TLS_RECORD_MAX bytes of secret memory
	uint8_t *plain;	  // SEALER_PLAIN_CAP bytes; in exchange mode of secret memory
	size_t body_held; // body bytes that wait in all lanes together
	struct sealer_exchange *exchange; // exchange mode: answers go there; else NULL
};

// Of all lanes together; each alone is bounded by its window.
#define SEALER_BODY_HELD_MAX ((size_t)128 * 1024 * 1024)
#define SEALER_PLAIN_CAP     (SEALER_SCAN_ROOM + 2 * SEALER_TLS_RECORD_MAX)

struct sealer_lane;

enum sealer_lane_result {
	SEALER_LANE_OK,
	SEALER_LANE_GONE,   // closed and reported to both sides: free it
	SEALER_LANE_REJECT, // the gateway broke the protocol: sealer_lane_why()
};

struct sealer_lane *sealer_lane_new(struct sealer_env *env, uint64_t id) MUST_CHECK;
void sealer_lane_free(struct sealer_lane *l); // NULL is allowed
uint64_t sealer_lane_id(const struct sealer_lane *l);

// Input; each may make work for sealer_lane_run(). OK or REJECT.
enum sealer_lane_result sealer_lane_cipher_in(
    struct sealer_lane *l, const uint8_t *p, size_t n) MUST_CHECK;
enum sealer_lane_result sealer_lane_body(
    struct sealer_lane *l, const uint8_t *p, size_t n) MUST_CHECK;
enum sealer_lane_result sealer_lane_credit(
    struct sealer_lane *l, const struct msg_credit *c) MUST_CHECK;
void sealer_lane_eof(struct sealer_lane *l);

// Encrypts the head, with body bytes that are held already, and forgets it. Spans
// must have been checked. GONE: the body does not match.
enum sealer_lane_result sealer_lane_seal(
    struct sealer_lane *l, const struct msg_seal *m) MUST_CHECK;

// Exchange mode: encrypts a request of the vault itself. The answer goes to the core as
// EXCHANGED. GONE: the lane was not ready.
enum sealer_lane_result sealer_lane_exchange(
    struct sealer_lane *l, const struct msg_exchange *m) MUST_CHECK;

// Does what input and windows allow: handshake, body, answer. OK or GONE.
enum sealer_lane_result sealer_lane_run(struct sealer_lane *l) MUST_CHECK;

// Reports the end of the lane to both sides. The caller frees it.
void sealer_lane_close(struct sealer_lane *l, enum lane_fault fault, const char *detail);

const char *sealer_lane_why(const struct sealer_lane *l);
enum lane_fault sealer_lane_fault(const struct sealer_lane *l); // LANE_OK while it is open

// Links for the owner's table and work list.
struct sealer_lane_links {
	struct sealer_lane *hash_next;
	struct sealer_lane *work_next;
	bool in_work;
};
struct sealer_lane_links *sealer_lane_links(struct sealer_lane *l);

#endif
