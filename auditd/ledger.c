// SPDX-License-Identifier: Apache-2.0
// Segments, head, rotation, and what to do when a commit fails. May touch: the log
// directory, the clock.
#include "auditd/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "auditd/ledger_open.h"
#include "common/clock.h"
#include "common/log.h"
#include "proto/ids.h"

#define NS_PER_S     UINT64_C(1000000000)
#define BACK_ALLOWED (5 * NS_PER_S) // 6.4 of the design: time may not go back further unmarked
#define FULL_BELOW   (1ULL << 20)   // EIO with less free space than this means "full"

void
ledger_die(const char *what, int rc)
{
	log_msg(LOG_ERROR,
	    "audit log: %s: %s; stopping, the log is checked at the next start. If it fails again, "
	    "run: sallyport audit verify --path DIR",
	    what, store_error(rc));
	exit(LEDGER_EXIT);
}

void
ledger_close(struct ledger *l)
{
	if (l == NULL)
		return;
	CHECK_OBJ(l, LEDGER_MAGIC);
	store_close(l->fresh);
	store_close(l->active);
	store_close(l->sealed);
	chain_intents_free(l->intents);
	free(l->first);
	l->magic = 0;
	free(l);
}

// --- facts -----------------------------------------------------------------------

const uint8_t *
ledger_log_id(const struct ledger *l)
{
	return l->log_id;
}

uint64_t
ledger_head_seq(const struct ledger *l)
{
	BUG_IF(l->edge.size == 0);
	return l->edge.size - 1;
}

const uint8_t *
ledger_head(const struct ledger *l)
{
	return l->head;
}

uint64_t
ledger_boot_no(const struct ledger *l)
{
	return l->boot_no;
}

uint64_t
ledger_commits(const struct ledger *l)
{
	return l->commits;
}

struct chain_intents *
ledger_intents(struct ledger *l)
{
	return l->intents;
}

// --- rotation --------------------------------------------------------------------

static bool
due(const struct ledger *l, uint64_t now)
{
	if (l->active == NULL || l->force_rotate)
		return true;
	uint64_t records = l->edge.size - store_first(l->active);
	return records >= l->config.segment_records ||
	       store_bytes(l->active) >= l->config.segment_bytes ||
	       (now > l->segment_since && now - l->segment_since >= l->config.segment_age_ns);
}

static int
open_fresh(struct ledger *l)
{
	uint64_t first = l->edge.size;
	int rc = store_open(l->config.dir, first, STORE_CREATE, l->config.map_bytes, &l->fresh);
	if (rc == EEXIST) // left over from an attempt that never held a record
		rc = store_remove(l->config.dir, first);
	if (rc == 0 && l->fresh == NULL)
		rc = store_open(l->config.dir, first, STORE_CREATE, l->config.map_bytes, &l->fresh);
	if (rc != 0)
		return rc;
	struct store_meta m = {.edge = l->edge};
	memcpy(m.log_id, l->log_id, CHAIN_LOG_ID);
	size_t open_count, orphan_count;
	struct chain_intent *open = chain_intent_list(l->intents, INTENT_OPEN, &open_count);
	struct chain_intent *orphan = chain_intent_list(l->intents, INTENT_ORPHANED, &orphan_count);
	// The oldest orphans are forgotten: nobody completes a request of long ago.
	size_t skip = orphan_count > LEDGER_ORPHANS_KEPT ? orphan_count - LEDGER_ORPHANS_KEPT : 0;
	for (size_t i = 0; i < skip; i++)
		chain_intent_set(l->intents, orphan[i].seq, INTENT_NONE, 0);
	m.intent = base_calloc(open_count + orphan_count + 1, sizeof(*m.intent));
	for (size_t i = 0; i < open_count; i++)
		m.intent[m.intent_count++] = open[i];
	for (size_t i = skip; i < orphan_count; i++)
		m.intent[m.intent_count++] = orphan[i];
	free(open);
	free(orphan);
	if ((rc = store_begin(l->fresh)) == 0)
		rc = store_put_meta(l->fresh, &m);
	free(m.intent);
	return rc;
}

