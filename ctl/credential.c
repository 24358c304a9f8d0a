// SPDX-License-Identifier: Apache-2.0
// `sallyport credential ...` that read or switch: list, show, enable, disable,
// remove. The two that take a secret are in credential_put.c.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/show.h"

static bool as_json;

static const struct cli_option json_option[] = {
    {"json", NULL, "print JSON", &as_json, NULL, NULL},
    {0},
};

// --- list ------------------------------------------------------------------------

static json_t *
to_json(const union client_reply *r)
{
	return show_credential(&r->credential);
}

static void
add_row(struct cli_table *t, const union client_reply *r)
{
	const struct msg_credential_item *c = &r->credential;
	char rate[32], used[32];
	const char *provider = ids_provider(c->provider);
	show_rate(c->rate_per_minute, rate, sizeof(rate));
	cli_ago(c->last_used_s, used, sizeof(used));
	cli_table_cell(t, "%.*s", (int)c->name.len, c->name.p);
	cli_table_cell(t, "%s", provider == NULL ? "?" : provider);
	cli_table_cell(t, "%.*s:%llu", (int)c->host.len, c->host.p, (unsigned long long)c->port);
	cli_table_cell(t, "%.*s", (int)c->workspace.len, c->workspace.p);
	cli_table_cell(t, "%s", c->enabled ? "enabled" : "disabled");
	cli_table_cell(t, "%llu", (unsigned long long)c->version);
	cli_table_cell(t, "%llu", (unsigned long long)c->uses);
	cli_table_cell(t, "%s", used);
}

static int
list(int argc, char **argv)
{
	static const char *const titles[] = {
	    "NAME", "PROVIDER", "HOST", "WORKSPACE", "STATE", "VERSION", "USES", "LAST USED"};
	static const struct show_list l = {MSG_CREDENTIAL_LIST, "list of credentials",
	    ARRAY_LEN(titles), titles, add_row, to_json};
	(void)argc;
	(void)argv;
	return show_list(&l, as_json);
}

// --- show ------------------------------------------------------------------------

struct wanted {
	const char *name;
	json_t *json;
	bool found;
};

static void
line(const char *label, const char *text)
{
	printf("%-16s %s\n", label, text);
}

static void
line_view(const char *label, struct view v)
{
	if (v.len != 0)
		printf("%-16s %.*s\n", label, (int)v.len, v.p);
}

static uint64_t
number_of(struct view v)
{
	char text[24];
	return view_copy(v, text, sizeof(text)) != 0 ? 0 : strtoull(text, NULL, 10);
}

static void
line_time(const char *label, uint64_t unix_s)
{
	char text[64];
	cli_utc(unix_s, text, sizeof(text));
	printf("%-16s %s%s\n", label, text,
	    unix_s <= (uint64_t)time(NULL) ? ": over, so it is refused" : "");
}

static void
print_one(const struct msg_credential_item *c)
{
	char text[4096];
	const char *provider = ids_provider(c->provider);
	line_view("name", c->name);
	line_view("id", c->id);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)c->version);
	line("version", text);
	line("provider", provider == NULL ? "unknown" : provider);
	const char *auth = ids_auth(c->auth);
	line("auth", auth == NULL ? "unknown" : auth);
	line("state", c->enabled ? "enabled" : "disabled");
	snprintf(text, sizeof(text), "%.*s:%llu%s", (int)c->host.len, c->host.p,
	    (unsigned long long)c->port, c->has_ca ? " (own CA)" : "");
	line("host", text);
	line_view("region", c->region);
	line_view("access key id", c->access_key_id);
	snprintf(text, sizeof(text), "stored, never shown%s%.*s%s",
	    c->hint.len == 0 ? "" : "; ends with ", (int)c->hint.len, c->hint.p,
	    c->has_session_token ? "; with session token" : "");
	line("secret", text);
	for (size_t i = 0; i < c->setting_count; i++) {
		const char *name = ids_setting(c->setting[i].id);
		if (c->setting[i].id == SETTING_EXPIRES)
			line_time("expires", number_of(c->setting[i].value));
		else
			line_view(name == NULL ? "setting" : name, c->setting[i].value);
	}
	if (c->token_expires_s != 0)
		line_time("temporary until", c->token_expires_s);
	for (size_t i = 0; i < c->deployment_count; i++)
		printf("%-16s %.*s = %.*s\n", "deployment", (int)c->deployment[i].model.len,
		    c->deployment[i].model.p, (int)c->deployment[i].name.len,
		    c->deployment[i].name.p);
	line_view("workspace", c->workspace);
	show_names(c->model, c->model_count, "all", text, sizeof(text));
	line("models", text);
	show_names(c->operation, c->operation_count, "all of the provider", text, sizeof(text));
	line("operations", text);
	show_rate(c->rate_per_minute, text, sizeof(text));
	line("rate", text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)c->uses);
	line("uses", text);
	cli_ago(c->last_used_s, text, sizeof(text));
	line("last used", text);
}

