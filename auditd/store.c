// SPDX-License-Identifier: Apache-2.0
// LMDB environments of one segment each. May touch: segment files in the directory it
// is given. Facts about LMDB are those of lmdb.h and mdb.c of 0.9.24.
#include "auditd/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_MAGIC    0x53746f72U
#define KEY_LEN	       8U
#define META_PAGES_MIN 8192 // two meta pages of the smallest size that LMDB uses here
#define INTENT_LEN     9U   // seq, state
#define FORMAT	       "AREC/1"
#define PATH_BYTES     4096U
#define NAME_FORMAT    "seg-%016" PRIu64 ".mdb"
#define NAME_LEN       24U // "seg-", 16 digits, ".mdb"

struct store {
	unsigned magic;
	char path[PATH_BYTES];
	uint64_t first;
	MDB_env *env;
	MDB_dbi record;
	MDB_dbi leaf;
	MDB_dbi meta;
	MDB_txn *txn;
	struct stat file;
};

enum store_class
store_class(int rc)
{
	switch (rc) {
	case 0:
		return STORE_OK;
	case MDB_NOTFOUND:
		return STORE_END;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return STORE_NO_SPACE;
	case MDB_MAP_FULL:
		return STORE_MAP_FULL;
	case EIO:
		return STORE_IO;
	default:
		return STORE_DAMAGED;
	}
}

const char *
store_error(int rc)
{
	return mdb_strerror(rc);
}

const char *
store_library(void)
{
	return mdb_version(NULL, NULL, NULL);
}

// --- directory -------------------------------------------------------------------

static int
path_of(const char *dir, uint64_t first, char out[PATH_BYTES])
{
	int n = snprintf(out, PATH_BYTES, "%s/" NAME_FORMAT, dir, first);
	return n > 0 && (size_t)n < PATH_BYTES ? 0 : ENAMETOOLONG;
}

static bool
parse_name(const char *name, uint64_t *first_r)
{
	char again[NAME_LEN + 8];
	if (strlen(name) != NAME_LEN || sscanf(name, "seg-%16" SCNu64, first_r) != 1)
		return false;
	snprintf(again, sizeof(again), NAME_FORMAT, *first_r);
	return strcmp(again, name) == 0;
}

static int
ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

int
store_list(const char *dir, uint64_t **first_r, size_t *count_r)
{
	*first_r = NULL;
	*count_r = 0;
	DIR *d = opendir(dir);
	if (d == NULL)
		return errno;
	size_t cap = 0;
	uint64_t first;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (!parse_name(e->d_name, &first))
			continue;
		if (*count_r == cap) {
			cap = cap == 0 ? 16 : cap * 2;
			*first_r = base_realloc(*first_r, cap * sizeof(**first_r));
		}
		(*first_r)[(*count_r)++] = first;
	}
	closedir(d);
	if (*count_r != 0)
		qsort(*first_r, *count_r, sizeof(**first_r), ascending);
	return 0;
}

int
store_remove(const char *dir, uint64_t first)
{
	char path[PATH_BYTES];
	int rc = path_of(dir, first, path);
	if (rc != 0)
		return rc;
	return unlink(path) == 0 ? 0 : errno;
}

int
store_seal(const char *dir, uint64_t first)
{
	char path[PATH_BYTES];
	int rc = path_of(dir, first, path);
	if (rc != 0)
		return rc;
	return chmod(path, 0440) == 0 ? 0 : errno;
}

int
store_sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int rc = fsync(fd) == 0 ? 0 : errno;
	close(fd);
	return rc;
}

// --- opening ---------------------------------------------------------------------

static int
open_tables(struct store *s, enum store_mode mode)
{
	MDB_txn *t = NULL;
	unsigned flags = mode == STORE_CREATE ? MDB_CREATE : 0;
	int rc = mdb_txn_begin(s->env, NULL, mode == STORE_CREATE ? 0 : MDB_RDONLY, &t);
	if (rc != 0)
		return rc;
	if ((rc = mdb_dbi_open(t, "record", flags, &s->record)) != 0 ||
	    (rc = mdb_dbi_open(t, "leaf", flags, &s->leaf)) != 0 ||
	    (rc = mdb_dbi_open(t, "meta", flags, &s->meta)) != 0) {
		mdb_txn_abort(t);
		return rc;
	}
	if (mode == STORE_CREATE) {
		s->txn = t; // the tables appear together with the first records
		return 0;
	}
	return mdb_txn_commit(t);
}

