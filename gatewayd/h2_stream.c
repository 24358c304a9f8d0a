// SPDX-License-Identifier: Apache-2.0
// One stream as an HTTP/1.1 exchange over a socket pair: writes the request's head and
// body to our end of it, parses the answer that the client code writes to the other end.
// May touch: its end of the pair.
//
// An answer that ends before it is complete becomes RST_STREAM, never a clean end. A
// stream that the peer resets closes the pair, which cancels the exchange like any client
// that leaves.
#include "gatewayd/h2_stream.h"

#include <ctype.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/http_write.h"
#include "gatewayd/client.h"
#include "gatewayd/wire.h"

#define STREAM_MAGIC 0x68327374U
#define HEAD_CAP     (128U * 1024U) // above the parser's own limit, whose 431 is the answer
#define OUT_HIGH     (64U * 1024U)
#define IN_HIGH	     (64U * 1024U)
#define NV_MAX	     220U

struct h2_stream {
	unsigned magic;
	struct h2 *h;
	int32_t id;
	struct wire *wire; // our end of the pair; NULL before the head and after the answer
	struct http_parser parser;
	struct buf head; // request line is put in front of it
	char method[16];
	struct buf path, authority;
	bool has_length, chunked, body_ended;
	size_t owed; // body bytes that the window is not opened for yet
	bool answered, answer_ended, reset;
	struct evbuffer *out; // answer body that waits for the window
	TAILQ_ENTRY(h2_stream) link;
};

struct h2_stream *
h2_stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream *s = base_calloc(1, sizeof(*s));
	s->magic = STREAM_MAGIC;
	s->h = h;
	s->id = id;
	buf_init(&s->head, HEAD_CAP);
	buf_init(&s->path, HEAD_CAP);
	buf_init(&s->authority, 1024);
	http_parser_init(&s->parser, HTTP_RESPONSE, NULL);
	if ((s->out = evbuffer_new()) == NULL)
		BUG("out of memory");
	TAILQ_INSERT_TAIL(&h->streams, s, link);
	return s;
}

static void
close_pair(struct h2_stream *s)
{
	if (s->wire != NULL)
		wire_free(s->wire);
	s->wire = NULL;
}

void
h2_stream_free(struct h2_stream *s)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	s->magic = 0;
	TAILQ_REMOVE(&s->h->streams, s, link);
	close_pair(s);
	if (s->owed != 0)
		(void)nghttp2_session_consume_connection(s->h->session, s->owed);
	evbuffer_free(s->out);
	buf_free(&s->head);
	buf_free(&s->path);
	buf_free(&s->authority);
	http_parser_free(&s->parser);
	worker_bury(s->h->w, s);
}

static void
reset(struct h2_stream *s, uint32_t code)
{
	if (s->reset)
		return;
	s->reset = true;
	close_pair(s);
	(void)nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, code);
	h2_pump(s->h);
}

// The client code behind a pair has deadlines of its own, so without an answer it is never the
// client's turn there. What is left of a stream that was answered is for it to end.
enum h2_turn
h2_stream_turn(const struct h2_stream *s)
{
	if (evbuffer_get_length(s->out) != 0)
		return H2_TURN_TO_READ;
	return s->wire != NULL ? H2_TURN_OURS : H2_TURN_TO_SEND;
}

const struct h2_stream *
h2_stream_next(const struct h2_stream *s)
{
	return TAILQ_NEXT(s, link);
}

// --- the request ----------------------------------------------------------------------

static bool
visible(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x21 || v.p[i] > 0x7e)
			return false;
	return v.len != 0;
}

static bool
pseudo(struct h2_stream *s, struct view name, struct view value)
{
	if (view_eq_str(name, ":method"))
		return http_is_token(value) && view_copy(value, s->method, sizeof(s->method)) == 0;
	if (!visible(value))
		return false;
	if (view_eq_str(name, ":path"))
		buf_view(&s->path, value);
	else if (view_eq_str(name, ":authority"))
		buf_view(&s->authority, value);
	return !s->path.failed && !s->authority.failed;
}

