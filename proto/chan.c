// SPDX-License-Identifier: Apache-2.0
// Buffers, framing and descriptor passing of one channel. System calls: read or
// recvmsg, write or sendmsg, close, on its own descriptor.
#include "proto/chan.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/secmem.h"

#define CHAN_MAGIC    0x6368616eU
#define IN_CAP	      (256U * 1024U)
#define IN_CAP_SECRET (FRAME_HEADER_LEN + FRAME_PAYLOAD_MAX)
#define IN_CAP_SMALL  4096U
#define OUT_CAP_MIN   4096U
#define OUT_CAP_KEEP  (64U * 1024U)
#define FDS_PER_FRAME 2U
#define FDS_STASHED   8U
#define ID_FDS_LOST   (UINT64_C(1) << 63)

struct fd_mark {
	uint64_t at; // stream position of the first byte of its frame
	int fds[FDS_PER_FRAME];
	size_t count;
	struct fd_mark *next;
};

struct chan {
	unsigned magic;
	int fd;
	enum role from;
	enum channel_state state;
	unsigned options;
	char reason[96];

	uint8_t *in; // [in_at, in_end) is unread
	size_t in_cap;
	size_t in_at;
	size_t in_end;
	bool short_read;
	size_t in_last; // length of the frame handed out last, still before in_at

	uint8_t *out; // [out_at, out_end) is unwritten
	size_t out_cap;
	size_t out_at;
	size_t out_end;
	uint64_t written; // stream position of out[out_at]
	struct fd_mark *marks;
	size_t mark_count;

	int stash[FDS_STASHED];
	size_t stash_count;
	bool fds_lost; // the frame handed out last came without its descriptors
};

static bool
is_secret(const struct chan *c)
{
	return (c->options & CHAN_SECRET) != 0;
}

static void
buffer_free(struct chan *c, uint8_t *p)
{
	if (is_secret(c))
		secmem_free(p);
	else
		free(p);
}

struct chan *
chan_new(int fd, enum role from, unsigned options)
{
	struct chan *c = base_calloc(1, sizeof(*c));
	c->magic = CHAN_MAGIC;
	c->fd = fd;
	c->from = from;
	c->state = perm_start(from);
	c->options = options;
	c->in_cap = options & CHAN_SMALL ? IN_CAP_SMALL : is_secret(c) ? IN_CAP_SECRET : IN_CAP;
	c->in = is_secret(c) ? secmem_alloc(c->in_cap) : base_realloc(NULL, c->in_cap);
	if (c->in == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

static void
drop_mark(struct chan *c)
{
	struct fd_mark *m = c->marks;
	for (size_t i = 0; i < m->count; i++)
		close(m->fds[i]);
	c->marks = m->next;
	c->mark_count--;
	free(m);
}

void
chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	CHECK_OBJ(c, CHAN_MAGIC);
	c->magic = 0;
	while (c->marks != NULL)
		drop_mark(c);
	for (size_t i = 0; i < c->stash_count; i++)
		close(c->stash[i]);
	buffer_free(c, c->in);
	buffer_free(c, c->out);
	close(c->fd);
	free(c);
}

int
chan_fd(const struct chan *c)
{
	return c->fd;
}

enum role
chan_role(const struct chan *c)
{
	return c->from;
}

void
chan_set_state(struct chan *c, enum channel_state s)
{
	c->state = s;
}

enum chan_status
chan_reject(struct chan *c, const char *reason)
{
	if (c->reason[0] == '\0')
		snprintf(c->reason, sizeof(c->reason), "%s", reason);
	return CHAN_REJECT;
}

const char *
chan_reason(const struct chan *c)
{
	return c->reason;
}

// --- receiving ---------------------------------------------------------------

static void
stash_fds(struct chan *c, struct msghdr *mh)
{
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (c->stash_count < FDS_STASHED)
				c->stash[c->stash_count++] = fd;
			else
				close(fd);
		}
	}
}

static ssize_t
receive(struct chan *c, uint8_t *p, size_t room)
{
	if ((c->options & CHAN_FDS) == 0)
		return read(c->fd, p, room);
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FDS_PER_FRAME)];
	} control;
	struct iovec iov = {.iov_base = p, .iov_len = room};
	struct msghdr mh = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(c->fd, &mh, MSG_CMSG_CLOEXEC);
	if (n >= 0)
		stash_fds(c, &mh);
	return n;
}

// Frames already handed out leave the buffer here; secret bytes do not stay behind.
static void
compact(struct chan *c)
{
	c->in_last = 0;
	size_t used = c->in_end - c->in_at;
	if (c->in_at == 0)
		return;
	memmove(c->in, c->in + c->in_at, used);
	if (is_secret(c))
		sodium_memzero(c->in + used, c->in_end - used);
	c->in_at = 0;
	c->in_end = used;
}

