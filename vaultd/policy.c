// SPDX-License-Identifier: Apache-2.0
// Choice of credentials. Pure.
#include "vaultd/policy.h"

#include <string.h>

#include "proto/errclass.h"
#include "proto/grammar.h"

#define SHOWN(v) (int)MIN((v).len, 128U), (v).p

// How far a credential gets through the checks; the furthest one explains a refusal.
enum stage {
	STAGE_NO_CANDIDATE,
	STAGE_DISABLED,
	STAGE_EXPIRED,
	STAGE_OPERATION,
	STAGE_REGION,
	STAGE_MODEL,
	STAGE_KEY_MODEL,
	STAGE_PROFILE,
	STAGE_SERVES,
};

struct furthest {
	enum stage stage;
	const struct cred *cred; // that got there
};

// --- lists of models ---------------------------------------------------------------------

static bool
pattern_allows(struct view pattern, const char *provider, const struct view *name, size_t n)
{
	size_t skip = strlen(provider);
	bool ours =
	    grammar_begins(pattern, provider) && pattern.len > skip && pattern.p[skip] == '/';
	struct view rest = {pattern.p + skip + 1, ours ? pattern.len - skip - 1 : 0};
	for (size_t i = 0; i < n; i++)
		if (names_pattern_fits(pattern, name[i]) ||
		    (ours && names_pattern_fits(rest, name[i])))
			return true;
	return false;
}

static bool
allows_model(const struct names *list, const struct policy_asked *a, const struct cred *c,
    const struct policy_target *t)
{
	struct view name[5] = {a->model, a->name, t->model};
	size_t n = 3;
	if (t->row != NULL) {
		name[n++] = t->row->name;
		name[n++] = t->row->upstream;
	}
	for (size_t i = 0; i < list->count; i++)
		if (pattern_allows(view_of(list->name[i]), ids_provider(c->provider), name, n))
			return true;
	return list->count == 0;
}

// --- one credential ------------------------------------------------------------------------

static bool
may_use(const struct vkey *k, const struct cred *c)
{
	return c != NULL && strcmp(c->workspace, k->workspace) == 0 &&
	       (k->credentials.count == 0 || names_has(&k->credentials, view_of(c->name)));
}

static enum stage
stage_of(const struct policy_request *r, const struct policy_asked *a, const struct cred *c,
    struct policy_target *t)
{
	if (!may_use(r->vkey, c))
		return STAGE_NO_CANDIDATE;
	enum policy_fit fit = policy_resolve(r->cat, a, c, t);
	if (fit == POLICY_FIT_NONE)
		return STAGE_NO_CANDIDATE;
	if (!c->enabled)
		return STAGE_DISABLED;
	if (cred_expired(c, r->now_s))
		return STAGE_EXPIRED;
	if (!cred_allows_operation(c, t->operation))
		return STAGE_OPERATION;
	if (!catalogue_takes_model(r->operation))
		return STAGE_SERVES;
	if (fit == POLICY_FIT_REGION)
		return STAGE_REGION;
	if (!allows_model(&c->models, a, c, t))
		return STAGE_MODEL;
	if (!allows_model(&r->vkey->models, a, c, t))
		return STAGE_KEY_MODEL;
	return fit == POLICY_FIT_NO_PROFILE ? STAGE_PROFILE : STAGE_SERVES;
}

// Servers of open models have names such as "openai/gpt-oss-120b": what names a provider
// that the key has not is theirs whole.
static bool
has_whole_name(const struct policy_asked *a)
{
	return a->name.len != a->model.len; // a provider was cut off
}

static struct policy_asked
whole_name(const struct policy_asked *a)
{
	struct policy_asked w = *a;
	w.provider = PROVIDER_OPENAI_COMPATIBLE;
	w.name = a->model;
	return w;
}

// --- refusals ------------------------------------------------------------------------------

static struct view
speakers(const struct policy_request *r, const struct policy_asked *a, struct text *t)
{
	bool by_model = a->known && a->provider == 0;
	for (uint64_t p = 1; p <= PROVIDER_LAST; p++) {
		bool fits = a->provider != 0 ? p == a->provider
			    : by_model	     ? catalogue_model(r->cat, p, a->name) != NULL ||
					     catalogue_model_upstream(r->cat, p, a->name) != NULL
				       : catalogue_speaks(r->cat, r->operation, p);
		if (!fits)
			continue;
		if (t->len != 0)
			text_str(t, " or ");
		text_str(t, ids_provider(p));
	}
	if (t->len == 0)
		text_str(t, "suitable");
	return text_done(t);
}

static bool
refuse_no_candidate(const struct policy_request *r, const struct policy_asked *a, struct deny *d)
{
	char buf[100];
	struct text t;
	text_init(&t, buf, sizeof(buf));
	struct view who = speakers(r, a, &t);
	return deny_set(d, DENY_NO_CREDENTIAL,
	    "There is no %.*s credential in workspace '%s'%s that can serve the operation "
	    "'%s'%s%.*s"
	    "%s. Add one: sallyport credential add NAME --provider PROVIDER",
	    SHOWN(who), r->vkey->workspace,
	    r->vkey->credentials.count != 0 ? " that this key may use and" : "",
	    ids_operation(r->operation), r->model.len != 0 ? " for the model '" : "",
	    (int)MIN(r->model.len, 80U), r->model.p, r->model.len != 0 ? "'" : "");
}

