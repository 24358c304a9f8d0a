// SPDX-License-Identifier: Apache-2.0
// OpenAI messages as Gemini contents. Touches memory only.
#include "dialect/chat_generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ORDERED_MAX 512U // parts of a turn

// A signature that a client's message brought back for its text.
struct text_signature {
	size_t message;
	struct jv data; // string
};

struct contents {
	struct dialect *d;
	const struct chat *c;
	const struct chat_names *names;
	struct buf *out;
	struct dialect_fault *f;
	struct text_signature *signature; // owned; ascending messages
	size_t signature_count;
};

static bool
refuse_part(const struct contents *g, const struct chat_part *p, const char *why)
{
	char param[64];
	snprintf(param, sizeof param, "messages[%zu].content", p->message);
	return side_fault(g->f, "invalid_value", param, "%s", why);
}

// --- signatures of text --------------------------------------------------------------

static void
add_signature(struct contents *g, size_t message, struct jv data)
{
	if ((g->signature_count & (g->signature_count - 1)) == 0)
		g->signature = base_realloc(
		    g->signature, MAX(g->signature_count * 2, (size_t)1) * sizeof *g->signature);
	g->signature[g->signature_count++] = (struct text_signature){message, data};
}

// One walk over the client's list; looking each message up by index would be quadratic.
static void
read_signatures(struct contents *g)
{
	struct jv_iter it = {0};
	struct jv message, detail;
	for (size_t i = 0; jv_each(g->c->messages, &it, &message); i++) {
		struct jv_iter in = {0};
		struct jv last = {{NULL, 0}}, details = jv_get(message, "reasoning_details");
		if (!jv_is(details, JV_ARRAY) || !jv_eq(jv_get(message, "role"), "assistant"))
			continue;
		while (jv_each(details, &in, &detail))
			if (jv_eq(jv_get(detail, "format"), CHAT_GENERATE_FORMAT) &&
			    jv_is(jv_get(detail, "data"), JV_STRING))
				last = jv_get(detail, "data");
		if (jv_is(last, JV_STRING))
			add_signature(g, i, last);
	}
}

static struct jv
signature_of(const struct contents *g, size_t message)
{
	size_t low = 0, high = g->signature_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (g->signature[mid].message == message)
			return g->signature[mid].data;
		if (g->signature[mid].message < message)
			low = mid + 1;
		else
			high = mid;
	}
	return (struct jv){{NULL, 0}};
}

// --- media ---------------------------------------------------------------------------

static void
put_inline(struct buf *out, struct view mime, struct view data)
{
	jv_put_comma(out);
	buf_str(out, "{\"inlineData\":{");
	jv_put_member_text(out, "mimeType", mime);
	jv_put_member_text(out, "data", data);
	buf_str(out, "}}");
}

// Gemini wants the type beside the place; the name of the file tells it.
static const char *
mime_of_url(struct view url)
{
	static const struct {
		const char *end, *mime;
	} known[] = {{".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".png", "image/png"},
	    {".webp", "image/webp"}, {".gif", "image/gif"}, {".heic", "image/heic"},
	    {".heif", "image/heif"}, {".avif", "image/avif"}, {".bmp", "image/bmp"},
	    {".pdf", "application/pdf"}, {".mp4", "video/mp4"}};
	size_t n = 0;
	while (n < url.len && url.p[n] != '?' && url.p[n] != '#')
		n++;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		size_t e = strlen(known[i].end);
		if (n > e && strncasecmp(url.p + n - e, known[i].end, e) == 0)
			return known[i].mime;
	}
	return NULL;
}

static bool
starts(struct view v, const char *prefix)
{
	size_t n = strlen(prefix);
	return v.len > n && strncasecmp(v.p, prefix, n) == 0;
}

