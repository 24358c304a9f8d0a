// SPDX-License-Identifier: Apache-2.0
// Sealers seen from the core. May touch: socketpairs, the zygote's channel, the
// control channels of sealers.
#include "vaultd/lane_ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"
#include "vaultd/exchange.h"
#include "vaultd/lane_note.h"

#define SLOTS	     1024U // live sealers and dead ones whose EXITED is still to come
#define SEALER_MAGIC 0x7365616cU
// Heads that wait for a sealer lie in secret memory, which is everybody's.
#define SEALER_BACKLOG 262144U
#define SEALERS_EACH   4U     // of one credential for one worker
#define CONFIG_EXTRA   8192U  // secret memory of a new sealer beyond its certificates
#define SEAL_ROOM      65536U // likewise to hand over one head

struct lane {
	uint64_t id;
	uint64_t held;	   // request whose intent is on its way, 0: none
	uint64_t busy_seq; // audit record of the request on it, 0: none known
};

struct sealer {
	unsigned magic;
	struct lane_ctl *ctl;
	uint64_t id;
	struct link *link; // NULL: the channel is over, only EXITED may still come
	uint64_t gateway;
	uint64_t credential;
	uint64_t version;
	char credential_id[CRED_ID_SIZE];
	bool ready;	    // SEALER_READY came
	bool blame_gateway; // for what the sealer is rejected for
	bool gone;	    // the gateway was told; nothing new goes here
	uint64_t gone_ns;
	uint64_t used_ns;
	struct lane *lane;
	size_t lane_count;
	size_t lane_cap;
};

struct lane_ctl {
	struct core *core;
	struct link *zygote;
	struct sealer *slot[SLOTS];
	size_t live;
	size_t starting; // of those, not ready yet
	uint64_t opened; // counts up; id = opened * SLOTS + slot
};

// --- finding -----------------------------------------------------------------------

static struct sealer *
find(struct lane_ctl *c, uint64_t id)
{
	struct sealer *s = c->slot[id % SLOTS];
	return s != NULL && s->id == id ? s : NULL;
}

static struct lane *
find_lane(struct sealer *s, uint64_t id)
{
	for (size_t i = 0; i < s->lane_count; i++)
		if (s->lane[i].id == id)
			return &s->lane[i];
	return NULL;
}

static void
drop_lane(struct sealer *s, uint64_t id)
{
	struct lane *l = find_lane(s, id);
	if (l != NULL)
		*l = s->lane[--s->lane_count];
}

static bool
has_busy_lane(const struct sealer *s)
{
	for (size_t i = 0; i < s->lane_count; i++)
		if (s->lane[i].held != 0 || s->lane[i].busy_seq != 0)
			return true;
	return false;
}

// --- the end of a sealer -------------------------------------------------------------

static void
forget(struct sealer *s)
{
	s->ctl->slot[s->id % SLOTS] = NULL;
	free(s->lane);
	s->magic = 0;
	free(s);
}

static void
tell_gateway(struct sealer *s, const char *reason)
{
	if (s->gone)
		return;
	s->gone = true;
	s->gone_ns = clock_mono_ns();
	struct gateway *gw = gateway_by_id(s->ctl->core->gateways, s->gateway);
	if (gw == NULL)
		return;
	struct msg_sealer_gone m = {.sealer = s->id, .reason = view_of(reason)};
	(void)link_send(gw->link, MSG_SEALER_GONE, 0, &m); // cannot fail: not a secret channel
}

// Closing the control channel makes the sealer exit; its slot waits for EXITED.
static void
cut(struct sealer *s, const char *reason)
{
	tell_gateway(s, reason);
	if (s->link == NULL)
		return;
	link_free(s->link);
	s->link = NULL;
	s->ctl->live--;
	s->ctl->starting -= !s->ready;
}

static struct lane_note_who
who_of(const struct sealer *s)
{
	return (struct lane_note_who){s->ctl->core, s->id, s->credential_id, s->version};
}

