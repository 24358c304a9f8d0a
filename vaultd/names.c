// SPDX-License-Identifier: Apache-2.0
// Lists of names. Pure.
#include "vaultd/names.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 128U

void
names_set(struct names *n, const struct msg_name *from, size_t count)
{
	BUG_IF(count > MSG_NAMES_MAX);
	*n = (struct names){.count = count};
	for (size_t i = 0; i < count; i++)
		n->name[i] = base_strndup(from[i].name.p, from[i].name.len);
}

void
names_clear(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->name[i]);
	*n = (struct names){0};
}

void
names_fill(const struct names *n, struct msg_name *to, size_t *count_r)
{
	for (size_t i = 0; i < n->count; i++)
		to[i].name = view_of(n->name[i]);
	*count_r = n->count;
}

bool
names_equal(const struct names *a, const struct names *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->name[i], b->name[i]) != 0)
			return false;
	return true;
}

bool
names_has(const struct names *n, struct view name)
{
	for (size_t i = 0; i < n->count; i++)
		if (view_eq_str(name, n->name[i]))
			return true;
	return false;
}

bool
names_pattern_fits(struct view pattern, struct view model)
{
	if (pattern.len == 0 || pattern.p[pattern.len - 1] != '*')
		return view_eq(pattern, model);
	size_t n = pattern.len - 1;
	return model.len >= n && (n == 0 || memcmp(model.p, pattern.p, n) == 0);
}

bool
names_allow_model(const struct names *n, struct view model)
{
	for (size_t i = 0; i < n->count; i++)
		if (names_pattern_fits(view_of(n->name[i]), model))
			return true;
	return n->count == 0;
}

void
names_put(const struct names *n, struct mp_out *o)
{
	mp_put_array(o, n->count);
	for (size_t i = 0; i < n->count; i++)
		mp_put_str(o, view_of(n->name[i]));
}

int
names_get(struct names *n, struct mp_in *in)
{
	size_t count;
	*n = (struct names){0};
	if (mp_get_array(in, MSG_NAMES_MAX, &count) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct view v;
		if (mp_get_str(in, NAME_MAX_LEN, &v) != 0) {
			names_clear(n);
			return -1;
		}
		n->name[n->count++] = base_strndup(v.p, v.len);
	}
	return 0;
}
