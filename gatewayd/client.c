// SPDX-License-Identifier: Apache-2.0
// The state machine of a client connection. May touch: its own wire.
//
//   HEAD -> BODY -> BUSY (an exchange serves it) -> HEAD ... -> CLOSING
//
// Pipelined requests wait in the wire until the one before is answered.
#include "gatewayd/client.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/http_write.h"
#include "common/log.h"
#include "gatewayd/audit.h"
#include "gatewayd/auth.h"
#include "gatewayd/exchange.h"
#include "gatewayd/h2.h"
#include "gatewayd/vault.h"
#include "gatewayd/wire.h"

#define CLIENT_MAGIC	 0x636c6e74U
#define KEEP_MAX	 (64U * 1024U)
#define CLOSING_S	 5
#define BODY_BYTES_PER_S (64U * 1024U) // slower senders meet the body deadline

enum state { C_HEAD, C_BODY, C_BUSY, C_CLOSING };

enum reply { REPLY_EXCHANGE, REPLY_HEALTH, REPLY_DOCUMENT, REPLY_OPTIONS, REPLY_FAILURE };

struct client {
	unsigned magic;
	struct worker *w;
	struct wire *wire;
	struct http_parser parser;
	enum state state;
	enum reply reply; // how the request that is being read is answered
	bool started;	  // HEAD: a byte of it has come
	bool of_h2;	  // one stream of an HTTP/2 connection: its request is on its way
	bool may_be_h2;	  // nothing but a part of the HTTP/2 preface has come
	enum api dialect; // of that request
	enum issuer_doc document;
	struct failure failure;
	const char *allow;
	struct request *request; // HEAD, BODY: being read
	struct exchange *exchange;
	struct event timer;
	uint64_t since_ns; // start of the body
	uint64_t source;
	uint64_t body_len;
	TAILQ_ENTRY(client) link;
	char peer[REQUEST_PEER_MAX];
};

// --- ends ------------------------------------------------------------------------

static void
client_free(struct client *c)
{
	CHECK_OBJ(c, CLIENT_MAGIC);
	struct exchange *x = c->exchange;
	c->exchange = NULL;
	c->state = C_CLOSING;
	event_del(&c->timer);
	TAILQ_REMOVE(&c->w->clients, c, link);
	limits_disconnect(&c->w->limits, c->source);
	request_free(c->request);
	http_parser_free(&c->parser);
	wire_free(c->wire);
	c->magic = 0;
	worker_bury(c->w, c);
	if (x != NULL)
		exchange_client_gone(x);
	if (c->w->draining)
		c->w->on_quiet(c->w);
}

static void
set_timer(struct client *c, uint64_t seconds)
{
	struct timeval tv = {.tv_sec = (time_t)seconds};
	event_add(&c->timer, &tv);
}

static void
close_after_output(struct client *c, bool reset)
{
	c->state = C_CLOSING;
	set_timer(c, CLOSING_S);
	wire_finish(c->wire, reset);
}

// Ready for the next request on this connection, or closing.
static void
next_request(struct client *c, bool keep)
{
	c->exchange = NULL;
	request_free(c->request);
	c->request = NULL;
	if (!keep || c->w->draining) {
		close_after_output(c, false);
		return;
	}
	http_parser_reset(&c->parser);
	c->state = C_HEAD;
	c->started = false;
	set_timer(c, c->w->config->limits.idle_timeout_s);
	wire_resume(c->wire);
}

// --- answers of our own ------------------------------------------------------------

// A response of ours as a whole; without its body if the request was HEAD.
static void
write_response(struct client *c, const char *p, size_t len)
{
	const char *end = memmem(p, len, "\r\n\r\n", 4);
	BUG_IF(end == NULL);
	bool head = view_eq_str(c->parser.method, "HEAD");
	wire_write(c->wire, p, head ? (size_t)(end - p) + 4 : len);
}

static void
write_failure(struct client *c, const struct failure *f, const char *id, bool keep)
{
	char out[ERRORS_RESPONSE_MAX];
	write_response(c, out, errors_response(c->dialect, f, id, keep, out));
}

static bool
parser_keeps(const struct client *c)
{
	return c->parser.keep_alive && c->parser.minor == 1 && !c->w->draining;
}

static void
new_id(char id[REQUEST_ID_LEN + 1])
{
	uint8_t uuid[16];
	clock_uuid7(uuid);
	request_format_id(uuid, id);
}

