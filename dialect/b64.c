// SPDX-License-Identifier: Apache-2.0
// Base64 between buffers; touches memory only.
#include "dialect/b64.h"

#include <sodium.h>

void
b64_put(struct buf *out, struct view bytes)
{
	size_t room = sodium_base64_encoded_len(bytes.len, sodium_base64_VARIANT_ORIGINAL);
	char *at = buf_reserve(out, room); // with the NUL that libsodium writes
	if (at == NULL)
		return;
	sodium_bin2base64(
	    at, room, (const unsigned char *)bytes.p, bytes.len, sodium_base64_VARIANT_ORIGINAL);
	out->len += room - 1;
}

bool
b64_take(struct buf *out, struct view text)
{
	if (text.len == 0)
		return true;
	size_t room = text.len / 4 * 3 + 3;
	char *at = buf_reserve(out, room);
	size_t n;
	if (at == NULL || sodium_base642bin((unsigned char *)at, room, text.p, text.len, NULL, &n,
			      NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return false;
	out->len += n;
	return true;
}
