// SPDX-License-Identifier: Apache-2.0
// `sallyport issuer ...`: our OIDC issuer, which AWS asks who may assume a role. May touch:
// the admin socket, the directory that is exported to.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/show.h"
#include "proto/issuer_doc.h"

#define URL_MAX 255U

static bool as_json;

static const struct cli_option json_option[] = {
    {"json", NULL, "print JSON", &as_json, NULL, NULL},
    {0},
};

// --- asking --------------------------------------------------------------------------

// False after saying why.
static bool
get(struct client *c, union client_reply *r)
{
	return client_call(c, MSG_ISSUER_GET, &(struct msg_empty){0}, "issuer", r) ==
	       MSG_ISSUER_ITEM;
}

static bool
set(struct client *c, const char *url, bool rotate, uint64_t *version_r)
{
	union client_reply r;
	struct msg_issuer_set m = {.url = view_of(url), .rotate = rotate};
	if (client_call(c, MSG_ISSUER_SET, &m, "issuer", &r) != MSG_DONE)
		return false;
	*version_r = r.done.version;
	return true;
}

// --- telling -------------------------------------------------------------------------

enum key_state { KEY_SIGNS, KEY_WAITS, KEY_RETIRED };

// The newest key whose time has come signs.
static enum key_state
state_of(const struct msg_issuer_key *k, uint64_t now_s)
{
	if (k->retired_s != 0 && k->retired_s <= now_s)
		return KEY_RETIRED;
	return k->signs_from_s > now_s ? KEY_WAITS : KEY_SIGNS;
}

static void
print_text(const struct msg_issuer_item *m)
{
	static const char *const titles[] = {"KEY", "STATE", "MADE", "SIGNS FROM", "RETIRED"};
	static const char *const states[] = {"signs", "published, waits", "retired, published"};
	uint64_t now_s = (uint64_t)time(NULL);
	struct cli_table *t = cli_table_new(ARRAY_LEN(titles), titles);
	size_t slash = m->url.len != 0 && m->url.p[m->url.len - 1] == '/' ? 1 : 0;
	int base = (int)(m->url.len - slash);
	printf("issuer         %.*s\n", (int)m->url.len, m->url.p);
	printf("discovery      %.*s%s\n", base, m->url.p, ISSUER_DOC_CONFIGURATION_PATH);
	printf("public keys    %.*s%s\n\n", base, m->url.p, ISSUER_DOC_JWKS_PATH);
	for (size_t i = 0; i < m->key_count; i++) {
		const struct msg_issuer_key *k = &m->key[i];
		char made[32], from[32], retired[32];
		cli_utc(k->created_s, made, sizeof(made));
		cli_utc(k->signs_from_s, from, sizeof(from));
		cli_utc(k->retired_s, retired, sizeof(retired));
		cli_table_cell(t, "%.*s", (int)k->kid.len, k->kid.p);
		cli_table_cell(t, "%s", states[state_of(k, now_s)]);
		cli_table_cell(t, "%s", made);
		cli_table_cell(t, "%s", from);
		cli_table_cell(t, "%s", retired);
	}
	cli_table_print(t);
}

static void
print_json(const struct msg_issuer_item *m)
{
	static const char *const states[] = {"signs", "waits", "retired"};
	uint64_t now_s = (uint64_t)time(NULL);
	json_t *j = json_object(), *keys = json_array();
	json_object_set_new(j, "issuer", show_string(m->url));
	for (size_t i = 0; i < m->key_count; i++) {
		const struct msg_issuer_key *k = &m->key[i];
		json_t *key = json_object();
		json_object_set_new(key, "kid", show_string(k->kid));
		json_object_set_new(key, "state", json_string(states[state_of(k, now_s)]));
		json_object_set_new(key, "created", show_time(k->created_s));
		json_object_set_new(key, "signs_from", show_time(k->signs_from_s));
		json_object_set_new(key, "retired", show_time(k->retired_s));
		json_array_append_new(keys, key);
	}
	json_object_set_new(j, "keys", keys);
	show_json(j);
}

