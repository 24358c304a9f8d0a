// SPDX-License-Identifier: Apache-2.0
// The leak scanner: every decrypted answer byte passes through here before the
// gateway sees it. Two views of the stream are searched, the bytes as they are
// and the bytes with HTTP chunk framing (CR LF, hex size, extension, CR LF; RFC
// 9112, section 7.1) taken out, so that a key cut by chunk borders is found.
// Windows reach across record borders. Best effort by nature: see DESIGN.md.
#ifndef VAULTD_SEALER_SCAN_H
#define VAULTD_SEALER_SCAN_H

#include "vaultd/sealer_needle.h"

// The secrets to look for; one set per sealer, shared by its lanes.
struct sealer_guard;

#define SEALER_GUARD_SECRETS 4U // remembered at a time; the oldest is forgotten

struct sealer_guard *sealer_guard_new(void) MUST_CHECK; // NULL: secret arena full
void sealer_guard_free(struct sealer_guard *g);

// Learns a secret, given behind its public prefix. Cheap when it is known already;
// shorter than SEALER_NEEDLE_SECRET_MIN is ignored.
void sealer_guard_learn(struct sealer_guard *g, const uint8_t *secret, size_t len);
size_t sealer_guard_count(const struct sealer_guard *g);

// Bytes in front of every record that sealer_scan_feed() may overwrite.
#define SEALER_SCAN_ROOM (SEALER_NEEDLE_WINDOW_MAX - 1U)
#define SEALER_SCAN_LINE 64U // longest chunk-size line that is recognised, CR LF included

// State of one stream; all zero is the start.
struct sealer_scan {
	uint8_t tail_len;   // last bytes of the stream
	uint8_t joined_len; // last bytes of the stream without chunk framing
	uint8_t fresh;	    // bytes to come whose windows may cross a removed line
	uint8_t state;	    // of the recogniser of chunk-size lines
	uint8_t line_len;   // of the line that may turn out to be one
	uint8_t tail[SEALER_SCAN_ROOM];
	uint8_t joined[SEALER_SCAN_ROOM];
	uint8_t line[SEALER_SCAN_LINE];
};

// Looks at the next n bytes of the stream, at p; the SEALER_SCAN_ROOM bytes before
// p are overwritten. Returns how many of the n may pass: n, or fewer when a
// secret was found, and then the stream must end.
size_t sealer_scan_feed(
    struct sealer_scan *s, const struct sealer_guard *g, uint8_t *p, size_t n) MUST_CHECK;

#endif
