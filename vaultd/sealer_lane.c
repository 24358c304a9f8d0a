// SPDX-License-Identifier: Apache-2.0
// The lane state machine and its windows. May touch: its own memory and the
// buffers of its environment; the request head stays in secret memory throughout.
#include "vaultd/sealer_lane.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LANE_MAGIC 0x6c616e65U

enum lane_state { LANE_OPENING, LANE_USABLE, LANE_ENDED };

struct sealer_lane {
	unsigned magic;
	enum lane_state state;
	uint64_t id;
	struct sealer_env *env;
	struct sealer_lane_links links;
	struct sealer_tls *tls;
	struct sealer_body body;
	struct sealer_scan scan;
	uint64_t audit_seq;	// of the last SEAL, 0 before the first
	uint32_t cipher_left;	// bytes of CIPHER_IN that the gateway may still send
	uint32_t body_left;	// bytes of BODY that the gateway may still send
	size_t body_counted;	// our part of env->body_held
	uint32_t cipher_credit; // bytes of CIPHER_OUT that we may still send
	uint32_t plain_credit;	// bytes of PLAIN that we may still send
	bool eof;
	enum lane_fault fault;
	const char *why; // of a REJECT
};

struct sealer_lane *
sealer_lane_new(struct sealer_env *env, uint64_t id)
{
	struct sealer_lane *l = base_calloc(1, sizeof(*l));
	l->magic = LANE_MAGIC;
	l->id = id;
	l->env = env;
	l->tls = sealer_tls_new(env->tls);
	l->cipher_left = LANE_WINDOW;
	l->body_left = LANE_WINDOW;
	l->cipher_credit = LANE_WINDOW;
	l->plain_credit = LANE_WINDOW;
	l->why = "";
	return l;
}

void
sealer_lane_free(struct sealer_lane *l)
{
	if (l == NULL)
		return;
	CHECK_OBJ(l, LANE_MAGIC);
	l->env->body_held -= l->body_counted;
	sealer_tls_free(l->tls);
	sealer_body_free(&l->body);
	sodium_memzero(l, sizeof(*l)); // the scanner's tail is answer text
	free(l);
}

uint64_t
sealer_lane_id(const struct sealer_lane *l)
{
	return l->id;
}

struct sealer_lane_links *
sealer_lane_links(struct sealer_lane *l)
{
	return &l->links;
}

const char *
sealer_lane_why(const struct sealer_lane *l)
{
	return l->why;
}

enum lane_fault
sealer_lane_fault(const struct sealer_lane *l)
{
	return l->fault;
}

static enum sealer_lane_result
reject(struct sealer_lane *l, const char *why)
{
	l->why = why;
	return SEALER_LANE_REJECT;
}

// --- windows -------------------------------------------------------------------

// Of what the gateway sent, `held` bytes still wait here; the rest is consumed and
// is granted anew once it is worth a message.
static void
grant(struct sealer_lane *l, enum credit_kind kind, uint32_t *left, size_t held)
{
	size_t consumed = LANE_WINDOW - *left - held;
	if (consumed < LANE_WINDOW / 2)
		return;
	struct msg_credit c = {.kind = kind, .bytes = consumed};
	l->env->port.to_gateway(l->env->port.cookie, MSG_CREDIT, l->id, &c);
	*left += (uint32_t)consumed;
}

// Body bytes that wait in this lane, also booked on the whole process.
static size_t
count_body(struct sealer_lane *l)
{
	size_t n = sealer_buf_len(&l->body.held) + sealer_buf_len(&l->body.next);
	l->env->body_held += n - l->body_counted; // wraps back when it shrank
	l->body_counted = n;
	return n;
}

static void
grant_all(struct sealer_lane *l)
{
	grant(l, CREDIT_CIPHER_IN, &l->cipher_left, sealer_buf_len(sealer_tls_in(l->tls)));
	grant(l, CREDIT_BODY, &l->body_left, count_body(l));
}

static void
emit_cipher(struct sealer_lane *l)
{
	struct sealer_buf *out = sealer_tls_out(l->tls);
	for (;;) {
		size_t n = MIN(MIN(sealer_buf_len(out), l->cipher_credit), FRAME_PAYLOAD_MAX);
		if (n == 0)
			return;
		l->env->port.to_gateway_raw(
		    l->env->port.cookie, MSG_CIPHER_OUT, l->id, sealer_buf_bytes(out), n);
		l->cipher_credit -= (uint32_t)n;
		sealer_buf_consume(out, n);
	}
}

