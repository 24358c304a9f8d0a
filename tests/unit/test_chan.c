// links:
// SPDX-License-Identifier: Apache-2.0
// Channels over real socket pairs: frames cut at every byte, wrong roles, bad
// headers, descriptors passed outward and descriptors that must be dropped, secret
// buffers that are empty afterwards.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/secmem.h"
#include "common/sock.h"
#include "proto/chan.h"

static void
pair(enum role at_a, unsigned a_options, enum role at_b, unsigned b_options, struct chan **a,
    struct chan **b)
{
	int fds[2];
	assert_int_equal(sock_pair(fds), 0);
	*a = chan_new(fds[0], at_a, a_options);
	*b = chan_new(fds[1], at_b, b_options);
	assert_non_null(*a);
	assert_non_null(*b);
}

static const struct msg_hello hello = {.worker = 3, .version = {"0.1", 3}};

static void
test_round_trip(void **state)
{
	(void)state;
	struct chan *gw, *core;
	pair(ROLE_CORE_AT_GATEWAY, 0, ROLE_GATEWAY_AT_CORE, 0, &gw, &core);
	assert_int_equal(chan_send(gw, MSG_HELLO, 7, &hello), 0);
	assert_int_equal(chan_flush(gw), CHAN_OK);
	struct frame f;
	assert_int_equal(chan_next(core, &f), CHAN_AGAIN);
	assert_int_equal(chan_read(core), CHAN_OK);
	assert_int_equal(chan_next(core, &f), CHAN_OK);
	assert_int_equal(f.id, 7);
	struct msg_hello m;
	assert_int_equal(chan_decode(core, &f, &m), CHAN_OK);
	assert_int_equal(m.worker, 3);
	assert_int_equal(chan_next(core, &f), CHAN_AGAIN);
	chan_free(gw);
	assert_int_equal(chan_read(core), CHAN_EOF);
	chan_free(core);
}

static void
test_every_cut(void **state)
{
	(void)state;
	uint8_t bytes[128];
	size_t n = msg_encode(MSG_HELLO, &hello, bytes + FRAME_HEADER_LEN, 64);
	frame_write_header(bytes, &(struct frame){.type = MSG_HELLO, .id = 1, .len = n});
	n += FRAME_HEADER_LEN;
	for (size_t cut = 0; cut <= n; cut++) {
		int fds[2];
		assert_int_equal(sock_pair(fds), 0);
		struct chan *core = chan_new(fds[1], ROLE_GATEWAY_AT_CORE, 0);
		struct frame f;
		assert_int_equal(write(fds[0], bytes, cut), (ssize_t)cut);
		if (cut > 0)
			assert_int_equal(chan_read(core), CHAN_OK);
		assert_int_equal(chan_next(core, &f), cut == n ? CHAN_OK : CHAN_AGAIN);
		close(fds[0]);
		assert_int_equal(chan_read(core), CHAN_EOF);
		chan_free(core);
	}
}

static void
reject_of(const uint8_t *bytes, size_t n, enum role from)
{
	int fds[2];
	assert_int_equal(sock_pair(fds), 0);
	struct chan *c = chan_new(fds[1], from, 0);
	struct frame f;
	assert_int_equal(write(fds[0], bytes, n), (ssize_t)n);
	assert_int_equal(chan_read(c), CHAN_OK);
	assert_int_equal(chan_next(c, &f), CHAN_REJECT);
	assert_true(strlen(chan_reason(c)) > 0);
	assert_int_equal(chan_next(c, &f), CHAN_REJECT); // for good
	chan_free(c);
	close(fds[0]);
}

static void
test_bad_frames(void **state)
{
	(void)state;
	uint8_t h[FRAME_HEADER_LEN];
	frame_write_header(h, &(struct frame){.type = MSG_USE, .id = 1, .len = 3});
	reject_of(h, sizeof(h), ROLE_GATEWAY_AT_CORE); // legal type, but before HELLO
	frame_write_header(h, &(struct frame){.type = MSG_SEAL, .id = 1, .len = 3});
	reject_of(h, sizeof(h), ROLE_GATEWAY_AT_SEALER); // another role's type
	frame_write_header(h, &(struct frame){.type = MSG_HELLO, .id = 1, .len = 3});
	h[0] ^= 1;
	reject_of(h, sizeof(h), ROLE_GATEWAY_AT_CORE);
	h[0] ^= 1;
	h[2] = 2;
	reject_of(h, sizeof(h), ROLE_GATEWAY_AT_CORE);
	h[2] = 1;
	h[4] = 1; // 16 MiB: refused from the header alone
	reject_of(h, sizeof(h), ROLE_GATEWAY_AT_CORE);
}

