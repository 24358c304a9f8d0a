// SPDX-License-Identifier: Apache-2.0
// What the modules of one worker process share. A worker is single-threaded: one
// event loop, everything below belongs to it.
#ifndef GATEWAYD_WORKER_H
#define GATEWAYD_WORKER_H

#include <sys/queue.h>

#include "common/http_parse.h"
#include "gatewayd/catalog.h"
#include "gatewayd/config.h"
#include "gatewayd/issuer_docs.h"
#include "gatewayd/limits.h"

struct event;
struct event_base;
struct client;
struct dialect_memory;
struct exchange;

TAILQ_HEAD(client_list, client);
TAILQ_HEAD(exchange_list, exchange);
TAILQ_HEAD(h2_list, h2);

struct worker {
	const struct config *config;
	unsigned index;
	struct event_base *base;
	struct wires *wires;
	struct resolver *resolver;
	struct vault *vault;
	struct audit *audit;
	struct pool *pool;
	struct plans *plans;
	struct catalog_feed catalogue; // its `present` is NULL until the vault sent one
	struct dialect_memory *memory; // thought signatures that clients did not send back
	struct issuer_docs issuer;     // what the vault said last
	struct tls *tls;	       // NULL: no TLS listener
	struct limits limits;
	struct http_limits http_limits; // of client requests
	struct client_list clients;
	struct h2_list h2s; // HTTP/2 connections; their streams are among the clients
	struct exchange_list exchanges;
	unsigned relays;		    // exchanges of the vault that are relayed now
	bool draining;			    // SIGTERM came: no new connections, no keep-alive
	bool probing;			    // only trying out the sandbox: no complaints
	void (*on_quiet)(struct worker *w); // draining: a client or exchange ended

	struct event *grave_event;
	struct grave *graves;
};

// What the master gives to a worker at its fork.
struct worker_start {
	const struct config *config;
	struct resolver *resolver;
	unsigned index;
	int control;		 // to the master: one byte when ready; certificates come back
	int plain;		 // listening, or -1
	int tls;		 // listening, or -1
	struct view certificate; // PEM; empty without a TLS listener
	struct view key;
};

// Runs the worker; returns when it has drained. The caller is the child of a fork.
int worker_run(const struct worker_start *s);

struct sandbox;
// What a worker is confined to.
void worker_sandbox(const struct config *c, struct sandbox *sb_r);
// Runs the critical path once in a child under that sandbox; fatal, by name, when
// something is blocked. The descriptors of s are not used.
void worker_probe(const struct worker_start *s);

// Frees p at the end of this loop turn: objects die while callers up the stack
// still look at them.
void worker_bury(struct worker *w, void *p);
void worker_graves(struct worker *w);	  // makes it work; w->base is there
void worker_graves_end(struct worker *w); // frees what is left

#endif
