// SPDX-License-Identifier: Apache-2.0
// The steps of connecting. May touch: DNS, TCP sockets of its own.
#include "gatewayd/connect.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/http_parse.h"
#include "gatewayd/resolve.h"

#define CONNECT_MAGIC 0x636f6e6eU
#define STAGGER_MS    250
#define PROXY_HEAD    8192U

struct
try {
	struct connect *c;
	int fd; // -1: not started, or failed
	struct event writable;
};

struct connect {
	unsigned magic;
	struct worker *w;
	connect_fn *fn;
	void *cookie;
	char host[254];
	uint16_t port;
	struct lookup *lookup;
	struct addresses found;
	size_t next; // address to try next
	size_t running;
	struct try try[RESOLVE_ADDRESSES_MAX];
	struct event stagger;

	// Proxy tunnel.
	int fd;
	struct event proxy;
	struct http_parser parser;
};

static void start_next(struct connect *c);

// --- ends ----------------------------------------------------------------------

static void
close_tries(struct connect *c)
{
	for (size_t i = 0; i < c->next; i++) {
		if (c->try[i].fd < 0)
			continue;
		event_del(&c->try[i].writable);
		close(c->try[i].fd);
		c->try[i].fd = -1;
	}
}

void
connect_cancel(struct connect *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, CONNECT_MAGIC);
	c->magic = 0;
	resolver_cancel(c->lookup);
	close_tries(c);
	event_del(&c->stagger);
	if (c->fd >= 0) {
		event_del(&c->proxy);
		close(c->fd);
	}
	http_parser_free(&c->parser);
	free(c);
}

static void
done(struct connect *c, int fd, const char *error)
{
	connect_fn *fn = c->fn;
	void *cookie = c->cookie;
	connect_cancel(c);
	fn(cookie, fd, error);
}

// --- HTTP CONNECT (RFC 9110, section 9.3.6) --------------------------------------

static void
on_proxy(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct connect *c = arg;
	CHECK_OBJ(c, CONNECT_MAGIC);
	// One byte at a time behind the head would be the first of the tunnel: a TLS
	// server never speaks first, so reading ahead loses nothing.
	char buf[1024];
	ssize_t n = read(fd, buf, sizeof(buf));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		done(c, -1, "the egress proxy closed the connection");
		return;
	}
	for (size_t at = 0;;) {
		size_t used;
		enum http_event ev = http_parse_feed(&c->parser, buf + at, (size_t)n - at, &used);
		at += used;
		if (ev == HTTP_INFORMATIONAL)
			continue;
		if (ev == HTTP_NEED_MORE)
			return;
		if (ev != HTTP_HEAD || c->parser.status / 100 != 2) {
			done(c, -1, "the egress proxy refused the tunnel");
			return;
		}
		if (at != (size_t)n) {
			done(c, -1, "the egress proxy sent bytes into the tunnel");
			return;
		}
		break;
	}
	event_del(&c->proxy);
	int ready = c->fd;
	c->fd = -1;
	done(c, ready, NULL);
}

static void
open_tunnel(struct connect *c, int fd)
{
	static const struct http_limits limits = {.head_max = PROXY_HEAD,
	    .start_line_max = 1024,
	    .headers_max = 50,
	    .trailer_max = 0,
	    .body_max = 0};
	char head[700];
	bool v6 = strchr(c->host, ':') != NULL;
	const char *l = v6 ? "[" : "", *r = v6 ? "]" : "";
	int n =
	    snprintf(head, sizeof(head), "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n\r\n", l,
		c->host, r, c->port, l, c->host, r, c->port);
	c->fd = fd;
	http_parser_init(&c->parser, HTTP_RESPONSE, &limits);
	http_parser_expect_no_body(&c->parser);
	event_assign(&c->proxy, c->w->base, fd, EV_READ | EV_PERSIST, on_proxy, c);
	event_add(&c->proxy, NULL);
	// A fresh socket takes these few bytes whole.
	if (write(fd, head, (size_t)n) != n)
		done(c, -1, "cannot write to the egress proxy");
}

// --- TCP -----------------------------------------------------------------------

static void
connected(struct connect *c, struct try *t)
{
	int fd = t->fd;
	event_del(&t->writable);
	t->fd = -1;
	close_tries(c);
	event_del(&c->stagger);
	if (c->w->config->proxy_host != NULL)
		open_tunnel(c, fd);
	else
		done(c, fd, NULL);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct try *t = arg;
	struct connect *c = t->c;
	CHECK_OBJ(c, CONNECT_MAGIC);
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
		connected(c, t);
		return;
	}
	close(t->fd);
	t->fd = -1;
	c->running--;
	start_next(c);
}

static bool
start_one(struct connect *c, struct try *t, const struct address *a)
{
	int one = 1;
	t->c = c;
	t->fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd < 0)
		return false;
	(void)setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(t->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	if (connect(t->fd, (const struct sockaddr *)&a->sa, a->len) != 0 && errno != EINPROGRESS) {
		close(t->fd);
		t->fd = -1;
		return false;
	}
	event_assign(&t->writable, c->w->base, t->fd, EV_WRITE, on_writable, t);
	event_add(&t->writable, NULL);
	return true;
}

// Starts the next address; when none is left and none is running, gives up.
static void
start_next(struct connect *c)
{
	while (c->next < c->found.count) {
		size_t i = c->next++;
		if (!start_one(c, &c->try[i], &c->found.at[i]))
			continue;
		c->running++;
		if (c->next < c->found.count) {
			struct timeval tv = {.tv_usec = STAGGER_MS * 1000};
			event_add(&c->stagger, &tv);
		}
		return;
	}
	if (c->running == 0)
		done(c, -1,
		    c->w->config->proxy_host != NULL ? "cannot connect to the egress proxy"
						     : "cannot connect to the provider");
}

static void
on_stagger(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	start_next(arg);
}

static void
on_found(void *cookie, const struct addresses *found)
{
	struct connect *c = cookie;
	CHECK_OBJ(c, CONNECT_MAGIC);
	c->lookup = NULL;
	c->found = *found;
	if (found->count == 0)
		done(c, -1, "the provider's host name does not resolve");
	else
		start_next(c);
}

struct connect *
connect_start(struct worker *w, const char *host, uint16_t port, connect_fn *fn, void *cookie)
{
	struct connect *c = base_calloc(1, sizeof(*c));
	c->magic = CONNECT_MAGIC;
	c->w = w;
	c->fn = fn;
	c->cookie = cookie;
	c->port = config_connect_to(w->config, host, port, c->host);
	c->fd = -1;
	for (size_t i = 0; i < ARRAY_LEN(c->try); i++)
		c->try[i].fd = -1;
	evtimer_assign(&c->stagger, w->base, on_stagger, c);
	bool proxy = w->config->proxy_host != NULL;
	c->lookup = resolver_lookup(w->resolver, proxy ? w->config->proxy_host : c->host,
	    proxy ? w->config->proxy_port : c->port, on_found, c);
	return c;
}
