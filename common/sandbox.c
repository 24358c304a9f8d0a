// SPDX-License-Identifier: Apache-2.0
// Giving things up: descriptors, users, limits, Landlock, system calls. The policy
// text is parsed by sandbox_seccomp.c. May touch: the calling process only.
#include "common/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox_seccomp.h"

void
sandbox_expect_fds(const int *fds, size_t n)
{
	DIR *d = opendir("/proc/self/fd");
	if (d == NULL)
		log_fatal("cannot list open descriptors: %s (is /proc mounted?)", strerror(errno));
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		int fd = (int)strtol(e->d_name, NULL, 10);
		bool known = fd <= 2 || fd == dirfd(d);
		for (size_t i = 0; !known && i < n; i++)
			known = fds[i] == fd;
		if (known)
			continue;
		char path[64], target[128] = "?";
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t len = readlink(path, target, sizeof(target) - 1);
		if (len > 0)
			target[len] = '\0';
		log_fatal(
		    "unexpected open descriptor %d (%s): refusing to start with it", fd, target);
	}
	closedir(d);
}

void
sandbox_drop(const char *run_as)
{
	if (run_as == NULL) {
		if (geteuid() == 0)
			log_fatal("refusing to serve as root: start as the daemon's user, or give "
				  "--run-as UID:GID");
		return;
	}
	char *end;
	unsigned long uid = strtoul(run_as, &end, 10);
	if (end == run_as || *end != ':')
		log_fatal("--run-as takes UID:GID in numbers, not '%s'", run_as);
	const char *g = end + 1;
	unsigned long gid = strtoul(g, &end, 10);
	if (end == g || *end != '\0' || uid == 0 || gid == 0)
		log_fatal("--run-as takes UID:GID in numbers, neither of them 0, not '%s'", run_as);
	if (geteuid() != 0) {
		if (geteuid() != uid)
			log_fatal("cannot become uid %lu: not started as root", uid);
		return;
	}
	gid_t group = (gid_t)gid;
	uid_t user = (uid_t)uid;
	int death_signal = 0;
	pid_t parent = getppid();
	prctl(PR_GET_PDEATHSIG, &death_signal);
	if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 ||
	    setresuid(user, user, user) != 0)
		log_fatal("cannot become %lu:%lu: %s", uid, gid, strerror(errno));
	if (setuid(0) == 0)
		log_fatal("root could be regained: refusing to start");
	// The kernel forgets it at a change of user (prctl(2)); the supervisor meant it.
	if (death_signal != 0) {
		prctl(PR_SET_PDEATHSIG, death_signal);
		if (getppid() != parent)
			log_fatal("the supervisor is gone");
	}
}

static void
limit(enum __rlimit_resource what, rlim_t value, const char *name)
{
	struct rlimit rl = {.rlim_cur = value, .rlim_max = value};
	struct rlimit now;
	if (getrlimit(what, &now) == 0 && now.rlim_max < value)
		rl.rlim_cur = rl.rlim_max = now.rlim_max; // cannot be raised: take what there is
	if (setrlimit(what, &rl) != 0)
		log_fatal("cannot set %s: %s", name, strerror(errno));
}

static void
apply_limits(const struct sandbox *s)
{
	limit(RLIMIT_CORE, 0, "RLIMIT_CORE");
	limit(RLIMIT_NOFILE, s->max_files, "RLIMIT_NOFILE");
	if (s->max_file_size != 0)
		limit(RLIMIT_FSIZE, s->max_file_size, "RLIMIT_FSIZE");
	// A peer that goes away is an error code, never a signal.
	signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		log_fatal("prctl: %s", strerror(errno));
}

// --- Landlock ------------------------------------------------------------------
// Kernel interface: Documentation/userspace-api/landlock.rst. Declared here
// because Debian 12's headers know ABI 2 only.