static int
no_issuer(void)
{
	return cli_fail(
	    "there is no issuer yet. Name it by the https address where AWS can read its "
	    "documents: sallyport issuer set https://id.example.com");
}

static int
show(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	union client_reply r;
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	int code = CLI_FAILED;
	if (get(c, &r)) {
		code = CLI_OK;
		if (as_json)
			print_json(&r.issuer);
		else if (r.issuer.url.len != 0)
			print_text(&r.issuer);
		else
			code = no_issuer();
	}
	client_close(c);
	return code;
}

// --- set, rotate -----------------------------------------------------------------------

// An address that AWS accepts as the name of an identity provider; it becomes the claim
// iss, byte for byte, so nothing is corrected here.
static const char *
url_fault(const char *url)
{
	static const char scheme[] = "https://";
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
	size_t n = strlen(url);
	if (strncmp(url, scheme, strlen(scheme)) != 0)
		return "begin with https://";
	const char *host = url + strlen(scheme);
	size_t len = strspn(host, plain);
	if (n > URL_MAX)
		return "use at most 255 characters";
	if (host[len] == ':')
		return "leave the port away: AWS asks port 443";
	if (len == 0 || (host[len] != '\0' && host[len] != '/') || memchr(host, '.', len) == NULL)
		return "write a host name in lower case behind https://";
	if (host[len + strspn(host + len, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					  "0123456789-._~/")] != '\0')
		return "leave question marks, # and other signs away";
	if (url[n - 1] == '/')
		return "leave the slash at the end away";
	return strstr(url, "/.well-known") != NULL
		   ? "leave /.well-known/... away: it is what stands before that"
		   : NULL;
}

static int
set_url(int argc, char **argv)
{
	(void)argc;
	uint64_t version = 0;
	const char *fault = url_fault(argv[0]);
	if (fault != NULL)
		return cli_usage(&command_issuer_set, "issuer \"%s\": %s", argv[0], fault);
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	bool ok = set(c, argv[0], false, &version);
	client_close(c);
	if (ok && version == 0)
		printf("issuer %s unchanged\n", argv[0]);
	else if (ok)
		printf("issuer %s\n\nnow publish its documents, which the gateway serves too: "
		       "sallyport issuer export DIR\nand name it to AWS: aws iam "
		       "create-open-id-connect-provider --url %s --client-id-list "
		       "sts.amazonaws.com\n",
		    argv[0], argv[0]);
	return ok ? CLI_OK : CLI_FAILED;
}

static int
rotate(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	uint64_t version = 0, now_s = (uint64_t)time(NULL);
	union client_reply r;
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	bool ok = set(c, "", true, &version) && get(c, &r);
	for (size_t i = 0; ok && i < r.issuer.key_count; i++) {
		const struct msg_issuer_key *k = &r.issuer.key[i];
		char from[32];
		cli_utc(k->signs_from_s, from, sizeof(from));
		if (state_of(k, now_s) == KEY_WAITS)
			printf("new signing key %.*s: published by the gateway now, signs from %s "
			       "on. If you publish copies, renew them before: sallyport issuer "
			       "export DIR\n",
			    (int)k->kid.len, k->kid.p, from);
	}
	client_close(c);
	return ok ? CLI_OK : CLI_FAILED;
}

// --- export ----------------------------------------------------------------------------

static int
make_dir(const char *path)
{
	// Public, whatever the umask of who exports.
	if (mkdir(path, 0755) == 0 ? chmod(path, 0755) == 0 : errno == EEXIST)
		return 0;
	cli_fail("cannot make the directory %s: %s", path, strerror(errno));
	return -1;
}