enum sealer_lane_result
sealer_lane_credit(struct sealer_lane *l, const struct msg_credit *c)
{
	CHECK_OBJ(l, LANE_MAGIC);
	uint32_t *credit = c->kind == CREDIT_CIPHER_OUT ? &l->cipher_credit
			   : c->kind == CREDIT_PLAIN	? &l->plain_credit
							: NULL;
	if (credit == NULL)
		return reject(l, "CREDIT for a stream that it does not receive");
	if (c->bytes > LANE_WINDOW - *credit)
		return reject(l, "CREDIT beyond the window");
	*credit += (uint32_t)c->bytes;
	return SEALER_LANE_OK;
}

// --- the end -------------------------------------------------------------------

static void
report_fault(struct sealer_lane *l, enum lane_fault fault, uint64_t seq, const char *detail)
{
	struct msg_lane_fault f = {
	    .lane = l->id, .audit_seq = seq, .fault = fault, .detail = view_of(detail)};
	l->env->port.to_core(l->env->port.cookie, MSG_LANE_FAULT, &f);
}

void
sealer_lane_close(struct sealer_lane *l, enum lane_fault fault, const char *detail)
{
	CHECK_OBJ(l, LANE_MAGIC);
	BUG_IF(l->state == LANE_ENDED);
	l->state = LANE_ENDED;
	l->fault = fault;
	emit_cipher(l); // an alert, perhaps
	struct msg_lane_closed c = {.fault = fault, .detail = view_of(detail)};
	l->env->port.to_gateway(l->env->port.cookie, MSG_LANE_CLOSED, l->id, &c);
	report_fault(l, fault, l->audit_seq, detail);
}

static enum sealer_lane_result
end(struct sealer_lane *l, enum lane_fault fault, const char *detail)
{
	sealer_lane_close(l, fault, detail);
	return SEALER_LANE_GONE;
}

static enum sealer_lane_result
end_by_tls(struct sealer_lane *l, enum sealer_tls_status s)
{
	switch (s) {
	case SEALER_TLS_CLOSED:
		return end(l, LANE_UPSTREAM_EOF, "");
	case SEALER_TLS_TRUNCATED:
		return end(l, LANE_TRUNCATED, sealer_tls_reason(l->tls));
	default:
		return end(l, LANE_TLS_FAILED, sealer_tls_reason(l->tls));
	}
}

// --- input ---------------------------------------------------------------------

enum sealer_lane_result
sealer_lane_cipher_in(struct sealer_lane *l, const uint8_t *p, size_t n)
{
	CHECK_OBJ(l, LANE_MAGIC);
	if (l->eof)
		return reject(l, "CIPHER_IN after LANE_EOF");
	if (n > l->cipher_left)
		return reject(l, "CIPHER_IN beyond the window");
	l->cipher_left -= (uint32_t)n;
	sealer_buf_append(sealer_tls_in(l->tls), p, n);
	return SEALER_LANE_OK;
}

void
sealer_lane_eof(struct sealer_lane *l)
{
	CHECK_OBJ(l, LANE_MAGIC);
	l->eof = true;
	sealer_tls_eof(l->tls);
}

enum sealer_lane_result
sealer_lane_body(struct sealer_lane *l, const uint8_t *p, size_t n)
{
	CHECK_OBJ(l, LANE_MAGIC);
	if (l->state != LANE_USABLE)
		return reject(l, "BODY before LANE_READY");
	if (l->env->exchange != NULL)
		return reject(l, "BODY on the lane of an exchange");
	if (n > l->body_left)
		return reject(l, "BODY beyond the window");
	if (n > SEALER_BODY_HELD_MAX - MIN(l->env->body_held, SEALER_BODY_HELD_MAX))
		return reject(l, "too many body bytes wait in its lanes");
	l->body_left -= (uint32_t)n;
	l->env->body_held += n;
	l->body_counted += n;
	switch (sealer_body_push(&l->body, p, n)) {
	case SEALER_BODY_OK:
		return SEALER_LANE_OK;
	case SEALER_BODY_SURPLUS:
		return reject(l, "BODY longer than announced");
	default:
		return end(l, LANE_BODY_MISMATCH, "");
	}
}