static void
drop_fresh(struct ledger *l)
{
	if (l->fresh == NULL)
		return;
	uint64_t first = store_first(l->fresh);
	store_close(l->fresh);
	l->fresh = NULL;
	// Nothing of it was ever acknowledged; a leftover is removed at the next try.
	(void)store_remove(l->config.dir, first);
}

// The fresh segment holds durable records now: the old one is closed for good.
static void
adopt_fresh(struct ledger *l)
{
	int rc = store_sync_dir(l->config.dir);
	if (rc != 0)
		ledger_die("cannot make a new segment durable", rc);
	if (l->active != NULL) {
		uint64_t old = store_first(l->active);
		store_close(l->active);
		if ((rc = store_seal(l->config.dir, old)) != 0)
			log_msg(LOG_WARN, "segment %016" PRIu64 ": cannot be made read-only: %s",
			    old, strerror(rc));
		log_msg(LOG_INFO, "segment %016" PRIu64 " closed, %016" PRIu64 " begun", old,
		    store_first(l->fresh));
	}
	l->active = l->fresh;
	l->fresh = NULL;
	l->segment_since = l->last_commit_time;
	l->force_rotate = false;
	ledger_add_segment(l, store_first(l->active));
}

void
ledger_add_segment(struct ledger *l, uint64_t first)
{
	l->first = base_realloc(l->first, (l->first_count + 1) * sizeof(*l->first));
	l->first[l->first_count++] = first;
}

// --- a group -----------------------------------------------------------------------

static uint64_t
clock_state(struct ledger *l, uint64_t now)
{
	uint64_t mono = clock_mono_ns();
	if (l->clock_read == 0 || mono - l->clock_read >= NS_PER_S) {
		struct timex tx = {.modes = 0};
		int r = adjtimex(&tx);
		l->clock_sync = r >= 0 && r != TIME_ERROR ? CLOCK_SYNCHRONIZED : 0;
		l->clock_read = mono;
	}
	bool back = now + BACK_ALLOWED < l->last_commit_time;
	if (back)
		log_msg(LOG_WARN, "the clock went back by %" PRIu64 " s",
		    (l->last_commit_time - now) / (uint64_t)NS_PER_S);
	return l->clock_sync | (back ? CLOCK_WENT_BACK : 0);
}

static struct store *
target(const struct ledger *l)
{
	return l->fresh != NULL ? l->fresh : l->active;
}

static enum ledger_result recover(struct ledger *l, int rc);

static enum ledger_result
segment_record(struct ledger *l)
{
	if (l->edge.size == 0)
		return LEDGER_OK; // the genesis record opens the first one
	char name[32];
	snprintf(name, sizeof(name), "seg-%016" PRIu64, l->edge.size);
	struct record r = {.event = EVENT_SEGMENT_OPEN,
	    .producer = PRODUCER_AUDITD,
	    .ref_seq = l->edge.size - 1,
	    .attr_count = 1};
	r.attr[0] = (struct record_attr){.key = ATTR_NAME, .is_text = true, .text = view_of(name)};
	uint64_t seq;
	uint8_t leaf[CHAIN_HASH];
	return ledger_add(l, &r, &seq, leaf) == 0 ? LEDGER_OK : ledger_commit(l);
}

enum ledger_result
ledger_begin(struct ledger *l)
{
	CHECK_OBJ(l, LEDGER_MAGIC);
	BUG_IF(l->in_group);
	l->group_time = clock_wall_ns();
	l->group_mono = clock_mono_ns();
	l->group_clock = clock_state(l, l->group_time);
	l->saved_edge = l->edge;
	memcpy(l->saved_head, l->head, CHAIN_HASH);
	l->group_records = 0;
	l->failed = 0;
	if (l->active != NULL && !store_intact(l->active))
		ledger_die("the active segment file was removed or replaced", EIO);
	bool rotate = due(l, l->group_time);
	int rc = rotate ? open_fresh(l) : store_begin(l->active);
	if (rc != 0)
		return recover(l, rc);
	l->in_group = true;
	return rotate ? segment_record(l) : LEDGER_OK;
}