// The request is not read to its end: the connection has to go.
static void
fail_now(struct client *c, const struct failure *f)
{
	char id[REQUEST_ID_LEN + 1];
	new_id(id);
	write_failure(c, f, id, false);
	next_request(c, false);
}

static void
reply_short(struct client *c, unsigned status, const char *body, const char *allow)
{
	char out[512];
	struct http_out o;
	bool keep = parser_keeps(c);
	http_out_init(&o, out, sizeof(out));
	http_put_status(&o, status);
	if (body != NULL) {
		http_put_header_str(&o, "content-type", "application/json");
		http_put_content_length(&o, strlen(body));
	}
	if (allow != NULL)
		http_put_header_str(&o, "allow", allow);
	if (status == 503)
		http_put_header_str(&o, "retry-after", "1");
	if (!keep)
		http_put_header_str(&o, "connection", "close");
	http_put_end(&o);
	if (body != NULL)
		http_put_bytes(&o, view_of(body));
	BUG_IF(o.failed);
	write_response(c, out, o.len);
	next_request(c, keep);
}

static void
reply_health(struct client *c)
{
	bool vault = vault_up(c->w->vault), audit = audit_up(c->w->audit);
	char body[96];
	snprintf(body, sizeof(body), "{\"status\":\"%s\",\"vault\":%s,\"audit\":%s}",
	    vault && audit ? "ok" : "unavailable", vault ? "true" : "false",
	    audit ? "true" : "false");
	reply_short(c, vault && audit ? 200 : 503, body, NULL);
}

static void
reply_document(struct client *c)
{
	bool keep = parser_keeps(c);
	struct view v = issuer_docs_answer(&c->w->issuer, c->document, keep);
	write_response(c, v.p, v.len);
	next_request(c, keep);
}

void
client_refuse(struct client *c, const struct request *r, const struct failure *f)
{
	CHECK_OBJ(c, CLIENT_MAGIC);
	bool keep = client_keeps(c, r);
	write_failure(c, f, r->id, keep);
	next_request(c, keep);
}

// --- for the exchange --------------------------------------------------------------

void
client_write(struct client *c, const void *p, size_t len)
{
	CHECK_OBJ(c, CLIENT_MAGIC);
	wire_write(c->wire, p, len);
}

size_t
client_backlog(const struct client *c)
{
	return wire_backlog(c->wire);
}

bool
client_keeps(const struct client *c, const struct request *r)
{
	return r->keep_alive && !r->http10 && !c->w->draining;
}

void
client_answered(struct client *c, bool keep)
{
	CHECK_OBJ(c, CLIENT_MAGIC);
	next_request(c, keep);
}

void
client_cut(struct client *c, bool by_close)
{
	CHECK_OBJ(c, CLIENT_MAGIC);
	c->exchange = NULL;
	close_after_output(c, by_close);
}

// --- reading -----------------------------------------------------------------------

static void
set_failure(struct client *c, unsigned status, const char *code, struct view message, bool final)
{
	c->reply = REPLY_FAILURE;
	c->failure =
	    (struct failure){.status = status, .code = code, .message = message, .final = final};
}

static const struct failure too_large = {
    .status = 413,
    .code = "body_too_large",
    .message =
	FAILURE_TEXT("The request body is larger than this gateway accepts (limits.body_bytes)."),
    .final = true,
};

static bool
encoded(const struct http_parser *p)
{
	struct view v = http_header(p, "content-encoding");
	return v.len != 0 && !http_view_eq_nocase(v, "identity");
}

static void
prepare_operation(struct client *c, const struct route *route)
{
	struct view key;
	struct failure f;
	const struct http_parser *p = &c->parser;
	if (!auth_find(p, &key, &f)) {
		c->reply = REPLY_FAILURE;
		c->failure = f;
		return;
	}
	if (p->has_length && p->content_length > c->w->config->limits.body_bytes) {
		c->reply = REPLY_FAILURE;
		c->failure = too_large;
		return;
	}
	if (encoded(p)) {
		set_failure(c, 415, "unsupported_encoding",
		    VIEW("Compressed request bodies are not supported; send the JSON as it is."),
		    true);
		return;
	}
	c->request = request_new(p, route, key, &c->w->limits, &f);
	if (c->request == NULL) {
		c->reply = REPLY_FAILURE;
		c->failure = f;
		return;
	}
	memcpy(c->request->peer, c->peer, sizeof(c->peer));
}

