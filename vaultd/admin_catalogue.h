// SPDX-License-Identifier: Apache-2.0
// The catalogue on an administrator's channel: gathering the frames of one that is to be
// applied, judging it as a whole, and telling the present one piece by piece.
#ifndef VAULTD_ADMIN_CATALOGUE_H
#define VAULTD_ADMIN_CATALOGUE_H

#include "proto/link.h"
#include "vaultd/admin_change.h"

// What one channel has sent so far, or is being sent. Zeroed: nothing.
struct admin_catalogue {
	uint8_t *in;
	size_t in_len;
	bool too_long;
	struct catalogue *out;
	size_t out_at;
};

void admin_catalogue_clear(struct admin_catalogue *a);

// A frame BEGIN .. END. CHAN_REJECT: rows without a beginning. *whole_r: it was END.
enum chan_status admin_catalogue_take(
    struct admin_catalogue *a, struct link *l, const struct frame *f, bool *whole_r) MUST_CHECK;

// Applies what was gathered, as the functions of admin_change.h do. Refused if anything
// in it is not acceptable, or if a credential would have no operation left.
bool admin_catalogue_apply(
    const struct admin_who *who, struct admin_catalogue *a, struct admin_error *e) MUST_CHECK;

// Begins to tell the present one; false: another version was asked for.
bool admin_catalogue_tell(const struct core *core, struct admin_catalogue *a,
    const struct msg_catalogue_get *m, struct admin_error *e) MUST_CHECK;
// Sends the next frame, as an answer to `frame`; false if there was none left.
bool admin_catalogue_next(struct admin_catalogue *a, struct link *l, uint64_t frame) MUST_CHECK;

#endif
