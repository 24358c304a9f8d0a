// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648, standard alphabet, padded) from and to growing buffers. The coding
// itself is libsodium's. Pure.
#ifndef DIALECT_B64_H
#define DIALECT_B64_H

#include "common/buf.h"

// Appends bytes, coded.
void b64_put(struct buf *out, struct view bytes);
// Appends what text stands for. False, out unchanged: not base64, or out is full.
bool b64_take(struct buf *out, struct view text) MUST_CHECK;

#endif
