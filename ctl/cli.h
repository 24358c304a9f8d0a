// SPDX-License-Identifier: Apache-2.0
// What every subcommand shares: one table per command that is its parser and its
// help text at once, where the sockets are, and how an error is said. Exit codes:
// 0 done, 1 the work failed, 2 the command line is wrong, 3 a credential does not work.
#ifndef CTL_CLI_H
#define CTL_CLI_H

#include "common/mp.h"

#define CLI_LIST_MAX 32U
#define CLI_PATH_MAX 512U

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_TEST_FAILED = 3 };

struct cli_list { // of a repeatable option
	size_t n;
	const char *v[CLI_LIST_MAX];
};

// Exactly one of flag, value, list is set. Options are "--name VALUE" or
// "--name=VALUE"; a table ends with name NULL.
struct cli_option {
	const char *name;
	const char *arg; // placeholder in the help; NULL for a flag
	const char *help;
	bool *flag;
	const char **value;
	struct cli_list *list;
};

struct cli_command {
	const char *name;    // "credential add"
	const char *args;    // "NAME", or "" for none
	const char *purpose; // one line
	const char *details; // more lines, or NULL
	const char *example; // to copy and paste
	size_t min_args;
	size_t max_args;
	const struct cli_option *options;  // NULL: none
	int (*run)(int argc, char **argv); // what is left after the options
};

// Fills the targets of cmd's options and compacts the other words to argv[0..].
// Returns how many are left, or -1 after saying what is wrong (exit CLI_USAGE).
// Asked for help it prints that and returns -2 (exit CLI_OK).
int cli_parse(const struct cli_command *cmd, int argc, char **argv) MUST_CHECK;

void cli_help(const struct cli_command *cmd);

// "sallyport: text" on standard error; the return value is the exit code.
int cli_usage(const struct cli_command *cmd, const char *fmt, ...) PRINTF(2, 3);
int cli_fail(const char *fmt, ...) PRINTF(1, 2);

// State directory given by --dir or SALLYPORT_DIR, or NULL: the installed service.
extern const char *cli_dir;
// Path of "admin.sock" and so on, for that directory.
void cli_socket_path(const char *name, char out[CLI_PATH_MAX]);

// "3 min ago", "never"; for tables.
void cli_ago(uint64_t unix_s, char *out, size_t size);

// "2026-11-21T16:00:00Z", "-" for 0.
void cli_utc(uint64_t unix_s, char *out, size_t size);

// Columns are padded when the table is printed. Cells are copied.
struct cli_table;
struct cli_table *cli_table_new(size_t columns, const char *const *titles);
void cli_table_cell(struct cli_table *t, const char *fmt, ...) PRINTF(2, 3);
void cli_table_print(struct cli_table *t); // and frees it
void cli_table_free(struct cli_table *t);  // NULL is allowed

#endif
