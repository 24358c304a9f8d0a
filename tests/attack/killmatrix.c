// SPDX-License-Identifier: Apache-2.0
// The kill matrix: every system call number, the same numbers with the x32 bit,
// the 32-bit entry and numbers far out of range are tried inside each role's own
// sandbox, one forked child each. What the policy text lists must come back, what
// it does not list must end the child by SIGSYS and nothing else. The policy is
// read here by a second, independent parser. Touches nothing but its children.
#include "common/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies.h"

#define NR_LAST	     460
#define X32_BIT	     0x40000000L
#define NR_FAR	     100000L
#define RULES_MAX    256
#define UNPRIVILEGED 64109

struct match {
	uint64_t mask; // all ones for argN=NUMBER
	uint64_t value;
	bool used;
};

struct rule {
	long nr;
	struct match arg[6];
	int deny_errno; // 0: allowed
};

struct policy {
	struct rule rule[RULES_MAX];
	size_t count;
};

enum verdict { RETURNS, KILLED, ANSWERS_ERRNO };

struct call {
	long nr;
	uint64_t arg[6];
	bool legacy_entry; // int 0x80
};

struct outcome {
	bool sigsys;
	bool hung; // killed by us after a second: it was let through
	int code;  // exit status: errno of the call, 0 when it succeeded
	int sig;   // the signal that ended the child, 0 if it exited
};

static unsigned test_no, failures;
static unsigned *order; // shared page: a child tells here whether its sandbox stood

static void
report(bool ok, const char *what)
{
	test_no++;
	if (!ok)
		failures++;
	printf("%sok %u - %s\n", ok ? "" : "not ", test_no, what);
	fflush(stdout);
}

// --- the second parser ---------------------------------------------------------

static void
parse_word(struct rule *r, const char *word)
{
	char *end;
	if (strncmp(word, "errno=", 6) == 0) {
		r->deny_errno = (int)strtol(word + 6, NULL, 0);
		return;
	}
	if (strncmp(word, "arg", 3) != 0 || word[3] < '0' || word[3] > '5') {
		printf("Bail out! unknown word in a policy: %s\n", word);
		exit(2);
	}
	struct match *m = &r->arg[word[3] - '0'];
	m->used = true;
	m->mask = UINT64_MAX;
	const char *p = word + 4;
	if (*p == '&') {
		m->mask = strtoull(p + 1, &end, 0);
		p = end;
	}
	m->value = strtoull(p + 1, NULL, 0);
}

static void
parse_line(struct policy *p, char *line)
{
	char *hash = strchr(line, '#');
	if (hash != NULL)
		*hash = '\0';
	char *save = NULL;
	char *word = strtok_r(line, " \t", &save);
	if (word == NULL)
		return;
	struct rule r = {.nr = seccomp_syscall_resolve_name(word)};
	if (r.nr < 0 || p->count == RULES_MAX)
		return; // a name of another architecture
	while ((word = strtok_r(NULL, " \t", &save)) != NULL)
		parse_word(&r, word);
	p->rule[p->count++] = r;
}

static void
parse(struct policy *p, const char *text)
{
	char *copy = strdup(text);
	if (copy == NULL)
		abort();
	char *save = NULL;
	p->count = 0;
	for (char *l = strtok_r(copy, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save))
		parse_line(p, l);
	free(copy);
}

static bool
rule_matches(const struct rule *r, const struct call *c)
{
	if (r->nr != c->nr)
		return false;
	for (int i = 0; i < 6; i++)
		if (r->arg[i].used && (c->arg[i] & r->arg[i].mask) != r->arg[i].value)
			return false;
	return true;
}

static enum verdict
expected(const struct policy *p, const struct call *c, int *errno_r)
{
	enum verdict v = KILLED;
	*errno_r = 0;
	if (c->legacy_entry)
		return v;
	for (size_t i = 0; i < p->count; i++) {
		if (!rule_matches(&p->rule[i], c))
			continue;
		if (p->rule[i].deny_errno == 0)
			return RETURNS;
		*errno_r = p->rule[i].deny_errno;
		v = ANSWERS_ERRNO;
	}
	return v;
}

// --- one try -------------------------------------------------------------------

static long
raw_call(const struct call *c)
{
	long ret;
#ifdef __x86_64__
	if (c->legacy_entry) {
		__asm__ volatile("int $0x80"
				 : "=a"(ret)
				 : "a"(c->nr), "b"(-1L), "c"(-1L), "d"(-1L)
				 : "memory", "r8", "r9", "r10", "r11");
		return ret;
	}
	register long r10 __asm__("r10") = (long)c->arg[3];
	register long r8 __asm__("r8") = (long)c->arg[4];
	register long r9 __asm__("r9") = (long)c->arg[5];
	__asm__ volatile(
	    "syscall"
	    : "=a"(ret)
	    : "a"(c->nr), "D"(c->arg[0]), "S"(c->arg[1]), "d"(c->arg[2]), "r"(r10), "r"(r8), "r"(r9)
	    : "rcx", "r11", "memory");
#else
	ret = syscall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
	if (ret < 0)
		ret = -errno;
#endif
	return ret;
}

