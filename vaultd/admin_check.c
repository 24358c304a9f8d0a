// SPDX-License-Identifier: Apache-2.0
// Rules for credentials and virtual keys. Pure.
#include "vaultd/admin_check.h"

#include <string.h>

#include "proto/grammar.h"

#define SHOWN(v) (int)MIN((v).len, 80U), (v).p

// --- grammars ----------------------------------------------------------------------

static bool
check_name(struct view name, const char *what, struct admin_error *e)
{
	return grammar_name_valid(name)
		   ? true
		   : admin_check_fail(e, "bad_name",
			 "The name of a %s is 1 to 64 letters, digits, '.', '_' or '-', and "
			 "begins with a letter or digit.",
			 what);
}

static bool
check_models(const struct msg_name *model, size_t n, struct admin_error *e)
{
	for (size_t i = 0; i < n; i++) {
		struct view v = model[i].name;
		if (!grammar_model_pattern_valid(v))
			return admin_check_fail(e, "bad_model",
			    "'%.*s' is no model name: no spaces, and '*' only at the end, as in "
			    "gpt-4o*.",
			    SHOWN(v));
	}
	return true;
}

static bool
check_workspace(struct view *w, struct admin_error *e)
{
	if (w->len == 0)
		*w = VIEW("default");
	return check_name(*w, "workspace", e);
}

static bool
check_ca(const struct msg_credential_put *put, struct admin_error *e)
{
	if (put->ca_pem.len == 0 ||
	    memmem(put->ca_pem.p, put->ca_pem.len, "-----BEGIN CERTIFICATE-----", 27) != NULL)
		return true;
	return admin_check_fail(
	    e, "bad_ca", "The CA file holds no PEM certificate (-----BEGIN CERTIFICATE-----).");
}

// --- secret ------------------------------------------------------------------------

static bool
same_bound_settings(const struct msg_credential_put *put, const struct cred *old)
{
	for (unsigned id = 1; id <= SETTING_LAST; id++)
		if ((cred_kind_bound_settings() & CATALOGUE_BIT(id)) != 0 &&
		    !view_eq(cred_kind_setting(put, id), cred_setting(old, (enum setting_id)id)))
			return false;
	return true;
}

static bool
same_destination(const struct msg_credential_put *put, const struct cred *old)
{
	return put->provider == old->provider && put->auth == old->auth && put->port == old->port &&
	       view_eq_str(put->host, old->host) && view_eq_str(put->region, old->region) &&
	       view_eq_str(put->access_key_id, old->access_key_id) &&
	       view_eq(put->ca_pem, old->ca_pem) && same_bound_settings(put, old);
}

static bool
check_secret(const struct msg_credential_put *put, const struct cred *old, struct admin_error *e)
{
	if (put->secret.len != 0 || !kind_of(put->provider, put->auth)->secret)
		return true;
	if (old == NULL)
		return admin_check_fail(
		    e, "bad_secret", "There is no key: give it on standard input.");
	if (put->session_token.len != 0 || !same_destination(put, old))
		return admin_check_fail(e, "bad_secret",
		    "The key must be given again when its destination, CA or account changes.");
	return true;
}

// --- credential ----------------------------------------------------------------------

// Settings that are not given stay, but what was said of the end of another secret.
static void
keep_extra(struct msg_credential_put *put, const struct cred *old)
{
	size_t n = 0;
	if (put->setting_count == 0)
		cred_extra_fill_settings(&old->extra, put->setting, &put->setting_count);
	for (size_t i = 0; i < put->setting_count; i++)
		if (put->secret.len == 0 || put->setting[i].id != SETTING_EXPIRES ||
		    put->setting[i].value.p != old->extra.setting[SETTING_EXPIRES])
			put->setting[n++] = put->setting[i];
	put->setting_count = n;
	if (put->deployment_count == 0)
		cred_extra_fill_deployments(&old->extra, put->deployment, &put->deployment_count);
}

// An empty field of a change means: as stored.
static void
keep_stored(struct msg_credential_put *put, const struct cred *old)
{
	if (put->auth == 0 && put->provider == old->provider)
		put->auth = old->auth;
	if (put->provider == old->provider && put->auth == old->auth)
		keep_extra(put, old);
	if (put->region.len == 0 && put->provider == old->provider)
		put->region = view_of(old->region);
	if (put->access_key_id.len == 0 && put->auth == old->auth)
		put->access_key_id = view_of(old->access_key_id);
	if (put->workspace.len == 0)
		put->workspace = view_of(old->workspace);
	if (put->host.len == 0 && put->provider == old->provider &&
	    view_eq_str(put->region, old->region)) {
		put->host = view_of(old->host);
		put->port = put->port == 0 ? old->port : put->port;
	}
	if (put->ca_pem.len == 0 && view_eq_str(put->host, old->host))
		put->ca_pem = old->ca_pem;
}

static bool
check_operations(
    const struct msg_credential_put *put, const struct catalogue *cat, struct admin_error *e)
{
	for (size_t i = 0; i < put->operation_count; i++) {
		struct view name = put->operation[i].name;
		if (!catalogue_speaks(cat, ids_operation_of(name), put->provider))
			return admin_check_fail(e, "bad_operation",
			    "'%.*s' is no operation of %s (such as chat, messages, converse).",
			    SHOWN(name), ids_provider(put->provider));
	}
	return true;
}

bool
admin_check_credential(struct msg_credential_put *put, const struct cred *old,
    const struct catalogue *cat, uint64_t now_s, struct cred_kind_room *room, struct admin_error *e)
{
	if (old != NULL)
		keep_stored(put, old);
	return check_name(put->name, "credential", e) &&
	       cred_kind_check(put, cat, now_s, room, e) && check_workspace(&put->workspace, e) &&
	       check_ca(put, e) && check_secret(put, old, e) &&
	       check_models(put->model, put->model_count, e) && check_operations(put, cat, e);
}

// --- virtual key -----------------------------------------------------------------------

bool
admin_check_vkey(struct msg_vkey_issue *m, const struct cred_table *creds,
    const struct vkey_table *vkeys, struct admin_error *e)
{
	if (!check_name(m->name, "key", e) || !check_workspace(&m->workspace, e) ||
	    !check_models(m->model, m->model_count, e))
		return false;
	if (vkey_by_id_or_name(vkeys, m->name) != NULL)
		return admin_check_fail(e, "exists",
		    "There is a key '%.*s'. Choose another name, or revoke it first: sallyport "
		    "vkey revoke %.*s",
		    SHOWN(m->name), SHOWN(m->name));
	if (vkey_slots(vkeys) >= VKEY_MAX)
		return admin_check_fail(
		    e, "too_many", "The vault holds %u keys already.", VKEY_MAX);
	for (size_t i = 0; i < m->credential_count; i++) {
		struct view name = m->credential[i].name;
		const struct cred *c = cred_by_name(creds, name);
		if (c == NULL || !view_eq_str(m->workspace, c->workspace))
			return admin_check_fail(e, "not_found",
			    "There is no credential '%.*s' in workspace '%.*s'. See: sallyport "
			    "credential list",
			    SHOWN(name), SHOWN(m->workspace));
	}
	return true;
}
