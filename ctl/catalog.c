// SPDX-License-Identifier: Apache-2.0
// `sallyport catalog ...`: what is in force, how files differ from it, and putting files
// in force.
#include <stdio.h>
#include <string.h>

#include "ctl/catalog_file.h"
#include "ctl/catalog_words.h"
#include "ctl/catalog_write.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/show.h"

#define DIFFERENT 1 // exit statuses of diff, as diff(1) has them
#define TROUBLE	  2

static struct {
	const char *provider;
	bool yaml, json;
} o;

static const struct cli_option show_options[] = {
    {"provider", "NAME", "only what belongs to this one", NULL, &o.provider, NULL},
    {"yaml", NULL, "print a file that `catalog apply` takes", &o.yaml, NULL, NULL},
    {"json", NULL, "print JSON", &o.json, NULL, NULL},
    {0},
};

// --- from the vault --------------------------------------------------------------------

static void
copy(char *to, size_t size, struct view v)
{
	snprintf(to, size, "%.*s", (int)v.len, v.len == 0 ? "" : v.p);
}

static void
take_begin(struct catalog_text *t, const struct msg_catalogue_begin *m)
{
	t->version = m->version;
	t->has_version = true;
	t->applied_s = m->applied_s;
	copy(t->as_of, sizeof(t->as_of), m->as_of);
	copy(t->source, sizeof(t->source), m->source);
	copy(t->applied_by, sizeof(t->applied_by), m->applied_by);
}

// The catalogue in force. -1 after saying why.
static int
fetch(struct client *c, struct catalog_text *t)
{
	static union client_reply r; // large
	char error[CATALOG_ERROR_MAX];
	uint8_t type =
	    client_call(c, MSG_CATALOGUE_GET, &(struct msg_catalogue_get){0}, "catalogue", &r);
	if (type == MSG_CATALOGUE_BEGIN)
		take_begin(t, &r.begin);
	while (type != 0 && type != MSG_CATALOGUE_END) {
		bool row = type >= MSG_CATALOGUE_HOST && type <= MSG_CATALOGUE_PROFILE;
		if (row ? catalog_text_add(t, type, &r, error) != 0 : type != MSG_CATALOGUE_BEGIN) {
			cli_fail("catalogue: %s", row ? error : "an unexpected answer");
			return -1;
		}
		type = client_next(c, "catalogue", &r);
	}
	if (type != 0 && r.end.rows != t->count)
		cli_fail("catalogue: the vault told %zu rows of %llu", t->count,
		    (unsigned long long)r.end.rows);
	return type != 0 && r.end.rows == t->count ? 0 : -1;
}

// --- show ------------------------------------------------------------------------------

static void
price(const struct msg_catalogue_model *m, uint64_t kind, char out[32])
{
	snprintf(out, 32, "-");
	for (size_t i = 0; i < m->price_count; i++)
		if (m->price[i].kind == kind)
			catalog_words_usd(m->price[i].value, out);
}

static void
tokens(uint64_t n, char out[32])
{
	if (n == 0)
		snprintf(out, 32, "-");
	else
		snprintf(out, 32, "%llu", (unsigned long long)n);
}

static void
add_model(struct cli_table *table, const struct msg_catalogue_model *m)
{
	char context[32], output[32], in[32], out[32];
	const char *thinking = catalog_row_thinking(m->thinking);
	tokens(m->context, context);
	tokens(m->max_output, output);
	price(m, PRICE_INPUT, in);
	price(m, PRICE_OUTPUT, out);
	cli_table_cell(table, "%.*s", (int)m->name.len, m->name.p);
	cli_table_cell(table, "%s", context);
	cli_table_cell(table, "%s", output);
	cli_table_cell(table, "%s", in);
	cli_table_cell(table, "%s", out);
	cli_table_cell(table, "%s", m->thinking == 0 || thinking == NULL ? "-" : thinking);
	bool same = view_eq(m->upstream, m->name);
	cli_table_cell(table, "%.*s", same ? 1 : (int)m->upstream.len, same ? "-" : m->upstream.p);
}

