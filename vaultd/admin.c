// SPDX-License-Identifier: Apache-2.0
// The administrator's channels. May touch: descriptors accepted on the admin socket,
// the tables, the audit link; the change itself is in admin_change.c.
#include "vaultd/admin.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "vaultd/admin_catalogue.h"
#include "vaultd/admin_change.h"
#include "vaultd/audit_link.h"
#include "vaultd/audit_note.h"
#include "vaultd/cred_test.h"
#include "vaultd/gateway.h"
#include "vaultd/issuer.h"
#include "vaultd/lane_ctl.h"
#include "vaultd/token.h"

#define ADMIN_MAGIC  0x61646d6eU
#define LIST_BACKLOG 65536U // answers queued before a list waits for the reader

struct admin {
	unsigned magic;
	struct admins *set;
	struct link *link;
	uint64_t id;
	unsigned uid;
	uint64_t list_frame; // frame id of the list being sent
	uint8_t list_type;   // 0: none
	size_t list_next;
	struct event *list_event;
	struct admin_catalogue catalogue;
	struct admin *next;
};

struct admins {
	struct core *core;
	struct admin *first;
	size_t count;
	uint64_t next_id;
};

struct admins *
admin_set_new(struct core *core)
{
	struct admins *a = base_calloc(1, sizeof(*a));
	a->core = core;
	a->next_id = 1;
	return a;
}

static void
gone(struct admin *ad)
{
	struct admin **at = &ad->set->first;
	while (*at != ad)
		at = &(*at)->next;
	*at = ad->next;
	ad->set->count--;
	event_free(ad->list_event);
	admin_catalogue_clear(&ad->catalogue);
	link_free(ad->link);
	ad->magic = 0;
	free(ad);
}

void
admin_set_free(struct admins *a)
{
	if (a == NULL)
		return;
	while (a->first != NULL)
		gone(a->first);
	free(a);
}

static struct admin *
by_id(struct admins *a, uint64_t id)
{
	for (struct admin *ad = a->first; ad != NULL; ad = ad->next)
		if (ad->id == id)
			return ad;
	return NULL;
}

// --- answers -------------------------------------------------------------------------

// A full secret arena ends the channel: the client sees it and tries again.
static void
answer(struct admin *ad, uint8_t type, uint64_t frame, const void *msg)
{
	if (link_send(ad->link, type, frame, msg) != 0)
		log_msg(LOG_ERROR, "admin: secret memory is full, an answer is lost");
}

static void
answer_error(struct admin *ad, uint64_t frame, const struct admin_error *e)
{
	struct msg_error m = {.code = view_of(e->code), .message = view_of(e->message)};
	answer(ad, MSG_ERROR, frame, &m);
}

// One change at a time: while it is being recorded nobody's next message is read.
static void
pause_all(struct admins *a, bool paused)
{
	for (struct admin *ad = a->first; ad != NULL; ad = ad->next)
		if (ad->list_type == 0 || paused)
			link_pause(ad->link, paused);
}

static void
on_changed(void *cookie, uint64_t admin, uint64_t frame, const struct admin_result *r)
{
	struct admins *a = cookie;
	struct admin *ad = by_id(a, admin);
	if (ad != NULL) {
		if (r->error != NULL)
			answer_error(ad, frame, r->error);
		else if (r->issued != NULL)
			answer(ad, MSG_VKEY_ISSUED, frame, r->issued);
		else
			answer(ad, MSG_DONE, frame, &(struct msg_done){.version = r->version});
	}
	pause_all(a, false);
}

// --- status and lists ----------------------------------------------------------------

static void
on_status(struct admin *ad, uint64_t frame)
{
	struct core *core = ad->set->core;
	struct msg_status_reply m = {.version = VIEW(SALLYPORT_VERSION),
	    .uptime_s = (clock_mono_ns() - core->started_ns) / 1000000000U,
	    .secret_memory = core->memory == SECMEM_MEMFD ? VIEW("memfd_secret") : VIEW("locked"),
	    .audit_connected = audit_link_ready(core->audit),
	    .gateways = gateway_count(core->gateways),
	    .sealers = lane_ctl_count(core->lanes),
	    .credentials = cred_count(core->creds),
	    .vkeys = vkey_count(core->vkeys),
	    .uses = core->uses,
	    .denials = core->denials};
	answer(ad, MSG_STATUS_REPLY, frame, &m);
}

static void
on_issuer_get(struct admin *ad, uint64_t frame)
{
	struct msg_issuer_item m;
	issuer_tell(ad->set->core->issuer, clock_wall_ns() / 1000000000U, &m);
	answer(ad, MSG_ISSUER_ITEM, frame, &m);
}

