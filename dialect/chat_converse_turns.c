// SPDX-License-Identifier: Apache-2.0
// The turns of a chat -> Converse messages and their content blocks. Pure.
#include "dialect/chat_converse.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DOCUMENT_NAME_MAX 180U // of 200; the rest is for a number that makes it unique

// The message that is being written; nothing is written for turns without blocks, and
// roles that then meet are joined.
struct message {
	bool open, assistant;
	bool has_text, has_document;
};

static const char space[] = " \t\r\n\v\f";

static bool
blank(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] == '\0' || strchr(space, v.p[i]) == NULL)
			return false;
	return true;
}

static void
put_text_block(struct buf *out, struct view text)
{
	jv_put_comma(out);
	buf_str(out, "{\"text\":");
	jv_put_string(out, text);
	buf_char(out, '}');
}

static void
put_id(struct buf *out, struct view id)
{
	char out_id[65];
	chat_names_call_id(id, out_id);
	jv_put_string(out, view_of(out_id));
}

// --- media ------------------------------------------------------------------------------

struct format {
	const char *mime, *extension, *name;
};

static const struct format images[] = {
    {"image/png", "png", "png"},
    {"image/jpeg", "jpeg", "jpeg"},
    {"image/jpg", "jpg", "jpeg"},
    {"image/gif", "gif", "gif"},
    {"image/webp", "webp", "webp"},
};

static const struct format documents[] = {
    {"application/pdf", "pdf", "pdf"},
    {"text/csv", "csv", "csv"},
    {"application/msword", "doc", "doc"},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx", "docx"},
    {"application/vnd.ms-excel", "xls", "xls"},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", "xlsx"},
    {"text/html", "html", "html"},
    {"text/plain", "txt", "txt"},
    {"text/markdown", "md", "md"},
};

static const struct format sounds[] = {
    {"audio/wav", "wav", "wav"},
    {"audio/mp3", "mp3", "mp3"},
    {"audio/mpeg", "mp3", "mp3"},
};

static bool
same_word(struct view v, const char *word)
{
	return v.len == strlen(word) && strncasecmp(v.p, word, v.len) == 0;
}

// What stands behind the last dot, "" if there is none.
static struct view
extension_of(struct view name)
{
	const char *dot = name.len == 0 ? NULL : memrchr(name.p, '.', name.len);
	return dot == NULL ? VIEW("")
			   : (struct view){dot + 1, name.len - (size_t)(dot + 1 - name.p)};
}

// By media type, else by the name's extension; NULL: none of them.
static const char *
format_of(const struct format *f, size_t n, struct view mime, struct view name)
{
	struct view extension = extension_of(name);
	for (size_t i = 0; i < n; i++)
		if (same_word(mime, f[i].mime))
			return f[i].name;
	for (size_t i = 0; i < n; i++)
		if (same_word(extension, f[i].extension))
			return f[i].name;
	return NULL;
}

static bool
fault(struct converse_request *w, const struct chat_part *p, const char *message)
{
	char param[64];
	snprintf(param, sizeof(param), "messages[%zu].content", p->message);
	return side_fault(w->f, "invalid_value", param, "%s", message);
}

static void
put_source(struct buf *out, const char *kind, const char *format)
{
	jv_put_comma(out);
	buf_fmt(out, "{\"%s\":{\"format\":\"%s\"", kind, format);
}

static void
put_bytes(struct buf *out, struct view data)
{
	buf_str(out, ",\"source\":{\"bytes\":");
	jv_put_string(out, data);
	buf_str(out, "}}}");
}

static bool
put_image(struct converse_request *w, const struct chat_part *p)
{
	const char *format = format_of(images, ARRAY_LEN(images), p->mime, VIEW(""));
	if (format == NULL)
		return fault(w, p, "This model takes images as PNG, JPEG, GIF or WebP.");
	put_source(w->out, "image", format);
	put_bytes(w->out, p->data);
	return true;
}

static bool
put_image_url(struct converse_request *w, const struct chat_part *p)
{
	if (p->url.len < 5 || strncasecmp(p->url.p, "s3://", 5) != 0)
		return fault(w, p,
		    "This provider fetches no images. Send the image itself as a "
		    "data:image/...;base64 URL, or name it with an s3:// URI.");
	const char *format = format_of(images, ARRAY_LEN(images), VIEW(""), p->url);
	if (format == NULL)
		return fault(w, p,
		    "The s3:// URI of an image must end in .png, .jpg, .jpeg, .gif or .webp.");
	put_source(w->out, "image", format);
	buf_str(w->out, ",\"source\":{\"s3Location\":{");
	jv_put_member_text(w->out, "uri", p->url);
	buf_str(w->out, "}}}}");
	return true;
}