// A paragraph on one provider: hosts, operations, then a table of its models.
static void
print_provider(const struct catalog_text *t, uint64_t provider)
{
	static const char *const titles[] = {
	    "MODEL", "CONTEXT", "OUTPUT", "$/M IN", "$/M OUT", "THINKING", "UPSTREAM"};
	static union msg_any m; // large
	struct cli_table *table = cli_table_new(ARRAY_LEN(titles), titles);
	size_t models = 0, hosts = 0, ops = 0;
	printf("\n%s\n", ids_provider(provider));
	for (size_t i = 0; i < t->count; i++) {
		const struct msg_catalogue_host *h = (const void *)&m;
		uint8_t type = t->entry[i].type;
		catalog_text_row(t, i, &m);
		if (type == MSG_CATALOGUE_HOST && h->provider == provider) {
			printf("%s %.*s%s%.*s", hosts++ == 0 ? "  hosts:     " : ",",
			    (int)h->host.len, h->host.p,
			    view_eq_str(h->location, "*") ? "" : " in ",
			    view_eq_str(h->location, "*") ? 0 : (int)h->location.len,
			    h->location.p);
		} else if (type == MSG_CATALOGUE_OP && m.catalogue_op.provider == provider) {
			const char *name = ids_operation(m.catalogue_op.operation);
			if (ops++ == 0)
				printf("%s  operations:", hosts == 0 ? "" : "\n");
			printf(" %s%s", name == NULL ? "?" : name,
			    m.catalogue_op.variant != 0 ? " (dated)" : "");
		} else if (type == MSG_CATALOGUE_MODEL && m.catalogue_model.provider == provider &&
			   (m.catalogue_model.flags & MODEL_HIDDEN) == 0) {
			add_model(table, &m.catalogue_model);
			models++;
		}
	}
	printf("%s", hosts + ops == 0 ? "" : "\n");
	if (models == 0) {
		printf("  no models by name: any that its credentials allow\n");
		cli_table_free(table);
		return;
	}
	cli_table_print(table);
}

static void
print_head(const struct catalog_text *t)
{
	char when[32];
	cli_utc(t->applied_s, when, sizeof(when));
	if (t->version == 0)
		printf("catalogue version 0 (built in)");
	else
		printf("catalogue version %llu, applied %s by %s from %s",
		    (unsigned long long)t->version, when, t->applied_by, t->source);
	printf(", as of %s: %zu hosts, %zu operations, %zu models, %zu profiles\n", t->as_of,
	    catalog_text_count(t, MSG_CATALOGUE_HOST), catalog_text_count(t, MSG_CATALOGUE_OP),
	    catalog_text_count(t, MSG_CATALOGUE_MODEL),
	    catalog_text_count(t, MSG_CATALOGUE_PROFILE));
}

static int
show(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	uint64_t only = o.provider == NULL ? 0 : ids_provider_of(view_of(o.provider));
	if (o.provider != NULL && only == 0)
		return cli_usage(&command_catalog_show,
		    "provider \"%s\": write openai, anthropic, bedrock, gemini, azure, vertex or "
		    "openai-compatible",
		    o.provider);
	if (o.provider != NULL && (o.yaml || o.json))
		return cli_usage(&command_catalog_show,
		    "--provider goes with the table alone: --yaml and --json print everything");
	if (o.yaml && o.json)
		return cli_usage(&command_catalog_show, "--yaml or --json, not both");
	struct catalog_text t = {0};
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	int r = fetch(c, &t);
	client_close(c);
	if (r == 0 && o.yaml) {
		catalog_write_yaml(&t, stdout);
	} else if (r == 0 && o.json) {
		show_json(catalog_write_json(&t));
	} else if (r == 0) {
		print_head(&t);
		for (uint64_t p = 1; p <= PROVIDER_LAST; p++)
			if (only == 0 || p == only)
				print_provider(&t, p);
	}
	catalog_text_free(&t);
	return r == 0 ? CLI_OK : CLI_FAILED;
}

// --- files -----------------------------------------------------------------------------

// All of them, with all their faults told. source: the names without folders.
static int
read_files(int argc, char **argv, struct catalog_text *t)
{
	int code = 0;
	size_t n = 0;
	for (int i = 0; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');
		if (catalog_file_read(t, argv[i]) != 0)
			code = -1;
		if (n < sizeof(t->source) - 1)
			n += (size_t)snprintf(t->source + n, sizeof(t->source) - n, "%s%s",
			    i == 0 ? "" : ", ", slash == NULL ? argv[i] : slash + 1);
	}
	if (code != 0)
		return -1;
	static const struct {
		uint8_t type;
		const char *name;
	} needed[] = {{MSG_CATALOGUE_HOST, "hosts"}, {MSG_CATALOGUE_OP, "operations"},
	    {MSG_CATALOGUE_MODEL, "models"}};
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (catalog_text_count(t, needed[i].type) == 0) {
			cli_fail(
			    "there are no %s in %s: the files together are the whole catalogue, "
			    "not an addition. Begin with: sallyport catalog show --yaml > "
			    "catalogue.yaml",
			    needed[i].name, t->source);
			return -1;
		}
	return 0;
}

// Files and vault. NULL after saying why.
static struct client *
load_both(int argc, char **argv, struct catalog_text *files, struct catalog_text *present)
{
	if (read_files(argc, argv, files) != 0)
		return NULL;
	struct client *c = client_dial();
	if (c == NULL || fetch(c, present) == 0)
		return c;
	client_close(c);
	return NULL;
}

