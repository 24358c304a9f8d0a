// SPDX-License-Identifier: Apache-2.0
// Folding and keeping of records that nobody waits for. May touch: the audit link.
#include "vaultd/audit_note.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "vaultd/audit_link.h"

#define TEXT_MAX   200U
#define SECOND_NS  1000000000U
#define PENDING_HI (AUDIT_LINK_PENDING / 2U) // notes must not take the room of intents
#define RESEND_MAX 1024U		     // of a kind, in a tick

// One record until auditd has it: in a bucket, or with the link as its callback's cookie.
struct kept {
	struct kept *next;
	struct audit_note *owner;
	enum note_kind kind;
	uint64_t count;
	bool again; // was sent on a connection that ended: may be written already
	struct note note;
	char text[]; // what the note points at
};

struct bucket {
	uint64_t second; // which second of the monotonic clock
	unsigned written;
	struct kept *folded; // the newest of those that are only counted, with their count
	struct kept *first;  // those that keep their reference, oldest first
	struct kept **last;
	size_t waiting;
};

struct audit_note {
	struct core *core;
	uint64_t quiet_until_ns; // auditd refused one: no sooner
	struct bucket bucket[NOTE_KIND_COUNT];
};

struct audit_note *
audit_note_new(struct core *core)
{
	struct audit_note *n = base_calloc(1, sizeof(*n));
	n->core = core;
	for (size_t i = 0; i < NOTE_KIND_COUNT; i++)
		n->bucket[i].last = &n->bucket[i].first;
	return n;
}

static struct kept *
pop(struct bucket *b)
{
	struct kept *k = b->first;
	b->first = k->next;
	if (b->first == NULL)
		b->last = &b->first;
	b->waiting--;
	k->next = NULL;
	return k;
}

void
audit_note_free(struct audit_note *n)
{
	if (n == NULL)
		return;
	uint64_t lost = 0;
	for (size_t i = 0; i < NOTE_KIND_COUNT; i++) {
		struct bucket *b = &n->bucket[i];
		while (b->first != NULL) {
			struct kept *k = pop(b);
			lost += k->count;
			free(k);
		}
		lost += b->folded == NULL ? 0 : b->folded->count;
		free(b->folded);
	}
	if (lost != 0)
		log_msg(LOG_WARN, "%" PRIu64 " events were not written to the audit log", lost);
	free(n);
}

// --- copies ------------------------------------------------------------------------

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

static const char *
copy(char **at, struct view v)
{
	char *s = *at;
	if (v.len != 0)
		memcpy(s, v.p, v.len);
	s[v.len] = '\0';
	*at += v.len + 1;
	return s;
}

static struct kept *
keep(struct audit_note *n, enum note_kind kind, const struct note *note)
{
	struct view user = view_of(note->user), workspace = view_of(note->workspace),
		    key_id = view_of(note->key_id), model = cut(note->model),
		    reason = cut(note->reason);
	size_t len = user.len + workspace.len + key_id.len + model.len + reason.len + 5;
	struct kept *k = base_calloc(1, sizeof(*k) + len);
	char *at = k->text;
	k->owner = n;
	k->kind = kind;
	k->count = 1;
	k->note = *note;
	k->note.user = copy(&at, user);
	k->note.workspace = copy(&at, workspace);
	k->note.key_id = copy(&at, key_id);
	k->note.model = (struct view){copy(&at, model), model.len};
	k->note.reason = (struct view){copy(&at, reason), reason.len};
	return k;
}

// --- kept for later ------------------------------------------------------------------

static bool
keeps_reference(const struct kept *k)
{
	if (k->kind == NOTE_TESTED) // what an administrator did
		return true;
	return k->note.ref_seq != 0 &&
	       (k->kind == NOTE_VOID || k->kind == NOTE_LEAK || k->kind == NOTE_COMPLETE ||
		   k->kind == NOTE_ADMIN_FAILED);
}

