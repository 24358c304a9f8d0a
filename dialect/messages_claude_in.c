// SPDX-License-Identifier: Apache-2.0
// The request of Anthropic Messages as Bedrock and Vertex AI take it. The body moves as
// text; only members that name the model, the version, betas or the direct API's own
// services change.
//
// What happens to members that only Anthropic's own API serves is in `rules` below:
// those that ask for a service or a guarantee are refused by name, those that are mere
// advice are left out and reported. Members that nobody here knows pass on.
#include "dialect/messages_claude.h"

#include <string.h>

#define VERSION_BEDROCK "bedrock-2023-05-31"
#define VERSION_VERTEX	"vertex-2023-10-16"
#define VERSION_2026	"2026-10-21"

enum rule_what { RULE_SKIP, RULE_DROP, RULE_REFUSE, RULE_CONTEXT };

struct rule {
	const char *name;
	enum rule_what what;
};

// Members of the request. SKIP: written anew from what the session knows.
static const struct rule rules[] = {
    {"model", RULE_SKIP},
    {"anthropic_version", RULE_SKIP},
    {"anthropic_beta", RULE_SKIP},
    {"service_tier", RULE_DROP},    // advice
    {"speed", RULE_DROP},	    // advice
    {"cache_control", RULE_DROP},   // advice: automatic cache points; those in blocks stay
    {"inference_geo", RULE_REFUSE}, // a promise about places must not vanish
    {"container", RULE_REFUSE},
    {"mcp_servers", RULE_REFUSE},
    {"context_management", RULE_CONTEXT},
};

// Members of a tool, and the beta (its beginning) with which they are known. NULL: never.
static const struct {
	const char *name, *beta, *also;
} tool_rules[] = {
    {"eager_input_streaming", NULL, NULL},
    {"defer_loading", "tool-search-tool-", "advanced-tool-use-"},
    {"input_examples", "tool-examples-", "advanced-tool-use-"},
    {"allowed_callers", "advanced-tool-use-", "advanced-tool-use-"},
};

bool
messages_claude_on_bedrock(const struct dialect *d)
{
	return d->r.pair == DIALECT_MESSAGES_INVOKE || d->r.pair == DIALECT_COUNT_BEDROCK;
}

static bool
is_count(const struct dialect *d)
{
	return d->r.pair == DIALECT_COUNT_BEDROCK || d->r.pair == DIALECT_COUNT_RAW_PREDICT;
}

// --- betas --------------------------------------------------------------------------

// Next item of a comma list, without white space around it; false at the end.
static bool
next_item(struct view *rest, struct view *item_r)
{
	while (rest->len > 0) {
		const char *comma = memchr(rest->p, ',', rest->len);
		size_t n = comma == NULL ? rest->len : (size_t)(comma - rest->p);
		struct view v = {rest->p, n};
		size_t skip = comma == NULL ? n : n + 1;
		rest->p += skip;
		rest->len -= skip;
		while (v.len > 0 && (v.p[0] == ' ' || v.p[0] == '\t'))
			v = (struct view){v.p + 1, v.len - 1};
		while (v.len > 0 && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t'))
			v.len--;
		if (v.len > 0) {
			*item_r = v;
			return true;
		}
	}
	return false;
}

static bool
list_has(struct view list, struct view wanted)
{
	struct view item;
	while (next_item(&list, &item))
		if (view_eq(item, wanted))
			return true;
	return false;
}

static bool
list_has_prefix(struct view list, const char *prefix)
{
	struct view item;
	size_t n = strlen(prefix);
	while (next_item(&list, &item))
		if (item.len >= n && memcmp(item.p, prefix, n) == 0)
			return true;
	return false;
}

// Letters, digits, '-', '.', '_': nothing that could end a header or a string.
static bool
beta_wellformed(struct view v)
{
	if (v.len == 0 || v.len > 64)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];
		bool alnum =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!alnum && c != '-' && c != '.' && c != '_')
			return false;
	}
	return true;
}

// Adds one beta to the comma list `kept` when the model takes it; *lost otherwise.
static void
beta_add(const struct dialect *d, struct buf *kept, struct view beta, bool *lost)
{
	struct view known = d->r.model.betas;
	bool takes = view_eq_str(known, "*") || list_has(known, beta);
	if (!takes || !beta_wellformed(beta)) {
		*lost = true;
		return;
	}
	if (list_has(buf_done(kept), beta))
		return;
	if (kept->len > 0)
		buf_char(kept, ',');
	buf_view(kept, beta);
}

// The client's betas, from the header and from the body, that the model takes: to kept.
static bool
betas_read(struct dialect *d, struct jv root, struct buf *kept, struct dialect_fault *f)
{
	bool lost = false;
	struct view rest = d->r.anthropic_beta, item;
	while (next_item(&rest, &item))
		beta_add(d, kept, item, &lost);
	struct jv_iter it = {0};
	struct jv e;
	struct jv list = jv_get(root, "anthropic_beta");
	while (jv_each(list, &it, &e)) {
		char name[65];
		if (jv_copy(e, name, sizeof name) != 0)
			lost = true;
		else
			beta_add(d, kept, view_of(name), &lost);
	}
	return !lost || side_drop(d, "anthropic-beta", f);
}

static void
put_betas(struct buf *out, struct view kept)
{
	struct view item;
	if (kept.len == 0)
		return;
	jv_put_name(out, "anthropic_beta");
	buf_char(out, '[');
	while (next_item(&kept, &item)) {
		jv_put_comma(out);
		jv_put_string(out, item);
	}
	buf_char(out, ']');
}

// --- the request --------------------------------------------------------------------

