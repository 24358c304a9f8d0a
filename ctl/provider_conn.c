// SPDX-License-Identifier: Apache-2.0
// Reads requests, asks a dialect for the answer, sends it. May touch: its socket.
#include "ctl/provider_conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http_write.h"
#include "ctl/provider_anthropic.h"
#include "ctl/provider_bedrock.h"
#include "ctl/provider_openai.h"

#define CONN_MAGIC 0x70726f76U
#define OUT_HIGH   (64U * 1024U) // stop making events above this
#define OUT_LOW	   (16U * 1024U)
#define IN_HIGH	   (256U * 1024U)

struct conn {
	unsigned magic;
	struct provider_server *server;
	struct bufferevent *bev;
	struct http_parser http;
	struct evbuffer *body;	 // request body so far
	struct evbuffer *staged; // answer bytes that go out in small steps
	struct event *timer;	 // made when a behaviour needs it
	struct answer *answer;	 // in flight
	bool continued;		 // 100 was sent for this request
	bool closing;		 // close once everything is written
	bool tls_close;		 // with a close_notify
	bool ended;		 // staged holds the rest of the answer
};

static void pump(struct conn *c);

static void
conn_free(struct conn *c)
{
	CHECK_OBJ(c, CONN_MAGIC);
	c->magic = 0;
	if (c->timer != NULL)
		event_free(c->timer);
	provider_answer_free(c->answer);
	evbuffer_free(c->body);
	evbuffer_free(c->staged);
	http_parser_free(&c->http);
	bufferevent_free(c->bev);
	free(c);
}

static void
conn_close(struct conn *c)
{
	if (c->tls_close)
		SSL_shutdown(bufferevent_openssl_get_ssl(c->bev));
	conn_free(c);
}

// --- sending ---------------------------------------------------------------------

static void
put_head(struct conn *c, struct answer *a, struct evbuffer *out)
{
	char head[512];
	struct http_out o;
	http_out_init(&o, head, sizeof(head));
	http_put_status(&o, a->status);
	http_put_header_str(&o, "content-type", a->content_type);
	if (a->event != NULL || a->trailers != NULL || a->how.kind == BEHAVE_ECHO_SPLIT)
		http_put_chunked(&o);
	else
		http_put_content_length(&o, evbuffer_get_length(a->body));
	if (!c->http.keep_alive)
		http_put_header_str(&o, "connection", "close");
	BUG_IF(o.failed);
	evbuffer_add(out, head, o.len);
	evbuffer_add_buffer(out, a->headers);
	evbuffer_add(out, "\r\n", 2);
}

static void
put_chunk(struct evbuffer *out, struct evbuffer *bytes, size_t n)
{
	char head[HTTP_CHUNK_HEAD_MAX];
	if (n == 0)
		return;
	size_t len = http_chunk_head(head, n);
	evbuffer_add(out, head, len);
	evbuffer_remove_buffer(bytes, out, n);
	evbuffer_add(out, HTTP_CRLF, 2);
}

static void
put_end(struct answer *a, struct evbuffer *out)
{
	if (a->trailers == NULL) {
		evbuffer_add(out, HTTP_LAST_CHUNK, 5);
		return;
	}
	evbuffer_add(out, "0\r\n", 3);
	evbuffer_add_buffer(out, a->trailers);
	evbuffer_add(out, "\r\n", 2);
}

static bool
is_chunked(const struct answer *a)
{
	return a->event != NULL || a->trailers != NULL || a->how.kind == BEHAVE_ECHO_SPLIT;
}

// True when the answer must die here: half of its text is out.
static bool
dies_here(const struct answer *a)
{
	if (a->how.kind != BEHAVE_TRUNCATE && a->how.kind != BEHAVE_TRUNCATE_TLS)
		return false;
	return a->event == NULL || (a->text.pieces != 0 && a->text.at * 2 >= a->text.len);
}

static void
answer_done(struct conn *c)
{
	bool keep = c->http.keep_alive;
	provider_answer_free(c->answer);
	c->answer = NULL;
	c->ended = false;
	c->continued = false;
	evbuffer_drain(c->body, evbuffer_get_length(c->body));
	http_parser_reset(&c->http);
	if (!keep) {
		c->closing = true;
		c->tls_close = true;
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *cookie)
{
	(void)fd;
	(void)what;
	pump(cookie);
}

static void
wait_ms(struct conn *c, uint64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (int)(ms % 1000) * 1000};
	if (c->timer == NULL)
		c->timer = event_new(c->server->base, -1, 0, on_timer, c);
	BUG_IF(c->timer == NULL);
	evtimer_add(c->timer, &tv);
}

