// SPDX-License-Identifier: Apache-2.0
// Writes the body of an Anthropic Messages request from a chat request that was read.
// Source: Anthropic API reference, "Create a message". Pure.
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "dialect/chat_messages.h"

static void
put_system(struct buf *b, const struct chat *c)
{
	bool json = c->format == FORMAT_JSON;
	if (c->system_count == 0 && !json)
		return;
	jv_put_name(b, "system");
	buf_char(b, '[');
	for (size_t i = 0; i < c->system_count + (json ? 1 : 0); i++) {
		struct view text = i < c->system_count
				       ? c->system[i]
				       : VIEW("Answer with one JSON object and nothing else: no "
					      "words around it, no code fence.");
		jv_put_comma(b);
		buf_str(b, "{\"type\":\"text\"");
		jv_put_member_text(b, "text", text);
		buf_char(b, '}');
	}
	buf_char(b, ']');
}

// --- content -----------------------------------------------------------------------

static bool
part_fault(const struct chat_part *p, struct dialect_fault *f, const char *sentence)
{
	char param[64];
	(void)snprintf(param, sizeof(param), "messages[%zu].content", p->message);
	return side_fault(f, "invalid_value", param, "%s", sentence);
}

static bool
put_image(struct buf *b, const struct chat_part *p, struct dialect_fault *f)
{
	buf_str(b, "{\"type\":\"image\",\"source\":{\"type\":");
	if (p->kind == CHAT_IMAGE_URL) {
		if (p->url.len < 8 || !view_eq_str((struct view){p->url.p, 8}, "https://"))
			return part_fault(p, f, "An image is a data URL or an https:// URL.");
		buf_str(b, "\"url\"");
		jv_put_member_text(b, "url", p->url);
	} else {
		if (!view_eq_str(p->mime, "image/jpeg") && !view_eq_str(p->mime, "image/png") &&
		    !view_eq_str(p->mime, "image/gif") && !view_eq_str(p->mime, "image/webp"))
			return part_fault(p, f, "This model takes JPEG, PNG, GIF and WebP images.");
		buf_str(b, "\"base64\"");
		jv_put_member_text(b, "media_type", p->mime);
		jv_put_member_text(b, "data", p->data);
	}
	buf_str(b, "}}");
	return true;
}