enum chan_status
chan_read(struct chan *c)
{
	CHECK_OBJ(c, CHAN_MAGIC);
	if (c->in_at == c->in_end || c->in_cap - c->in_end < IN_CAP_SECRET)
		compact(c);
	size_t room = c->in_cap - c->in_end;
	if (room == 0)
		return CHAN_OK; // a whole frame waits to be taken
	ssize_t n = receive(c, c->in + c->in_end, room);
	c->short_read = n < (ssize_t)room;
	if (n > 0) {
		c->in_end += (size_t)n;
		return CHAN_OK;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return CHAN_AGAIN;
	return CHAN_EOF;
}

bool
chan_drained(const struct chan *c)
{
	return c->short_read;
}

enum chan_status
chan_next(struct chan *c, struct frame *f_r)
{
	CHECK_OBJ(c, CHAN_MAGIC);
	if (is_secret(c) && c->in_last != 0)
		sodium_memzero(c->in + c->in_at - c->in_last, c->in_last);
	c->in_last = 0;
	if (c->reason[0] != '\0')
		return CHAN_REJECT;
	size_t have = c->in_end - c->in_at;
	switch (frame_read_header(c->in + c->in_at, have, f_r)) {
	case FRAME_SHORT:
		return CHAN_AGAIN;
	case FRAME_BAD:
		return chan_reject(c, "bad frame header");
	case FRAME_OK:
		break;
	}
	if (!perm_allowed(c->from, c->state, f_r->type)) {
		const char *name = msg_name(f_r->type);
		snprintf(c->reason, sizeof(c->reason),
		    "message %s (0x%02x) not allowed from %s now", name == NULL ? "unknown" : name,
		    f_r->type, perm_role_name(c->from));
		return CHAN_REJECT;
	}
	size_t total = FRAME_HEADER_LEN + f_r->len;
	if (total > c->in_cap)
		return chan_reject(c, "frame too large for this channel");
	if (have < total)
		return CHAN_AGAIN;
	if (c->options & CHAN_FDS) {
		c->fds_lost = (f_r->id & ID_FDS_LOST) != 0;
		f_r->id &= ~ID_FDS_LOST;
	}
	f_r->payload = c->in + c->in_at + FRAME_HEADER_LEN;
	c->in_at += total;
	c->in_last = total;
	return CHAN_OK;
}

enum chan_status
chan_decode(struct chan *c, const struct frame *f, void *msg)
{
	if (msg_decode(f->type, f->payload, f->len, msg) == 0)
		return CHAN_OK;
	if (c->reason[0] == '\0')
		snprintf(c->reason, sizeof(c->reason), "malformed %s", msg_name(f->type));
	return CHAN_REJECT;
}

int
chan_take_fd(struct chan *c)
{
	if (c->stash_count == 0 || c->fds_lost)
		return -1;
	int fd = c->stash[0];
	c->stash_count--;
	memmove(c->stash, c->stash + 1, c->stash_count * sizeof(int));
	return fd;
}

// --- sending -----------------------------------------------------------------

static int
out_grow(struct chan *c, size_t need)
{
	size_t used = c->out_end - c->out_at;
	size_t cap = MAX(c->out_cap, OUT_CAP_MIN);
	while (cap < used + need)
		cap *= 2;
	uint8_t *p = is_secret(c) ? secmem_alloc(cap) : base_realloc(NULL, cap);
	if (p == NULL)
		return -1;
	if (used != 0)
		memcpy(p, c->out + c->out_at, used);
	buffer_free(c, c->out);
	c->out = p;
	c->out_cap = cap;
	c->out_at = 0;
	c->out_end = used;
	return 0;
}

// Room for one frame of at most `payload` bytes; returns where its header goes.
static uint8_t *
out_reserve(struct chan *c, size_t payload)
{
	size_t need = FRAME_HEADER_LEN + payload;
	if (c->out_cap - c->out_end < need && out_grow(c, need) != 0)
		return NULL;
	return c->out + c->out_end;
}

static void
out_commit(struct chan *c, uint8_t type, uint64_t id, size_t len)
{
	frame_write_header(
	    c->out + c->out_end, &(struct frame){.type = type, .id = id, .len = len});
	c->out_end += FRAME_HEADER_LEN + len;
}

// Upper bound of a message's encoding, so that small ones do not reserve 64 KiB.
static size_t
encode_bound(uint8_t type, const void *msg)
{
	switch (type) {
	case MSG_CREDENTIAL_PUT:
		return FRAME_PAYLOAD_MAX - FRAME_HEADER_LEN;
	case MSG_SEALER_CONFIG: { // one lies in secret memory for every sealer that starts
		const struct msg_sealer_config *m = msg;
		return MIN(512U + m->host.len + m->ca_pem.len,
		    FRAME_PAYLOAD_MAX - (size_t)FRAME_HEADER_LEN);
	}
	case MSG_SEAL:
		return 20U * 1024U;
	case MSG_EXCHANGE:
		return 42U * 1024U;
	case MSG_EXCHANGED:
		return 20U * 1024U;
	case MSG_USE:
	case MSG_PLAN:
	case MSG_APPEND:
	case MSG_CREDENTIAL_ITEM:
	case MSG_VKEY_ITEM:
	case MSG_VKEY_ISSUE:
		return 48U * 1024U;
	default:
		return 4096U;
	}
}

int
chan_send(struct chan *c, uint8_t type, uint64_t id, const void *msg)
{
	CHECK_OBJ(c, CHAN_MAGIC);
	size_t bound = encode_bound(type, msg);
	// Most messages are small: encode on a short reservation first.
	size_t tries[] = {is_secret(c) ? bound : MIN(bound, 4096U), bound};
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		uint8_t *p = out_reserve(c, tries[i]);
		if (p == NULL)
			return -1;
		size_t n = msg_encode(type, msg, p + FRAME_HEADER_LEN, tries[i]);
		if (n != 0) {
			out_commit(c, type, id, n);
			return 0;
		}
	}
	BUG("message exceeds its limits");
}