bool
h2_stream_header(struct h2_stream *s, struct view name, struct view value)
{
	// Framing is ours to write; connection-specific fields are refused by nghttp2.
	static const char *const left_out[] = {"te", "transfer-encoding", "connection",
	    "keep-alive", "proxy-connection", "upgrade", "expect"};
	if (name.len > 0 && name.p[0] == ':')
		return pseudo(s, name, value);
	if (!http_is_token(name) || !http_is_field_value(value))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(left_out); i++)
		if (view_eq_str(name, left_out[i]))
			return true;
	if (view_eq_str(name, "host")) {
		if (s->authority.len != 0)
			return true; // :authority counts (RFC 9113, section 8.3.1)
		buf_view(&s->authority, value);
		return !s->authority.failed;
	}
	s->has_length = s->has_length || view_eq_str(name, "content-length");
	buf_view(&s->head, name);
	buf_str(&s->head, ": ");
	buf_view(&s->head, value);
	buf_str(&s->head, "\r\n");
	return true;
}

static void consume(struct h2_stream *s);
static const struct wire_ops ops;

static bool
open_pair(struct h2_stream *s)
{
	struct h2 *h = s->h;
	int fd[2];
	if (!limits_connect(&h->w->limits, h->source))
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) != 0) {
		limits_disconnect(&h->w->limits, h->source);
		return false;
	}
	s->wire = wire_new(h->w->wires, fd[0], NULL, &ops, s);
	client_new_named(h->w, fd[1], h->peer, h->source);
	return true;
}

void
h2_stream_head(struct h2_stream *s, bool end)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	if (s->reset)
		return;
	s->h->asked = true;
	s->h->moved_ns = clock_mono_ns();
	if (s->head.failed || s->path.len == 0) {
		reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
		return;
	}
	if (!open_pair(s)) {
		reset(s, NGHTTP2_REFUSED_STREAM); // the client may safely send it again
		return;
	}
	struct buf b;
	buf_init(&b, HEAD_CAP * 3);
	buf_str(&b, s->method);
	buf_char(&b, ' ');
	buf_view(&b, buf_done(&s->path));
	buf_str(&b, " HTTP/1.1\r\nhost: ");
	buf_view(&b, s->authority.len == 0 ? VIEW("localhost") : buf_done(&s->authority));
	buf_str(&b, "\r\n");
	buf_view(&b, buf_done(&s->head));
	s->chunked = !end && !s->has_length;
	if (s->chunked)
		buf_str(&b, "transfer-encoding: chunked\r\n");
	else if (end && !s->has_length && strcmp(s->method, "POST") == 0)
		buf_str(&b, "content-length: 0\r\n");
	buf_str(&b, "\r\n");
	BUG_IF(b.failed);
	wire_write(s->wire, b.p, b.len);
	buf_free(&b);
	buf_free(&s->head);
	buf_free(&s->path);
	s->body_ended = end;
	if (strcmp(s->method, "HEAD") == 0)
		http_parser_expect_no_body(&s->parser);
}

void
h2_stream_body(struct h2_stream *s, const uint8_t *p, size_t len)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	s->owed += len;
	if (s->wire != NULL && len != 0) {
		char head[HTTP_CHUNK_HEAD_MAX];
		if (s->chunked)
			wire_write(s->wire, head, http_chunk_head(head, len));
		wire_write(s->wire, p, len);
		if (s->chunked)
			wire_write(s->wire, HTTP_CRLF, 2);
	}
	consume(s);
}

void
h2_stream_body_end(struct h2_stream *s)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	if (s->wire != NULL && s->chunked && !s->body_ended)
		wire_write(s->wire, HTTP_LAST_CHUNK, 5);
	s->body_ended = true;
}

// Opens the windows for what the exchange has taken; without one, for all.
static void
consume(struct h2_stream *s)
{
	if (s->owed == 0 || (s->wire != NULL && wire_backlog(s->wire) > IN_HIGH))
		return;
	(void)nghttp2_session_consume(s->h->session, s->id, s->owed);
	s->owed = 0;
	h2_pump(s->h);
}

// --- the answer -----------------------------------------------------------------------

