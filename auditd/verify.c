// SPDX-License-Identifier: Apache-2.0
// The verifier. Its input is hostile: it trusts nothing but the hashes it computes
// itself. May touch: memory, and in verify_dir the segment files, read-only.
#include "auditd/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auditd/store.h"
#include "proto/ids.h"

#define NS_PER_S     UINT64_C(1000000000)
#define BACK_ALLOWED (5 * NS_PER_S)

void
verify_init(struct verify *v)
{
	*v = (struct verify){.intents = chain_intents_new()};
}

void
verify_free(struct verify *v)
{
	chain_intents_free(v->intents);
	v->intents = NULL;
}

// --- findings --------------------------------------------------------------------

PRINTF(3, 4)
static bool
tampered(struct verify *v, uint64_t seq, const char *fmt, ...)
{
	va_list ap;
	if (v->tampered)
		return false;
	v->tampered = true;
	v->bad_seq = seq;
	va_start(ap, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
	return false;
}

static bool
hash_differs(struct verify *v, uint64_t seq, const char *why, const void *want, const void *got)
{
	memcpy(v->want, want, CHAIN_HASH);
	memcpy(v->got, got, CHAIN_HASH);
	v->have_hashes = true;
	return tampered(v, seq, "%s", why);
}

// --- one record --------------------------------------------------------------------

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
verify_anchor_parse(struct verify *v, const char *text)
{
	if (v->anchor_count == VERIFY_ANCHORS_MAX || *text < '0' || *text > '9')
		return -1;
	char *end;
	errno = 0;
	struct verify_anchor a = {.seq = strtoull(text, &end, 10)};
	if (errno != 0 || *end != ':' || strlen(end + 1) != 2 * (size_t)CHAIN_HASH)
		return -1;
	for (size_t i = 0; i < CHAIN_HASH; i++) {
		int hi = hex_digit(end[1 + 2 * i]), lo = hex_digit(end[2 + 2 * i]);
		if (hi < 0 || lo < 0)
			return -1;
		a.leaf[i] = (uint8_t)(hi << 4 | lo);
	}
	v->anchor[v->anchor_count++] = a;
	return 0;
}

static bool
check_anchors(struct verify *v, uint64_t seq, const uint8_t leaf[CHAIN_HASH])
{
	for (size_t i = 0; i < v->anchor_count; i++) {
		struct verify_anchor *a = &v->anchor[i];
		if (a->seq != seq)
			continue;
		if (memcmp(a->leaf, leaf, CHAIN_HASH) != 0)
			return hash_differs(v, seq,
			    "the record is not the one that was remembered as head: the log was "
			    "rewritten or forked",
			    a->leaf, leaf);
		a->seen = true;
	}
	return true;
}

// Everything that a record must have in common with the log before it.
static bool
check_place(struct verify *v, const struct record *r)
{
	uint64_t seq = v->edge.size;
	if (r->seq != seq)
		return tampered(v, seq,
		    "record number %" PRIu64 " stands where %" PRIu64
		    " belongs: deleted, inserted or moved",
		    r->seq, seq);
	if (!v->have_log_id) {
		memcpy(v->log_id, r->log_id.p, CHAIN_LOG_ID);
		v->have_log_id = true;
	} else if (memcmp(v->log_id, r->log_id.p, CHAIN_LOG_ID) != 0) {
		return tampered(v, seq, "the record belongs to another log");
	}
	if (seq == 0)
		chain_genesis(v->head, v->log_id);
	if (memcmp(r->prev.p, v->head, CHAIN_HASH) != 0)
		return hash_differs(
		    v, seq, "the record does not continue the one before it", v->head, r->prev.p);
	if (seq == 0 && r->event != EVENT_GENESIS)
		return tampered(v, seq, "the log does not begin with its genesis record");
	if (seq != 0 && r->event == EVENT_GENESIS)
		return tampered(v, seq, "a second genesis record");
	if (r->boot_no < v->boot_no)
		return tampered(v, seq, "the boot number goes back");
	if (r->t_commit + BACK_ALLOWED < v->t_commit && (r->clock_state & CLOCK_WENT_BACK) == 0)
		return tampered(v, seq, "the commit time goes back without saying so");
	return true;
}

static void
count_facts(struct verify *v, const struct record *r)
{
	v->records++;
	v->boot_no = r->boot_no;
	v->t_commit = r->t_commit;
	v->clock_back += (r->clock_state & CLOCK_WENT_BACK) != 0;
	v->starts += r->event == EVENT_AUDIT_START;
	enum chain_intent_state state = chain_intent_get(v->intents, r->ref_seq);
	switch (r->event) {
	case EVENT_KEY_INTENT:
		chain_intent_set(v->intents, r->seq, INTENT_OPEN, r->t_commit);
		break;
	case EVENT_KEY_COMPLETE:
	case EVENT_KEY_INTENT_VOID:
		v->late += state == INTENT_ORPHANED;
		v->no_intent += state == INTENT_NONE;
		chain_intent_set(v->intents, r->ref_seq, INTENT_NONE, 0);
		break;
	case EVENT_INTENT_ORPHAN:
		v->orphans++;
		if (state == INTENT_OPEN)
			chain_intent_set(v->intents, r->ref_seq, INTENT_ORPHANED, 0);
		break;
	default:
		break;
	}
}

bool
verify_record(struct verify *v, const uint8_t *bytes, size_t len, const struct view *stored_leaf)
{
	if (v->tampered)
		return false;
	uint64_t seq = v->edge.size;
	uint8_t leaf[CHAIN_HASH];
	struct record r;
	chain_leaf(leaf, bytes, len);
	if (stored_leaf != NULL && stored_leaf->len != CHAIN_HASH)
		return tampered(v, seq, "the stored leaf hash is missing");
	if (stored_leaf != NULL && memcmp(stored_leaf->p, leaf, CHAIN_HASH) != 0)
		return hash_differs(
		    v, seq, "the record does not hash to its stored leaf", stored_leaf->p, leaf);
	if (record_decode(bytes, len, &r) != 0)
		return tampered(v, seq, "the record is not canonical AREC/1");
	if (!check_place(v, &r) || !check_anchors(v, seq, leaf))
		return false;
	chain_edge_add(&v->edge, leaf);
	memcpy(v->head, leaf, CHAIN_HASH);
	count_facts(v, &r);
	return true;
}

enum verify_verdict
verify_end(struct verify *v)
{
	size_t n = 0;
	struct chain_intent *open = chain_intent_list(v->intents, INTENT_OPEN, &n);
	v->open = n;
	v->open_first_count = MIN(n, (size_t)VERIFY_OPEN_MAX);
	for (size_t i = 0; i < v->open_first_count; i++)
		v->open_first[i] = open[i].seq;
	free(open);

	if (!v->tampered && v->edge.size == 0)
		tampered(v, 0, "the log is empty");
	bool anchored = false;
	for (size_t i = 0; i < v->anchor_count && !v->tampered; i++) {
		if (v->anchor[i].seq >= v->edge.size)
			tampered(v, v->edge.size,
			    "the log ends at %" PRIu64 ", but %" PRIu64
			    " was remembered: records were cut off",
			    v->edge.size - 1, v->anchor[i].seq);
		anchored = anchored || v->anchor[i].seen;
	}
	if (v->tampered)
		return VERIFY_TAMPERED;
	return anchored ? VERIFY_ANCHORED : VERIFY_UNANCHORED;
}

// --- a directory -----------------------------------------------------------------------

// A damaged page can send LMDB in circles for ever: the reader gets this much processor
// time (a slow disk does not count) for each step, and is killed by SIGPROF after it.
#define STEP_CPU_S   2
#define STEP_RECORDS 4096U

static void
arm_watchdog(void)
{
	struct itimerval it = {.it_value = {.tv_sec = STEP_CPU_S}};
	BUG_IF(setitimer(ITIMER_PROF, &it, NULL) != 0);
}

static bool
each_record(void *cookie, uint64_t seq, struct view record, struct view leaf)
{
	struct verify *v = cookie;
	if (seq % STEP_RECORDS == 0)
		arm_watchdog();
	if (seq != v->edge.size)
		return tampered(v, v->edge.size,
		    "record %" PRIu64 " is missing from its segment (next is %" PRIu64 ")",
		    v->edge.size, seq);
	return verify_record(v, (const uint8_t *)record.p, record.len, &leaf);
}

PRINTF(2, 3)
static enum verify_verdict
unreadable(struct verify *v, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
	return VERIFY_UNREADABLE;
}

// What a segment says about the log before it must be what was found there.
static bool
check_meta(struct verify *v, const struct store_meta *m)
{
	uint64_t seq = v->edge.size;
	if (v->have_log_id && memcmp(v->log_id, m->log_id, CHAIN_LOG_ID) != 0)
		return tampered(v, seq, "the segment belongs to another log");
	uint8_t want[CHAIN_HASH], got[CHAIN_HASH];
	chain_edge_root(&v->edge, want);
	chain_edge_root(&m->edge, got);
	if (memcmp(v->edge.node, m->edge.node, chain_edge_count(seq) * (size_t)CHAIN_HASH) != 0)
		return hash_differs(v, seq,
		    "the segment records another tree root for the log before it", want, got);
	size_t open = 0;
	for (size_t i = 0; i < m->intent_count; i++) {
		if (m->intent[i].state != INTENT_OPEN)
			continue;
		open++;
		if (chain_intent_get(v->intents, m->intent[i].seq) != INTENT_OPEN)
			open = SIZE_MAX / 2;
	}
	if (open != chain_intent_count(v->intents, INTENT_OPEN))
		return tampered(
		    v, seq, "the segment's list of open intents is not that of the log");
	return true;
}

static enum verify_verdict
one_segment(struct verify *v, const char *dir, uint64_t first)
{
	struct store *s = NULL;
	struct store_meta m = {.intent = NULL};
	uint64_t records = 0, leaves = 0;
	enum verify_verdict verdict = VERIFY_UNANCHORED;
	arm_watchdog();
	int rc = store_open(dir, first, STORE_READ, 0, &s);
	if (rc != 0)
		return unreadable(
		    v, "cannot open segment %016" PRIu64 ": %s", first, store_error(rc));
	if (first != v->edge.size) {
		tampered(
		    v, v->edge.size, "a segment is missing: the next begins at %" PRIu64, first);
		goto out;
	}
	if ((rc = store_get_meta(s, &m)) == 0 && check_meta(v, &m) &&
	    (rc = store_each(s, v->edge.size, each_record, v)) == 0 && !v->tampered &&
	    (rc = store_counts(s, &records, &leaves)) == 0 &&
	    (records != v->edge.size - first || leaves != records))
		tampered(v, v->edge.size,
		    "segment %016" PRIu64 " has %" PRIu64 " records but %" PRIu64
		    " leaf hashes, %" PRIu64 " in order",
		    first, records, leaves, v->edge.size - first);
	if (rc != 0)
		verdict =
		    unreadable(v, "segment %016" PRIu64 " is damaged after record %" PRIu64 ": %s",
			first, v->edge.size, store_error(rc));
out:
	free(m.intent);
	store_close(s);
	return verdict;
}

static enum verify_verdict
all_segments(struct verify *v, const char *dir)
{
	uint64_t *first = NULL;
	size_t n = 0;
	enum verify_verdict verdict = VERIFY_UNANCHORED;
	int rc = store_list(dir, &first, &n);
	if (rc != 0)
		return unreadable(v, "cannot list %s: %s", dir, strerror(rc));
	if (n == 0)
		verdict = unreadable(v, "%s holds no segment (seg-*.mdb)", dir);
	for (size_t i = 0; i < n && verdict != VERIFY_UNREADABLE && !v->tampered; i++)
		verdict = one_segment(v, dir, first[i]);
	free(first);
	return verdict == VERIFY_UNREADABLE ? verdict : verify_end(v);
}

struct shared {
	bool done;
	enum verify_verdict verdict;
	struct verify v;
};

static enum verify_verdict
in_child(struct verify *v, const char *dir)
{
	struct shared *sh =
	    mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		return unreadable(v, "no memory: %s", strerror(errno));
	sh->v = *v;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		// A damaged page may crash LMDB; that needs no core file, and nobody's handler.
		static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPROF};
		struct rlimit none = {0, 0};
		for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
			signal(crashes[i], SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(1);
		sh->verdict = all_segments(&sh->v, dir);
		sh->done = true;
		_exit(0);
	}
	int status = 0;
	bool waited = pid > 0 && waitpid(pid, &status, 0) == pid;
	struct chain_intents *own = v->intents;
	*v = sh->v;
	v->intents = own;
	enum verify_verdict verdict = sh->verdict;
	if (!waited)
		verdict = unreadable(v, "cannot start the reader: %s", strerror(errno));
	else if (!sh->done)
		verdict = unreadable(v,
		    "a segment is damaged after record %" PRIu64 ": its reader was stopped by %s",
		    v->edge.size,
		    !WIFSIGNALED(status)	  ? "an error"
		    : WTERMSIG(status) == SIGPROF ? "its watchdog"
						  : strsignal(WTERMSIG(status)));
	munmap(sh, sizeof(*sh));
	return verdict;
}

enum verify_verdict
verify_dir(struct verify *v, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return unreadable(v, "cannot open %s: %s", dir, strerror(errno));
	enum verify_verdict verdict;
	if (flock(fd, LOCK_SH | LOCK_NB) != 0)
		verdict = unreadable(v,
		    "%s is in use by the audit daemon: verify through it "
		    "(without --path), or copy the directory first",
		    dir);
	else
		verdict = in_child(v, dir);
	close(fd);
	return verdict;
}
