// SPDX-License-Identifier: Apache-2.0
// JSON as text: a validator, a cursor over validated text, and a writer. There is no
// tree. Translating an API means moving parts of a text into another order, and a part
// that is moved as text keeps its numbers (an id above 2^53, 1.10), its member order and
// the fields that nobody here knows. A tree library would parse numbers to doubles and
// spend 40 bytes and more on each element of a hostile body.
//
// Every cursor function requires text that jv_check() accepted; they do not check
// again. Source: RFC 8259. Pure.
#ifndef COMMON_JV_H
#define COMMON_JV_H

#include "common/buf.h"
#include "common/mp.h"

#define JV_DEPTH_MAX 128U

enum jv_fault {
	JV_OK = 0,
	JV_SYNTAX,    // not RFC 8259
	JV_DEPTH,     // nested deeper than JV_DEPTH_MAX
	JV_UTF8,      // not UTF-8 (RFC 3629)
	JV_SURROGATE, // \uD800..\uDFFF alone: no character
	JV_DUPLICATE, // a member name twice in an outer object (the first two levels)
	JV_NUMBER,    // longer than 1,024 characters
};

// Checks one whole JSON text. at_r (may be NULL): offset of the fault. Duplicate names
// are looked for in objects of the first two levels, where they would let two readers
// see two different requests.
enum jv_fault jv_check(struct view text, size_t *at_r) MUST_CHECK;
const char *jv_fault_text(enum jv_fault f); // a sentence for the client

enum jv_type {
	JV_NONE, // absent
	JV_NULL,
	JV_FALSE,
	JV_TRUE,
	JV_NUMBER_T,
	JV_STRING,
	JV_ARRAY,
	JV_OBJECT,
};

// A value: its text without surrounding white space. {NULL, 0}: absent.
struct jv {
	struct view text;
};

struct jv jv_root(struct view text); // the value of a checked text
enum jv_type jv_type(struct jv v);
bool jv_is(struct jv v, enum jv_type t);
bool jv_truth(struct jv v); // exactly true

// Member by its decoded name, or absent; also absent when v is no object. Of
// duplicates (deeper levels) the last, as JSON.parse has it.
struct jv jv_get(struct jv v, const char *name);
// a.b; absent when either is.
struct jv jv_get2(struct jv v, const char *a, const char *b);

// Iteration. {0} starts; false at the end, or when the value is not of that kind.
//	struct jv_iter it = {0}; struct jv e;
//	while (jv_each(array, &it, &e)) ...
struct jv_iter {
	size_t at; // private
};
bool jv_each(struct jv array, struct jv_iter *it, struct jv *elem_r);
// name_r: the name as written, still escaped, without quotes.
bool jv_member(struct jv object, struct jv_iter *it, struct view *name_r, struct jv *value_r);
size_t jv_count(struct jv v); // elements or members

// Whether a string equals s after decoding (no allocation); false for other types.
bool jv_eq(struct jv string, const char *s);
bool jv_name_eq(struct view escaped_name, const char *s);
// True for "" and for strings of nothing but white space.
bool jv_blank(struct jv string);

// Appends the decoded string (UTF-8, may hold any character, NUL included).
void jv_decode(struct jv string, struct buf *out);
// Decoded into dst[size] with a NUL; -1: no string, does not fit, or holds a NUL.
int jv_copy(struct jv string, char *dst, size_t size) MUST_CHECK;
// Unsigned integer; fallback when v is no number, negative, fractional or too large.
uint64_t jv_u64(struct jv v, uint64_t fallback);
// As double; fallback when v is no number. For comparisons only, never to write back.
double jv_double(struct jv v, double fallback);

// --- writing: the caller keeps the syntax, these keep the escaping -----------------

void jv_put_string(struct buf *b, struct view text);  // quoted; invalid UTF-8 becomes U+FFFD
void jv_put_escaped(struct buf *b, struct view text); // the same without quotes
void jv_put_raw(struct buf *b, struct jv v);	      // the value as it was written; absent: null
// ,"name": (without the comma right after '{', '[' or at the start)
void jv_put_name(struct buf *b, const char *name);
// "," unless right after '{' or '['
void jv_put_comma(struct buf *b);
// ,"name":"escaped text"   ,"name":123   ,"name":<raw>, nothing when v is absent
void jv_put_member_text(struct buf *b, const char *name, struct view text);
void jv_put_member_uint(struct buf *b, const char *name, uint64_t v);
void jv_put_member_raw(struct buf *b, const char *name, struct jv v);

#endif
