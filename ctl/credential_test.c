// SPDX-License-Identifier: Apache-2.0
// `sallyport credential test`, and the same right after a key was stored: the vault makes
// the cheapest real request with it.
#include "ctl/credential_test.h"

#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/show.h"

#define WAIT_S	 60U // exchange, connection and answer of the provider
#define SKEW_MIN 60U // seconds that are worth a word

static struct {
	const char *model;
	bool json;
} o;

static const struct cli_option options[] = {
    {"model", "MODEL", "which to ask; none given: a cheap one of the provider", NULL, &o.model,
	NULL},
    {"json", NULL, "print JSON", &o.json, NULL, NULL},
    {0},
};

// --- telling ---------------------------------------------------------------------------

static void
print_json(const char *name, const struct msg_credential_tested *t)
{
	const char *class = ids_class(t->class_id);
	json_t *j = json_object();
	json_object_set_new(j, "name", json_string(name));
	json_object_set_new(j, "works", json_boolean(t->class_id == CLASS_NONE));
	json_object_set_new(j, "class", json_string(class == NULL ? "unknown" : class));
	json_object_set_new(j, "status", json_integer((json_int_t)t->status));
	json_object_set_new(j, "code", show_string(t->code));
	json_object_set_new(j, "message", show_string(t->message));
	json_object_set_new(j, "fix", show_string(t->fix));
	json_object_set_new(j, "host", show_string(t->host));
	json_object_set_new(j, "operation", show_string(t->operation));
	json_object_set_new(j, "model", show_string(t->model));
	json_object_set_new(j, "latency_ms", json_integer((json_int_t)t->latency_ms));
	json_object_set_new(j, "clock_ahead_s",
	    json_integer(t->skew_ahead ? (json_int_t)t->skew_s : -(json_int_t)t->skew_s));
	show_json(j);
}

// " (invalid_api_key, HTTP 401)", or what there is of it.
static void
where(const struct msg_credential_tested *t, char *out, size_t size)
{
	int n = snprintf(out, size, "%s%.*s", t->code.len != 0 || t->status != 0 ? " (" : "",
	    (int)t->code.len, t->code.p);
	if (n > 0 && (size_t)n < size && t->status != 0)
		n += snprintf(out + n, size - (size_t)n, "%sHTTP %llu",
		    t->code.len != 0 ? ", " : "", (unsigned long long)t->status);
	if (n > 0 && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, ")");
}

static void
print_text(const char *name, const struct msg_credential_tested *t)
{
	const char *class = ids_class(t->class_id);
	FILE *out = t->class_id == CLASS_NONE ? stdout : stderr;
	char codes[256];
	where(t, codes, sizeof(codes));
	if (t->class_id == CLASS_NONE)
		printf("credential %s works: %.*s%s%.*s answered in %llu ms\n", name,
		    (int)t->host.len, t->host.p, t->model.len == 0 ? "" : " with ",
		    (int)t->model.len, t->model.p, (unsigned long long)t->latency_ms);
	else
		fprintf(out, "sallyport: credential %s does not work (%s): %.*s%s\n", name,
		    class == NULL ? "unknown" : class, (int)t->message.len, t->message.p, codes);
	if (t->class_id != CLASS_NONE && t->host.len != 0)
		fprintf(out, "asked:    %.*s%s%.*s%s%.*s, %llu ms\n", (int)t->host.len, t->host.p,
		    t->operation.len == 0 ? "" : ", ", (int)t->operation.len, t->operation.p,
		    t->model.len == 0 ? "" : " of ", (int)t->model.len, t->model.p,
		    (unsigned long long)t->latency_ms);
	if (t->fix.len != 0)
		fprintf(out, "fix:      %.*s\n", (int)t->fix.len, t->fix.p);
	if (t->skew_s >= SKEW_MIN)
		fprintf(out, "clock:    this machine's is %llu s %s the provider's\n",
		    (unsigned long long)t->skew_s, t->skew_ahead ? "ahead of" : "behind");
}

// --- asking ----------------------------------------------------------------------------

// False: it could not be tried, which was said.
static bool
ask(struct client *c, const char *name, const char *model, union client_reply *r)
{
	struct msg_credential_test m = {.name = view_of(name), .model = view_of(model)};
	client_wait_longer(c, WAIT_S);
	return client_call(c, MSG_CREDENTIAL_TEST, &m, name, r) == MSG_CREDENTIAL_TESTED;
}

int
credential_test_new(struct client *c, const char *name)
{
	union client_reply r;
	if (!ask(c, name, NULL, &r)) {
		fprintf(stderr,
		    "sallyport: so the key was not tried; later: sallyport credential test %s\n",
		    name);
		return CLI_OK;
	}
	print_text(name, &r.tested);
	if (r.tested.class_id == CLASS_NONE)
		return CLI_OK;
	fprintf(stderr,
	    "it stays:  stored as it is; try again with: sallyport credential test %s\n", name);
	return CLI_TEST_FAILED;
}

static int
test(int argc, char **argv)
{
	(void)argc;
	union client_reply r;
	if (strlen(argv[0]) > 64)
		return cli_fail(
		    "there is no credential %s; see: sallyport credential list", argv[0]);
	if (o.model != NULL && strlen(o.model) > 2048)
		return cli_usage(&command_credential_test, "no model has a name as long as that");
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	int code = CLI_FAILED;
	if (ask(c, argv[0], o.model, &r)) {
		if (o.json)
			print_json(argv[0], &r.tested);
		else
			print_text(argv[0], &r.tested);
		code = r.tested.class_id == CLASS_NONE ? CLI_OK : CLI_TEST_FAILED;
	}
	client_close(c);
	return code;
}

const struct cli_command command_credential_test = {
    .name = "credential test",
    .args = "NAME",
    .purpose = "try a key with the cheapest real request",
    .details =
	"Tells a bad key, a model without access, a wrong region, a missing permission, a used\n"
	"up quota, a wrong clock and a network fault apart, each with what to do about it. The\n"
	"request goes the way of all requests, and is in the audit trail like them.\n"
	"Exit status 0: it works; 3: it does not; 1: it could not be tried.",
    .example = "  sallyport credential test openai-main\n"
	       "  sallyport credential test aws --model anthropic.claude-haiku-4-5-20251001-v1:0",
    .min_args = 1,
    .max_args = 1,
    .options = options,
    .run = test,
};
