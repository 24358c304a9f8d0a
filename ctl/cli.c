// SPDX-License-Identifier: Apache-2.0
// Parsing and help from one table, errors, small output helpers. May touch:
// standard output and error, the environment variable SALLYPORT_DIR (in main).
#include "ctl/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *cli_dir;

// --- errors --------------------------------------------------------------------

int
cli_usage(const struct cli_command *cmd, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("sallyport: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nsallyport: try: sallyport help%s%s\n", cmd == NULL ? "" : " ",
	    cmd == NULL ? "" : cmd->name);
	return CLI_USAGE;
}

int
cli_fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("sallyport: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAILED;
}

// --- help ----------------------------------------------------------------------

void
cli_help(const struct cli_command *cmd)
{
	printf("sallyport %s: %s\n\n", cmd->name, cmd->purpose);
	printf("usage: sallyport [--dir DIR] %s%s%s%s\n", cmd->name, *cmd->args ? " " : "",
	    cmd->args, cmd->options == NULL ? "" : " [options]");
	if (cmd->details != NULL)
		printf("\n%s\n", cmd->details);
	if (cmd->options != NULL)
		printf("\noptions:\n");
	for (const struct cli_option *o = cmd->options; o != NULL && o->name != NULL; o++) {
		char left[64];
		snprintf(left, sizeof(left), "--%s%s%s%s", o->name, o->arg == NULL ? "" : " ",
		    o->arg == NULL ? "" : o->arg, o->list == NULL ? "" : " ...");
		printf("  %-28s %s\n", left, o->help);
	}
	printf("\nexample:\n%s\n", cmd->example);
}

// --- parsing -------------------------------------------------------------------