size_t
ledger_room(const struct ledger *l)
{
	BUG_IF(!l->in_group);
	uint64_t used = l->edge.size - store_first(target(l));
	uint64_t room = l->config.segment_records > used ? l->config.segment_records - used : 0;
	uint64_t group =
	    LEDGER_GROUP_MAX > l->group_records ? LEDGER_GROUP_MAX - l->group_records : 0;
	return (size_t)MIN(room, group);
}

static size_t
encode(struct record *r, uint8_t buf[RECORD_MAX])
{
	size_t len;
	// Texts are bounded and few: this ends after a handful of rounds.
	while ((len = record_encode(r, buf, RECORD_MAX)) == 0)
		record_shorten(r);
	return len;
}

int
ledger_add(struct ledger *l, struct record *r, uint64_t *seq_r, uint8_t leaf_r[CHAIN_HASH])
{
	CHECK_OBJ(l, LEDGER_MAGIC);
	BUG_IF(!l->in_group);
	if (l->failed != 0)
		return -1;
	r->log_id = (struct view){.p = (const char *)l->log_id, .len = CHAIN_LOG_ID};
	r->prev = (struct view){.p = (const char *)l->head, .len = CHAIN_HASH};
	r->seq = l->edge.size;
	r->t_commit = l->group_time;
	r->t_mono = l->group_mono;
	r->boot_no = l->boot_no;
	r->clock_state = l->group_clock;
	if (r->t_event == 0)
		r->t_event = l->group_time;
	l->group_clock &= ~(uint64_t)CLOCK_WENT_BACK; // said once

	uint8_t buf[RECORD_MAX];
	size_t len = encode(r, buf);
	chain_leaf(leaf_r, buf, len);
	*seq_r = r->seq;
	l->failed =
	    store_put(target(l), r->seq, (struct view){.p = (const char *)buf, .len = len}, leaf_r);
	if (l->failed != 0)
		return -1;
	chain_edge_add(&l->edge, leaf_r);
	memcpy(l->head, leaf_r, CHAIN_HASH);
	l->group_records++;
	return 0;
}

enum ledger_result
ledger_commit(struct ledger *l)
{
	CHECK_OBJ(l, LEDGER_MAGIC);
	BUG_IF(!l->in_group);
	l->in_group = false;
	int rc = l->failed;
	if (rc == 0 && l->group_records == 0) {
		store_abort(target(l));
		drop_fresh(l);
		return LEDGER_OK;
	}
	if (rc == 0)
		rc = store_commit(target(l));
	if (rc != 0)
		return recover(l, rc);
	l->last_commit_time = l->group_time;
	l->commits++;
	if (l->fresh != NULL)
		adopt_fresh(l);
	return LEDGER_OK;
}

enum ledger_result
ledger_rotate_by_age(struct ledger *l)
{
	uint64_t now = clock_wall_ns();
	// A segment that holds only its own opening is not worth closing.
	if (l->edge.size - store_first(l->active) <= 1 || !due(l, now))
		return LEDGER_OK;
	enum ledger_result r = ledger_begin(l);
	return r == LEDGER_OK ? ledger_commit(l) : r;
}

// --- after a failed commit -----------------------------------------------------------

static bool
file_system_full(const struct ledger *l)
{
	struct statvfs vfs;
	return statvfs(l->config.dir, &vfs) == 0 &&
	       (uint64_t)vfs.f_bavail * vfs.f_frsize < FULL_BELOW;
}

// Opens the active segment anew and asks it which record is durable. The result of a
// failed commit is unknown until then: LMDB may have written all, or nothing.
static bool
group_is_durable(struct ledger *l, const struct chain_edge *want, const uint8_t *want_head)
{
	uint64_t first = store_first(l->active), seq = 0;
	uint8_t leaf[CHAIN_HASH];
	store_close(l->active);
	l->active = NULL;
	int rc = store_open(l->config.dir, first, STORE_WRITE, l->config.map_bytes, &l->active);
	if (rc != 0)
		ledger_die("the active segment cannot be opened again", rc);
	if ((rc = store_last(l->active, &seq, leaf)) != 0)
		ledger_die("the active segment cannot be read again", rc);
	if (seq + 1 == want->size && memcmp(leaf, want_head, CHAIN_HASH) == 0)
		return true;
	if (seq + 1 != l->saved_edge.size || memcmp(leaf, l->saved_head, CHAIN_HASH) != 0)
		ledger_die("the active segment does not end where it did", EIO);
	return false;
}

