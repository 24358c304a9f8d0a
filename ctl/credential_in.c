// SPDX-License-Identifier: Apache-2.0
// Keys on their way in. May touch: see credential_in.h.
#include "ctl/credential_in.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/secret_in.h"

int
credential_in_files(
    struct credential_in *in, uint64_t provider, const char *account_file, const char *aws_json)
{
	char error[SPEC_ERROR_MAX];
	int r = 0;
	if (provider != PROVIDER_VERTEX && aws_json == NULL)
		return 0;
	if (!client_secrets_ready())
		return -1;
	if (provider == PROVIDER_VERTEX)
		r = import_account(
		    account_file == NULL ? "-" : account_file, &in->account, &in->secret, error);
	else
		r = import_aws(aws_json, &in->aws, &in->secret, &in->session_token, error);
	if (r != 0) {
		cli_fail("%s", error);
		return -1;
	}
	in->imported = true;
	return 0;
}

int
credential_in_ask(struct credential_in *in, uint64_t auth)
{
	bool aws = spec_is_aws_secret(auth);
	if (!client_secrets_ready())
		return -1;
	if (in->imported || auth == AUTH_STS_WEB_IDENTITY)
		return 0;
	if (secret_in_line(&in->secret, aws ? "secret access key" : "API key", false) != 0)
		return -1;
	return aws ? secret_in_line(&in->session_token, "session token (empty for none)", true) : 0;
}

void
credential_in_free(struct credential_in *in)
{
	secret_wipe(&in->secret);
	secret_wipe(&in->session_token);
	free(in->ca_pem);
	in->ca_pem = NULL;
}

int
credential_in_put(struct client *c, struct msg_credential_put *m, const struct credential_in *in,
    const char *done)
{
	char name[80];
	union client_reply r;
	snprintf(name, sizeof(name), "%.*s", (int)m->name.len, m->name.p);
	m->secret = secret_in_view(&in->secret);
	m->session_token = secret_in_view(&in->session_token);
	if (client_call(c, MSG_CREDENTIAL_PUT, m, name, &r) != MSG_DONE)
		return CLI_FAILED;
	if (r.done.version == 0) // the same key and settings as before
		printf("credential %s unchanged: it holds this key already\n", name);
	else
		printf("credential %s %s (version %llu)\n", name, done,
		    (unsigned long long)r.done.version);
	return CLI_OK;
}