static const struct cli_option *
option_find(const struct cli_command *cmd, const char *name, size_t len)
{
	for (const struct cli_option *o = cmd->options; o != NULL && o->name != NULL; o++)
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

// A secret on the command line is in every process list and shell history.
static bool
names_a_secret(const char *name, size_t len)
{
	static const char *const words[] = {"secret", "key", "api-key", "apikey", "token",
	    "password", "secret-key", "secret-access-key", "session-token"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == len && memcmp(words[i], name, len) == 0)
			return true;
	return false;
}

static int
option_store(const struct cli_command *cmd, const struct cli_option *o, const char *value)
{
	if (o->value != NULL) {
		if (*o->value != NULL)
			return cli_usage(cmd, "--%s is given twice", o->name);
		*o->value = value;
		return CLI_OK;
	}
	if (o->list->n == CLI_LIST_MAX)
		return cli_usage(cmd, "more than %u --%s", CLI_LIST_MAX, o->name);
	o->list->v[o->list->n++] = value;
	return CLI_OK;
}

static int
unknown_option(const struct cli_command *cmd, const char *name, size_t len)
{
	if (names_a_secret(name, len))
		return cli_usage(cmd,
		    "--%.*s is refused: a secret on the command line can be read by every "
		    "user of this machine and stays in the shell's history.\n"
		    "sallyport: type it at the prompt, or send it on standard input: "
		    "sallyport %s ... < FILE",
		    (int)len, name, cmd->name);
	return cli_usage(cmd, "%s has no option --%.*s", cmd->name, (int)len, name);
}

// One option at argv[*i]; steps over its value.
static int
parse_option(const struct cli_command *cmd, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2;
	const char *eq = strchr(name, '=');
	size_t len = eq == NULL ? strlen(name) : (size_t)(eq - name);
	const struct cli_option *o = option_find(cmd, name, len);
	if (o == NULL)
		return unknown_option(cmd, name, len);
	if (o->flag != NULL) {
		if (eq != NULL)
			return cli_usage(cmd, "--%s takes no value", o->name);
		*o->flag = true;
		return CLI_OK;
	}
	if (eq != NULL)
		return option_store(cmd, o, eq + 1);
	if (*i + 1 >= argc)
		return cli_usage(cmd, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
	return option_store(cmd, o, argv[++*i]);
}

int
cli_parse(const struct cli_command *cmd, int argc, char **argv)
{
	size_t n = 0;
	bool words_only = false;
	for (int i = 0; i < argc; i++) {
		char *a = argv[i];
		if (!words_only && strcmp(a, "--") == 0) {
			words_only = true;
		} else if (!words_only && (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)) {
			cli_help(cmd);
			return -2;
		} else if (!words_only && strcmp(a, "-f") == 0 &&
			   option_find(cmd, "file", 4) != NULL) {
			static char file[] = "--file";
			argv[i--] = file;
		} else if (!words_only && strncmp(a, "--", 2) == 0) {
			if (parse_option(cmd, argc, argv, &i) != CLI_OK)
				return -1;
		} else if (!words_only && a[0] == '-' && a[1] != '\0') {
			cli_usage(cmd, "%s has no option %s", cmd->name, a);
			return -1;
		} else {
			argv[n++] = a;
		}
	}
	if (n < cmd->min_args || n > cmd->max_args) {
		if (n < cmd->min_args)
			cli_usage(cmd, "%s needs %s", cmd->name, cmd->args);
		else
			cli_usage(cmd, "%s does not know what to do with \"%s\"", cmd->name,
			    argv[cmd->max_args]);
		return -1;
	}
	return (int)n;
}

// --- places, times, tables -----------------------------------------------------

void
cli_socket_path(const char *name, char out[CLI_PATH_MAX])
{
	if (cli_dir == NULL)
		snprintf(out, CLI_PATH_MAX, "/run/sallyport/%s.sock", name);
	else
		snprintf(out, CLI_PATH_MAX, "%s/run/%s.sock", cli_dir, name);
}

void
cli_ago(uint64_t unix_s, char *out, size_t size)
{
	uint64_t now = (uint64_t)time(NULL);
	uint64_t d = now > unix_s ? now - unix_s : 0;
	if (unix_s == 0)
		snprintf(out, size, "never");
	else if (d < 120)
		snprintf(out, size, "%llu s ago", (unsigned long long)d);
	else if (d < 7200)
		snprintf(out, size, "%llu min ago", (unsigned long long)(d / 60));
	else if (d < 172800)
		snprintf(out, size, "%llu h ago", (unsigned long long)(d / 3600));
	else
		snprintf(out, size, "%llu days ago", (unsigned long long)(d / 86400));
}

void
cli_utc(uint64_t unix_s, char *out, size_t size)
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	if (unix_s == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, size, "-");
}

struct cli_table {
	size_t columns;
	size_t n; // cells, titles included
	size_t cap;
	char **cell;
};

static void
table_add(struct cli_table *t, char *owned)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 64 : t->cap * 2;
		t->cell = base_realloc(t->cell, t->cap * sizeof(*t->cell));
	}
	t->cell[t->n++] = owned;
}

struct cli_table *
cli_table_new(size_t columns, const char *const *titles)
{
	struct cli_table *t = base_calloc(1, sizeof(*t));
	t->columns = columns;
	for (size_t i = 0; i < columns; i++)
		table_add(t, base_strndup(titles[i], strlen(titles[i])));
	return t;
}

void
cli_table_cell(struct cli_table *t, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_add(t, base_strndup(text, strlen(text)));
}

void
cli_table_print(struct cli_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		size_t column = i % t->columns;
		size_t width = 0;
		for (size_t k = column; k < t->n; k += t->columns)
			width = MAX(width, strlen(t->cell[k]));
		if (column + 1 == t->columns)
			printf("%s\n", t->cell[i]);
		else
			printf("%-*s  ", (int)width, t->cell[i]);
	}
	cli_table_free(t);
}

void
cli_table_free(struct cli_table *t)
{
	for (size_t i = 0; t != NULL && i < t->n; i++)
		free(t->cell[i]);
	if (t != NULL)
		free(t->cell);
	free(t);
}