// A text file goes as text, which has to be UTF-8.
static bool
put_text_file(struct buf *b, const struct chat_part *p, struct dialect_fault *f)
{
	size_t cap = p->data.len / 4 * 3, n = 0;
	char *bytes = base_calloc(cap + 1, 1);
	bool ok = sodium_base642bin((unsigned char *)bytes, cap, p->data.p, p->data.len, NULL, &n,
		      NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
		  mp_utf8_valid(bytes, n);
	if (ok)
		jv_put_member_text(b, "data", (struct view){bytes, n});
	free(bytes);
	return ok || part_fault(p, f, "A text file has to be UTF-8.");
}

static bool
put_file(struct buf *b, const struct chat_part *p, struct dialect_fault *f)
{
	bool text = p->mime.len >= 5 && view_eq_str((struct view){p->mime.p, 5}, "text/");
	if (!text && !view_eq_str(p->mime, "application/pdf"))
		return part_fault(p, f, "This model takes PDF and text files.");
	buf_str(b, "{\"type\":\"document\",\"source\":{\"type\":");
	buf_str(b, text ? "\"text\",\"media_type\":\"text/plain\""
			: "\"base64\",\"media_type\":\"application/pdf\"");
	if (!text)
		jv_put_member_text(b, "data", p->data);
	else if (!put_text_file(b, p, f))
		return false;
	buf_char(b, '}');
	if (p->name.len != 0)
		jv_put_member_text(b, "title", p->name);
	buf_char(b, '}');
	return true;
}

static void
put_text(struct buf *b, struct view text)
{
	buf_str(b, "{\"type\":\"text\"");
	jv_put_member_text(b, "text", text);
	buf_char(b, '}');
}

static bool
put_media(struct buf *b, const struct chat_part *p, struct dialect_fault *f)
{
	if (p->kind == CHAT_AUDIO)
		return part_fault(p, f, "This model takes no audio.");
	return p->kind == CHAT_FILE_DATA ? put_file(b, p, f) : put_image(b, p, f);
}

static bool
put_result(struct buf *b, const struct chat *c, const struct chat_part *p, struct dialect_fault *f)
{
	char id[65];
	chat_names_call_id(p->call_id, id);
	buf_str(b, "{\"type\":\"tool_result\"");
	jv_put_member_text(b, "tool_use_id", view_of(id));
	if (p->extra_count == 0) {
		if (p->text.len != 0)
			jv_put_member_text(b, "content", p->text);
		buf_char(b, '}');
		return true;
	}
	buf_str(b, ",\"content\":[");
	bool blank = true;
	for (size_t i = 0; i < p->text.len && blank; i++)
		blank = p->text.p[i] == ' ' || p->text.p[i] == '\n';
	if (!blank)
		put_text(b, p->text);
	for (size_t i = p->first_extra; i < p->first_extra + p->extra_count; i++) {
		jv_put_comma(b);
		if (!put_media(b, &c->extra[i], f))
			return false;
	}
	buf_str(b, "]}");
	return true;
}

// Only what Claude signed itself; another model's reasoning as plain text is refused.
static bool
is_ours(const struct chat_part *p)
{
	bool format =
	    p->format.len == 0 ||
	    (p->format.len >= 9 && view_eq_str((struct view){p->format.p, 9}, "anthropic"));
	return format && (p->redacted || p->signature.len != 0);
}

static void
put_reasoning(struct buf *b, const struct chat_part *p)
{
	if (p->redacted) {
		buf_str(b, "{\"type\":\"redacted_thinking\"");
		jv_put_member_text(b, "data", p->data);
	} else {
		buf_str(b, "{\"type\":\"thinking\"");
		jv_put_member_text(b, "thinking", p->text);
		jv_put_member_text(b, "signature", p->signature);
	}
	buf_char(b, '}');
}

static void
put_call(struct buf *b, const struct messages_state *s, const struct chat_part *p)
{
	char id[65];
	chat_names_call_id(p->call_id, id);
	buf_str(b, "{\"type\":\"tool_use\"");
	jv_put_member_text(b, "id", view_of(id));
	jv_put_member_text(b, "name", chat_names_out(s->names, p->name));
	jv_put_member_raw(b, "input", (struct jv){p->arguments});
	buf_char(b, '}');
}

// The API refuses white space at the very end of a prefill.
static struct view
trimmed(struct view v)
{
	while (v.len != 0 && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\n' ||
				 v.p[v.len - 1] == '\t' || v.p[v.len - 1] == '\r'))
		v.len--;
	return v;
}

static bool
put_turn(struct dialect *d, const struct chat *c, const struct chat_turn *t, bool last,
    struct buf *b, struct dialect_fault *f)
{
	jv_put_comma(b);
	buf_str(b, t->assistant ? "{\"role\":\"assistant\",\"content\":["
				: "{\"role\":\"user\",\"content\":[");
	for (size_t i = t->first; i < t->first + t->count; i++) {
		const struct chat_part *p = &c->part[i];
		bool end = last && t->assistant && i == t->first + t->count - 1;
		if (p->kind == CHAT_REASONING && !is_ours(p))
			continue;
		jv_put_comma(b);
		if (p->kind == CHAT_TEXT)
			put_text(b, end ? trimmed(p->text) : p->text);
		else if (p->kind == CHAT_REASONING)
			put_reasoning(b, p);
		else if (p->kind == CHAT_TOOL_CALL)
			put_call(b, d->state, p);
		else if (p->kind == CHAT_TOOL_RESULT ? !put_result(b, c, p, f)
						     : !put_media(b, p, f))
			return false;
	}
	buf_str(b, "]}");
	return true;
}

