// SPDX-License-Identifier: Apache-2.0
// One client connection of the demo provider: TLS, HTTP/1.1 with keep-alive and
// pipelining, and the sending of answers at the pace that their behaviour asks.
#ifndef CTL_PROVIDER_CONN_H
#define CTL_PROVIDER_CONN_H

#include <openssl/ssl.h>

#include "ctl/provider_keys.h"

struct event_base;

struct provider_server {
	struct event_base *base;
	SSL_CTX *tls;
	struct provider_keys *keys;
	uint64_t serial; // requests so far
};

// Takes ownership of fd; the connection frees itself when it ends.
void provider_conn_new(struct provider_server *s, int fd);

#endif
