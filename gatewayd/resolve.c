// SPDX-License-Identifier: Apache-2.0
// Static names, DNS, and a short cache that keeps a burst of new connections from
// asking the same question over and over. May touch: /etc/hosts, /etc/resolv.conf
// (at load), UDP to the name servers.
#include "gatewayd/resolve.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/log.h"

#define SERVERS_MAX 4U
#define HOSTS_MAX   4096U
#define CACHE_SLOTS 32U
#define CACHE_NS    10000000000ULL // evdns does not tell the TTL

struct host {
	char *name;
	char *address;
};

struct cached {
	char name[254];
	uint64_t until;
	struct addresses found; // ports are zero
};

struct resolver {
	struct event_base *base;
	struct evdns_base *dns;
	char server[SERVERS_MAX][64];
	size_t server_count;
	struct host *hosts;
	size_t host_count;
	struct cached cache[CACHE_SLOTS];
};

struct lookup {
	struct resolver *r;
	char host[254];
	uint16_t port;
	resolve_fn *fn; // NULL: cancelled
	void *cookie;
	struct event answer; // for names that need no question
	struct evdns_getaddrinfo_request *request;
	struct addresses found;
};

// --- files ---------------------------------------------------------------------

static void
add_host(struct resolver *r, const char *name, const char *address)
{
	if (r->host_count == HOSTS_MAX)
		return;
	r->hosts = base_realloc(r->hosts, (r->host_count + 1) * sizeof(*r->hosts));
	r->hosts[r->host_count++] = (struct host){
	    .name = base_strndup(name, strlen(name)),
	    .address = base_strndup(address, strlen(address)),
	};
}

static void
read_hosts(struct resolver *r)
{
	FILE *f = fopen("/etc/hosts", "re");
	char line[1024];
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "#\n")] = '\0';
		char *rest = NULL;
		const char *address = strtok_r(line, " \t\r", &rest);
		for (char *name; address != NULL && (name = strtok_r(NULL, " \t\r", &rest));)
			add_host(r, name, address);
	}
	if (f != NULL)
		fclose(f);
}

static void
read_resolv_conf(struct resolver *r)
{
	FILE *f = fopen("/etc/resolv.conf", "re");
	char line[1024];
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *rest = NULL;
		const char *word = strtok_r(line, " \t\r\n", &rest);
		const char *value = word == NULL ? NULL : strtok_r(NULL, " \t\r\n", &rest);
		if (value == NULL || strcmp(word, "nameserver") != 0 ||
		    r->server_count == SERVERS_MAX || strlen(value) >= sizeof(r->server[0]))
			continue;
		memcpy(r->server[r->server_count++], value, strlen(value) + 1);
	}
	if (f != NULL)
		fclose(f);
}

struct resolver *
resolver_load(const struct config *c)
{
	struct resolver *r = base_calloc(1, sizeof(*r));
	for (unsigned i = 0; i < c->resolve_count; i++)
		add_host(r, c->resolve[i].host, c->resolve[i].address);
	read_hosts(r);
	read_resolv_conf(r);
	return r;
}

void
resolver_start(struct resolver *r, struct event_base *base)
{
	r->base = base;
	r->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (r->dns == NULL)
		BUG("out of memory");
	(void)evdns_base_set_option(r->dns, "timeout", "2");
	(void)evdns_base_set_option(r->dns, "attempts", "3");
	// Names of providers are host names: no mixed-case trick, some resolvers of
	// companies answer it wrongly.
	(void)evdns_base_set_option(r->dns, "randomize-case", "0");
	for (size_t i = 0; i < r->server_count; i++)
		if (evdns_base_nameserver_ip_add(r->dns, r->server[i]) != 0)
			log_msg(LOG_WARN, "name server '%s' is not usable", r->server[i]);
	if (r->server_count == 0)
		log_msg(LOG_WARN, "no name server in /etc/resolv.conf: only numeric, configured "
				  "and /etc/hosts names will resolve");
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	if (r->dns != NULL)
		evdns_base_free(r->dns, 0);
	for (size_t i = 0; i < r->host_count; i++) {
		free(r->hosts[i].name);
		free(r->hosts[i].address);
	}
	free(r->hosts);
	free(r);
}