// Letters, digits, hyphens, parentheses, brackets and single spaces; other characters
// become hyphens. All but the first document carry their number, so none is met twice.
static void
put_document_name(struct converse_request *w, struct view name, bool has_format)
{
	char clean[DOCUMENT_NAME_MAX + 32];
	struct view extension = extension_of(name);
	size_t n = 0, end = name.len;
	if (has_format && extension.len > 0 && extension.len < name.len - 1)
		end = name.len - extension.len - 1;
	for (size_t i = 0; i < end && n < DOCUMENT_NAME_MAX; i++) {
		char c = name.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || (c != '\0' && strchr("()[]", c) != NULL);
		char as = plain ? c : c == ' ' ? ' ' : '-';
		if (!plain && (n == 0 || clean[n - 1] == ' ' || clean[n - 1] == '-'))
			continue;
		clean[n++] = as;
	}
	while (n > 0 && (clean[n - 1] == ' ' || clean[n - 1] == '-'))
		n--;
	if (n == 0) {
		memcpy(clean, "document", 8);
		n = 8;
	}
	w->documents++;
	if (w->documents > 1 || clean[n - 1] == ')')
		n += (size_t)snprintf(clean + n, sizeof(clean) - n, " (%zu)", w->documents);
	jv_put_member_text(w->out, "name", (struct view){clean, n});
}

static bool
put_document(struct converse_request *w, const struct chat_part *p)
{
	const char *format = format_of(documents, ARRAY_LEN(documents), p->mime, p->name);
	if (format == NULL)
		return fault(w, p,
		    "This model takes files as PDF, CSV, DOC, DOCX, XLS, XLSX, HTML, TXT or MD.");
	put_source(w->out, "document", format);
	put_document_name(w, p->name, true);
	put_bytes(w->out, p->data);
	return true;
}

static bool
put_audio(struct converse_request *w, const struct chat_part *p)
{
	const char *format = format_of(sounds, ARRAY_LEN(sounds), p->mime, VIEW(""));
	if (format == NULL)
		return fault(w, p, "This model takes audio as WAV or MP3.");
	put_source(w->out, "audio", format);
	put_bytes(w->out, p->data);
	return true;
}

// --- tools ------------------------------------------------------------------------------

static void
put_call(struct converse_request *w, const struct chat_part *p)
{
	jv_put_comma(w->out);
	buf_str(w->out, "{\"toolUse\":{\"toolUseId\":");
	put_id(w->out, p->call_id);
	jv_put_member_text(w->out, "name", chat_names_out(w->s->names, p->name));
	buf_str(w->out, ",\"input\":");
	buf_view(w->out, p->arguments.len > 0 ? p->arguments : VIEW("{}"));
	buf_str(w->out, "}}");
}

static bool put_extras(struct converse_request *w, const struct chat_part *p, bool *document_r);

static bool
put_result(struct converse_request *w, const struct chat_part *p)
{
	bool document;
	jv_put_comma(w->out);
	buf_str(w->out, "{\"toolResult\":{\"toolUseId\":");
	put_id(w->out, p->call_id);
	buf_str(w->out, ",\"content\":[");
	if (!blank(p->text))
		put_text_block(w->out, p->text);
	else if (p->extra_count == 0)
		put_text_block(w->out, VIEW("(empty)")); // blank text is refused
	if (!put_extras(w, p, &document))
		return false;
	buf_str(w->out, "],\"status\":\"success\"}}");
	return true;
}

// Calls and results as text, for requests that may not have toolConfig.
static void
put_call_text(struct converse_request *w, const struct chat_part *p)
{
	jv_put_comma(w->out);
	buf_str(w->out, "{\"text\":\"[Called the tool ");
	jv_put_escaped(w->out, p->name);
	buf_str(w->out, " with ");
	jv_put_escaped(w->out, p->arguments.len > 0 ? p->arguments : VIEW("{}"));
	buf_str(w->out, "]\"}");
}

static void
put_result_text(struct converse_request *w, const struct chat_part *p)
{
	jv_put_comma(w->out);
	buf_str(w->out, "{\"text\":\"[Result of the tool ");
	jv_put_escaped(w->out, p->name.len > 0 ? p->name : p->call_id);
	buf_str(w->out, "]\\n");
	jv_put_escaped(w->out, p->text);
	buf_str(w->out, "\"}");
}

// --- parts and turns ----------------------------------------------------------------------

static void
put_reasoning(struct converse_request *w, const struct chat_part *p)
{
	jv_put_comma(w->out);
	if (p->redacted) {
		buf_str(w->out, "{\"reasoningContent\":{\"redactedContent\":");
		jv_put_string(w->out, p->data);
		buf_str(w->out, "}}");
		return;
	}
	buf_str(w->out, "{\"reasoningContent\":{\"reasoningText\":{\"text\":");
	jv_put_string(w->out, p->text);
	jv_put_member_text(w->out, "signature", p->signature);
	buf_str(w->out, "}}}");
}