static bool
refuse_expired(const struct cred *c, struct deny *d)
{
	if (c->auth == AUTH_SIGV4 && grammar_begins(view_of(c->access_key_id), "ASIA"))
		return deny_set(d, DENY_CREDENTIAL_EXPIRED,
		    "The credential '%s' has expired. A temporary AWS key (ASIA) cannot be "
		    "refreshed: store a new one with its session token (sallyport credential "
		    "rotate %s), or use a long-term key (AKIA), which renews itself with --auth "
		    "sts-session.",
		    c->name, c->name);
	return deny_set(d, DENY_CREDENTIAL_EXPIRED,
	    "The credential '%s' has expired. Store a new key: sallyport credential rotate %s",
	    c->name, c->name);
}

static bool
refuse(const struct policy_request *r, const struct policy_asked *a, const struct furthest *f,
    struct deny *d)
{
	const struct cred *c = f->cred;
	switch (f->stage) {
	case STAGE_PROFILE:
		return deny_set(d, DENY_NO_PROFILE,
		    "No inference profile of '%.*s' can be called from %s as the credential '%s' "
		    "wants it (profile %s). Choose another profile or region for it, or name the "
		    "whole id, such as us.anthropic....",
		    SHOWN(r->model), c->region, c->name,
		    cred_setting(c, SETTING_PROFILE).len == 0 ? "auto"
							      : cred_setting(c, SETTING_PROFILE).p);
	case STAGE_KEY_MODEL:
		return deny_set(d, DENY_MODEL_NOT_ALLOWED,
		    "This Sallyport key does not allow the model '%.*s'.", SHOWN(r->model));
	case STAGE_MODEL:
		return deny_set(d, DENY_MODEL_NOT_ALLOWED,
		    "No %s credential of workspace '%s' allows the model '%.*s'. Its list of "
		    "models is set with: sallyport apply -f FILE",
		    ids_provider(c->provider), r->vkey->workspace, SHOWN(r->model));
	case STAGE_REGION:
		return deny_set(d, DENY_MODEL_NOT_ALLOWED,
		    "'%.*s' is not of the region %s, where the credential '%s' asks Bedrock: an "
		    "ARN "
		    "is good in its own region only.",
		    SHOWN(r->model), c->region, c->name);
	case STAGE_OPERATION:
		return deny_set(d, DENY_OPERATION_NOT_ALLOWED,
		    "The %s credentials of workspace '%s' do not allow the operation '%s'.",
		    ids_provider(c->provider), r->vkey->workspace, ids_operation(r->operation));
	case STAGE_EXPIRED:
		return refuse_expired(c, d);
	case STAGE_DISABLED:
		return deny_set(d, DENY_CREDENTIAL_DISABLED,
		    "The %s credential of workspace '%s' is switched off. Switch it on: "
		    "sallyport credential enable NAME",
		    ids_provider(c->provider), r->vkey->workspace);
	default:
		return refuse_no_candidate(r, a, d);
	}
}

static bool
check_key(const struct policy_request *r, struct deny *d)
{
	if (!r->vkey->revoked)
		return true;
	return deny_set(d, DENY_KEY_REVOKED,
	    "This Sallyport key was revoked. Ask for a new one: sallyport vkey issue");
}

// --- choosing ------------------------------------------------------------------------------

struct candidate {
	size_t slot;
	bool translated;
	const char *name;
};

struct ranking {
	size_t count;
	struct candidate c[MSG_ATTEMPTS_MAX];
};

static bool
comes_before(const struct candidate *a, const struct candidate *b)
{
	if (a->translated != b->translated)
		return b->translated;
	return strcmp(a->name, b->name) < 0;
}

static void
insert(struct ranking *k, const struct candidate *c, bool in_order)
{
	size_t at = k->count;
	while (in_order && at > 0 && comes_before(c, &k->c[at - 1]))
		at--;
	if (at == MSG_ATTEMPTS_MAX)
		return;
	size_t moved = MIN(k->count, MSG_ATTEMPTS_MAX - 1) - at;
	memmove(&k->c[at + 1], &k->c[at], moved * sizeof(k->c[0]));
	k->c[at] = *c;
	k->count = MIN(k->count + 1, MSG_ATTEMPTS_MAX);
}

static void
consider(const struct policy_request *r, const struct policy_asked *a,
    const struct cred_table *creds, const struct cred *c, struct ranking *k, struct furthest *f)
{
	struct policy_target t;
	enum stage s = stage_of(r, a, c, &t);
	if (s > f->stage)
		*f = (struct furthest){s, c};
	if (s != STAGE_SERVES)
		return;
	struct candidate found = {cred_handle(creds, c) - 1, t.translated, c->name};
	insert(k, &found, r->vkey->credentials.count == 0);
}