NORETURN static void
child(const struct sandbox *outer, const struct sandbox *box, const struct call *c)
{
	setsid(); // vhangup and friends must not reach the caller's terminal
	if (outer != NULL)
		sandbox_enter(outer);
	sandbox_enter(box);
	*order = 1;
	long ret = raw_call(c);
	struct call quit = {.nr = SYS_exit_group, .arg = {ret < 0 ? (uint64_t)-ret & 0xff : 0}};
	raw_call(&quit);
	__builtin_trap();
}

static struct outcome
try_call(const struct sandbox *outer, const struct sandbox *box, const struct call *c)
{
	*order = 0;
	pid_t pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0)
		child(outer, box, c);
	struct outcome o = {0};
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd w = {.fd = pidfd, .events = POLLIN};
	if (poll(&w, 1, 1500) == 0) {
		o.hung = true;
		kill(pid, SIGKILL);
	}
	close(pidfd);
	int status = 0;
	if (waitpid(pid, &status, 0) != pid)
		abort();
	if (*order == 0) {
		printf("Bail out! %s: the sandbox could not be entered (status %#x)\n", box->role,
		    (unsigned)status);
		exit(2);
	}
	o.sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	o.sigsys = o.sig == SIGSYS;
	o.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return o;
}

// uretprobe (335) and uprobe (336) are not for programs: since Linux 6.14 the
// kernel passes them by every filter (kernel/seccomp.c) and refuses them itself
// unless they come from its own trampoline.
static bool
kernel_refused(const struct call *c, struct outcome o)
{
	return (c->nr == 335 && o.sig == SIGILL) || (c->nr == 336 && o.code == ENXIO);
}

static bool
right(const struct policy *p, const struct call *c, struct outcome o)
{
	int want_errno;
	switch (expected(p, c, &want_errno)) {
	case KILLED:
		return o.sigsys || kernel_refused(c, o);
	case ANSWERS_ERRNO:
		return !o.sigsys && o.code == want_errno;
	default:
		return !o.sigsys;
	}
}

// Arguments that can do no harm where a call is let through: bad pointers, bad
// descriptors, flags that no kernel knows; an allowed exit ends the child anyway.
static struct call
harmless(long nr)
{
	struct call c = {.nr = nr};
	for (int i = 0; i < 6; i++)
		c.arg[i] = UINT64_MAX;
	return c;
}

// --- the matrix ----------------------------------------------------------------

struct job {
	const struct sandbox *outer; // filter below this one (the zygote's, for sealers)
	const struct sandbox *box;
	const struct policy *policy;	   // what is expected
	const struct policy *outer_policy; // NULL, or also expected
	unsigned wrong;
	unsigned tried;
};

static void
tell(const struct job *j, const struct call *c, struct outcome o)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)c->nr);
	printf("# %s: %s%s (%#lx) args %llx %llx %llx: %s, code %d\n", j->box->role,
	    c->legacy_entry ? "int80 " : "", name != NULL ? name : "?", (unsigned long)c->nr,
	    (unsigned long long)c->arg[0], (unsigned long long)c->arg[1],
	    (unsigned long long)c->arg[2],
	    o.sigsys ? "SIGSYS"
	    : o.hung ? "hung"
		     : "came back",
	    o.code);
	free(name);
}

static void
one(struct job *j, const struct call *c)
{
	int e;
	struct outcome o = try_call(j->outer, j->box, c);
	const struct policy *p = j->policy;
	// Of two filters the stricter answer counts.
	if (j->outer_policy != NULL && expected(j->outer_policy, c, &e) == KILLED)
		p = j->outer_policy;
	else if (j->outer_policy != NULL && expected(p, c, &e) == RETURNS)
		p = j->outer_policy;
	j->tried++;
	if (right(p, c, o))
		return;
	j->wrong++;
	tell(j, c, o);
}

// For a rule with arguments: once as listed, once with each argument off by a bit.
static void
argument_cases(struct job *j, const struct rule *r)
{
	struct call c = harmless(r->nr);
	bool any = false;
	for (int i = 0; i < 6; i++) {
		if (!r->arg[i].used)
			continue;
		any = true;
		c.arg[i] = (c.arg[i] & ~r->arg[i].mask) | r->arg[i].value;
	}
	if (!any)
		return;
	one(j, &c);
	for (int i = 0; i < 6; i++) {
		if (!r->arg[i].used)
			continue;
		struct call off = c;
		off.arg[i] ^= r->arg[i].mask & (0 - r->arg[i].mask); // its lowest bit
		one(j, &off);
		off = c;
		if (r->arg[i].mask >> 32 != 0) {
			off.arg[i] ^= 1ULL << 40; // the upper half counts as well
			one(j, &off);
		}
	}
}

static void
matrix(struct job *j)
{
	for (long nr = 0; nr <= NR_LAST; nr++) {
		struct call c = harmless(nr);
		one(j, &c);
	}
	for (size_t i = 0; i < j->policy->count; i++)
		argument_cases(j, &j->policy->rule[i]);
}

