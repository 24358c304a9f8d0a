// SPDX-License-Identifier: Apache-2.0
// What the commands that store a key share: where the key comes from, and sending it.
// May touch: the admin socket, the terminal, standard input, files that are named.
#ifndef CTL_CREDENTIAL_IN_H
#define CTL_CREDENTIAL_IN_H

#include "ctl/client.h"
#include "ctl/import.h"

// Zeroed: nothing yet.
struct credential_in {
	struct secret secret;
	struct secret session_token;
	bool imported; // secret came from a file
	struct import_account account;
	struct import_aws aws;
	char expires[SPEC_TIME_MAX];
	char *ca_pem; // owned
};

// What the options of a command say; they point right into it.
struct credential_given {
	struct spec_credential spec;
	const char *ca, *expires, *account_file, *aws_json; // expires: as spec_time() takes it
};

// The options that every command has which stores a new key, into a struct
// credential_given.
#define CREDENTIAL_GIVEN_OPTIONS(g)                                                                \
	{"provider", "NAME",                                                                       \
	    "openai, anthropic, bedrock, gemini, azure, vertex, openai-compatible", NULL,          \
	    &(g).spec.provider, NULL},                                                             \
	    {"host", "HOST[:PORT]", "where it may go, when not the provider's own", NULL,          \
		&(g).spec.host, NULL},                                                             \
	    {"ca", "FILE", "PEM of the authority that signed the host's certificate", NULL,        \
		&(g).ca, NULL},                                                                    \
	    {"region", "REGION", "bedrock, vertex: such as us-east-1, us-central1, global", NULL,  \
		&(g).spec.region, NULL},                                                           \
	    {"access-key-id", "AKIA...", "bedrock: the public half of the key", NULL,              \
		&(g).spec.access_key_id, NULL},                                                    \
	    {"aws-json", "FILE", "bedrock: key in the JSON of `aws`; - is standard input", NULL,   \
		&(g).aws_json, NULL},                                                              \
	    {"service-account-file", "FILE",                                                       \
		"vertex: the JSON key of Google; - is standard input", NULL, &(g).account_file,    \
		NULL},                                                                             \
	    {"project", "ID", "vertex: when it is not the service account's own", NULL,            \
		&(g).spec.setting[SETTING_PROJECT], NULL},                                         \
	    {"deployment", "MODEL=NAME", "azure: which deployment serves a model", NULL, NULL,     \
		&(g).spec.deployments},                                                            \
	{                                                                                          \
		"api-version", "DATE", "azure: the dated API; none given: v1", NULL,               \
		    &(g).spec.setting[SETTING_API_VERSION], NULL                                   \
	}

// The provider that is meant; NULL: neither an option nor a file says it.
const char *credential_in_provider(const struct credential_given *g);
// Reads what files say, checks everything and fills *m, which then borrows from in and g; a
// vertex credential always has a file, standard input if none is named. name NULL: the
// provider's. An exit status, with the reason printed when it is not CLI_OK.
int credential_in_make(struct credential_in *in, const struct cli_command *cmd,
    struct credential_given *g, const char *name, struct msg_credential_put *m) MUST_CHECK;
// The part of it for a stored credential of this provider.
int credential_in_files(struct credential_in *in, const struct cli_command *cmd, uint64_t provider,
    const char *account_file, const char *aws_json) MUST_CHECK;
// What a file said, where s says nothing yet; s then borrows from in.
void credential_in_fill(const struct credential_in *in, struct spec_credential *s);
// The key, and for one of AWS a session token on the second line, from the prompt or
// standard input; nothing when they are there, or when this kind has none.
int credential_in_ask(struct credential_in *in, uint64_t auth) MUST_CHECK;
void credential_in_free(struct credential_in *in); // wipes

// Sends *m with the secrets and prints what became of it ("added"). An exit status.
int credential_in_put(struct client *c, struct msg_credential_put *m,
    const struct credential_in *in, const char *done) MUST_CHECK;

#endif
