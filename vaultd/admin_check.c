// SPDX-License-Identifier: Apache-2.0
// Rules for credentials and virtual keys. Pure.
#include "vaultd/admin_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vaultd/catalogue.h"

#define HTTPS_PORT 443U
#define SHOWN(v)   (int)MIN((v).len, 80U), (v).p

bool
admin_check_fail(struct admin_error *e, const char *code, const char *fmt, ...)
{
	va_list ap;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
	va_end(ap);
	return false;
}

// --- grammars ----------------------------------------------------------------------

static bool
name_valid(struct view v)
{
	if (v.len == 0 || v.len > 64)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];
		bool alnum =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!alnum && (i == 0 || (c != '.' && c != '_' && c != '-')))
			return false;
	}
	return true;
}

static bool
visible(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] < 0x21 || v.p[i] > 0x7e)
			return false;
	return true;
}

static bool
has_prefix(struct view v, const char *prefix)
{
	size_t n = strlen(prefix);
	return v.len >= n && memcmp(v.p, prefix, n) == 0;
}

static bool
check_name(struct view name, const char *what, struct admin_error *e)
{
	return name_valid(name)
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
		const char *star = v.len == 0 ? NULL : memchr(v.p, '*', v.len);
		if (v.len == 0 || !visible(v) || (star != NULL && star != v.p + v.len - 1))
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

// --- destination -------------------------------------------------------------------

static uint64_t
default_auth(const struct msg_credential_put *put)
{
	if (put->provider == PROVIDER_ANTHROPIC)
		return AUTH_API_KEY;
	if (put->provider == PROVIDER_BEDROCK && put->access_key_id.len != 0)
		return AUTH_SIGV4;
	return AUTH_BEARER;
}

static bool
check_provider(struct msg_credential_put *put, struct admin_error *e)
{
	if (ids_provider(put->provider) == NULL)
		return admin_check_fail(e, "bad_provider",
		    "The provider is one of openai, anthropic, bedrock, openai-compatible.");
	if (put->auth == 0)
		put->auth = default_auth(put);
	if (!catalogue_auth_allowed(put->provider, put->auth))
		return admin_check_fail(e, "bad_auth",
		    "%s does not take this kind of authorization.", ids_provider(put->provider));
	return true;
}

static bool
check_region(const struct msg_credential_put *put, struct admin_error *e)
{
	if (put->provider != PROVIDER_BEDROCK) {
		if (put->region.len != 0)
			return admin_check_fail(
			    e, "bad_region", "Only bedrock credentials have a region.");
		return true;
	}
	if (!catalogue_region_valid(put->region))
		return admin_check_fail(e, "bad_region",
		    "A bedrock credential needs its region, such as --region us-east-1.");
	return true;
}

static bool
check_host(struct msg_credential_put *put, char host_buf[254], struct admin_error *e)
{
	if (put->host.len == 0) {
		if (catalogue_host(put->provider, put->region, host_buf) != 0)
			return admin_check_fail(e, "bad_host",
			    "An openai-compatible credential needs its host: --host HOST[:PORT].");
		put->host = view_of(host_buf);
	}
	if (!catalogue_host_valid(put->host))
		return admin_check_fail(e, "bad_host",
		    "'%.*s' is no host name: lower case, no scheme, no path.", SHOWN(put->host));
	if (put->port == 0)
		put->port = HTTPS_PORT;
	return true;
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
signs(const struct msg_credential_put *put)
{
	return put->auth == AUTH_SIGV4 || put->auth == AUTH_STS_SESSION;
}

static bool
check_secret_text(const struct msg_credential_put *put, struct admin_error *e)
{
	struct view s = put->secret;
	if (!visible(s))
		return admin_check_fail(e, "bad_secret",
		    "The key holds a space, a line end or something that is not ASCII: paste it "
		    "again, alone.");
	if (s.len < 8)
		return admin_check_fail(
		    e, "bad_secret", "The key has %zu characters; that is too short.", s.len);
	if (has_prefix(s, "sp-"))
		return admin_check_fail(e, "bad_secret",
		    "This is a Sallyport key. A credential holds the provider's key.");
	if (put->provider == PROVIDER_OPENAI && has_prefix(s, "sk-ant-"))
		return admin_check_fail(e, "bad_secret",
		    "This looks like an Anthropic key (sk-ant-): use --provider anthropic.");
	if (put->provider == PROVIDER_ANTHROPIC && has_prefix(s, "sk-") &&
	    !has_prefix(s, "sk-ant-"))
		return admin_check_fail(e, "bad_secret",
		    "This does not look like an Anthropic key (sk-ant-): use --provider openai?");
	if (signs(put) && (has_prefix(s, "AKIA") || has_prefix(s, "ASIA")))
		return admin_check_fail(e, "bad_secret",
		    "This is the access key id; the secret access key is wanted here.");
	return true;
}

static bool
check_aws(const struct msg_credential_put *put, struct admin_error *e)
{
	struct view id = put->access_key_id;
	if (!signs(put)) {
		if (id.len != 0 || put->session_token.len != 0)
			return admin_check_fail(e, "bad_access_key",
			    "An access key id or session token belongs to a bedrock credential "
			    "with AWS keys only.");
		return true;
	}
	bool ok = id.len >= 16;
	for (size_t i = 0; i < id.len; i++)
		ok = ok &&
		     ((id.p[i] >= 'A' && id.p[i] <= 'Z') || (id.p[i] >= '0' && id.p[i] <= '9'));
	if (!ok)
		return admin_check_fail(e, "bad_access_key",
		    "A bedrock credential needs its access key id, such as --access-key-id "
		    "AKIAIOSFODNN7EXAMPLE.");
	// STS gives sessions to long-term keys only.
	if (put->auth == AUTH_STS_SESSION &&
	    (!has_prefix(id, "AKIA") || put->session_token.len != 0))
		return admin_check_fail(e, "bad_access_key",
		    "Sessions are made of the long-term key of an IAM user: its access key id "
		    "begins with AKIA, and it has no session token.");
	if (!visible(put->session_token))
		return admin_check_fail(e, "bad_session_token",
		    "The session token holds a space or a line end: paste it again, alone.");
	if (has_prefix(id, "ASIA") && put->secret.len != 0 && put->session_token.len == 0)
		return admin_check_fail(e, "bad_session_token",
		    "ASIA keys are temporary and need their session token.");
	return true;
}

static bool
same_destination(const struct msg_credential_put *put, const struct cred *old)
{
	return put->provider == old->provider && put->auth == old->auth && put->port == old->port &&
	       view_eq_str(put->host, old->host) && view_eq_str(put->region, old->region) &&
	       view_eq_str(put->access_key_id, old->access_key_id) &&
	       view_eq(put->ca_pem, old->ca_pem);
}

static bool
check_secret(const struct msg_credential_put *put, const struct cred *old, struct admin_error *e)
{
	if (!check_aws(put, e))
		return false;
	if (put->secret.len != 0)
		return check_secret_text(put, e);
	if (old == NULL)
		return admin_check_fail(
		    e, "bad_secret", "There is no key: give it on standard input.");
	if (put->session_token.len != 0 || !same_destination(put, old))
		return admin_check_fail(e, "bad_secret",
		    "The key must be given again when its destination, CA or account changes.");
	return true;
}

// --- credential ----------------------------------------------------------------------

// An empty field of a change means: as stored.
static void
keep_stored(struct msg_credential_put *put, const struct cred *old)
{
	if (put->auth == 0 && put->provider == old->provider)
		put->auth = old->auth;
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
check_operations(const struct msg_credential_put *put, struct admin_error *e)
{
	for (size_t i = 0; i < put->operation_count; i++) {
		struct view name = put->operation[i].name;
		const struct catalogue_op *op = catalogue_find(ids_operation_of(name));
		if (op == NULL || !catalogue_serves(op, put->provider))
			return admin_check_fail(e, "bad_operation",
			    "'%.*s' is no operation of %s (such as chat, messages, converse).",
			    SHOWN(name), ids_provider(put->provider));
	}
	return true;
}

bool
admin_check_credential(struct msg_credential_put *put, const struct cred *old, char host_buf[254],
    struct admin_error *e)
{
	if (old != NULL)
		keep_stored(put, old);
	return check_name(put->name, "credential", e) && check_provider(put, e) &&
	       check_region(put, e) && check_host(put, host_buf, e) &&
	       check_workspace(&put->workspace, e) && check_ca(put, e) &&
	       check_secret(put, old, e) && check_models(put->model, put->model_count, e) &&
	       check_operations(put, e);
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
