// SPDX-License-Identifier: Apache-2.0
// The directory of one stack that `sallyport up` runs: made, owned and locked here.
//
//	DIR/run/*.sock  vault/  audit/  vault.key  sallyport.yaml  tls/  log/
//	DIR/provider.keys  provider.port  demo.env  up.lock
//
// As root each daemon gets a numeric user of its own; otherwise all run as the
// caller. May touch: that directory.
#ifndef CTL_UP_STACK_H
#define CTL_UP_STACK_H

#include "ctl/cli.h"

enum up_socket { UP_GATEWAY, UP_ADMIN, UP_AUDIT, UP_EVENTS, UP_QUERY, UP_SOCKET_COUNT };

struct up_stack {
	char dir[CLI_PATH_MAX]; // absolute
	int lock;
	int sockets[UP_SOCKET_COUNT]; // listening
	int provider;		      // listening TCP socket of the demo provider, or -1
	uint16_t provider_port;
	uid_t vault, audit, gateway, demo, admin; // user ids
	bool split;				  // run as root, each daemon with its own user
};

// What the gateway is told in sallyport.yaml.
struct up_listen {
	const char *plain;   // "127.0.0.1:8080"
	const char *tls;     // or NULL
	const char *workers; // or NULL
};

// -1 after saying what is wrong and what to do.
int up_stack_open(struct up_stack *s, const char *dir) MUST_CHECK;
int up_stack_listen(struct up_stack *s, bool with_provider) MUST_CHECK;
int up_stack_config(const struct up_stack *s, const struct up_listen *l) MUST_CHECK;
void up_stack_close(struct up_stack *s);

// DIR/name into out.
void up_stack_path(const struct up_stack *s, const char *name, char out[CLI_PATH_MAX]);

// Creates the file with this content, readable by `owner` alone; an existing one is
// replaced. -1 after saying why.
int up_stack_write(
    const struct up_stack *s, const char *name, const char *text, uid_t owner) MUST_CHECK;
bool up_stack_has(const struct up_stack *s, const char *name);

#endif
