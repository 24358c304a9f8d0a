// SPDX-License-Identifier: Apache-2.0
// Sealers seen from the core: opening them through the zygote, which lanes of theirs
// have a verified provider at the other end, handing them sealed heads, retiring
// them, and what their death means.
//
// Both ends of a sealer are made here and passed outward (to the zygote and to one
// gateway worker). A sealer serves one version of one credential for one worker; a
// changed credential makes its sealers stale at once: they finish what runs, and
// nothing new is given to them.
#ifndef VAULTD_LANE_CTL_H
#define VAULTD_LANE_CTL_H

#include "vaultd/deny.h"
#include "vaultd/gateway.h"

#define LANE_CTL_SEALERS_MAX  256U
#define LANE_CTL_STARTING_MAX 64U	    // of them those that are not ready yet
#define LANE_CTL_IDLE_NS      300000000000U // then an unused sealer is retired
#define LANE_CTL_STALE_NS     600000000000U // then a stale one is cut off

// zygote: the core's end of its channel; ownership passes.
struct lane_ctl *lane_ctl_new(struct core *core, int zygote);
void lane_ctl_free(struct lane_ctl *c);

// SEALER_OPEN of a gateway: answers SEALER with a descriptor, or DENY. A channel has
// GATEWAY_OPEN_BURST of them at once and GATEWAY_OPEN_RATE a second after that; one
// that does not read the descriptors it asked for is rejected.
enum chan_status lane_ctl_on_open(struct gateway *gw, const struct frame *f);

// May this lane carry a request of this credential version for this gateway now?
// False and *d (lane_mismatch, or vault_busy if the sealer is stuck) if not.
bool lane_ctl_check(struct lane_ctl *c, uint64_t gateway, uint64_t sealer, uint64_t lane,
    uint64_t credential, uint64_t version, struct deny *d) MUST_CHECK;

// Heads wait for this sealer to read: what can wait, should. False: no such sealer.
bool lane_ctl_is_behind(struct lane_ctl *c, uint64_t sealer);

// Reserves the lane for a request while its intent is on its way; lane_ctl_check said yes
// before. A lane that was closed and opened again under the same id is held no more.
void lane_ctl_hold(struct lane_ctl *c, uint64_t sealer, uint64_t lane, uint64_t request);
bool lane_ctl_holds(
    struct lane_ctl *c, uint64_t sealer, uint64_t lane, uint64_t request) MUST_CHECK;
void lane_ctl_unhold(struct lane_ctl *c, uint64_t sealer, uint64_t lane, uint64_t request);

// Hands the head to the sealer. -1: secret memory is full; nothing was sent.
int lane_ctl_seal(
    struct lane_ctl *c, uint64_t sealer, uint64_t request, const struct msg_seal *m) MUST_CHECK;
// The gateway reported the end of the request on this lane; or of a request so old that
// only its audit record is known.
void lane_ctl_settled(struct lane_ctl *c, uint64_t sealer, uint64_t lane, uint64_t audit_seq);
void lane_ctl_settled_late(struct lane_ctl *c, uint64_t gateway, uint64_t audit_seq);

// The credential was rotated, disabled or removed: its sealers are stale.
void lane_ctl_credential_changed(struct lane_ctl *c, uint64_t credential);
void lane_ctl_gateway_gone(struct lane_ctl *c, uint64_t gateway);

// For exchange.c, whose sealers are none of this table: has a sealer still room in secret
// memory; fork one. Ownership of the descriptors (control end, lane end) passes.
bool lane_ctl_memory_left(const struct core *core, size_t need) MUST_CHECK;
void lane_ctl_fork(struct lane_ctl *c, uint64_t sealer, const int fds[2]);

size_t lane_ctl_count(const struct lane_ctl *c);
void lane_ctl_tick(struct lane_ctl *c);

#endif
