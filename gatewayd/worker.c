// SPDX-License-Identifier: Apache-2.0
// A worker's life: makes its parts, enters its sandbox, serves, drains. May touch:
// what its parts may, and the socket to the master.
#include "gatewayd/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "dialect/dialect.h"
#include "gatewayd/audit.h"
#include "gatewayd/client.h"
#include "gatewayd/control.h"
#include "gatewayd/exchange.h"
#include "gatewayd/h2.h"
#include "gatewayd/listener.h"
#include "gatewayd/plans.h"
#include "gatewayd/pool.h"
#include "gatewayd/resolve.h"
#include "gatewayd/tls.h"
#include "gatewayd/vault.h"
#include "gatewayd/wire.h"
#include "policies.h"

#define SIGNATURES_MAX 4096U // tool calls whose thought signatures are kept, per worker
#define LAST_RECORDS_S 3     // after the last client: for auditd's acknowledgements

// --- graves ------------------------------------------------------------------------

struct grave {
	struct grave *next;
	void *p;
};

static void
on_graves(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct worker *w = arg;
	while (w->graves != NULL) {
		struct grave *g = w->graves;
		w->graves = g->next;
		free(g->p);
		free(g);
	}
}

void
worker_bury(struct worker *w, void *p)
{
	struct grave *g = base_calloc(1, sizeof(*g));
	g->p = p;
	g->next = w->graves;
	w->graves = g;
	event_active(w->grave_event, 0, 0);
}

void
worker_graves(struct worker *w)
{
	w->grave_event = event_new(w->base, -1, 0, on_graves, w);
	if (w->grave_event == NULL)
		BUG("out of memory");
}

void
worker_graves_end(struct worker *w)
{
	on_graves(-1, 0, w);
	event_free(w->grave_event);
}

// --- making and unmaking -------------------------------------------------------------

struct parts {
	struct worker w;
	int control;
	struct listener *plain, *secure;
	struct event *term, *limit, *control_event;
	bool last_call; // draining: clients are gone, records are not
};

static void
make(struct parts *p, const struct worker_start *s)
{
	struct worker *w = &p->w;
	struct event_config *ec = event_config_new();
	if (ec == NULL || event_config_set_flag(ec, EVENT_BASE_FLAG_NOLOCK) != 0)
		BUG("event_config");
	w->base = event_base_new_with_config(ec);
	event_config_free(ec);
	if (w->base == NULL)
		log_fatal("cannot make an event loop: %s", strerror(errno));
	w->config = s->config;
	w->index = s->index;
	w->wires = wires_new(w->base);
	w->resolver = s->resolver;
	w->plans = plans_new();
	w->memory = dialect_memory_new(SIGNATURES_MAX);
	w->pool = pool_new(w);
	worker_graves(w);
	limits_init(&w->limits, s->config);
	w->limits.unsent = wires_unsent(w->wires);
	w->http_limits = (struct http_limits){
	    .head_max = (uint32_t)s->config->limits.header_bytes,
	    .start_line_max = (uint32_t)MIN(s->config->limits.header_bytes, 16384U),
	    .headers_max = 100,
	    .trailer_max = 8192,
	    .body_max = 1ULL << 40, // client.c has the real limit, and the right dialect
	};
	TAILQ_INIT(&w->clients);
	TAILQ_INIT(&w->h2s);
	TAILQ_INIT(&w->exchanges);
	json_object_seed(randombytes_random() | 1U); // else jansson opens /dev/urandom
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA256(NULL, 0, digest); // OpenSSL reads its configuration at its first use
	resolver_start(w->resolver, w->base);
	if (s->certificate.len != 0) {
		char error[256];
		w->tls = tls_new(s->certificate, s->key, error, sizeof(error));
		if (w->tls == NULL)
			log_fatal("listen.tls: %s", error);
	}
}