static void
put_as_written(struct buf *out, struct view name, struct jv v)
{
	jv_put_comma(out);
	buf_char(out, '"');
	buf_view(out, name);
	buf_str(out, "\":");
	jv_put_raw(out, v);
}

static bool
tool_member_unknown(struct view name, struct view betas)
{
	for (size_t i = 0; i < ARRAY_LEN(tool_rules); i++) {
		if (!jv_name_eq(name, tool_rules[i].name))
			continue;
		return tool_rules[i].beta == NULL ||
		       (!list_has_prefix(betas, tool_rules[i].beta) &&
			   !list_has_prefix(betas, tool_rules[i].also));
	}
	return false;
}

static bool
put_tools(
    struct dialect *d, struct jv tools, struct view betas, struct buf *out, struct dialect_fault *f)
{
	struct jv_iter at = {0};
	struct jv tool;
	jv_put_name(out, "tools");
	if (!jv_is(tools, JV_ARRAY)) {
		jv_put_raw(out, tools);
		return true;
	}
	buf_char(out, '[');
	while (jv_each(tools, &at, &tool)) {
		jv_put_comma(out);
		if (!jv_is(tool, JV_OBJECT)) {
			jv_put_raw(out, tool);
			continue;
		}
		struct jv_iter in = {0};
		struct view name;
		struct jv v;
		buf_char(out, '{');
		while (jv_member(tool, &in, &name, &v)) {
			if (!tool_member_unknown(name, betas)) {
				put_as_written(out, name, v);
				continue;
			}
			char param[64] = "tools.";
			size_t n = MIN(name.len, sizeof param - 7);
			memcpy(param + 6, name.p, n);
			param[6 + n] = '\0';
			if (!side_drop(d, param, f))
				return false;
		}
		buf_char(out, '}');
	}
	buf_char(out, ']');
	return true;
}

static const struct rule *
rule_of(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (jv_name_eq(name, rules[i].name))
			return &rules[i];
	return NULL;
}

static bool
put_member(struct dialect *d, struct view name, struct jv v, struct view betas, struct buf *out,
    struct dialect_fault *f)
{
	const struct rule *r = rule_of(name);
	if (jv_name_eq(name, "tools"))
		return put_tools(d, v, betas, out, f);
	// Bedrock streams by operation; counting never streams.
	if (jv_name_eq(name, "stream") && (messages_claude_on_bedrock(d) || is_count(d)))
		return true;
	if (r != NULL && r->what == RULE_SKIP)
		return true;
	if (r == NULL || jv_is(v, JV_NULL)) {
		if (r == NULL)
			put_as_written(out, name, v);
		return true;
	}
	if (r->what == RULE_REFUSE)
		return side_fault(f, "unsupported_parameter", r->name,
		    "%s is served by Anthropic's own API only: remove it, or ask for the "
		    "model as anthropic/...",
		    r->name);
	if (r->what == RULE_CONTEXT && list_has_prefix(betas, "context-management-")) {
		put_as_written(out, name, v);
		return true;
	}
	return side_drop(d, r->name, f);
}

// The version by what the model knows, never by what the client's SDK happened to send.
static const char *
version_of(const struct dialect *d, struct jv root)
{
	bool asked = view_eq_str(d->r.anthropic_version, VERSION_2026) ||
		     jv_eq(jv_get(root, "anthropic_version"), VERSION_2026);
	if (asked && (d->r.model.flags & MODEL_VERSION_2026) != 0)
		return VERSION_2026;
	return messages_claude_on_bedrock(d) ? VERSION_BEDROCK : VERSION_VERTEX;
}

// CountTokens checks the inner body like a request: max_tokens must be there, and above
// the thinking budget.
static void
put_max_tokens(struct jv root, struct buf *out)
{
	uint64_t budget = jv_u64(jv_get2(root, "thinking", "budget_tokens"), 0);
	if (jv_type(jv_get(root, "max_tokens")) == JV_NONE)
		jv_put_member_uint(out, "max_tokens", MIN(budget, UINT32_MAX) + 1);
}

static bool
put_body(
    struct dialect *d, struct jv root, struct view betas, struct buf *out, struct dialect_fault *f)
{
	struct jv_iter it = {0};
	struct view name;
	struct jv v;
	buf_char(out, '{');
	jv_put_member_text(out, "anthropic_version", view_of(version_of(d, root)));
	if (messages_claude_on_bedrock(d))
		put_betas(out, betas);
	else if (betas.len > 0)
		side_header(d, HEADER_ANTHROPIC_BETA, betas);
	if (d->r.pair == DIALECT_COUNT_RAW_PREDICT)
		jv_put_member_text(out, "model", d->r.model.upstream);
	while (jv_member(root, &it, &name, &v))
		if (!put_member(d, name, v, betas, out, f))
			return false;
	if (d->r.pair == DIALECT_COUNT_BEDROCK)
		put_max_tokens(root, out);
	buf_char(out, '}');
	return true;
}

bool
messages_claude_request(struct dialect *d, struct buf *out, struct dialect_fault *f)
{
	struct jv root = jv_root(d->r.body);
	if (!jv_is(root, JV_OBJECT))
		return side_fault(f, "invalid_value", "", "the body must be a JSON object");
	struct buf betas;
	buf_init(&betas, 900); // values of headers share 1 KiB in a session
	bool ok = betas_read(d, root, &betas, f);
	if (ok && betas.failed)
		ok = side_fault(f, "invalid_value", "anthropic-beta", "too many beta flags");
	if (ok)
		ok = put_body(d, root, buf_done(&betas), out, f);
	buf_free(&betas);
	return ok;
}
