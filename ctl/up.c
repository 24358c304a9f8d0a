// SPDX-License-Identifier: Apache-2.0
// `sallyport up`: a whole stack in one directory, for trying out, for tests and for
// development. Says one line when it serves, then keeps it running.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sock.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/up_cert.h"
#include "ctl/up_proc.h"
#include "ctl/up_seed.h"
#include "ctl/up_stack.h"

#define READY_TIMEOUT_MS 10000U
#define ARG_LEN		 (CLI_PATH_MAX + 32U)

static struct {
	bool demo, no_test;
	const char *listen, *tls_listen, *workers;
	struct credential_given given;
} o;

static const struct cli_option options[] = {
    {"demo", NULL, "serve the built-in demo provider (no account needed)", &o.demo, NULL, NULL},
    CREDENTIAL_GIVEN_OPTIONS(o.given),
    {"no-test", NULL, "do not try that key with one cheap request", &o.no_test, NULL, NULL},
    {"listen", "ADDR:PORT", "where applications connect (127.0.0.1:8080)", NULL, &o.listen, NULL},
    {"tls-listen", "ADDR:PORT", "the same with TLS (bedrock: on a free port)", NULL, &o.tls_listen,
	NULL},
    {"workers", "N", "processes of the gateway (one per core, at most 4)", NULL, &o.workers, NULL},
    {0},
};

// --- addresses -------------------------------------------------------------------

// Refuses an address that is taken, and gives port 0 a number, in place.
static int
settle_address(const char *option, const char *address, char out[64])
{
	int fd = sock_listen_tcp(address, false);
	if (fd < 0 && errno == EINVAL)
		return cli_usage(&command_up,
		    "--%s %s: write a numeric address and a port, such as 127.0.0.1:8080", option,
		    address);
	if (fd < 0) {
		cli_fail("cannot listen on %s: %s. Choose another with --%s", address,
		    strerror(errno), option);
		return CLI_FAILED;
	}
	const char *colon = strrchr(address, ':');
	snprintf(out, 64, "%.*s:%u", (int)(colon - address), address, sock_local_port(fd));
	close(fd);
	return CLI_OK;
}

// --- programs --------------------------------------------------------------------

struct text { // command lines, for as long as the stack runs
	char user[4][32];
	char uid[4][16];
	char path[8][CLI_PATH_MAX];
	char unlock[ARG_LEN];
};

static void
push(struct up_program *p, const char *a, const char *b)
{
	size_t n = 0;
	while (p->argv[n] != NULL)
		n++;
	BUG_IF(n + 2 >= UP_PROC_ARGS_MAX);
	p->argv[n] = a;
	p->argv[n + 1] = b;
}

static void
push_user(struct up_program *p, const struct up_stack *s, char text[32], uid_t uid)
{
	snprintf(text, 32, "%u:%u", uid, uid);
	if (s->split)
		push(p, "--run-as", text);
}

static void
add_provider(struct up_run *r, const struct up_stack *s, struct text *t)
{
	struct up_program p = {.name = "provider",
	    .program = "sallyport-demo-provider",
	    .fd_count = 1,
	    .fds = {s->provider},
	    .fd_names = {"provider"}};
	up_stack_path(s, "provider.keys", t->path[0]);
	up_stack_path(s, "tls/server.pem", t->path[1]);
	up_stack_path(s, "tls/server.key", t->path[2]);
	push(&p, "--keys", t->path[0]);
	push(&p, "--cert", t->path[1]);
	push(&p, "--key", t->path[2]);
	push_user(&p, s, t->user[0], s->demo);
	up_run_add(r, &p);
}

static void
add_audit(struct up_run *r, const struct up_stack *s, struct text *t)
{
	struct up_program p = {.name = "audit",
	    .program = "sallyport-auditd",
	    .fd_count = 2,
	    .fds = {s->sockets[UP_EVENTS], s->sockets[UP_QUERY]},
	    .fd_names = {"events", "query"}};
	up_stack_path(s, "audit", t->path[3]);
	up_stack_path(s, "run/audit.sock", t->path[4]);
	push(&p, "--dir", t->path[3]);
	push(&p, "--vault-socket", t->path[4]);
	push(&p, "--gateway-uid", t->uid[0]);
	push(&p, "--vault-uid", t->uid[1]);
	push(&p, "--admin-uid", t->uid[2]);
	push_user(&p, s, t->user[1], s->audit);
	up_run_add(r, &p);
}

