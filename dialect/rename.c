// SPDX-License-Identifier: Apache-2.0
// The same API, another name for the model: one value of the body is replaced, all other
// bytes stay as the client wrote them (order, white space, numbers, unknown members).
// Answers need nothing, so this side has no answer or event functions. Pure.
#include "dialect/side.h"

static bool
request(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	struct view body = d->r.body;
	struct jv_iter it = {0};
	struct view name;
	struct jv value, model = {0};
	// The check refused a second "model", also one that is written with escapes.
	while (jv_member(jv_root(body), &it, &name, &value)) {
		if (jv_name_eq(name, "model"))
			model = value;
	}
	if (!jv_is(model, JV_STRING))
		return side_fault(f, "invalid_value", "model",
		    "The body needs a member \"model\" with the model's name.");
	size_t before = (size_t)(model.text.p - body.p);
	size_t after = before + model.text.len;
	buf_view(out, (struct view){body.p, before});
	jv_put_string(out, d->r.model.upstream);
	buf_view(out, (struct view){body.p + after, body.len - after});
	return true;
}

const struct dialect_side dialect_side_rename = {.request = request};
