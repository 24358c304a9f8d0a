// SPDX-License-Identifier: Apache-2.0
// Folding of records that nobody waits for. May touch: the audit link.
#include "vaultd/audit_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "vaultd/audit_link.h"

#define TEXT_MAX   200U
#define SECOND_NS  1000000000U
#define PENDING_HI (AUDIT_LINK_PENDING / 2U) // notes must not take the room of intents

// The newest folded note of a kind, with its own copies of the texts.
struct kept {
	struct note note;
	char user[65];
	char workspace[65];
	char key_id[65];
	char model[TEXT_MAX + 1];
	char reason[TEXT_MAX + 1];
	uint64_t count;
};

struct bucket {
	uint64_t second; // which second of the monotonic clock
	unsigned written;
	struct kept *kept; // made when first needed
};

struct audit_note {
	struct core *core;
	struct bucket bucket[NOTE_KIND_COUNT];
};

struct audit_note *
audit_note_new(struct core *core)
{
	struct audit_note *n = base_calloc(1, sizeof(*n));
	n->core = core;
	return n;
}

void
audit_note_free(struct audit_note *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < NOTE_KIND_COUNT; i++)
		free(n->bucket[i].kept);
	free(n);
}

// Cuts at a character boundary, since records take UTF-8 only.
static struct view
cut(struct view v)
{
	if (v.len <= TEXT_MAX)
		return v;
	v.len = TEXT_MAX;
	while (v.len > 0 && ((uint8_t)v.p[v.len] & 0xc0) == 0x80)
		v.len--;
	return v;
}

static void
add_text(struct msg_append *m, uint64_t key, struct view v)
{
	if (v.len != 0)
		m->text[m->text_count++] = (struct msg_attr_text){key, cut(v)};
}

static void
add_num(struct msg_append *m, uint64_t key, uint64_t v)
{
	if (v != 0)
		m->num[m->num_count++] = (struct msg_attr_num){key, v};
}

static int
append(struct audit_note *n, const struct note *note, uint64_t count)
{
	struct msg_append m = {.event = note->event,
	    .ref_seq = note->ref_seq,
	    .workspace = view_of(note->workspace),
	    .user = view_of(note->user),
	    .key_id = view_of(note->key_id),
	    .key_version = note->key_version,
	    .result = note->result,
	    .error_code = view_of(note->code)};
	add_text(&m, ATTR_OPERATION, view_of(ids_operation(note->operation)));
	add_text(&m, ATTR_MODEL, note->model);
	add_text(&m, ATTR_REASON, note->reason);
	add_num(&m, ATTR_COUNT, count > 1 ? count : 0);
	add_num(&m, ATTR_SIGNAL, note->signal);
	if (audit_link_pending(n->core->audit) > PENDING_HI)
		return -1;
	return audit_link_append(n->core->audit, &m, NULL, NULL);
}

static bool
may_write(struct bucket *b)
{
	uint64_t second = clock_mono_ns() / SECOND_NS;
	if (b->second != second) {
		b->second = second;
		b->written = 0;
	}
	return b->written < NOTE_RATE;
}

static const char *
keep_text(char *dst, size_t size, struct view v)
{
	snprintf(dst, size, "%.*s", (int)v.len, v.len == 0 ? "" : v.p);
	return dst;
}

static void
fold(struct bucket *b, const struct note *note)
{
	if (b->kept == NULL)
		b->kept = base_calloc(1, sizeof(*b->kept));
	struct kept *k = b->kept;
	k->count++;
	k->note = *note;
	k->note.user = keep_text(k->user, sizeof(k->user), view_of(note->user));
	k->note.workspace = keep_text(k->workspace, sizeof(k->workspace), view_of(note->workspace));
	k->note.key_id = keep_text(k->key_id, sizeof(k->key_id), view_of(note->key_id));
	k->note.model = view_of(keep_text(k->model, sizeof(k->model), cut(note->model)));
	k->note.reason = view_of(keep_text(k->reason, sizeof(k->reason), cut(note->reason)));
}

void
audit_note_add(struct audit_note *n, enum note_kind kind, const struct note *note)
{
	BUG_IF(kind >= NOTE_KIND_COUNT);
	struct bucket *b = &n->bucket[kind];
	// A record that points at another one cannot be folded into a count.
	bool single = note->ref_seq != 0;
	if ((single || may_write(b)) && append(n, note, 1) == 0)
		b->written++;
	else
		fold(b, note);
}

void
audit_note_tick(struct audit_note *n)
{
	for (size_t i = 0; i < NOTE_KIND_COUNT; i++) {
		struct bucket *b = &n->bucket[i];
		if (b->kept == NULL || b->kept->count == 0 || !may_write(b) ||
		    append(n, &b->kept->note, b->kept->count) != 0)
			continue;
		b->written++;
		b->kept->count = 0;
	}
}