static bool
put_url(const struct contents *g, const struct chat_part *p)
{
	const char *mime = mime_of_url(p->url);
	if (!starts(p->url, "https://") && !starts(p->url, "gs://"))
		return refuse_part(g, p,
		    "Gemini reads images at https:// and gs:// only: send others as a data URL");
	if (mime == NULL)
		return refuse_part(g, p,
		    "Gemini must be told the type of an image: use a URL that ends in .png, .jpg, "
		    ".webp or the like, or send a data URL");
	jv_put_comma(g->out);
	buf_str(g->out, "{\"fileData\":{");
	jv_put_member_text(g->out, "mimeType", view_of(mime));
	jv_put_member_text(g->out, "fileUri", p->url);
	buf_str(g->out, "}}");
	return true;
}

static bool
put_media(const struct contents *g, const struct chat_part *p)
{
	if (p->kind == CHAT_IMAGE_URL)
		return put_url(g, p);
	put_inline(g->out, p->mime, p->data);
	return true;
}

// --- parts ---------------------------------------------------------------------------

static void
put_text(struct buf *out, struct view text, struct jv signature)
{
	jv_put_comma(out);
	buf_char(out, '{');
	jv_put_member_text(out, "text", text);
	jv_put_member_raw(out, "thoughtSignature", signature);
	buf_char(out, '}');
}

// What the client gave back, else what this worker remembers, else, for the call that
// begins a step, the stand-in. Models that want none get only what the client sent.
static struct view
call_signature(const struct contents *g, const struct chat_part *p, bool first)
{
	if (p->signature.len > 0)
		return p->signature;
	if ((g->d->r.model.flags & MODEL_SIGNATURES) == 0)
		return (struct view){NULL, 0};
	struct view known = {NULL, 0};
	if (g->d->r.memory != NULL)
		known = dialect_memory_get(g->d->r.memory, p->call_id);
	return known.len > 0 || !first ? known : VIEW(CHAT_GENERATE_NO_SIGNATURE);
}

static void
put_call(const struct contents *g, const struct chat_part *p, bool first)
{
	struct view signature = call_signature(g, p, first);
	jv_put_comma(g->out);
	buf_str(g->out, "{\"functionCall\":{");
	jv_put_member_text(g->out, "name", chat_names_out(g->names, p->name));
	jv_put_name(g->out, "args");
	if (p->arguments.len > 0)
		buf_view(g->out, p->arguments);
	else
		buf_str(g->out, "{}");
	buf_char(g->out, '}');
	if (signature.len > 0)
		jv_put_member_text(g->out, "thoughtSignature", signature);
	buf_char(g->out, '}');
}

// Gemini knows results by the function's name, and takes objects only.
static bool
put_result(const struct contents *g, const struct chat_part *p)
{
	if (p->name.len == 0) {
		char param[64];
		snprintf(param, sizeof param, "messages[%zu].tool_call_id", p->message);
		return side_fault(g->f, "invalid_value", param,
		    "no earlier message has a tool call with this id: send the assistant message "
		    "that made the call too");
	}
	jv_put_comma(g->out);
	buf_str(g->out, "{\"functionResponse\":{");
	jv_put_member_text(g->out, "name", chat_names_out(g->names, p->name));
	jv_put_name(g->out, "response");
	if (p->is_object) {
		buf_view(g->out, p->text);
	} else {
		buf_char(g->out, '{');
		jv_put_member_text(g->out, "output", p->text);
		buf_char(g->out, '}');
	}
	buf_str(g->out, "}}");
	return true;
}

