// SPDX-License-Identifier: Apache-2.0
// Settings and deployments. Pure but for memory.
#include "vaultd/cred_extra.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 2048U
#define MODEL_MAX 128U

void
cred_extra_set(struct cred_extra *x, const struct msg_credential_put *put)
{
	*x = (struct cred_extra){0};
	for (size_t i = 0; i < put->setting_count; i++) {
		const struct msg_named *s = &put->setting[i];
		BUG_IF(s->id == 0 || s->id > SETTING_LAST || x->setting[s->id] != NULL);
		x->setting[s->id] = base_strndup(s->value.p, s->value.len);
	}
	for (size_t i = 0; i < put->deployment_count; i++) {
		const struct msg_deployment *d = &put->deployment[i];
		x->deployment[i].model = base_strndup(d->model.p, d->model.len);
		x->deployment[i].name = base_strndup(d->name.p, d->name.len);
	}
	x->deployment_count = put->deployment_count;
}

void
cred_extra_clear(struct cred_extra *x)
{
	for (size_t i = 0; i <= SETTING_LAST; i++)
		free(x->setting[i]);
	for (size_t i = 0; i < x->deployment_count; i++) {
		free(x->deployment[i].model);
		free(x->deployment[i].name);
	}
	*x = (struct cred_extra){0};
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
cred_extra_equal(const struct cred_extra *a, const struct cred_extra *b)
{
	for (size_t i = 0; i <= SETTING_LAST; i++)
		if (!same(a->setting[i], b->setting[i]))
			return false;
	if (a->deployment_count != b->deployment_count)
		return false;
	for (size_t i = 0; i < a->deployment_count; i++)
		if (strcmp(a->deployment[i].model, b->deployment[i].model) != 0 ||
		    strcmp(a->deployment[i].name, b->deployment[i].name) != 0)
			return false;
	return true;
}

void
cred_extra_fill_settings(const struct cred_extra *x, struct msg_named *setting, size_t *count_r)
{
	*count_r = 0;
	for (size_t i = 0; i <= SETTING_LAST; i++)
		if (x->setting[i] != NULL)
			setting[(*count_r)++] = (struct msg_named){i, view_of(x->setting[i])};
}

void
cred_extra_fill_deployments(
    const struct cred_extra *x, struct msg_deployment *deployment, size_t *count_r)
{
	*count_r = x->deployment_count;
	for (size_t i = 0; i < x->deployment_count; i++)
		deployment[i] = (struct msg_deployment){
		    view_of(x->deployment[i].model), view_of(x->deployment[i].name)};
}

void
cred_extra_put(const struct cred_extra *x, struct mp_out *o)
{
	struct msg_named setting[SETTING_LAST + 1];
	size_t n;
	cred_extra_fill_settings(x, setting, &n);
	mp_put_array(o, n * 2);
	for (size_t i = 0; i < n; i++) {
		mp_put_uint(o, setting[i].id);
		mp_put_str(o, setting[i].value);
	}
	mp_put_array(o, x->deployment_count * 2);
	for (size_t i = 0; i < x->deployment_count; i++) {
		mp_put_str(o, view_of(x->deployment[i].model));
		mp_put_str(o, view_of(x->deployment[i].name));
	}
}

static int
get_text(struct mp_in *in, size_t max, char **text_r)
{
	struct view v;
	if (mp_get_str(in, max, &v) != 0)
		return -1;
	*text_r = base_strndup(v.p, v.len);
	return 0;
}

static int
get_all(struct cred_extra *x, struct mp_in *in)
{
	size_t n;
	if (mp_get_array(in, 2U * SETTING_LAST, &n) != 0 || n % 2 != 0)
		return -1;
	for (size_t i = 0; i < n / 2; i++) {
		uint64_t id;
		if (mp_get_uint(in, SETTING_LAST, &id) != 0 || id == 0 || x->setting[id] != NULL ||
		    get_text(in, VALUE_MAX, &x->setting[id]) != 0)
			return -1;
	}
	if (mp_get_array(in, 2U * MSG_DEPLOYMENTS_MAX, &n) != 0 || n % 2 != 0)
		return -1;
	for (size_t i = 0; i < n / 2; i++) {
		char *model = NULL, *name = NULL;
		if (get_text(in, MODEL_MAX, &model) != 0 || get_text(in, MODEL_MAX, &name) != 0) {
			free(model);
			return -1;
		}
		x->deployment[i].model = model;
		x->deployment[i].name = name;
		x->deployment_count++;
	}
	return 0;
}

int
cred_extra_get(struct cred_extra *x, struct mp_in *in)
{
	*x = (struct cred_extra){0};
	if (get_all(x, in) == 0)
		return 0;
	cred_extra_clear(x);
	return -1;
}
