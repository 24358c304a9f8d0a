// SPDX-License-Identifier: Apache-2.0
// Reading the frames of a catalogue and looking things up in it. Touches memory only.
#include "vaultd/catalogue.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vaultd/catalogue_row.h"
#include "proto/grammar.h"

#define SHOWN(v) (int)MIN((v).len, 80U), (v).p

// --- frames ----------------------------------------------------------------------

bool
catalogue_next_frame(struct view frames, size_t *at, struct frame *f)
{
	const uint8_t *p = (const uint8_t *)frames.p + *at;
	size_t left = frames.len - *at;
	if (left == 0 || frame_read_header(p, left, f) != FRAME_OK ||
	    f->len > left - FRAME_HEADER_LEN)
		return false;
	f->payload = p + FRAME_HEADER_LEN;
	*at += FRAME_HEADER_LEN + f->len;
	return true;
}

static bool fault(struct catalogue_error *e, const char *fmt, ...) PRINTF(2, 3);

static bool
fault(struct catalogue_error *e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
	va_end(ap);
	return false;
}

// --- rows --------------------------------------------------------------------------

static void *
grow(void *list, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0) // room until the next power of two
		return list;
	return base_realloc(list, MAX(count * 2, 1U) * size);
}

static unsigned
intern_prefix(struct catalogue *c, struct view prefix)
{
	int i = catalogue_prefix(c, prefix);
	if (i >= 0)
		return (unsigned)i;
	if (c->prefix_count == CATALOGUE_PREFIXES_MAX)
		return CATALOGUE_PREFIXES_MAX;
	c->prefix[c->prefix_count] = prefix;
	return (unsigned)c->prefix_count++;
}

static const char *
add_host(struct catalogue *c, const struct msg_catalogue_host *m)
{
	const char *why = catalogue_row_host(m);
	for (size_t i = 0; why == NULL && i < c->host_count; i++)
		if (c->host[i].provider == m->provider && view_eq(c->host[i].location, m->location))
			why = "the provider has a host for this location already";
	if (why != NULL)
		return why;
	c->host = grow(c->host, c->host_count, sizeof(*c->host));
	c->host[c->host_count++] = (struct catalogue_host){m->provider, m->location, m->host};
	return NULL;
}

static const char *
add_op(struct catalogue *c, const struct msg_catalogue_op *m)
{
	const char *why = catalogue_row_op(m);
	if (why == NULL && catalogue_op(c, m->operation, m->provider, m->variant) != NULL)
		why = "the provider has a row for this operation already";
	if (why != NULL)
		return why;
	c->op = grow(c->op, c->op_count, sizeof(*c->op));
	c->op[c->op_count++] = (struct catalogue_op){.id = m->operation,
	    .provider = m->provider,
	    .variant = m->variant,
	    .method = m->method,
	    .path = m->path,
	    .query = m->query,
	    .headers = catalogue_row_headers(m),
	    .params = catalogue_row_params(m),
	    .max_body = m->max_body};
	return NULL;
}

static const char *
add_model(struct catalogue *c, const struct msg_catalogue_model *m)
{
	const char *why = catalogue_row_model(m);
	if (why != NULL)
		return why;
	struct catalogue_model row = {.provider = m->provider,
	    .name = m->name,
	    .upstream = m->upstream,
	    .flags = m->flags,
	    .in_region = m->in_region};
	for (size_t i = 0; i < m->profile_count; i++) {
		unsigned p = intern_prefix(c, m->profile[i].name);
		if (p == CATALOGUE_PREFIXES_MAX)
			return "there are too many profiles";
		row.profiles |= CATALOGUE_BIT(p);
	}
	c->model = grow(c->model, c->model_count, sizeof(*c->model));
	c->model[c->model_count++] = row;
	return NULL;
}

