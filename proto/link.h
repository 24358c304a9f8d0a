// SPDX-License-Identifier: Apache-2.0
// A channel on the libevent loop: reads all that waits per wake-up, hands frames
// to one callback, and gathers all sends of one loop turn into one write.
#ifndef PROTO_LINK_H
#define PROTO_LINK_H

#include "proto/chan.h"

struct event_base;
struct link;

// One frame. Return CHAN_OK, or the result of chan_reject()/chan_decode(). The
// callback may call link_free on its own link, and must then return CHAN_EOF.
typedef enum chan_status link_frame_fn(void *cookie, struct link *l, const struct frame *f);

// The link ended: CHAN_EOF (peer gone) or CHAN_REJECT (chan_reason says why). The
// owner must call link_free, here or later; no more callbacks come.
typedef void link_close_fn(void *cookie, struct link *l, enum chan_status why);

// Takes ownership of c. Reading starts at once.
struct link *link_new(struct event_base *base, struct chan *c, link_frame_fn *on_frame,
    link_close_fn *on_close, void *cookie);
void link_free(struct link *l); // NULL is allowed; cancels everything

// Takes at once what has come already, when somebody else tells that its peer is gone. Its
// callbacks may free it, so never call this from inside of one.
void link_drain(struct link *l);

struct chan *link_chan(struct link *l);
void *link_cookie(struct link *l);

// As chan_send and friends; the write happens at the end of this loop turn.
int link_send(struct link *l, uint8_t type, uint64_t id, const void *msg);
int link_send_raw(struct link *l, uint8_t type, uint64_t id, const void *p, size_t len);
int link_send_fds(
    struct link *l, uint8_t type, uint64_t id, const void *msg, const int *fds, size_t n);
size_t link_backlog(const struct link *l);

// Stop or resume reading (back-pressure).
void link_pause(struct link *l, bool paused);

#endif