static void
send_credential(struct admin *ad, const struct cred *c)
{
	const struct core *core = ad->set->core;
	struct msg_credential_item m = {.name = view_of(c->name),
	    .id = view_of(c->id),
	    .version = c->version,
	    .provider = c->provider,
	    .auth = c->auth,
	    .host = view_of(c->host),
	    .port = c->port,
	    .region = view_of(c->region),
	    .access_key_id = view_of(c->access_key_id),
	    .hint = view_of(c->hint),
	    .workspace = view_of(c->workspace),
	    .rate_per_minute = c->rate_per_minute,
	    .enabled = c->enabled,
	    .has_session_token = c->has_session_token,
	    .has_ca = c->ca_pem.len != 0,
	    .uses = c->uses,
	    .last_used_s = c->last_used_s,
	    .token_expires_s = token_expires_s(
		core->tokens, cred_handle(core->creds, c), clock_wall_ns() / 1000000000U)};
	names_fill(&c->models, m.model, &m.model_count);
	cred_extra_fill_settings(&c->extra, m.setting, &m.setting_count);
	cred_extra_fill_deployments(&c->extra, m.deployment, &m.deployment_count);
	for (uint64_t op = 1; op <= OP_LAST; op++)
		if (c->operations >> op & 1)
			m.operation[m.operation_count++].name = view_of(ids_operation(op));
	answer(ad, MSG_CREDENTIAL_ITEM, ad->list_frame, &m);
}

static void
send_vkey(struct admin *ad, const struct vkey *k)
{
	struct msg_vkey_item m = {.id = view_of(k->id),
	    .name = view_of(k->name),
	    .workspace = view_of(k->workspace),
	    .revoked = k->revoked,
	    .created_s = k->created_s,
	    .last_used_s = k->last_used_s,
	    .rate_per_minute = k->rate_per_minute};
	names_fill(&k->credentials, m.credential, &m.credential_count);
	names_fill(&k->models, m.model, &m.model_count);
	answer(ad, MSG_VKEY_ITEM, ad->list_frame, &m);
}

// The next item; false if there is none.
static bool
send_item(struct admin *ad)
{
	struct core *core = ad->set->core;
	if (ad->list_type == MSG_CATALOGUE_GET)
		return admin_catalogue_next(&ad->catalogue, ad->link, ad->list_frame);
	bool creds = ad->list_type == MSG_CREDENTIAL_LIST;
	if (ad->list_next >= (creds ? cred_slots(core->creds) : vkey_slots(core->vkeys)))
		return false;
	size_t i = ad->list_next++;
	if (!creds)
		send_vkey(ad, vkey_at(core->vkeys, i));
	else if (cred_at(core->creds, i) != NULL)
		send_credential(ad, cred_at(core->creds, i));
	return true;
}

// Sends items until enough is queued, then comes back when the reader has taken them.
static void
send_list(struct admin *ad)
{
	while (link_backlog(ad->link) < LIST_BACKLOG) {
		if (send_item(ad))
			continue;
		if (ad->list_type != MSG_CATALOGUE_GET) // END ended that one
			answer(ad, MSG_DONE, ad->list_frame, &(struct msg_done){0});
		ad->list_type = 0;
		if (!admin_change_running(ad->set->core))
			link_pause(ad->link, false);
		return;
	}
	event_add(ad->list_event, &(struct timeval){.tv_usec = 2000});
}

static void
on_list_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct admin *ad = arg;
	CHECK_OBJ(ad, ADMIN_MAGIC);
	send_list(ad);
}

static void
begin_list(struct admin *ad, const struct frame *f)
{
	ad->list_type = f->type;
	ad->list_frame = f->id;
	ad->list_next = 0;
	link_pause(ad->link, true); // the next request waits for the end of the list
	send_list(ad);
}

// --- tests of credentials --------------------------------------------------------------

static void
on_tested(void *cookie, uint64_t admin, uint64_t frame, const struct msg_credential_tested *m)
{
	struct admins *a = cookie;
	struct admin *ad = by_id(a, admin);
	if (ad != NULL)
		answer(ad, MSG_CREDENTIAL_TESTED, frame, m);
}

