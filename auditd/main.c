// SPDX-License-Identifier: Apache-2.0
// sallyport-auditd: the audit log. What it holds at each step: first the flags and the
// descriptors it was started with, then its own user only, then its own directory and
// the Unix sockets it was given, for good. It has no network and starts no program.
#include <event2/event.h>

#include "auditd/chain.h"
#include "auditd/commit.h"
#include "auditd/role.h"
#include "auditd/serve.h"
#include "common/log.h"
#include "common/sock.h"
#include "policies.h"

int
main(int argc, char **argv)
{
	struct role_options o;
	log_init("sallyport-auditd", LOG_INFO);
	role_parse(argc, argv, &o);

	// Everything that has to be opened by name from outside the directory.
	int events_fd = sock_activated("events");
	int query_fd = sock_activated("query");
	if (events_fd < 0 || query_fd < 0)
		log_fatal("the sockets `events` and `query` were not passed: start with "
			  "`sallyport up` or systemd");
	sandbox_expect_fds((int[]){events_fd, query_fd}, 2);
	chain_init();

	// Root ends here.
	sandbox_drop(o.run_as);
	int dir_fd = role_open_dir(&o);
	role_check_dir(&o, dir_fd);

	// The file system ends here, but for the log directory; the network was never there.
	struct sandbox sb = {.role = "auditd",
	    .policy = policy_auditd,
	    .landlock_dirs = &dir_fd,
	    .landlock_dir_count = 1,
	    .max_files = 512,
	    .max_file_size = STORE_MAP_BYTES + (64U << 20)};
	sandbox_probe(&sb, role_selftest, &o);
	sandbox_enter(&sb);

	struct event_base *base = event_base_new();
	if (base == NULL || event_base_priority_init(base, COMMIT_PRIORITIES) != 0)
		log_fatal("cannot make the event loop");
	struct serve *s = role_start(&o, base, events_fd, query_fd);
	return role_loop(base, s);
}