static enum ledger_result
recover(struct ledger *l, int rc)
{
	struct chain_edge want = l->edge;
	uint8_t want_head[CHAIN_HASH];
	memcpy(want_head, l->head, CHAIN_HASH);
	bool was_fresh = l->fresh != NULL;
	l->in_group = false;
	l->edge = l->saved_edge;
	memcpy(l->head, l->saved_head, CHAIN_HASH);
	enum store_class class = store_class(rc);
	log_msg(LOG_WARN, "audit log: a group of %" PRIu64 " records was not stored: %s",
	    l->group_records, store_error(rc));
	// mdb.c reports a short write, which is how a full disk looks, as EIO.
	if (class == STORE_IO && file_system_full(l))
		class = STORE_NO_SPACE;
	if (was_fresh)
		drop_fresh(l);
	if (class == STORE_DAMAGED || class == STORE_END)
		ledger_die("the active segment is damaged", rc);
	if (l->active != NULL && !was_fresh) {
		store_abort(l->active);
		if (group_is_durable(l, &want, want_head) && l->group_records != 0) {
			l->edge = want;
			memcpy(l->head, want_head, CHAIN_HASH);
			l->commits++;
			return LEDGER_OK;
		}
	}
	if (class == STORE_MAP_FULL) {
		l->force_rotate = true;
		return LEDGER_RETRY;
	}
	return class == STORE_NO_SPACE ? LEDGER_FULL : LEDGER_DISK;
}

// --- reading ---------------------------------------------------------------------------

struct reading {
	ledger_read_fn *fn;
	void *cookie;
	const char *why;
	uint64_t next;
	uint64_t end; // first record that is not durable yet
};

static bool
read_one(void *cookie, uint64_t seq, struct view record, struct view leaf)
{
	struct reading *rd = cookie;
	uint8_t want[CHAIN_HASH];
	if (seq >= rd->end)
		return false;
	chain_leaf(want, (const uint8_t *)record.p, record.len);
	if (seq != rd->next)
		rd->why = "a record is missing";
	else if (leaf.len != CHAIN_HASH || memcmp(leaf.p, want, CHAIN_HASH) != 0)
		rd->why = "a record does not hash to its stored leaf";
	if (rd->why != NULL)
		return false;
	rd->next++;
	return rd->fn(rd->cookie, seq, record);
}

static struct store *
segment_of(struct ledger *l, uint64_t seq, const char **why_r)
{
	if (seq >= store_first(l->active))
		return l->active;
	size_t i = l->first_count;
	while (i > 0 && l->first[i - 1] > seq)
		i--;
	if (i == 0)
		return NULL;
	if (l->sealed != NULL && store_first(l->sealed) == l->first[i - 1])
		return l->sealed;
	store_close(l->sealed);
	l->sealed = NULL;
	int rc = store_open(l->config.dir, l->first[i - 1], STORE_READ, 0, &l->sealed);
	if (rc != 0)
		*why_r = store_error(rc);
	return l->sealed;
}

int
ledger_read(struct ledger *l, uint64_t from, ledger_read_fn *fn, void *cookie, const char **why_r)
{
	CHECK_OBJ(l, LEDGER_MAGIC);
	BUG_IF(l->in_group);
	*why_r = NULL;
	if (from >= l->edge.size)
		return 0;
	struct store *s = segment_of(l, from, why_r);
	if (s == NULL) {
		if (*why_r == NULL)
			*why_r = "the segment is missing";
		return -1;
	}
	struct reading rd = {.fn = fn, .cookie = cookie, .next = from, .end = l->edge.size};
	int rc = store_each(s, from, read_one, &rd);
	if (rc != 0)
		rd.why = store_error(rc);
	else if (rd.why == NULL && rd.next == from)
		rd.why = "a record is missing";
	*why_r = rd.why;
	return rd.why == NULL ? 0 : -1;
}
