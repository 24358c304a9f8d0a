// SPDX-License-Identifier: Apache-2.0
// Start-up of the log: find the segments, check that they follow each other, verify the
// active one record by record, or begin a new log. May touch: the log directory.
#include "auditd/ledger_open.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "auditd/verify.h"
#include "common/clock.h"
#include "common/log.h"
#include "proto/ids.h"

#define MARKER	   "LOG" // names the log that lives here, in 32 hex digits
#define MARKER_HEX (2U * CHAIN_LOG_ID)
#define PATH_BYTES 4096U

NORETURN PRINTF(1, 2) static void give_up(const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_msg(LOG_ERROR, "audit log: %s", text);
	exit(LEDGER_EXIT);
}

// --- the marker ------------------------------------------------------------------------
// A directory whose segments were all removed must not look like a new one.

static void
hex_of(const uint8_t id[CHAIN_LOG_ID], char out[MARKER_HEX + 1])
{
	for (size_t i = 0; i < CHAIN_LOG_ID; i++)
		snprintf(out + 2 * i, 3, "%02x", id[i]);
}

// Returns false when there is no marker.
static bool
read_marker(const struct ledger *l, char out[MARKER_HEX + 1])
{
	char path[PATH_BYTES];
	snprintf(path, sizeof(path), "%s/" MARKER, l->config.dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return false;
	ssize_t n = fd < 0 ? -1 : read(fd, out, MARKER_HEX);
	if (fd >= 0)
		close(fd);
	if (n != (ssize_t)MARKER_HEX)
		give_up("cannot read %s: %s", path, n < 0 ? strerror(errno) : "it is cut short");
	out[MARKER_HEX] = '\0';
	return true;
}

static void
write_marker(const struct ledger *l)
{
	char path[PATH_BYTES], line[MARKER_HEX + 2];
	hex_of(l->log_id, line);
	line[MARKER_HEX] = '\n';
	snprintf(path, sizeof(path), "%s/" MARKER, l->config.dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	bool ok = fd >= 0 && write(fd, line, MARKER_HEX + 1) == (ssize_t)(MARKER_HEX + 1) &&
		  fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	if (!ok || store_sync_dir(l->config.dir) != 0)
		give_up("cannot write %s: %s", path, strerror(errno));
}

static void
check_marker(const struct ledger *l)
{
	char have[MARKER_HEX + 1], want[MARKER_HEX + 1];
	hex_of(l->log_id, want);
	if (!read_marker(l, have))
		write_marker(l);
	else if (strcmp(have, want) != 0)
		give_up("the segments are of log %s, but %s/" MARKER " says %s: restore the right "
			"files",
		    want, l->config.dir, have);
}

// --- a new log ---------------------------------------------------------------------------

static void
begin_log(struct ledger *l)
{
	char have[MARKER_HEX + 1];
	if (read_marker(l, have))
		give_up("log %s lived in %s, but its segments are gone: restore them from a copy; "
			"to begin a new log, move the file " MARKER " away",
		    have, l->config.dir);
	if (getrandom(l->log_id, CHAIN_LOG_ID, 0) != (ssize_t)CHAIN_LOG_ID)
		give_up("no random numbers: %s", strerror(errno));
	chain_genesis(l->head, l->log_id);
	l->boot_no = 1;
	char version[96];
	snprintf(version, sizeof(version), "%s, %s", SALLYPORT_VERSION, store_library());
	struct record r = {.event = EVENT_GENESIS, .producer = PRODUCER_AUDITD, .attr_count = 1};
	r.attr[0] =
	    (struct record_attr){.key = ATTR_VERSION, .is_text = true, .text = view_of(version)};
	uint64_t seq;
	uint8_t leaf[CHAIN_HASH];
	enum ledger_result res = ledger_begin(l);
	if (res == LEDGER_OK) {
		int added = ledger_add(l, &r, &seq, leaf);
		res = ledger_commit(l);
		BUG_IF(res == LEDGER_OK && added != 0);
	}
	if (res != LEDGER_OK)
		give_up("cannot begin a log in %s: %s", l->config.dir,
		    res == LEDGER_FULL ? "the file system is full" : "the disk failed");
}

// --- an existing log -----------------------------------------------------------------------

// A segment is created and filled in one transaction; one without its description never
// held a record and is what a crash left behind.
static bool
drop_if_unborn(const struct ledger *l, uint64_t first)
{
	struct store *s = NULL;
	struct store_meta m = {.intent = NULL};
	int rc = store_open(l->config.dir, first, STORE_READ, 0, &s);
	if (rc == 0)
		rc = store_get_meta(s, &m);
	store_close(s);
	free(m.intent);
	if (store_class(rc) != STORE_END)
		return false;
	log_msg(LOG_WARN, "segment %016" PRIu64 " was never finished: removed", first);
	if ((rc = store_remove(l->config.dir, first)) != 0)
		ledger_die("cannot remove an unfinished segment", rc);
	return true;
}

// Last record number and leaf of the segment before the active one.
static void
check_sealed(struct ledger *l, size_t i, uint8_t leaf_r[CHAIN_HASH])
{
	struct store *s = NULL;
	struct store_meta m = {.intent = NULL};
	uint64_t last = 0;
	int rc = store_open(l->config.dir, l->first[i], STORE_READ, 0, &s);
	if (rc == 0)
		rc = store_last(s, &last, leaf_r);
	if (rc == 0)
		rc = store_get_meta(s, &m);
	store_close(s);
	free(m.intent);
	if (rc != 0)
		give_up("segment %016" PRIu64 " cannot be read: %s", l->first[i], store_error(rc));
	if (memcmp(m.log_id, l->log_id, CHAIN_LOG_ID) != 0)
		give_up("segment %016" PRIu64 " belongs to another log", l->first[i]);
	if (last + 1 != l->first[i + 1])
		give_up("segment %016" PRIu64 " ends at %" PRIu64 ", the next begins at %" PRIu64
			": a segment is missing",
		    l->first[i], last, l->first[i + 1]);
}

static bool
each_active(void *cookie, uint64_t seq, struct view record, struct view leaf)
{
	struct verify *v = cookie;
	if (seq != v->edge.size)
		return false; // reported by the count
	return verify_record(v, (const uint8_t *)record.p, record.len, &leaf);
}

static bool
first_time(void *cookie, uint64_t seq, struct view record, struct view leaf)
{
	(void)seq, (void)leaf;
	struct record r;
	if (record_decode((const uint8_t *)record.p, record.len, &r) == 0)
		*(uint64_t *)cookie = r.t_commit;
	return false;
}

static void
verify_active(struct ledger *l, struct verify *v)
{
	uint64_t first = store_first(l->active), records = 0, leaves = 0;
	int rc = store_each(l->active, first, each_active, v);
	if (rc == 0)
		rc = store_counts(l->active, &records, &leaves);
	if (rc == 0)
		rc = store_each(l->active, first, first_time, &l->segment_since);
	if (rc != 0)
		ledger_die("the active segment cannot be read", rc);
	if (v->tampered)
		give_up("record %" PRIu64 ": %s; refusing to continue a log that was tampered with",
		    v->bad_seq, v->why);
	if (records != v->edge.size - first || leaves != records || records == 0)
		give_up("the active segment has %" PRIu64 " records and %" PRIu64
			" leaf hashes, but only %" PRIu64 " are in order",
		    records, leaves, v->edge.size - first);
}

static void
continue_log(struct ledger *l)
{
	struct store_meta m;
	struct verify v;
	uint64_t first = l->first[l->first_count - 1];
	int rc = store_open(l->config.dir, first, STORE_WRITE, l->config.map_bytes, &l->active);
	if (rc == 0)
		rc = store_get_meta(l->active, &m);
	if (rc != 0)
		ledger_die("the active segment cannot be opened", rc);
	verify_init(&v);
	memcpy(l->log_id, m.log_id, CHAIN_LOG_ID);
	memcpy(v.log_id, m.log_id, CHAIN_LOG_ID);
	v.have_log_id = true;
	v.edge = m.edge;
	for (size_t i = 0; i < m.intent_count; i++)
		chain_intent_set(v.intents, m.intent[i].seq, m.intent[i].state, 0);
	free(m.intent);
	if (l->first[0] != 0)
		give_up("the first segment is missing: the log begins at %" PRIu64, l->first[0]);
	for (size_t i = 0; i + 1 < l->first_count; i++)
		check_sealed(l, i, v.head);
	verify_active(l, &v);
	l->edge = v.edge;
	memcpy(l->head, v.head, CHAIN_HASH);
	l->boot_no = v.boot_no + 1;
	l->last_commit_time = v.t_commit;
	l->intents = v.intents; // transferred
}

struct ledger *
ledger_open(const struct ledger_config *config)
{
	struct ledger *l = base_calloc(1, sizeof(*l));
	l->magic = LEDGER_MAGIC;
	l->config = *config;
	int rc = store_list(config->dir, &l->first, &l->first_count);
	if (rc != 0)
		ledger_die("cannot list the log directory", rc);
	if (l->first_count != 0 && drop_if_unborn(l, l->first[l->first_count - 1]))
		l->first_count--;
	if (l->first_count == 0) {
		l->intents = chain_intents_new();
		begin_log(l);
	} else {
		uint64_t began = clock_mono_ns();
		continue_log(l);
		log_msg(LOG_INFO,
		    "log verified from %016" PRIu64 " to %" PRIu64 " in %" PRIu64 " ms",
		    store_first(l->active), l->edge.size - 1, (clock_mono_ns() - began) / 1000000U);
	}
	check_marker(l);
	return l;
}
