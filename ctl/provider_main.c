// SPDX-License-Identifier: Apache-2.0
// sallyport-demo-provider: a small TLS server that speaks three providers' APIs and
// really checks their keys; for the demo and the tests. May touch: its key and
// certificate files at start, then its listener and clients. It holds only its own
// keys and reaches nothing else.
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"
#include "common/sock.h"
#include "ctl/provider_conn.h"

struct options {
	const char *listen, *cert, *key, *keys, *run_as;
	long workers;
};

static struct options
parse(int argc, char **argv)
{
	struct options o = {.workers = 1};
	const char *workers = NULL;
	const struct {
		const char *name;
		const char **value;
	} table[] = {{"--listen", &o.listen}, {"--cert", &o.cert}, {"--key", &o.key},
	    {"--keys", &o.keys}, {"--run-as", &o.run_as}, {"--workers", &workers}};
	for (int i = 1; i < argc; i++) {
		size_t k = 0;
		while (k < ARRAY_LEN(table) && strcmp(argv[i], table[k].name) != 0)
			k++;
		if (k == ARRAY_LEN(table) || i + 1 >= argc)
			log_fatal("usage: sallyport-demo-provider --keys FILE --cert PEM --key PEM "
				  "[--listen 127.0.0.1:PORT] [--workers N] [--run-as UID:GID]");
		*table[k].value = argv[++i];
	}
	if (workers != NULL)
		o.workers = strtol(workers, NULL, 10);
	if (o.keys == NULL || o.cert == NULL || o.key == NULL || o.workers < 1 || o.workers > 64)
		log_fatal("need --keys FILE, --cert PEM and --key PEM; --workers is 1 to 64");
	return o;
}

static int
open_listener(const char *address)
{
	int fd = sock_activated("provider");
	if (fd >= 0)
		return fd;
	fd = sock_listen_tcp(address == NULL ? "127.0.0.1:0" : address, false);
	if (fd < 0)
		log_fatal("cannot listen on %s: %s", address, strerror(errno));
	printf("listening 127.0.0.1:%u\n", sock_local_port(fd));
	fflush(stdout);
	return fd;
}

static SSL_CTX *
open_tls(const char *cert, const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		log_fatal("cannot use certificate %s with key %s", cert, key);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *cookie)
{
	(void)l;
	(void)sa;
	(void)len;
	provider_conn_new(cookie, fd);
}

static void
on_signal(evutil_socket_t sig, short what, void *cookie)
{
	(void)sig;
	(void)what;
	event_base_loopbreak(cookie);
}

static int
serve(int listener, const struct options *o, struct provider_keys *keys, SSL_CTX *tls)
{
	struct event_base *base = event_base_new();
	BUG_IF(base == NULL);
	struct provider_server s = {.base = base, .tls = tls, .keys = keys};
	struct evconnlistener *l = evconnlistener_new(
	    base, on_accept, &s, LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 0, listener);
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
	struct event *intr = evsignal_new(base, SIGINT, on_signal, base);
	BUG_IF(l == NULL || term == NULL || intr == NULL);
	event_add(term, NULL);
	event_add(intr, NULL);
	if (o->workers == 1)
		sock_notify("READY=1");
	event_base_dispatch(base);
	evconnlistener_free(l);
	event_free(term);
	event_free(intr);
	event_base_free(base);
	return 0;
}

// The parent of several workers only waits; they share the listener.
static int
serve_many(int listener, const struct options *o, struct provider_keys *keys, SSL_CTX *tls)
{
	for (long i = 0; i < o->workers; i++) {
		pid_t pid = fork();
		if (pid < 0)
			log_fatal("cannot fork: %s", strerror(errno));
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			return serve(listener, o, keys, tls);
		}
	}
	sock_notify("READY=1");
	int status;
	while (wait(&status) > 0)
		;
	return 0;
}

int
main(int argc, char **argv)
{
	log_init("provider", LOG_INFO);
	struct options o = parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	struct rlimit rl;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	struct provider_keys *keys = provider_keys_load(o.keys);
	if (keys == NULL)
		return 1;
	SSL_CTX *tls = open_tls(o.cert, o.key);
	int listener = open_listener(o.listen);
	if (getuid() == 0 || o.run_as != NULL)
		sandbox_drop(o.run_as);
	int r =
	    o.workers == 1 ? serve(listener, &o, keys, tls) : serve_many(listener, &o, keys, tls);
	SSL_CTX_free(tls);
	provider_keys_free(keys);
	return r;
}