// The next event into out, as one chunk. False when the stream has ended.
static bool
put_event(struct answer *a, struct evbuffer *out)
{
	struct evbuffer *bytes = evbuffer_new();
	BUG_IF(bytes == NULL);
	bool more = a->event(a, bytes);
	if (more && a->how.kind == BEHAVE_ECHO_SPLIT)
		while (evbuffer_get_length(bytes) != 0)
			put_chunk(out, bytes, MIN(evbuffer_get_length(bytes), (size_t)a->how.n));
	else if (more)
		put_chunk(out, bytes, evbuffer_get_length(bytes));
	else
		put_end(a, out);
	evbuffer_free(bytes);
	return more;
}

// A whole answer into out: at once, since it is in memory anyway.
static void
put_whole(struct conn *c, struct answer *a, struct evbuffer *out)
{
	size_t len = evbuffer_get_length(a->body);
	if (dies_here(a)) {
		evbuffer_remove_buffer(a->body, out, len / 2);
		c->closing = true;
		c->tls_close = a->how.kind == BEHAVE_TRUNCATE_TLS;
		return;
	}
	if (!is_chunked(a)) {
		evbuffer_add_buffer(out, a->body);
		return;
	}
	size_t step = a->how.kind == BEHAVE_ECHO_SPLIT ? (size_t)a->how.n : len;
	while (evbuffer_get_length(a->body) != 0)
		put_chunk(out, a->body, MIN(evbuffer_get_length(a->body), step));
	put_end(a, out);
}

static bool
goes_in_steps(const struct answer *a)
{
	return a->how.kind == BEHAVE_DRIP || a->how.kind == BEHAVE_ECHO_SPLIT;
}

// Sends the staged bytes n at a time, each n in a TLS record of its own.
static void
step(struct conn *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	if (evbuffer_get_length(out) != 0)
		return;
	size_t left = evbuffer_get_length(c->staged);
	if (left == 0) {
		answer_done(c);
		return;
	}
	evbuffer_remove_buffer(c->staged, out, MIN(left, (size_t)c->answer->how.n));
}

static void
stage_all(struct conn *c)
{
	struct answer *a = c->answer;
	if (a->event == NULL)
		put_whole(c, a, c->staged);
	else
		while (put_event(a, c->staged))
			;
	c->ended = true;
}

static void
pump_stream(struct conn *c)
{
	struct answer *a = c->answer;
	struct evbuffer *out = bufferevent_get_output(c->bev);
	while (evbuffer_get_length(out) < OUT_HIGH) {
		if (dies_here(a)) {
			c->closing = true;
			c->tls_close = a->how.kind == BEHAVE_TRUNCATE_TLS;
			return;
		}
		uint64_t before = a->text.pieces;
		if (!put_event(a, out)) {
			answer_done(c);
			return;
		}
		if (a->how.pause_ms != 0 && a->text.pieces != before) {
			wait_ms(c, a->how.pause_ms);
			return;
		}
	}
}

// Goes on with the answer in flight; called when there is room or time.
static void
pump(struct conn *c)
{
	struct answer *a = c->answer;
	if (a == NULL || c->closing || a->how.kind == BEHAVE_HANG)
		return;
	if (goes_in_steps(a)) {
		if (!c->ended)
			stage_all(c);
		step(c);
	} else if (a->event != NULL) {
		pump_stream(c);
	} else {
		put_whole(c, a, bufferevent_get_output(c->bev));
		if (!c->closing)
			answer_done(c);
	}
}

static void
start_answer(struct conn *c)
{
	struct answer *a = c->answer;
	if (a->how.kind == BEHAVE_HANG)
		return;
	put_head(c, a, a->how.kind == BEHAVE_DRIP ? c->staged : bufferevent_get_output(c->bev));
	if (a->how.pause_ms != 0 && a->event == NULL)
		wait_ms(c, a->how.pause_ms);
	else
		pump(c);
}

// --- requests --------------------------------------------------------------------