// --- addresses -----------------------------------------------------------------

static void
set_port(struct address *a, uint16_t port)
{
	if (a->sa.ss_family == AF_INET)
		((struct sockaddr_in *)(void *)&a->sa)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)(void *)&a->sa)->sin6_port = htons(port);
}

static void
add_sockaddr(struct addresses *to, const struct sockaddr *sa, socklen_t len)
{
	if (to->count == RESOLVE_ADDRESSES_MAX || len > sizeof(to->at[0].sa) ||
	    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
		return;
	struct address *a = &to->at[to->count++];
	memcpy(&a->sa, sa, len);
	a->len = len;
}

static bool
add_numeric(struct addresses *to, const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		add_sockaddr(to, (struct sockaddr *)&in, sizeof(in));
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		add_sockaddr(to, (struct sockaddr *)&in6, sizeof(in6));
	else
		return false;
	return true;
}

static struct cached *
cache_slot(struct resolver *r, const char *host)
{
	uint32_t h = 2166136261U; // FNV-1a
	for (const char *p = host; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 16777619U;
	return &r->cache[h % CACHE_SLOTS];
}

// Without asking anybody; false if DNS is needed.
static bool
known(struct resolver *r, const char *host, struct addresses *found)
{
	if (add_numeric(found, host))
		return true;
	for (size_t i = 0; i < r->host_count; i++)
		if (strcasecmp(r->hosts[i].name, host) == 0)
			(void)add_numeric(found, r->hosts[i].address);
	if (found->count != 0)
		return true;
	struct cached *c = cache_slot(r, host);
	if (c->until <= clock_mono_ns() || strcasecmp(c->name, host) != 0)
		return r->server_count == 0;
	*found = c->found;
	return true;
}

// --- lookups -------------------------------------------------------------------

static void
deliver(struct lookup *l)
{
	for (size_t i = 0; i < l->found.count; i++)
		set_port(&l->found.at[i], l->port);
	if (l->fn != NULL)
		l->fn(l->cookie, &l->found);
	free(l);
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	deliver(arg);
}

static void
on_dns(int error, struct evutil_addrinfo *res, void *arg)
{
	struct lookup *l = arg;
	l->request = NULL;
	if (error == 0 && l->fn != NULL) {
		for (struct evutil_addrinfo *ai = res; ai != NULL; ai = ai->ai_next)
			add_sockaddr(&l->found, ai->ai_addr, (socklen_t)ai->ai_addrlen);
		struct cached *c = cache_slot(l->r, l->host);
		c->until = clock_mono_ns() + CACHE_NS;
		memcpy(c->name, l->host, sizeof(c->name));
		c->found = l->found;
	}
	if (res != NULL)
		evutil_freeaddrinfo(res);
	// evdns may call this before evdns_getaddrinfo returned.
	event_active(&l->answer, EV_TIMEOUT, 0);
}

struct lookup *
resolver_lookup(struct resolver *r, const char *host, uint16_t port, resolve_fn *fn, void *cookie)
{
	struct lookup *l = base_calloc(1, sizeof(*l));
	l->r = r;
	l->port = port;
	l->fn = fn;
	l->cookie = cookie;
	snprintf(l->host, sizeof(l->host), "%s", host);
	event_assign(&l->answer, r->base, -1, 0, on_answer, l);
	if (known(r, host, &l->found)) {
		event_active(&l->answer, EV_TIMEOUT, 0);
		return l;
	}
	struct evutil_addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
	struct evdns_getaddrinfo_request *q =
	    evdns_getaddrinfo(r->dns, l->host, NULL, &hints, on_dns, l);
	if (q != NULL)
		l->request = q;
	return l;
}

void
resolver_cancel(struct lookup *l)
{
	if (l == NULL)
		return;
	l->fn = NULL;
	if (l->request != NULL)
		evdns_getaddrinfo_cancel(l->request); // on_dns will say cancelled
}
