// links: auditd
// SPDX-License-Identifier: Apache-2.0
// AREC/1: one encoding per meaning, and nothing else decodes. Pure.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "auditd/record.h"

static const char log_id[16] = "0123456789abcde";
static const char prev[32] = "prev-prev-prev-prev-prev-prev-p";

static struct record
sample(void)
{
	struct record r = {
	    .log_id = {.p = log_id, .len = 16},
	    .seq = 7,
	    .prev = {.p = prev, .len = 32},
	    .t_event = 1700000000000000000U,
	    .t_commit = 1700000000000000001U,
	    .boot_no = 1,
	    .t_mono = 5000000000U,
	    .clock_state = CLOCK_SYNCHRONIZED,
	    .event = 16,
	    .producer = PRODUCER_VAULT,
	    .peer_uid = 64101,
	    .peer_pid = 4711,
	    .request_id = {.p = log_id, .len = 16},
	    .tenant = VIEW("t"),
	    .workspace = VIEW("w\xc3\xa9"),
	    .key_id = VIEW("openai"),
	    .key_version = 3,
	    .key_use = 300,
	    .attr_count = 2,
	};
	r.attr[0] = (struct record_attr){.key = 3, .is_text = true, .text = VIEW("gpt")};
	r.attr[1] = (struct record_attr){.key = 6, .num = 200};
	return r;
}

static size_t
encoded(uint8_t buf[RECORD_MAX])
{
	struct record r = sample();
	size_t n = record_encode(&r, buf, RECORD_MAX);
	assert_true(n > 0);
	return n;
}

// The format may never change: these bytes were written down when it was made.
static void
golden(void **state)
{
	(void)state;
	static const char want[] =
	    "dc001d01c4103031323334353637383961626364650007c420707265762d707265762d707265762d"
	    "707265762d707265762d707265762d7000cf17979cfe362a0000cf17979cfe362a000101cf000000"
	    "012a05f200011001cdfa65cd1267a0c4103031323334353637383961626364650000a174a377c3a9"
	    "a0a0a66f70656e616903cd012c00a000929203a36770749206ccc8c0c0";
	uint8_t buf[RECORD_MAX];
	size_t n = encoded(buf);
	char hex[2 * RECORD_MAX + 1];
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", buf[i]);
	assert_string_equal(hex, want);
}

static void
round_trip(void **state)
{
	(void)state;
	uint8_t buf[RECORD_MAX], again[RECORD_MAX];
	struct record r;
	size_t n = encoded(buf);
	assert_int_equal(record_decode(buf, n, &r), 0);
	assert_int_equal(r.seq, 7);
	assert_int_equal(r.key_use, 300);
	assert_true(view_eq_str(r.workspace, "w\xc3\xa9"));
	assert_int_equal(record_attr(&r, 6)->num, 200);
	assert_true(view_eq_str(record_attr(&r, 3)->text, "gpt"));
	assert_null(record_attr(&r, 4));
	assert_int_equal(record_encode(&r, again, sizeof(again)), n);
	assert_memory_equal(buf, again, n);
}

static void
largest_numbers(void **state)
{
	(void)state;
	uint8_t buf[RECORD_MAX];
	struct record r = sample(), out;
	r.seq = r.t_event = r.t_commit = r.boot_no = r.t_mono = r.ref_seq = r.key_use = UINT64_MAX;
	r.event = r.flags = UINT16_MAX;
	r.peer_uid = r.peer_pid = r.key_version = UINT32_MAX;
	r.attr[1].num = UINT64_MAX;
	r.payload_commit = r.prev;
	size_t n = record_encode(&r, buf, sizeof(buf));
	assert_true(n > 0);
	assert_int_equal(record_decode(buf, n, &out), 0);
	assert_true(out.seq == UINT64_MAX && out.attr[1].num == UINT64_MAX);
	assert_int_equal(out.payload_commit.len, 32);
	r.event = UINT16_MAX + 1;
	assert_int_equal(record_encode(&r, buf, sizeof(buf)), 0);
}

static void
cut_or_extended(void **state)
{
	(void)state;
	uint8_t buf[RECORD_MAX + 1];
	struct record r;
	size_t n = encoded(buf);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(record_decode(buf, i, &r), -1);
	for (unsigned b = 0; b < 256; b++) {
		buf[n] = (uint8_t)b;
		assert_int_equal(record_decode(buf, n + 1, &r), -1);
	}
}

