// SPDX-License-Identifier: Apache-2.0
// The `sallyport` command: finds the subcommand and runs it. Everything that it
// may do to a running service goes through the vault's admin socket or the audit
// daemon's query socket.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "ctl/audit.h"
#include "ctl/commands.h"

static const struct cli_command *const commands[] = {
    &command_up,
    &command_status,
    &command_apply,
    &command_credential_add,
    &command_credential_list,
    &command_credential_show,
    &command_credential_test,
    &command_credential_rotate,
    &command_credential_enable,
    &command_credential_disable,
    &command_credential_remove,
    &command_vkey_issue,
    &command_vkey_list,
    &command_vkey_revoke,
    &command_issuer_show,
    &command_issuer_set,
    &command_issuer_rotate,
    &command_issuer_export,
    &command_catalog_show,
    &command_catalog_diff,
    &command_catalog_apply,
};

static void
overview(void)
{
	printf("sallyport: keeps provider keys away from the network, and proves who used them\n\n"
	       "usage: sallyport [--dir DIR] COMMAND ...\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-20s %s\n", commands[i]->name, commands[i]->purpose);
	printf("  %-20s %s\n", "audit", "read and verify the audit trail");
	printf("  %-20s %s\n", "help COMMAND", "how to use one of them, with an example");
	printf("  %-20s %s\n", "version", "print the version");
	printf("\n--dir DIR or SALLYPORT_DIR names the directory of a stack started by `up`;\n"
	       "without either, the installed service is meant (/run/sallyport).\n\n"
	       "start here:\n  sallyport up --demo --dir /tmp/demo\n");
}

// Takes "--dir DIR" out of the words, wherever it stands.
static int
take_dir(int argc, char **argv)
{
	int n = 0;
	cli_dir = getenv("SALLYPORT_DIR");
	if (cli_dir != NULL && *cli_dir == '\0')
		cli_dir = NULL;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
			cli_dir = argv[++i];
		else if (strncmp(argv[i], "--dir=", 6) == 0)
			cli_dir = argv[i] + 6;
		else
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	return n;
}

// The command that the first one or two words name; *used_r words belong to it.
static const struct cli_command *
find(int argc, char **argv, int *used_r)
{
	char two[64];
	snprintf(two, sizeof(two), "%s %s", argv[0], argc > 1 ? argv[1] : "");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		bool double_word = strchr(commands[i]->name, ' ') != NULL;
		if (strcmp(commands[i]->name, double_word ? two : argv[0]) == 0) {
			*used_r = double_word ? 2 : 1;
			return commands[i];
		}
	}
	return NULL;
}

// "credentials", "cred", "catalogue": what was meant.
static bool
similar(const char *typed, const char *name)
{
	size_t same = 0, len = strcspn(name, " ");
	while (same < len && typed[same] == name[same])
		same++;
	return same >= 3 && (same == len || typed[same] == '\0' || same + 1 >= len);
}

static int
guess(const char *typed)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (similar(typed, commands[i]->name))
			return cli_usage(NULL,
			    "there is no command \"%s\"; did you mean: sallyport %.*s", typed,
			    (int)strcspn(commands[i]->name, " "), commands[i]->name);
	return cli_usage(NULL, "there is no command \"%s\"", typed);
}

// "credential" alone, or with a word that it does not know.
static int
unknown(int argc, char **argv)
{
	size_t len = strlen(argv[0]);
	bool group = false;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strncmp(commands[i]->name, argv[0], len) == 0 &&
		    commands[i]->name[len] == ' ') {
			if (!group)
				fprintf(stderr, "sallyport: %s %s; it has:\n", argv[0],
				    argc > 1 ? "does not know that word" : "needs one more word");
			group = true;
			fprintf(stderr, "  sallyport %-20s %s\n", commands[i]->name,
			    commands[i]->purpose);
		}
	if (group)
		return CLI_USAGE;
	return guess(argv[0]);
}

static int
run(const struct cli_command *cmd, int argc, char **argv)
{
	int n = cli_parse(cmd, argc, argv);
	if (n < 0)
		return n == -2 ? CLI_OK : CLI_USAGE;
	return cmd->run(n, argv);
}

static int
dispatch(int argc, char **argv)
{
	int used = 0;
	bool help = false;
	if (argc == 0) {
		overview();
		return CLI_USAGE;
	}
	if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
	    strcmp(argv[0], "-h") == 0) {
		help = true;
		argc--;
		argv++;
	}
	if (argc == 0) {
		overview();
		return CLI_OK;
	}
	if (strcmp(argv[0], "version") == 0 || strcmp(argv[0], "--version") == 0) {
		printf("sallyport %s\n", SALLYPORT_VERSION);
		return CLI_OK;
	}
	if (strcmp(argv[0], "audit") == 0) {
		static char ask[] = "--help";
		char *words[] = {argv[0], ask, NULL};
		return help ? audit_main(2, words, cli_dir) : audit_main(argc, argv, cli_dir);
	}
	const struct cli_command *cmd = find(argc, argv, &used);
	if (cmd == NULL)
		return unknown(argc, argv);
	if (help) {
		cli_help(cmd);
		return CLI_OK;
	}
	return run(cmd, argc - used, argv + used);
}

// A reader that has seen enough (`| head`) is no fault to complain about.
static bool
reader_left(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO};
	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

int
main(int argc, char **argv)
{
	log_init("sallyport", LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0); // in order with standard error, into one file too
	int code = dispatch(take_dir(argc - 1, argv + 1), argv + 1);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (!reader_left())
			cli_fail("cannot write to standard output");
		return CLI_FAILED;
	}
	return code;
}