static bool
path_begins(const struct http_parser *p, const char *prefix)
{
	size_t n = strlen(prefix);
	return p->path.len >= n && memcmp(p->path.p, prefix, n) == 0;
}

static void
handle(struct conn *c)
{
	size_t len = evbuffer_get_length(c->body);
	struct provider_call call = {
	    .http = &c->http,
	    .body = {len == 0 ? "" : (const char *)evbuffer_pullup(c->body, -1), len},
	    .keys = c->server->keys,
	    .serial = ++c->server->serial,
	};
	if (path_begins(&c->http, "/model/")) {
		c->answer = provider_bedrock_answer(&call);
	} else if (path_begins(&c->http, "/v1/messages") ||
		   (path_begins(&c->http, "/v1/models") && provider_anthropic_claims(&c->http))) {
		c->answer = provider_anthropic_answer(&call);
	} else if (path_begins(&c->http, "/v1/")) {
		c->answer = provider_openai_answer(&call);
	} else {
		c->answer = provider_answer_new(call.serial);
		c->answer->status = 404;
		evbuffer_add_printf(c->answer->body, "{\"message\":\"no such path\"}");
	}
	start_answer(c);
}

static void
refuse(struct conn *c)
{
	c->answer = provider_answer_new(++c->server->serial);
	c->answer->status = c->http.error_status;
	c->http.keep_alive = false;
	evbuffer_add_printf(c->answer->body, "{\"message\":\"%s\"}", c->http.error_reason);
	start_answer(c);
}

// One event of the parser; false when there is no more to do now.
static bool
on_http(struct conn *c, enum http_event e)
{
	switch (e) {
	case HTTP_HEAD:
		if (c->http.expect_continue && !c->continued)
			bufferevent_write(c->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
		c->continued = true;
		return true;
	case HTTP_BODY:
		evbuffer_add(c->body, c->http.body.p, c->http.body.len);
		return true;
	case HTTP_END:
		handle(c);
		return true;
	case HTTP_FAILED:
		refuse(c);
		return false;
	case HTTP_INFORMATIONAL:
	case HTTP_NEED_MORE:
		break;
	}
	return false;
}

static void
read_requests(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	while (c->answer == NULL && !c->closing) {
		struct evbuffer_iovec piece = {0};
		int n = evbuffer_peek(in, -1, NULL, &piece, 1);
		size_t len = n > 0 ? piece.iov_len : 0;
		size_t used = 0;
		enum http_event e = http_parse_feed(&c->http, piece.iov_base, len, &used);
		bool more = on_http(c, e);
		evbuffer_drain(in, used);
		if (!more && (e != HTTP_NEED_MORE || evbuffer_get_length(in) == 0))
			return;
	}
}

// --- libevent --------------------------------------------------------------------

static void
after(struct conn *c)
{
	if (c->closing && evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
		conn_close(c);
}

static void
on_read(struct bufferevent *bev, void *cookie)
{
	(void)bev;
	struct conn *c = cookie;
	read_requests(c);
	after(c);
}

static void
on_write(struct bufferevent *bev, void *cookie)
{
	(void)bev;
	struct conn *c = cookie;
	if (c->answer != NULL && (c->timer == NULL || !evtimer_pending(c->timer, NULL)))
		pump(c);
	if (c->answer == NULL)
		read_requests(c);
	after(c);
}

static void
on_event(struct bufferevent *bev, short what, void *cookie)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		conn_free(cookie);
}

void
provider_conn_new(struct provider_server *s, int fd)
{
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	SSL *ssl = SSL_new(s->tls);
	struct bufferevent *bev = ssl == NULL
				      ? NULL
				      : bufferevent_openssl_socket_new(s->base, fd, ssl,
					    BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL) {
		SSL_free(ssl);
		close(fd);
		return;
	}
	struct conn *c = base_calloc(1, sizeof(*c));
	c->magic = CONN_MAGIC;
	c->server = s;
	c->bev = bev;
	c->body = evbuffer_new();
	c->staged = evbuffer_new();
	BUG_IF(c->body == NULL || c->staged == NULL);
	http_parser_init(&c->http, HTTP_REQUEST, NULL);
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	bufferevent_setcb(bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(bev, EV_READ, 0, IN_HIGH);
	bufferevent_setwatermark(bev, EV_WRITE, OUT_LOW, 0);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}