static void
add_vault(struct up_run *r, const struct up_stack *s, struct text *t)
{
	struct up_program p = {.name = "vault",
	    .program = "sallyport-vaultd",
	    .fd_count = 3,
	    .fds = {s->sockets[UP_GATEWAY], s->sockets[UP_ADMIN], s->sockets[UP_AUDIT]},
	    .fd_names = {"gateway", "admin", "audit"}};
	up_stack_path(s, "vault", t->path[5]);
	up_stack_path(s, "vault.key", t->path[6]);
	snprintf(t->unlock, sizeof(t->unlock), "keyfile:%s", t->path[6]);
	push(&p, "--dir", t->path[5]);
	push(&p, "--unlock", t->unlock);
	push(&p, "--gateway-uid", t->uid[0]);
	push(&p, "--audit-uid", t->uid[3]);
	push(&p, "--admin-uid", t->uid[2]);
	push_user(&p, s, t->user[2], s->vault);
	up_run_add(r, &p);
}

static void
add_gateway(struct up_run *r, const struct up_stack *s, struct text *t)
{
	struct up_program p = {.name = "gateway", .program = "sallyport-gatewayd"};
	up_stack_path(s, "sallyport.yaml", t->path[7]);
	push(&p, "--config", t->path[7]);
	push_user(&p, s, t->user[3], s->gateway);
	up_run_add(r, &p);
}

// In the order of starting; stopped the other way round, the gateway first.
static void
add_programs(struct up_run *r, const struct up_stack *s, struct text *t)
{
	const uid_t uids[] = {s->gateway, s->vault, s->admin, s->audit};
	for (size_t i = 0; i < ARRAY_LEN(uids); i++)
		snprintf(t->uid[i], sizeof(t->uid[i]), "%u", uids[i]);
	if (s->provider >= 0)
		add_provider(r, s, t);
	add_audit(r, s, t);
	add_vault(r, s, t);
	add_gateway(r, s, t);
}

// --- story -----------------------------------------------------------------------

static void
say_ready(const struct up_stack *s, const char *url, uint64_t since_ns, bool demo,
    const struct up_real *real)
{
	printf("ready %s (vault, audit, gateway up in %llu ms)\n", url,
	    (unsigned long long)((clock_mono_ns() - since_ns) / 1000000));
	if (demo || real->spec.provider != NULL)
		printf("\ntry it in another terminal:\n\n"
		       "  . %s/clients.env    # for the SDKs too\n"
		       "  curl $SALLYPORT_URL/v1/chat/completions -H \"Authorization: Bearer "
		       "$SALLYPORT_KEY\" \\\n"
		       "    -H 'Content-Type: application/json' \\\n"
		       "    -d '{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":"
		       "\"hello\"}]}'\n"
		       "\nthe trail of it: sallyport --dir %s audit tail\n",
		    s->dir, up_env_model(demo ? NULL : &real->spec), s->dir);
	else
		printf("\nno provider key yet: sallyport --dir %s credential add NAME --provider "
		       "openai\n",
		    s->dir);
	fflush(stdout);
}

static int
run(struct up_stack *s, const struct up_listen *listen, bool demo, bool fresh_ca,
    const struct up_real *real, uint64_t since_ns)
{
	struct text text;
	char log_dir[CLI_PATH_MAX], notify[CLI_PATH_MAX], url[96], tls_url[96];
	up_stack_path(s, "log", log_dir);
	up_stack_path(s, "run/notify.sock", notify);
	snprintf(url, sizeof(url), "http://%s", listen->plain);
	snprintf(tls_url, sizeof(tls_url), "https://%s", listen->tls == NULL ? "" : listen->tls);
	struct up_run *r = up_run_new(log_dir, notify);
	if (r == NULL)
		return CLI_FAILED;
	add_programs(r, s, &text);
	int code = CLI_FAILED;
	struct up_urls urls = {url, listen->tls == NULL ? NULL : tls_url};
	if (up_run_start(r, READY_TIMEOUT_MS) == 0 &&
	    up_seed(s, &urls, demo, fresh_ca, real) == 0) {
		say_ready(s, url, since_ns, demo, real);
		if (real->spec.provider != NULL && !o.no_test)
			up_seed_try(s, real);
		up_run_supervise(r);
		code = CLI_OK;
	}
	up_run_stop(r);
	return code;
}

