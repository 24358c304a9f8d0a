// SPDX-License-Identifier: Apache-2.0
// One client connection: reads requests one after the other, hands each whole one
// to an exchange, and carries the answer back. Deadlines against slow peers live
// here; so does keep-alive.
#ifndef GATEWAYD_CLIENT_H
#define GATEWAYD_CLIENT_H

#include "gatewayd/errors.h"
#include "gatewayd/request.h"
#include "gatewayd/worker.h"

struct sockaddr;
struct ssl_st;

// Takes fd and ssl (NULL: plain). source is counted in w->limits already.
void client_new(
    struct worker *w, int fd, struct ssl_st *ssl, const struct sockaddr *peer, uint64_t source);

// The same for a plain connection from inside, whose client's address is known as text.
void client_new_named(struct worker *w, int fd, const char peer[REQUEST_PEER_MAX], uint64_t source);

// --- for the exchange that serves it ------------------------------------------------

void client_write(struct client *c, const void *p, size_t len);
size_t client_backlog(const struct client *c);
// Whether the answer may announce that the connection stays open.
bool client_keeps(const struct client *c, const struct request *r);

// The answer is complete; c no longer knows the exchange.
void client_answered(struct client *c, bool keep);
// The answer began and cannot be completed: what was written goes out, then the
// connection ends in a way that no client takes for a complete answer. by_close: the
// end of the connection would have been the end of the answer.
void client_cut(struct client *c, bool by_close);
// No answer began: sends the failure as a whole response.
void client_refuse(struct client *c, const struct request *r, const struct failure *f);

// --- draining -------------------------------------------------------------------------

void client_close_idle(struct worker *w); // those without a request
void client_close_all(struct worker *w);

#endif