static void
unmake(struct parts *p)
{
	struct worker *w = &p->w;
	client_close_all(w);
	h2_close_all(w);
	pool_free(w->pool);
	vault_free(w->vault);
	audit_free(w->audit);
	listener_free(p->plain);
	listener_free(p->secure);
	wires_free(w->wires);
	plans_free(w->plans);
	dialect_memory_free(w->memory);
	catalog_feed_free(&w->catalogue);
	issuer_docs_free(&w->issuer);
	tls_free(w->tls);
	limits_free(&w->limits);
	resolver_free(w->resolver);
	worker_graves_end(w);
	if (p->term != NULL)
		event_free(p->term);
	if (p->limit != NULL)
		event_free(p->limit);
	if (p->control_event != NULL)
		event_free(p->control_event);
	event_base_free(w->base);
}

// --- draining ------------------------------------------------------------------------

static struct parts *
parts_of(struct worker *w)
{
	return (struct parts *)(void *)w; // its first member
}

static void
on_quiet(struct worker *w)
{
	struct parts *p = parts_of(w);
	if (!TAILQ_EMPTY(&w->clients) || !TAILQ_EMPTY(&w->exchanges) || !TAILQ_EMPTY(&w->h2s))
		return;
	if (audit_pending(w->audit) == 0) {
		event_base_loopexit(w->base, NULL);
		return;
	}
	if (p->last_call)
		return;
	p->last_call = true;
	struct timeval tv = {.tv_sec = LAST_RECORDS_S};
	event_add(p->limit, &tv);
}

static void
on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct parts *p = arg;
	struct worker *w = &p->w;
	if (p->last_call || (TAILQ_EMPTY(&w->clients) && TAILQ_EMPTY(&w->exchanges))) {
		log_msg(LOG_WARN, "worker %u: leaves with %zu unacknowledged records", w->index,
		    audit_pending(w->audit));
		event_base_loopexit(w->base, NULL);
		return;
	}
	log_msg(LOG_WARN, "worker %u: the drain time is over, open requests are cut", w->index);
	client_close_all(w); // their exchanges send their records and end
	p->last_call = true;
	struct timeval tv = {.tv_sec = LAST_RECORDS_S};
	event_add(p->limit, &tv);
}

static void
drain(struct parts *p)
{
	struct worker *w = &p->w;
	if (w->draining)
		return;
	log_msg(LOG_INFO, "worker %u: draining", w->index);
	w->draining = true;
	w->on_quiet = on_quiet;
	listener_free(p->plain);
	listener_free(p->secure);
	p->plain = p->secure = NULL;
	struct timeval tv = {.tv_sec = (time_t)w->config->limits.drain_timeout_s};
	event_add(p->limit, &tv);
	client_close_idle(w);
	h2_drain(w);
	pool_drain(w->pool);
	on_quiet(w);
}

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	drain(arg);
}

// --- the master ------------------------------------------------------------------------

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct parts *p = arg;
	struct control_certificate m;
	switch (control_receive(fd, &m)) {
	case CONTROL_NONE:
		return;
	case CONTROL_CLOSED:
		event_del(p->control_event); // the master died
		drain(p);
		return;
	case CONTROL_CERTIFICATE:
		break;
	}
	char error[256];
	struct tls *t = tls_new(m.certificate, m.key, error, sizeof(error));
	control_forget(&m);
	if (t == NULL) {
		log_msg(LOG_ERROR, "worker %u: %s; the old certificate stays", p->w.index, error);
		return;
	}
	tls_free(p->w.tls); // connections that use it keep it alive
	p->w.tls = t;
	log_msg(LOG_INFO, "worker %u: new connections use the new certificate", p->w.index);
}

static void
announce(struct worker *w)
{
	struct msg_append m = {.event = EVENT_GATEWAY_START,
	    .time_ns = clock_wall_ns(),
	    .result = RESULT_OK,
	    .text_count = 1,
	    .text = {{.key = ATTR_VERSION, .value = view_of(SALLYPORT_VERSION)}}};
	audit_append(w->audit, &m);
}