static int
open_env(struct store *s, enum store_mode mode, uint64_t map_bytes)
{
	int rc = mdb_env_create(&s->env);
	if (rc != 0)
		return rc;
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK;
	if (mode == STORE_READ)
		flags |= MDB_RDONLY;
	if ((rc = mdb_env_set_maxdbs(s->env, 3)) != 0)
		return rc;
	if (mode != STORE_READ &&
	    (rc = mdb_env_set_mapsize(
		 s->env, (size_t)(map_bytes == 0 ? STORE_MAP_BYTES : map_bytes))) != 0)
		return rc;
	if ((rc = mdb_env_open(s->env, s->path, flags, 0600)) != 0)
		return rc;
	int fd;
	if ((rc = mdb_env_get_fd(s->env, &fd)) != 0)
		return rc;
	return fstat(fd, &s->file) == 0 ? 0 : errno;
}

int
store_open(
    const char *dir, uint64_t first, enum store_mode mode, uint64_t map_bytes, struct store **s_r)
{
	*s_r = NULL;
	struct store *s = base_calloc(1, sizeof(*s));
	s->magic = STORE_MAGIC;
	s->first = first;
	struct stat st;
	int rc = path_of(dir, first, s->path);
	// mdb_env_open creates a missing file, and fills a short one, which only STORE_CREATE may.
	bool there = rc == 0 && stat(s->path, &st) == 0;
	if (rc == 0 && there == (mode == STORE_CREATE))
		rc = there ? EEXIST : ENOENT;
	if (rc == 0 && there && st.st_size < META_PAGES_MIN)
		rc = MDB_NOTFOUND; // a crash came before its first page was written
	if (rc == 0)
		rc = open_env(s, mode, map_bytes);
	if (rc == 0)
		rc = open_tables(s, mode);
	if (rc != 0) {
		store_close(s);
		return rc;
	}
	*s_r = s;
	return 0;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	CHECK_OBJ(s, STORE_MAGIC);
	store_abort(s);
	if (s->env != NULL)
		mdb_env_close(s->env);
	s->magic = 0;
	free(s);
}

uint64_t
store_first(const struct store *s)
{
	return s->first;
}

uint64_t
store_bytes(const struct store *s)
{
	MDB_envinfo info;
	MDB_stat st;
	if (mdb_env_info(s->env, &info) != 0 || mdb_env_stat(s->env, &st) != 0)
		return 0;
	return (uint64_t)(info.me_last_pgno + 1) * st.ms_psize;
}

bool
store_intact(const struct store *s)
{
	struct stat open_file, named;
	int fd;
	return mdb_env_get_fd(s->env, &fd) == 0 && fstat(fd, &open_file) == 0 &&
	       open_file.st_nlink != 0 && stat(s->path, &named) == 0 &&
	       named.st_ino == s->file.st_ino && named.st_dev == s->file.st_dev;
}

// --- writing -----------------------------------------------------------------------

static void
put_be(uint8_t out[KEY_LEN], uint64_t v)
{
	for (unsigned i = 0; i < KEY_LEN; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t
get_be(const uint8_t *p)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < KEY_LEN; i++)
		v = v << 8 | p[i];
	return v;
}

int
store_begin(struct store *s)
{
	CHECK_OBJ(s, STORE_MAGIC);
	if (s->txn != NULL) // a new segment: opened with its tables
		return 0;
	return mdb_txn_begin(s->env, NULL, 0, &s->txn);
}

static int
put_named(struct store *s, const char *name, const void *p, size_t len)
{
	MDB_val k = {.mv_size = strlen(name), .mv_data = (void *)(uintptr_t)name};
	MDB_val v = {.mv_size = len, .mv_data = (void *)(uintptr_t)p};
	return mdb_put(s->txn, s->meta, &k, &v, MDB_NOOVERWRITE);
}