static ssize_t
provide(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags,
    nghttp2_data_source *source, void *cookie)
{
	(void)session, (void)id, (void)cookie;
	struct h2_stream *s = source->ptr;
	CHECK_OBJ(s, STREAM_MAGIC);
	int n = evbuffer_remove(s->out, buf, cap);
	if (n > 0)
		s->h->moved_ns = clock_mono_ns();
	if (evbuffer_get_length(s->out) == 0 && s->answer_ended)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (n <= 0)
		return NGHTTP2_ERR_DEFERRED;
	if (s->wire != NULL && evbuffer_get_length(s->out) < OUT_HIGH)
		wire_resume(s->wire);
	return MAX(n, 0);
}

// Header fields that HTTP/2 forbids (RFC 9113, section 8.2.2).
static bool
hop_by_hop(struct view name)
{
	static const char *const names[] = {
	    "connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (http_view_eq_nocase(name, names[i]))
			return true;
	return false;
}

static nghttp2_nv
field(struct view name, struct view value)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.p,
	    .value = (uint8_t *)(uintptr_t)value.p,
	    .namelen = name.len,
	    .valuelen = value.len};
}

static void
answer_head(struct h2_stream *s)
{
	struct http_parser *p = &s->parser;
	nghttp2_nv nv[NV_MAX];
	struct buf lower; // names in lower case; reserved whole, so that views stay
	char status[4];
	size_t n = 0, total = 0, count = MIN(http_header_count(p), (size_t)NV_MAX - 1);
	struct view name, value;
	for (size_t i = 0; i < count; i++) {
		http_header_at(p, i, &name, &value);
		total += name.len;
	}
	buf_init(&lower, total + 1);
	char *at = buf_reserve(&lower, total + 1);
	BUG_IF(at == NULL);
	status[0] = (char)('0' + p->status / 100);
	status[1] = (char)('0' + p->status / 10 % 10);
	status[2] = (char)('0' + p->status % 10);
	nv[n++] = field(VIEW(":status"), (struct view){status, 3});
	for (size_t i = 0; i < count; i++) {
		http_header_at(p, i, &name, &value);
		if (hop_by_hop(name))
			continue;
		for (size_t k = 0; k < name.len; k++)
			at[k] = (char)tolower((unsigned char)name.p[k]);
		nv[n++] = field((struct view){at, name.len}, value);
		at += name.len;
	}
	nghttp2_data_provider body = {.source = {.ptr = s}, .read_callback = provide};
	s->answered = true;
	(void)nghttp2_submit_response(s->h->session, s->id, nv, n, p->has_body ? &body : NULL);
	buf_free(&lower);
}

static size_t
on_read(void *cookie, const uint8_t *bytes, size_t len)
{
	struct h2_stream *s = cookie;
	CHECK_OBJ(s, STREAM_MAGIC);
	size_t at = 0;
	// With all bytes taken the end is still asked for: nothing comes behind it that would.
	while (!s->answer_ended && (at == len || evbuffer_get_length(s->out) < OUT_HIGH)) {
		size_t used;
		enum http_event ev =
		    http_parse_feed(&s->parser, (const char *)bytes + at, len - at, &used);
		at += used;
		if (ev == HTTP_NEED_MORE)
			break;
		if (ev == HTTP_HEAD)
			answer_head(s);
		else if (ev == HTTP_BODY &&
			 evbuffer_add(s->out, s->parser.body.p, s->parser.body.len) != 0)
			BUG("out of memory");
		else if (ev == HTTP_END)
			s->answer_ended = true;
		BUG_IF(ev == HTTP_FAILED); // our own writer wrote it
	}
	struct h2 *h = s->h;
	if (s->answer_ended)
		close_pair(s);
	if (s->answered)
		(void)nghttp2_session_resume_data(h->session, s->id);
	h2_pump(h);
	return s->answer_ended ? len : at;
}

static void
on_drained(void *cookie)
{
	consume(cookie);
}

static void
on_closed(void *cookie)
{
	struct h2_stream *s = cookie;
	CHECK_OBJ(s, STREAM_MAGIC);
	reset(s, NGHTTP2_INTERNAL_ERROR); // cut: never a clean end
}

static const struct wire_ops ops = {
    .on_read = on_read,
    .on_drained = on_drained,
    .on_closed = on_closed,
    .keep_max = OUT_HIGH,
    .early_close = false,
};