// Whole or not at all, for whoever reads it at that moment.
static int
write_whole(const char *dir, const char *name, struct view text)
{
	char path[CLI_PATH_MAX], fresh[CLI_PATH_MAX + 8];
	int n = snprintf(path, sizeof(path), "%s%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		cli_fail("the path %s is too long", dir);
		return -1;
	}
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	unlink(fresh);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	bool ok = fd >= 0 && write(fd, text.p, text.len) == (ssize_t)text.len &&
		  fchmod(fd, 0644) == 0 && fsync(fd) == 0;
	int err = errno;
	if (fd >= 0)
		close(fd);
	if (ok && rename(fresh, path) == 0) {
		printf("%s\n", path);
		return 0;
	}
	cli_fail("cannot write %s: %s", path, strerror(ok ? errno : err));
	unlink(fresh);
	return -1;
}

// The keys first: a configuration that names them is never there without them.
static int
write_documents(const struct msg_issuer_item *m, const char *dir)
{
	char well_known[CLI_PATH_MAX];
	struct buf keys, configuration;
	int n = snprintf(well_known, sizeof(well_known), "%s/.well-known", dir);
	if (n < 0 || (size_t)n >= sizeof(well_known))
		return cli_fail("the path %s is too long", dir);
	buf_init(&keys, ISSUER_DOC_MAX);
	buf_init(&configuration, ISSUER_DOC_MAX);
	issuer_doc_jwks(m, &keys);
	issuer_doc_configuration(m, &configuration);
	BUG_IF(keys.failed || configuration.failed); // a message is smaller
	bool ok = make_dir(dir) == 0 && make_dir(well_known) == 0 &&
		  write_whole(dir, ISSUER_DOC_JWKS_PATH, buf_done(&keys)) == 0 &&
		  write_whole(dir, ISSUER_DOC_CONFIGURATION_PATH, buf_done(&configuration)) == 0;
	buf_free(&keys);
	buf_free(&configuration);
	return ok ? CLI_OK : CLI_FAILED;
}

static int
export_documents(int argc, char **argv)
{
	(void)argc;
	union client_reply r;
	struct client *c = client_dial();
	if (c == NULL)
		return CLI_FAILED;
	int code = CLI_FAILED;
	if (get(c, &r))
		code = r.issuer.url.len == 0 ? no_issuer() : write_documents(&r.issuer, argv[0]);
	client_close(c);
	return code;
}

const struct cli_command command_issuer_show = {
    .name = "issuer show",
    .args = "",
    .purpose = "our OIDC issuer: its name and signing keys",
    .details = "Its private keys never leave the vault.",
    .example = "  sallyport issuer show",
    .options = json_option,
    .run = show,
};

const struct cli_command command_issuer_set = {
    .name = "issuer set",
    .args = "URL",
    .purpose = "name our OIDC issuer, for roles of AWS without any stored key",
    .details =
	"The address, by which AWS reads /.well-known/openid-configuration and the public keys\n"
	"behind it. The gateway serves both; so does any web server, from `issuer export`. The\n"
	"first time this makes a signing key in the vault. Credentials of auth sts-web-identity\n"
	"then need no secret at all.",
    .example = "  sallyport issuer set https://id.example.com\n"
	       "  sallyport credential add aws --provider bedrock --region us-east-1 \\\n"
	       "      --role-arn arn:aws:iam::123456789012:role/sallyport \\\n"
	       "      --subject scoped_principal:team-a/service_account:gateway",
    .min_args = 1,
    .max_args = 1,
    .run = set_url,
};

const struct cli_command command_issuer_rotate = {
    .name = "issuer rotate",
    .args = "",
    .purpose = "make a new signing key; the old one signs until it is known",
    .details = "The new key is published at once and signs a day later, since AWS keeps what it\n"
	       "read; the old one stays published until the last token that it signed is over.",
    .example = "  sallyport issuer rotate",
    .run = rotate,
};

const struct cli_command command_issuer_export = {
    .name = "issuer export",
    .args = "DIR",
    .purpose = "write the issuer's public documents, for a web server",
    .details = "DIR/.well-known/openid-configuration and DIR/.well-known/jwks.json, to be served\n"
	       "below the issuer's address as application/json. Each is replaced whole.",
    .example = "  sallyport issuer export /var/www/id",
    .min_args = 1,
    .max_args = 1,
    .run = export_documents,
};
