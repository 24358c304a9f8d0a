// SPDX-License-Identifier: Apache-2.0
// jansson behind three questions. Pure.
#include "ctl/provider_json.h"

bool
provider_json_parse(struct provider_json *j, struct view body)
{
	j->root = json_loadb(body.p == NULL ? "" : body.p, body.len, JSON_REJECT_DUPLICATES, NULL);
	if (j->root != NULL && !json_is_object(j->root)) {
		json_decref(j->root);
		j->root = NULL;
	}
	return j->root != NULL;
}

void
provider_json_free(struct provider_json *j)
{
	json_decref(j->root);
	j->root = NULL;
}

struct view
provider_json_view(const json_t *s)
{
	if (!json_is_string(s))
		return (struct view){NULL, 0};
	return (struct view){json_string_value(s), json_string_length(s)};
}

// Content is a string, or parts of which the last with a text counts.
static struct view
content_text(const json_t *content)
{
	if (json_is_string(content))
		return provider_json_view(content);
	struct view v = {NULL, 0};
	for (size_t i = 0; i < json_array_size(content); i++) {
		const json_t *text = json_object_get(json_array_get(content, i), "text");
		if (json_is_string(text))
			v = provider_json_view(text);
	}
	return v;
}

struct view
provider_json_last_user(const struct provider_json *j)
{
	const json_t *turns = json_object_get(j->root, "messages");
	if (turns == NULL)
		turns = json_object_get(j->root, "input");
	if (json_is_string(turns))
		return provider_json_view(turns);
	for (size_t i = json_array_size(turns); i-- > 0;) {
		const json_t *turn = json_array_get(turns, i);
		if (view_eq_str(provider_json_view(json_object_get(turn, "role")), "user"))
			return content_text(json_object_get(turn, "content"));
	}
	return (struct view){NULL, 0};
}
