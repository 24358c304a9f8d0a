// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the whole serving loop of a sealer. Input: two bytes, the length of
// what the core says after its configuration; that; the rest is what the gateway
// says. Both then close.
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/secmem.h"
#include "common/log.h"
#include "proto/msg.h"
#include "vaultd/sealer_loop.h"
#include "vaultd/sealer_tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put(int fd, const void *p, size_t n)
{
	if (n != 0 && write(fd, p, n) != (ssize_t)n)
		abort();
}

static void
put_config(int fd)
{
	uint8_t buf[256];
	struct msg_sealer_config m = {.host = VIEW("h.test")};
	size_t n = msg_encode(
	    MSG_SEALER_CONFIG, &m, buf + FRAME_HEADER_LEN, sizeof(buf) - FRAME_HEADER_LEN);
	frame_write_header(buf, &(struct frame){.type = MSG_SEALER_CONFIG, .len = n});
	put(fd, buf, FRAME_HEADER_LEN + n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	if (!ready) {
		log_init("fuzz", (enum log_level)0);
		if (sodium_init() < 0 || secmem_init(SEALER_SECMEM_SIZE) == SECMEM_NONE)
			abort();
		(void)sealer_tls_prepare();
	}
	ready = true;
	if (size < 2 || size > 60000)
		return 0;
	size_t said = MIN((size_t)data[0] << 8 | data[1], size - 2);
	int control[2], lanes[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, control) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, lanes) != 0)
		abort();
	put_config(control[0]);
	put(control[0], data + 2, said);
	put(lanes[0], data + 2 + said, size - 2 - said);
	shutdown(control[0], SHUT_WR);
	shutdown(lanes[0], SHUT_WR);
	(void)sealer_loop_run(control[1], lanes[1]);
	close(control[0]);
	close(lanes[0]);
	if (secmem_used() != 0)
		abort();
	return 0;
}