static const char *
add_profile(struct catalogue *c, const struct msg_catalogue_profile *m)
{
	const char *why = catalogue_row_profile(m);
	if (why != NULL)
		return why;
	struct catalogue_profile row = {.prefix = intern_prefix(c, m->prefix),
	    .model = m->model,
	    .source_count = m->source_count};
	if (row.prefix == CATALOGUE_PREFIXES_MAX)
		return "there are too many profiles";
	row.source = base_calloc(m->source_count, sizeof(*row.source));
	for (size_t i = 0; i < m->source_count; i++)
		row.source[i] = m->source[i].name;
	c->profile = grow(c->profile, c->profile_count, sizeof(*c->profile));
	c->profile[c->profile_count++] = row;
	return NULL;
}

static bool
add_row(struct catalogue *c, const struct frame *f, size_t number, struct catalogue_error *e)
{
	union {
		struct msg_catalogue_host host;
		struct msg_catalogue_op op;
		struct msg_catalogue_model model;
		struct msg_catalogue_profile profile;
	} m;
	const char *name = msg_name(f->type), *why = NULL;
	struct view what = {0};
	if (f->type < MSG_CATALOGUE_HOST || f->type > MSG_CATALOGUE_PROFILE)
		return fault(e, "row %zu: not a row of a catalogue", number);
	if (msg_decode(f->type, f->payload, f->len, &m) != 0)
		return fault(e, "row %zu: malformed %s", number, name);
	if (f->type == MSG_CATALOGUE_HOST) {
		why = add_host(c, &m.host);
		what = m.host.host;
	} else if (f->type == MSG_CATALOGUE_OP) {
		why = add_op(c, &m.op);
		what = m.op.path;
	} else if (f->type == MSG_CATALOGUE_MODEL) {
		why = add_model(c, &m.model);
		what = m.model.name;
	} else {
		why = add_profile(c, &m.profile);
		what = m.profile.model;
	}
	return why == NULL ? true
			   : fault(e, "row %zu (%s '%.*s'): %s", number, name, SHOWN(what), why);
}

// --- the whole -----------------------------------------------------------------------

static int
compare(struct view a, struct view b)
{
	int r = memcmp(a.p, b.p, MIN(a.len, b.len));
	return r != 0 ? r : (a.len > b.len) - (a.len < b.len);
}

static int
by_name(const void *x, const void *y)
{
	const struct catalogue_model *a = x, *b = y;
	int r = compare(a->name, b->name);
	return r != 0 ? r : (a->provider > b->provider) - (a->provider < b->provider);
}

static int
by_upstream(const void *x, const void *y)
{
	const struct catalogue_model *a = *(struct catalogue_model *const *)x,
				     *b = *(struct catalogue_model *const *)y;
	int r = compare(a->upstream, b->upstream);
	if (r == 0)
		r = (a->provider > b->provider) - (a->provider < b->provider);
	return r != 0 ? r : (a > b) - (a < b);
}

static bool
index_models(struct catalogue *c, struct catalogue_error *e)
{
	if (c->model_count == 0)
		return true;
	qsort(c->model, c->model_count, sizeof(*c->model), by_name);
	for (size_t i = 1; i < c->model_count; i++)
		if (by_name(&c->model[i - 1], &c->model[i]) == 0)
			return fault(e, "the model '%.*s' of %s is there twice",
			    SHOWN(c->model[i].name), ids_provider(c->model[i].provider));
	c->by_upstream = base_calloc(c->model_count, sizeof(*c->by_upstream));
	for (size_t i = 0; i < c->model_count; i++)
		c->by_upstream[i] = &c->model[i];
	qsort(c->by_upstream, c->model_count, sizeof(*c->by_upstream), by_upstream);
	return true;
}

