// SPDX-License-Identifier: Apache-2.0
// One HTTP/2 connection: nghttp2's session between the client's wire and the streams. May
// touch: the wire, the streams' socket pairs (h2_stream.c).
#include "gatewayd/h2.h"

#include <event2/event.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "gatewayd/h2_stream.h"
#include "gatewayd/wire.h"

#define H2_MAGIC     0x68327371U
#define STREAMS_MAX  128U
#define WINDOW	     (1U << 20) // of a connection; a stream has the default, 64 KiB
#define BACKLOG_HIGH (256U * 1024U)
#define CLOSING_S    5U
#define LAST_CALL_MS 200U	   // streams that the client opened meanwhile are served
#define HEAD_MAX     (64U * 1024U) // told to the peer; the parser of HTTP/1.1 enforces its own

static void
h2_free(struct h2 *h)
{
	CHECK_OBJ(h, H2_MAGIC);
	h->magic = 0;
	event_del(&h->timer);
	event_del(&h->last_call);
	TAILQ_REMOVE(&h->w->h2s, h, link);
	while (!TAILQ_EMPTY(&h->streams))
		h2_stream_free(TAILQ_FIRST(&h->streams));
	nghttp2_session_del(h->session);
	limits_disconnect(&h->w->limits, h->source);
	wire_free(h->wire);
	worker_bury(h->w, h);
	if (h->w->draining)
		h->w->on_quiet(h->w);
}

static void
set_timer(struct h2 *h, uint64_t seconds)
{
	struct timeval tv = {.tv_sec = (time_t)seconds};
	event_add(&h->timer, &tv);
}

// Writes what the session has to say, as far as the wire takes it.
void
h2_pump(struct h2 *h)
{
	CHECK_OBJ(h, H2_MAGIC);
	if (h->inside || wire_dead(h->wire))
		return; // the caller of the session pumps when it returns
	h->inside = true;
	while (wire_backlog(h->wire) < BACKLOG_HIGH) {
		const uint8_t *p;
		ssize_t n = nghttp2_session_mem_send(h->session, &p);
		if (n <= 0)
			break;
		wire_write(h->wire, p, (size_t)n);
	}
	h->inside = false;
	if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session) &&
	    !h->finishing) {
		h->finishing = h->ending = true;
		set_timer(h, h->w->config->limits.idle_timeout_s);
		wire_finish(h->wire, false);
	}
}

// --- from the session ----------------------------------------------------------------

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *cookie)
{
	struct h2 *h = cookie;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct h2_stream *s = h2_stream_new(h, frame->hd.stream_id);
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, s);
	return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *cookie)
{
	(void)flags, (void)cookie;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (s == NULL || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0; // trailers mean nothing here
	struct view n = {(const char *)name, name_len}, v = {(const char *)value, value_len};
	return h2_stream_header(s, n, v) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *cookie)
{
	(void)cookie;
	bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (s == NULL)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		h2_stream_head(s, end);
	else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) && end)
		h2_stream_body_end(s);
	return 0;
}