int
chan_send_raw(struct chan *c, uint8_t type, uint64_t id, const void *p, size_t len)
{
	CHECK_OBJ(c, CHAN_MAGIC);
	BUG_IF(!msg_is_raw(type));
	uint8_t *at = out_reserve(c, len);
	if (at == NULL)
		return -1;
	if (len != 0)
		memcpy(at + FRAME_HEADER_LEN, p, len);
	out_commit(c, type, id, len);
	return 0;
}

int
chan_send_fds(struct chan *c, uint8_t type, uint64_t id, const void *msg, const int *fds, size_t n)
{
	BUG_IF(n == 0 || n > FDS_PER_FRAME);
	uint64_t at = c->written + (c->out_end - c->out_at);
	if (chan_send(c, type, id, msg) != 0) {
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
		return -1;
	}
	struct fd_mark *m = base_calloc(1, sizeof(*m));
	m->at = at;
	m->count = n;
	memcpy(m->fds, fds, n * sizeof(int));
	struct fd_mark **tail = &c->marks;
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = m;
	c->mark_count++;
	return 0;
}

// The frame goes without its descriptors: its receiver then does what it does when
// there is no more of anything, and the channel lives.
static void
lose_fds(struct chan *c)
{
	BUG_IF(c->marks->at != c->written);
	c->out[c->out_at + FRAME_ID_AT] |= (uint8_t)(ID_FDS_LOST >> 56);
	drop_mark(c);
}

static ssize_t
send_with_fds(struct chan *c, struct fd_mark *m, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FDS_PER_FRAME)];
	} control = {0};
	struct iovec iov = {.iov_base = c->out + c->out_at, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = CMSG_SPACE(sizeof(int) * m->count)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int) * m->count);
	memcpy(CMSG_DATA(cm), m->fds, sizeof(int) * m->count);
	ssize_t n = sendmsg(c->fd, &mh, MSG_NOSIGNAL);
	if (n > 0)
		drop_mark(c);
	return n;
}

// One system call; never past the frame of a later descriptor.
static ssize_t
flush_step(struct chan *c)
{
	size_t len = c->out_end - c->out_at;
	struct fd_mark *m = c->marks;
	if (m != NULL && m->at == c->written) {
		if (m->next != NULL)
			len = (size_t)MIN((uint64_t)len, m->next->at - c->written);
		return send_with_fds(c, m, len);
	}
	if (m != NULL)
		len = (size_t)MIN((uint64_t)len, m->at - c->written);
	return write(c->fd, c->out + c->out_at, len);
}

static void
out_drained(struct chan *c)
{
	c->out_at = 0;
	c->out_end = 0;
	if (is_secret(c) || c->out_cap > OUT_CAP_KEEP) {
		buffer_free(c, c->out);
		c->out = NULL;
		c->out_cap = 0;
	}
}

enum chan_status
chan_flush(struct chan *c)
{
	CHECK_OBJ(c, CHAN_MAGIC);
	while (c->out_at < c->out_end) {
		ssize_t n = flush_step(c);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return CHAN_AGAIN;
		if (n < 0 && errno == ETOOMANYREFS && c->marks != NULL) {
			lose_fds(c);
			continue;
		}
		if (n <= 0)
			return CHAN_EOF;
		if (is_secret(c))
			sodium_memzero(c->out + c->out_at, (size_t)n);
		c->out_at += (size_t)n;
		c->written += (uint64_t)n;
	}
	out_drained(c);
	return CHAN_OK;
}

size_t
chan_backlog(const struct chan *c)
{
	return c->out_end - c->out_at;
}

size_t
chan_unsent_fds(const struct chan *c)
{
	return c->mark_count;
}
