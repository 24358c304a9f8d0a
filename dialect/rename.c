// SPDX-License-Identifier: Apache-2.0
// The same API, another name for the model, or an older version of the API: one value of
// the body is replaced, all other bytes stay as the client wrote them (order, white space,
// numbers, unknown members).
// Answers need nothing, so this side has no answer or event functions. Pure.
#include "dialect/side.h"

// The value of an outer member, absent if there is none.
static struct jv
find(struct view body, const char *member)
{
	struct jv_iter it = {0};
	struct view name;
	struct jv root = jv_root(body), value, found = {0};
	// The check refused a second one, also one that is written with escapes.
	while (jv_member(root, &it, &name, &value)) {
		if (jv_name_eq(name, member))
			found = value;
	}
	return found;
}

static void
replace(struct view body, struct jv old, struct view text, struct buf *out)
{
	size_t before = (size_t)(old.text.p - body.p);
	size_t after = before + old.text.len;
	buf_view(out, (struct view){body.p, before});
	jv_put_string(out, text);
	buf_view(out, (struct view){body.p + after, body.len - after});
}

static bool
request(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	struct view body = d->r.body;
	struct jv root = jv_root(body), model = find(body, "model");
	if (!jv_is(root, JV_OBJECT))
		return side_fault(f, "invalid_value", "", "The body must be a JSON object.");
	if (model.text.p != NULL) {
		replace(body, model, d->r.model.upstream, out);
		return true;
	}
	// The client named it in the path.
	size_t at = (size_t)(root.text.p - body.p) + 1;
	buf_view(out, (struct view){body.p, at});
	buf_str(out, "\"model\":");
	jv_put_string(out, d->r.model.upstream);
	buf_str(out, jv_count(root) == 0 ? "" : ",");
	buf_view(out, (struct view){body.p + at, body.len - at});
	return true;
}

static bool
version(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	struct jv old = find(d->r.body, "anthropic_version");
	if (!jv_is(old, JV_STRING))
		return side_fault(f, "invalid_value", "anthropic_version",
		    "The body needs a member \"anthropic_version\", such as bedrock-2023-05-31.");
	replace(d->r.body, old, VIEW("bedrock-2023-05-31"), out);
	return true;
}

const struct dialect_side dialect_side_rename = {.request = request};
const struct dialect_side dialect_side_version = {.request = version};