#define LL_FS_ABI1   ((1ULL << 13) - 1)
#define LL_FS_REFER  (1ULL << 13) // ABI 2
#define LL_FS_TRUNC  (1ULL << 14) // ABI 3
#define LL_FS_IOCTL  (1ULL << 15) // ABI 5
#define LL_NET_TCP   3ULL	  // bind and connect, ABI 4
#define LL_SCOPE_ABS 1ULL	  // abstract Unix sockets, ABI 6

struct ll_ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

struct __attribute__((packed)) ll_path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
};

static void
apply_landlock(const struct sandbox *s)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1U);
	if (abi < 1) {
		log_msg(LOG_WARN,
		    "%s: the kernel has no Landlock; seccomp alone guards the file system",
		    s->role);
		return;
	}
	struct ll_ruleset rs = {.fs = LL_FS_ABI1};
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	rs.fs |= (abi >= 2 ? LL_FS_REFER : 0) | (abi >= 3 ? LL_FS_TRUNC : 0) |
		 (abi >= 5 ? LL_FS_IOCTL : 0);
	if (!s->landlock_tcp)
		rs.net = LL_NET_TCP;
	rs.scoped = LL_SCOPE_ABS;
	int fd = (int)syscall(SYS_landlock_create_ruleset, &rs, size, 0U);
	if (fd < 0)
		log_fatal("%s: landlock_create_ruleset: %s", s->role, strerror(errno));
	for (size_t i = 0; i < s->landlock_dir_count; i++) {
		struct ll_path_beneath pb = {.allowed = rs.fs, .parent_fd = s->landlock_dirs[i]};
		if (syscall(SYS_landlock_add_rule, fd, 1, &pb, 0U) != 0)
			log_fatal("%s: landlock_add_rule: %s", s->role, strerror(errno));
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0U) != 0)
		log_fatal("%s: landlock_restrict_self: %s", s->role, strerror(errno));
	close(fd);
}

// --- the two ways in -----------------------------------------------------------

void
sandbox_enter(const struct sandbox *s)
{
	apply_limits(s);
	apply_landlock(s);
	sandbox_seccomp_load(s->role, s->policy, SCMP_ACT_KILL_PROCESS);
}

static int probe_pipe = -1;

static void
on_sigsys(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	int nr = info->si_syscall;
	if (write(probe_pipe, &nr, sizeof(nr)) != sizeof(nr))
		_exit(98);
	_exit(99);
}

NORETURN
static void
probe_child(const struct sandbox *s, int (*fn)(void *), void *cookie)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};
	sa.sa_sigaction = on_sigsys;
	sigaction(SIGSYS, &sa, NULL);
	if (s->in_probe != NULL)
		s->in_probe();
	apply_limits(s);
	apply_landlock(s);
	sandbox_seccomp_load(s->role, s->policy, SCMP_ACT_TRAP);
	_exit(fn(cookie) == 0 ? 0 : 97);
}

void
sandbox_probe(const struct sandbox *s, int (*fn)(void *), void *cookie)
{
	int fds[2];
	if (pipe(fds) != 0)
		log_fatal("%s: pipe: %s", s->role, strerror(errno));
	probe_pipe = fds[1];
	pid_t pid = fork();
	if (pid < 0)
		log_fatal("%s: fork: %s", s->role, strerror(errno));
	if (pid == 0)
		probe_child(s, fn, cookie);
	close(fds[1]);
	int nr = -1, status = 0;
	ssize_t n = read(fds[0], &nr, sizeof(nr));
	close(fds[0]);
	if (waitpid(pid, &status, 0) != pid)
		log_fatal("%s: waitpid: %s", s->role, strerror(errno));
	if (n == (ssize_t)sizeof(nr)) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
		log_fatal(
		    "%s: self-test needs the system call %s (%d), which its sandbox blocks; a "
		    "library was upgraded past this version of Sallyport",
		    s->role, name == NULL ? "?" : name, nr);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_fatal("%s: self-test failed (wait status 0x%x)", s->role, (unsigned)status);
}
