// links:
// SPDX-License-Identifier: Apache-2.0
// Links on the event loop: many sends become one write, a paused link keeps what
// it has read, a callback may free its own link, a broken peer is reported once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "common/sock.h"
#include "proto/link.h"

struct side {
	struct link *link;
	unsigned frames;
	unsigned closes;
	enum chan_status why;
	unsigned free_at; // frees its link at this frame, 0: never
};

static enum chan_status
on_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct side *s = cookie;
	(void)f;
	s->frames++;
	if (s->free_at == s->frames) {
		link_free(l);
		s->link = NULL;
		return CHAN_EOF;
	}
	return CHAN_OK;
}

static void
on_close(void *cookie, struct link *l, enum chan_status why)
{
	struct side *s = cookie;
	(void)l;
	s->closes++;
	s->why = why;
}

static struct event_base *base;
static struct side gw, sealer;

static int
setup(void **state)
{
	(void)state;
	int fds[2];
	base = event_base_new();
	if (base == NULL || sock_pair(fds) != 0)
		return -1;
	gw = sealer = (struct side){0};
	gw.link =
	    link_new(base, chan_new(fds[0], ROLE_SEALER_AT_GATEWAY, 0), on_frame, on_close, &gw);
	sealer.link = link_new(
	    base, chan_new(fds[1], ROLE_GATEWAY_AT_SEALER, 0), on_frame, on_close, &sealer);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	link_free(gw.link);
	link_free(sealer.link);
	event_base_free(base);
	return 0;
}

static void
turn(int times)
{
	for (int i = 0; i < times; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
test_gathered(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		link_send_raw(gw.link, MSG_BODY, i, "body", 4);
	assert_int_equal(
	    link_backlog(gw.link), 100 * (FRAME_HEADER_LEN + 4)); // nothing written yet
	turn(3);
	assert_int_equal(link_backlog(gw.link), 0);
	assert_int_equal(sealer.frames, 100);
}

static void
test_backlog_drains(void **state)
{
	(void)state;
	static uint8_t chunk[16384];
	for (uint64_t i = 0; i < 200; i++) // far more than a socket buffer holds
		link_send_raw(gw.link, MSG_BODY, i, chunk, sizeof(chunk));
	turn(200);
	assert_int_equal(link_backlog(gw.link), 0);
	assert_int_equal(sealer.frames, 200);
}

static void
test_pause(void **state)
{
	(void)state;
	link_pause(sealer.link, true);
	link_send_raw(gw.link, MSG_BODY, 1, "x", 1);
	turn(3);
	assert_int_equal(sealer.frames, 0);
	link_pause(sealer.link, false);
	turn(3);
	assert_int_equal(sealer.frames, 1);
}

// Frames first, then the end, without a turn of the loop between them.
static void
test_drain(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		link_send_raw(gw.link, MSG_BODY, i, "body", 4);
	assert_int_equal(chan_flush(link_chan(gw.link)), CHAN_OK);
	link_drain(sealer.link);
	assert_int_equal(sealer.frames, 3);
	assert_int_equal(sealer.closes, 0);
	link_send_raw(gw.link, MSG_BODY, 3, "body", 4);
	assert_int_equal(chan_flush(link_chan(gw.link)), CHAN_OK);
	link_free(gw.link);
	gw.link = NULL;
	link_drain(sealer.link);
	assert_int_equal(sealer.frames, 4);
	link_drain(sealer.link);
	assert_int_equal(sealer.closes, 1);
	link_drain(sealer.link); // ended
	turn(2);
	assert_int_equal(sealer.closes, 1);
}

static void
test_free_in_callback(void **state)
{
	(void)state;
	sealer.free_at = 2;
	for (uint64_t i = 0; i < 5; i++)
		link_send_raw(gw.link, MSG_BODY, i, "x", 1);
	turn(3);
	assert_int_equal(sealer.frames, 2);
	assert_int_equal(sealer.closes, 0);
	assert_int_equal(gw.closes, 1);
	assert_int_equal(gw.why, CHAN_EOF);
}

static void
test_reject(void **state)
{
	(void)state;
	// PLAIN is the sealer's to say.
	chan_send_raw(link_chan(gw.link), MSG_PLAIN, 1, "x", 1);
	link_send_raw(gw.link, MSG_BODY, 1, "x", 1);
	turn(3);
	assert_int_equal(sealer.frames, 0);
	assert_int_equal(sealer.closes, 1);
	assert_int_equal(sealer.why, CHAN_REJECT);
	turn(3);
	assert_int_equal(sealer.closes, 1);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_gathered),
	    T(test_backlog_drains),
	    T(test_pause),
	    T(test_drain),
	    T(test_free_in_callback),
	    T(test_reject),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
