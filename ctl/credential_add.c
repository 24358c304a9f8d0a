// SPDX-License-Identifier: Apache-2.0
// `sallyport credential add`: settings from the options, the key from the prompt, standard
// input or a cloud's JSON, through secret memory only, to the vault.
#include "ctl/commands.h"
#include "ctl/credential_in.h"
#include "ctl/credential_test.h"

static struct {
	struct credential_given given;
	bool no_test;
} o;

static const struct cli_option add_options[] = {
    CREDENTIAL_GIVEN_OPTIONS(o.given),
    {"auth", "WAY", "how it proves itself, when not by default; see above", NULL,
	&o.given.spec.auth, NULL},
    {"role-arn", "ARN", "bedrock: the role to assume", NULL,
	&o.given.spec.setting[SETTING_ROLE_ARN], NULL},
    {"external-id", "ID", "bedrock: what the role's trust policy asks for", NULL,
	&o.given.spec.setting[SETTING_EXTERNAL_ID], NULL},
    {"subject", "SUB", "bedrock: scoped_principal:TEAM/user:ID, by our own issuer", NULL,
	&o.given.spec.setting[SETTING_SUBJECT], NULL},
    {"audience", "AUD", "bedrock: of that token (sts.amazonaws.com)", NULL,
	&o.given.spec.setting[SETTING_AUDIENCE], NULL},
    {"session-name", "NAME", "bedrock: of the role's session", NULL,
	&o.given.spec.setting[SETTING_SESSION_NAME], NULL},
    {"duration", "SECONDS", "bedrock: life of temporary credentials", NULL,
	&o.given.spec.setting[SETTING_DURATION], NULL},
    {"sts-region", "REGION", "bedrock: where STS is asked (the region)", NULL,
	&o.given.spec.setting[SETTING_STS_REGION], NULL},
    {"profile", "WHICH", "bedrock: inference profiles: auto, global, geo, none or a prefix", NULL,
	&o.given.spec.setting[SETTING_PROFILE], NULL},
    {"expires", "TIME", "when the key dies, such as 2026-12-31T00:00:00Z", NULL, &o.given.expires,
	NULL},
    {"workspace", "NAME", "who may use it (default)", NULL, &o.given.spec.workspace, NULL},
    {"model", "GLOB", "allowed model, such as gpt-*; none given: all", NULL, NULL,
	&o.given.spec.models},
    {"operation", "NAME", "allowed operation, such as chat; none given: all", NULL, NULL,
	&o.given.spec.operations},
    {"rate", "N/min", "ceiling of uses", NULL, &o.given.spec.rate, NULL},
    {"no-test", NULL, "do not try the key with one cheap request", &o.no_test, NULL, NULL},
    {"disabled", NULL, "store it, but refuse its use until enabled", &o.given.spec.disabled, NULL,
	NULL},
    {0},
};

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
	struct msg_credential_put m;
	struct credential_in in = {0};
	struct client *c = NULL;
	int code = credential_in_make(&in, &command_credential_add, &o.given, argv[0], &m);
	if (code != CLI_OK)
		goto out;
	code = CLI_FAILED;
	c = client_dial();
	if (!ready(c, argv[0]) || credential_in_ask(&in, m.auth) != 0)
		goto out;
	code = credential_in_put(c, &m, &in, "added");
	if (code == CLI_OK && !o.no_test && m.enabled)
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
