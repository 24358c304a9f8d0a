// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// One lane against a TLS server in memory: order of messages, windows, endings,
// and what stays in memory of a head.
#include "vaultd/sealer_lane.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/secmem.h"
#include "tests/unit/test_sealer_certs.h"
#include "vaultd/sealer_peer.h"

#define HOST "api.example.com"
#define KEY  "sk-test-Zx81QpLw93mVbT7nRk2YcHf64GjUdSe0aO"
#define HEAD "POST /v1/messages HTTP/1.1\r\nhost: " HOST "\r\nauthorization: Bearer " KEY "\r\n\r\n"
#define BIG  (1024U * 1024U)

static struct certs_pair ca, leaf;
static struct sealer_tls_ctx *ctx;
static SSL_CTX *server;
static uint8_t big[BIG], got[BIG + 4096];

// --- the world around one lane ---------------------------------------------------

static struct world {
	struct sealer_env env;
	struct sealer_lane *lane;
	struct sealer_peer *peer;
	struct sealer_buf cipher; // CIPHER_OUT, not yet with the peer
	size_t cipher_total;
	size_t fed; // CIPHER_IN so far
	size_t cipher_frames;
	struct sealer_buf plain;
	uint64_t granted[4];
	unsigned ready, verified, closed, faults;
	struct msg_lane_closed last_closed;
	struct msg_lane_fault last_fault;
	bool gone;
} w;

static void
to_gateway(void *cookie, uint8_t type, uint64_t lane, const void *msg)
{
	(void)cookie;
	assert_int_equal(lane, 7);
	if (type == MSG_LANE_READY) {
		assert_int_equal(w.verified, 1); // the core is told first
		w.ready++;
	} else if (type == MSG_LANE_CLOSED) {
		w.closed++;
		w.last_closed = *(const struct msg_lane_closed *)msg;
	} else {
		assert_int_equal(type, MSG_CREDIT);
		const struct msg_credit *c = msg;
		assert_true(c->kind == CREDIT_CIPHER_IN || c->kind == CREDIT_BODY);
		w.granted[c->kind] += c->bytes;
	}
}

static void
to_gateway_raw(void *cookie, uint8_t type, uint64_t lane, const void *p, size_t n)
{
	(void)cookie;
	assert_int_equal(lane, 7);
	assert_true(n > 0 && n <= FRAME_PAYLOAD_MAX);
	if (type == MSG_PLAIN) {
		sealer_buf_append(&w.plain, p, n);
		return;
	}
	assert_int_equal(type, MSG_CIPHER_OUT);
	assert_null(memmem(p, n, KEY, 12));
	sealer_buf_append(&w.cipher, p, n);
	w.cipher_total += n;
	w.cipher_frames++;
}

static void
to_core(void *cookie, uint8_t type, const void *msg)
{
	(void)cookie;
	if (type == MSG_LANE_VERIFIED) {
		assert_int_equal(((const struct msg_lane_verified *)msg)->lane, 7);
		w.verified++;
		return;
	}
	assert_int_equal(type, MSG_LANE_FAULT);
	w.faults++;
	w.last_fault = *(const struct msg_lane_fault *)msg;
	assert_int_equal(w.last_fault.lane, 7);
}

static void
run(void)
{
	if (!w.gone)
		w.gone = sealer_lane_run(w.lane) == SEALER_LANE_GONE;
}

// What the lane wrote goes to the peer; what the peer wrote is returned in in.
static void
to_peer(struct sealer_buf *in)
{
	BIO *from = SSL_get_rbio(sealer_peer_ssl(w.peer)),
	    *to = SSL_get_wbio(sealer_peer_ssl(w.peer));
	size_t n = sealer_buf_len(&w.cipher);
	if (n != 0) {
		assert_int_equal(BIO_write(from, sealer_buf_bytes(&w.cipher), (int)n), (int)n);
		sealer_buf_consume(&w.cipher, n);
	}
	uint8_t chunk[8192];
	for (int r; (r = BIO_read(to, chunk, sizeof(chunk))) > 0;)
		sealer_buf_append(in, chunk, (size_t)r);
}

