// SPDX-License-Identifier: Apache-2.0
// Requests of the vault itself (token exchanges): a sealer in exchange mode, a gateway
// worker that relays its ciphertext, an audit record, one request, one answer.
//
//   start -> sealer forked, RELAY to a worker -> certificate verified -> key.intent
//   durable -> request built, sent, wiped -> EXCHANGED -> key.complete, done
//
// The host is the caller's constant, never a gateway's word. At most EXCHANGE_MAX run at
// a time, each for EXCHANGE_LIFE_S at most. A worker that goes away or cannot connect is
// replaced by another one once, as long as no key was used.
#ifndef VAULTD_EXCHANGE_H
#define VAULTD_EXCHANGE_H

#include "proto/link.h"
#include "vaultd/core.h"
#include "vaultd/cred.h"
#include "vaultd/gateway.h"

#define EXCHANGE_MAX	16U
#define EXCHANGE_LIFE_S 12
// Sealers of exchanges have numbers with this bit, the others never.
#define EXCHANGE_SEALER (UINT64_C(1) << 62)

// Builds the request into core->work and m_r; the credential is the present one, of the
// version asked for. Called once, after the intent is durable; the caller wipes the work.
// -1: secret memory is full. -2: the key is none that can be used.
typedef int exchange_build_fn(void *cookie, const struct cred *c, struct msg_exchange *m_r);

struct exchange_result {
	const struct msg_exchanged *answer; // NULL: there was none; code and message say why
	const char *code;		    // static
	const char *message;
};

// Exactly once for each that was started, never from inside of exchange_start.
typedef void exchange_done_fn(void *cookie, const struct exchange_result *r);

struct exchange_request {
	uint64_t credential; // handle
	uint64_t version;
	char host[254];
	uint64_t port;
	uint64_t format; // enum exchange_format
	uint64_t operation;
	struct view model; // for the audit trail; must stay until done
	uint64_t prefer;   // gateway channel, 0: any
	exchange_build_fn *build;
	exchange_done_fn *done;
	void *cookie;
};

struct exchanges *exchange_set_new(struct core *core);
void exchange_set_free(struct exchanges *e); // no done is called any more

// False and the reason (static texts) if it cannot be begun now.
bool exchange_start(
    struct core *core, const struct exchange_request *r, struct exchange_result *why_r);

// What a sealer hands over is one line of visible text each; its message may have spaces.
bool exchange_answer_sound(const struct msg_exchanged *m);

enum chan_status exchange_on_relay_failed(struct gateway *gw, const struct frame *f);
void exchange_gateway_gone(struct core *core, uint64_t gateway);
void exchange_on_exited(struct core *core, const struct msg_exited *m);

#endif
