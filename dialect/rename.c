// SPDX-License-Identifier: Apache-2.0
// The same API, another name for the model, or an older version of the API: one value of
// the body is replaced, all other bytes stay as the client wrote them (order, white space,
// numbers, unknown members).
// Answers need nothing, so this side has no answer or event functions. Pure.
#include "dialect/side.h"

static bool
replace(struct dialect *d, const char *member, struct view text, struct buf *out)
{
	struct view body = d->r.body;
	struct jv_iter it = {0};
	struct view name;
	struct jv value, found = {0};
	// The check refused a second one, also one that is written with escapes.
	while (jv_member(jv_root(body), &it, &name, &value)) {
		if (jv_name_eq(name, member))
			found = value;
	}
	if (!jv_is(found, JV_STRING))
		return false;
	size_t before = (size_t)(found.text.p - body.p);
	size_t after = before + found.text.len;
	buf_view(out, (struct view){body.p, before});
	jv_put_string(out, text);
	buf_view(out, (struct view){body.p + after, body.len - after});
	return true;
}

static bool
request(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	return replace(d, "model", d->r.model.upstream, out) ||
	       side_fault(f, "invalid_value", "model",
		   "The body needs a member \"model\" with the model's name.");
}

static bool
version(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	return replace(d, "anthropic_version", VIEW("bedrock-2023-05-31"), out) ||
	       side_fault(f, "invalid_value", "anthropic_version",
		   "The body needs a member \"anthropic_version\", such as bedrock-2023-05-31.");
}

const struct dialect_side dialect_side_rename = {.request = request};
const struct dialect_side dialect_side_version = {.request = version};
