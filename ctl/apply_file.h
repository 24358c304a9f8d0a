// SPDX-License-Identifier: Apache-2.0
// The YAML file of `sallyport apply`: its shape, and where in it a fault lies.
//
//	credentials:
//	  - name: openai-main
//	    provider: openai            # or another; auth and settings as `credential add` has them
//	    secret_file: openai.key     # relative to this file
//	    models: ["gpt-*"]
//	    rate: 600/min
//	virtual_keys:
//	  - name: team-a
//	    credentials: [openai-main]
//	    key_file: team-a.key        # the new key is written here
#ifndef CTL_APPLY_FILE_H
#define CTL_APPLY_FILE_H

#include "ctl/yaml_file.h"

struct apply_credential {
	char *name, *provider, *host, *region, *access_key_id, *workspace, *rate;
	char *secret_file, *session_token_file, *ca_file, *service_account_file, *aws_json_file;
	char *auth, *expires; // the next: settings, as `credential add` names them
	char *project, *api_version, *role_arn, *external_id;
	char *session_name, *subject, *audience, *duration, *profile, *sts_region;
	char **deployments; // "MODEL=NAME"
	unsigned deployments_count;
	bool *enabled;
	char **models;
	unsigned models_count;
	char **operations;
	unsigned operations_count;
};

struct apply_vkey {
	char *name, *workspace, *rate, *key_file;
	char **credentials;
	unsigned credentials_count;
	char **models;
	unsigned models_count;
};

struct apply_doc {
	struct apply_credential *credentials;
	unsigned credentials_count;
	struct apply_vkey *virtual_keys;
	unsigned virtual_keys_count;
};

struct apply_file {
	struct yaml_file yaml;
	struct apply_doc *doc; // the yaml's
};

// -1 after printing "FILE:LINE: what is wrong".
int apply_file_load(struct apply_file *f, const char *path) MUST_CHECK;
void apply_file_free(struct apply_file *f);

// Prints "FILE:LINE: text", LINE being that of the entry with this name in this
// section ("credentials" or "virtual_keys").
void apply_file_fault(
    const struct apply_file *f, const char *section, const char *name, const char *text);

// Path named in the file, relative to the file's own directory; owned by the caller.
char *apply_file_path(const struct apply_file *f, const char *path);

#endif
