// SPDX-License-Identifier: Apache-2.0
// Changes by the administrator. May touch: the tables and through them the store, the
// audit link, sealers that became stale.
#include "vaultd/admin_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "vaultd/audit_link.h"
#include "vaultd/audit_note.h"
#include "vaultd/catalogue_store.h"
#include "vaultd/gateway.h"
#include "vaultd/issuer.h"
#include "vaultd/lane_ctl.h"

#define CHANGE_MAGIC 0x63686e67U
#define NS	     1000000000U

struct admin_change {
	unsigned magic;
	struct admin_who who;
	uint64_t event;
	char user[24];
	struct cred *next;	     // PUT: the new state, owned
	uint64_t credential;	     // SET: handle
	uint64_t action;	     // SET
	struct vkey *vkey;	     // ISSUE: the new key, owned; REVOKE: the key
	struct catalogue *catalogue; // owned
	struct issuer *issuer;	     // the new state, owned
	char *key_text;		     // ISSUE: secret memory, owned
	bool answered;
};

static struct admin_change *
new_change(const struct admin_who *who, uint64_t event)
{
	struct admin_change *c = base_calloc(1, sizeof(*c));
	c->magic = CHANGE_MAGIC;
	c->who = *who;
	c->event = event;
	snprintf(c->user, sizeof(c->user), "uid:%u", who->uid);
	return c;
}

static void
free_change(struct admin_change *c)
{
	cred_free(c->next);
	if (c->event == EVENT_VKEY_ISSUED)
		vkey_free(c->vkey);
	catalogue_unref(c->catalogue);
	issuer_free(c->issuer);
	secmem_free(c->key_text);
	c->magic = 0;
	free(c);
}

bool
admin_change_running(const struct core *core)
{
	return core->change != NULL;
}

// --- the effect --------------------------------------------------------------------

static bool
apply_credential(struct admin_change *c, uint64_t *version_r)
{
	struct core *core = c->who.core;
	uint64_t handle = c->credential;
	int r;
	if (c->next != NULL) {
		*version_r = c->next->version;
		r = cred_commit(core->creds, c->next);
		c->next = NULL; // transferred
	} else {
		struct cred *old = cred_by_handle(core->creds, handle);
		BUG_IF(old == NULL);
		*version_r = old->version + 1;
		r = c->action == CREDENTIAL_REMOVE
			? cred_remove(core->creds, old)
			: cred_set_enabled(core->creds, old, c->action == CREDENTIAL_ENABLE);
	}
	if (r == 0 && handle != 0)
		lane_ctl_credential_changed(core->lanes, handle);
	return r == 0;
}

static bool
apply_catalogue(struct admin_change *c, uint64_t *version_r)
{
	struct core *core = c->who.core;
	if (catalogue_store_save(core->store, core->seal, c->catalogue) != 0)
		return false;
	catalogue_unref(core->catalogue);
	core->catalogue = c->catalogue;
	c->catalogue = NULL; // transferred
	core->catalogue_version = *version_r = core->catalogue->version;
	gateway_catalogue_changed(core->gateways);
	return true;
}

static bool
apply_issuer(struct admin_change *c, uint64_t *version_r)
{
	struct core *core = c->who.core;
	if (issuer_save(core->store, core->seal, c->issuer) != 0)
		return false;
	issuer_free(core->issuer);
	core->issuer = c->issuer;
	c->issuer = NULL; // transferred
	*version_r = issuer_version(core->issuer);
	gateway_issuer_changed(core->gateways);
	return true;
}

static bool
apply(struct admin_change *c, uint64_t *version_r)
{
	struct core *core = c->who.core;
	*version_r = 0;
	if (c->event == EVENT_CATALOGUE_APPLIED)
		return apply_catalogue(c, version_r);
	if (c->event == EVENT_ISSUER_CHANGED)
		return apply_issuer(c, version_r);
	if (c->event == EVENT_VKEY_REVOKED)
		return vkey_revoke(core->vkeys, c->vkey) == 0;
	if (c->event != EVENT_VKEY_ISSUED)
		return apply_credential(c, version_r);
	int r = vkey_commit(core->vkeys, c->vkey);
	if (r != 0)
		c->vkey = NULL; // freed
	return r == 0;
}

// --- after the audit record ----------------------------------------------------------

static void
finish(struct admin_change *c, const struct admin_result *r)
{
	c->answered = true;
	c->who.core->change = NULL;
	c->who.done(c->who.cookie, c->who.admin, c->who.frame, r);
}

static void
finish_error(struct admin_change *c, const char *code, const char *message)
{
	struct admin_error e;
	admin_check_fail(&e, code, "%s", message);
	finish(c, &(struct admin_result){.error = &e});
}

