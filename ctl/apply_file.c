// SPDX-License-Identifier: Apache-2.0
// Reads YAML through libcyaml. May touch: the file it is given.
#include "ctl/apply_file.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"

#define FILE_MAX (1024U * 1024U)

// --- schema ------------------------------------------------------------------------

#define OPTIONAL_STR(st, f)                                                                        \
	CYAML_FIELD_STRING_PTR(                                                                    \
	    #f, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct st, f, 0, CYAML_UNLIMITED)
#define REQUIRED_STR(st, f)                                                                        \
	CYAML_FIELD_STRING_PTR(#f, CYAML_FLAG_POINTER, struct st, f, 1, CYAML_UNLIMITED)
#define STRINGS(st, f)                                                                             \
	CYAML_FIELD_SEQUENCE(#f, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct st, f,           \
	    &string_schema, 0, CLI_LIST_MAX)

static const cyaml_schema_value_t string_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t credential_fields[] = {
    REQUIRED_STR(apply_credential, name),
    REQUIRED_STR(apply_credential, provider),
    OPTIONAL_STR(apply_credential, host),
    OPTIONAL_STR(apply_credential, region),
    OPTIONAL_STR(apply_credential, access_key_id),
    OPTIONAL_STR(apply_credential, workspace),
    OPTIONAL_STR(apply_credential, rate),
    OPTIONAL_STR(apply_credential, secret_file),
    OPTIONAL_STR(apply_credential, session_token_file),
    OPTIONAL_STR(apply_credential, ca_file),
    CYAML_FIELD_BOOL_PTR(
	"enabled", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct apply_credential, enabled),
    STRINGS(apply_credential, models),
    STRINGS(apply_credential, operations),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t credential_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct apply_credential, credential_fields),
};

static const cyaml_schema_field_t vkey_fields[] = {
    REQUIRED_STR(apply_vkey, name),
    OPTIONAL_STR(apply_vkey, workspace),
    OPTIONAL_STR(apply_vkey, rate),
    OPTIONAL_STR(apply_vkey, key_file),
    STRINGS(apply_vkey, credentials),
    STRINGS(apply_vkey, models),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t vkey_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct apply_vkey, vkey_fields),
};

static const cyaml_schema_field_t top_fields[] = {
    CYAML_FIELD_SEQUENCE("credentials", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct apply_doc,
	credentials, &credential_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("virtual_keys", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct apply_doc,
	virtual_keys, &vkey_schema, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t top_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct apply_doc, top_fields),
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

// First line at or after `from` that holds key as a mapping key, with this value if
// one is given; 0 if there is none.
static unsigned
line_of(const struct apply_file *f, unsigned from, const char *key, const char *value)
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

static void
say(const struct apply_file *f, unsigned line, const char *text)
{
	if (line != 0)
		cli_fail("%s:%u: %s", f->path, line, text);
	else
		cli_fail("%s: %s", f->path, text);
}

static int
say_load_error(const struct apply_file *f, const struct report *r, cyaml_err_t err)
{
	static const char unexpected[] = "Unexpected key: ";
	static const char missing[] = "Missing required mapping field: ";
	char text[512];
	unsigned line = r->line;
	if (strncmp(r->what, unexpected, sizeof(unexpected) - 1) == 0) {
		const char *key = r->what + sizeof(unexpected) - 1;
		unsigned exact = line_of(f, line, key, NULL);
		if (exact == 0)
			exact = line_of(f, 0, key, NULL);
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
	say(f, line, text);
	return -1;
}

void
apply_file_fault(
    const struct apply_file *f, const char *section, const char *name, const char *text)
{
	unsigned from = line_of(f, 0, section, NULL);
	say(f, line_of(f, from, "name", name), text);
}

// --- loading -----------------------------------------------------------------------

static int
read_all(struct apply_file *f)
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
apply_file_load(struct apply_file *f, const char *path)
{
	struct report r = {0};
	cyaml_config_t config = base_config;
	config.log_ctx = &r;
	*f = (struct apply_file){.path = path};
	if (read_all(f) != 0)
		return -1;
	cyaml_err_t err = cyaml_load_data((const uint8_t *)f->text, f->len, &config, &top_schema,
	    (cyaml_data_t **)(void *)&f->doc, NULL);
	if (err != CYAML_OK) {
		f->doc = NULL;
		return say_load_error(f, &r, err);
	}
	if (f->doc == NULL || (f->doc->credentials_count == 0 && f->doc->virtual_keys_count == 0)) {
		say(f, 0, "nothing in it: want `credentials:` or `virtual_keys:`");
		return -1;
	}
	return 0;
}

void
apply_file_free(struct apply_file *f)
{
	if (f->doc != NULL)
		cyaml_free(&base_config, &top_schema, f->doc, 0);
	free(f->text);
	*f = (struct apply_file){0};
}

char *
apply_file_path(const struct apply_file *f, const char *path)
{
	const char *slash = strrchr(f->path, '/');
	size_t dir = slash == NULL || path[0] == '/' ? 0 : (size_t)(slash - f->path) + 1;
	char *out = base_calloc(1, dir + strlen(path) + 1);
	memcpy(out, f->path, dir);
	memcpy(out + dir, path, strlen(path));
	return out;
}