int
store_put_meta(struct store *s, const struct store_meta *m)
{
	CHECK_OBJ(s, STORE_MAGIC);
	BUG_IF(s->txn == NULL || m->edge.size != s->first);
	size_t len = m->intent_count * INTENT_LEN;
	uint8_t *list = base_calloc(1, len + 1);
	for (size_t i = 0; i < m->intent_count; i++) {
		put_be(list + i * INTENT_LEN, m->intent[i].seq);
		list[i * INTENT_LEN + KEY_LEN] = (uint8_t)m->intent[i].state;
	}
	uint8_t first[KEY_LEN];
	put_be(first, s->first);
	int rc = 0;
	if ((rc = put_named(s, "format", FORMAT, sizeof(FORMAT) - 1)) != 0 ||
	    (rc = put_named(s, "first", first, KEY_LEN)) != 0 ||
	    (rc = put_named(s, "log_id", m->log_id, CHAIN_LOG_ID)) != 0 ||
	    (rc = put_named(s, "edge", m->edge.node,
		 (size_t)chain_edge_count(m->edge.size) * CHAIN_HASH)) != 0)
		goto out;
	rc = put_named(s, "intents", list, len);
out:
	free(list);
	return rc;
}

int
store_put(struct store *s, uint64_t seq, struct view record, const uint8_t leaf[CHAIN_HASH])
{
	CHECK_OBJ(s, STORE_MAGIC);
	BUG_IF(s->txn == NULL);
	uint8_t key[KEY_LEN];
	put_be(key, seq);
	MDB_val k = {.mv_size = KEY_LEN, .mv_data = key};
	MDB_val v = {.mv_size = record.len, .mv_data = (void *)(uintptr_t)record.p};
	// MDB_APPEND refuses a key that is not the highest: order is asserted by the store too.
	int rc = mdb_put(s->txn, s->record, &k, &v, MDB_APPEND);
	if (rc != 0)
		return rc;
	v = (MDB_val){.mv_size = CHAIN_HASH, .mv_data = (void *)(uintptr_t)leaf};
	return mdb_put(s->txn, s->leaf, &k, &v, MDB_APPEND);
}

int
store_commit(struct store *s)
{
	CHECK_OBJ(s, STORE_MAGIC);
	BUG_IF(s->txn == NULL);
	MDB_txn *t = s->txn;
	s->txn = NULL; // transferred
	return mdb_txn_commit(t);
}

void
store_abort(struct store *s)
{
	CHECK_OBJ(s, STORE_MAGIC);
	if (s->txn != NULL)
		mdb_txn_abort(s->txn);
	s->txn = NULL;
}

// --- reading -------------------------------------------------------------------------

static int
get_named(struct store *s, MDB_txn *t, const char *name, MDB_val *v)
{
	MDB_val k = {.mv_size = strlen(name), .mv_data = (void *)(uintptr_t)name};
	return mdb_get(t, s->meta, &k, v);
}

static int
read_intents(struct store_meta *m, const MDB_val *v)
{
	const uint8_t *p = v->mv_data;
	if (v->mv_size % INTENT_LEN != 0)
		return MDB_CORRUPTED;
	m->intent_count = v->mv_size / INTENT_LEN;
	m->intent = base_calloc(m->intent_count + 1, sizeof(*m->intent));
	for (size_t i = 0; i < m->intent_count; i++, p += INTENT_LEN) {
		if (p[KEY_LEN] != INTENT_OPEN && p[KEY_LEN] != INTENT_ORPHANED)
			return MDB_CORRUPTED;
		m->intent[i] = (struct chain_intent){.seq = get_be(p), .state = p[KEY_LEN]};
	}
	return 0;
}

static int
read_meta(struct store *s, MDB_txn *t, struct store_meta *m)
{
	MDB_val v;
	int rc;
	if ((rc = get_named(s, t, "format", &v)) != 0)
		return rc;
	if (v.mv_size != sizeof(FORMAT) - 1 || memcmp(v.mv_data, FORMAT, v.mv_size) != 0)
		return MDB_VERSION_MISMATCH;
	if ((rc = get_named(s, t, "first", &v)) != 0)
		return rc;
	if (v.mv_size != KEY_LEN || get_be(v.mv_data) != s->first)
		return MDB_CORRUPTED;
	if ((rc = get_named(s, t, "log_id", &v)) != 0)
		return rc;
	if (v.mv_size != CHAIN_LOG_ID)
		return MDB_CORRUPTED;
	memcpy(m->log_id, v.mv_data, CHAIN_LOG_ID);
	if ((rc = get_named(s, t, "edge", &v)) != 0)
		return rc;
	m->edge.size = s->first;
	if (v.mv_size != (size_t)chain_edge_count(s->first) * CHAIN_HASH)
		return MDB_CORRUPTED;
	memcpy(m->edge.node, v.mv_data, v.mv_size);
	if ((rc = get_named(s, t, "intents", &v)) != 0)
		return rc;
	return read_intents(m, &v);
}