// The record says that it happened; it did not, and the next record says so.
static void
note_not_done(struct admin_change *c, uint64_t seq, const char *code)
{
	audit_note_add(c->who.core->notes, NOTE_ADMIN_FAILED,
	    &(struct note){.event = c->event,
		.ref_seq = seq,
		.user = c->user,
		.result = RESULT_FAILED,
		.code = code});
}

static void
on_durable(struct admin_change *c, uint64_t seq)
{
	struct admin_result r = {0};
	struct msg_vkey_issued issued = {0};
	if (!apply(c, &r.version)) {
		note_not_done(c, seq, "store_failed");
		finish_error(c, "store_failed",
		    "The vault's store cannot be written (see its log); nothing was changed.");
		return;
	}
	if (c->event == EVENT_VKEY_ISSUED) {
		issued.id = view_of(c->vkey->id);
		issued.key = (struct view){c->key_text, VKEY_TEXT_LEN};
		r.issued = &issued;
		c->vkey = NULL; // the table's now
	}
	finish(c, &r);
}

static void
on_recorded(void *cookie, enum audit_outcome o, uint64_t seq, struct view code)
{
	struct admin_change *c = cookie;
	CHECK_OBJ(c, CHANGE_MAGIC);
	if (o == AUDIT_DURABLE && !c->answered) {
		on_durable(c, seq);
	} else if (o == AUDIT_DURABLE) {
		note_not_done(c, seq, "audit_unavailable");
	} else if (!c->answered) {
		char text[160];
		snprintf(text, sizeof(text),
		    "The audit daemon did not record the change (%.*s), so it was not made. Try "
		    "again.",
		    (int)code.len, code.p);
		finish_error(c, "audit_unavailable", text);
	}
	if (o != AUDIT_TIMEOUT)
		free_change(c);
}

// --- the audit record ------------------------------------------------------------------

static bool
begin(struct admin_change *c, struct msg_append *m, struct view name, struct admin_error *e)
{
	struct core *core = c->who.core;
	m->event = c->event;
	m->user = view_of(c->user);
	m->result = RESULT_OK;
	m->text[m->text_count++] = (struct msg_attr_text){ATTR_NAME, name};
	if (audit_link_append(core->audit, m, on_recorded, c) != 0) {
		free_change(c);
		return admin_check_fail(e, "audit_unavailable",
		    "No change is made without an audit record: %s. Try again.",
		    audit_link_problem(core->audit));
	}
	core->change = c;
	return true;
}

static void
describe_credential(struct msg_append *m, const struct cred *c, uint64_t version)
{
	m->workspace = view_of(c->workspace);
	m->key_id = view_of(c->id);
	m->key_version = version;
	const struct msg_attr_text text[] = {{ATTR_PROVIDER, view_of(ids_provider(c->provider))},
	    {ATTR_UPSTREAM_HOST, view_of(c->host)}, {ATTR_REGION, view_of(c->region)}};
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		if (text[i].value.len != 0)
			m->text[m->text_count++] = text[i];
}

// --- credentials -----------------------------------------------------------------------

#define ANY_VERSION UINT32_MAX

static bool
check_version(
    const struct msg_credential_put *m, const struct cred *old, size_t count, struct admin_error *e)
{
	int n = (int)m->name.len;
	if (m->expect_version == 0 && old != NULL)
		return admin_check_fail(e, "exists",
		    "There is a credential '%.*s' (version %llu). Change it with: sallyport "
		    "credential rotate %.*s",
		    n, m->name.p, (unsigned long long)old->version, n, m->name.p);
	if (m->expect_version != 0 && old == NULL)
		return admin_check_fail(e, "not_found",
		    "There is no credential '%.*s'. See: sallyport credential list", n, m->name.p);
	if (old != NULL && m->expect_version != ANY_VERSION && m->expect_version != old->version)
		return admin_check_fail(e, "version_conflict",
		    "The credential '%.*s' was changed by somebody else (now version %llu): look "
		    "at it and try again.",
		    n, m->name.p, (unsigned long long)old->version);
	if (old == NULL && count >= CRED_MAX)
		return admin_check_fail(
		    e, "too_many", "The vault holds %u credentials already.", CRED_MAX);
	return true;
}

bool
admin_change_put(const struct admin_who *who, struct msg_credential_put *m, struct admin_error *e)
{
	struct core *core = who->core;
	struct cred_kind_room room;
	struct cred *old = cred_by_name(core->creds, m->name);
	if (!check_version(m, old, cred_count(core->creds), e) ||
	    !admin_check_credential(m, old, core->catalogue, clock_wall_ns() / NS, &room, e))
		return false;
	if (old != NULL && cred_is_same(old, m))
		return false;
	struct admin_change *c =
	    new_change(who, old == NULL ? EVENT_CREDENTIAL_ADDED : EVENT_CREDENTIAL_ROTATED);
	c->credential = old == NULL ? 0 : cred_handle(core->creds, old);
	c->next = cred_prepare(core->creds, old, m);
	if (c->next == NULL) {
		free_change(c);
		return admin_check_fail(
		    e, "vault_busy", "The vault's secret memory is full. Try again.");
	}
	if (old != NULL && cred_same(core->creds, old, c->next)) {
		free_change(c);
		return false; // it is so already
	}
	struct msg_append a = {0};
	describe_credential(&a, c->next, c->next->version);
	return begin(c, &a, view_of(c->next->name), e);
}