static int
diff(int argc, char **argv)
{
	struct catalog_text files = {0}, present = {0};
	struct catalog_change change = {0};
	struct client *c = load_both(argc, argv, &files, &present);
	bool ok = c != NULL;
	client_close(c);
	if (ok)
		catalog_write_diff(&present, &files, stdout, &change);
	if (ok && files.has_version && files.version != present.version)
		fprintf(stderr,
		    "sallyport: the files were made from version %llu; version %llu is in force, "
		    "so "
		    "they cannot be applied as they are\n",
		    (unsigned long long)files.version, (unsigned long long)present.version);
	catalog_text_free(&files);
	catalog_text_free(&present);
	if (!ok)
		return TROUBLE;
	return change.added + change.removed + change.changed == 0 ? CLI_OK : DIFFERENT;
}

// --- apply -----------------------------------------------------------------------------

static bool
send_rows(struct client *c, const struct catalog_text *t)
{
	static union msg_any m; // large
	struct msg_catalogue_begin begin;
	catalog_text_begin(t, &begin);
	bool ok = client_send(c, MSG_CATALOGUE_BEGIN, &begin, "catalogue");
	for (size_t i = 0; ok && i < t->count; i++) {
		catalog_text_row(t, i, &m);
		ok = client_send(c, t->entry[i].type, &m, "catalogue");
	}
	return ok;
}

static int
send_files(struct client *c, struct catalog_text *files, const struct catalog_text *present,
    const struct catalog_change *change)
{
	union client_reply r;
	struct msg_catalogue_end end = {.rows = files->count};
	if (files->has_version && files->version != present->version)
		return cli_fail(
		    "%s: made from version %llu of the catalogue, but version %llu is in force by "
		    "now: somebody applied another one. See the difference: sallyport catalog diff "
		    "FILE. To apply yours over it all the same, write `version: %llu` in the file",
		    files->source, (unsigned long long)files->version,
		    (unsigned long long)present->version, (unsigned long long)present->version);
	files->version = present->version; // the vault compares again
	if (!send_rows(c, files) ||
	    client_call(c, MSG_CATALOGUE_END, &end, "catalogue", &r) != MSG_DONE)
		return CLI_FAILED;
	printf("catalogue version %llu is in force: %zu added, %zu removed, %zu changed\n",
	    (unsigned long long)r.done.version, change->added, change->removed, change->changed);
	return CLI_OK;
}

static int
apply(int argc, char **argv)
{
	struct catalog_text files = {0}, present = {0};
	struct catalog_change change = {0};
	struct client *c = load_both(argc, argv, &files, &present);
	int code = CLI_FAILED;
	if (c != NULL) {
		catalog_write_diff(&present, &files, NULL, &change);
		if (change.added + change.removed + change.changed != 0) {
			code = send_files(c, &files, &present, &change);
		} else {
			printf("catalogue version %llu unchanged: it says the same\n",
			    (unsigned long long)present.version);
			code = CLI_OK;
		}
	}
	client_close(c);
	catalog_text_free(&files);
	catalog_text_free(&present);
	return code;
}

const struct cli_command command_catalog_show = {
    .name = "catalog show",
    .args = "",
    .purpose = "hosts, operations, models and prices in force",
    .details =
	"One table for each provider; prices are USD for a million tokens. --yaml prints the\n"
	"whole catalogue as a file: change it, then give it to `sallyport catalog apply`.",
    .example = "  sallyport catalog show --provider bedrock\n"
	       "  sallyport catalog show --yaml > catalogue.yaml",
    .options = show_options,
    .run = show,
};

const struct cli_command command_catalog_diff = {
    .name = "catalog diff",
    .args = "FILE...",
    .purpose = "what applying these files would change",
    .details = "One line for each row: + added, - removed, ~ changed. Exit status 0: nothing\n"
	       "differs; 1: something does; 2: trouble.",
    .example = "  sallyport catalog diff catalogue.yaml\n"
	       "  sallyport catalog diff /usr/share/sallyport/catalogue/*.yaml",
    .min_args = 1,
    .max_args = 64,
    .run = diff,
};

const struct cli_command command_catalog_apply = {
    .name = "catalog apply",
    .args = "FILE...",
    .purpose = "put the catalogue of these files in force",
    .details =
	"The files together are the whole catalogue. They are checked first: a fault is shown\n"
	"with its line, and nothing is sent. A file that names the version it was made from\n"
	"(--yaml of `catalog show` does) is refused when another is in force by now. Effective\n"
	"from the next request on; requests in flight end as they began. The files of the\n"
	"package lie in /usr/share/sallyport/catalogue: applying those goes back to them.",
    .example = "  sallyport catalog show --yaml > catalogue.yaml\n"
	       "  vi catalogue.yaml\n"
	       "  sallyport catalog apply catalogue.yaml",
    .min_args = 1,
    .max_args = 64,
    .run = apply,
};
