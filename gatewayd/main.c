// SPDX-License-Identifier: Apache-2.0
// sallyport-gatewayd: the network side. What it holds at each step: first its flags,
// configuration, listening sockets and the certificate for clients; then its own user
// only; then the master may start workers and read the two certificate files again,
// and each worker may use the network and nothing else. No provider key ever comes
// here: ciphertext to providers passes through, sealed by the vault's side.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "common/sock.h"
#include "gatewayd/config.h"
#include "gatewayd/master.h"
#include "gatewayd/worker.h"

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"run-as", required_argument, NULL, 'u'},
	    {"check", no_argument, NULL, 'k'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	static const char usage[] =
	    "usage: sallyport-gatewayd --config FILE [--run-as UID:GID] [--check]";
	const char *path = NULL, *run_as = NULL;
	bool check = false;
	char error[1024];
	log_init("sallyport-gatewayd", LOG_INFO);
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == '?')
			return 2;
		if (o == 'h')
			return puts(usage) < 0;
		path = o == 'c' ? optarg : path;
		run_as = o == 'u' ? optarg : run_as;
		check = check || o == 'k';
	}
	if (path == NULL || optind != argc)
		log_fatal("%s", usage);
	struct config *c = config_load(path, error, sizeof(error));
	if (c == NULL)
		log_fatal("%s", error);
	if (check)
		return puts("configuration is valid") < 0;

	int fds[2 + 2 * CONFIG_WORKERS_MAX];
	struct master *m = master_open(c); // everything that has a name
	sandbox_expect_fds(fds, master_fds(m, fds, ARRAY_LEN(fds)));
	(void)sock_notify_open(); // -1 is a legal way to run: no service manager
	sandbox_drop(run_as);
	master_confine(m); // files, programs and privileges end here
	return master_run(m);
}
