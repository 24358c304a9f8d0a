// SPDX-License-Identifier: Apache-2.0
// The vault core as a whole: its flags, what it opens, its self-test, its loop. main.c
// tells in which order.
#ifndef VAULTD_ROLE_H
#define VAULTD_ROLE_H

#include "vaultd/core.h"

struct role_options {
	const char *dir;
	const char *unlock;
	const char *run_as; // "UID:GID" or NULL
	unsigned gateway_uid;
	unsigned audit_uid;
	unsigned admin_uid;
	unsigned secret_kib;
	bool new_audit_log;
};

struct role_sockets {
	int gateway;
	int admin;
	int audit;
};

// Every failure is fatal and says what to do.
void role_parse(int argc, char **argv, struct role_options *o);
void role_sockets(struct role_sockets *s);

// Secret memory, store, keys and tables.
void role_open(struct core *core, const struct role_options *o);
// Starts the zygote, the program sallyport-sealer beside this one; returns the core's
// end of its channel. The zygote inherits nothing but descriptor 3.
int role_start_zygote(const struct role_options *o);
// The loop with everything on it; from here on nothing new is opened.
void role_serve(
    struct core *core, const struct role_options *o, const struct role_sockets *s, int zygote);

// Until SIGTERM. Returns the exit code.
int role_loop(struct core *core);

#endif
