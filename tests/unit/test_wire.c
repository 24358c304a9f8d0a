// links: gatewayd dialect
// SPDX-License-Identifier: Apache-2.0
// Bytes that a peer has not taken: counted over all wires, whichever way they go.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "gatewayd/limits.h"
#include "gatewayd/wire.h"

#define LEN ((size_t)1 << 20)

static size_t
take_all(void *cookie, const uint8_t *p, size_t len)
{
	(void)cookie, (void)p;
	return len;
}

static void
nothing(void *cookie)
{
	(void)cookie;
}

static const struct wire_ops ops = {
    .on_read = take_all, .on_drained = nothing, .on_closed = nothing, .keep_max = 4096};

static struct wire *
pair(struct wires *ws, int *peer_r)
{
	int fd[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	*peer_r = fd[1];
	return wire_new(ws, fd[0], NULL, &ops, NULL);
}

static void
test_unsent(void **state)
{
	(void)state;
	static char bytes[LEN];
	struct event_base *base = event_base_new();
	struct wires *ws = wires_new(base);
	const size_t *unsent = wires_unsent(ws);
	struct limits l = {.buffered_max = LEN, .unsent = unsent};
	int peer[2];
	struct wire *a = pair(ws, &peer[0]), *b = pair(ws, &peer[1]);
	assert_int_equal(*unsent, 0);
	wire_write(a, bytes, LEN);
	wire_write(b, bytes, 10);
	assert_int_equal(*unsent, LEN + 10);
	assert_false(limits_buffer(&l, 1));
	// What the socket takes is gone, the rest waits for the peer.
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_in_range(*unsent, 1, LEN - 1);
	assert_int_equal(*unsent, wire_backlog(a));
	assert_true(limits_buffer(&l, LEN - *unsent));
	assert_false(limits_buffer(&l, 1));
	for (int i = 0; i < 1000 && *unsent != 0; i++) {
		while (read(peer[0], bytes, sizeof(bytes)) > 0)
			;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(*unsent, 0);
	// A connection that goes takes its bytes with it.
	wire_write(b, bytes, LEN);
	assert_int_equal(*unsent, LEN);
	wire_free(b);
	assert_int_equal(*unsent, 0);
	wire_free(a);
	wires_free(ws);
	event_base_free(base);
	close(peer[0]);
	close(peer[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_unsent)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
