// SPDX-License-Identifier: Apache-2.0
// sallyport-sealer: the zygote. It loads OpenSSL and the root certificates once,
// while it has no secret and no peer, and then only forks sealers: keyless
// copies of itself that serve one credential each. Descriptor 3 is its channel to
// the vault core. Privilege story, in order:
#include <malloc.h>
#include <sodium.h>
#include <string.h>

#include "common/log.h"
#include "policies.h"
#include "vaultd/sealer_selftest.h"
#include "vaultd/sealer_tls.h"
#include "vaultd/zygote_child.h"
#include "vaultd/zygote_loop.h"

#define CORE_FD 3

int
main(int argc, char **argv)
{
	log_init("sallyport-sealer", LOG_INFO);
	const char *run_as = NULL;
	if (argc == 3 && strcmp(argv[1], "--run-as") == 0)
		run_as = argv[2];
	else if (argc != 1)
		log_fatal("started by sallyport-vaultd; takes only --run-as UID:GID");
	sandbox_expect_fds(&(int){CORE_FD}, 1);
	sandbox_drop(run_as);

	// Everything that needs a file or a first time.
	if (sodium_init() < 0)
		log_fatal("libsodium does not start");
	mallopt(M_MMAP_THRESHOLD, 1 << 20); // steady state: no mmap, munmap or brk
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
	if (sealer_tls_prepare() == 0)
		log_msg(LOG_WARN, "no system CA certificates (package ca-certificates); only "
				  "credentials with an own CA will work");
	sealer_selftest_prepare();
	if (sealer_selftest_run(false) != 0)
		return 1;
	int children = zygote_loop_watch_children();

	// Nothing but fork and the core's channel from here on.
	const struct sandbox s = {.role = "zygote", .policy = policy_zygote, .max_files = 64};
	sandbox_probe(&zygote_child_sandbox, zygote_child_probe_sealer, NULL);
	sandbox_probe(&s, zygote_child_probe_fork, NULL);
	sandbox_enter(&s);
	return zygote_loop_run(CORE_FD, children);
}