static void
feed(struct sealer_buf *in, size_t most)
{
	size_t n = MIN(sealer_buf_len(in), most);
	if (n == 0)
		return;
	assert_int_equal(sealer_lane_cipher_in(w.lane, sealer_buf_bytes(in), n), SEALER_LANE_OK);
	sealer_buf_consume(in, n);
	w.fed += n;
}

static int
open_lane(void **state)
{
	(void)state;
	w = (struct world){.env = {.tls = ctx,
			       .guard = sealer_guard_new(),
			       .port = {to_gateway, to_gateway_raw, to_core, NULL},
			       .scratch = secmem_alloc(SEALER_TLS_RECORD_MAX),
			       .plain = calloc(1, SEALER_PLAIN_CAP)}};
	if (w.env.guard == NULL || w.env.scratch == NULL)
		return -1;
	sealer_guard_learn(w.env.guard, (const uint8_t *)KEY + 8, strlen(KEY) - 8);
	w.lane = sealer_lane_new(&w.env, 7);
	w.peer = sealer_peer_new(server);
	struct sealer_buf in = {0};
	for (int i = 0; i < 4; i++) {
		run();
		to_peer(&in);
		(void)sealer_peer_accept(w.peer);
		to_peer(&in);
		feed(&in, LANE_WINDOW);
	}
	run();
	return 0;
}

static int
close_lane(void **state)
{
	(void)state;
	sealer_lane_free(w.lane);
	sealer_peer_free(w.peer);
	sealer_guard_free(w.env.guard);
	secmem_free(w.env.scratch);
	free(w.env.plain);
	sealer_buf_free(&w.cipher);
	sealer_buf_free(&w.plain);
	return secmem_used() == 0 ? 0 : -1;
}

static enum sealer_lane_result
seal(const char *body, size_t len, bool right_hash)
{
	uint8_t sha[32];
	crypto_hash_sha256(sha, (const uint8_t *)body, len);
	sha[0] ^= right_hash ? 0 : 1;
	struct msg_seal m = {.lane = 7,
	    .audit_seq = 42,
	    .head = VIEW(HEAD),
	    .body_len = len,
	    .body_sha256 = {.p = (const char *)sha, .len = sizeof(sha)}};
	return sealer_lane_seal(w.lane, &m);
}

static enum sealer_lane_result
body(const void *p, size_t n)
{
	return sealer_lane_body(w.lane, p, n);
}

static size_t
peer_reads(void)
{
	struct sealer_buf in = {0};
	to_peer(&in);
	size_t n = 0, r;
	while (n < sizeof(got) && (r = sealer_peer_read(w.peer, got + n, sizeof(got) - n)) != 0)
		n += r;
	feed(&in, LANE_WINDOW);
	sealer_buf_free(&in);
	return n;
}

static void
credit(uint64_t kind, uint64_t n)
{
	struct msg_credit c = {.kind = kind, .bytes = n};
	assert_int_equal(sealer_lane_credit(w.lane, &c), SEALER_LANE_OK);
}

// --- tests -----------------------------------------------------------------------

static void
lane_becomes_ready_once(void **state)
{
	(void)state;
	assert_int_equal(w.ready, 1);
	assert_int_equal(w.verified, 1);
	assert_int_equal(w.faults + w.closed, 0);
}

static void
head_and_body_in_one_record(void **state)
{
	(void)state;
	size_t before = w.cipher_frames;
	assert_int_equal(body("hello", 5), SEALER_LANE_OK);
	run();
	assert_int_equal(w.cipher_frames, before);
	size_t bytes = w.cipher_total;
	assert_int_equal(seal("hello", 5, true), SEALER_LANE_OK);
	assert_int_equal(w.cipher_frames, before + 1);
	assert_true(w.cipher_total - bytes < strlen(HEAD) + 5 + 64);
	assert_int_equal(peer_reads(), strlen(HEAD) + 5);
	assert_memory_equal(got, HEAD "hello", strlen(HEAD) + 5);
	assert_true(sodium_is_zero(w.env.scratch, SEALER_TLS_RECORD_MAX));
}

static void
requests_follow_each_other(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(seal("abc", 3, true), SEALER_LANE_OK);
		for (const char *p = "abc"; *p != '\0'; p++) {
			assert_int_equal(body(p, 1), SEALER_LANE_OK);
			run();
		}
		assert_int_equal(peer_reads(), strlen(HEAD) + 3);
		assert_int_equal(seal("", 0, true), SEALER_LANE_OK);
		size_t n = peer_reads();
		assert_int_equal(n, strlen(HEAD));
		credit(CREDIT_CIPHER_OUT, w.cipher_total);
		w.cipher_total = 0;
	}
	assert_int_equal(w.faults + w.closed, 0);
}