static void
on_head(struct client *c)
{
	const struct http_parser *p = &c->parser;
	struct route route;
	enum api hint = http_header(p, "anthropic-version").p != NULL ? DIALECT_ANTHROPIC
			: http_header(p, "x-goog-api-key").p != NULL  ? DIALECT_GOOGLE
								      : DIALECT_OPENAI;
	route_find(p->method, p->path, p->query, hint, &route);
	c->dialect = route.dialect;
	c->body_len = 0;
	c->document = issuer_docs_find(&c->w->issuer, p->path);
	if (c->document != ISSUER_DOC_NONE) {
		route.kind = ROUTE_DOCUMENT;
		route.allow = "GET";
		if (!view_eq_str(p->method, "GET") && !view_eq_str(p->method, "HEAD"))
			route_fail(
			    &route, 405, "method_not_allowed", VIEW("This route takes GET."));
	}
	switch (route.kind) {
	case ROUTE_DOCUMENT:
		c->reply = REPLY_DOCUMENT;
		break;
	case ROUTE_HEALTH:
		c->reply = REPLY_HEALTH;
		break;
	case ROUTE_OPTIONS:
		c->reply = REPLY_OPTIONS;
		c->allow = route.allow;
		break;
	case ROUTE_FAILED:
		c->reply = REPLY_FAILURE;
		c->failure = route.failure;
		break;
	case ROUTE_OPERATION:
		c->reply = REPLY_EXCHANGE;
		prepare_operation(c, &route);
		break;
	}
	if (c->reply == REPLY_FAILURE && (p->has_body || p->expect_continue)) {
		fail_now(c, &c->failure);
		return;
	}
	c->state = C_BODY;
	c->since_ns = clock_mono_ns();
	set_timer(c, c->w->config->limits.body_timeout_s);
	if (p->expect_continue)
		wire_write(c->wire, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

static void
on_body(struct client *c)
{
	static const struct failure busy = {
	    .status = 503,
	    .code = "overloaded",
	    .message = FAILURE_TEXT("The gateway holds too many request bodies; retry."),
	    .retry_after_ms = 1000,
	};
	c->body_len += c->parser.body.len;
	if (c->body_len > c->w->config->limits.body_bytes)
		fail_now(c, &too_large);
	else if (c->request != NULL && !request_body(c->request, c->parser.body))
		fail_now(c, &busy);
}

static void
on_end(struct client *c)
{
	event_del(&c->timer);
	c->state = C_BUSY;
	struct failure f;
	struct request *r = c->request;
	char id[REQUEST_ID_LEN + 1];
	switch (c->reply) {
	case REPLY_HEALTH:
		reply_health(c);
		break;
	case REPLY_DOCUMENT:
		reply_document(c);
		break;
	case REPLY_OPTIONS:
		reply_short(c, 204, NULL, c->allow);
		break;
	case REPLY_FAILURE:
		new_id(id);
		write_failure(c, &c->failure, id, parser_keeps(c));
		next_request(c, parser_keeps(c));
		break;
	case REPLY_EXCHANGE:
		if (!request_complete(r, &f)) {
			client_refuse(c, r, &f);
			break;
		}
		c->request = NULL;
		c->exchange = exchange_start(c->w, c, r);
		break;
	}
}

static void
on_failed(struct client *c)
{
	const struct http_parser *p = &c->parser;
	struct failure f = {.status = p->error_status,
	    .code = "bad_request",
	    .message = view_of(p->error_reason),
	    .final = true};
	if (p->error_status == 413)
		f = too_large;
	else if (p->error_status == 431 || p->error_status == 414)
		f.code = "headers_too_large";
	fail_now(c, &f);
}

// The connection speaks HTTP/2: it goes to h2.c whole, and this struct ends.
static void
hand_over(struct client *c)
{
	struct worker *w = c->w;
	event_del(&c->timer);
	TAILQ_REMOVE(&w->clients, c, link);
	http_parser_free(&c->parser);
	c->magic = 0;
	h2_take(w, c->wire, c->peer, c->source);
	worker_bury(w, c);
}

static size_t
on_read(void *cookie, const uint8_t *p, size_t len)
{
	struct client *c = cookie;
	CHECK_OBJ(c, CLIENT_MAGIC);
	size_t at = 0;
	// No HTTP/1.1 method begins like this, so waiting for the rest harms nobody.
	if (c->may_be_h2 && memcmp(p, H2_PREFACE, MIN(len, H2_PREFACE_LEN)) == 0) {
		if (len >= H2_PREFACE_LEN)
			hand_over(c);
		return 0;
	}
	c->may_be_h2 = false;
	while (c->state == C_HEAD || c->state == C_BODY) {
		size_t used;
		enum http_event ev =
		    http_parse_feed(&c->parser, (const char *)p + at, len - at, &used);
		at += used;
		switch (ev) {
		case HTTP_NEED_MORE:
			if (c->state == C_HEAD && !c->started && !http_parse_idle(&c->parser)) {
				c->started = true;
				set_timer(c, c->w->config->limits.header_timeout_s);
			}
			return at;
		case HTTP_HEAD:
			on_head(c);
			break;
		case HTTP_BODY:
			on_body(c);
			break;
		case HTTP_END:
			on_end(c);
			break;
		case HTTP_FAILED:
		case HTTP_INFORMATIONAL:
			on_failed(c);
			break;
		}
	}
	return c->state == C_CLOSING ? len : at;
}

static void
on_drained(void *cookie)
{
	struct client *c = cookie;
	if (c->exchange != NULL)
		exchange_client_drained(c->exchange);
}

static void
on_closed(void *cookie)
{
	client_free(cookie);
}

static const struct wire_ops ops = {
    .on_read = on_read,
    .on_drained = on_drained,
    .on_closed = on_closed,
    .keep_max = KEEP_MAX,
    .early_close = true,
};

// --- time --------------------------------------------------------------------------

static void
on_body_timer(struct client *c)
{
	uint64_t allowed = c->w->config->limits.body_timeout_s + c->body_len / BODY_BYTES_PER_S;
	uint64_t gone = (clock_mono_ns() - c->since_ns) / 1000000000U;
	if (gone < allowed) {
		set_timer(c, allowed - gone);
		return;
	}
	fail_now(c, &(struct failure){.status = 408,
			.code = "body_timeout",
			.message = VIEW("The request body did not arrive in time.")});
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct client *c = arg;
	CHECK_OBJ(c, CLIENT_MAGIC);
	if (c->state == C_BODY)
		on_body_timer(c);
	else if (c->state == C_HEAD && c->started)
		fail_now(c, &(struct failure){.status = 408,
				.code = "header_timeout",
				.message = VIEW("The request head did not arrive in time.")});
	else if (c->state != C_BUSY)
		client_free(c);
}

// --- life --------------------------------------------------------------------------

static void
name_peer(const struct sockaddr *sa, char out[REQUEST_PEER_MAX])
{
	out[0] = '\0';
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, out, REQUEST_PEER_MAX);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, out, REQUEST_PEER_MAX);
	}
}