static void
rank(const struct policy_request *r, const struct policy_asked *a, const struct cred_table *creds,
    struct ranking *k, struct furthest *f)
{
	const struct names *listed = &r->vkey->credentials;
	for (size_t i = 0; i < listed->count; i++)
		consider(r, a, creds, cred_by_name(creds, view_of(listed->name[i])), k, f);
	for (size_t i = 0; listed->count == 0 && i < cred_slots(creds); i++)
		consider(r, a, creds, cred_at(creds, i), k, f);
}

bool
policy_choose(const struct policy_request *r, const struct cred_table *creds,
    struct policy_choice *choice_r, struct deny *d)
{
	struct policy_asked a = policy_resolve_asked(r->cat, r->operation, r->model, r->stream);
	struct policy_asked used = a;
	struct furthest f = {0};
	struct ranking k = {0};
	choice_r->count = 0;
	if (!check_key(r, d))
		return false;
	rank(r, &a, creds, &k, &f);
	if (f.stage == STAGE_NO_CANDIDATE && has_whole_name(&a)) {
		used = whole_name(&a);
		rank(r, &used, creds, &k, &f);
	}
	for (size_t i = 0; i < k.count; i++) {
		const struct cred *c = cred_at(creds, k.c[i].slot);
		struct policy_target *t = &choice_r->target[i];
		BUG_IF(policy_resolve(r->cat, &used, c, t) != POLICY_FIT_GOOD);
		choice_r->attempt[i] =
		    (struct policy_attempt){k.c[i].slot + 1, t->operation, t->model};
	}
	choice_r->count = k.count;
	if (k.count != 0 || (policy_lists(r) && policy_reach(r->vkey, creds, r->now_s) != 0))
		return true;
	return refuse(r, &a, &f, d);
}

bool
policy_recheck(const struct policy_request *r, const struct cred *c,
    const struct policy_attempt *planned, struct deny *d)
{
	struct policy_asked a = policy_resolve_asked(r->cat, r->operation, r->model, r->stream);
	struct policy_asked used = a;
	struct policy_target t;
	if (!check_key(r, d))
		return false;
	enum stage s = stage_of(r, &a, c, &t);
	if (s == STAGE_NO_CANDIDATE && has_whole_name(&a)) {
		used = whole_name(&a);
		s = stage_of(r, &used, c, &t);
	}
	if (s != STAGE_SERVES)
		return refuse(r, &a, &(struct furthest){s, c}, d);
	if (t.operation != planned->operation || !view_eq(t.model, planned->model))
		return deny_set(d, DENY_NO_PLAN,
		    "The credential '%s' or the catalogue changed: this plan is out of date.",
		    c->name);
	return true;
}

// With a provider in front ("openai/") the list is that provider's own.
bool
policy_lists(const struct policy_request *r)
{
	return r->operation == OP_OPENAI_MODEL ||
	       (r->model.len == 0 &&
		   (r->operation == OP_OPENAI_MODELS || r->operation == OP_ANTHROPIC_MODELS));
}

static bool
reaches(const struct vkey *k, const struct cred *c, uint64_t now_s)
{
	return may_use(k, c) && c->enabled && !cred_expired(c, now_s);
}

uint64_t
policy_reach(const struct vkey *k, const struct cred_table *creds, uint64_t now_s)
{
	uint64_t bits = 0;
	for (size_t i = 0; i < cred_slots(creds); i++) {
		const struct cred *c = cred_at(creds, i);
		if (reaches(k, c, now_s))
			bits |= CATALOGUE_BIT(c->provider);
	}
	return bits;
}

// False if one has no list, or there are too many to tell: then all is listed.
static bool
add_served(const struct vkey *k, const struct cred_table *creds, uint64_t now_s, uint64_t provider,
    struct msg_plan *m)
{
	for (size_t i = 0; i < cred_slots(creds); i++) {
		const struct cred *c = cred_at(creds, i);
		if (!reaches(k, c, now_s) || c->provider != provider)
			continue;
		if (c->models.count == 0 || c->models.count > MSG_NAMES_MAX - m->served_model_count)
			return false;
		for (size_t j = 0; j < c->models.count; j++)
			m->served_model[m->served_model_count++] =
			    (struct msg_named){provider, view_of(c->models.name[j])};
	}
	return true;
}

void
policy_served(
    const struct vkey *k, const struct cred_table *creds, uint64_t now_s, struct msg_plan *m)
{
	for (uint64_t p = 1; p <= PROVIDER_LAST; p++) {
		size_t before = m->served_model_count;
		if (!add_served(k, creds, now_s, p, m))
			m->served_model_count = before;
	}
}

bool
policy_may_fall_back(uint64_t class_id, uint64_t status)
{
	if (class_id != CLASS_NONE)
		return errclass_next((enum error_class)class_id);
	switch (status) {
	case 401: // the provider refused this key
	case 402:
	case 403:
	case 404: // this key does not have the model
	case 408:
	case 424:
	case 429:
		return true;
	default:
		return status == 0 || (status >= 500 && status <= 599);
	}
}