static void
body_obeys_cipher_window(void **state)
{
	(void)state;
	assert_int_equal(seal((const char *)big, BIG, true), SEALER_LANE_OK);
	size_t sent = 0, arrived = 0;
	uint64_t granted = 0;
	while (arrived < BIG + strlen(HEAD)) {
		size_t may = LANE_WINDOW + (size_t)w.granted[CREDIT_BODY] - sent;
		size_t n = MIN(MIN(may, BIG - sent), 16384);
		if (n != 0)
			assert_int_equal(body(big + sent, n), SEALER_LANE_OK);
		sent += n;
		run();
		// Nothing leaves beyond what was granted.
		assert_true(w.cipher_total <= LANE_WINDOW + granted);
		// Nor is body taken that could not leave.
		assert_true(sent <= arrived + 2U * LANE_WINDOW + 2U * SEALER_TLS_RECORD_MAX);
		if (n != 0)
			continue;
		size_t take = MIN(w.cipher_total - granted, 50000);
		assert_true(take != 0);
		credit(CREDIT_CIPHER_OUT, take);
		granted += take;
		arrived += peer_reads();
	}
	assert_int_equal(arrived, BIG + strlen(HEAD));
	assert_int_equal(w.closed, 0);
}

static void
answer_obeys_plain_window(void **state)
{
	(void)state;
	assert_int_equal(seal("", 0, true), SEALER_LANE_OK);
	(void)peer_reads();
	assert_int_equal(sealer_peer_write(w.peer, big, BIG), 0);
	struct sealer_buf in = {0};
	to_peer(&in);
	size_t total = sealer_buf_len(&in) + w.fed, granted = 0;
	while (sealer_buf_len(&w.plain) < BIG) {
		size_t may = LANE_WINDOW + (size_t)w.granted[CREDIT_CIPHER_IN] -
			     (total - sealer_buf_len(&in));
		feed(&in, MIN(may, 10000));
		run();
		size_t n = sealer_buf_len(&w.plain);
		assert_true(n <= LANE_WINDOW + granted);
		if (n == LANE_WINDOW + granted) {
			credit(CREDIT_PLAIN, 33333);
			granted += 33333;
		}
	}
	assert_memory_equal(sealer_buf_bytes(&w.plain), big, BIG);
	assert_int_equal(w.closed, 0);
	sealer_buf_free(&in);
}

static void
overruns_are_rejected(void **state)
{
	(void)state;
	assert_int_equal(body(big, LANE_WINDOW), SEALER_LANE_OK);
	assert_int_equal(body("x", 1), SEALER_LANE_REJECT);
	assert_string_equal(sealer_lane_why(w.lane), "BODY beyond the window");
	static const uint8_t record[5] = {0x17, 3, 3, 0x40, 0};
	size_t most = LANE_WINDOW - w.fed - 5;
	assert_int_equal(sealer_lane_cipher_in(w.lane, record, 5), SEALER_LANE_OK);
	assert_int_equal(sealer_lane_cipher_in(w.lane, big, most), SEALER_LANE_OK);
	assert_int_equal(sealer_lane_cipher_in(w.lane, big, 1), SEALER_LANE_REJECT);
}

