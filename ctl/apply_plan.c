// SPDX-License-Identifier: Apache-2.0
// Checks the entries of the file, reads the secrets that it names, compares with
// the vault. May touch: those files, the admin socket.
#include "ctl/apply_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/pem.h"
#include "ctl/secret_in.h"
#include "ctl/spec.h"

static struct cli_list
list_of(char *const *v, unsigned n)
{
	struct cli_list l = {.n = MIN((size_t)n, (size_t)CLI_LIST_MAX)};
	for (size_t i = 0; i < l.n; i++)
		l.v[i] = v[i];
	return l;
}

// --- credentials -------------------------------------------------------------------

// One of the files that an entry names, relative to the entry's own.
static int
read_file(const struct apply_file *f, const char *name, struct credential_in *in, unsigned which,
    char error[SPEC_ERROR_MAX])
{
	if (name == NULL)
		return 0;
	char *path = apply_file_path(f, name);
	int r = 0;
	switch (which) {
	case 0:
		r = secret_in_file(&in->secret, path, "secret", error);
		break;
	case 1:
		r = secret_in_file(&in->session_token, path, "session token", error);
		break;
	case 2:
		r = import_account(path, &in->account, &in->secret, error);
		break;
	case 3:
		r = import_aws(path, &in->aws, &in->secret, &in->session_token, error);
		break;
	default:
		in->ca_pem = pem_read(path, error);
		r = in->ca_pem == NULL ? -1 : 0;
	}
	free(path);
	return r;
}

static int
read_files(const struct apply_file *f, const struct apply_credential *c, struct apply_step *s,
    char error[SPEC_ERROR_MAX])
{
	const char *const names[] = {c->secret_file, c->session_token_file, c->service_account_file,
	    c->aws_json_file, c->ca_file};
	bool twice = c->secret_file != NULL && c->aws_json_file != NULL;
	uint64_t provider = ids_provider_of(view_of(c->provider));
	const char *fault = NULL;
	if (c->session_token_file != NULL && (c->secret_file == NULL || c->access_key_id == NULL))
		fault = "session_token_file belongs to provider bedrock, beside secret_file and "
			"access_key_id";
	else if (c->service_account_file != NULL && provider != PROVIDER_VERTEX)
		fault = "service_account_file belongs to provider vertex";
	else if (c->service_account_file == NULL && provider == PROVIDER_VERTEX)
		fault =
		    "provider vertex needs service_account_file: PATH, the JSON that Google made";
	else if (c->aws_json_file != NULL && provider != PROVIDER_BEDROCK)
		fault = "aws_json_file belongs to provider bedrock";
	else if (twice || (c->aws_json_file != NULL && c->access_key_id != NULL))
		fault = "the key is given twice: secret_file with access_key_id, or aws_json_file";
	if (fault != NULL) {
		snprintf(error, SPEC_ERROR_MAX, "%s", fault);
		return -1;
	}
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (read_file(f, names[i], &s->in, i, error) != 0)
			return -1;
	return 0;
}

static int
make_credential(const struct apply_file *f, const struct apply_credential *c, struct apply_step *s,
    char error[SPEC_ERROR_MAX])
{
	s->name = c->name;
	if (read_files(f, c, s, error) != 0)
		return -1;
	struct spec_credential spec = {
	    .name = c->name,
	    .provider = c->provider,
	    .host = c->host,
	    .region = c->region,
	    .access_key_id = c->access_key_id,
	    .workspace = c->workspace,
	    .rate = c->rate,
	    .ca_pem = s->in.ca_pem,
	    .models = list_of(c->models, c->models_count),
	    .operations = list_of(c->operations, c->operations_count),
	    .auth = c->auth,
	    .setting = {[SETTING_PROJECT] = c->project,
		[SETTING_API_VERSION] = c->api_version,
		[SETTING_ROLE_ARN] = c->role_arn,
		[SETTING_EXTERNAL_ID] = c->external_id,
		[SETTING_SESSION_NAME] = c->session_name,
		[SETTING_SUBJECT] = c->subject,
		[SETTING_AUDIENCE] = c->audience,
		[SETTING_DURATION] = c->duration,
		[SETTING_PROFILE] = c->profile,
		[SETTING_STS_REGION] = c->sts_region},
	    .deployments = list_of(c->deployments, c->deployments_count),
	    .disabled = c->enabled != NULL && !*c->enabled,
	};
	if (c->expires != NULL) {
		if (spec_time(c->expires, s->in.expires, error) != 0)
			return -1;
		spec.setting[SETTING_EXPIRES] = s->in.expires;
	}
	credential_in_fill(&s->in, &spec);
	if (spec_credential(&spec, &s->put, error) != 0)
		return -1;
	s->put.secret = secret_in_view(&s->in.secret);
	s->put.session_token = secret_in_view(&s->in.session_token);
	return 0;
}

