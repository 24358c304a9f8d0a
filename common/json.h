// SPDX-License-Identifier: Apache-2.0
// JSON as text: a validator, a cursor over validated text, and a writer. There is no
// tree. Translating an API means moving parts of a text into another order, and a part
// that is moved as text keeps its numbers (an id above 2^53, 1.10), its member order and
// the fields that nobody here knows. A tree library would parse numbers to doubles and
// spend 40 bytes and more on each element of a hostile body.
//
// Every cursor function requires text that json_check() accepted; they do not check
// again. Source: RFC 8259. Pure.
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "common/buf.h"
#include "common/mp.h"

#define JSON_DEPTH_MAX 128U

enum json_fault {
	JSON_OK = 0,
	JSON_SYNTAX,	// not RFC 8259
	JSON_DEPTH,	// nested deeper than JSON_DEPTH_MAX
	JSON_UTF8,	// not UTF-8 (RFC 3629)
	JSON_SURROGATE, // \uD800..\uDFFF alone: no character
	JSON_DUPLICATE, // a member name twice in an outer object (the first two levels)
	JSON_NUMBER,	// longer than 1,024 characters
};

// Checks one whole JSON text. at_r (may be NULL): offset of the fault. Duplicate names
// are looked for in objects of the first two levels, where they would let two readers
// see two different requests.
enum json_fault json_check(struct view text, size_t *at_r) MUST_CHECK;
const char *json_fault_text(enum json_fault f); // a sentence for the client

enum json_type {
	JSON_NONE, // absent
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER_T,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

// A value: its text without surrounding white space. {NULL, 0}: absent.
struct json {
	struct view text;
};

struct json json_root(struct view text); // the value of a checked text
enum json_type json_type(struct json v);
bool json_is(struct json v, enum json_type t);
bool json_truth(struct json v); // exactly true

// Member by its decoded name, or absent; also absent when v is no object. Of
// duplicates (deeper levels) the last, as JSON.parse has it.
struct json json_get(struct json v, const char *name);
// a.b; absent when either is.
struct json json_get2(struct json v, const char *a, const char *b);

// Iteration. {0} starts; false at the end, or when the value is not of that kind.
//	struct json_iter it = {0}; struct json e;
//	while (json_each(array, &it, &e)) ...
struct json_iter {
	size_t at; // private
};
bool json_each(struct json array, struct json_iter *it, struct json *elem_r);
// name_r: the name as written, still escaped, without quotes.
bool json_member(
    struct json object, struct json_iter *it, struct view *name_r, struct json *value_r);
size_t json_count(struct json v); // elements or members

// Whether a string equals s after decoding (no allocation); false for other types.
bool json_eq(struct json string, const char *s);
bool json_name_eq(struct view escaped_name, const char *s);
// True for "" and for strings of nothing but white space.
bool json_blank(struct json string);

// Appends the decoded string (UTF-8, may hold any character, NUL included).
void json_decode(struct json string, struct buf *out);
// Decoded into dst[size] with a NUL; -1: no string, does not fit, or holds a NUL.
int json_copy(struct json string, char *dst, size_t size) MUST_CHECK;
// Unsigned integer; fallback when v is no number, negative, fractional or too large.
uint64_t json_u64(struct json v, uint64_t fallback);
// As double; fallback when v is no number. For comparisons only, never to write back.
double json_double(struct json v, double fallback);

// --- writing: the caller keeps the syntax, these keep the escaping -----------------

void json_put_string(struct buf *b, struct view text);	// quoted; invalid UTF-8 becomes U+FFFD
void json_put_escaped(struct buf *b, struct view text); // the same without quotes
void json_put_raw(struct buf *b, struct json v);	// the value as it was written; absent: null
// ,"name": (without the comma right after '{', '[' or at the start)
void json_put_name(struct buf *b, const char *name);
// "," unless right after '{' or '['
void json_put_comma(struct buf *b);
// ,"name":"escaped text"   ,"name":123   ,"name":<raw>, nothing when v is absent
void json_put_member_text(struct buf *b, const char *name, struct view text);
void json_put_member_uint(struct buf *b, const char *name, uint64_t v);
void json_put_member_raw(struct buf *b, const char *name, struct json v);

#endif
