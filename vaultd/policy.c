// SPDX-License-Identifier: Apache-2.0
// Choice of credentials. Pure.
#include "vaultd/policy.h"

#include <string.h>

#define SHOWN(v) (int)MIN((v).len, 128U), (v).p

// How far a credential gets through the checks; the furthest one explains a refusal.
enum stage { STAGE_NO_CANDIDATE, STAGE_DISABLED, STAGE_OPERATION, STAGE_MODEL, STAGE_SERVES };

// Field 4 of "arn:partition:service:region:account:resource".
static bool
arn_region_fits(const struct cred *c, struct view model)
{
	if (c->provider != PROVIDER_BEDROCK || model.len < 4 || memcmp(model.p, "arn:", 4) != 0)
		return true;
	size_t colons = 0, start = 0, i = 0;
	for (; i < model.len && colons < 4; i++) {
		if (model.p[i] != ':')
			continue;
		if (++colons == 3)
			start = i + 1;
	}
	if (colons < 4)
		return false;
	return view_eq_str((struct view){model.p + start, i - 1 - start}, c->region);
}

static enum stage
stage_of(const struct policy_request *r, const struct cred *c)
{
	const struct vkey *k = r->vkey;
	if (c == NULL || strcmp(c->workspace, k->workspace) != 0 ||
	    !catalogue_serves(r->op, c->provider) ||
	    (k->credentials.count != 0 && !names_has(&k->credentials, view_of(c->name))))
		return STAGE_NO_CANDIDATE;
	if (!c->enabled)
		return STAGE_DISABLED;
	if (!cred_allows_operation(c, r->op->id))
		return STAGE_OPERATION;
	if (r->op->has_model &&
	    (!names_allow_model(&c->models, r->model) || !arn_region_fits(c, r->model)))
		return STAGE_MODEL;
	return STAGE_SERVES;
}

static const char *
provider_names(const struct catalogue_op *op)
{
	if (catalogue_serves(op, PROVIDER_OPENAI))
		return "openai";
	return catalogue_serves(op, PROVIDER_ANTHROPIC) ? "anthropic" : "bedrock";
}

static bool
refuse(const struct policy_request *r, enum stage best, struct deny *d)
{
	const char *op = ids_operation(r->op->id);
	const char *provider = provider_names(r->op);
	switch (best) {
	case STAGE_MODEL:
		return deny_set(d, DENY_MODEL_NOT_ALLOWED,
		    "No %s credential of workspace '%s' allows the model '%.*s'. Its list of "
		    "models is set with: sallyport apply -f FILE",
		    provider, r->vkey->workspace, SHOWN(r->model));
	case STAGE_OPERATION:
		return deny_set(d, DENY_OPERATION_NOT_ALLOWED,
		    "The %s credentials of workspace '%s' do not allow the operation '%s'.",
		    provider, r->vkey->workspace, op);
	case STAGE_DISABLED:
		return deny_set(d, DENY_CREDENTIAL_DISABLED,
		    "The %s credential of workspace '%s' is switched off. Switch it on: "
		    "sallyport credential enable NAME",
		    provider, r->vkey->workspace);
	default:
		return deny_set(d, DENY_NO_CREDENTIAL,
		    "There is no %s credential in workspace '%s'%s. Add one: sallyport "
		    "credential add NAME --provider %s",
		    provider, r->vkey->workspace,
		    r->vkey->credentials.count != 0 ? " that this key may use" : "", provider);
	}
}

static bool
key_allows_model(const struct policy_request *r, struct deny *d)
{
	if (r->vkey->revoked)
		return deny_set(d, DENY_KEY_REVOKED,
		    "This Sallyport key was revoked. Ask for a new one: sallyport vkey issue");
	if (r->op->has_model && !names_allow_model(&r->vkey->models, r->model))
		return deny_set(d, DENY_MODEL_NOT_ALLOWED,
		    "This Sallyport key does not allow the model '%.*s'.", SHOWN(r->model));
	return true;
}

// Keeps choice[] in order of name.
static void
insert_by_name(
    const struct cred_table *creds, struct policy_choice *choice, size_t slot, const char *name)
{
	size_t k = choice->count;
	while (k > 0 && strcmp(cred_at(creds, choice->handle[k - 1] - 1)->name, name) > 0)
		k--;
	if (k == MSG_ATTEMPTS_MAX)
		return;
	size_t moved = MIN(choice->count, MSG_ATTEMPTS_MAX - 1) - k;
	memmove(&choice->handle[k + 1], &choice->handle[k], moved * sizeof(choice->handle[0]));
	choice->handle[k] = slot + 1;
	choice->count = MIN(choice->count + 1, MSG_ATTEMPTS_MAX);
}

bool
policy_choose(const struct policy_request *r, const struct cred_table *creds,
    struct policy_choice *choice_r, struct deny *d)
{
	enum stage best = STAGE_NO_CANDIDATE;
	*choice_r = (struct policy_choice){0};
	if (!key_allows_model(r, d))
		return false;
	const struct names *listed = &r->vkey->credentials;
	for (size_t i = 0; i < listed->count && choice_r->count < MSG_ATTEMPTS_MAX; i++) {
		const struct cred *c = cred_by_name(creds, view_of(listed->name[i]));
		enum stage s = stage_of(r, c);
		best = MAX(best, s);
		if (s == STAGE_SERVES)
			choice_r->handle[choice_r->count++] = cred_handle(creds, c);
	}
	for (size_t i = 0; listed->count == 0 && i < cred_slots(creds); i++) {
		const struct cred *c = cred_at(creds, i);
		enum stage s = stage_of(r, c);
		best = MAX(best, s);
		if (s == STAGE_SERVES)
			insert_by_name(creds, choice_r, i, c->name);
	}
	return choice_r->count != 0 ? true : refuse(r, best, d);
}

bool
policy_recheck(const struct policy_request *r, const struct cred *c, struct deny *d)
{
	if (!key_allows_model(r, d))
		return false;
	enum stage s = stage_of(r, c);
	return s == STAGE_SERVES ? true : refuse(r, s, d);
}

bool
policy_may_fall_back(uint64_t status)
{
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
