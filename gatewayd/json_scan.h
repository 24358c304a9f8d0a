// SPDX-License-Identifier: Apache-2.0
// A validating, incremental JSON scanner (RFC 8259) that keeps no tree: memory is
// this struct, whatever the input. It reports the scalar members of the outer
// objects (up to four levels of objects, none of them inside an array unless asked)
// and accepts or refuses the text as a whole. jansson would build 40 bytes and more
// for each element of a 32 MiB array before the vault has even seen the key.
#ifndef GATEWAYD_JSON_SCAN_H
#define GATEWAYD_JSON_SCAN_H

#include "common/base.h"
#include "common/mp.h"

#define JSON_SCAN_LEVELS     4U
#define JSON_SCAN_KEY_MAX    40U   // longer keys are never reported
#define JSON_SCAN_VALUE_MAX  2048U // longer scalars are reported with kind SCAN_TOO_LONG
#define JSON_SCAN_NUMBER_MAX 1024U
#define JSON_SCAN_DEPTH_MAX  1000U // deeper nesting is refused

enum json_kind { SCAN_STRING, SCAN_NUMBER, SCAN_TRUE, SCAN_FALSE, SCAN_NULL, SCAN_TOO_LONG };

// One scalar member. path[0..level) are the keys from the outermost object in;
// value is the decoded string or the number's text; valid during the call only.
struct json_member {
	size_t level; // 1..JSON_SCAN_LEVELS
	struct view path[JSON_SCAN_LEVELS];
	enum json_kind kind;
	struct view value;
};

typedef void json_member_fn(void *cookie, const struct json_member *m);

enum json_result { SCAN_MORE, SCAN_DONE, SCAN_BAD };

struct json_scan {
	json_member_fn *on_member;
	void *cookie;
	// May be set after init: members of objects that sit in an array two objects down or
	// more are reported too ("usage", "details", "", "ttl"): "" stands for the array.
	bool arrays;
	// Legal text that readers understand differently; for the caller to judge.
	bool lone_surrogate; // a string held half of a surrogate pair
	bool long_number;    // a number had more than JSON_SCAN_NUMBER_MAX characters
	// Private.
	uint8_t state;
	uint8_t literal_at;
	const char *literal;
	uint16_t depth;
	uint16_t skip_from; // depth at which reporting stopped (array, or too deep); 0: none
	bool is_key;
	bool overflow; // the token did not fit
	bool bad;
	uint8_t hex_left;
	uint32_t hex;
	uint32_t number_len;
	uint32_t surrogate;				// high half waiting for its low half
	uint8_t in_object[JSON_SCAN_DEPTH_MAX / 8 + 1]; // one bit per level
	uint8_t key_len[JSON_SCAN_LEVELS];		// 255: too long to report
	char key[JSON_SCAN_LEVELS][JSON_SCAN_KEY_MAX];
	uint16_t token_len;
	char token[JSON_SCAN_VALUE_MAX];
};

void json_scan_init(struct json_scan *s, json_member_fn *on_member, void *cookie);

// Any split of the text gives the same result. MORE: valid so far. DONE: one
// whole value was read; further white space is fine, anything else is BAD. The
// bytes are not checked for UTF-8 here.
enum json_result json_scan_feed(struct json_scan *s, const char *p, size_t len);

// The text ends now: DONE, or BAD when the value is not complete (a top-level
// number is completed by the end).
enum json_result json_scan_end(struct json_scan *s);

// For members: an unsigned integer, or 0 when the value is none.
uint64_t json_member_u64(const struct json_member *m);
// Whether the path is exactly a (b, c NULL), a.b (c NULL) or a.b.c.
bool json_member_is(const struct json_member *m, const char *a, const char *b, const char *c);

#endif