// --- tools -------------------------------------------------------------------------

static void
put_tool(struct dialect *d, const struct chat_tool *t, struct buf *b)
{
	const struct messages_state *s = d->state;
	jv_put_comma(b);
	buf_char(b, '{');
	jv_put_member_text(b, "name", chat_names_out(s->names, t->name));
	if (t->description.len != 0)
		jv_put_member_text(b, "description", t->description);
	jv_put_name(b, "input_schema");
	if (t->custom)
		buf_str(b, "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},"
			   "\"required\":[\"input\"]}");
	else if (jv_count(t->parameters) == 0)
		buf_str(b, "{\"type\":\"object\",\"properties\":{}}");
	else
		jv_put_raw(b, t->parameters);
	if (t->strict && (d->r.model.flags & MODEL_STRICT_TOOLS) != 0)
		buf_str(b, ",\"strict\":true");
	buf_char(b, '}');
}

// A history with calls wants tools: the one that was called first stands for all.
static void
put_placeholder(const struct messages_state *s, const struct chat *c, struct buf *b)
{
	size_t i = 0;
	while (i < c->part_count && c->part[i].kind != CHAT_TOOL_CALL)
		i++;
	BUG_IF(i == c->part_count); // a result without its call was refused
	buf_char(b, '{');
	jv_put_member_text(b, "name", chat_names_out(s->names, c->part[i].name));
	buf_str(b, ",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}");
}

static void
put_tools(struct dialect *d, const struct chat *c, const struct messages_plan *p, struct buf *b)
{
	const struct messages_state *s = d->state;
	bool placeholder = c->tool_count == 0 && c->history_has_tools && !p->json_tool;
	if (c->tool_count == 0 && !p->json_tool && !placeholder)
		return;
	jv_put_name(b, "tools");
	buf_char(b, '[');
	for (size_t i = 0; i < c->tool_count; i++)
		put_tool(d, &c->tool[i], b);
	if (placeholder)
		put_placeholder(s, c, b);
	if (p->json_tool) {
		jv_put_comma(b);
		buf_char(b, '{');
		jv_put_member_text(b, "name", view_of(s->json_tool));
		buf_str(b,
		    ",\"description\":\"Gives the answer. Call it once, with the whole answer.\"");
		jv_put_member_raw(b, "input_schema", c->schema);
		buf_char(b, '}');
	}
	buf_char(b, ']');
	// Our tool alone, or ours and the client's: one of them has to be called.
	bool ours_only = p->json_tool && (c->tool_count == 0 || c->choice == CHOICE_NONE);
	const char *type = placeholder						? "none"
			   : ours_only						? "tool"
			   : p->json_tool					? "any"
			   : c->choice == CHOICE_NONE				? "none"
			   : c->choice == CHOICE_REQUIRED			? "any"
			   : c->choice == CHOICE_TOOL				? "tool"
			   : c->choice == CHOICE_NONE_GIVEN && !c->parallel_off ? NULL
										: "auto";
	if (type == NULL)
		return;
	jv_put_name(b, "tool_choice");
	buf_char(b, '{');
	jv_put_member_text(b, "type", view_of(type));
	if (ours_only)
		jv_put_member_text(b, "name", view_of(s->json_tool));
	else if (!p->json_tool && !placeholder && c->choice == CHOICE_TOOL)
		jv_put_member_text(b, "name", chat_names_out(s->names, c->choice_tool));
	if (c->parallel_off && !placeholder && (p->json_tool || c->choice != CHOICE_NONE))
		buf_str(b, ",\"disable_parallel_tool_use\":true");
	buf_char(b, '}');
}

// --- parameters --------------------------------------------------------------------

