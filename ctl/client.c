// SPDX-License-Identifier: Apache-2.0
// One request at a time over a blocking channel. May touch: the admin socket.
#include "ctl/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/secmem.h"
#include "common/sock.h"
#include "ctl/cli.h"
#include "proto/chan.h"

#define ARENA_BYTES    (1024U * 1024U)
#define ANSWER_TIMEOUT 15 // seconds; a vault that is alive answers in milliseconds

struct client {
	int fd; // the channel's
	struct chan *chan;
	uint64_t id;
	unsigned timeout_s;
};

bool
client_secrets_ready(void)
{
	static bool ready;
	if (!ready && secmem_init(ARENA_BYTES) == SECMEM_NONE) {
		cli_fail(
		    "no memory for secrets: %s. Raise the limit: ulimit -l 4096", strerror(errno));
		return false;
	}
	ready = true;
	return true;
}

static void
say_unreachable(const char *path, int err)
{
	if (err == EACCES || err == EPERM) {
		cli_fail("cannot reach the vault at %s: permission denied. Run it as root, "
			 "or as the user who started the stack",
		    path);
		return;
	}
	cli_fail("cannot reach the vault at %s: %s. Is it running? try: %s", path, strerror(err),
	    cli_dir == NULL ? "systemctl status sallyport-vaultd (or give --dir DIR)"
			    : "sallyport up --demo --dir DIR");
}

struct client *
client_open(const char *path)
{
	if (!client_secrets_ready())
		return NULL;
	int fd = sock_connect_unix(path, true);
	if (fd < 0) {
		say_unreachable(path, errno);
		return NULL;
	}
	struct timeval tv = {.tv_sec = ANSWER_TIMEOUT};
	struct chan *chan = NULL;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0)
		chan = chan_new(fd, ROLE_CORE_AT_ADMIN, CHAN_SECRET);
	if (chan == NULL) {
		close(fd);
		cli_fail("no memory for secrets. Raise the limit: ulimit -l 4096");
		return NULL;
	}
	struct client *c = base_calloc(1, sizeof(*c));
	c->fd = fd;
	c->chan = chan;
	c->timeout_s = ANSWER_TIMEOUT;
	return c;
}

void
client_wait_longer(struct client *c, unsigned seconds)
{
	struct timeval tv = {.tv_sec = (time_t)seconds};
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0)
		c->timeout_s = seconds;
}

struct client *
client_dial(void)
{
	char path[CLI_PATH_MAX];
	cli_socket_path("admin", path);
	return client_open(path);
}

void
client_close(struct client *c)
{
	if (c == NULL)
		return;
	chan_free(c->chan);
	free(c);
}

// 0 with a message, or the frame's type.
static uint8_t
receive(struct client *c, const char *what, struct frame *f)
{
	for (;;) {
		enum chan_status s = chan_next(c->chan, f);
		if (s == CHAN_OK)
			return f->type;
		if (s == CHAN_AGAIN)
			s = chan_read(c->chan);
		if (s == CHAN_OK)
			continue;
		if (s == CHAN_AGAIN)
			cli_fail("%s: the vault gave no answer within %u s", what, c->timeout_s);
		else if (s == CHAN_REJECT)
			cli_fail("%s: the vault sent something else than expected (%s). Are both "
				 "of one version?",
			    what, chan_reason(c->chan));
		else
			cli_fail("%s: the vault closed the connection; see its log", what);
		return 0;
	}
}

uint8_t
client_next(struct client *c, const char *what, union client_reply *r)
{
	struct frame f;
	if (receive(c, what, &f) == 0)
		return 0;
	if (chan_decode(c->chan, &f, r) != CHAN_OK) {
		cli_fail("%s: %s. Are both of one version?", what, chan_reason(c->chan));
		return 0;
	}
	if (f.type == MSG_ERROR) {
		cli_fail("%s: %.*s (%.*s)", what, (int)r->error.message.len, r->error.message.p,
		    (int)r->error.code.len, r->error.code.p);
		return 0;
	}
	return f.type;
}

bool
client_send(struct client *c, uint8_t type, const void *msg, const char *what)
{
	if (chan_send(c->chan, type, ++c->id, msg) != 0) {
		cli_fail("%s: no memory for secrets. Raise the limit: ulimit -l 4096", what);
		return false;
	}
	if (chan_flush(c->chan) != CHAN_OK) {
		cli_fail("%s: the vault closed the connection; see its log", what);
		return false;
	}
	return true;
}

uint8_t
client_call(
    struct client *c, uint8_t type, const void *msg, const char *what, union client_reply *r)
{
	return client_send(c, type, msg, what) ? client_next(c, what, r) : 0;
}

bool
client_each(struct client *c, uint8_t list_type, const char *what,
    void (*fn)(void *cookie, const union client_reply *r), void *cookie)
{
	union client_reply r;
	uint8_t t = client_call(c, list_type, &(struct msg_empty){0}, what, &r);
	while (t != 0 && t != MSG_DONE) {
		fn(cookie, &r);
		t = client_next(c, what, &r);
	}
	return t == MSG_DONE;
}
