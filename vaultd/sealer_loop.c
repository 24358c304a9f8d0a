// SPDX-License-Identifier: Apache-2.0
// ppoll over two descriptors; frames in, work, frames out in one write per channel
// and turn. System calls: ppoll, read, write.
#include "vaultd/sealer_loop.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/secmem.h"
#include "proto/chan.h"
#include "vaultd/sealer_table.h"

// While this much waits for the gateway, no lane produces more. Reading goes on
// (windows bound it), so that two full sockets cannot wait for each other; a
// gateway that only talks and never reads is at fault at BACKLOG_MAX.
#define BACKLOG_HIGH (1024U * 1024U)
#define BACKLOG_MAX  (16U * 1024U * 1024U)
// The same for the core, which always reads: its buffer is in secret memory, so
// no more lane frames are taken while this much waits.
#define CONTROL_HIGH (32U * 1024U)
// Heap is given back to the system when this many lanes were closed.
#define TRIM_LANES 256U
// How many ended lanes are remembered, for requests that were on their way.
#define ENDED_MAX 256U

struct ended {
	uint64_t lane;
	enum lane_fault fault; // LANE_OK: unused entry
};

struct loop {
	struct chan *control;
	struct chan *lanes;
	struct sealer_env env;
	struct sealer_table *table;
	struct sealer_lane *work; // lanes with something to do
	struct sealer_lane **work_tail;
	size_t peak;		       // most lanes since the heap was trimmed
	struct ended ended[ENDED_MAX]; // a ring
	size_t ended_next;
	bool configured;
	bool opened;	       // exchange mode: the only lane was opened
	uint64_t only;	       // its id
	bool lanes_waiting;    // frames of the gateway are in the buffer, not yet taken
	enum sealer_exit exit; // of the last failure
};

// --- port ----------------------------------------------------------------------

static void
to_gateway(void *cookie, uint8_t type, uint64_t lane, const void *msg)
{
	struct loop *p = cookie;
	(void)chan_send(p->lanes, type, lane, msg); // ordinary memory: cannot fail
}

static void
to_gateway_raw(void *cookie, uint8_t type, uint64_t lane, const void *buf, size_t n)
{
	struct loop *p = cookie;
	(void)chan_send_raw(p->lanes, type, lane, buf, n);
}

// Cannot fail in practice, see CONTROL_HIGH; a core that does not read leaves only
// one way out.
static void
to_core(void *cookie, uint8_t type, const void *msg)
{
	struct loop *p = cookie;
	if (chan_send(p->control, type, 0, msg) == 0)
		return;
	if (chan_flush(p->control) == CHAN_EOF || chan_send(p->control, type, 0, msg) != 0)
		p->exit = SEALER_EXIT_CORE;
}

// --- work list -----------------------------------------------------------------

static void
add_work(struct loop *p, struct sealer_lane *l)
{
	struct sealer_lane_links *k = sealer_lane_links(l);
	if (k->in_work)
		return;
	k->in_work = true;
	k->work_next = NULL;
	*p->work_tail = l;
	p->work_tail = &k->work_next;
}

static void
drop_work(struct loop *p, struct sealer_lane *gone)
{
	struct sealer_lane **at = &p->work;
	while (*at != NULL && *at != gone)
		at = &sealer_lane_links(*at)->work_next;
	if (*at == NULL)
		return;
	*at = sealer_lane_links(gone)->work_next;
	if (*at == NULL)
		p->work_tail = at;
}

static void
remove_lane(struct loop *p, struct sealer_lane *l)
{
	if (sealer_lane_links(l)->in_work)
		drop_work(p, l);
	p->ended[p->ended_next++ % ENDED_MAX] =
	    (struct ended){.lane = sealer_lane_id(l), .fault = sealer_lane_fault(l)};
	sealer_table_remove(p->table, l);
	size_t n = sealer_table_count(p->table);
	if (p->peak - n < TRIM_LANES || n > p->peak / 2)
		return;
	malloc_trim(0);
	p->peak = n;
}

static bool
control_has_room(const struct loop *p)
{
	return chan_backlog(p->control) < CONTROL_HIGH;
}

