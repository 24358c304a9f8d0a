// SPDX-License-Identifier: Apache-2.0
// The steps of auditd's start, in the order main.c calls them.
#ifndef AUDITD_ROLE_H
#define AUDITD_ROLE_H

#include "auditd/ledger.h"
#include "common/sandbox.h"

struct event_base;
struct serve;

struct role_options {
	const char *dir;
	char vault_socket[108];
	bool have_vault;
	uid_t vault_uid;
	uid_t gateway_uid;
	uid_t admin_uid;
	const char *run_as;
	uint64_t orphan_after_s;
	uint64_t reserve;
	uint64_t ballast;
	struct ledger_config ledger;
};

void role_parse(int argc, char **argv, struct role_options *o_r); // exits on --help and errors

// Enters the log directory, so that every later path is relative to it; returns its
// descriptor. After sandbox_drop, role_check_dir: owner, mode, local file system, and
// the lock that keeps a second daemon out.
int role_open_dir(const struct role_options *o);
void role_check_dir(const struct role_options *o, int dir_fd);

int role_selftest(void *options); // the critical path, in a scratch log
struct serve *role_start(const struct role_options *o, struct event_base *base, int events_fd,
    int query_fd); // verifies the log, records audit.start and what a crash left open
int role_loop(struct event_base *base, struct serve *s); // until SIGTERM or SIGINT

#endif
