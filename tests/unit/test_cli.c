// links: ctl auditd
// SPDX-License-Identifier: Apache-2.0
// The table that is parser and help at once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/cli.h"

static struct {
	bool flag;
	const char *value;
	struct cli_list list;
} o;

static const struct cli_option options[] = {
    {"flag", NULL, "a flag", &o.flag, NULL, NULL},
    {"value", "V", "a value", NULL, &o.value, NULL},
    {"file", "FILE", "a file", NULL, NULL, &o.list},
    {0},
};

static const struct cli_command cmd = {.name = "do it",
    .args = "NAME",
    .purpose = "test",
    .example = "x",
    .min_args = 1,
    .max_args = 2,
    .options = options};

static char *argv[40];

static int
parse(int argc, const char *const *words)
{
	static char copies[40][64];
	o.flag = false;
	o.value = NULL;
	o.list.n = 0;
	for (int i = 0; i < argc; i++) {
		snprintf(copies[i], sizeof(copies[i]), "%s", words[i]);
		argv[i] = copies[i];
	}
	int old = dup(2);
	FILE *quiet = freopen("/dev/null", "w", stderr);
	assert_non_null(quiet);
	int r = cli_parse(&cmd, argc, argv);
	fflush(stderr);
	dup2(old, 2);
	close(old);
	return r;
}

#define PARSE(...)                                                                                 \
	parse((int)ARRAY_LEN(((const char *const[]){__VA_ARGS__})),                                \
	    (const char *const[]){__VA_ARGS__})

static void
options_stand_anywhere(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--flag", "n", "--value", "v", "--file=a", "-f", "b", "m"), 2);
	assert_true(o.flag);
	assert_string_equal(o.value, "v");
	assert_int_equal(o.list.n, 2);
	assert_string_equal(o.list.v[1], "b");
	assert_string_equal(argv[0], "n");
	assert_string_equal(argv[1], "m");
	assert_int_equal(PARSE("--", "--flag"), 1);
	assert_false(o.flag);
	assert_int_equal(PARSE("--value=", "n"), 1);
	assert_string_equal(o.value, "");
}

static void
wrong_words_are_refused(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--value", "v"), -1);		    // no NAME
	assert_int_equal(PARSE("a", "b", "c"), -1);		    // too many
	assert_int_equal(PARSE("a", "--value"), -1);		    // no value
	assert_int_equal(PARSE("a", "--flag=1"), -1);		    // flag with one
	assert_int_equal(PARSE("a", "--value=1", "--value=2"), -1); // twice
	assert_int_equal(PARSE("a", "--unknown"), -1);
	assert_int_equal(PARSE("a", "-x"), -1);
}

static void
secrets_are_no_arguments(void **state)
{
	(void)state;
	assert_int_equal(PARSE("a", "--secret", "sk-1"), -1);
	assert_int_equal(PARSE("a", "--key=sk-1"), -1);
	assert_int_equal(PARSE("a", "--api-key", "sk-1"), -1);
	assert_int_equal(PARSE("a", "--session-token=x"), -1);
}

static void
lists_are_bounded(void **state)
{
	const char *words[CLI_LIST_MAX + 2] = {"n"};
	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(words); i++)
		words[i] = "--file=x";
	assert_int_equal(parse(CLI_LIST_MAX + 1, words), 1);
	assert_int_equal(o.list.n, CLI_LIST_MAX);
	assert_int_equal(parse(CLI_LIST_MAX + 2, words), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_stand_anywhere),
	    cmocka_unit_test(wrong_words_are_refused),
	    cmocka_unit_test(secrets_are_no_arguments),
	    cmocka_unit_test(lists_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