static enum chan_status
on_exited(struct lane_ctl *c, struct link *l, const struct frame *f)
{
	struct msg_exited m;
	if (chan_decode(link_chan(l), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (m.sealer & EXCHANGE_SEALER) {
		exchange_on_exited(c->core, &m);
		return CHAN_OK;
	}
	struct sealer *s = find(c, m.sealer);
	if (s == NULL)
		return chan_reject(link_chan(l), "EXITED of an unknown sealer");
	struct lane_note_who who = who_of(s);
	lane_note_exit(&who, &m);
	cut(s, "died");
	forget(s);
	return CHAN_OK;
}

static enum chan_status
on_zygote_frame(void *cookie, struct link *l, const struct frame *f)
{
	return on_exited(cookie, l, f);
}

// Without a zygote there are no new sealers: the service manager starts us anew.
static void
on_zygote_close(void *cookie, struct link *l, enum chan_status why)
{
	(void)cookie;
	log_fatal("the sealer zygote is gone (%s): ending, to be started again",
	    why == CHAN_REJECT ? chan_reason(link_chan(l)) : "channel closed");
}

// --- frames of a sealer --------------------------------------------------------------

static enum chan_status
on_verified(struct sealer *s, const struct frame *f)
{
	struct msg_lane_verified m;
	if (chan_decode(link_chan(s->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (find_lane(s, m.lane) != NULL)
		return chan_reject(link_chan(s->link), "lane verified twice");
	if (s->lane_count == SEALER_LANES_MAX) {
		s->blame_gateway = true; // it alone opens lanes
		return chan_reject(link_chan(s->link), "too many lanes");
	}
	if (s->lane_count == s->lane_cap) {
		s->lane_cap = MAX(s->lane_cap * 2, 8U);
		s->lane = base_realloc(s->lane, s->lane_cap * sizeof(*s->lane));
	}
	s->lane[s->lane_count++] = (struct lane){.id = m.lane};
	return CHAN_OK;
}

static enum chan_status
on_fault(struct sealer *s, const struct frame *f)
{
	struct msg_lane_fault m;
	if (chan_decode(link_chan(s->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	drop_lane(s, m.lane);
	struct lane_note_who who = who_of(s);
	lane_note_fault(&who, &m);
	return CHAN_OK;
}

static enum chan_status
on_sealer_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct sealer *s = cookie;
	CHECK_OBJ(s, SEALER_MAGIC);
	switch (f->type) {
	case MSG_SEALER_READY:
		s->ready = true;
		s->ctl->starting--;
		chan_set_state(link_chan(l), CHANNEL_READY);
		return CHAN_OK;
	case MSG_LANE_VERIFIED:
		return on_verified(s, f);
	case MSG_LANE_FAULT:
		return on_fault(s, f);
	default:
		return chan_reject(link_chan(l), "unexpected message");
	}
}

static void
on_sealer_close(void *cookie, struct link *l, enum chan_status why)
{
	struct sealer *s = cookie;
	CHECK_OBJ(s, SEALER_MAGIC);
	struct lane_note_who who = who_of(s);
	if (why == CHAN_REJECT)
		lane_note_rejected(&who, s->blame_gateway, chan_reason(link_chan(l)));
	cut(s, "died");
}

// --- opening -------------------------------------------------------------------------

struct lane_ctl *
lane_ctl_new(struct core *core, int zygote)
{
	struct lane_ctl *c = base_calloc(1, sizeof(*c));
	c->core = core;
	struct chan *ch = chan_new(zygote, ROLE_ZYGOTE_AT_CORE, 0);
	BUG_IF(ch == NULL);
	c->zygote = link_new(core->base, ch, on_zygote_frame, on_zygote_close, c);
	return c;
}

void
lane_ctl_free(struct lane_ctl *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++) {
		if (c->slot[i] == NULL)
			continue;
		cut(c->slot[i], "stopping");
		forget(c->slot[i]);
	}
	link_free(c->zygote);
	free(c);
}

// The worker's own sealer that has been without work for longest makes room for a new
// one; another worker's never does.
static bool
make_room(struct lane_ctl *c, uint64_t gateway)
{
	struct sealer *oldest = NULL;
	if (c->live < LANE_CTL_SEALERS_MAX)
		return true;
	for (size_t i = 0; i < SLOTS; i++) {
		struct sealer *s = c->slot[i];
		if (s != NULL && s->link != NULL && s->gateway == gateway && s->lane_count == 0 &&
		    (oldest == NULL || s->used_ns < oldest->used_ns))
			oldest = s;
	}
	if (oldest == NULL)
		return false;
	cut(oldest, "idle");
	return true;
}

static size_t
free_slot(const struct lane_ctl *c)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (c->slot[(c->opened + i) % SLOTS] == NULL)
			return (c->opened + i) % SLOTS;
	return SLOTS;
}

// The receiving side of a control channel sees small messages only; what it sends
// holds secrets.
// Takes ownership of fd, also when it fails.
static struct link *
open_control(struct sealer *s, int fd, const struct cred *cred)
{
	struct chan *ch = chan_new(fd, ROLE_SEALER_AT_CORE, CHAN_SECRET | CHAN_SMALL);
	if (ch == NULL) {
		close(fd);
		return NULL;
	}
	struct msg_sealer_config m = {.host = view_of(cred->host), .ca_pem = cred->ca_pem};
	struct link *l = link_new(s->ctl->core->base, ch, on_sealer_frame, on_sealer_close, s);
	if (link_send(l, MSG_SEALER_CONFIG, 0, &m) != 0) {
		link_free(l);
		return NULL;
	}
	return l;
}

static struct sealer *
new_sealer(struct gateway *gw, uint64_t handle, const struct cred *cred, size_t slot)
{
	struct lane_ctl *c = gw->core->lanes;
	struct sealer *s = base_calloc(1, sizeof(*s));
	s->magic = SEALER_MAGIC;
	s->ctl = c;
	s->id = ++c->opened * SLOTS + slot;
	s->gateway = gw->id;
	s->credential = handle;
	s->version = cred->version;
	s->used_ns = clock_mono_ns();
	memcpy(s->credential_id, cred->id, sizeof(s->credential_id));
	return s;
}

// Sealers leave `quarters` of their share of secret memory at most filled: starting them
// must not keep heads from being sealed, and neither keeps the administrator out.
static bool
memory_left(const struct core *core, size_t quarters, size_t need)
{
	size_t limit = core->secret_limit / 4 * quarters;
	return limit == 0 || (need < limit && secmem_used() < limit - need);
}

bool
lane_ctl_memory_left(const struct core *core, size_t need)
{
	return memory_left(core, 3, need);
}

void
lane_ctl_fork(struct lane_ctl *c, uint64_t sealer, const int fds[2])
{
	(void)link_send_fds(c->zygote, MSG_FORK, 0, &(struct msg_fork){.sealer = sealer}, fds, 2);
}

static bool
open_sealer(
    struct gateway *gw, uint64_t request, uint64_t handle, const struct cred *cred, struct deny *d)
{
	struct lane_ctl *c = gw->core->lanes;
	int control[2], lanes[2];
	size_t slot = free_slot(c);
	if (c->starting >= LANE_CTL_STARTING_MAX)
		return deny_set(d, DENY_VAULT_BUSY, "Many sealers are being started. Try again.");
	if (!memory_left(gw->core, 3, CONFIG_EXTRA + 2 * cred->ca_pem.len))
		return deny_set(
		    d, DENY_VAULT_BUSY, "The vault's secret memory is full. Try again.");
	if (slot == SLOTS || !make_room(c, gw->id))
		return deny_set(d, DENY_VAULT_BUSY, "All %u sealers are at work. Try again.",
		    LANE_CTL_SEALERS_MAX);
	if (sock_pair(control) != 0)
		return deny_set(d, DENY_VAULT_BUSY, "The vault is out of descriptors.");
	if (sock_pair(lanes) != 0) {
		close(control[0]);
		close(control[1]);
		return deny_set(d, DENY_VAULT_BUSY, "The vault is out of descriptors.");
	}
	struct sealer *s = new_sealer(gw, handle, cred, slot);
	s->link = open_control(s, control[0], cred);
	if (s->link == NULL) { // control[0] is closed by then
		free(s);
		close(control[1]);
		close(lanes[0]);
		close(lanes[1]);
		return deny_set(
		    d, DENY_VAULT_BUSY, "The vault's secret memory is full. Try again.");
	}
	c->slot[slot] = s;
	c->live++;
	c->starting++;
	lane_ctl_fork(c, s->id, (const int[]){control[1], lanes[1]});
	struct msg_sealer m = {.credential = handle, .sealer = s->id};
	(void)link_send_fds(gw->link, MSG_SEALER, request, &m, &lanes[0], 1);
	return true;
}

// A worker needs one sealer of a credential, and a second while it replaces the first.
static bool
has_enough(const struct lane_ctl *c, uint64_t gateway, uint64_t credential)
{
	size_t n = 0;
	for (size_t i = 0; i < SLOTS; i++) {
		const struct sealer *s = c->slot[i];
		n += s != NULL && s->link != NULL && !s->gone && s->gateway == gateway &&
		     s->credential == credential;
	}
	return n >= SEALERS_EACH;
}

enum chan_status
lane_ctl_on_open(struct gateway *gw, const struct frame *f)
{
	struct msg_sealer_open m;
	struct deny d = {0};
	if (chan_decode(link_chan(gw->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (!gateway_takes_sealers(gw))
		return chan_reject(link_chan(gw->link), "does not take the sealers it asks for");
	const struct cred *cred = cred_by_handle(gw->core->creds, m.credential);
	if (!gateway_may_open(gw, &d))
		; // denied
	else if (cred == NULL)
		deny_set(&d, DENY_NO_CREDENTIAL, "The credential was removed. Ask for a new plan.");
	else if (!cred->enabled)
		deny_set(&d, DENY_CREDENTIAL_DISABLED, "The credential is switched off.");
	else if (has_enough(gw->core->lanes, gw->id, m.credential))
		deny_set(&d, DENY_VAULT_BUSY, "This worker has sealers of the credential already.");
	else if (open_sealer(gw, f->id, m.credential, cred, &d))
		return CHAN_OK;
	gw->core->denials++;
	struct msg_deny answer = deny_message(&d);
	(void)link_send(gw->link, MSG_DENY, f->id, &answer);
	return CHAN_OK;
}

// --- using ---------------------------------------------------------------------------

bool
lane_ctl_check(struct lane_ctl *c, uint64_t gateway, uint64_t sealer, uint64_t lane,
    uint64_t credential, uint64_t version, struct deny *d)
{
	struct sealer *s = find(c, sealer);
	if (s == NULL || s->link == NULL || s->gateway != gateway)
		return deny_set(d, DENY_LANE_MISMATCH, "There is no such sealer. Open one.");
	if (s->credential != credential)
		return deny_set(d, DENY_LANE_MISMATCH, "The sealer belongs to another credential.");
	if (s->gone || s->version != version)
		return deny_set(
		    d, DENY_LANE_MISMATCH, "The credential was changed. Open a new sealer.");
	// One audit commit may release many at once: written before one is refused.
	if (link_backlog(s->link) > SEALER_BACKLOG && chan_flush(link_chan(s->link)) != CHAN_OK)
		return deny_set(d, DENY_VAULT_BUSY, "The sealer takes no more work. Try again.");
	const struct lane *l = find_lane(s, lane);
	if (l == NULL)
		return deny_set(d, DENY_LANE_MISMATCH, "The lane has no verified provider (yet).");
	if (l->held != 0)
		return deny_set(d, DENY_LANE_MISMATCH, "The lane is taken by another request.");
	return true;
}

bool
lane_ctl_is_behind(struct lane_ctl *c, uint64_t sealer)
{
	const struct sealer *s = find(c, sealer);
	return s != NULL && s->link != NULL && link_backlog(s->link) > SEALER_BACKLOG / 4;
}

void
lane_ctl_hold(struct lane_ctl *c, uint64_t sealer, uint64_t lane, uint64_t request)
{
	struct sealer *s = find(c, sealer);
	struct lane *l = s == NULL ? NULL : find_lane(s, lane);
	BUG_IF(l == NULL || l->held != 0 || request == 0);
	l->held = request;
	s->used_ns = clock_mono_ns();
}

bool
lane_ctl_holds(struct lane_ctl *c, uint64_t sealer, uint64_t lane, uint64_t request)
{
	struct sealer *s = find(c, sealer);
	const struct lane *l = s == NULL ? NULL : find_lane(s, lane);
	return l != NULL && l->held == request;
}

void
lane_ctl_unhold(struct lane_ctl *c, uint64_t sealer, uint64_t lane, uint64_t request)
{
	struct sealer *s = find(c, sealer);
	struct lane *l = s == NULL ? NULL : find_lane(s, lane);
	if (l != NULL && l->held == request)
		l->held = 0;
}

int
lane_ctl_seal(struct lane_ctl *c, uint64_t sealer, uint64_t request, const struct msg_seal *m)
{
	struct sealer *s = find(c, sealer);
	struct lane *l = s == NULL ? NULL : find_lane(s, m->lane);
	BUG_IF(l == NULL || s->link == NULL);
	size_t room = SEAL_ROOM + 2 * link_backlog(s->link);
	if (!memory_left(c->core, 4, room) || link_send(s->link, MSG_SEAL, request, m) != 0)
		return -1;
	l->busy_seq = m->audit_seq;
	return 0;
}

void
lane_ctl_settled(struct lane_ctl *c, uint64_t sealer, uint64_t lane, uint64_t audit_seq)
{
	struct sealer *s = find(c, sealer);
	struct lane *l = s == NULL ? NULL : find_lane(s, lane);
	if (l == NULL || l->busy_seq != audit_seq)
		return;
	l->busy_seq = 0;
	s->used_ns = clock_mono_ns();
}

void
lane_ctl_settled_late(struct lane_ctl *c, uint64_t gateway, uint64_t audit_seq)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct sealer *s = c->slot[i];
		for (size_t k = 0; s != NULL && s->gateway == gateway && k < s->lane_count; k++)
			lane_ctl_settled(c, s->id, s->lane[k].id, audit_seq);
	}
}

// --- ageing --------------------------------------------------------------------------

void
lane_ctl_credential_changed(struct lane_ctl *c, uint64_t credential)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (c->slot[i] != NULL && c->slot[i]->credential == credential)
			tell_gateway(c->slot[i], "revoked");
}

void
lane_ctl_gateway_gone(struct lane_ctl *c, uint64_t gateway)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (c->slot[i] != NULL && c->slot[i]->gateway == gateway)
			cut(c->slot[i], "gateway");
}

size_t
lane_ctl_count(const struct lane_ctl *c)
{
	return c->live;
}

void
lane_ctl_tick(struct lane_ctl *c)
{
	uint64_t now = clock_mono_ns();
	for (size_t i = 0; i < SLOTS; i++) {
		struct sealer *s = c->slot[i];
		if (s == NULL || s->link == NULL)
			continue;
		if (s->gone && now - s->gone_ns > LANE_CTL_STALE_NS)
			cut(s, "stale");
		else if (!s->gone && now - s->used_ns > LANE_CTL_IDLE_NS && !has_busy_lane(s))
			cut(s, "idle");
	}
}
