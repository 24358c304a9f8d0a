// SPDX-License-Identifier: Apache-2.0
// The gateway's configuration file: YAML, read once at start, before any sandbox.
// A fault ends the program with the file name, the line, the key and what to do.
// Owns its strings; lives as long as the process.
#ifndef GATEWAYD_CONFIG_H
#define GATEWAYD_CONFIG_H

#include "common/base.h"

#define CONFIG_WORKERS_MAX 64U

struct config_tls {
	char *address;	   // "0.0.0.0:8443", "[::]:8443"
	char *certificate; // PEM chain, leaf first
	char *key;	   // PEM, not encrypted
};

struct config_listen {
	char *plain;		// HTTP without TLS: loopback addresses only
	struct config_tls *tls; // NULL: no TLS listener
};

// Sizes in bytes, times in seconds. "Whole gateway" limits are shared out evenly
// among the workers.
struct config_limits {
	uint64_t body_bytes;		     // of one request
	uint64_t header_bytes;		     // of one request head
	uint64_t connections;		     // client connections, whole gateway
	uint64_t connections_per_source;     // per client address, per worker; loopback is exempt
	uint64_t buffered_bytes;	     // request bodies in memory, whole gateway
	uint64_t header_timeout_s;	     // first byte to end of head; TLS handshake too
	uint64_t body_timeout_s;	     // plus one second per 64 KiB that arrived
	uint64_t idle_timeout_s;	     // keep-alive connection without a request
	uint64_t upstream_connect_timeout_s; // DNS, TCP, proxy and TLS together
	uint64_t upstream_idle_timeout_s;    // silence of a provider that owes an answer
	uint64_t heartbeat_s;		     // silence of a translated stream towards its client
	uint64_t drain_timeout_s;	     // after SIGTERM
};

struct config_host {
	char *host;
	char *address; // numeric
};

struct config {
	struct config_listen listen;
	uint64_t workers;
	char *vault_socket;
	char *audit_socket;
	char *egress_proxy; // "http://host:port", or NULL
	struct config_limits limits;
	struct config_host *resolve; // names that are not asked of DNS
	unsigned resolve_count;
	char **connect_to; // "host:port=address:port": where a provider really listens
	unsigned connect_to_count;

	// Derived.
	char *proxy_host; // from egress_proxy
	uint16_t proxy_port;
};

// Reads and checks the file. Returns NULL and one line of text in error_r on any
// fault.
struct config *config_load(const char *path, char *error_r, size_t error_size) MUST_CHECK;
// The same from text; name is for messages.
struct config *config_parse(
    const char *name, const char *text, size_t len, char *error_r, size_t error_size) MUST_CHECK;
void config_free(struct config *c);

// Where to connect for a provider's host and port: by connect_to, else themselves.
// Who is there is judged by the vault side, which knows nothing of this. Copies the
// host into at_r (254 bytes); returns the port.
uint16_t config_connect_to(const struct config *c, const char *host, uint16_t port, char *at_r);

#endif