// Nobody waits for its end: it takes seconds, and changes nothing.
static enum chan_status
on_test(struct admin *ad, const struct frame *f)
{
	struct msg_credential_test m;
	struct admin_error e = {0};
	if (chan_decode(link_chan(ad->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	struct cred_test_who who = {.core = ad->set->core,
	    .uid = ad->uid,
	    .admin = ad->id,
	    .frame = f->id,
	    .done = on_tested,
	    .cookie = ad->set};
	if (!cred_test_begin(&who, &m, &e))
		answer_error(ad, f->id, &e);
	return CHAN_OK;
}

// --- changes -------------------------------------------------------------------------

static struct admin_who
who_is(struct admin *ad, uint64_t frame)
{
	return (struct admin_who){.core = ad->set->core,
	    .uid = ad->uid,
	    .admin = ad->id,
	    .frame = frame,
	    .done = on_changed,
	    .cookie = ad->set};
}

static void
after_change(struct admin *ad, uint64_t frame, bool begun, const struct admin_error *e)
{
	if (begun)
		pause_all(ad->set, true);
	else if (e->code != NULL)
		answer_error(ad, frame, e);
	else // nothing to change
		answer(ad, MSG_DONE, frame, &(struct msg_done){0});
}

static enum chan_status
on_change(struct admin *ad, const struct frame *f)
{
	union {
		struct msg_credential_put put;
		struct msg_credential_set set;
		struct msg_vkey_issue issue;
		struct msg_vkey_revoke revoke;
		struct msg_issuer_set issuer;
	} m;
	struct admin_error e = {0};
	if (chan_decode(link_chan(ad->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	struct admin_who who = who_is(ad, f->id);
	bool begun = f->type == MSG_CREDENTIAL_PUT   ? admin_change_put(&who, &m.put, &e)
		     : f->type == MSG_CREDENTIAL_SET ? admin_change_set(&who, &m.set, &e)
		     : f->type == MSG_VKEY_ISSUE     ? admin_change_issue(&who, &m.issue, &e)
		     : f->type == MSG_ISSUER_SET     ? admin_change_issuer(&who, &m.issuer, &e)
						     : admin_change_revoke(&who, &m.revoke, &e);
	after_change(ad, f->id, begun, &e);
	return CHAN_OK;
}

static enum chan_status
on_catalogue(struct admin *ad, const struct frame *f)
{
	struct admin_error e = {0};
	bool whole = false;
	enum chan_status s = admin_catalogue_take(&ad->catalogue, ad->link, f, &whole);
	if (s != CHAN_OK || !whole)
		return s;
	struct admin_who who = who_is(ad, f->id);
	bool begun = admin_catalogue_apply(&who, &ad->catalogue, &e);
	admin_catalogue_clear(&ad->catalogue);
	after_change(ad, f->id, begun, &e);
	return CHAN_OK;
}

static enum chan_status
on_catalogue_get(struct admin *ad, const struct frame *f)
{
	struct msg_catalogue_get m;
	struct admin_error e = {0};
	if (chan_decode(link_chan(ad->link), f, &m) != CHAN_OK)
		return CHAN_REJECT;
	if (admin_catalogue_tell(ad->set->core, &ad->catalogue, &m, &e))
		begin_list(ad, f);
	else
		answer_error(ad, f->id, &e);
	return CHAN_OK;
}

static enum chan_status
on_frame(void *cookie, struct link *l, const struct frame *f)
{
	struct admin *ad = cookie;
	CHECK_OBJ(ad, ADMIN_MAGIC);
	struct msg_empty empty;
	switch (f->type) {
	case MSG_STATUS:
	case MSG_CREDENTIAL_LIST:
	case MSG_VKEY_LIST:
	case MSG_ISSUER_GET:
		if (chan_decode(link_chan(l), f, &empty) != CHAN_OK)
			return CHAN_REJECT;
		if (f->type == MSG_STATUS)
			on_status(ad, f->id);
		else if (f->type == MSG_ISSUER_GET)
			on_issuer_get(ad, f->id);
		else
			begin_list(ad, f);
		return CHAN_OK;
	case MSG_CREDENTIAL_TEST:
		return on_test(ad, f);
	case MSG_CREDENTIAL_PUT:
	case MSG_CREDENTIAL_SET:
	case MSG_VKEY_ISSUE:
	case MSG_VKEY_REVOKE:
	case MSG_ISSUER_SET:
		return on_change(ad, f);
	case MSG_CATALOGUE_BEGIN:
	case MSG_CATALOGUE_HOST:
	case MSG_CATALOGUE_OP:
	case MSG_CATALOGUE_MODEL:
	case MSG_CATALOGUE_PROFILE:
	case MSG_CATALOGUE_END:
		return on_catalogue(ad, f);
	case MSG_CATALOGUE_GET:
		return on_catalogue_get(ad, f);
	default:
		return chan_reject(link_chan(l), "unexpected message");
	}
}

static void
on_close(void *cookie, struct link *l, enum chan_status why)
{
	struct admin *ad = cookie;
	CHECK_OBJ(ad, ADMIN_MAGIC);
	if (why == CHAN_REJECT) {
		const char *reason = chan_reason(link_chan(l));
		log_msg(LOG_ERROR, "admin (uid %u) broke the protocol: %s", ad->uid, reason);
		audit_note_add(ad->set->core->notes, NOTE_PEER_REJECTED,
		    &(struct note){.event = EVENT_PEER_REJECTED,
			.result = RESULT_DENIED,
			.user = "admin",
			.code = "protocol",
			.reason = view_of(reason)});
	}
	gone(ad);
}

void
admin_accept(struct admins *a, int fd, unsigned uid)
{
	struct chan *c =
	    a->count < ADMIN_MAX ? chan_new(fd, ROLE_ADMIN_AT_CORE, CHAN_SECRET) : NULL;
	if (c == NULL) {
		log_msg(LOG_ERROR, "admin: too many connections: refused one");
		close(fd);
		return;
	}
	struct admin *ad = base_calloc(1, sizeof(*ad));
	ad->magic = ADMIN_MAGIC;
	ad->set = a;
	ad->id = a->next_id++;
	ad->uid = uid;
	ad->link = link_new(a->core->base, c, on_frame, on_close, ad);
	ad->list_event = event_new(a->core->base, -1, 0, on_list_event, ad);
	BUG_IF(ad->list_event == NULL);
	ad->next = a->first;
	a->first = ad;
	a->count++;
	if (admin_change_running(a->core))
		link_pause(ad->link, true);
}