static void
put_sampling(const struct dialect *d, const struct chat *c, struct buf *b)
{
	bool heat = jv_is(c->temperature, JV_NUMBER_T);
	if (heat) {
		double t = jv_double(c->temperature, 1);
		struct jv one = {VIEW("1")}, zero = {VIEW("0")};
		jv_put_member_raw(b, "temperature", t > 1 ? one : t < 0 ? zero : c->temperature);
	}
	if (!heat || (d->r.model.flags & MODEL_ONE_SAMPLING) == 0)
		jv_put_member_raw(b, "top_p", c->top_p);
	jv_put_member_raw(b, "top_k", c->top_k);
}

static void
put_thinking(const struct chat *c, const struct messages_plan *p, struct buf *b)
{
	if (p->think == THINK_OFF)
		buf_str(b, ",\"thinking\":{\"type\":\"disabled\"}");
	if (p->think == THINK_ADAPTIVE)
		buf_str(b, ",\"thinking\":{\"type\":\"adaptive\"}");
	if (p->think == THINK_BUDGET) {
		buf_str(b, ",\"thinking\":{\"type\":\"enabled\"");
		jv_put_member_uint(b, "budget_tokens", p->budget);
		buf_char(b, '}');
	}
	if (p->effort == NULL && !p->native_json)
		return;
	jv_put_name(b, "output_config");
	buf_char(b, '{');
	if (p->effort != NULL)
		jv_put_member_text(b, "effort", view_of(p->effort));
	if (p->native_json) {
		jv_put_name(b, "format");
		buf_str(b, "{\"type\":\"json_schema\"");
		jv_put_member_raw(b, "schema", c->schema);
		buf_char(b, '}');
	}
	buf_char(b, '}');
}

static void
put_rest(const struct dialect *d, const struct chat *c, struct buf *b)
{
	if (c->stop_count != 0) {
		jv_put_name(b, "stop_sequences");
		buf_char(b, '[');
		for (size_t i = 0; i < c->stop_count; i++) {
			jv_put_comma(b);
			jv_put_string(b, c->stop_text[i]);
		}
		buf_char(b, ']');
	}
	if (c->user.len != 0) { // may be a mail address: the provider gets its hash
		unsigned char hash[crypto_generichash_BYTES];
		char hex[2 * sizeof(hash) + 1];
		(void)crypto_generichash(
		    hash, sizeof(hash), (const unsigned char *)c->user.p, c->user.len, NULL, 0);
		(void)sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
		buf_str(b, ",\"metadata\":{\"user_id\":\"");
		buf_str(b, hex);
		buf_str(b, "\"}");
	}
	if (view_eq_str(c->service_tier, "auto"))
		buf_str(b, ",\"service_tier\":\"auto\"");
	if (view_eq_str(c->service_tier, "default"))
		buf_str(b, ",\"service_tier\":\"standard_only\"");
	if (d->r.stream)
		buf_str(b, ",\"stream\":true");
}

bool
chat_messages_body(struct dialect *d, const struct chat *c, const struct messages_plan *p,
    struct buf *b, struct dialect_fault *f)
{
	buf_char(b, '{');
	if (d->r.pair == DIALECT_CHAT_RAW_PREDICT)
		jv_put_member_text(b, "anthropic_version", VIEW("vertex-2023-10-16"));
	else
		jv_put_member_text(b, "model", d->r.model.upstream);
	jv_put_member_uint(b, "max_tokens", p->max_tokens);
	put_system(b, c);
	jv_put_name(b, "messages");
	buf_char(b, '[');
	for (size_t i = 0; i < p->turns; i++)
		if (!put_turn(d, c, &c->turn[i], i + 1 == p->turns, b, f))
			return false;
	buf_char(b, ']');
	put_tools(d, c, p, b);
	if (p->sampling)
		put_sampling(d, c, b);
	put_thinking(c, p, b);
	put_rest(d, c, b);
	buf_char(b, '}');
	return true;
}
