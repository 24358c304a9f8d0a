// SPDX-License-Identifier: Apache-2.0
// May touch: standard input, the terminal's echo, files that the user named.
#include "ctl/secret_in.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ROOM (SPEC_SECRET_MAX + 2U) // one more than allowed, to notice the excess

struct view
secret_in_view(const struct secret *s)
{
	return (struct view){s->p == NULL ? "" : (const char *)s->p, s->len};
}

// Byte by byte: what follows the line belongs to the next reader (a second secret).
static int
read_line(int fd, struct secret *s)
{
	s->p = secmem_alloc(ROOM);
	s->len = 0;
	if (s->p == NULL) {
		errno = ENOMEM;
		return -1;
	}
	while (s->len < ROOM) {
		ssize_t n = read(fd, s->p + s->len, 1);
		if (n < 0)
			return -1;
		if (n == 0 || s->p[s->len] == '\n')
			break;
		s->len++;
	}
	if (s->len != 0 && s->p[s->len - 1] == '\r')
		s->len--;
	return 0;
}

// --- terminal ----------------------------------------------------------------------

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int sig)
{
	interrupted = sig;
}

// A Ctrl-C at the prompt must not leave the terminal without echo.
static int
read_tty(const char *what, struct secret *s)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
	struct sigaction old[ARRAY_LEN(signals)];
	struct sigaction sa = {.sa_handler = on_interrupt};
	struct termios saved;
	if (tcgetattr(STDIN_FILENO, &saved) != 0)
		return -1;
	struct termios quiet = saved;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	interrupted = 0;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &sa, &old[i]);
	fprintf(stderr, "%s (not shown): ", what);
	int r = -1;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0) {
		r = read_line(STDIN_FILENO, s);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
	}
	fputc('\n', stderr);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &old[i], NULL);
	if (interrupted != 0) {
		secret_wipe(s);
		raise(interrupted);
	}
	return r;
}

int
secret_in_line(struct secret *s, const char *what, bool optional)
{
	char error[SPEC_ERROR_MAX];
	bool tty = isatty(STDIN_FILENO) == 1;
	int r = tty ? read_tty(what, s) : read_line(STDIN_FILENO, s);
	if (r != 0) {
		cli_fail("cannot read the %s from standard input: %s", what, strerror(errno));
		secret_wipe(s);
		return -1;
	}
	if (s->len == 0 && optional) {
		secret_wipe(s);
		return 0;
	}
	if (spec_secret(secret_in_view(s), what, error) != 0) {
		cli_fail("%s%s", error,
		    s->len == 0 && !tty ? ": send it on standard input, for example < FILE" : "");
		secret_wipe(s);
		return -1;
	}
	return 0;
}

int
secret_in_file(struct secret *s, const char *path, const char *what, char error[SPEC_ERROR_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || read_line(fd, s) != 0) {
		snprintf(error, SPEC_ERROR_MAX, "cannot read the %s from %s: %s", what, path,
		    strerror(errno));
		if (fd >= 0)
			close(fd);
		secret_wipe(s);
		return -1;
	}
	close(fd);
	if (spec_secret(secret_in_view(s), what, error) != 0) {
		secret_wipe(s);
		return -1;
	}
	return 0;
}

int
secret_in_whole(
    struct secret *s, const char *path, const char *what, size_t max, char error[SPEC_ERROR_MAX])
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = -1;
	s->len = 0;
	s->p = NULL;
	if (standard && isatty(fd) == 1) {
		snprintf(error, SPEC_ERROR_MAX,
		    "the %s is wanted on standard input: name the file, or send it with < FILE",
		    what);
		return -1;
	}
	if (fd >= 0 && (s->p = secmem_alloc(max + 1)) == NULL)
		errno = ENOMEM;
	while (s->p != NULL && s->len <= max && (n = read(fd, s->p + s->len, max + 1 - s->len)) > 0)
		s->len += (size_t)n;
	int err = errno;
	if (fd >= 0 && !standard)
		close(fd);
	if (n == 0 && s->len != 0)
		return 0;
	if (s->p != NULL && s->len > max)
		snprintf(error, SPEC_ERROR_MAX, "the %s is larger than %zu bytes", what, max);
	else if (n == 0)
		snprintf(error, SPEC_ERROR_MAX, "the %s is empty", what);
	else
		snprintf(error, SPEC_ERROR_MAX, "cannot read the %s from %s: %s", what,
		    standard ? "standard input" : path, strerror(err));
	secret_wipe(s);
	return -1;
}