static void
show_if_wanted(void *cookie, const union client_reply *r)
{
	struct wanted *w = cookie;
	if (!view_eq_str(r->credential.name, w->name))
		return;
	w->found = true;
	if (as_json)
		w->json = show_credential(&r->credential);
	else
		print_one(&r->credential);
}

static int
show(int argc, char **argv)
{
	(void)argc;
	struct wanted w = {.name = argv[0]};
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	bool ok = client_each(c, MSG_CREDENTIAL_LIST, "credential", show_if_wanted, &w);
	client_close(c);
	if (ok && !w.found)
		return cli_fail(
		    "there is no credential %s; see: sallyport credential list", argv[0]);
	if (w.json != NULL)
		show_json(w.json);
	return ok ? CLI_OK : CLI_FAILED;
}

// --- switches --------------------------------------------------------------------

static int
set(const char *name, enum credential_action action, const char *done)
{
	union client_reply r;
	if (strlen(name) > 64)
		return cli_fail("there is no credential %s; see: sallyport credential list", name);
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	struct msg_credential_set m = {.name = view_of(name), .action = action};
	bool ok = client_call(c, MSG_CREDENTIAL_SET, &m, name, &r) == MSG_DONE;
	client_close(c);
	if (ok)
		printf("credential %s %s\n", name, done);
	return ok ? CLI_OK : CLI_FAILED;
}

static int
enable(int argc, char **argv)
{
	(void)argc;
	return set(argv[0], CREDENTIAL_ENABLE, "enabled");
}

static int
disable(int argc, char **argv)
{
	(void)argc;
	return set(argv[0], CREDENTIAL_DISABLE, "disabled: refused from the next request on");
}

static int
remove_one(int argc, char **argv)
{
	(void)argc;
	return set(argv[0], CREDENTIAL_REMOVE, "removed; its secret is erased from the store");
}

const struct cli_command command_credential_list = {
    .name = "credential list",
    .args = "",
    .purpose = "all provider keys, without their secrets",
    .example = "  sallyport credential list --json",
    .options = json_option,
    .run = list,
};

const struct cli_command command_credential_show = {
    .name = "credential show",
    .args = "NAME",
    .purpose = "one provider key: where it may go and what it may do",
    .example = "  sallyport credential show openai-main",
    .min_args = 1,
    .max_args = 1,
    .options = json_option,
    .run = show,
};

const struct cli_command command_credential_enable = {
    .name = "credential enable",
    .args = "NAME",
    .purpose = "let requests use it again",
    .example = "  sallyport credential enable openai-main",
    .min_args = 1,
    .max_args = 1,
    .run = enable,
};

const struct cli_command command_credential_disable = {
    .name = "credential disable",
    .args = "NAME",
    .purpose = "refuse its use from the next request on",
    .example = "  sallyport credential disable openai-main",
    .min_args = 1,
    .max_args = 1,
    .run = disable,
};

const struct cli_command command_credential_remove = {
    .name = "credential remove",
    .args = "NAME",
    .purpose = "erase it with its secret",
    .example = "  sallyport credential remove openai-old",
    .min_args = 1,
    .max_args = 1,
    .run = remove_one,
};
