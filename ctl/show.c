// SPDX-License-Identifier: Apache-2.0
// Output forms. May touch: standard output.
#include "ctl/show.h"

#include <stdio.h>

json_t *
show_string(struct view v)
{
	return v.len == 0 ? json_null() : json_stringn(v.p, v.len);
}

static json_t *
names_array(const struct msg_name *n, size_t count)
{
	json_t *a = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(a, json_stringn(n[i].name.p, n[i].name.len));
	return a;
}

static json_t *
number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

json_t *
show_time(uint64_t unix_s)
{
	char text[32];
	cli_utc(unix_s, text, sizeof(text));
	return unix_s == 0 ? json_null() : json_string(text);
}

json_t *
show_credential(const struct msg_credential_item *c)
{
	json_t *j = json_object();
	const char *provider = ids_provider(c->provider), *auth = ids_auth(c->auth);
	json_object_set_new(j, "name", show_string(c->name));
	json_object_set_new(j, "id", show_string(c->id));
	json_object_set_new(j, "version", number(c->version));
	json_object_set_new(j, "provider", json_string(provider == NULL ? "unknown" : provider));
	json_object_set_new(j, "auth", json_string(auth == NULL ? "unknown" : auth));
	json_object_set_new(j, "enabled", json_boolean(c->enabled));
	json_object_set_new(j, "host", show_string(c->host));
	json_object_set_new(j, "port", number(c->port));
	json_object_set_new(j, "region", show_string(c->region));
	json_object_set_new(j, "access_key_id", show_string(c->access_key_id));
	json_object_set_new(j, "secret_ends_with", show_string(c->hint));
	json_object_set_new(j, "has_session_token", json_boolean(c->has_session_token));
	json_object_set_new(j, "has_ca", json_boolean(c->has_ca));
	json_object_set_new(j, "workspace", show_string(c->workspace));
	json_object_set_new(j, "rate_per_minute", number(c->rate_per_minute));
	json_object_set_new(j, "models", names_array(c->model, c->model_count));
	json_object_set_new(j, "operations", names_array(c->operation, c->operation_count));
	json_t *settings = json_object(), *deployments = json_object();
	for (size_t i = 0; i < c->setting_count; i++) {
		const char *name = ids_setting(c->setting[i].id);
		json_object_set_new(
		    settings, name == NULL ? "unknown" : name, show_string(c->setting[i].value));
	}
	for (size_t i = 0; i < c->deployment_count; i++)
		json_object_setn_new(deployments, c->deployment[i].model.p,
		    c->deployment[i].model.len, show_string(c->deployment[i].name));
	json_object_set_new(j, "settings", settings);
	json_object_set_new(j, "deployments", deployments);
	json_object_set_new(j, "token_expires", show_time(c->token_expires_s));
	json_object_set_new(j, "uses", number(c->uses));
	json_object_set_new(j, "last_used", show_time(c->last_used_s));
	return j;
}

json_t *
show_vkey(const struct msg_vkey_item *k)
{
	json_t *j = json_object();
	json_object_set_new(j, "id", show_string(k->id));
	json_object_set_new(j, "name", show_string(k->name));
	json_object_set_new(j, "workspace", show_string(k->workspace));
	json_object_set_new(j, "revoked", json_boolean(k->revoked));
	json_object_set_new(j, "created", show_time(k->created_s));
	json_object_set_new(j, "last_used", show_time(k->last_used_s));
	json_object_set_new(j, "rate_per_minute", number(k->rate_per_minute));
	json_object_set_new(j, "credentials", names_array(k->credential, k->credential_count));
	json_object_set_new(j, "models", names_array(k->model, k->model_count));
	return j;
}

void
show_json(json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(j);
}

void
show_names(const struct msg_name *n, size_t count, const char *none, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "%s", count == 0 ? none : "");
	for (size_t i = 0; i < count && at + 1 < size; i++) {
		int k = snprintf(out + at, size - at, "%s%.*s", i == 0 ? "" : ", ",
		    (int)n[i].name.len, n[i].name.p);
		at += k > 0 ? (size_t)k : 0;
	}
}

void
show_rate(uint64_t per_minute, char *out, size_t size)
{
	if (per_minute == 0)
		snprintf(out, size, "no ceiling");
	else
		snprintf(out, size, "%llu/min", (unsigned long long)per_minute);
}

struct shown {
	const struct show_list *list;
	struct cli_table *table; // one of these two
	json_t *array;
};

static void
add(void *cookie, const union client_reply *r)
{
	struct shown *s = cookie;
	if (s->table != NULL)
		s->list->row(s->table, r);
	else
		json_array_append_new(s->array, s->list->json(r));
}

int
show_list(const struct show_list *l, bool as_json)
{
	struct shown s = {.list = l};
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	if (as_json)
		s.array = json_array();
	else
		s.table = cli_table_new(l->columns, l->titles);
	bool ok = client_each(c, l->type, l->what, add, &s);
	client_close(c);
	if (ok && as_json)
		show_json(json_incref(s.array));
	else if (ok)
		cli_table_print(s.table);
	else
		cli_table_free(s.table);
	json_decref(s.array);
	return ok ? CLI_OK : CLI_FAILED;
}
