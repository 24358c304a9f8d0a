// SPDX-License-Identifier: Apache-2.0
// Pipe in, lines out. May touch: its log file, standard error.
#include "ctl/up_log.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl/cli.h"

#define TAIL_LINES 12U
#define LINE_BYTES 1200U
#define FILE_LIMIT (16L * 1024 * 1024) // then one old log is kept beside the new

struct up_log {
	struct event_base *base;
	char path[CLI_PATH_MAX];
	const char *name;
	int file;
	int pipe; // reading end, or -1
	struct event *readable;
	char line[LINE_BYTES];
	size_t len;
	char tail[TAIL_LINES][LINE_BYTES];
	size_t tail_count; // lines so far
};

static void
open_file(struct up_log *l)
{
	struct stat st;
	if (l->file >= 0 && fstat(l->file, &st) == 0 && st.st_size > FILE_LIMIT) {
		char old[CLI_PATH_MAX + 8];
		snprintf(old, sizeof(old), "%s.1", l->path);
		close(l->file);
		l->file = -1;
		rename(l->path, old);
	}
	if (l->file < 0)
		l->file =
		    open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

struct up_log *
up_log_new(struct event_base *base, const char *dir, const char *name)
{
	struct up_log *l = base_calloc(1, sizeof(*l));
	snprintf(l->path, sizeof(l->path), "%s/%s.log", dir, name);
	l->base = base;
	l->name = name;
	l->pipe = -1;
	l->file = -1;
	open_file(l);
	return l;
}

static void
close_pipe(struct up_log *l)
{
	if (l->pipe < 0)
		return;
	event_free(l->readable);
	l->readable = NULL;
	close(l->pipe);
	l->pipe = -1;
}

void
up_log_free(struct up_log *l)
{
	up_log_drain(l);
	close_pipe(l);
	if (l->file >= 0)
		close(l->file);
	free(l);
}

static void
put_line(struct up_log *l)
{
	char stamped[LINE_BYTES + 64];
	struct timespec ts;
	struct tm tm;
	char when[32];
	l->line[l->len] = '\0';
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	int n = snprintf(
	    stamped, sizeof(stamped), "%s.%03ldZ %s\n", when, ts.tv_nsec / 1000000, l->line);
	open_file(l);
	if (l->file >= 0 && n > 0 && write(l->file, stamped, (size_t)n) != n) {
		close(l->file); // disk full: try anew with the next line
		l->file = -1;
	}
	// "<4>name[pid]: text": the number is the priority, 4 is a warning.
	bool known =
	    l->line[0] == '<' && l->line[1] >= '0' && l->line[1] <= '7' && l->line[2] == '>';
	if (!known || l->line[1] <= '4')
		fprintf(stderr, "%s: %s\n", l->name, l->line + (known ? 3 : 0));
	memcpy(l->tail[l->tail_count++ % TAIL_LINES], l->line, l->len + 1);
	l->len = 0;
}

static void
take(struct up_log *l, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n' || l->len == LINE_BYTES - 1)
			put_line(l);
		if (p[i] != '\n')
			l->line[l->len++] = p[i];
	}
}

void
up_log_drain(struct up_log *l)
{
	char buf[8192];
	ssize_t n;
	while (l->pipe >= 0 && (n = read(l->pipe, buf, sizeof(buf))) > 0)
		take(l, buf, (size_t)n);
}

static void
on_readable(evutil_socket_t fd, short what, void *cookie)
{
	(void)what;
	struct up_log *l = cookie;
	char buf[8192];
	ssize_t n = read(fd, buf, sizeof(buf));
	if (n > 0)
		take(l, buf, (size_t)n);
	else if (n == 0)
		close_pipe(l);
}

int
up_log_open_pipe(struct up_log *l)
{
	int fds[2];
	up_log_drain(l);
	close_pipe(l);
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	l->pipe = fds[0];
	l->readable = event_new(l->base, l->pipe, EV_READ | EV_PERSIST, on_readable, l);
	BUG_IF(l->readable == NULL);
	event_add(l->readable, NULL);
	return fds[1];
}

void
up_log_print_tail(const struct up_log *l)
{
	size_t n = MIN(l->tail_count, (size_t)TAIL_LINES);
	if (n == 0)
		fprintf(stderr, "%s said nothing; its log is %s\n", l->name, l->path);
	else
		fprintf(stderr, "last lines of %s:\n", l->path);
	for (size_t i = l->tail_count - n; i < l->tail_count; i++)
		fprintf(stderr, "  %s\n", l->tail[i % TAIL_LINES]);
}
