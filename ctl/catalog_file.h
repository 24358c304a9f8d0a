// SPDX-License-Identifier: Apache-2.0
// The catalogue as people write it (catalogue/*.yaml) and as the vault reads it: frames
// BEGIN, rows, END back to back. Shared by the packer of the build and by
// `sallyport catalog`. May touch: the files it is given.
#ifndef CTL_CATALOG_FILE_H
#define CTL_CATALOG_FILE_H

#include "common/buf.h"
#include "proto/msg.h"

#define CATALOG_ROWS_MAX 4096U

struct catalog_text {
	struct buf rows; // whole frames, header and payload
	size_t count;
	char as_of[33]; // the latest of the files
	char **seen;	// what each row is for, to find twins
};

// Reads one file and adds its rows. -1 after printing FILE:LINE and what is wrong there.
int catalog_file_read(struct catalog_text *t, const char *path) MUST_CHECK;

// The whole sequence with BEGIN and END; source names where it came from. -1 if there is
// not one row.
int catalog_file_whole(
    const struct catalog_text *t, const char *source, struct buf *out) MUST_CHECK;

void catalog_file_free(struct catalog_text *t);

#endif
