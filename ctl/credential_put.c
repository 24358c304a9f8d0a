// SPDX-License-Identifier: Apache-2.0
// `sallyport credential add` and `rotate`: the two that carry a secret, from the
// prompt or standard input to the vault, through secret memory only.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/pem.h"
#include "ctl/secret_in.h"
#include "ctl/spec.h"

static struct {
	const char *provider, *auth, *host, *region, *access_key_id, *ca, *workspace, *rate;
	const char *expires;
	const char *setting[SETTING_LAST + 1];
	struct cli_list models, operations, deployments;
	bool disabled;
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
    {"project", "ID", "vertex: Google Cloud project", NULL, &o.setting[SETTING_PROJECT], NULL},
    {"client-email", "EMAIL", "vertex: of the service account", NULL,
	&o.setting[SETTING_CLIENT_EMAIL], NULL},
    {"private-key-id", "ID", "vertex: of the service account's key", NULL,
	&o.setting[SETTING_PRIVATE_KEY_ID], NULL},
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
    {"disabled", NULL, "store it, but refuse its use until enabled", &o.disabled, NULL, NULL},
    {0},
};

static const struct cli_option rotate_options[] = {
    {"access-key-id", "AKIA...", "bedrock: of the new key, when it changed too", NULL,
	&o.access_key_id, NULL},
    {"ca", "FILE", "a new authority for the host's certificate", NULL, &o.ca, NULL},
    {0},
};

// The key, and for one of AWS a session token on the second line. Our own issuer's token
// needs none.
static int
read_secrets(uint64_t auth, struct secret *secret, struct secret *token)
{
	bool aws = spec_is_aws_secret(auth);
	if (auth == AUTH_STS_WEB_IDENTITY)
		return client_secrets_ready() ? 0 : -1;
	if (!client_secrets_ready() ||
	    secret_in_line(secret, aws ? "secret access key" : "API key", false) != 0)
		return -1;
	return aws ? secret_in_line(token, "session token (empty for none)", true) : 0;
}

// Sends *m with the secrets; prints the result.
static int
put(struct client *c, struct msg_credential_put *m, const char *name, const struct secret *secret,
    const struct secret *token, const char *done)
{
	union client_reply r;
	m->secret = secret_in_view(secret);
	m->session_token = secret_in_view(token);
	if (client_call(c, MSG_CREDENTIAL_PUT, m, name, &r) != MSG_DONE)
		return CLI_FAILED;
	if (r.done.version == 0) // the same key and settings as before
		printf("credential %s unchanged: it holds this key already\n", name);
	else
		printf("credential %s %s (version %llu)\n", name, done,
		    (unsigned long long)r.done.version);
	return CLI_OK;
}

// --- add -------------------------------------------------------------------------