static bool
can_work(const struct loop *p)
{
	return chan_backlog(p->lanes) < BACKLOG_HIGH && control_has_room(p);
}

static void
run_work(struct loop *p)
{
	while (p->work != NULL && can_work(p)) {
		struct sealer_lane *l = p->work;
		drop_work(p, l);
		sealer_lane_links(l)->in_work = false;
		if (sealer_lane_run(l) == SEALER_LANE_GONE)
			remove_lane(p, l);
	}
}

// --- control -------------------------------------------------------------------

static enum chan_status
on_config(struct loop *p, const struct frame *f)
{
	struct msg_sealer_config m;
	if (chan_decode(p->control, f, &m) != CHAN_OK)
		return CHAN_REJECT;
	const char *why;
	p->env.tls = sealer_tls_ctx_new(m.host, m.ca_pem, &why);
	if (p->env.tls == NULL) {
		log_msg(LOG_ERROR, "cannot serve this credential: %s", why);
		p->exit = SEALER_EXIT_CONFIG;
		return CHAN_EOF;
	}
	if (m.exchange) {
		free(p->env.plain);
		p->env.plain = secmem_alloc(SEALER_PLAIN_CAP);
		p->env.exchange = sealer_exchange_new();
		if (p->env.plain == NULL || p->env.exchange == NULL)
			BUG("SEALER_SECMEM_SIZE is too small");
	}
	p->configured = true;
	chan_set_state(p->control, CHANNEL_READY);
	to_core(p, MSG_SEALER_READY, &(struct msg_empty){0});
	return CHAN_OK;
}

static bool
head_is_sound(struct view head, const struct msg_span *span, size_t count)
{
	if (head.len < 4 || memcmp(head.p + head.len - 4, "\r\n\r\n", 4) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct msg_span *s = &span[i];
		if (s->offset > head.len || s->len > head.len - s->offset || s->public_len > s->len)
			return false;
	}
	return true;
}

static void
learn(struct loop *p, struct view head, const struct msg_span *span, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct msg_span *s = &span[i];
		sealer_guard_learn(p->env.guard,
		    (const uint8_t *)head.p + s->offset + s->public_len, s->len - s->public_len);
	}
}

static enum chan_status
lane_result(struct loop *p, struct sealer_lane *l, enum sealer_lane_result r)
{
	switch (r) {
	case SEALER_LANE_OK:
		add_work(p, l);
		return CHAN_OK;
	case SEALER_LANE_GONE:
		remove_lane(p, l);
		return CHAN_OK;
	default:
		return chan_reject(p->lanes, sealer_lane_why(l));
	}
}

// A request whose lane ended while it was on its way is no one's fault: it gets the
// reason that the lane had.
static void
refuse_seal(struct loop *p, const struct msg_seal *m)
{
	struct msg_lane_fault fault = {.lane = m->lane,
	    .audit_seq = m->audit_seq,
	    .fault = LANE_PROTOCOL,
	    .detail = VIEW("no such lane")};
	for (size_t i = 0; i < ENDED_MAX; i++)
		if (p->ended[i].lane == m->lane && p->ended[i].fault != LANE_OK)
			fault.fault = p->ended[i].fault;
	if (fault.fault != LANE_PROTOCOL)
		fault.detail = VIEW("the lane had ended");
	to_core(p, MSG_LANE_FAULT, &fault);
}

