// SPDX-License-Identifier: Apache-2.0
// auditd's channels: the vault (dialed), gateway workers and readers (accepted), who
// may append what, and the loop's timers.
#ifndef AUDITD_SERVE_H
#define AUDITD_SERVE_H

#include "auditd/commit.h"

struct serve_config {
	int events_fd; // listening sockets
	int query_fd;
	const char *vault_socket; // absolute path; NULL: never dial
	uid_t vault_uid;
	uid_t gateway_uid;
	uid_t admin_uid;
	struct ledger *ledger;
	struct space *space;
	uint64_t orphan_after_ns;
};

struct serve;

// The base must have COMMIT_PRIORITIES priorities.
struct serve *serve_new(struct event_base *base, const struct serve_config *config) MUST_CHECK;

// Accepts nothing more, records audit.stop and commits what waits.
void serve_stop(struct serve *s);
void serve_free(struct serve *s);

struct commit *serve_commit(struct serve *s);

#endif