static void
test_fds_outward(void **state)
{
	(void)state;
	struct chan *core, *zygote;
	pair(ROLE_ZYGOTE_AT_CORE, 0, ROLE_CORE_AT_ZYGOTE, CHAN_FDS, &core, &zygote);
	struct frame f;
	for (uint64_t i = 1; i <= 3; i++) {
		int p[2];
		assert_int_equal(pipe(p), 0);
		struct msg_fork m = {.sealer = i};
		assert_int_equal(chan_send_fds(core, MSG_FORK, 0, &m, p, 2), 0);
	}
	assert_int_equal(chan_flush(core), CHAN_OK);
	for (uint64_t i = 1; i <= 3; i++) {
		while (chan_next(zygote, &f) == CHAN_AGAIN)
			assert_int_equal(chan_read(zygote), CHAN_OK);
		struct msg_fork m;
		assert_int_equal(chan_decode(zygote, &f, &m), CHAN_OK);
		assert_int_equal(m.sealer, i);
		int r = chan_take_fd(zygote), w = chan_take_fd(zygote);
		char c = 'x';
		assert_int_equal(write(w, &c, 1), 1);
		assert_int_equal(read(r, &c, 1), 1);
		close(r);
		close(w);
	}
	assert_int_equal(chan_take_fd(zygote), -1);
	chan_free(core);
	chan_free(zygote);
}

static unsigned
open_fds(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
test_fds_inward_dropped(void **state)
{
	(void)state;
	struct chan *gw, *core;
	pair(ROLE_CORE_AT_GATEWAY, 0, ROLE_GATEWAY_AT_CORE, 0, &gw, &core);
	int p[2];
	assert_int_equal(pipe(p), 0);
	unsigned before = open_fds() - 2;
	assert_int_equal(chan_send_fds(gw, MSG_HELLO, 1, &hello, p, 2), 0);
	assert_int_equal(chan_flush(gw), CHAN_OK);
	assert_int_equal(chan_read(core), CHAN_OK);
	assert_int_equal(open_fds(), before);
	assert_int_equal(chan_take_fd(core), -1);
	chan_free(gw);
	chan_free(core);
}

static void
test_secret_buffers(void **state)
{
	(void)state;
	assert_int_not_equal(secmem_init(1 << 20), SECMEM_NONE);
	size_t base = secmem_used();
	struct chan *core, *sealer;
	pair(ROLE_SEALER_AT_CORE, CHAN_SECRET, ROLE_CORE_AT_SEALER, CHAN_SECRET, &core, &sealer);
	chan_set_state(sealer, CHANNEL_READY);
	uint8_t digest[32] = {0};
	struct msg_seal m = {
	    .head = VIEW("POST / HTTP/1.1\r\nauthorization: Bearer canary\r\n\r\n"),
	    .body_sha256 = {(const char *)digest, 32}};
	assert_int_equal(chan_send(core, MSG_SEAL, 1, &m), 0);
	assert_int_equal(chan_flush(core), CHAN_OK);
	struct frame f;
	assert_int_equal(chan_read(sealer), CHAN_OK);
	assert_int_equal(chan_next(sealer, &f), CHAN_OK);
	assert_true(secmem_contains(f.payload));
	const uint8_t *where = f.payload;
	size_t len = f.len;
	assert_non_null(memmem(where, len, "canary", 6));
	assert_int_equal(chan_next(sealer, &f), CHAN_AGAIN);
	assert_null(memmem(where, len, "canary", 6));
	chan_free(core);
	chan_free(sealer);
	assert_int_equal(secmem_used(), base);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_every_cut),
	    cmocka_unit_test(test_bad_frames),
	    cmocka_unit_test(test_fds_outward),
	    cmocka_unit_test(test_fds_inward_dropped),
	    cmocka_unit_test(test_secret_buffers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