// --- the request ---------------------------------------------------------------

static enum sealer_lane_result
pump_body(struct sealer_lane *l)
{
	for (;;) {
		emit_cipher(l);
		const uint8_t *p;
		size_t n = MIN(sealer_body_ready(&l->body, &p), SEALER_TLS_RECORD_MAX);
		if (n == 0 || sealer_buf_len(sealer_tls_out(l->tls)) != 0)
			return SEALER_LANE_OK;
		enum sealer_tls_status s = sealer_tls_write(l->tls, p, n);
		if (s != SEALER_TLS_OK)
			return end_by_tls(l, s);
		sealer_body_sent(&l->body, n);
	}
}

// Head and first body bytes leave in the same TLS record where they fit. The only
// copy of the head that is made here is in secret memory, for as long as this runs.
SENSITIVE static enum sealer_lane_result
write_head(struct sealer_lane *l, struct view head)
{
	uint8_t *scratch = l->env->scratch;
	const uint8_t *p;
	size_t body = MIN(sealer_body_ready(&l->body, &p), SEALER_TLS_RECORD_MAX - head.len);
	memcpy(scratch, head.p, head.len);
	if (body != 0)
		memcpy(scratch + head.len, p, body);
	enum sealer_tls_status s = sealer_tls_write(l->tls, scratch, head.len + body);
	sodium_memzero(scratch, head.len + body);
	if (s != SEALER_TLS_OK)
		return end_by_tls(l, s);
	if (body != 0)
		sealer_body_sent(&l->body, body);
	return SEALER_LANE_OK;
}

enum sealer_lane_result
sealer_lane_seal(struct sealer_lane *l, const struct msg_seal *m)
{
	CHECK_OBJ(l, LANE_MAGIC);
	BUG_IF(m->head.len > SEALER_TLS_RECORD_MAX || m->body_sha256.len != SEALER_SHA256_LEN);
	if (l->state != LANE_USABLE) {
		l->audit_seq = m->audit_seq;
		return end(l, LANE_PROTOCOL, "sealed before the lane was ready");
	}
	if (sealer_body_busy(&l->body)) {
		// Writing a head here would put it into the middle of a body.
		report_fault(l, LANE_PROTOCOL, m->audit_seq, "sealed during a body");
		return reject(l, "a request was used before the body of the last one was sent");
	}
	l->audit_seq = m->audit_seq;
	const uint8_t *sha = (const uint8_t *)m->body_sha256.p;
	switch (sealer_body_bind(&l->body, m->body_len, sha)) {
	case SEALER_BODY_OK:
		break;
	case SEALER_BODY_SURPLUS:
		report_fault(l, LANE_PROTOCOL, m->audit_seq, "body longer than announced");
		return reject(l, "BODY longer than announced");
	default:
		return end(l, LANE_BODY_MISMATCH, "");
	}
	enum sealer_lane_result r = write_head(l, m->head);
	if (r == SEALER_LANE_OK)
		r = pump_body(l);
	if (r == SEALER_LANE_OK)
		grant_all(l);
	return r;
}

// --- the answer ----------------------------------------------------------------

// Decrypts what waits, up to about one record and never beyond the window.
static enum sealer_tls_status
decrypt(struct sealer_lane *l, uint8_t *p, size_t *n_r)
{
	size_t n = 0, most = MIN(l->plain_credit, SEALER_TLS_RECORD_MAX);
	enum sealer_tls_status s = SEALER_TLS_OK;
	while (n < most && s == SEALER_TLS_OK) {
		size_t got;
		s = sealer_tls_read(l->tls, p + n, most - n, &got);
		n += got;
	}
	*n_r = n;
	return s;
}