static int
on_data(
    nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t len, void *cookie)
{
	(void)flags;
	struct h2 *h = cookie;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
	if (s != NULL)
		h2_stream_body(s, p, len);
	else
		(void)nghttp2_session_consume_connection(h->session, len);
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *cookie)
{
	(void)code;
	struct h2 *h = cookie;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
	if (s == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(session, id, NULL);
	h2_stream_free(s);
	h->moved_ns = clock_mono_ns();
	return 0;
}

// --- from the wire -------------------------------------------------------------------

static size_t
on_read(void *cookie, const uint8_t *p, size_t len)
{
	struct h2 *h = cookie;
	CHECK_OBJ(h, H2_MAGIC);
	h->inside = true;
	ssize_t n = nghttp2_session_mem_recv(h->session, p, len);
	h->inside = false;
	if (n < 0 || (size_t)n != len) {
		log_msg(LOG_INFO, "client %s: HTTP/2 connection ended: %s", h->peer,
		    nghttp2_strerror((int)n));
		nghttp2_session_terminate_session(h->session, NGHTTP2_PROTOCOL_ERROR);
	}
	h2_pump(h);
	return len;
}

static void
on_drained(void *cookie)
{
	h2_pump(cookie);
}

static void
on_closed(void *cookie)
{
	h2_free(cookie);
}

static const struct wire_ops ops = {
    .on_read = on_read,
    .on_drained = on_drained,
    .on_closed = on_closed,
    .keep_max = 64U * 1024U,
    .early_close = true,
};

// For how many seconds nothing may move; 0: for as long as we take.
static uint64_t
patience(const struct h2 *h)
{
	const struct config_limits *l = &h->w->config->limits;
	uint64_t seconds = h->asked ? l->idle_timeout_s : l->header_timeout_s;
	// A client that reads may be as slow as a provider.
	if (wire_backlog(h->wire) != 0)
		seconds = MAX(seconds, l->upstream_idle_timeout_s);
	for (const struct h2_stream *s = TAILQ_FIRST(&h->streams); s != NULL;
	     s = h2_stream_next(s)) {
		enum h2_turn turn = h2_stream_turn(s);
		if (turn == H2_TURN_OURS)
			return 0;
		if (turn == H2_TURN_TO_READ)
			seconds = MAX(seconds, l->upstream_idle_timeout_s);
	}
	return seconds;
}

// A client that leaves heads unfinished or windows shut holds no connection for ever. Checked
// lazily, like the timers of exchanges.
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct h2 *h = arg;
	CHECK_OBJ(h, H2_MAGIC);
	if (h->ending) { // it does not even take our last words
		h2_free(h);
		return;
	}
	uint64_t limit = patience(h), gone = (clock_mono_ns() - h->moved_ns) / 1000000000U;
	if (limit == 0 || gone < limit) {
		set_timer(h, limit == 0 ? h->w->config->limits.idle_timeout_s : limit - gone);
		return;
	}
	h->ending = true;
	set_timer(h, CLOSING_S);
	nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
	h2_pump(h);
}

// --- draining ------------------------------------------------------------------------

// A connection whose last stream ended with this said ends too.
static void
on_last_call(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct h2 *h = arg;
	CHECK_OBJ(h, H2_MAGIC);
	(void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR, NULL, 0);
	h2_pump(h);
}

static void
say_goodbye(struct h2 *h)
{
	struct timeval tv = {.tv_usec = LAST_CALL_MS * 1000U};
	(void)nghttp2_submit_shutdown_notice(h->session);
	event_add(&h->last_call, &tv);
	h2_pump(h);
}

void
h2_drain(struct worker *w)
{
	struct h2 *h, *next;
	for (h = TAILQ_FIRST(&w->h2s); h != NULL; h = next) {
		next = TAILQ_NEXT(h, link);
		say_goodbye(h);
	}
}

void
h2_close_all(struct worker *w)
{
	while (!TAILQ_EMPTY(&w->h2s))
		h2_free(TAILQ_FIRST(&w->h2s));
}

// --- life ----------------------------------------------------------------------------

static nghttp2_session *
session_new(struct h2 *h)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;
	nghttp2_session *session;
	if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&option) != 0)
		BUG("out of memory");
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	// Windows open as the streams pass bytes on, so a slow exchange slows its client.
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_max_settings(option, 32);
	if (nghttp2_session_server_new2(&session, cb, h, option) != 0)
		BUG("out of memory");
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(option);
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_MAX},
	    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	};
	if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) !=
		0 ||
	    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, WINDOW) != 0)
		BUG("out of memory");
	return session;
}

void
h2_take(struct worker *w, struct wire *wire, const char peer[REQUEST_PEER_MAX], uint64_t source)
{
	struct h2 *h = base_calloc(1, sizeof(*h));
	h->magic = H2_MAGIC;
	h->w = w;
	h->wire = wire;
	h->source = source;
	memcpy(h->peer, peer, REQUEST_PEER_MAX);
	TAILQ_INIT(&h->streams);
	h->session = session_new(h);
	evtimer_assign(&h->timer, w->base, on_timer, h);
	evtimer_assign(&h->last_call, w->base, on_last_call, h);
	h->moved_ns = clock_mono_ns();
	set_timer(h, w->config->limits.header_timeout_s);
	TAILQ_INSERT_TAIL(&w->h2s, h, link);
	wire_own(wire, &ops, h);
	if (w->draining)
		say_goodbye(h);
	wire_resume(wire);
}