static void
credit_is_checked(void **state)
{
	(void)state;
	static const struct msg_credit bad[] = {{CREDIT_PLAIN, 1}, {CREDIT_CIPHER_IN, 1},
	    {CREDIT_BODY, 1}, {CREDIT_PLAIN, UINT32_MAX}, {CREDIT_CIPHER_OUT, LANE_WINDOW + 1}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(sealer_lane_credit(w.lane, &bad[i]), SEALER_LANE_REJECT);
	credit(CREDIT_PLAIN, 0);
}

static void
leak_ends_the_lane(void **state)
{
	(void)state;
	assert_int_equal(seal("", 0, true), SEALER_LANE_OK);
	(void)peer_reads();
	const char answer[] = "HTTP/1.1 401 no\r\n\r\nbad key: " KEY "!";
	assert_int_equal(sealer_peer_write(w.peer, answer, sizeof(answer) - 1), 0);
	(void)peer_reads();
	run();
	assert_true(w.gone);
	assert_int_equal(w.last_closed.fault, LANE_LEAK);
	assert_int_equal(w.last_fault.fault, LANE_LEAK);
	assert_int_equal(w.last_fault.audit_seq, 42);
	assert_int_equal(w.last_fault.detail.len + w.last_closed.detail.len, 0);
	size_t n = sealer_buf_len(&w.plain);
	assert_int_equal(n, strlen("HTTP/1.1 401 no\r\n\r\nbad key: sk-test-"));
	assert_true(sodium_is_zero(w.env.plain, SEALER_PLAIN_CAP));
}

static void
seal_of_a_lane_that_is_not_ready(void **state)
{
	(void)state;
	sealer_lane_free(w.lane);
	w.lane = sealer_lane_new(&w.env, 7);
	size_t before = w.cipher_total;
	assert_int_equal(seal("", 0, true), SEALER_LANE_GONE);
	assert_int_equal(w.cipher_total, before);
	assert_int_equal(w.last_fault.fault, LANE_PROTOCOL);
	assert_int_equal(w.last_fault.audit_seq, 42);
	assert_int_equal(w.last_closed.fault, LANE_PROTOCOL);
}

static void
seal_during_a_body(void **state)
{
	(void)state;
	assert_int_equal(seal("abc", 3, true), SEALER_LANE_OK);
	assert_int_equal(body("a", 1), SEALER_LANE_OK);
	run();
	(void)peer_reads();
	size_t before = w.cipher_total;
	assert_int_equal(seal("", 0, true), SEALER_LANE_REJECT);
	assert_int_equal(w.cipher_total, before);
	assert_int_equal(w.last_fault.fault, LANE_PROTOCOL);
}

static void
wrong_body_is_not_completed(void **state)
{
	(void)state;
	assert_int_equal(seal("abc", 3, false), SEALER_LANE_OK);
	assert_int_equal(body("ab", 2), SEALER_LANE_OK);
	run();
	assert_int_equal(body("c", 1), SEALER_LANE_GONE);
	assert_int_equal(w.last_closed.fault, LANE_BODY_MISMATCH);
	assert_int_equal(peer_reads(), strlen(HEAD) + 2);
}

static void
wrong_body_that_came_first_sends_nothing(void **state)
{
	(void)state;
	assert_int_equal(body("abc", 3), SEALER_LANE_OK);
	size_t before = w.cipher_total;
	assert_int_equal(seal("abc", 3, false), SEALER_LANE_GONE);
	assert_int_equal(w.last_fault.fault, LANE_BODY_MISMATCH);
	assert_int_equal(w.cipher_total, before);
}

static void
surplus_is_rejected(void **state)
{
	(void)state;
	assert_int_equal(seal("abc", 3, true), SEALER_LANE_OK);
	assert_int_equal(body("abcd", 4), SEALER_LANE_REJECT);
	assert_string_equal(sealer_lane_why(w.lane), "BODY longer than announced");
}

static void
held_bodies_are_bounded_together(void **state)
{
	(void)state;
	size_t others = SEALER_BODY_HELD_MAX - 5;
	w.env.body_held += others;
	assert_int_equal(body("abc", 3), SEALER_LANE_OK);
	assert_int_equal(w.env.body_held, others + 3);
	assert_int_equal(seal("abc", 3, true), SEALER_LANE_OK);
	assert_int_equal(w.env.body_held, others); // sent on
	assert_int_equal(body("hello", 5), SEALER_LANE_OK);
	assert_int_equal(body("x", 1), SEALER_LANE_REJECT);
	assert_string_equal(sealer_lane_why(w.lane), "too many body bytes wait in its lanes");
	sealer_lane_free(w.lane);
	w.lane = sealer_lane_new(&w.env, 8);
	assert_int_equal(w.env.body_held, others);
	assert_int_equal(body("x", 1), SEALER_LANE_REJECT);
	assert_string_equal(sealer_lane_why(w.lane), "BODY before LANE_READY");
	assert_int_equal(w.env.body_held, others);
}

static void
endings(void **state)
{
	(void)state;
	assert_int_equal(sealer_peer_write(w.peer, "last words", 10), 0);
	(void)peer_reads();
	sealer_lane_eof(w.lane);
	run();
	assert_true(w.gone);
	assert_int_equal(sealer_buf_len(&w.plain), 10);
	assert_int_equal(w.last_closed.fault, LANE_TRUNCATED);
	assert_int_equal(w.faults, 1);
	assert_int_equal(sealer_lane_cipher_in(w.lane, big, 1), SEALER_LANE_REJECT);
}

static void
clean_close_needs_no_end_of_stream(void **state)
{
	(void)state;
	assert_int_equal(sealer_peer_write(w.peer, "bye", 3), 0);
	(void)SSL_shutdown(sealer_peer_ssl(w.peer));
	(void)peer_reads();
	run();
	assert_true(w.gone);
	assert_int_equal(sealer_buf_len(&w.plain), 3);
	assert_int_equal(w.last_closed.fault, LANE_UPSTREAM_EOF);
}

// RFC 8446, section 4.6.3: each requested update makes us answer. A provider that
// goes on asking while nobody takes our answers must not fill our memory.
static void
key_updates_without_end(void **state)
{
	(void)state;
	struct sealer_buf in = {0};
	for (;;) {
		assert_int_equal(
		    SSL_key_update(sealer_peer_ssl(w.peer), SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(sealer_peer_write(w.peer, "x", 1), 0);
		uint8_t chunk[512];
		BIO *from = SSL_get_wbio(sealer_peer_ssl(w.peer));
		for (int r; (r = BIO_read(from, chunk, sizeof(chunk))) > 0;)
			sealer_buf_append(&in, chunk, (size_t)r);
		if (w.fed + sealer_buf_len(&in) > LANE_WINDOW + w.granted[CREDIT_CIPHER_IN])
			break; // the lane does not take any more
		feed(&in, LANE_WINDOW);
		run();
		size_t n = sealer_buf_len(&w.plain);
		if (n != 0) {
			credit(CREDIT_PLAIN, n);
			sealer_buf_consume(&w.plain, n);
		}
		assert_false(w.gone);
		assert_true(w.fed < 64U * LANE_WINDOW);
	}
	assert_true(w.cipher_total <= LANE_WINDOW);
	sealer_buf_free(&in);
}

int
main(void)
{
	if (sodium_init() < 0 || secmem_init(128 * 1024) == SECMEM_NONE)
		return 1;
	(void)sealer_tls_prepare();
	randombytes_buf(big, sizeof(big));
	ca = certs_make(&(struct certs_spec){.cn = "test CA", .is_ca = true}, NULL);
	leaf = certs_make(&(struct certs_spec){.san = "DNS:" HOST}, &ca);
	char text[4096];
	const char *why;
	ctx = sealer_tls_ctx_new(view_of(HOST), certs_pem(&ca, text, sizeof(text)), &why);
	server = certs_server(&leaf, NULL);
#define LANE_TEST(f) cmocka_unit_test_setup_teardown(f, open_lane, close_lane)
	const struct CMUnitTest tests[] = {
	    LANE_TEST(lane_becomes_ready_once),
	    LANE_TEST(head_and_body_in_one_record),
	    LANE_TEST(requests_follow_each_other),
	    LANE_TEST(body_obeys_cipher_window),
	    LANE_TEST(answer_obeys_plain_window),
	    LANE_TEST(overruns_are_rejected),
	    LANE_TEST(credit_is_checked),
	    LANE_TEST(leak_ends_the_lane),
	    LANE_TEST(seal_of_a_lane_that_is_not_ready),
	    LANE_TEST(seal_during_a_body),
	    LANE_TEST(wrong_body_is_not_completed),
	    LANE_TEST(wrong_body_that_came_first_sends_nothing),
	    LANE_TEST(surplus_is_rejected),
	    LANE_TEST(held_bodies_are_bounded_together),
	    LANE_TEST(endings),
	    LANE_TEST(clean_close_needs_no_end_of_stream),
	    LANE_TEST(key_updates_without_end),
	};
	int r = cmocka_run_group_tests_name("sealer_lane", tests, NULL, NULL);
	SSL_CTX_free(server);
	sealer_tls_ctx_free(ctx);
	certs_free(&leaf);
	certs_free(&ca);
	return r;
}
