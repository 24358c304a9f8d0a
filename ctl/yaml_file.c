// SPDX-License-Identifier: Apache-2.0
// libcyaml says what is wrong, not always where: the line is looked for in the text.
// May touch: the file it is given.
#include "ctl/yaml_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"

#define FILE_MAX (1024U * 1024U)

const cyaml_schema_value_t yaml_string_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED),
};

// --- errors ------------------------------------------------------------------------

struct report {
	char what[256]; // libcyaml's first line
	unsigned line;	// from its backtrace, which comes after
};

static void
on_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct report *r = ctx;
	char text[256];
	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	const char *at = strstr(text, "line: ");
	if (at != NULL && r->line == 0)
		r->line = (unsigned)strtoul(at + 6, NULL, 10);
	if (r->what[0] == '\0')
		snprintf(r->what, sizeof(r->what), "%s",
		    strncmp(text, "Load: ", 6) == 0 ? text + 6 : text);
}

unsigned
yaml_file_line_of(const struct yaml_file *f, unsigned from, const char *key, const char *value)
{
	unsigned number = 0;
	size_t klen = strlen(key);
	for (const char *p = f->text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *s = p + strspn(p, " -{");
		if (++number < from || strncmp(s, key, klen) != 0 || s[klen] != ':')
			continue;
		if (value == NULL)
			return number;
		s += klen + 1;
		s += strspn(s, " \"'");
		size_t vlen = strlen(value);
		if (strncmp(s, value, vlen) == 0 && strchr(" \"'\r\n,}#", s[vlen]) != NULL)
			return number;
	}
	return 0;
}

void
yaml_file_say(const struct yaml_file *f, unsigned line, const char *text)
{
	if (line != 0)
		cli_fail("%s:%u: %s", f->path, line, text);
	else
		cli_fail("%s: %s", f->path, text);
}

static int
say_load_error(const struct yaml_file *f, const struct report *r, cyaml_err_t err)
{
	static const char unexpected[] = "Unexpected key: ";
	static const char missing[] = "Missing required mapping field: ";
	char text[512];
	unsigned line = r->line;
	if (strncmp(r->what, unexpected, sizeof(unexpected) - 1) == 0) {
		const char *key = r->what + sizeof(unexpected) - 1;
		unsigned exact = yaml_file_line_of(f, line, key, NULL);
		if (exact == 0)
			exact = yaml_file_line_of(f, 0, key, NULL);
		line = exact == 0 ? line : exact;
		bool secret = strcmp(key, "secret") == 0 || strcmp(key, "key") == 0 ||
			      strcmp(key, "api_key") == 0;
		snprintf(text, sizeof(text), "there is no key \"%s\" here%s", key,
		    secret ? ": secrets do not belong in this file, write secret_file: PATH" : "");
	} else if (strncmp(r->what, missing, sizeof(missing) - 1) == 0) {
		snprintf(text, sizeof(text), "the key \"%s\" is missing here",
		    r->what + sizeof(missing) - 1);
	} else {
		snprintf(
		    text, sizeof(text), "%s", r->what[0] == '\0' ? cyaml_strerror(err) : r->what);
	}
	yaml_file_say(f, line, text);
	return -1;
}

// --- loading ---

static int
read_all(struct yaml_file *f)
{
	FILE *in = fopen(f->path, "re");
	if (in == NULL) {
		cli_fail("cannot read %s: %s", f->path, strerror(errno));
		return -1;
	}
	f->text = base_calloc(1, FILE_MAX + 2);
	f->len = fread(f->text, 1, FILE_MAX + 1, in);
	fclose(in);
	if (f->len > FILE_MAX || memchr(f->text, '\0', f->len) != NULL) {
		cli_fail("%s: not a text file of at most %u bytes", f->path, FILE_MAX);
		return -1;
	}
	return 0;
}

static const cyaml_config_t base_config = {
    .log_fn = on_log,
    .log_level = CYAML_LOG_ERROR,
    .mem_fn = cyaml_mem,
    .flags = CYAML_CFG_NO_ALIAS,
};

int
yaml_file_load(struct yaml_file *f, const char *path, const cyaml_schema_value_t *schema)
{
	struct report r = {0};
	cyaml_config_t config = base_config;
	config.log_ctx = &r;
	*f = (struct yaml_file){.path = path, .schema = schema};
	if (read_all(f) != 0)
		return -1;
	cyaml_err_t err = cyaml_load_data(
	    (const uint8_t *)f->text, f->len, &config, schema, (cyaml_data_t **)&f->doc, NULL);
	if (err == CYAML_OK)
		return 0;
	f->doc = NULL;
	return say_load_error(f, &r, err);
}

void
yaml_file_free(struct yaml_file *f)
{
	if (f->doc != NULL)
		cyaml_free(&base_config, f->schema, f->doc, 0);
	free(f->text);
	*f = (struct yaml_file){0};
}

unsigned
yaml_file_item(const struct yaml_file *f, const char *section, unsigned n)
{
	unsigned number = 0;
	size_t len = strlen(section), indent = SIZE_MAX;
	bool inside = false;
	for (const char *p = f->text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t spaces = strspn(p, " ");
		number++;
		if (spaces == 0 && strchr("#\r\n-", *p) == NULL)
			inside = strncmp(p, section, len) == 0 && p[len] == ':';
		if (!inside || p[spaces] != '-')
			continue;
		if (indent == SIZE_MAX)
			indent = spaces;
		if (spaces == indent && n-- == 0)
			return number;
	}
	return 0;
}
