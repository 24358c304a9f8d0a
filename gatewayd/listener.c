// SPDX-License-Identifier: Apache-2.0
// The accept loop. May touch: its listening socket, the sockets it accepts.
#include "gatewayd/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "gatewayd/client.h"
#include "gatewayd/tls.h"

#define ACCEPTS_PER_TURN 64
#define PAUSE_MS	 100
#define COMPLAIN_NS	 10000000000ULL

struct listener {
	struct worker *w;
	int fd;
	bool tls;
	struct event *readable;
	struct event *resume;
	uint64_t complained_ns;
};

static void
complain(struct listener *l, const char *what)
{
	uint64_t now = clock_mono_ns();
	if (l->complained_ns != 0 && now - l->complained_ns < COMPLAIN_NS)
		return;
	l->complained_ns = now;
	log_msg(LOG_WARN, "%s", what);
}

// Over the limit. A plain client is told; a TLS one would need a handshake first.
static void
turn_away(struct listener *l, int fd)
{
	static const char answer[] =
	    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
	    "content-length: 95\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
	    "{\"error\":{\"message\":\"Too many connections; retry.\",\"type\":\"server_error\","
	    "\"code\":\"overloaded\"}}\n";
	complain(l, "too many client connections: new ones are turned away "
		    "(limits.connections, limits.connections_per_source)");
	if (!l->tls)
		(void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
	close(fd);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct listener *l = arg;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int s = accept4(fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (s < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
			complain(l, "out of descriptors: accepting pauses");
			struct timeval tv = {.tv_usec = PAUSE_MS * 1000};
			event_del(l->readable);
			event_add(l->resume, &tv);
		}
		if (s < 0)
			return;
		int one = 1;
		(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		uint64_t source = limits_source((struct sockaddr *)&peer);
		if (!limits_connect(&l->w->limits, source)) {
			turn_away(l, s);
			continue;
		}
		client_new(l->w, s, l->tls ? tls_session(l->w->tls) : NULL,
		    (struct sockaddr *)&peer, source);
	}
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct listener *l = arg;
	event_add(l->readable, NULL);
}

struct listener *
listener_new(struct worker *w, int fd, bool tls)
{
	struct listener *l = base_calloc(1, sizeof(*l));
	l->w = w;
	l->fd = fd;
	l->tls = tls;
	l->readable = event_new(w->base, fd, EV_READ | EV_PERSIST, on_readable, l);
	l->resume = evtimer_new(w->base, on_resume, l);
	if (l->readable == NULL || l->resume == NULL)
		BUG("out of memory");
	event_add(l->readable, NULL);
	return l;
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	event_free(l->readable);
	event_free(l->resume);
	close(l->fd);
	free(l);
}
