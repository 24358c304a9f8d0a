// SPDX-License-Identifier: Apache-2.0
// Ballast and reserve.
#include "auditd/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/log.h"

#define SPACE_MAGIC 0x73706163U
#define PATH_BYTES  4096U

struct space {
	unsigned magic;
	char dir[PATH_BYTES];
	char path[PATH_BYTES + 16]; // of the ballast
	uint64_t reserve;
	uint64_t ballast;
	bool have_ballast;
	bool closed; // no new work
	uint64_t available;
};

static uint64_t
look(const struct space *s)
{
	struct statvfs vfs;
	if (statvfs(s->dir, &vfs) != 0)
		return 0;
	return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

static void
make_ballast(struct space *s)
{
	struct stat st;
	int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		log_msg(LOG_WARN, "no ballast file: %s", strerror(errno));
		return;
	}
	int rc = 0;
	if (fstat(fd, &st) != 0 || (uint64_t)st.st_blocks * 512U < s->ballast)
		rc = posix_fallocate(fd, 0, (off_t)s->ballast);
	close(fd);
	s->have_ballast = rc == 0;
	if (rc != 0) {
		log_msg(LOG_WARN, "no ballast file: %s", strerror(rc));
		unlink(s->path);
	}
}

struct space *
space_new(const char *dir, uint64_t reserve, uint64_t ballast)
{
	struct space *s = base_calloc(1, sizeof(*s));
	s->magic = SPACE_MAGIC;
	s->reserve = reserve;
	s->ballast = ballast;
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	snprintf(s->path, sizeof(s->path), "%s/ballast", s->dir);
	s->available = look(s);
	if (ballast != 0 && (s->available > reserve + ballast || access(s->path, F_OK) == 0))
		make_ballast(s);
	space_check(s);
	return s;
}

void
space_free(struct space *s)
{
	if (s == NULL)
		return;
	CHECK_OBJ(s, SPACE_MAGIC);
	s->magic = 0;
	free(s);
}

bool
space_check(struct space *s)
{
	CHECK_OBJ(s, SPACE_MAGIC);
	s->available = look(s);
	if (s->available < s->reserve) {
		bool changed = !s->closed;
		s->closed = true;
		return changed;
	}
	// Leaving takes room for the ballast and some, so that it does not flap.
	uint64_t need = s->have_ballast ? 0 : s->ballast;
	if (s->available < s->reserve + s->reserve / 8 + need)
		return false;
	if (need != 0) {
		make_ballast(s);
		if (!s->have_ballast)
			return false;
		s->available = look(s);
	}
	bool changed = s->closed;
	s->closed = false;
	return changed;
}

bool
space_admits(const struct space *s)
{
	return !s->closed;
}

bool
space_exhausted(struct space *s)
{
	CHECK_OBJ(s, SPACE_MAGIC);
	s->closed = true;
	if (!s->have_ballast)
		return false;
	s->have_ballast = false;
	if (unlink(s->path) != 0)
		log_msg(LOG_WARN, "cannot give up the ballast file: %s", strerror(errno));
	return true;
}

uint64_t
space_available(const struct space *s)
{
	return s->available;
}
