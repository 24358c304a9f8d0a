// SPDX-License-Identifier: Apache-2.0
// LMDB, kept simple: one database, short transactions, no readers beside us. May
// touch: the store file, opened before the sandbox.
#include "vaultd/store.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

struct store {
	MDB_env *env;
	MDB_dbi dbi;
	int lock_fd;
	MDB_txn *reader; // open while a view from store_get may be in use
};

static int
complain(const char *what, int rc)
{
	log_msg(LOG_ERROR, "store: %s: %s%s", what, mdb_strerror(rc),
	    rc == ENOSPC || rc == MDB_MAP_FULL ? " (free some space, then try again)" : "");
	return -1;
}

// New files belong to the user that will serve, not to the root that opened them.
static void
give_to(const char *path, const char *owner)
{
	unsigned uid, gid;
	if (owner == NULL || geteuid() != 0 || sscanf(owner, "%u:%u", &uid, &gid) != 2)
		return;
	if (chown(path, uid, gid) != 0)
		log_fatal("cannot give %s to %s: %s", path, owner, strerror(errno));
}

static int
take_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		log_fatal("cannot open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		log_fatal("%s is in use: another sallyport-vaultd serves this store", path);
	return fd;
}

static void
open_env(struct store *s, const char *path)
{
	int rc = mdb_env_create(&s->env);
	if (rc == 0)
		rc = mdb_env_set_mapsize(s->env, STORE_MAP_SIZE);
	// NOLOCK: the lock above keeps others out, and there are no threads here.
	if (rc == 0)
		rc = mdb_env_open(s->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS, 0600);
	MDB_txn *txn = NULL;
	if (rc == 0)
		rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc == 0)
		rc = mdb_dbi_open(txn, NULL, 0, &s->dbi);
	if (rc == 0)
		rc = mdb_txn_commit(txn);
	if (rc != 0)
		log_fatal("cannot open the store %s: %s", path, mdb_strerror(rc));
}

struct store *
store_open(const char *dir, const char *name, const char *owner)
{
	char path[512], lock[520];
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		log_fatal("--dir: the path is too long");
	snprintf(lock, sizeof(lock), "%s.lock", path);
	struct stat st;
	if (stat(dir, &st) != 0 && mkdir(dir, 0700) == 0)
		give_to(dir, owner);
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
		log_fatal("state directory %s: %s; make it, owned by the vault's user, mode 0700",
		    dir, strerror(errno));
	if ((st.st_mode & 077) != 0)
		log_fatal("state directory %s is open to others: chmod 700 %s", dir, dir);
	struct store *s = base_calloc(1, sizeof(*s));
	s->lock_fd = take_lock(lock);
	open_env(s, path);
	give_to(path, owner);
	give_to(lock, owner);
	return s;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->reader != NULL)
		mdb_txn_abort(s->reader);
	mdb_env_close(s->env);
	close(s->lock_fd);
	free(s);
}

// LMDB opens the file twice (the second time with O_DSYNC, for the meta page) and
// tells of one; the other is found by being the same file.
size_t
store_fds(const struct store *s, int *fds, size_t max)
{
	int first;
	struct stat want, st;
	if (mdb_env_get_fd(s->env, &first) != 0 || fstat(first, &want) != 0)
		BUG("no descriptor in the LMDB environment");
	size_t n = 0;
	fds[n++] = s->lock_fd;
	for (int fd = 3; fd < 256 && n < max; fd++)
		if (fstat(fd, &st) == 0 && st.st_dev == want.st_dev && st.st_ino == want.st_ino)
			fds[n++] = fd;
	return n;
}

// --- records -------------------------------------------------------------------

struct key {
	uint8_t bytes[1 + STORE_ID_MAX];
	MDB_val val;
};

static void
make_key(struct key *k, enum store_type type, struct view id)
{
	BUG_IF(id.len == 0 || id.len > STORE_ID_MAX);
	k->bytes[0] = (uint8_t)type;
	memcpy(k->bytes + 1, id.p, id.len);
	k->val = (MDB_val){.mv_size = 1 + id.len, .mv_data = k->bytes};
}

static void
end_read(struct store *s)
{
	if (s->reader != NULL)
		mdb_txn_abort(s->reader);
	s->reader = NULL;
}

static int
begin_read(struct store *s)
{
	end_read(s);
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader);
	return rc == 0 ? 0 : complain("read", rc);
}

int
store_get(struct store *s, enum store_type type, struct view id, struct view *v_r)
{
	struct key k;
	make_key(&k, type, id);
	if (begin_read(s) != 0)
		return -1;
	MDB_val v;
	int rc = mdb_get(s->reader, s->dbi, &k.val, &v);
	if (rc != 0) {
		end_read(s);
		return rc == MDB_NOTFOUND ? -1 : complain("read", rc);
	}
	*v_r = (struct view){.p = v.mv_data, .len = v.mv_size};
	return 0;
}

static int
write_one(struct store *s, enum store_type type, struct view id, const struct view *value)
{
	struct key k;
	make_key(&k, type, id);
	end_read(s);
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc != 0)
		return complain("begin", rc);
	if (value != NULL) {
		MDB_val v = {.mv_size = value->len, .mv_data = (void *)(uintptr_t)value->p};
		rc = mdb_put(txn, s->dbi, &k.val, &v, 0);
	} else {
		rc = mdb_del(txn, s->dbi, &k.val, NULL);
		rc = rc == MDB_NOTFOUND ? 0 : rc;
	}
	if (rc != 0) {
		mdb_txn_abort(txn);
		return complain("write", rc);
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : complain("commit", rc);
}

int
store_put(struct store *s, enum store_type type, struct view id, struct view value)
{
	BUG_IF(value.len > STORE_VALUE_MAX);
	return write_one(s, type, id, &value);
}

int
store_delete(struct store *s, enum store_type type, struct view id)
{
	return write_one(s, type, id, NULL);
}

int
store_each(struct store *s, enum store_type type, store_each_fn *fn, void *cookie)
{
	if (begin_read(s) != 0)
		return -1;
	MDB_cursor *cur = NULL;
	uint8_t first = (uint8_t)type;
	MDB_val k = {.mv_size = 1, .mv_data = &first}, v;
	int rc = mdb_cursor_open(s->reader, s->dbi, &cur);
	int result = 0;
	if (rc == 0)
		rc = mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && result == 0 && *(const uint8_t *)k.mv_data == first) {
		struct view id = {.p = (const char *)k.mv_data + 1, .len = k.mv_size - 1};
		result = fn(cookie, id, (struct view){.p = v.mv_data, .len = v.mv_size});
		rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT);
	}
	if (cur != NULL)
		mdb_cursor_close(cur);
	end_read(s);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return complain("walk", rc);
	return result;
}
