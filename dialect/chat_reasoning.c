// SPDX-License-Identifier: Apache-2.0
// Reading what a client gives back of an assistant's reasoning. Three de facto forms exist:
// reasoning_details (ours in answers, too), thinking_blocks, and reasoning_content, which
// has no signature. Blocks of no known type are left out. Pure; heap only.
#include "dialect/chat_read.h"

struct block {
	struct jv type, text, thinking, summary, signature, data, format;
};

static const struct chat_field block_fields[] = {
    {"type", offsetof(struct block, type)},
    {"text", offsetof(struct block, text)},
    {"thinking", offsetof(struct block, thinking)},
    {"signature", offsetof(struct block, signature)},
    {"data", offsetof(struct block, data)},
    {"format", offsetof(struct block, format)},
};

static bool
read_block(struct chat *c, struct jv e, struct chat_part *p)
{
	struct block b = {0};
	(void)chat_read_members(e, block_fields, ARRAY_LEN(block_fields), &b, NULL, NULL);
	bool text = jv_eq(b.type, "reasoning.text") || jv_eq(b.type, "thinking");
	p->redacted = jv_eq(b.type, "reasoning.encrypted") || jv_eq(b.type, "redacted_thinking");
	if (!text && !p->redacted)
		return false;
	p->text = chat_read_text(c, jv_is(b.text, JV_NONE) ? b.thinking : b.text);
	p->signature = chat_read_text(c, b.signature);
	p->data = chat_read_text(c, b.data);
	p->format = chat_read_text(c, b.format);
	return p->redacted ? p->data.len != 0 : p->text.len != 0 || p->signature.len != 0;
}

bool
chat_read_reasoning(struct chat_reader *r, const struct chat_reasoning *from,
    void (*add)(struct chat_reader *r, const struct chat_part *p))
{
	bool details = jv_is(from->details, JV_ARRAY), any = false;
	struct jv list = details ? from->details : from->thinking_blocks, e;
	struct jv_iter it = {0};
	while (jv_each(list, &it, &e)) {
		struct chat_part p = {.kind = CHAT_REASONING};
		if (!chat_read_room(r))
			return false;
		if (read_block(r->c, e, &p)) {
			add(r, &p);
			any = true;
		}
	}
	struct chat_part p = {.kind = CHAT_REASONING, .text = chat_read_text(r->c, from->content)};
	if (!any && !chat_read_blank(p.text))
		add(r, &p);
	return true;
}
