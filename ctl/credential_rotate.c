// SPDX-License-Identifier: Apache-2.0
// `sallyport credential rotate`: a new key, and what belongs to that key alone; every other
// setting stays.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/credential_in.h"
#include "ctl/credential_test.h"
#include "ctl/pem.h"
#include "ctl/spec.h"

static struct {
	const char *access_key_id, *ca, *expires, *aws_json, *account_file;
	bool no_test;
} o;

static const struct cli_option options[] = {
    {"access-key-id", "AKIA...", "bedrock: of the new key, when it changed too", NULL,
	&o.access_key_id, NULL},
    {"aws-json", "FILE", "bedrock: new key in the JSON of `aws`; - is standard input", NULL,
	&o.aws_json, NULL},
    {"service-account-file", "FILE", "vertex: the new JSON key; - is standard input", NULL,
	&o.account_file, NULL},
    {"expires", "TIME", "when the new key dies", NULL, &o.expires, NULL},
    {"ca", "FILE", "a new authority for the host's certificate", NULL, &o.ca, NULL},
    {"no-test", NULL, "do not try the key with one cheap request", &o.no_test, NULL, NULL},
    {0},
};

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

// Gives a setting this value, or none; they stay in order of id.
static void
set_setting(struct msg_credential_put *m, unsigned id, const char *value)
{
	size_t at = 0;
	while (at < m->setting_count && m->setting[at].id < id)
		at++;
	bool there = at < m->setting_count && m->setting[at].id == id;
	if (value == NULL || *value == '\0') {
		if (there)
			memmove(&m->setting[at], &m->setting[at + 1],
			    (--m->setting_count - at) * sizeof(m->setting[0]));
		return;
	}
	if (!there && m->setting_count < MSG_SETTINGS_MAX)
		memmove(&m->setting[at + 1], &m->setting[at],
		    (m->setting_count++ - at) * sizeof(m->setting[0]));
	m->setting[at] = (struct msg_named){id, view_of(value)};
}

// What belongs to the key: its public half, whose it is, and its end. The end of the old
// key says nothing about the new one.
static int
fill(struct msg_credential_put *m, struct credential_in *in)
{
	const char *id = o.access_key_id != NULL ? o.access_key_id : in->aws.access_key_id;
	char error[SPEC_ERROR_MAX];
	if (*id != '\0' && !spec_access_key_id_valid(id))
		return cli_usage(
		    &command_credential_rotate, "an access key id is AKIA... or ASIA...");
	if (*id != '\0' && m->access_key_id.len == 0)
		return cli_usage(
		    &command_credential_rotate, "this credential has no access key id");
	if (*id != '\0')
		m->access_key_id = view_of(id);
	if (*in->account.client_email != '\0') {
		set_setting(m, SETTING_CLIENT_EMAIL, in->account.client_email);
		set_setting(m, SETTING_PRIVATE_KEY_ID, in->account.private_key_id);
	}
	if (o.expires != NULL && spec_time(o.expires, in->expires, error) != 0)
		return cli_usage(&command_credential_rotate, "%s", error);
	bool temporary = in->session_token.len != 0;
	set_setting(m, SETTING_EXPIRES,
	    o.expires != NULL ? in->expires
	    : temporary	      ? in->aws.expires
			      : NULL);
	return CLI_OK;
}

static int
check_files(const struct msg_credential_put *m)
{
	if (o.aws_json != NULL && o.access_key_id != NULL)
		return cli_usage(&command_credential_rotate,
		    "--access-key-id is in the file of --aws-json already: give one of them");
	if (m->auth == AUTH_STS_WEB_IDENTITY)
		return cli_usage(&command_credential_rotate,
		    "this credential has no key: Sallyport's own issuer signs for it. For a new "
		    "signing key: sallyport issuer rotate");
	return CLI_OK;
}

static int
rotate(int argc, char **argv)
{
	(void)argc;
	struct kept k = {.name = argv[0]};
	struct credential_in in = {0};
	char error[SPEC_ERROR_MAX];
	int code = CLI_FAILED;
	struct client *c = client_dial();
	if (c == NULL || !client_each(c, MSG_CREDENTIAL_LIST, "credential", keep_if_wanted, &k))
		goto out;
	if (!k.found) {
		cli_fail("there is no credential %s; see: sallyport credential list", argv[0]);
		goto out;
	}
	if (o.ca != NULL && (in.ca_pem = pem_read(o.ca, error)) == NULL) {
		cli_fail("%s", error);
		goto out;
	}
	k.put.ca_pem = view_of(in.ca_pem);
	if ((code = check_files(&k.put)) != CLI_OK)
		goto out;
	code = credential_in_files(
	    &in, &command_credential_rotate, k.put.provider, o.account_file, o.aws_json);
	if (code != CLI_OK)
		goto out;
	if ((code = fill(&k.put, &in)) != CLI_OK)
		goto out;
	code = CLI_FAILED;
	if (credential_in_ask(&in, k.put.auth) == 0)
		code = credential_in_put(c, &k.put, &in, "rotated");
	if (code == CLI_OK && !o.no_test && k.put.enabled)
		code = credential_test_new(c, argv[0]);
out:
	credential_in_free(&in);
	for (size_t i = 0; i < k.n; i++)
		free(k.copies[i]);
	client_close(c);
	return code;
}

const struct cli_command command_credential_rotate = {
    .name = "credential rotate",
    .args = "NAME",
    .purpose = "replace the key; every setting stays",
    .details =
	"Takes the new key like `credential add`. Requests in flight end with the old one;\n"
	"the next ones use the new. --expires of the old key is forgotten: it said when that\n"
	"one dies.",
    .example = "  sallyport credential rotate openai-main < new.key",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .run = rotate,
};
