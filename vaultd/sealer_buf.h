// SPDX-License-Identifier: Apache-2.0
// A queue of bytes: ciphertext and request bodies that wait for their turn. Holds
// no memory while it is empty, because a sealer keeps thousands of idle ones.
// Never for a request head: that lives in secret memory only.
#ifndef VAULTD_SEALER_BUF_H
#define VAULTD_SEALER_BUF_H

#include "common/base.h"

// All zero is an empty queue. [at, end) of p is content.
struct sealer_buf {
	uint8_t *p;
	size_t at;
	size_t end;
	size_t cap;
};

void sealer_buf_append(struct sealer_buf *b, const void *p, size_t len);
size_t sealer_buf_len(const struct sealer_buf *b);
const uint8_t *sealer_buf_bytes(const struct sealer_buf *b); // valid until the next call
void sealer_buf_consume(struct sealer_buf *b, size_t n);     // n <= length (BUG else)
void sealer_buf_free(struct sealer_buf *b);		     // empties; the queue stays usable

#endif