// Numbers that no policy can list: x32, the 32-bit entry, out of range.
static void
foreign(struct job *j)
{
	static const long legacy[] = {1, 3, 4, 5, 11, 20, 102, 359};
	for (long nr = 0; nr <= NR_LAST; nr++) {
		struct call c = harmless(nr | X32_BIT);
		one(j, &c);
	}
	for (size_t i = 0; i < ARRAY_LEN(legacy); i++) {
		struct call c = harmless(legacy[i]);
		c.legacy_entry = true;
		one(j, &c);
	}
	const long far[] = {NR_FAR, 512, 547, 0x7fffffffL, -1L, X32_BIT | 512, X32_BIT | 0x3fff};
	for (size_t i = 0; i < ARRAY_LEN(far); i++) {
		struct call c = harmless(far[i]);
		one(j, &c);
	}
}

static struct sandbox
box_of(const char *role, const char *text)
{
	return (struct sandbox){.role = role, .policy = text, .max_files = 64, .max_file_size = 0};
}

static void
run_role(const char *role, const char *text, const char *outer_text)
{
	static struct policy p, po;
	parse(&p, text);
	struct sandbox box = box_of(role, text);
	struct sandbox outer = box_of("outer", outer_text);
	struct job j = {.box = &box, .policy = &p};
	if (outer_text != NULL) {
		parse(&po, outer_text);
		j.outer = &outer;
		j.outer_policy = &po;
	}
	char line[160];
	snprintf(line, sizeof(line), "%s: policy is readable and lists exit_group (%zu rules)",
	    role, p.count);
	struct call quit = {.nr = SYS_exit_group};
	int e;
	bool ok = p.count > 0 && expected(&p, &quit, &e) == RETURNS;
	report(ok, line);
	if (!ok)
		return;
	matrix(&j);
	snprintf(line, sizeof(line), "%s: %u system calls and argument variants as the policy says",
	    role, j.tried);
	report(j.wrong == 0, line);
	struct job f = j;
	f.wrong = f.tried = 0;
	foreign(&f);
	snprintf(line, sizeof(line), "%s: %u foreign numbers end by SIGSYS", role, f.tried);
	report(f.wrong == 0, line);
}

// What no role on the vault side may have, whatever its policy text says.
static void
promises(const char *role, const char *text, const long *never, size_t n)
{
	static struct policy p;
	parse(&p, text);
	bool ok = true;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < p.count; k++)
			if (p.rule[k].nr == never[i] && p.rule[k].deny_errno == 0) {
				char *name = seccomp_syscall_resolve_num_arch(
				    SCMP_ARCH_X86_64, (int)never[i]);
				printf("# %s lists %s\n", role, name);
				free(name);
				ok = false;
			}
	char line[160];
	snprintf(line, sizeof(line), "%s: cannot dial, open by name, execute or trace", role);
	report(ok, line);
}

// Negative control: a sandbox that lets one call more through than the text says,
// and one that lets one less through, must both be found.
static void
controls(void)
{
	static struct policy p;
	static char more[65536], less[] = "exit_group\n";
	parse(&p, policy_sealer);
	snprintf(more, sizeof(more), "%s\ngetppid\n", policy_sealer);
	struct sandbox wide = box_of("control", more), narrow = box_of("control", less);
	struct call ppid = harmless(SYS_getppid), rd = harmless(SYS_read);
	report(!right(&p, &ppid, try_call(NULL, &wide, &ppid)),
	    "control: a sandbox wider than its text is noticed");
	report(!right(&p, &rd, try_call(NULL, &narrow, &rd)),
	    "control: a sandbox narrower than its text is noticed");
}

int
main(void)
{
	static const long never[] = {SYS_socket, SYS_connect, SYS_bind, SYS_open, SYS_openat,
	    SYS_openat2, SYS_creat, SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv,
	    SYS_process_vm_writev, SYS_pidfd_getfd, SYS_io_uring_setup, SYS_bpf, SYS_userfaultfd,
	    SYS_memfd_create, SYS_setns, SYS_unshare, SYS_mount};
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) != 0 || setresgid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED) != 0 ||
		setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED) != 0)) {
		printf("Bail out! cannot drop privileges\n");
		return 2;
	}
	order = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (order == MAP_FAILED)
		return 2;
	controls();
	promises("core", policy_core, never, ARRAY_LEN(never));
	promises("zygote", policy_zygote, never, ARRAY_LEN(never));
	promises("sealer", policy_sealer, never, ARRAY_LEN(never));
	run_role("core", policy_core, NULL);
	run_role("zygote", policy_zygote, NULL);
	run_role("sealer", policy_sealer, NULL);
	run_role("sealer inside zygote", policy_sealer, policy_zygote);
	run_role("auditd", policy_auditd, NULL);
	run_role("worker", policy_worker, NULL);
	run_role("master", policy_master, NULL);
	printf("1..%u\n", test_no);
	return failures == 0 ? 0 : 1;
}