// Whatever decodes after a flip must say exactly what its bytes say.
static void
every_bit_flip(void **state)
{
	(void)state;
	uint8_t buf[RECORD_MAX], again[RECORD_MAX];
	size_t n = encoded(buf), survived = 0;
	for (size_t bit = 0; bit < n * 8; bit++) {
		struct record r;
		buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (record_decode(buf, n, &r) == 0) {
			survived++;
			assert_int_equal(record_encode(&r, again, sizeof(again)), n);
			assert_memory_equal(buf, again, n);
		}
		buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_true(survived > 0 && survived < n * 8);
}

static int
decode_hex_patch(size_t at, size_t drop, const char *bytes, size_t len)
{
	uint8_t buf[RECORD_MAX], out[RECORD_MAX];
	struct record r;
	size_t n = encoded(buf);
	memcpy(out, buf, at);
	memcpy(out + at, bytes, len);
	memcpy(out + at + len, buf + at + drop, n - at - drop);
	return record_decode(out, n - drop + len, &r);
}

static void
longer_forms_are_refused(void **state)
{
	(void)state;
	uint8_t buf[RECORD_MAX];
	size_t n = encoded(buf);
	// Offsets in the sample: array head 0-2, version 3, log_id 4-21, seq 22.
	assert_int_equal(buf[22], 7);
	assert_int_equal(decode_hex_patch(22, 1, "\x07", 1), 0);
	assert_int_equal(decode_hex_patch(22, 1, "\xcc\x07", 2), -1);
	assert_int_equal(decode_hex_patch(22, 1, "\xcd\x00\x07", 3), -1);
	assert_int_equal(decode_hex_patch(22, 1, "\xd0\x07", 2), -1);	      // int8
	assert_int_equal(decode_hex_patch(22, 1, "\xca\x40\xe0\0\0", 5), -1); // float
	assert_int_equal(decode_hex_patch(22, 1, "\xc0", 1), -1);	      // nil
	assert_int_equal(decode_hex_patch(4, 2, "\xc5\x00\x10", 3), -1);      // bin16
	assert_int_equal(decode_hex_patch(4, 2, "\xd9\x10", 2), -1);	      // a string
	assert_int_equal(decode_hex_patch(0, 3, "\xdd\0\0\0\x1d", 5), -1);    // array32
	assert_int_equal(decode_hex_patch(0, 3, "\xdc\0\x1c", 3), -1);
	assert_int_equal(decode_hex_patch(3, 1, "\x02", 1), -1); // another version
	// "gpt" as str8
	size_t gpt = (size_t)((uint8_t *)memmem(buf, n, "\xa3gpt", 4) - buf);
	assert_int_equal(decode_hex_patch(gpt, 1, "\xd9\x03", 2), -1);
	assert_int_equal(decode_hex_patch(gpt, 4, "\xa3\xed\xa0\x80", 4), -1); // surrogate
	assert_int_equal(decode_hex_patch(n - 1, 1, "\x00", 1), -1);	       // reserved
	assert_int_equal(decode_hex_patch(n - 2, 1, "\xc4\x00", 2), -1);       // empty commitment
}

static void
attributes_ascend(void **state)
{
	(void)state;
	uint8_t buf[RECORD_MAX];
	struct record r = sample();
	r.attr[1].key = 3;
	assert_int_equal(record_encode(&r, buf, sizeof(buf)), 0);
	r.attr[1].key = 2;
	assert_int_equal(record_encode(&r, buf, sizeof(buf)), 0);
	// The same on the wire: swap the two pairs.
	r = sample();
	size_t n = record_encode(&r, buf, sizeof(buf));
	uint8_t *at = memmem(buf, n, "\x92\x92\x03\xa3gpt\x92\x06\xcc\xc8", 11);
	assert_non_null(at);
	memcpy(at, "\x92\x92\x06\xcc\xc8\x92\x03\xa3gpt", 11);
	assert_int_equal(record_decode(buf, n, &r), -1);
}

static void
text_must_be_utf8(void **state)
{
	(void)state;
	uint8_t buf[RECORD_MAX];
	struct record r = sample();
	r.user = VIEW("\xff");
	assert_int_equal(record_encode(&r, buf, sizeof(buf)), 0);
	r = sample();
	r.attr[0].text = VIEW("\xc0\x80");
	assert_int_equal(record_encode(&r, buf, sizeof(buf)), 0);
}

static void
cap(void **state)
{
	(void)state;
	static char big[2 * RECORD_MAX];
	memset(big, 'x', sizeof(big));
	uint8_t buf[2 * RECORD_MAX];
	struct record r = sample(), out;
	r.conversation = (struct view){.p = big, .len = 300};
	size_t n = record_encode(&r, buf, sizeof(buf));
	r.conversation.len += RECORD_MAX - n;
	assert_int_equal(record_encode(&r, buf, sizeof(buf)), RECORD_MAX);
	assert_int_equal(record_decode(buf, RECORD_MAX, &out), 0);
	r.conversation.len++;
	assert_int_equal(record_encode(&r, buf, sizeof(buf)), 0);
	assert_int_equal(record_encode(&r, buf, 10), 0);
}

static void
shorten(void **state)
{
	(void)state;
	static char big[3 * RECORD_MAX];
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = i % 2 == 0 ? '\xc3' : '\xa9'; // two-byte characters
	uint8_t buf[RECORD_MAX];
	struct record r = sample(), out;
	r.tenant = (struct view){.p = big, .len = 1998};
	r.attr[0].text = (struct view){.p = big, .len = 2002};
	size_t n, rounds = 0;
	while ((n = record_encode(&r, buf, sizeof(buf))) == 0) {
		record_shorten(&r);
		assert_true(++rounds < 10);
		assert_true(mp_utf8_valid(r.tenant.p, r.tenant.len));
		assert_true(mp_utf8_valid(r.attr[0].text.p, r.attr[0].text.len));
	}
	assert_int_equal(record_decode(buf, n, &out), 0);
	assert_int_equal(out.flags, RECORD_SHORTENED);
	assert_true(out.tenant.len > 0 && out.tenant.len % 2 == 0);
	assert_true(out.attr[0].text.len > 0 && out.attr[0].text.len % 2 == 0);
}

static void
names(void **state)
{
	(void)state;
	assert_string_equal(record_producer_name(PRODUCER_GATEWAY), "gateway");
	assert_string_equal(record_producer_name(0), "unknown");
	assert_string_equal(record_producer_name(99), "unknown");
	assert_string_equal(record_result_name(1), "denied");
	assert_string_equal(record_result_name(3), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(golden),
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(largest_numbers),
	    cmocka_unit_test(cut_or_extended),
	    cmocka_unit_test(every_bit_flip),
	    cmocka_unit_test(longer_forms_are_refused),
	    cmocka_unit_test(attributes_ascend),
	    cmocka_unit_test(text_must_be_utf8),
	    cmocka_unit_test(cap),
	    cmocka_unit_test(shorten),
	    cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