// Results in the order of their calls: without ids, which not every host takes, two calls
// of one function are told apart by place alone. A turn of more parts than anybody's model
// makes keeps the client's order, so that no body costs quadratic time.
static bool
put_results(
    const struct contents *g, const struct chat_turn *calls, const struct chat_part *part, size_t n)
{
	bool done[ORDERED_MAX] = {false};
	bool sort =
	    calls != NULL && calls->assistant && n <= ORDERED_MAX && calls->count <= ORDERED_MAX;
	for (size_t c = 0; sort && c < calls->count; c++) {
		const struct chat_part *call = &g->c->part[calls->first + c];
		for (size_t i = 0; call->kind == CHAT_TOOL_CALL && i < n; i++) {
			if (done[i] || part[i].kind != CHAT_TOOL_RESULT ||
			    !view_eq(part[i].call_id, call->call_id))
				continue;
			done[i] = true;
			if (!put_result(g, &part[i]))
				return false;
			break;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (part[i].kind == CHAT_TOOL_RESULT && !(sort && done[i]) &&
		    !put_result(g, &part[i]))
			return false;
	return true;
}

// calls: the turn before, NULL if none.
static bool
put_user(
    const struct contents *g, const struct chat_turn *calls, const struct chat_part *part, size_t n)
{
	if (!put_results(g, calls, part, n))
		return false;
	// Images of results follow all results: their number must match that of the calls.
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; part[i].kind == CHAT_TOOL_RESULT && k < part[i].extra_count; k++)
			if (!put_media(g, &g->c->extra[part[i].first_extra + k]))
				return false;
	for (size_t i = 0; i < n; i++) {
		if (part[i].kind == CHAT_TEXT)
			put_text(g->out, part[i].text, (struct jv){{NULL, 0}});
		else if (part[i].kind != CHAT_TOOL_RESULT && !put_media(g, &part[i]))
			return false;
	}
	return true;
}

static bool
text_follows(const struct chat_part *part, size_t i, size_t n)
{
	for (size_t k = i + 1; k < n && part[k].message == part[i].message; k++)
		if (part[k].kind == CHAT_TEXT)
			return true;
	return false;
}

// A message's text signature goes to its last text, or to an empty text at its end.
static bool
put_model(const struct contents *g, const struct chat_part *part, size_t n)
{
	const struct jv none = {{NULL, 0}};
	bool first_call = true, used = false;
	for (size_t i = 0; i < n; i++) {
		struct jv signature = signature_of(g, part[i].message);
		bool ends = i + 1 == n || part[i + 1].message != part[i].message;
		switch (part[i].kind) {
		case CHAT_REASONING:
			break; // summaries are for people; the model knows them by signature
		case CHAT_TEXT:
			used = !text_follows(part, i, n);
			put_text(g->out, part[i].text, used ? signature : none);
			break;
		case CHAT_TOOL_CALL:
			put_call(g, &part[i], first_call);
			first_call = false;
			break;
		default:
			if (!put_media(g, &part[i]))
				return false;
		}
		if (ends && !used && jv_is(signature, JV_STRING))
			put_text(g->out, VIEW(""), signature);
		if (ends)
			used = false;
	}
	return true;
}

static bool
put_turn(const struct contents *g, const struct chat_turn *t)
{
	const struct chat_part *part = g->c->part + t->first;
	jv_put_comma(g->out);
	buf_str(g->out,
	    t->assistant ? "{\"role\":\"model\",\"parts\":[" : "{\"role\":\"user\",\"parts\":[");
	if (!(t->assistant ? put_model(g, part, t->count)
			   : put_user(g, t > g->c->turn ? t - 1 : NULL, part, t->count)))
		return false;
	if (g->out->len > 0 && g->out->p[g->out->len - 1] == '[')
		put_text(g->out, VIEW("..."), (struct jv){{NULL, 0}}); // parts may not be empty
	buf_str(g->out, "]}");
	return true;
}

bool
chat_generate_put_contents(struct dialect *d, const struct chat *c, const struct chat_names *names,
    struct buf *out, struct dialect_fault *f)
{
	struct contents g = {.d = d, .c = c, .names = names, .out = out, .f = f};
	bool ok = true;
	read_signatures(&g);
	jv_put_name(out, "contents");
	buf_char(out, '[');
	for (size_t i = 0; ok && i < c->turn_count; i++)
		ok = put_turn(&g, &c->turn[i]);
	buf_char(out, ']');
	free(g.signature);
	if (!ok || c->system_count == 0)
		return ok;
	jv_put_name(out, "systemInstruction");
	buf_str(out, "{\"parts\":[");
	for (size_t i = 0; i < c->system_count; i++)
		put_text(out, c->system[i], (struct jv){{NULL, 0}});
	buf_str(out, "]}");
	return true;
}
