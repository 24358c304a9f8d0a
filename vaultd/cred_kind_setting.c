// SPDX-License-Identifier: Apache-2.0
// Which settings a credential has, and its deployments. Pure.
#include <string.h>

#include "proto/grammar.h"
#include "proto/kind_setting.h"
#include "vaultd/cred_kind.h"

#define SHOWN(v) (int)MIN((v).len, 80U), (v).p

// "project, client-email": the settings of a kind, for its errors.
static struct view
list_of(unsigned bits, char *buf, size_t size)
{
	struct text t;
	text_init(&t, buf, size);
	for (unsigned id = 1; id <= SETTING_LAST; id++) {
		if ((bits & CATALOGUE_BIT(id)) == 0)
			continue;
		if (t.len != 0)
			text_str(&t, ", ");
		text_str(&t, ids_setting(id));
	}
	return text_done(&t);
}

static bool
check_which(const struct msg_credential_put *put, const struct kind *k, struct admin_error *e)
{
	char buf[200];
	unsigned have = 0;
	for (size_t i = 0; i < put->setting_count; i++) {
		uint64_t id = put->setting[i].id;
		const char *name = ids_setting(id);
		if (name == NULL || (i > 0 && id <= put->setting[i - 1].id))
			return admin_check_fail(e, "bad_setting",
			    "A setting is unknown, or there twice, or out of order.");
		have |= CATALOGUE_BIT(id);
		if (((k->needs | k->allows) & CATALOGUE_BIT(id)) == 0) {
			struct view all = list_of(k->needs | k->allows, buf, sizeof(buf));
			return admin_check_fail(e, "bad_setting",
			    "A %s credential with authorization %s has no setting '%s'%s%.*s.",
			    ids_provider(put->provider), ids_auth(put->auth), name,
			    all.len == 0 ? "" : "; it may have: ", SHOWN(all));
		}
	}
	unsigned missing = k->needs & ~have;
	if (missing == 0)
		return true;
	struct view all = list_of(missing, buf, sizeof(buf));
	return admin_check_fail(e, "bad_setting",
	    "A %s credential with authorization %s also needs: %.*s.", ids_provider(put->provider),
	    ids_auth(put->auth), SHOWN(all));
}

static bool
check_deployments(const struct msg_credential_put *put, struct admin_error *e)
{
	if (put->deployment_count != 0 && put->provider != PROVIDER_AZURE)
		return admin_check_fail(
		    e, "bad_deployment", "Only azure credentials have deployments.");
	for (size_t i = 0; i < put->deployment_count; i++) {
		const struct msg_deployment *d = &put->deployment[i];
		if (!grammar_model_valid(d->model))
			return admin_check_fail(e, "bad_deployment",
			    "'%.*s' is no model name: visible ASCII without spaces.",
			    SHOWN(d->model));
		if (!grammar_name_valid(d->name))
			return admin_check_fail(e, "bad_deployment",
			    "'%.*s' is no name of a deployment: letters, digits, '.', '_', '-'.",
			    SHOWN(d->name));
		for (size_t k = 0; k < i; k++)
			if (view_eq(put->deployment[k].model, d->model))
				return admin_check_fail(e, "bad_deployment",
				    "The model '%.*s' has two deployments.", SHOWN(d->model));
	}
	return true;
}

bool
cred_kind_check_settings(
    const struct msg_credential_put *put, const struct kind *k, struct admin_error *e)
{
	if (!check_which(put, k, e))
		return false;
	for (size_t i = 0; i < put->setting_count; i++) {
		const char *want = kind_setting_wanted(
		    put->provider, put->auth, put->setting[i].id, put->setting[i].value);
		if (want != NULL)
			return admin_check_fail(e, "bad_setting", "The setting %s is %s.",
			    ids_setting(put->setting[i].id), want);
	}
	return check_deployments(put, e);
}