static int
add(int argc, char **argv)
{
	(void)argc;
	struct spec_credential spec = {
	    .name = argv[0],
	    .provider = o.provider,
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
	char expires[SPEC_TIME_MAX];
	struct msg_credential_put m;
	struct secret secret = {0};
	struct secret token = {0};
	char error[SPEC_ERROR_MAX];
	char *ca = NULL;
	struct client *c = NULL;
	int code = CLI_FAILED;
	if (o.provider == NULL)
		return cli_usage(&command_credential_add,
		    "which provider? --provider openai, anthropic, bedrock, gemini, azure, vertex "
		    "or openai-compatible");
	memcpy(spec.setting, o.setting, sizeof(spec.setting));
	if (o.expires != NULL) {
		if (spec_time(o.expires, expires, error) != 0)
			return cli_usage(&command_credential_add, "%s", error);
		spec.setting[SETTING_EXPIRES] = expires;
	}
	if (o.ca != NULL && (ca = pem_read(o.ca, error)) == NULL) {
		cli_fail("%s", error);
		goto out;
	}
	spec.ca_pem = ca;
	if (spec_credential(&spec, &m, error) != 0) {
		code = cli_usage(&command_credential_add, "%s", error);
		goto out;
	}
	// First see that the vault is there: nobody likes to paste a key for nothing.
	if ((c = client_dial()) == NULL || read_secrets(m.auth, &secret, &token) != 0)
		goto out;
	code = put(c, &m, argv[0], &secret, &token, "added");
out:
	secret_wipe(&secret);
	secret_wipe(&token);
	client_close(c);
	free(ca);
	return code;
}

// --- rotate ----------------------------------------------------------------------

// The settings of the stored credential, copied out of the message.
struct kept {
	const char *name;
	bool found;
	struct msg_credential_put put;
	char *copies[4 + 2 * MSG_NAMES_MAX + MSG_SETTINGS_MAX + 2 * MSG_DEPLOYMENTS_MAX];
	size_t n;
};

static struct view
keep(struct kept *k, struct view v)
{
	char *copy = base_strndup(v.len == 0 ? "" : v.p, v.len);
	k->copies[k->n++] = copy;
	return (struct view){copy, v.len};
}

static void
keep_if_wanted(void *cookie, const union client_reply *r)
{
	struct kept *k = cookie;
	const struct msg_credential_item *c = &r->credential;
	if (k->found || !view_eq_str(c->name, k->name))
		return;
	k->found = true;
	// Empty host, region and authority mean "as stored" when a version is expected.
	k->put = (struct msg_credential_put){
	    .name = view_of(k->name),
	    .expect_version = c->version,
	    .provider = c->provider,
	    .auth = c->auth,
	    .host = keep(k, c->host),
	    .port = c->port,
	    .region = keep(k, c->region),
	    .access_key_id = keep(k, c->access_key_id),
	    .workspace = keep(k, c->workspace),
	    .rate_per_minute = c->rate_per_minute,
	    .enabled = c->enabled,
	    .model_count = c->model_count,
	    .operation_count = c->operation_count,
	    .setting_count = c->setting_count,
	    .deployment_count = c->deployment_count,
	};
	for (size_t i = 0; i < c->setting_count; i++)
		k->put.setting[i] =
		    (struct msg_named){c->setting[i].id, keep(k, c->setting[i].value)};
	for (size_t i = 0; i < c->deployment_count; i++)
		k->put.deployment[i] = (struct msg_deployment){
		    keep(k, c->deployment[i].model), keep(k, c->deployment[i].name)};
	for (size_t i = 0; i < c->model_count; i++)
		k->put.model[i].name = keep(k, c->model[i].name);
	for (size_t i = 0; i < c->operation_count; i++)
		k->put.operation[i].name = keep(k, c->operation[i].name);
}

static int
set_new_access_key_id(struct kept *k, char error[SPEC_ERROR_MAX])
{
	if (o.access_key_id == NULL)
		return 0;
	if (!spec_access_key_id_valid(o.access_key_id)) {
		snprintf(error, SPEC_ERROR_MAX, "an access key id is AKIA... or ASIA...");
		return -1;
	}
	if (k->put.access_key_id.len == 0) {
		snprintf(error, SPEC_ERROR_MAX, "this credential has no access key id");
		return -1;
	}
	k->put.access_key_id = view_of(o.access_key_id);
	return 0;
}

static int
rotate(int argc, char **argv)
{
	(void)argc;
	struct kept k = {.name = argv[0]};
	struct secret secret = {0};
	struct secret token = {0};
	char error[SPEC_ERROR_MAX];
	char *ca = NULL;
	int code = CLI_FAILED;
	struct client *c = client_dial();
	if (c == NULL || !client_each(c, MSG_CREDENTIAL_LIST, "credential", keep_if_wanted, &k))
		goto out;
	if (!k.found) {
		cli_fail("there is no credential %s; see: sallyport credential list", argv[0]);
		goto out;
	}
	if (o.ca != NULL && (ca = pem_read(o.ca, error)) == NULL) {
		cli_fail("%s", error);
		goto out;
	}
	k.put.ca_pem = view_of(ca);
	if (set_new_access_key_id(&k, error) != 0) {
		code = cli_usage(&command_credential_rotate, "%s", error);
		goto out;
	}
	if (read_secrets(k.put.auth, &secret, &token) == 0)
		code = put(c, &k.put, argv[0], &secret, &token, "rotated");
out:
	secret_wipe(&secret);
	secret_wipe(&token);
	for (size_t i = 0; i < k.n; i++)
		free(k.copies[i]);
	client_close(c);
	free(ca);
	return code;
}

const struct cli_command command_credential_add = {
    .name = "credential add",
    .args = "NAME",
    .purpose = "store a provider key",
    .details =
	"The key is typed at a prompt that does not show it, or read from standard input: one\n"
	"line; for an AWS key the secret access key, and on a second line the session token, if\n"
	"there is one. It is never an argument. No command shows it again.\n\n"
	"ways of --auth, the provider's default first:\n"
	"  openai             bearer\n"
	"  anthropic          x-api-key, bearer\n"
	"  gemini             google-api-key\n"
	"  azure              azure-api-key; --host RESOURCE.openai.azure.com\n"
	"  vertex             google-token, google-jwt; the key is the PKCS#8 DER in base64\n"
	"  bedrock            sts-session with a long-term --access-key-id (AKIA), sigv4 with a\n"
	"                     temporary one (ASIA), else bearer (a Bedrock API key);\n"
	"                     sts-assume-role with --role-arn; sts-web-identity with\n"
	"                     --role-arn and --subject, which needs no key\n"
	"  openai-compatible  bearer, x-api-key; --host",
    .example =
	"  sallyport credential add openai-main --provider openai --model 'gpt-*' < openai.key\n"
	"  sallyport credential add aws --provider bedrock --region us-east-1 \\\n"
	"      --access-key-id AKIAIOSFODNN7EXAMPLE < aws.secret\n"
	"  sallyport credential add azure --provider azure --host corp.openai.azure.com \\\n"
	"      --deployment gpt-4o=prod-gpt-4o < azure.key",
    .min_args = 1,
    .max_args = 1,
    .options = add_options,
    .run = add,
};

const struct cli_command command_credential_rotate = {
    .name = "credential rotate",
    .args = "NAME",
    .purpose = "replace the key; every setting stays",
    .details = "Takes the new key like `credential add`. Requests in flight end with the old one;\n"
	       "the next ones use the new.",
    .example = "  sallyport credential rotate openai-main < new.key",
    .min_args = 1,
    .max_args = 1,
    .options = rotate_options,
    .run = rotate,
};
