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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

// One small configuration may not reserve what the largest would.
static void
test_config_is_bounded_by_content(void **state)
{
	(void)state;
	static char pem[30000];
	memset(pem, 'x', sizeof(pem));
	assert_true(secmem_init(1 << 20) != SECMEM_NONE || secmem_used() != 0);
	struct chan *core, *sealer;
	pair(ROLE_SEALER_AT_CORE, CHAN_SECRET | CHAN_SMALL, ROLE_CORE_AT_SEALER, 0, &core, &sealer);
	size_t before = secmem_used();
	struct msg_sealer_config m = {.host = VIEW("api.example")};
	assert_int_equal(chan_send(core, MSG_SEALER_CONFIG, 0, &m), 0);
	assert_in_range(secmem_used() - before, 1, 4096 + 256);
	m.ca_pem = (struct view){pem, sizeof(pem)};
	assert_int_equal(chan_send(core, MSG_SEALER_CONFIG, 0, &m), 0);
	assert_in_range(secmem_used() - before, sizeof(pem), 65536 + 256);
	assert_int_equal(chan_flush(core), CHAN_OK);
	chan_free(core);
	chan_free(sealer);
}

// The next FORK on the far side: its number, and whether descriptors came with it.
static uint64_t
next_fork(struct chan *zygote, bool *with_fds_r)
{
	struct frame f;
	struct msg_fork m;
	while (chan_next(zygote, &f) == CHAN_AGAIN)
		if (chan_read(zygote) != CHAN_OK)
			_exit(10);
	if (chan_decode(zygote, &f, &m) != CHAN_OK || f.id != 0)
		_exit(11);
	int r = chan_take_fd(zygote), w = chan_take_fd(zygote);
	*with_fds_r = r >= 0 && w >= 0;
	uint64_t number = 0;
	if (*with_fds_r && (read(r, &number, sizeof(number)) != 8 || number != m.sealer))
		_exit(12); // another frame's descriptors
	if (*with_fds_r != (r >= 0 || w >= 0))
		_exit(13);
	close(r);
	close(w);
	return m.sealer;
}

static void
send_fork(struct chan *core, uint64_t number)
{
	int p[2];
	struct msg_fork m = {.sealer = number};
	if (pipe(p) != 0 || write(p[1], &number, sizeof(number)) != 8)
		_exit(14);
	if (chan_send_fds(core, MSG_FORK, 0, &m, p, 2) != 0 || chan_flush(core) != CHAN_OK)
		_exit(15);
}

// In a child, as a user of its own: descriptors in flight are counted for each user.
static void
run_out_of_fds(void)
{
	struct rlimit few = {.rlim_cur = 40, .rlim_max = 40};
	if (setrlimit(RLIMIT_NOFILE, &few) != 0 || (geteuid() == 0 && setuid(64177) != 0))
		_exit(20);
	struct chan *core, *zygote;
	pair(ROLE_ZYGOTE_AT_CORE, 0, ROLE_CORE_AT_ZYGOTE, CHAN_FDS, &core, &zygote);
	uint64_t sent = 0, taken = 0, lost = 0;
	bool with;
	for (; sent < 60; sent++)
		send_fork(core, sent + 1);
	for (; taken < 10; taken++)
		if (next_fork(zygote, &with) != taken + 1 || !with)
			_exit(21);
	for (; sent < 80; sent++) // some fit again, behind those that went without
		send_fork(core, sent + 1);
	for (; taken < 80; taken++, lost += !with)
		if (next_fork(zygote, &with) != taken + 1)
			_exit(22);
	if (lost < 20 || lost > 65 || !with + chan_unsent_fds(core) > 1)
		_exit(23);
	send_fork(core, 81);
	_exit(next_fork(zygote, &with) == 81 && with ? 0 : 24);
}

static void
test_fds_refused_by_the_kernel(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		run_out_of_fds();
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
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
	    cmocka_unit_test(test_config_is_bounded_by_content),
	    cmocka_unit_test(test_fds_refused_by_the_kernel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
