// SPDX-License-Identifier: Apache-2.0
// Applying and telling the catalogue. May touch: the channel it is given, the tables.
#include "vaultd/admin_catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "vaultd/catalogue.h"

void
admin_catalogue_clear(struct admin_catalogue *a)
{
	free(a->in);
	catalogue_unref(a->out);
	*a = (struct admin_catalogue){0};
}

// --- applying ------------------------------------------------------------------------

static void
append(struct admin_catalogue *a, const struct frame *f)
{
	size_t n = FRAME_HEADER_LEN + f->len;
	if (a->too_long || a->in_len + n > CATALOGUE_SIZE_MAX) {
		a->too_long = true;
		return;
	}
	if (a->in == NULL)
		a->in = base_realloc(NULL, CATALOGUE_SIZE_MAX);
	struct frame out = {.type = f->type, .len = f->len};
	frame_write_header(a->in + a->in_len, &out);
	if (f->len != 0)
		memcpy(a->in + a->in_len + FRAME_HEADER_LEN, f->payload, f->len);
	a->in_len += n;
}

enum chan_status
admin_catalogue_take(
    struct admin_catalogue *a, struct link *l, const struct frame *f, bool *whole_r)
{
	*whole_r = f->type == MSG_CATALOGUE_END;
	if (f->type == MSG_CATALOGUE_BEGIN) {
		free(a->in);
		a->in = NULL;
		a->in_len = 0;
		a->too_long = false;
	} else if (a->in_len == 0) {
		return chan_reject(link_chan(l), "rows of a catalogue without its beginning");
	}
	append(a, f);
	return CHAN_OK;
}

static bool
can_work(const struct catalogue *cat, const struct cred *c)
{
	for (uint64_t op = 1; op <= CATALOGUE_OP_LAST; op++)
		if (cred_allows_operation(c, op) &&
		    catalogue_op(cat, op, c->provider, cred_variant(c)) != NULL)
			return true;
	return false;
}

static bool
check_credentials(const struct core *core, const struct catalogue *cat, struct admin_error *e)
{
	for (size_t i = 0; i < cred_slots(core->creds); i++) {
		const struct cred *c = cred_at(core->creds, i);
		if (c != NULL && !can_work(cat, c))
			return admin_check_fail(e, "catalogue_in_use",
			    "The credential '%s' would have no operation left: keep the rows of "
			    "%s, "
			    "or remove it first (sallyport credential remove %s).",
			    c->name, ids_provider(c->provider), c->name);
	}
	return true;
}

// Version and stamp apart, which the vault gives.
static bool
same_content(const struct catalogue *a, const struct catalogue *b)
{
	struct view x = {a->frames.p + a->rows_at, a->frames.len - a->rows_at};
	struct view y = {b->frames.p + b->rows_at, b->frames.len - b->rows_at};
	return view_eq(x, y) && view_eq(a->as_of, b->as_of);
}

// What was sent names the version that it was made from: whoever made it has not seen a
// later one.
static bool
check_base(const struct core *core, const struct admin_catalogue *a, struct admin_error *e)
{
	struct msg_catalogue_begin begin;
	struct frame f;
	size_t at = 0;
	BUG_IF(!catalogue_next_frame((struct view){(const char *)a->in, a->in_len}, &at, &f));
	if (msg_decode(f.type, f.payload, f.len, &begin) != 0)
		return admin_check_fail(
		    e, "bad_catalogue", "The catalogue does not begin with a good BEGIN.");
	if (begin.version == core->catalogue->version)
		return true;
	return admin_check_fail(e, "version_conflict",
	    "This was made from version %llu of the catalogue, and version %llu is in force by "
	    "now. See the difference: sallyport catalog diff FILE",
	    (unsigned long long)begin.version, (unsigned long long)core->catalogue->version);
}

bool
admin_catalogue_apply(const struct admin_who *who, struct admin_catalogue *a, struct admin_error *e)
{
	struct core *core = who->core;
	struct catalogue_error why = {0};
	struct view frames = {(const char *)a->in, a->in_len};
	char by[24];
	if (a->too_long)
		return admin_check_fail(e, "bad_catalogue",
		    "The catalogue is longer than %u bytes.", CATALOGUE_SIZE_MAX);
	if (!check_base(core, a, e))
		return false;
	snprintf(by, sizeof(by), "uid %u", who->uid);
	struct catalogue_stamp stamp = {.version = core->catalogue_version + 1,
	    .applied_s = clock_wall_ns() / 1000000000U,
	    .applied_by = view_of(by)};
	struct catalogue *next = catalogue_parse_as(frames, &stamp, &why);
	if (next == NULL)
		return admin_check_fail(
		    e, "bad_catalogue", "The catalogue was not applied: %s.", why.message);
	bool same = same_content(next, core->catalogue);
	if (same || !check_credentials(core, next, e)) {
		catalogue_unref(next);
		return false; // nothing to change, or refused
	}
	return admin_change_catalogue(who, next, e);
}

// --- telling ---------------------------------------------------------------------------

bool
admin_catalogue_tell(const struct core *core, struct admin_catalogue *a,
    const struct msg_catalogue_get *m, struct admin_error *e)
{
	if (m->version != 0 && m->version != core->catalogue->version)
		return admin_check_fail(e, "not_found",
		    "The catalogue in force has version %llu; earlier ones are not kept.",
		    (unsigned long long)core->catalogue->version);
	catalogue_unref(a->out);
	a->out = catalogue_ref(core->catalogue);
	a->out_at = 0;
	return true;
}

bool
admin_catalogue_next(struct admin_catalogue *a, struct link *l, uint64_t frame)
{
	static union msg_any m; // large
	struct frame f;
	if (a->out == NULL || !catalogue_next_frame(a->out->frames, &a->out_at, &f)) {
		catalogue_unref(a->out);
		a->out = NULL;
		return false;
	}
	BUG_IF(msg_decode(f.type, f.payload, f.len, &m) != 0); // it was read before
	if (link_send(l, f.type, frame, &m) != 0)
		log_msg(LOG_ERROR, "admin: secret memory is full, an answer is lost");
	return true;
}
