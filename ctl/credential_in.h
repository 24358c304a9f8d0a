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

// The provider that is meant; NULL: neither an option nor a file says it.
const char *credential_in_provider(
    const char *provider, const char *account_file, const char *aws_json);
// Reads the file of a cloud, if there is one: a vertex credential always has one, standard
// input if none is named. An exit status, with the reason printed when it is not CLI_OK.
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