static enum chan_status
on_seal(struct loop *p, const struct frame *f)
{
	struct msg_seal m;
	if (chan_decode(p->control, f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (p->env.exchange != NULL || !head_is_sound(m.head, m.span, m.span_count))
		return chan_reject(p->control, "SEAL with an impossible head or span");
	struct sealer_lane *l = sealer_table_find(p->table, m.lane);
	if (l == NULL) {
		refuse_seal(p, &m);
		return CHAN_OK;
	}
	learn(p, m.head, m.span, m.span_count);
	return lane_result(p, l, sealer_lane_seal(l, &m));
}

static enum chan_status
on_exchange(struct loop *p, const struct frame *f)
{
	struct msg_exchange m;
	if (chan_decode(p->control, f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (p->env.exchange == NULL || !head_is_sound(m.head, m.span, m.span_count) ||
	    sealer_exchange_begin(p->env.exchange, m.format) != 0)
		return chan_reject(p->control, "EXCHANGE that this sealer cannot make");
	learn(p, m.head, m.span, m.span_count);
	struct sealer_lane *l = sealer_table_find(p->table, p->only);
	return l == NULL ? CHAN_OK : lane_result(p, l, sealer_lane_exchange(l, &m));
}

// --- lanes ---------------------------------------------------------------------

static enum chan_status
on_open(struct loop *p, uint64_t id)
{
	if (sealer_table_find(p->table, id) != NULL)
		return chan_reject(p->lanes, "LANE_OPEN of an open lane");
	if (p->env.exchange != NULL && p->opened)
		return chan_reject(p->lanes, "a second lane for an exchange");
	p->opened = true;
	p->only = id;
	if (sealer_table_count(p->table) == SEALER_LANES_MAX)
		return chan_reject(p->lanes, "too many lanes");
	struct sealer_lane *l = sealer_lane_new(&p->env, id);
	sealer_table_add(p->table, l);
	p->peak = MAX(p->peak, sealer_table_count(p->table));
	add_work(p, l);
	return CHAN_OK;
}

static enum chan_status
on_raw(struct loop *p, struct sealer_lane *l, const struct frame *f)
{
	if (f->type == MSG_CIPHER_IN)
		return lane_result(p, l, sealer_lane_cipher_in(l, f->payload, f->len));
	return lane_result(p, l, sealer_lane_body(l, f->payload, f->len));
}

static enum chan_status
on_lane_frame(struct loop *p, const struct frame *f)
{
	union {
		struct msg_empty empty;
		struct msg_credit credit;
	} m = {0};
	bool raw = msg_is_raw(f->type);
	if (!raw && chan_decode(p->lanes, f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (f->type == MSG_LANE_OPEN)
		return on_open(p, f->id);
	struct sealer_lane *l = sealer_table_find(p->table, f->id);
	if (l == NULL)
		return CHAN_OK; // it crossed our LANE_CLOSED on the way
	if (raw)
		return on_raw(p, l, f);
	switch (f->type) {
	case MSG_CREDIT:
		return lane_result(p, l, sealer_lane_credit(l, &m.credit));
	case MSG_LANE_EOF:
		sealer_lane_eof(l);
		return lane_result(p, l, SEALER_LANE_OK);
	case MSG_LANE_CLOSE:
		sealer_lane_close(l, LANE_ABANDONED, "");
		return lane_result(p, l, SEALER_LANE_GONE);
	default:
		BUG("a message that the permission table lets through has no handler");
	}
}

// --- loop ----------------------------------------------------------------------

static enum chan_status
on_control_frame(struct loop *p, const struct frame *f)
{
	return f->type == MSG_SEAL	 ? on_seal(p, f)
	       : f->type == MSG_EXCHANGE ? on_exchange(p, f)
					 : on_config(p, f);
}

static enum chan_status
drain_control(struct loop *p)
{
	enum chan_status s = chan_read(p->control);
	struct frame f;
	while (s == CHAN_OK && (s = chan_next(p->control, &f)) == CHAN_OK)
		s = on_control_frame(p, &f);
	return s == CHAN_AGAIN ? CHAN_OK : s;
}

static enum chan_status
drain_lanes(struct loop *p)
{
	enum chan_status s = p->lanes_waiting ? CHAN_OK : chan_read(p->lanes);
	p->lanes_waiting = false;
	struct frame f;
	while (s == CHAN_OK) {
		if (!control_has_room(p)) {
			p->lanes_waiting = true;
			return CHAN_OK;
		}
		if (chan_backlog(p->lanes) > BACKLOG_MAX)
			return chan_reject(p->lanes, "it does not read what is sent to it");
		s = chan_next(p->lanes, &f);
		if (s == CHAN_OK)
			s = on_lane_frame(p, &f);
	}
	return s == CHAN_AGAIN ? CHAN_OK : s;
}

static void
settle_exit(struct loop *p, enum chan_status s)
{
	if (s != CHAN_REJECT)
		return;
	bool gateway = chan_reason(p->lanes)[0] != '\0';
	log_msg(LOG_ERROR, "%s rejected: %s", gateway ? "gateway" : "vault",
	    chan_reason(gateway ? p->lanes : p->control));
	p->exit = gateway ? SEALER_EXIT_GATEWAY : SEALER_EXIT_CORE;
}

static short
events_of(const struct chan *c)
{
	return (short)(POLLIN | (chan_backlog(c) != 0 ? POLLOUT : 0));
}

// Waits for the descriptors, unless work is left that can go on at once.
static int
wait_for_events(const struct loop *p, struct pollfd fd[2])
{
	bool take_lanes = p->configured && control_has_room(p);
	bool busy = (p->work != NULL && can_work(p)) || (p->lanes_waiting && take_lanes);
	fd[0] = (struct pollfd){.fd = chan_fd(p->control), .events = events_of(p->control)};
	fd[1] = (struct pollfd){
	    .fd = take_lanes ? chan_fd(p->lanes) : -1, .events = events_of(p->lanes)};
	return ppoll(fd, 2, busy ? &(struct timespec){0} : NULL, NULL);
}

// One turn. Lanes are read before control, so that body bytes which came with the
// request are there when its head is sealed.
static enum chan_status
turn(struct loop *p)
{
	struct pollfd fd[2];
	if (wait_for_events(p, fd) < 0)
		return errno == EINTR ? CHAN_OK : CHAN_EOF;
	enum chan_status s = CHAN_OK;
	if (fd[1].revents & ~POLLOUT || (p->lanes_waiting && control_has_room(p)))
		s = drain_lanes(p);
	if (s == CHAN_OK && fd[0].revents & ~POLLOUT)
		s = drain_control(p);
	if (s == CHAN_OK)
		run_work(p);
	// Control first: the core knows a verified lane before the gateway can use it.
	if (chan_flush(p->control) == CHAN_EOF && s == CHAN_OK)
		s = CHAN_EOF;
	if (s == CHAN_OK && chan_flush(p->lanes) == CHAN_EOF)
		s = CHAN_EOF;
	return s == CHAN_OK && p->exit != SEALER_EXIT_OK ? CHAN_EOF : s;
}

static void
set_up(struct loop *p, int control, int lanes)
{
	p->control = chan_new(control, ROLE_CORE_AT_SEALER, CHAN_SECRET);
	p->lanes = chan_new(lanes, ROLE_GATEWAY_AT_SEALER, 0);
	p->table = sealer_table_new();
	p->work_tail = &p->work;
	p->env = (struct sealer_env){
	    .guard = sealer_guard_new(),
	    .port = {.to_gateway = to_gateway,
		.to_gateway_raw = to_gateway_raw,
		.to_core = to_core,
		.cookie = p},
	    .scratch = secmem_alloc(SEALER_TLS_RECORD_MAX),
	    .plain = base_calloc(1, SEALER_PLAIN_CAP),
	};
	if (p->control == NULL || p->env.guard == NULL || p->env.scratch == NULL)
		BUG("SEALER_SECMEM_SIZE is too small");
}

static void
tear_down(struct loop *p)
{
	sealer_table_free(p->table);
	sealer_guard_free(p->env.guard);
	sealer_tls_ctx_free(p->env.tls);
	secmem_free(p->env.scratch);
	if (p->env.exchange != NULL)
		secmem_free(p->env.plain);
	else
		free(p->env.plain);
	sealer_exchange_free(p->env.exchange);
	chan_free(p->control);
	chan_free(p->lanes);
}

enum sealer_exit
sealer_loop_run(int control, int lanes)
{
	struct loop p = {0};
	set_up(&p, control, lanes);
	enum chan_status s;
	do
		s = turn(&p);
	while (s == CHAN_OK);
	settle_exit(&p, s);
	tear_down(&p);
	return p.exit;
}
