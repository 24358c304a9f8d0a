// SPDX-License-Identifier: Apache-2.0
// Keys on their way in. May touch: see credential_in.h.
#include "ctl/credential_in.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/pem.h"
#include "ctl/secret_in.h"

const char *
credential_in_provider(const struct credential_given *g)
{
	if (g->spec.provider != NULL)
		return g->spec.provider;
	return g->account_file != NULL ? "vertex" : g->aws_json != NULL ? "bedrock" : NULL;
}

int
credential_in_files(struct credential_in *in, const struct cli_command *cmd, uint64_t provider,
    const char *account_file, const char *aws_json)
{
	char error[SPEC_ERROR_MAX];
	int r = 0;
	if (account_file != NULL && provider != PROVIDER_VERTEX)
		return cli_usage(cmd, "--service-account-file belongs to provider vertex");
	if (aws_json != NULL && provider != PROVIDER_BEDROCK)
		return cli_usage(cmd, "--aws-json belongs to provider bedrock");
	if (provider != PROVIDER_VERTEX && aws_json == NULL)
		return CLI_OK;
	if (!client_secrets_ready())
		return CLI_FAILED;
	if (provider == PROVIDER_VERTEX)
		r = import_account(
		    account_file == NULL ? "-" : account_file, &in->account, &in->secret, error);
	else
		r = import_aws(aws_json, &in->aws, &in->secret, &in->session_token, error);
	if (r != 0)
		return cli_fail("%s", error);
	in->imported = true;
	return CLI_OK;
}

void
credential_in_fill(const struct credential_in *in, struct spec_credential *s)
{
	static const unsigned ids[] = {
	    SETTING_PROJECT, SETTING_CLIENT_EMAIL, SETTING_PRIVATE_KEY_ID};
	const char *const account[] = {
	    in->account.project, in->account.client_email, in->account.private_key_id};
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		if (s->setting[ids[i]] == NULL)
			s->setting[ids[i]] = account[i];
	if (s->access_key_id == NULL)
		s->access_key_id = in->aws.access_key_id;
	if (s->region == NULL)
		s->region = *in->aws.region != '\0' ? in->aws.region : in->account.region;
	if (s->setting[SETTING_EXPIRES] == NULL && in->session_token.len != 0)
		s->setting[SETTING_EXPIRES] = in->aws.expires;
}

int
credential_in_make(struct credential_in *in, const struct cli_command *cmd,
    struct credential_given *g, const char *name, struct msg_credential_put *m)
{
	struct spec_credential *s = &g->spec;
	char error[SPEC_ERROR_MAX];
	s->provider = credential_in_provider(g);
	if (s->provider == NULL)
		return cli_usage(cmd,
		    "which provider? --provider openai, anthropic, bedrock, gemini, azure, vertex "
		    "or openai-compatible");
	s->name = name == NULL ? s->provider : name;
	if (g->aws_json != NULL && s->access_key_id != NULL)
		return cli_usage(
		    cmd, "--access-key-id is in the file of --aws-json already: give one of them");
	if (g->expires != NULL) {
		if (spec_time(g->expires, in->expires, error) != 0)
			return cli_usage(cmd, "%s", error);
		s->setting[SETTING_EXPIRES] = in->expires;
	}
	if (g->ca != NULL && (in->ca_pem = pem_read(g->ca, error)) == NULL)
		return cli_fail("%s", error);
	s->ca_pem = in->ca_pem;
	int code = credential_in_files(
	    in, cmd, ids_provider_of(view_of(s->provider)), g->account_file, g->aws_json);
	if (code != CLI_OK)
		return code;
	credential_in_fill(in, s);
	return spec_credential(s, m, error) == 0 ? CLI_OK : cli_usage(cmd, "%s", error);
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
