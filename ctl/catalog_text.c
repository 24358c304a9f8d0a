// SPDX-License-Identifier: Apache-2.0
// Rows and their identities. Pure.
#include "ctl/catalog_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

#define WHOLE_MAX (1024U * 1024U) // what the vault takes

static int
add_frame(struct buf *b, uint8_t type, const void *msg)
{
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct frame f = {.type = type, .payload = payload};
	f.len = msg_encode(type, msg, payload, sizeof(payload));
	if (f.len == 0)
		return -1;
	char *at = buf_reserve(b, FRAME_HEADER_LEN);
	if (at == NULL)
		return -1;
	frame_write_header((uint8_t *)at, &f);
	b->len += FRAME_HEADER_LEN;
	buf_view(b, (struct view){(const char *)payload, f.len});
	return b->failed ? -1 : 0;
}

static const char *
word(const char *s)
{
	return s == NULL ? "?" : s;
}

#define V(v) (int)MIN((v).len, 120U), (v).p == NULL ? "" : (v).p

void
catalog_text_what(uint8_t type, const void *msg, char out[CATALOG_WHAT_MAX])
{
	const struct msg_catalogue_host *h = msg;
	const struct msg_catalogue_op *o = msg;
	const struct msg_catalogue_model *m = msg;
	const struct msg_catalogue_profile *p = msg;
	switch (type) {
	case MSG_CATALOGUE_HOST:
		snprintf(out, CATALOG_WHAT_MAX, "host of %s in %.*s",
		    word(ids_provider(h->provider)), V(h->location));
		return;
	case MSG_CATALOGUE_OP:
		snprintf(out, CATALOG_WHAT_MAX, "operation %s of %s%s",
		    word(ids_operation(o->operation)), word(ids_provider(o->provider)),
		    o->variant != 0 ? ", dated" : "");
		return;
	case MSG_CATALOGUE_MODEL:
		snprintf(out, CATALOG_WHAT_MAX, "model %.*s of %s", V(m->name),
		    word(ids_provider(m->provider)));
		return;
	default:
		snprintf(out, CATALOG_WHAT_MAX, "profile %.*s of %.*s from %.*s", V(p->prefix),
		    V(p->model), V(p->source[0].name));
	}
}

size_t
catalog_text_find(const struct catalog_text *t, const char *what)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->entry[i].what, what) == 0)
			return i;
	return SIZE_MAX;
}

int
catalog_text_add(
    struct catalog_text *t, uint8_t type, const void *msg, char error[CATALOG_ERROR_MAX])
{
	char what[CATALOG_WHAT_MAX];
	if (t->frames.max == 0)
		buf_init(&t->frames, WHOLE_MAX);
	catalog_text_what(type, msg, what);
	size_t at = t->frames.len;
	if (t->count == CATALOG_ROWS_MAX) {
		snprintf(error, CATALOG_ERROR_MAX, "more than %u rows", CATALOG_ROWS_MAX);
		return -1;
	}
	if (catalog_text_find(t, what) != SIZE_MAX) {
		snprintf(error, CATALOG_ERROR_MAX, "%s: there is such a row already", what);
		return -1;
	}
	if (add_frame(&t->frames, type, msg) != 0) {
		snprintf(error, CATALOG_ERROR_MAX, "%s: a value is too long", what);
		return -1;
	}
	if ((t->count & (t->count + 1)) == 0) // 0, 1, 3, 7, ...: room for as many again
		t->entry = base_realloc(t->entry, (2 * t->count + 2) * sizeof(*t->entry));
	t->entry[t->count++] = (struct catalog_entry){.type = type,
	    .at = at + FRAME_HEADER_LEN,
	    .len = t->frames.len - at - FRAME_HEADER_LEN,
	    .what = base_strndup(what, strlen(what))};
	return 0;
}

void
catalog_text_free(struct catalog_text *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->entry[i].what);
	free(t->entry);
	buf_free(&t->frames);
	*t = (struct catalog_text){0};
}

struct view
catalog_text_payload(const struct catalog_text *t, size_t i)
{
	BUG_IF(i >= t->count);
	return (struct view){t->frames.p + t->entry[i].at, t->entry[i].len};
}

void
catalog_text_row(const struct catalog_text *t, size_t i, union msg_any *m)
{
	struct view v = catalog_text_payload(t, i);
	BUG_IF(msg_decode(t->entry[i].type, (const uint8_t *)v.p, v.len, m) != 0);
}

size_t
catalog_text_count(const struct catalog_text *t, uint8_t type)
{
	size_t n = 0;
	for (size_t i = 0; i < t->count; i++)
		n += t->entry[i].type == type;
	return n;
}

void
catalog_text_begin(const struct catalog_text *t, struct msg_catalogue_begin *m)
{
	*m = (struct msg_catalogue_begin){.version = t->version,
	    .source = view_of(t->source),
	    .as_of = view_of(t->as_of),
	    .rows = t->count};
}

int
catalog_text_whole(const struct catalog_text *t, struct buf *out)
{
	struct msg_catalogue_begin begin;
	struct msg_catalogue_end end = {.rows = t->count};
	catalog_text_begin(t, &begin);
	buf_init(out, WHOLE_MAX);
	if (t->count == 0 || add_frame(out, MSG_CATALOGUE_BEGIN, &begin) != 0)
		return -1;
	buf_view(out, buf_done(&t->frames));
	return add_frame(out, MSG_CATALOGUE_END, &end);
}
