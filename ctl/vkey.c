// SPDX-License-Identifier: Apache-2.0
// `sallyport vkey ...`: the keys that applications present to the gateway.
#include <stdio.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/show.h"
#include "ctl/spec.h"

static struct {
	const char *workspace, *rate;
	struct cli_list credentials, models;
	bool json;
} o;

static const struct cli_option issue_options[] = {
    {"workspace", "NAME", "whose credentials it may use (default)", NULL, &o.workspace, NULL},
    {"credential", "NAME", "only these; none given: any of the workspace", NULL, NULL,
	&o.credentials},
    {"model", "GLOB", "only these, such as gpt-*; none given: all", NULL, NULL, &o.models},
    {"rate", "N/min", "ceiling of requests", NULL, &o.rate, NULL},
    {"json", NULL, "print JSON", &o.json, NULL, NULL},
    {0},
};

static const struct cli_option list_options[] = {
    {"json", NULL, "print JSON", &o.json, NULL, NULL},
    {0},
};

static int
issue(int argc, char **argv)
{
	(void)argc;
	struct spec_vkey spec = {.name = argv[0],
	    .workspace = o.workspace,
	    .rate = o.rate,
	    .credentials = o.credentials,
	    .models = o.models};
	struct msg_vkey_issue m;
	union client_reply r;
	char error[SPEC_ERROR_MAX];
	if (spec_vkey(&spec, &m, error) != 0)
		return cli_usage(&command_vkey_issue, "%s", error);
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	bool ok = client_call(c, MSG_VKEY_ISSUE, &m, argv[0], &r) == MSG_VKEY_ISSUED;
	if (ok && o.json) {
		json_t *j = json_object();
		json_object_set_new(j, "id", show_string(r.issued.id));
		json_object_set_new(j, "name", json_string(argv[0]));
		json_object_set_new(j, "key", show_string(r.issued.key));
		show_json(j);
	} else if (ok) {
		printf("%.*s\n", (int)r.issued.key.len, r.issued.key.p);
		fprintf(stderr,
		    "virtual key %s (%.*s): shown this once; the vault keeps only its hash\n",
		    argv[0], (int)r.issued.id.len, r.issued.id.p);
	}
	client_close(c);
	return ok ? CLI_OK : CLI_FAILED;
}

static json_t *
to_json(const union client_reply *r)
{
	return show_vkey(&r->vkey);
}

static void
add_row(struct cli_table *t, const union client_reply *r)
{
	const struct msg_vkey_item *k = &r->vkey;
	char rate[32], used[32], names[512], models[512];
	show_rate(k->rate_per_minute, rate, sizeof(rate));
	cli_ago(k->last_used_s, used, sizeof(used));
	show_names(k->credential, k->credential_count, "any", names, sizeof(names));
	show_names(k->model, k->model_count, "all", models, sizeof(models));
	cli_table_cell(t, "%.*s", (int)k->name.len, k->name.p);
	cli_table_cell(t, "%.*s", (int)k->id.len, k->id.p);
	cli_table_cell(t, "%.*s", (int)k->workspace.len, k->workspace.p);
	cli_table_cell(t, "%s", k->revoked ? "revoked" : "valid");
	cli_table_cell(t, "%s", names);
	cli_table_cell(t, "%s", models);
	cli_table_cell(t, "%s", rate);
	cli_table_cell(t, "%s", used);
}

static int
list(int argc, char **argv)
{
	static const char *const titles[] = {
	    "NAME", "ID", "WORKSPACE", "STATE", "CREDENTIALS", "MODELS", "RATE", "LAST USED"};
	static const struct show_list l = {
	    MSG_VKEY_LIST, "list of virtual keys", ARRAY_LEN(titles), titles, add_row, to_json};
	(void)argc;
	(void)argv;
	return show_list(&l, o.json);
}

static int
revoke(int argc, char **argv)
{
	(void)argc;
	union client_reply r;
	if (strlen(argv[0]) > 64)
		return cli_fail("there is no virtual key %s; see: sallyport vkey list", argv[0]);
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	struct msg_vkey_revoke m = {.id_or_name = view_of(argv[0])};
	bool ok = client_call(c, MSG_VKEY_REVOKE, &m, argv[0], &r) == MSG_DONE;
	client_close(c);
	if (ok)
		printf("virtual key %s revoked: refused from the next request on\n", argv[0]);
	return ok ? CLI_OK : CLI_FAILED;
}

const struct cli_command command_vkey_issue = {
    .name = "vkey issue",
    .args = "NAME",
    .purpose = "make a key for an application",
    .details = "Prints the new key alone on standard output. It cannot be shown again.",
    .example =
	"  sallyport vkey issue team-a --credential openai-main --model 'gpt-*' --rate 600/min",
    .min_args = 1,
    .max_args = 1,
    .options = issue_options,
    .run = issue,
};

const struct cli_command command_vkey_list = {
    .name = "vkey list",
    .args = "",
    .purpose = "all keys of applications, without the keys themselves",
    .example = "  sallyport vkey list --json",
    .options = list_options,
    .run = list,
};

const struct cli_command command_vkey_revoke = {
    .name = "vkey revoke",
    .args = "NAME-OR-ID",
    .purpose = "refuse it from the next request on, for good",
    .example = "  sallyport vkey revoke team-a",
    .min_args = 1,
    .max_args = 1,
    .run = revoke,
};
