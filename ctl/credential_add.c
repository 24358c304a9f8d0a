// SPDX-License-Identifier: Apache-2.0
// `sallyport credential add`: settings from the options, the key from the prompt, standard
// input or a cloud's JSON, through secret memory only, to the vault.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/credential_in.h"
#include "ctl/credential_test.h"
#include "ctl/pem.h"
#include "ctl/spec.h"

static struct {
	const char *provider, *auth, *host, *region, *access_key_id, *ca, *workspace, *rate;
	const char *expires, *aws_json, *account_file;
	const char *setting[SETTING_LAST + 1];
	struct cli_list models, operations, deployments;
	bool disabled, no_test;
} o;

static const struct cli_option add_options[] = {
    {"provider", "NAME", "openai, anthropic, bedrock, gemini, azure, vertex, openai-compatible",
	NULL, &o.provider, NULL},
    {"auth", "WAY", "how it proves itself, when not by default; see above", NULL, &o.auth, NULL},
    {"host", "HOST[:PORT]", "where it may go, when not the provider's own", NULL, &o.host, NULL},
    {"region", "REGION", "bedrock, vertex: such as us-east-1, us-central1, global", NULL, &o.region,
	NULL},
    {"access-key-id", "AKIA...", "bedrock: the public half of the key", NULL, &o.access_key_id,
	NULL},
    {"aws-json", "FILE", "bedrock: key in the JSON of `aws`; - is standard input", NULL,
	&o.aws_json, NULL},
    {"service-account-file", "FILE", "vertex: the JSON key of Google; - is standard input", NULL,
	&o.account_file, NULL},
    {"project", "ID", "vertex: when it is not the service account's own", NULL,
	&o.setting[SETTING_PROJECT], NULL},
    {"deployment", "MODEL=NAME", "azure: which deployment serves a model", NULL, NULL,
	&o.deployments},
    {"api-version", "DATE", "azure: the dated API; none given: v1", NULL,
	&o.setting[SETTING_API_VERSION], NULL},
    {"role-arn", "ARN", "bedrock: the role to assume", NULL, &o.setting[SETTING_ROLE_ARN], NULL},
    {"external-id", "ID", "bedrock: what the role's trust policy asks for", NULL,
	&o.setting[SETTING_EXTERNAL_ID], NULL},
    {"subject", "SUB", "bedrock: scoped_principal:TEAM/user:ID, by our own issuer", NULL,
	&o.setting[SETTING_SUBJECT], NULL},
    {"audience", "AUD", "bedrock: of that token (sts.amazonaws.com)", NULL,
	&o.setting[SETTING_AUDIENCE], NULL},
    {"session-name", "NAME", "bedrock: of the role's session", NULL,
	&o.setting[SETTING_SESSION_NAME], NULL},
    {"duration", "SECONDS", "bedrock: life of temporary credentials", NULL,
	&o.setting[SETTING_DURATION], NULL},
    {"sts-region", "REGION", "bedrock: where STS is asked (the region)", NULL,
	&o.setting[SETTING_STS_REGION], NULL},
    {"profile", "WHICH", "bedrock: inference profiles: auto, global, geo, none or a prefix", NULL,
	&o.setting[SETTING_PROFILE], NULL},
    {"expires", "TIME", "when the key dies, such as 2026-12-31T00:00:00Z", NULL, &o.expires, NULL},
    {"ca", "FILE", "PEM of the authority that signed the host's certificate", NULL, &o.ca, NULL},
    {"workspace", "NAME", "who may use it (default)", NULL, &o.workspace, NULL},
    {"model", "GLOB", "allowed model, such as gpt-*; none given: all", NULL, NULL, &o.models},
    {"operation", "NAME", "allowed operation, such as chat; none given: all", NULL, NULL,
	&o.operations},
    {"rate", "N/min", "ceiling of uses", NULL, &o.rate, NULL},
    {"no-test", NULL, "do not try the key with one cheap request", &o.no_test, NULL, NULL},
    {"disabled", NULL, "store it, but refuse its use until enabled", &o.disabled, NULL, NULL},
    {0},
};

static int
check_files(void)
{
	if (credential_in_provider(o.provider, o.account_file, o.aws_json) == NULL)
		return cli_usage(&command_credential_add,
		    "which provider? --provider openai, anthropic, bedrock, gemini, azure, vertex "
		    "or openai-compatible");
	if (o.aws_json != NULL && o.access_key_id != NULL)
		return cli_usage(&command_credential_add,
		    "--access-key-id is in the file of --aws-json already: give one of them");
	return CLI_OK;
}