static bool
read_frames(struct catalogue *c, struct catalogue_error *e)
{
	struct msg_catalogue_begin begin;
	struct msg_catalogue_end end;
	struct frame f;
	size_t at = 0, rows = 0;
	if (!catalogue_next_frame(c->frames, &at, &f) || f.type != MSG_CATALOGUE_BEGIN ||
	    msg_decode(f.type, f.payload, f.len, &begin) != 0)
		return fault(e, "it does not begin with a good BEGIN");
	if (!(begin.source.len == 0 || grammar_header_valid(begin.source)) ||
	    !(begin.applied_by.len == 0 || grammar_header_valid(begin.applied_by)) ||
	    !grammar_header_valid(begin.as_of))
		return fault(e, "source and date are printable ASCII");
	c->version = begin.version;
	c->applied_s = begin.applied_s;
	c->applied_by = begin.applied_by;
	c->rows_at = at;
	c->source = begin.source;
	c->as_of = begin.as_of;
	for (;;) {
		if (!catalogue_next_frame(c->frames, &at, &f))
			return fault(e, "it breaks off after row %zu", rows);
		if (f.type == MSG_CATALOGUE_END)
			break;
		if (++rows > CATALOGUE_ROWS_MAX)
			return fault(e, "it has more than %u rows", CATALOGUE_ROWS_MAX);
		if (!add_row(c, &f, rows, e))
			return false;
	}
	if (msg_decode(f.type, f.payload, f.len, &end) != 0 || end.rows != rows ||
	    begin.rows != rows)
		return fault(e, "it says another number of rows than the %zu it has", rows);
	if (at != c->frames.len)
		return fault(e, "there is something after its end");
	if (c->op_count == 0)
		return fault(e, "it has no operation");
	return index_models(c, e);
}

static void
destroy(struct catalogue *c)
{
	for (size_t i = 0; i < c->profile_count; i++)
		free(c->profile[i].source);
	free(c->profile);
	free(c->by_upstream);
	free(c->model);
	free(c->host);
	free(c->op);
	free((void *)(uintptr_t)c->frames.p);
	free(c);
}

struct catalogue *
catalogue_parse(struct view frames, struct catalogue_error *e)
{
	if (frames.len == 0 || frames.len > CATALOGUE_SIZE_MAX) {
		fault(e, "it is empty or longer than %u bytes", CATALOGUE_SIZE_MAX);
		return NULL;
	}
	struct catalogue *c = base_calloc(1, sizeof(*c));
	char *copy = base_realloc(NULL, frames.len);
	memcpy(copy, frames.p, frames.len);
	for (size_t at = 0, next = 0; next < frames.len; at = next) { // ids are of no matter
		struct frame f;
		if (!catalogue_next_frame((struct view){copy, frames.len}, &next, &f))
			break;
		memset(copy + at + FRAME_ID_AT, 0, FRAME_HEADER_LEN - FRAME_ID_AT);
	}
	c->refs = 1;
	c->frames = (struct view){copy, frames.len};
	if (read_frames(c, e))
		return c;
	destroy(c);
	return NULL;
}

struct catalogue *
catalogue_parse_as(
    struct view frames, const struct catalogue_stamp *stamp, struct catalogue_error *e)
{
	struct msg_catalogue_begin begin;
	struct frame f;
	size_t at = 0;
	if (frames.len > CATALOGUE_SIZE_MAX || !catalogue_next_frame(frames, &at, &f) ||
	    f.type != MSG_CATALOGUE_BEGIN || msg_decode(f.type, f.payload, f.len, &begin) != 0) {
		fault(e, "it is too long, or does not begin with a good BEGIN");
		return NULL;
	}
	uint8_t *buf = base_realloc(NULL, frames.len + FRAME_PAYLOAD_MAX);
	begin.version = stamp->version;
	begin.applied_s = stamp->applied_s;
	begin.applied_by = stamp->applied_by;
	struct frame out = {.type = MSG_CATALOGUE_BEGIN};
	out.len = msg_encode(
	    out.type, &begin, buf + FRAME_HEADER_LEN, FRAME_PAYLOAD_MAX - FRAME_HEADER_LEN);
	BUG_IF(out.len == 0);
	frame_write_header(buf, &out);
	size_t n = FRAME_HEADER_LEN + out.len;
	memcpy(buf + n, frames.p + at, frames.len - at);
	struct catalogue *c =
	    catalogue_parse((struct view){(const char *)buf, n + frames.len - at}, e);
	free(buf);
	return c;
}

struct catalogue *
catalogue_ref(struct catalogue *c)
{
	c->refs++;
	return c;
}

void
catalogue_unref(struct catalogue *c)
{
	if (c != NULL && --c->refs == 0)
		destroy(c);
}