// --- virtual keys ------------------------------------------------------------------

static int
make_vkey(const struct apply_file *f, const struct apply_vkey *k, struct apply_step *s,
    char error[SPEC_ERROR_MAX])
{
	s->name = k->name;
	s->is_vkey = true;
	struct spec_vkey spec = {
	    .name = k->name,
	    .workspace = k->workspace,
	    .rate = k->rate,
	    .credentials = list_of(k->credentials, k->credentials_count),
	    .models = list_of(k->models, k->models_count),
	};
	if (k->key_file != NULL)
		s->key_file = apply_file_path(f, k->key_file);
	return spec_vkey(&spec, &s->issue, error);
}

static bool
named_before(const struct apply_plan *p, const struct apply_step *s)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->step[i].is_vkey == s->is_vkey && strcmp(p->step[i].name, s->name) == 0)
			return true;
	return false;
}

static const char *
section_of(const struct apply_step *s)
{
	return s->is_vkey ? "virtual_keys" : "credentials";
}

int
apply_plan_make(struct apply_plan *p, const struct apply_file *f)
{
	unsigned nc = f->doc->credentials_count;
	unsigned nk = f->doc->virtual_keys_count;
	int code = 0;
	p->n = 0;
	p->step = base_calloc(nc + nk, sizeof(*p->step));
	for (unsigned i = 0; i < nc + nk; i++) {
		struct apply_step *s = &p->step[i];
		char error[SPEC_ERROR_MAX];
		int r = i < nc ? make_credential(f, &f->doc->credentials[i], s, error)
			       : make_vkey(f, &f->doc->virtual_keys[i - nc], s, error);
		if (r == 0 && named_before(p, s)) {
			snprintf(error, sizeof(error), "the name %s is used twice", s->name);
			r = -1;
		}
		p->n = i + 1;
		if (r != 0) {
			apply_file_fault(f, section_of(s), s->name, error);
			code = -1;
		}
	}
	return code;
}

void
apply_plan_free(struct apply_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		credential_in_free(&p->step[i].in);
		free(p->step[i].key_file);
	}
	free(p->step);
	*p = (struct apply_plan){0};
}

// --- beside the vault --------------------------------------------------------------

struct compare {
	struct apply_plan *plan;
	const struct apply_file *file;
	size_t faults;
	char *known; // names of the vault's credentials, each with a NUL behind
	size_t known_len;
};

static void
fault(struct compare *x, const struct apply_step *s, const char *text)
{
	apply_file_fault(x->file, section_of(s), s->name, text);
	x->faults++;
}

// A file that names no host means the provider's own, but the vault reads an empty
// host of a stored credential as "keep it".
static bool
keeps_another_host(const struct apply_step *s, const struct msg_credential_item *c)
{
	static const char *const own[] = {[PROVIDER_OPENAI] = ".openai.com",
	    [PROVIDER_ANTHROPIC] = ".anthropic.com",
	    [PROVIDER_BEDROCK] = ".amazonaws.com",
	    [PROVIDER_OPENAI_COMPATIBLE] = ""};
	size_t n =
	    c->provider < ARRAY_LEN(own) && own[c->provider] != NULL ? strlen(own[c->provider]) : 0;
	bool vendor = c->host.len > n && c->port == 443 &&
		      memcmp(c->host.p + c->host.len - n, own[c->provider], n) == 0;
	return s->put.host.len == 0 && !vendor;
}

