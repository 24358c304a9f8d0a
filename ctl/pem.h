// SPDX-License-Identifier: Apache-2.0
// Files with certificates of an authority.
#ifndef CTL_PEM_H
#define CTL_PEM_H

#include "ctl/spec.h"

// The file's text, owned by the caller, after seeing that it holds at least one
// certificate and no private key. NULL with one sentence in error.
char *pem_read(const char *path, char error[SPEC_ERROR_MAX]);

#endif