// Exchange mode: nothing of it goes to the gateway.
static enum sealer_lane_result
take_answer(struct sealer_lane *l)
{
	struct sealer_exchange *x = l->env->exchange;
	uint8_t *p = l->env->plain + SEALER_SCAN_ROOM;
	enum sealer_tls_status s = SEALER_TLS_OK;
	while (s == SEALER_TLS_OK && sealer_buf_len(sealer_tls_out(l->tls)) < LANE_WINDOW) {
		size_t n;
		s = sealer_tls_read(l->tls, p, SEALER_TLS_RECORD_MAX, &n);
		// The scanner keeps the last bytes, which must not be of a temporary secret.
		bool leak = sealer_exchange_is_probe(x) &&
			    sealer_scan_feed(&l->scan, l->env->guard, p, n) < n;
		bool done = !leak && sealer_exchange_feed(x, p, n);
		sodium_memzero(l->env->plain, SEALER_SCAN_ROOM + n);
		if (leak) // its texts would go to the administrator and into the log
			return end(l, LANE_LEAK, "");
		if (!done && s == SEALER_TLS_CLOSED)
			done = sealer_exchange_eof(x);
		emit_cipher(l);
		if (done) {
			struct msg_exchanged m;
			sealer_exchange_result(x, &m);
			l->env->port.to_core(l->env->port.cookie, MSG_EXCHANGED, &m);
			return end(l, LANE_OK, "");
		}
	}
	return s == SEALER_TLS_OK || s == SEALER_TLS_WANT ? SEALER_LANE_OK : end_by_tls(l, s);
}

SENSITIVE enum sealer_lane_result
sealer_lane_exchange(struct sealer_lane *l, const struct msg_exchange *m)
{
	CHECK_OBJ(l, LANE_MAGIC);
	if (l->state != LANE_USABLE)
		return end(l, LANE_PROTOCOL, "exchanged before the lane was ready");
	const uint8_t *head = (const uint8_t *)m->head.p, *body = (const uint8_t *)m->body.p;
	enum sealer_tls_status s = sealer_tls_write(l->tls, head, m->head.len);
	for (size_t at = 0; s == SEALER_TLS_OK && at < m->body.len; at += SEALER_TLS_RECORD_MAX) {
		size_t n = MIN(m->body.len - at, SEALER_TLS_RECORD_MAX);
		s = sealer_tls_write(l->tls, body + at, n);
	}
	if (s != SEALER_TLS_OK)
		return end_by_tls(l, s);
	emit_cipher(l);
	return SEALER_LANE_OK;
}

static enum sealer_lane_result
pump_answer(struct sealer_lane *l)
{
	if (l->env->exchange != NULL)
		return take_answer(l);
	uint8_t *p = l->env->plain + SEALER_SCAN_ROOM;
	enum sealer_tls_status s = SEALER_TLS_OK;
	// A provider that asks for key updates without end is not answered without end.
	while (s == SEALER_TLS_OK && l->plain_credit > 0 &&
	       sealer_buf_len(sealer_tls_out(l->tls)) < LANE_WINDOW) {
		size_t n;
		s = decrypt(l, p, &n);
		size_t pass = sealer_scan_feed(&l->scan, l->env->guard, p, n);
		if (pass != 0)
			l->env->port.to_gateway_raw(l->env->port.cookie, MSG_PLAIN, l->id, p, pass);
		l->plain_credit -= (uint32_t)pass;
		if (pass < n) {
			sodium_memzero(l->env->plain, SEALER_PLAIN_CAP);
			return end(l, LANE_LEAK, "");
		}
		emit_cipher(l);
	}
	return s == SEALER_TLS_OK || s == SEALER_TLS_WANT ? SEALER_LANE_OK : end_by_tls(l, s);
}

static enum sealer_lane_result
shake_hands(struct sealer_lane *l)
{
	enum sealer_tls_status s = sealer_tls_handshake(l->tls);
	emit_cipher(l);
	if (s == SEALER_TLS_WANT)
		return SEALER_LANE_OK;
	if (s != SEALER_TLS_OK)
		return end_by_tls(l, s);
	l->state = LANE_USABLE;
	struct msg_lane_verified v = {.lane = l->id};
	l->env->port.to_core(l->env->port.cookie, MSG_LANE_VERIFIED, &v);
	struct msg_empty none = {0};
	l->env->port.to_gateway(l->env->port.cookie, MSG_LANE_READY, l->id, &none);
	return SEALER_LANE_OK;
}

enum sealer_lane_result
sealer_lane_run(struct sealer_lane *l)
{
	CHECK_OBJ(l, LANE_MAGIC);
	enum sealer_lane_result r = SEALER_LANE_OK;
	if (l->state == LANE_OPENING)
		r = shake_hands(l);
	if (r == SEALER_LANE_OK && l->state == LANE_USABLE)
		r = pump_body(l);
	if (r == SEALER_LANE_OK && l->state == LANE_USABLE)
		r = pump_answer(l);
	if (r == SEALER_LANE_OK)
		grant_all(l);
	return r;
}
