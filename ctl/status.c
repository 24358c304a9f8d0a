// SPDX-License-Identifier: Apache-2.0
// `sallyport status`: is the service whole? Exit 1 when it would refuse requests.
#include <stdio.h>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/show.h"

static bool as_json;

static const struct cli_option options[] = {
    {"json", NULL, "print JSON", &as_json, NULL, NULL},
    {0},
};

static void
print_json(const struct msg_status_reply *s)
{
	const struct {
		const char *name;
		uint64_t v;
	} numbers[] = {{"uptime_s", s->uptime_s}, {"gateways", s->gateways},
	    {"sealers", s->sealers}, {"credentials", s->credentials}, {"virtual_keys", s->vkeys},
	    {"uses", s->uses}, {"denials", s->denials}};
	json_t *j = json_object();
	json_object_set_new(j, "version", show_string(s->version));
	json_object_set_new(j, "secret_memory", show_string(s->secret_memory));
	json_object_set_new(j, "audit_connected", json_boolean(s->audit_connected));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		json_object_set_new(j, numbers[i].name, json_integer((json_int_t)numbers[i].v));
	show_json(j);
}

static void
print_text(const struct msg_status_reply *s)
{
	printf("vault            %.*s, up %llu s\n", (int)s->version.len, s->version.p,
	    (unsigned long long)s->uptime_s);
	printf("secret memory    %.*s\n", (int)s->secret_memory.len, s->secret_memory.p);
	printf("audit            %s\n",
	    s->audit_connected ? "connected" : "NOT connected: every use is refused (503)");
	printf("gateway workers  %llu%s\n", (unsigned long long)s->gateways,
	    s->gateways == 0 ? ": nobody serves applications" : "");
	printf("sealers          %llu\n", (unsigned long long)s->sealers);
	printf("credentials      %llu\n", (unsigned long long)s->credentials);
	printf("virtual keys     %llu\n", (unsigned long long)s->vkeys);
	printf("uses, denials    %llu, %llu since start\n", (unsigned long long)s->uses,
	    (unsigned long long)s->denials);
}

static int
status(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	union client_reply r;
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	bool ok =
	    client_call(c, MSG_STATUS, &(struct msg_empty){0}, "status", &r) == MSG_STATUS_REPLY;
	if (ok && as_json)
		print_json(&r.status);
	else if (ok)
		print_text(&r.status);
	bool whole = ok && r.status.audit_connected && r.status.gateways != 0;
	client_close(c);
	return whole ? CLI_OK : CLI_FAILED;
}

const struct cli_command command_status = {
    .name = "status",
    .args = "",
    .purpose = "is the service whole (exit 1 if it would refuse requests)",
    .example = "  sallyport status",
    .options = options,
    .run = status,
};
