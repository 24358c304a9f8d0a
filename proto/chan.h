// SPDX-License-Identifier: Apache-2.0
// A channel: frames over one connected Unix stream socket, with buffers, the
// permission check, and outward descriptor passing. Knows no event loop: the
// sealer drives it with ppoll, the daemons through proto/link.h, the command
// line tool by blocking calls. The descriptor must be non-blocking except there.
#ifndef PROTO_CHAN_H
#define PROTO_CHAN_H

#include "proto/perm.h"

enum chan_option {
	CHAN_SECRET = 1U, // both buffers live in secret memory and are wiped as they drain
	CHAN_FDS = 2U,	  // receives descriptors; without it the kernel drops any that are sent
	CHAN_SMALL = 4U,  // the peer's frames are at most 4 KiB in all; larger ones are rejected
};

struct chan;

// Takes ownership of fd. `from` is the role of the peer. NULL only when
// CHAN_SECRET is asked and the secret arena is full (fd stays the caller's).
struct chan *chan_new(int fd, enum role from, unsigned options) MUST_CHECK;
void chan_free(struct chan *c); // closes all it owns; NULL is allowed

int chan_fd(const struct chan *c);
enum role chan_role(const struct chan *c);
void chan_set_state(struct chan *c, enum channel_state s);

enum chan_status {
	CHAN_OK,
	CHAN_AGAIN,  // nothing now
	CHAN_EOF,    // the peer closed or the socket failed
	CHAN_REJECT, // the peer broke the protocol: close it, count it, audit it
};

// Reads once from the socket into the buffer. OK: something arrived.
enum chan_status chan_read(struct chan *c) MUST_CHECK;
// Whether the last chan_read took less than it could: most likely nothing waits any
// more, and asking again would cost a system call to learn it.
bool chan_drained(const struct chan *c);

// The next complete frame; its payload is valid until the next chan_next,
// chan_read or chan_free. AGAIN: more bytes are needed. REJECT: bad header, or a
// type this role may not send in this state; chan_reason() says which.
enum chan_status chan_next(struct chan *c, struct frame *f_r) MUST_CHECK;

// Decodes f into *msg, or marks the channel rejected and returns CHAN_REJECT.
enum chan_status chan_decode(struct chan *c, const struct frame *f, void *msg) MUST_CHECK;

// For handlers: the peer's message was well-formed but not acceptable here.
enum chan_status chan_reject(struct chan *c, const char *reason);
const char *chan_reason(const struct chan *c);

// Oldest descriptor received with CHAN_FDS, the caller owns it; -1 if none, also when
// the sender could not attach those of the frame handed out last (see chan_send_fds).
int chan_take_fd(struct chan *c);

// Queue a frame; nothing is written before chan_flush. A message that does not
// fit its limits is our own fault (BUG). CHAN_SECRET only: returns -1 when the
// secret arena is full, and nothing was queued; otherwise always 0.
int chan_send(struct chan *c, uint8_t type, uint64_t id, const void *msg);
int chan_send_raw(struct chan *c, uint8_t type, uint64_t id, const void *p, size_t len);

// Same as chan_send, with n descriptors (1 or 2) attached to the frame's first
// byte. Takes ownership: they are closed here once sent, or by chan_free. When the
// kernel takes no more descriptors (ETOOMANYREFS: too many of this user's wait in
// sockets that nobody reads) the frame goes out without them and says so in the top
// bit of its id, which no frame of ours uses; a CHAN_FDS receiver clears the bit.
int chan_send_fds(
    struct chan *c, uint8_t type, uint64_t id, const void *msg, const int *fds, size_t n);

// Writes what is queued. OK: all written. AGAIN: the socket is full. EOF: error.
enum chan_status chan_flush(struct chan *c) MUST_CHECK;
size_t chan_backlog(const struct chan *c);    // bytes queued and not yet written
size_t chan_unsent_fds(const struct chan *c); // frames with descriptors among them

#endif
