// SPDX-License-Identifier: Apache-2.0
// Reading the catalogue as people write it: catalogue/*.yaml and what `sallyport catalog
// show --yaml` prints. Shared by the packer of the build and by `sallyport catalog`. May
// touch: the files it is given.
#ifndef CTL_CATALOG_FILE_H
#define CTL_CATALOG_FILE_H

#include "ctl/catalog_text.h"

// Reads one file and adds its rows. -1 after printing FILE:LINE and what is wrong there,
// for each fault. as_of becomes the latest of the files.
int catalog_file_read(struct catalog_text *t, const char *path) MUST_CHECK;

#endif