// Trailing white space of an answer that the model shall continue is refused.
static struct view
text_of(const struct converse_request *w, const struct chat_part *p)
{
	const struct chat_turn *last = &w->c->turn[w->turns - 1];
	struct view v = p->text;
	if (last->assistant && p == &w->c->part[last->first + last->count - 1])
		while (v.len > 0 && v.p[v.len - 1] != '\0' && strchr(space, v.p[v.len - 1]) != NULL)
			v.len--;
	return v;
}

// Reasoning of another family of models cannot be verified here.
static bool
is_own(const struct converse_request *w, const struct chat_part *p)
{
	bool claude = (w->d->r.model.flags & MODEL_CLAUDE) != 0;
	return p->format.len == 0 || (claude && view_eq_str(p->format, CONVERSE_CLAUDE_FORMAT));
}

static bool
writes_something(const struct converse_request *w, const struct chat_part *p)
{
	if (p->kind == CHAT_TEXT)
		return !blank(p->text);
	if (p->kind == CHAT_REASONING) // with its signature, and not beside calls made text
		return w->tools && is_own(w, p) &&
		       (p->redacted ? p->data.len > 0 : p->signature.len > 0);
	return true;
}

static bool
put_part(struct converse_request *w, const struct chat_part *p, struct message *m)
{
	bool document = false, ok = true;
	switch (p->kind) {
	case CHAT_TEXT:
		put_text_block(w->out, text_of(w, p));
		m->has_text = true;
		break;
	case CHAT_IMAGE_DATA:
		ok = put_image(w, p);
		break;
	case CHAT_IMAGE_URL:
		ok = put_image_url(w, p);
		break;
	case CHAT_FILE_DATA:
		m->has_document = true;
		ok = put_document(w, p);
		break;
	case CHAT_AUDIO:
		ok = put_audio(w, p);
		break;
	case CHAT_TOOL_CALL:
		if (w->tools)
			put_call(w, p);
		else
			put_call_text(w, p);
		break;
	case CHAT_TOOL_RESULT:
		if (w->tools) {
			ok = put_result(w, p);
			break;
		}
		put_result_text(w, p);
		m->has_text = true;
		ok = put_extras(w, p, &document);
		break;
	case CHAT_REASONING:
		put_reasoning(w, p);
		break;
	}
	return ok;
}

static bool
put_extras(struct converse_request *w, const struct chat_part *p, bool *document_r)
{
	struct message inside = {0};
	for (size_t i = 0; i < p->extra_count; i++) {
		const struct chat_part *e = &w->c->extra[p->first_extra + i];
		if (e->kind == CHAT_AUDIO)
			return fault(w, p, "A tool message can hold text, images and files.");
		if (!put_part(w, e, &inside))
			return false;
	}
	*document_r = inside.has_document;
	return true;
}

static void
close_message(struct converse_request *w, struct message *m)
{
	if (!m->open)
		return;
	if (m->has_document && !m->has_text)
		put_text_block(w->out, VIEW("See the document.")); // one beside it is required
	buf_str(w->out, "]}");
	*m = (struct message){0};
}

static void
open_message(struct converse_request *w, struct message *m, bool assistant)
{
	if (m->open && m->assistant == assistant)
		return;
	close_message(w, m);
	*m = (struct message){.open = true, .assistant = assistant};
	jv_put_comma(w->out);
	buf_fmt(w->out, "{\"role\":\"%s\",\"content\":[", assistant ? "assistant" : "user");
}

bool
chat_converse_lost_reasoning(const struct chat *c)
{
	for (size_t i = c->turn_count; i-- > 0;) {
		const struct chat_turn *t = &c->turn[i];
		if (!t->assistant)
			continue;
		bool calls = false;
		for (size_t k = 0; k < t->count; k++)
			calls = calls || c->part[t->first + k].kind == CHAT_TOOL_CALL;
		const struct chat_part *p = &c->part[t->first];
		return calls &&
		       !(p->kind == CHAT_REASONING && (p->redacted || p->signature.len > 0));
	}
	return false;
}

bool
chat_converse_put_turns(struct converse_request *w)
{
	const struct chat *c = w->c;
	struct message m = {0};
	jv_put_name(w->out, "messages");
	buf_char(w->out, '[');
	for (size_t i = 0; i < w->turns; i++) {
		const struct chat_turn *t = &c->turn[i];
		for (size_t k = 0; k < t->count; k++) {
			const struct chat_part *p = &c->part[t->first + k];
			if (!writes_something(w, p))
				continue;
			open_message(w, &m, t->assistant);
			if (!put_part(w, p, &m))
				return false;
		}
	}
	if (w->turns == 0) {
		open_message(w, &m, false);
		put_text_block(w->out, VIEW("..."));
	}
	close_message(w, &m);
	buf_char(w->out, ']');
	return true;
}