bool
admin_change_set(
    const struct admin_who *who, const struct msg_credential_set *m, struct admin_error *e)
{
	struct core *core = who->core;
	static const uint64_t events[] = {[CREDENTIAL_ENABLE] = EVENT_CREDENTIAL_ENABLED,
	    [CREDENTIAL_DISABLE] = EVENT_CREDENTIAL_DISABLED,
	    [CREDENTIAL_REMOVE] = EVENT_CREDENTIAL_REMOVED};
	if (m->action == 0 || m->action > CREDENTIAL_REMOVE)
		return admin_check_fail(e, "bad_action", "Enable, disable or remove.");
	const struct cred *old = cred_by_name(core->creds, m->name);
	if (old == NULL)
		return admin_check_fail(e, "not_found",
		    "There is no credential '%.*s'. See: sallyport credential list",
		    (int)m->name.len, m->name.p);
	if (m->action != CREDENTIAL_REMOVE && old->enabled == (m->action == CREDENTIAL_ENABLE))
		return false; // it is so already
	struct admin_change *c = new_change(who, events[m->action]);
	c->credential = cred_handle(core->creds, old);
	c->action = m->action;
	struct msg_append a = {0};
	describe_credential(&a, old, old->version + 1);
	return begin(c, &a, view_of(old->name), e);
}

// --- virtual keys ------------------------------------------------------------------------

bool
admin_change_issue(const struct admin_who *who, struct msg_vkey_issue *m, struct admin_error *e)
{
	struct core *core = who->core;
	if (!admin_check_vkey(m, core->creds, core->vkeys, e))
		return false;
	struct admin_change *c = new_change(who, EVENT_VKEY_ISSUED);
	c->key_text = secmem_alloc(VKEY_TEXT_LEN);
	if (c->key_text == NULL) {
		free_change(c);
		return admin_check_fail(
		    e, "vault_busy", "The vault's secret memory is full. Try again.");
	}
	c->vkey = vkey_prepare(core->vkeys, m, clock_wall_ns() / NS, c->key_text);
	struct msg_append a = {
	    .workspace = view_of(c->vkey->workspace), .key_id = view_of(c->vkey->id)};
	return begin(c, &a, view_of(c->vkey->name), e);
}

bool
admin_change_revoke(
    const struct admin_who *who, const struct msg_vkey_revoke *m, struct admin_error *e)
{
	struct core *core = who->core;
	struct vkey *k = vkey_by_id_or_name(core->vkeys, m->id_or_name);
	if (k == NULL)
		return admin_check_fail(e, "not_found",
		    "There is no key '%.*s'. See: sallyport vkey list", (int)m->id_or_name.len,
		    m->id_or_name.p);
	if (k->revoked)
		return false; // it is so already
	struct admin_change *c = new_change(who, EVENT_VKEY_REVOKED);
	c->vkey = k;
	struct msg_append a = {.workspace = view_of(k->workspace), .key_id = view_of(k->id)};
	return begin(c, &a, view_of(k->name), e);
}

// --- the catalogue -----------------------------------------------------------------------

bool
admin_change_catalogue(const struct admin_who *who, struct catalogue *next, struct admin_error *e)
{
	char version[21];
	struct text t;
	struct admin_change *c = new_change(who, EVENT_CATALOGUE_APPLIED);
	c->catalogue = next;
	text_init(&t, version, sizeof(version));
	text_uint(&t, next->version);
	struct msg_append a = {.key_version = next->version};
	a.text[a.text_count++] = (struct msg_attr_text){ATTR_VERSION, text_done(&t)};
	return begin(c, &a, next->source.len != 0 ? next->source : next->as_of, e);
}

// --- the issuer --------------------------------------------------------------------------

bool
admin_change_issuer(
    const struct admin_who *who, const struct msg_issuer_set *m, struct admin_error *e)
{
	struct core *core = who->core;
	struct msg_issuer_item item;
	uint64_t now = clock_wall_ns() / NS;
	struct issuer *next = issuer_change(core->issuer, core->seal, m, now, e);
	if (next == NULL)
		return false;
	struct admin_change *c = new_change(who, EVENT_ISSUER_CHANGED);
	c->issuer = next;
	issuer_tell(next, now, &item);
	struct msg_append a = {
	    .key_id = view_of(issuer_key_id(next)), .key_version = issuer_version(next)};
	return begin(c, &a, item.url, e);
}
