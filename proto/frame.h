// SPDX-License-Identifier: Apache-2.0
// The fixed header in front of every message between our processes
// (PROTOCOL.md, section 1). 16 bytes, integers big-endian:
//
//   0  u16 magic 0x5350 ("SP")   2  u8 version (1)   3  u8 type
//   4  u32 payload length        8  u64 id (request or lane)
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "common/base.h"

#define FRAME_MAGIC	  0x5350U
#define FRAME_VERSION	  1U
#define FRAME_HEADER_LEN  16U
#define FRAME_ID_AT	  8U
#define FRAME_PAYLOAD_MAX 65536U

struct frame {
	uint8_t type;
	uint64_t id;
	const uint8_t *payload; // borrowed from the channel's buffer
	size_t len;
};

enum frame_result { FRAME_OK, FRAME_SHORT, FRAME_BAD };

// Reads one header from buf. FRAME_SHORT: fewer than 16 bytes. FRAME_BAD: magic,
// version or length is not ours, the peer must be rejected.
enum frame_result frame_read_header(const uint8_t *buf, size_t len, struct frame *f_r) MUST_CHECK;

// Writes the 16 header bytes; f->len is at most FRAME_PAYLOAD_MAX (BUG else).
void frame_write_header(uint8_t out[FRAME_HEADER_LEN], const struct frame *f);

#endif
