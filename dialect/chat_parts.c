// SPDX-License-Identifier: Apache-2.0
// Reading one content part of a chat message: text, image, audio, file. Pure; heap only.
#include "dialect/chat_read.h"

#include <stdio.h>
#include <string.h>

#include "dialect/data_url.h"

struct content_part {
	struct jv type, text, refusal, image_url, input_audio, file;
};

static const struct chat_field part_fields[] = {
    {"type", offsetof(struct content_part, type)},
    {"text", offsetof(struct content_part, text)},
    {"refusal", offsetof(struct content_part, refusal)},
    {"image_url", offsetof(struct content_part, image_url)},
    {"input_audio", offsetof(struct content_part, input_audio)},
    {"file", offsetof(struct content_part, file)},
};

static bool
part_fault(struct chat_reader *r, size_t index, const char *member, const char *sentence)
{
	char suffix[64];
	(void)snprintf(suffix, sizeof(suffix), ".content[%zu]%s", index, member);
	return chat_read_fault(r, "invalid_value", suffix, "%s", sentence);
}

// The media type in a text that outlives this call; the content's first bytes are right
// when they and the label differ.
static struct view
media_type(struct chat *c, const char *label, struct view data)
{
	const char *seen = data_url_sniff(data);
	if (seen != NULL)
		return view_of(seen);
	if (strcmp(label, "image/jpg") == 0)
		return VIEW("image/jpeg");
	struct buf *b = chat_read_chunk(c);
	buf_str(b, label);
	return buf_done(b);
}

static bool
begins(struct view v, const char *prefix)
{
	return v.len >= strlen(prefix) && memcmp(v.p, prefix, strlen(prefix)) == 0;
}

// What a data URL holds: an image, or else a file.
static bool
from_data_url(struct chat_reader *r, struct view url, struct chat_part *p)
{
	struct data_url u;
	if (!data_url_parse(url, &u, chat_read_chunk(r->c)))
		return false;
	p->data = u.data;
	p->mime = media_type(r->c, u.mime, u.data);
	p->kind = begins(p->mime, "image/") ? CHAT_IMAGE_DATA : CHAT_FILE_DATA;
	return true;
}

static bool
read_image(struct chat_reader *r, struct jv image, size_t index, struct chat_part *p)
{
	struct jv url = jv_is(image, JV_STRING) ? image : jv_get(image, "url");
	p->url = chat_read_text(r->c, url);
	p->kind = CHAT_IMAGE_URL;
	if (p->url.len == 0)
		return part_fault(r, index, ".image_url.url", "An image needs a URL.");
	if (!data_url_is(p->url))
		return true;
	if (!from_data_url(r, p->url, p))
		return part_fault(r, index, ".image_url.url",
		    "This data URL does not hold base64: data:image/png;base64,<data>.");
	p->url = (struct view){0};
	return true;
}

static bool
read_audio(struct chat_reader *r, struct jv audio, size_t index, struct chat_part *p)
{
	struct jv format = jv_get(audio, "format");
	p->kind = CHAT_AUDIO;
	p->mime = jv_eq(format, "mp3") ? VIEW("audio/mp3") : VIEW("audio/wav");
	if (!jv_eq(format, "wav") && !jv_eq(format, "mp3"))
		return part_fault(r, index, ".input_audio.format", "The format is wav or mp3.");
	struct view data = chat_read_text(r->c, jv_get(audio, "data"));
	if (!data_url_base64(data, &p->data, chat_read_chunk(r->c)))
		return part_fault(r, index, ".input_audio.data", "The data has to be base64.");
	return true;
}

static bool
read_file(struct chat_reader *r, struct jv file, size_t index, struct chat_part *p)
{
	if (!jv_is(jv_get(file, "file_id"), JV_NONE) && !jv_is(jv_get(file, "file_id"), JV_NULL))
		return part_fault(r, index, ".file.file_id",
		    "A file id belongs to another provider's account: send file_data instead.");
	struct view data = chat_read_text(r->c, jv_get(file, "file_data"));
	p->name = chat_read_text(r->c, jv_get(file, "filename"));
	p->kind = CHAT_FILE_DATA;
	if (data_url_is(data)) {
		if (from_data_url(r, data, p))
			return true;
	} else if (data_url_base64(data, &p->data, chat_read_chunk(r->c))) {
		p->mime = media_type(r->c, "application/octet-stream", p->data);
		if (begins(p->mime, "image/"))
			p->kind = CHAT_IMAGE_DATA;
		return true;
	}
	return part_fault(
	    r, index, ".file.file_data", "file_data is data:<type>;base64,<data> or base64.");
}

bool
chat_read_part(struct chat_reader *r, struct jv part, size_t index, struct chat_part *p)
{
	struct content_part m = {0};
	if (!chat_read_room(r))
		return false;
	(void)chat_read_members(part, part_fields, ARRAY_LEN(part_fields), &m, NULL, NULL);
	if (jv_eq(m.type, "text") || jv_eq(m.type, "refusal")) {
		struct jv text = jv_eq(m.type, "text") ? m.text : m.refusal;
		p->kind = CHAT_TEXT;
		p->text = chat_read_text(r->c, text);
		return jv_is(text, JV_STRING) ||
		       part_fault(r, index, ".text", "A text part needs a string.");
	}
	if (jv_eq(m.type, "image_url"))
		return read_image(r, m.image_url, index, p);
	if (jv_eq(m.type, "input_audio"))
		return read_audio(r, m.input_audio, index, p);
	if (jv_eq(m.type, "file"))
		return read_file(r, m.file, index, p);
	return part_fault(
	    r, index, ".type", "The type is text, image_url, input_audio, file or refusal.");
}
