// SPDX-License-Identifier: Apache-2.0
// What happens between fork and the sealer's loop. May touch: the child's own
// descriptors, limits and sandbox.
#include "vaultd/zygote_child.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secmem.h"
#include "policies.h"
#include "vaultd/sealer_loop.h"
#include "vaultd/sealer_selftest.h"

const struct sandbox zygote_child_sandbox = {
    .role = "sealer",
    .policy = policy_sealer,
    .max_files = 8,
};

static void
close_all_but(int a, int b)
{
	unsigned low = (unsigned)MIN(a, b), high = (unsigned)MAX(a, b);
	bool ok = true;
	if (low > 3)
		ok = close_range(3, low - 1, 0) == 0;
	if (high > low + 1)
		ok = ok && close_range(low + 1, high - 1, 0) == 0;
	if (!ok || close_range(high + 1, ~0U, 0) != 0)
		_exit(SEALER_EXIT_NOT_STARTED);
}

// The zygote never had a secret, so there is none to inherit; the arena is the
// child's own from the start.
static void
become_sealer(void)
{
	prctl(PR_SET_NAME, "sp-sealer");
	if (secmem_init(SEALER_SECMEM_SIZE) == SECMEM_NONE) {
		log_msg(LOG_ERROR, "sealer: no memory for secrets: neither memfd_secret nor "
				   "locked pages (raise LimitMEMLOCK)");
		_exit(SEALER_EXIT_MEMORY);
	}
	sandbox_enter(&zygote_child_sandbox);
	if (sealer_selftest_run(true) != 0)
		_exit(SEALER_EXIT_SELFTEST);
}

void
zygote_child_run(int control, int lanes)
{
	close_all_but(control, lanes);
	become_sealer();
	_exit((int)sealer_loop_run(control, lanes));
}

int
zygote_child_probe_sealer(void *cookie)
{
	(void)cookie;
	return sealer_selftest_run(false);
}

int
zygote_child_probe_fork(void *cookie)
{
	(void)cookie;
	pid_t pid = fork();
	if (pid == 0) {
		become_sealer();
		_exit(0);
	}
	int status = -1;
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status == 0 ? 0 : -1;
}
