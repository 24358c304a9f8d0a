// SPDX-License-Identifier: Apache-2.0
// Reading secrets: from the terminal without echo, from standard input, or from a
// file; straight into secret memory, never through a buffer of the C library.
#ifndef CTL_SECRET_IN_H
#define CTL_SECRET_IN_H

#include "common/secmem.h"
#include "ctl/spec.h"

// One line, without its line end. At a terminal asks for `what` with echo off.
// `optional`: an empty answer is fine and leaves s empty. -1 after saying why.
int secret_in_line(struct secret *s, const char *what, bool optional) MUST_CHECK;

// First line of a file. error gets one sentence.
int secret_in_file(
    struct secret *s, const char *path, const char *what, char error[SPEC_ERROR_MAX]) MUST_CHECK;

// A whole file of at most max bytes, or standard input when path is "-" (not a terminal).
int secret_in_whole(struct secret *s, const char *path, const char *what, size_t max,
    char error[SPEC_ERROR_MAX]) MUST_CHECK;

struct view secret_in_view(const struct secret *s); // borrowed

#endif
