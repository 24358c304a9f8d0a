// SPDX-License-Identifier: Apache-2.0
// `sallyport apply -f FILE`: brings the vault to what the file says. Everything is
// checked before anything is sent, and running it again changes nothing.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/apply_file.h"
#include "ctl/apply_plan.h"
#include "ctl/client.h"
#include "ctl/commands.h"

static struct {
	const char *file;
	bool check;
} o;

static const struct cli_option options[] = {
    {"file", "FILE", "YAML; also -f FILE", NULL, &o.file, NULL},
    {"check", NULL, "only say what would happen", &o.check, NULL, NULL},
    {0},
};

// --- sending -----------------------------------------------------------------------

static int
send_credential(struct client *c, struct apply_step *s)
{
	union client_reply r;
	if (client_call(c, MSG_CREDENTIAL_PUT, &s->put, s->name, &r) != MSG_DONE)
		return -1;
	// Version 0: it already is what was sent.
	bool unchanged = s->exists && r.done.version == 0;
	const char *what = !s->exists ? "added" : unchanged ? "unchanged" : "updated";
	uint64_t version = unchanged ? s->version : r.done.version;
	printf("credential %s: %s (version %llu)\n", s->name, what, (unsigned long long)version);
	return 0;
}

static int
write_key(const char *path, struct view key)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && write(fd, key.p, key.len) == (ssize_t)key.len &&
		  write(fd, "\n", 1) == 1 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	if (!ok)
		cli_fail("cannot write the new key to %s: %s", path, strerror(errno));
	return ok ? 0 : -1;
}

static int
send_vkey(struct client *c, struct apply_step *s)
{
	union client_reply r;
	if (s->exists) {
		printf("virtual key %s: unchanged\n", s->name);
		return 0;
	}
	if (client_call(c, MSG_VKEY_ISSUE, &s->issue, s->name, &r) != MSG_VKEY_ISSUED)
		return -1;
	if (s->key_file == NULL)
		printf("virtual key %s: issued, shown this once: %.*s\n", s->name,
		    (int)r.issued.key.len, r.issued.key.p);
	else if (write_key(s->key_file, r.issued.key) != 0)
		printf("virtual key %s: issued, but its key is lost: revoke it and try again\n",
		    s->name);
	else
		printf("virtual key %s: issued, key in %s\n", s->name, s->key_file);
	return 0;
}

static void
say_would(const struct apply_step *s)
{
	if (s->is_vkey)
		printf(
		    "virtual key %s: %s\n", s->name, s->exists ? "unchanged" : "would be issued");
	else
		printf("credential %s: %s\n", s->name,
		    s->exists ? "would be updated where it differs" : "would be added");
}

static int
run_plan(struct client *c, struct apply_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct apply_step *s = &p->step[i];
		if (o.check) {
			say_would(s);
		} else if ((s->is_vkey ? send_vkey(c, s) : send_credential(c, s)) != 0) {
			return cli_fail("stopped at %s; %zu of %zu done. Running it again is safe",
			    s->name, i, p->n);
		}
	}
	return CLI_OK;
}

static int
apply(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	struct apply_file f = {0};
	struct apply_plan plan = {0};
	struct client *c = NULL;
	int code = CLI_FAILED;
	if (o.file == NULL)
		return cli_usage(&command_apply, "which file? -f FILE");
	if (!client_secrets_ready() || apply_file_load(&f, o.file) != 0 ||
	    apply_plan_make(&plan, &f) != 0)
		goto out;
	c = client_dial();
	if (c != NULL && apply_plan_compare(&plan, &f, c) == 0)
		code = run_plan(c, &plan);
out:
	client_close(c);
	apply_plan_free(&plan);
	apply_file_free(&f);
	return code;
}

const struct cli_command command_apply = {
    .name = "apply",
    .args = "",
    .purpose = "bring credentials and virtual keys to what a YAML file says",
    .details =
	"Checks the whole file first; a fault is shown with its line and nothing is sent.\n"
	"Credentials and virtual keys that the file does not name stay as they are. Secrets\n"
	"are read from the files named by secret_file; the YAML itself holds none.",
    .example = "  cat > team.yaml <<END\n"
	       "  credentials:\n"
	       "    - name: openai-main\n"
	       "      provider: openai\n"
	       "      secret_file: openai.key\n"
	       "      models: [\"gpt-*\"]\n"
	       "  virtual_keys:\n"
	       "    - name: team-a\n"
	       "      credentials: [openai-main]\n"
	       "      rate: 600/min\n"
	       "      key_file: team-a.key\n"
	       "  END\n"
	       "  sallyport apply -f team.yaml",
    .options = options,
    .run = apply,
};