void
worker_sandbox(const struct config *c, struct sandbox *sb_r)
{
	// A client and a provider connection for each request, and what else is open.
	uint64_t files = MAX(c->limits.connections / c->workers, 1U) * 2 + 1024;
	*sb_r = (struct sandbox){.role = "gateway worker",
	    .policy = policy_worker,
	    .landlock_tcp = true,
	    .max_files = files};
}

int
worker_run(const struct worker_start *s)
{
	struct parts *p = base_calloc(1, sizeof(*p));
	struct worker *w = &p->w;
	struct sandbox sb;
	make(p, s);
	p->control = s->control;
	p->term = evsignal_new(w->base, SIGTERM, on_term, p);
	p->limit = evtimer_new(w->base, on_limit, p);
	p->control_event = event_new(w->base, s->control, EV_READ | EV_PERSIST, on_control, p);
	if (p->term == NULL || p->limit == NULL || p->control_event == NULL ||
	    event_add(p->term, NULL) != 0)
		BUG("event_add");

	worker_sandbox(s->config, &sb);
	sandbox_enter(&sb);
	if (w->tls != NULL && tls_selftest(w->tls) != 0)
		log_fatal("worker %u: the TLS self-test failed", s->index);

	w->vault = vault_new(w);
	w->audit = audit_new(w);
	announce(w);
	if (s->plain >= 0)
		p->plain = listener_new(w, s->plain, false);
	if (s->tls >= 0)
		p->secure = listener_new(w, s->tls, true);
	event_add(p->control_event, NULL);
	control_ready(s->control);
	event_base_dispatch(w->base);
	unmake(p);
	free(p);
	return 0;
}

// --- probe -----------------------------------------------------------------------------

// One request over a connection of our own; 0 if the answer begins as it should.
static int
ask(struct parts *p, const char *request, const char *want)
{
	int fds[2];
	char answer[1024];
	struct sockaddr none = {.sa_family = AF_UNIX};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0 ||
	    !limits_connect(&p->w.limits, 0))
		return -1;
	client_new(&p->w, fds[0], NULL, &none, 0);
	ssize_t len = (ssize_t)strlen(request);
	if (write(fds[1], request, (size_t)len) != len)
		return -1;
	ssize_t n = -1;
	for (int i = 0; i < 100 && n < 0; i++) {
		event_base_loop(p->w.base, EVLOOP_NONBLOCK);
		n = read(fds[1], answer, sizeof(answer));
	}
	close(fds[1]);
	event_base_loop(p->w.base, EVLOOP_NONBLOCK);
	return n > 12 && memcmp(answer, want, strlen(want)) == 0 ? 0 : -1;
}

static int
probe_requests(struct parts *p)
{
	static const char *const without_vault[] = {
	    "GET /healthz HTTP/1.1\r\nHost: probe\r\n\r\n",
	    "POST /v1/chat/completions HTTP/1.1\r\nHost: probe\r\nx-api-key: probe\r\n"
	    "Content-Length: 13\r\n\r\n{\"model\":\"m\"}",
	};
	for (size_t i = 0; i < ARRAY_LEN(without_vault); i++)
		if (ask(p, without_vault[i], "HTTP/1.1 503") != 0)
			return -1;
	return ask(p, "GARBAGE\r\n\r\n", "HTTP/1.1 400");
}

static const struct worker_start *probe_start;
static struct parts probe_parts;

// Before the filter, as in worker_run.
static void
prepare_probe(void)
{
	make(&probe_parts, probe_start);
	probe_parts.w.probing = true;
}

static int
run_probe(void *cookie)
{
	struct parts *p = cookie;
	p->w.vault = vault_new(&p->w);
	p->w.audit = audit_new(&p->w);
	if (probe_requests(p) != 0 || (p->w.tls != NULL && tls_selftest(p->w.tls) != 0))
		return -1;
	return 0;
}

void
worker_probe(const struct worker_start *s)
{
	struct sandbox sb;
	worker_sandbox(s->config, &sb);
	probe_start = s;
	sb.in_probe = prepare_probe;
	sandbox_probe(&sb, run_probe, &probe_parts);
}
