// SPDX-License-Identifier: Apache-2.0
// sallyport-vaultd: the vault core. What it holds at each step: first its flags and the
// three sockets it was given; then the store and the key to it; then its own user only;
// then no way to open a file, make a socket or start a program, for good. It never
// parses TLS, HTTP, X.509, JSON or YAML.
#include "common/log.h"
#include "common/sandbox.h"
#include "common/sock.h"
#include "policies.h"
#include "vaultd/role.h"
#include "vaultd/self_test.h"
#include "vaultd/store.h"

int
main(int argc, char **argv)
{
	struct role_options o;
	struct role_sockets s;
	struct core core = {0};
	log_init("sallyport-vaultd", LOG_INFO);
	role_parse(argc, argv, &o);

	// Nothing came along that was not meant to.
	role_sockets(&s);
	sandbox_expect_fds((int[]){s.gateway, s.admin, s.audit}, 3);

	// Everything that has a name: the key, the store, the zygote's program.
	role_open(&core, &o);
	int zygote = role_start_zygote(&o);
	(void)sock_notify_open(); // -1 is a legal way to run: no service manager

	// Root ends here.
	sandbox_drop(o.run_as);

	// Files, programs and new connections end here.
	struct sandbox sb = {.role = "vault",
	    .policy = policy_core,
	    .in_probe = self_test_prepare,
	    .max_files = 2048,
	    .max_file_size = STORE_MAP_SIZE};
	sandbox_probe(&sb, self_test_probe, NULL);
	role_serve(&core, &o, &s, zygote);
	sandbox_enter(&sb);

	self_test_run(&core);
	sock_notify("READY=1");
	return role_loop(&core);
}
