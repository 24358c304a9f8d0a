// SPDX-License-Identifier: Apache-2.0
// The policy language (one rule and one reason a line) and its translation for
// libseccomp. May touch: the filter of the calling process.
#include "common/sandbox_seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#ifdef SALLYPORT_SAN
#include "policies.h"
#endif

#define LINE_CAP 256

static void
parse_word(char *word, struct sandbox_rule *r)
{
	char *eq = strchr(word, '=');
	if (eq == NULL)
		log_fatal(
		    "sandbox policy: '%s' is neither argN=NUMBER, argN&MASK=NUMBER nor errno=N",
		    word);
	uint64_t value = strtoull(eq + 1, NULL, 0);
	if (strncmp(word, "errno=", 6) == 0) {
		r->error = (int)value;
		return;
	}
	if (strncmp(word, "arg", 3) != 0 || word[3] < '0' || word[3] > '5' ||
	    r->arg_count == SANDBOX_ARGS_MAX)
		log_fatal("sandbox policy: cannot read '%s'", word);
	size_t i = r->arg_count++;
	r->arg[i].index = (unsigned)(word[3] - '0');
	r->arg[i].mask = word[4] == '&' ? strtoull(word + 5, NULL, 0) : UINT64_MAX;
	r->arg[i].value = value;
}

int
sandbox_seccomp_next(const char **text, struct sandbox_rule *r_r)
{
	if (**text == '\0')
		return -1;
	const char *end = strchrnul(*text, '\n');
	char line[LINE_CAP];
	size_t n = (size_t)(end - *text);
	if (n >= sizeof(line))
		log_fatal("sandbox policy: line too long");
	memcpy(line, *text, n);
	line[n] = '\0';
	*text = *end == '\n' ? end + 1 : end;
	line[strcspn(line, "#")] = '\0';

	char *save = NULL;
	char *word = strtok_r(line, " \t", &save);
	if (word == NULL)
		return 0;
	*r_r = (struct sandbox_rule){.nr = seccomp_syscall_resolve_name(word)};
	snprintf(r_r->syscall, sizeof(r_r->syscall), "%s", word);
	while ((word = strtok_r(NULL, " \t", &save)) != NULL)
		parse_word(word, r_r);
	return 1;
}

static void
add_rule(scmp_filter_ctx ctx, const char *role, const struct sandbox_rule *r)
{
	if (r->nr == __NR_SCMP_ERROR)
		log_fatal("%s: sandbox policy names an unknown system call '%s'", role, r->syscall);
	struct scmp_arg_cmp cmp[SANDBOX_ARGS_MAX];
	for (size_t i = 0; i < r->arg_count; i++) {
		bool masked = r->arg[i].mask != UINT64_MAX;
		cmp[i] = (struct scmp_arg_cmp){.arg = r->arg[i].index,
		    .op = masked ? SCMP_CMP_MASKED_EQ : SCMP_CMP_EQ,
		    .datum_a = masked ? r->arg[i].mask : r->arg[i].value,
		    .datum_b = masked ? r->arg[i].value : 0};
	}
	uint32_t action = r->error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint16_t)r->error);
	int rc = seccomp_rule_add_array(ctx, action, r->nr, (unsigned)r->arg_count, cmp);
	// EEXIST: an earlier line already decides; the first line wins.
	if (rc != 0 && rc != -EEXIST)
		log_fatal("%s: sandbox rule for %s: %s", role, r->syscall, strerror(-rc));
}

static bool
names(const char *policy, int nr)
{
	struct sandbox_rule r;
	for (int kind; (kind = sandbox_seccomp_next(&policy, &r)) >= 0;)
		if (kind == 1 && r.nr == nr)
			return true;
	return false;
}

// A refusal does not override what `stronger` says of the same call.
static void
add_policy(scmp_filter_ctx ctx, const char *role, const char *policy, const char *stronger)
{
	struct sandbox_rule r;
	for (int kind; (kind = sandbox_seccomp_next(&policy, &r)) >= 0;)
		if (kind == 1 && (r.error == 0 || !names(stronger, r.nr)))
			add_rule(ctx, role, &r);
}

void
sandbox_seccomp_load(const char *role, const char *policy, uint32_t default_action)
{
	scmp_filter_ctx ctx = seccomp_init(default_action);
	if (ctx == NULL)
		log_fatal("%s: seccomp_init failed", role);
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc != 0)
		log_fatal("%s: seccomp attributes: %s", role, strerror(-rc));
	add_policy(ctx, role, policy, "");
#ifdef SALLYPORT_SAN
	add_policy(ctx, role, policy_sanitizer, policy);
#endif
	rc = seccomp_load(ctx);
	if (rc != 0)
		log_fatal("%s: cannot load the sandbox: %s", role, strerror(-rc));
	seccomp_release(ctx);
}