static int
read_real(struct up_real *real)
{
	struct msg_credential_put m;
	int code = credential_in_make(&real->in, &command_up, &o.given, NULL, &m);
	if (code != CLI_OK)
		return code;
	real->spec = o.given.spec;
	return credential_in_ask(&real->in, m.auth) == 0 ? CLI_OK : CLI_FAILED;
}

static int
up(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	uint64_t since_ns = clock_mono_ns();
	char plain[64], tls[64];
	struct up_listen listen = {.plain = plain, .workers = o.workers};
	struct up_real real = {0};
	struct up_stack s;
	const char *provider = credential_in_provider(&o.given);
	bool demo = o.demo && provider == NULL;
	bool fresh_ca = false;
	if (o.workers != NULL && (strspn(o.workers, "0123456789") != strlen(o.workers) ||
				     strtoul(o.workers, NULL, 10) - 1 > 63U))
		return cli_usage(
		    &command_up, "--workers %s: write a number from 1 to 64", o.workers);
	int r = settle_address("listen", o.listen == NULL ? "127.0.0.1:8080" : o.listen, plain);
	// AWS SDKs send a key over TLS alone.
	bool wants_tls = provider != NULL && strcmp(provider, "bedrock") == 0;
	if (r == CLI_OK && (o.tls_listen != NULL || wants_tls)) {
		r = settle_address(
		    "tls-listen", o.tls_listen == NULL ? "127.0.0.1:0" : o.tls_listen, tls);
		listen.tls = tls;
	}
	if (r == CLI_OK && provider != NULL) {
		r = read_real(&real);
		since_ns = clock_mono_ns(); // typing a key is not starting up
	}
	if (r != CLI_OK) {
		credential_in_free(&real.in);
		return r;
	}
	r = CLI_FAILED;
	char tls_dir[CLI_PATH_MAX];
	if (up_stack_open(&s, cli_dir == NULL ? "./sallyport-demo" : cli_dir) == 0 &&
	    up_stack_listen(&s, demo) == 0 && (!demo || up_seed_keys(&s) == 0)) {
		up_stack_path(&s, "tls", tls_dir);
		if (up_cert_ensure(tls_dir, &fresh_ca) == 0 && up_stack_config(&s, &listen) == 0)
			r = run(&s, &listen, demo, fresh_ca, &real, since_ns);
	}
	up_stack_close(&s);
	credential_in_free(&real.in);
	return r;
}

const struct cli_command command_up = {
    .name = "up",
    .args = "",
    .purpose = "run a whole stack in one directory until Ctrl-C",
    .details =
	"Starts vault, audit and gateway (and the demo provider), issues a virtual key, and\n"
	"restarts whatever dies. State stays in --dir (./sallyport-demo if not given): a second\n"
	"start goes on where the first ended. The store key lies in DIR/vault.key, so this is\n"
	"for trying out and for development; sallyport-vaultd(8) says how to install it.\n"
	"--provider serves a real one instead of the demo; its key comes on standard input.\n"
	"DIR/clients.env has the variables that the official SDKs read.",
    .example = "  sallyport up --demo --dir /tmp/demo --listen 127.0.0.1:8080\n"
	       "  sallyport up --provider openai --dir /tmp/mine < openai.key\n"
	       "  sallyport up --provider gemini --dir /tmp/mine < aistudio.key\n"
	       "  sallyport up --provider azure --host corp.openai.azure.com \\\n"
	       "      --deployment gpt-4o=prod-gpt-4o --dir /tmp/mine < azure.key\n"
	       "  sallyport up --provider vertex --region europe-west1 --dir /tmp/mine < key.json",
    .options = options,
    .run = up,
};