static struct client *
begin(struct worker *w, int fd, struct ssl_st *ssl, const char *peer, uint64_t source)
{
	struct client *c = base_calloc(1, sizeof(*c));
	c->magic = CLIENT_MAGIC;
	c->w = w;
	c->source = source;
	memcpy(c->peer, peer, sizeof(c->peer));
	http_parser_init(&c->parser, HTTP_REQUEST, &w->http_limits);
	evtimer_assign(&c->timer, w->base, on_timer, c);
	set_timer(c, w->config->limits.header_timeout_s);
	TAILQ_INSERT_TAIL(&w->clients, c, link);
	c->wire = wire_new(w->wires, fd, ssl, &ops, c);
	return c;
}

void
client_new(
    struct worker *w, int fd, struct ssl_st *ssl, const struct sockaddr *peer, uint64_t source)
{
	char name[REQUEST_PEER_MAX] = "";
	name_peer(peer, name);
	begin(w, fd, ssl, name, source)->may_be_h2 = true;
}

void
client_new_named(struct worker *w, int fd, const char peer[REQUEST_PEER_MAX], uint64_t source)
{
	begin(w, fd, NULL, peer, source)->of_h2 = true;
}

static void
close_where(struct worker *w, bool all)
{
	struct client *c, *next;
	for (c = TAILQ_FIRST(&w->clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (all || (c->state == C_HEAD && !c->started && !c->of_h2))
			client_free(c);
	}
}

void
client_close_idle(struct worker *w)
{
	close_where(w, false);
}

void
client_close_all(struct worker *w)
{
	close_where(w, true);
}
