// SPDX-License-Identifier: Apache-2.0
// The schema of the file. May touch: the file it is given.
#include "ctl/apply_file.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/cli.h"
#include "proto/msg.h"

// --- schema ------------------------------------------------------------------------

static const cyaml_schema_field_t credential_fields[] = {
    YAML_REQUIRED_STR(apply_credential, name),
    YAML_REQUIRED_STR(apply_credential, provider),
    YAML_OPTIONAL_STR(apply_credential, host),
    YAML_OPTIONAL_STR(apply_credential, region),
    YAML_OPTIONAL_STR(apply_credential, access_key_id),
    YAML_OPTIONAL_STR(apply_credential, workspace),
    YAML_OPTIONAL_STR(apply_credential, rate),
    YAML_OPTIONAL_STR(apply_credential, secret_file),
    YAML_OPTIONAL_STR(apply_credential, session_token_file),
    YAML_OPTIONAL_STR(apply_credential, ca_file),
    YAML_OPTIONAL_STR(apply_credential, service_account_file),
    YAML_OPTIONAL_STR(apply_credential, aws_json_file),
    YAML_OPTIONAL_STR(apply_credential, auth),
    YAML_OPTIONAL_STR(apply_credential, expires),
    YAML_OPTIONAL_STR(apply_credential, project),
    YAML_OPTIONAL_STR(apply_credential, api_version),
    YAML_OPTIONAL_STR(apply_credential, role_arn),
    YAML_OPTIONAL_STR(apply_credential, external_id),
    YAML_OPTIONAL_STR(apply_credential, session_name),
    YAML_OPTIONAL_STR(apply_credential, subject),
    YAML_OPTIONAL_STR(apply_credential, audience),
    YAML_OPTIONAL_STR(apply_credential, duration),
    YAML_OPTIONAL_STR(apply_credential, profile),
    YAML_OPTIONAL_STR(apply_credential, sts_region),
    YAML_STRINGS(apply_credential, deployments, MSG_DEPLOYMENTS_MAX),
    YAML_OPTIONAL_BOOL(apply_credential, enabled),
    YAML_STRINGS(apply_credential, models, CLI_LIST_MAX),
    YAML_STRINGS(apply_credential, operations, CLI_LIST_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t credential_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct apply_credential, credential_fields),
};

static const cyaml_schema_field_t vkey_fields[] = {
    YAML_REQUIRED_STR(apply_vkey, name),
    YAML_OPTIONAL_STR(apply_vkey, workspace),
    YAML_OPTIONAL_STR(apply_vkey, rate),
    YAML_OPTIONAL_STR(apply_vkey, key_file),
    YAML_STRINGS(apply_vkey, credentials, CLI_LIST_MAX),
    YAML_STRINGS(apply_vkey, models, CLI_LIST_MAX),
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

void
apply_file_fault(
    const struct apply_file *f, const char *section, const char *name, const char *text)
{
	unsigned from = yaml_file_line_of(&f->yaml, 0, section, NULL);
	yaml_file_say(&f->yaml, yaml_file_line_of(&f->yaml, from, "name", name), text);
}

int
apply_file_load(struct apply_file *f, const char *path)
{
	if (yaml_file_load(&f->yaml, path, &top_schema) != 0)
		return -1;
	f->doc = f->yaml.doc;
	if (f->doc == NULL || (f->doc->credentials_count == 0 && f->doc->virtual_keys_count == 0)) {
		yaml_file_say(&f->yaml, 0, "nothing in it: want `credentials:` or `virtual_keys:`");
		return -1;
	}
	return 0;
}

void
apply_file_free(struct apply_file *f)
{
	yaml_file_free(&f->yaml);
	*f = (struct apply_file){0};
}

char *
apply_file_path(const struct apply_file *f, const char *path)
{
	const char *slash = strrchr(f->yaml.path, '/');
	size_t dir = slash == NULL || path[0] == '/' ? 0 : (size_t)(slash - f->yaml.path) + 1;
	char *out = base_calloc(1, dir + strlen(path) + 1);
	memcpy(out, f->yaml.path, dir);
	memcpy(out + dir, path, strlen(path));
	return out;
}
