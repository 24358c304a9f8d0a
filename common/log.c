// SPDX-License-Identifier: Apache-2.0
// The one place that writes log lines. May touch: standard error, by write(2).
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static const char *log_name = "sallyport";
static enum log_level log_max = LOG_INFO;

void
log_init(const char *name, enum log_level max)
{
	log_name = name;
	log_max = max;
}

PRINTF(2, 0)
static void
log_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	int head =
	    snprintf(line, sizeof(line), "<%d>%s[%d]: ", (int)level, log_name, (int)getpid());
	size_t n = head > 0 ? (size_t)head : 0;
	int body = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	size_t end = n + (body > 0 ? (size_t)body : 0);
	if (end > sizeof(line) - 2)
		end = sizeof(line) - 2;
	for (size_t i = n; i < end; i++)
		if ((unsigned)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[end++] = '\n';
	// A log line that cannot be written is lost: the audit trail, not the log, is the record.
	ssize_t r = write(STDERR_FILENO, line, end);
	(void)r;
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	if (level > log_max)
		return;
	va_list ap;
	va_start(ap, fmt);
	log_line(level, fmt, ap);
	va_end(ap);
}

void
log_fatal(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_line(LOG_ERROR, fmt, ap);
	va_end(ap);
	exit(1);
}