static void
on_credential(void *cookie, const union client_reply *r)
{
	struct compare *x = cookie;
	const struct msg_credential_item *c = &r->credential;
	x->known = base_realloc(x->known, x->known_len + c->name.len + 1);
	memcpy(x->known + x->known_len, c->name.p, c->name.len);
	x->known_len += c->name.len;
	x->known[x->known_len++] = '\0';
	for (size_t i = 0; i < x->plan->n; i++) {
		struct apply_step *s = &x->plan->step[i];
		if (s->is_vkey || !view_eq_str(c->name, s->name))
			continue;
		s->exists = true;
		s->version = c->version;
		s->put.expect_version = c->version;
		if (c->provider != s->put.provider)
			fault(x, s,
			    "the stored credential of this name has another provider: remove it "
			    "first, or choose another name");
		else if (keeps_another_host(s, c))
			fault(x, s,
			    "the stored credential goes to a host of its own: write that host "
			    "here, or remove the credential first");
	}
}

static bool
same_names(const struct msg_name *a, size_t na, const struct msg_name *b, size_t nb)
{
	if (na != nb)
		return false;
	for (size_t i = 0; i < na; i++)
		if (!view_eq(a[i].name, b[i].name))
			return false;
	return true;
}

static void
on_vkey(void *cookie, const union client_reply *r)
{
	struct compare *x = cookie;
	const struct msg_vkey_item *k = &r->vkey;
	for (size_t i = 0; i < x->plan->n; i++) {
		struct apply_step *s = &x->plan->step[i];
		const struct msg_vkey_issue *m = &s->issue;
		if (!s->is_vkey || k->revoked || !view_eq_str(k->name, s->name))
			continue;
		s->exists = true;
		if (!view_eq(k->workspace, m->workspace) ||
		    k->rate_per_minute != m->rate_per_minute ||
		    !same_names(
			k->credential, k->credential_count, m->credential, m->credential_count) ||
		    !same_names(k->model, k->model_count, m->model, m->model_count))
			fault(x, s,
			    "a virtual key of this name exists with other settings, and a key's "
			    "settings cannot change: revoke it first, or choose another name");
	}
}

static bool
is_known(const struct compare *x, struct view name)
{
	for (size_t i = 0; i < x->known_len; i += strlen(x->known + i) + 1)
		if (view_eq_str(name, x->known + i))
			return true;
	for (size_t i = 0; i < x->plan->n; i++)
		if (!x->plan->step[i].is_vkey && view_eq_str(name, x->plan->step[i].name))
			return true;
	return false;
}

static void
check_step(struct compare *x, const struct apply_step *s)
{
	char text[SPEC_ERROR_MAX];
	if (!s->is_vkey && !s->exists && s->put.secret.len == 0 &&
	    s->put.auth != AUTH_STS_WEB_IDENTITY)
		fault(x, s, "a new credential needs secret_file: PATH");
	if (s->is_vkey && !s->exists && s->key_file != NULL && access(s->key_file, F_OK) == 0) {
		snprintf(
		    text, sizeof(text), "key_file %s exists already: remove it first", s->key_file);
		fault(x, s, text);
	}
	for (size_t i = 0; s->is_vkey && !s->exists && i < s->issue.credential_count; i++) {
		struct view name = s->issue.credential[i].name;
		if (is_known(x, name))
			continue;
		snprintf(text, sizeof(text), "there is no credential %.*s, here or in the vault",
		    (int)name.len, name.p);
		fault(x, s, text);
	}
}

int
apply_plan_compare(struct apply_plan *p, const struct apply_file *f, struct client *c)
{
	struct compare x = {.plan = p, .file = f};
	bool ok = client_each(c, MSG_CREDENTIAL_LIST, "list of credentials", on_credential, &x) &&
		  client_each(c, MSG_VKEY_LIST, "list of virtual keys", on_vkey, &x);
	for (size_t i = 0; ok && i < p->n; i++)
		check_step(&x, &p->step[i]);
	free(x.known);
	return ok && x.faults == 0 ? 0 : -1;
}