// Fills the message; what it points to lives in in, o and the arguments.
static int
make(struct spec_credential *s, struct credential_in *in, struct msg_credential_put *m)
{
	char error[SPEC_ERROR_MAX];
	memcpy(s->setting, o.setting, sizeof(s->setting));
	if (o.expires != NULL) {
		if (spec_time(o.expires, in->expires, error) != 0)
			return cli_usage(&command_credential_add, "%s", error);
		s->setting[SETTING_EXPIRES] = in->expires;
	}
	if (o.ca != NULL && (in->ca_pem = pem_read(o.ca, error)) == NULL)
		return cli_fail("%s", error);
	s->ca_pem = in->ca_pem;
	uint64_t p = ids_provider_of(view_of(s->provider));
	int code = credential_in_files(in, &command_credential_add, p, o.account_file, o.aws_json);
	if (code != CLI_OK)
		return code;
	credential_in_fill(in, s);
	if (spec_credential(s, m, error) != 0)
		return cli_usage(&command_credential_add, "%s", error);
	return CLI_OK;
}

static void
on_credential(void *cookie, const union client_reply *r)
{
	const char **name = cookie;
	if (*name != NULL && view_eq_str(r->credential.name, *name))
		*name = NULL;
}

// Whether the vault is there and the name is free: nobody likes to paste a key for nothing.
static bool
ready(struct client *c, const char *name)
{
	const char *left = name;
	if (c == NULL || !client_each(c, MSG_CREDENTIAL_LIST, "credential", on_credential, &left))
		return false;
	if (left == NULL)
		cli_fail("there is a credential %s already. A new key for it: sallyport credential "
			 "rotate %s; otherwise choose another name",
		    name, name);
	return left != NULL;
}

static int
add(int argc, char **argv)
{
	(void)argc;
	struct spec_credential spec = {
	    .name = argv[0],
	    .provider = credential_in_provider(o.provider, o.account_file, o.aws_json),
	    .host = o.host,
	    .region = o.region,
	    .access_key_id = o.access_key_id,
	    .workspace = o.workspace,
	    .rate = o.rate,
	    .auth = o.auth,
	    .models = o.models,
	    .operations = o.operations,
	    .deployments = o.deployments,
	    .disabled = o.disabled,
	};
	struct msg_credential_put m;
	struct credential_in in = {0};
	struct client *c = NULL;
	int code = check_files();
	if (code == CLI_OK)
		code = make(&spec, &in, &m);
	if (code != CLI_OK)
		goto out;
	code = CLI_FAILED;
	c = client_dial();
	if (!ready(c, argv[0]) || credential_in_ask(&in, m.auth) != 0)
		goto out;
	code = credential_in_put(c, &m, &in, "added");
	if (code == CLI_OK && !o.no_test && !o.disabled)
		code = credential_test_new(c, argv[0]);
out:
	credential_in_free(&in);
	client_close(c);
	return code;
}

const struct cli_command command_credential_add = {
    .name = "credential add",
    .args = "NAME",
    .purpose = "store a provider key",
    .details =
	"The key is typed at a prompt that does not show it, or read from standard input: one\n"
	"line; for an AWS key the secret access key, and on a second line the session token, if\n"
	"there is one; for vertex the whole JSON file of the service account. It is never an\n"
	"argument. No command shows it again. One cheap request tries it afterwards; exit status\n"
	"3 says that it is stored but does not work.\n\n"
	"ways of --auth, the provider's default first:\n"
	"  openai             bearer\n"
	"  anthropic          x-api-key, bearer\n"
	"  gemini             google-api-key\n"
	"  azure              azure-api-key; --host RESOURCE.openai.azure.com\n"
	"  vertex             google-token, google-jwt; --region\n"
	"  bedrock            --region; sts-session with a long-term --access-key-id (AKIA) or\n"
	"                     --aws-json, sigv4 with a temporary one (ASIA), else bearer (a\n"
	"                     Bedrock API key); sts-assume-role with --role-arn;\n"
	"                     sts-web-identity with --role-arn and --subject, without a key\n"
	"  openai-compatible  bearer, x-api-key; --host\n\n"
	"--aws-json takes what `aws iam create-access-key`, `aws sts ...` and `aws configure\n"
	"export-credentials` print.",
    .example =
	"  sallyport credential add openai-main --provider openai --model 'gpt-*' < openai.key\n"
	"  sallyport credential add gemini --provider gemini < aistudio.key\n"
	"  sallyport credential add azure --provider azure --host corp.openai.azure.com \\\n"
	"      --deployment gpt-4o=prod-gpt-4o < azure.key\n"
	"  sallyport credential add vertex --region europe-west1 --service-account-file key.json\n"
	"  sallyport credential add aws --provider bedrock --region us-east-1 \\\n"
	"      --access-key-id AKIAIOSFODNN7EXAMPLE < aws.secret\n"
	"  aws sts get-session-token | sallyport credential add tmp --aws-json - --region "
	"us-east-1",
    .min_args = 1,
    .max_args = 1,
    .options = add_options,
    .run = add,
};