static void
hold_back(struct kept *k)
{
	struct bucket *b = &k->owner->bucket[k->kind];
	if (keeps_reference(k) && b->waiting < NOTE_REFS_MAX) {
		*b->last = k;
		b->last = &k->next;
		b->waiting++;
		return;
	}
	if (b->folded != NULL) {
		k->count += b->folded->count;
		k->again = k->again || b->folded->again;
		free(b->folded);
	}
	b->folded = k;
}

// --- to auditd -----------------------------------------------------------------------

// Appends nothing: a refusal would be answered by a refusal without end.
static void
on_done(void *cookie, enum audit_outcome o, uint64_t seq, struct view code)
{
	struct kept *k = cookie;
	(void)seq, (void)code;
	switch (o) {
	case AUDIT_TIMEOUT:
		return; // not final
	case AUDIT_DURABLE:
		free(k);
		return;
	case AUDIT_REFUSED:
		k->owner->quiet_until_ns = clock_mono_ns() + SECOND_NS;
		break;
	case AUDIT_LOST:
		k->again = true;
		break;
	}
	hold_back(k);
}

static void
add_text(struct msg_append *m, uint64_t key, struct view v)
{
	if (v.len != 0)
		m->text[m->text_count++] = (struct msg_attr_text){key, v};
}

static void
add_num(struct msg_append *m, uint64_t key, uint64_t v)
{
	if (v != 0)
		m->num[m->num_count++] = (struct msg_attr_num){key, v};
}

// 0: k belongs to the link until on_done. -1: not now, k is still the caller's.
static int
try_send(struct kept *k)
{
	const struct note *note = &k->note;
	struct audit_note *n = k->owner;
	struct audit_link *link = n->core->audit;
	char again[TEXT_MAX + 32];
	if (clock_mono_ns() < n->quiet_until_ns || audit_link_pending(link) > PENDING_HI)
		return -1;
	struct msg_append m = {.event = note->event,
	    .ref_seq = note->ref_seq,
	    .workspace = view_of(note->workspace),
	    .user = view_of(note->user),
	    .key_id = view_of(note->key_id),
	    .key_version = note->key_version,
	    .result = note->result,
	    .error_code = view_of(note->code)};
	struct view reason = note->reason;
	if (k->again) {
		struct view v = reason.len != 0 ? reason : m.error_code;
		snprintf(
		    again, sizeof(again), "%.*s (sent again)", (int)v.len, v.len == 0 ? "" : v.p);
		reason = view_of(again);
	}
	add_text(&m, ATTR_OPERATION, view_of(ids_operation(note->operation)));
	add_text(&m, ATTR_MODEL, note->model);
	add_text(&m, ATTR_REASON, reason);
	add_num(&m, ATTR_UPSTREAM_STATUS, note->status);
	add_num(&m, ATTR_COUNT, k->count > 1 ? k->count : 0);
	add_num(&m, ATTR_SIGNAL, note->signal);
	add_num(&m, ATTR_EXPIRES, note->expires_s);
	return audit_link_append(link, &m, on_done, k);
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

void
audit_note_add(struct audit_note *n, enum note_kind kind, const struct note *note)
{
	BUG_IF(kind >= NOTE_KIND_COUNT);
	struct bucket *b = &n->bucket[kind];
	struct kept *k = keep(n, kind, note);
	// A record that points at another one cannot be folded into a count.
	bool single = note->ref_seq != 0;
	if ((single || may_write(b)) && try_send(k) == 0)
		b->written++;
	else
		hold_back(k);
}

static void
send_waiting(struct bucket *b)
{
	// The link answers in a later turn of the loop, so what was sent can be taken out after.
	for (unsigned i = 0; i < RESEND_MAX && b->first != NULL; i++) {
		if (try_send(b->first) != 0)
			return;
		(void)pop(b);
	}
}

void
audit_note_tick(struct audit_note *n)
{
	for (size_t i = 0; i < NOTE_KIND_COUNT; i++) {
		struct bucket *b = &n->bucket[i];
		send_waiting(b);
		if (b->folded == NULL || !may_write(b) || try_send(b->folded) != 0)
			continue;
		b->written++;
		b->folded = NULL; // the link's
	}
}
