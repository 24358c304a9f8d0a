// SPDX-License-Identifier: Apache-2.0
// A directory of its own for a test of files, without a shell. Part of the tests that
// include it.
#ifndef TESTS_UNIT_TEST_SCRATCH_H
#define TESTS_UNIT_TEST_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64]; // of the running test

#define SCRATCH_PATH 160U

static inline int
scratch_make(const char *name)
{
	snprintf(dir, sizeof(dir), "/tmp/sp-%s-XXXXXX", name);
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static inline const char *
scratch_path(const char *name, char out[SCRATCH_PATH])
{
	snprintf(out, SCRATCH_PATH, "%s/%s", dir, name);
	return out;
}

// Removes files whose name begins with prefix ("" for all).
static inline int
scratch_remove(const char *prefix)
{
	DIR *d = opendir(dir);
	if (d == NULL)
		return -1;
	int rc = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[SCRATCH_PATH + 256];
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			rc |= unlink(path);
	}
	closedir(d);
	return rc;
}

static inline int
scratch_done(void)
{
	return scratch_remove("") | rmdir(dir);
}

static inline int
scratch_move(const char *from, const char *to)
{
	char a[SCRATCH_PATH], b[SCRATCH_PATH];
	return rename(scratch_path(from, a), scratch_path(to, b));
}

static inline int
scratch_copy(const char *from, const char *to)
{
	char a[SCRATCH_PATH], b[SCRATCH_PATH], buf[65536];
	int in = open(scratch_path(from, a), O_RDONLY);
	int out = open(scratch_path(to, b), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n = -1;
	if (in >= 0 && out >= 0)
		while ((n = read(in, buf, sizeof(buf))) > 0 && write(out, buf, (size_t)n) == n)
			;
	close(in);
	close(out);
	return n == 0 ? 0 : -1;
}

#endif