int
store_get_meta(struct store *s, struct store_meta *m_r)
{
	CHECK_OBJ(s, STORE_MAGIC);
	*m_r = (struct store_meta){.intent = NULL};
	MDB_txn *t = NULL;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t);
	if (rc != 0)
		return rc;
	rc = read_meta(s, t, m_r);
	mdb_txn_abort(t);
	if (rc != 0) {
		free(m_r->intent);
		m_r->intent = NULL;
	}
	return rc;
}

int
store_last(struct store *s, uint64_t *seq_r, uint8_t leaf_r[CHAIN_HASH])
{
	CHECK_OBJ(s, STORE_MAGIC);
	MDB_txn *t = NULL;
	MDB_cursor *c = NULL;
	MDB_val k, v;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t);
	if (rc != 0)
		return rc;
	if ((rc = mdb_cursor_open(t, s->leaf, &c)) != 0 ||
	    (rc = mdb_cursor_get(c, &k, &v, MDB_LAST)) != 0)
		goto out;
	if (k.mv_size != KEY_LEN || v.mv_size != CHAIN_HASH) {
		rc = MDB_CORRUPTED;
		goto out;
	}
	*seq_r = get_be(k.mv_data);
	memcpy(leaf_r, v.mv_data, CHAIN_HASH);
out:
	if (c != NULL)
		mdb_cursor_close(c);
	mdb_txn_abort(t);
	return rc;
}

static struct view
leaf_at(MDB_cursor *leaves, const uint8_t key[KEY_LEN], MDB_cursor_op op)
{
	MDB_val k = {.mv_size = KEY_LEN, .mv_data = (void *)(uintptr_t)key}, v;
	if (mdb_cursor_get(leaves, &k, &v, op) != 0 || k.mv_size != KEY_LEN ||
	    memcmp(k.mv_data, key, KEY_LEN) != 0 || v.mv_size != CHAIN_HASH)
		return (struct view){.p = NULL};
	return (struct view){.p = v.mv_data, .len = v.mv_size};
}

static int
walk(MDB_cursor *records, MDB_cursor *leaves, uint64_t from, store_each_fn *fn, void *cookie)
{
	uint8_t key[KEY_LEN];
	put_be(key, from);
	MDB_val k = {.mv_size = KEY_LEN, .mv_data = key}, v;
	int rc = mdb_cursor_get(records, &k, &v, MDB_SET_RANGE);
	struct view leaf = {.p = NULL};
	for (; rc == 0; rc = mdb_cursor_get(records, &k, &v, MDB_NEXT)) {
		if (k.mv_size != KEY_LEN)
			return MDB_CORRUPTED;
		// In lock step; after a missing leaf, look it up by key again.
		leaf = leaf_at(leaves, k.mv_data, leaf.len == 0 ? MDB_SET_KEY : MDB_NEXT);
		struct view record = {.p = v.mv_data, .len = v.mv_size};
		if (!fn(cookie, get_be(k.mv_data), record, leaf))
			return 0;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
store_each(struct store *s, uint64_t from, store_each_fn *fn, void *cookie)
{
	CHECK_OBJ(s, STORE_MAGIC);
	MDB_txn *t = NULL;
	MDB_cursor *records = NULL, *leaves = NULL;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t);
	if (rc != 0)
		return rc;
	if ((rc = mdb_cursor_open(t, s->record, &records)) == 0 &&
	    (rc = mdb_cursor_open(t, s->leaf, &leaves)) == 0)
		rc = walk(records, leaves, from, fn, cookie);
	if (records != NULL)
		mdb_cursor_close(records);
	if (leaves != NULL)
		mdb_cursor_close(leaves);
	mdb_txn_abort(t);
	return rc;
}

int
store_counts(struct store *s, uint64_t *records_r, uint64_t *leaves_r)
{
	CHECK_OBJ(s, STORE_MAGIC);
	MDB_txn *t = NULL;
	MDB_stat a, b;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &t);
	if (rc != 0)
		return rc;
	if ((rc = mdb_stat(t, s->record, &a)) == 0 && (rc = mdb_stat(t, s->leaf, &b)) == 0) {
		*records_r = a.ms_entries;
		*leaves_r = b.ms_entries;
	}
	mdb_txn_abort(t);
	return rc;
}
