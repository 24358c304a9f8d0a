// links: vaultd
// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a lane between a gateway and a provider that both do what the input
// says: honest steps, damage, floods, endings in any order. Checked at each step:
// windows hold, nothing but ciphertext leaves before verification, nothing at all
// after the end, and the provider never reads anything but whole heads and the
// bodies that were announced. Input: pairs (operation, argument).
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"
#include "tests/unit/test_sealer_certs.h"
#include "vaultd/sealer_lane.h"
#include "vaultd/sealer_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD "GET / HTTP/1.1\r\nauthorization: Bearer Zx81QpLw93mVbT7nRk2Y\r\n\r\n"

static struct sealer_env env;
static SSL_CTX *server;

static struct {
	struct sealer_lane *lane;
	struct sealer_peer *peer;
	struct sealer_buf out;
	bool ready, ended;
	int64_t credit[4]; // what the receiver allows still
} f;

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
to_gateway(void *cookie, uint8_t type, uint64_t lane, const void *msg)
{
	(void)cookie, (void)lane;
	check(!f.ended);
	if (type == MSG_CREDIT) {
		const struct msg_credit *c = msg;
		check(c->kind == CREDIT_CIPHER_IN || c->kind == CREDIT_BODY);
		f.credit[c->kind] += (int64_t)c->bytes;
		check(f.credit[c->kind] <= LANE_WINDOW);
	}
	if (type == MSG_LANE_READY)
		f.ready = true;
	if (type == MSG_LANE_CLOSED)
		f.ended = true;
}

static void
to_gateway_raw(void *cookie, uint8_t type, uint64_t lane, const void *p, size_t n)
{
	(void)cookie, (void)lane;
	enum credit_kind kind = type == MSG_PLAIN ? CREDIT_PLAIN : CREDIT_CIPHER_OUT;
	f.credit[kind] -= (int64_t)n;
	check(!f.ended && f.credit[kind] >= 0 && n > 0);
	check(f.ready || type == MSG_CIPHER_OUT);
	if (type == MSG_CIPHER_OUT)
		sealer_buf_append(&f.out, p, n);
	else
		check(memmem(p, n, "Zx81QpLw93mV", 12) == NULL);
}

static void
to_core(void *cookie, uint8_t type, const void *msg)
{
	(void)cookie, (void)type, (void)msg;
}

static void
set_up(void)
{
	if (sodium_init() < 0 || secmem_init(64 * 1024) == SECMEM_NONE)
		abort();
	(void)sealer_tls_prepare();
	struct certs_pair self = certs_make(&(struct certs_spec){.san = "DNS:h.test"}, NULL);
	char text[4096];
	const char *why;
	env = (struct sealer_env){
	    .tls =
		sealer_tls_ctx_new(view_of("h.test"), certs_pem(&self, text, sizeof(text)), &why),
	    .guard = sealer_guard_new(),
	    .port = {to_gateway, to_gateway_raw, to_core, NULL},
	    .scratch = secmem_alloc(SEALER_TLS_RECORD_MAX),
	    .plain = calloc(1, SEALER_PLAIN_CAP),
	};
	check(env.tls != NULL && env.guard != NULL && env.scratch != NULL && env.plain != NULL);
	sealer_guard_learn(env.guard, (const uint8_t *)"Zx81QpLw93mVbT7nRk2Y", 20);
	server = certs_server(&self, NULL);
	certs_free(&self);
}

// --- steps -----------------------------------------------------------------------

static bool
cipher_in(const uint8_t *p, size_t n)
{
	bool within = (int64_t)n <= f.credit[CREDIT_CIPHER_IN];
	enum sealer_lane_result r = sealer_lane_cipher_in(f.lane, p, n);
	check(r != SEALER_LANE_OK || within);
	f.credit[CREDIT_CIPHER_IN] -= (int64_t)n;
	return r == SEALER_LANE_OK;
}

// Honest relaying both ways; flip damages one byte.
static bool
relay(uint8_t flip)
{
	SSL *ssl = sealer_peer_ssl(f.peer);
	size_t n = sealer_buf_len(&f.out);
	if (n != 0) {
		check(BIO_write(SSL_get_rbio(ssl), sealer_buf_bytes(&f.out), (int)n) == (int)n);
		sealer_buf_consume(&f.out, n);
	}
	(void)sealer_peer_accept(f.peer);
	uint8_t chunk[8192];
	int r = BIO_read(SSL_get_wbio(ssl), chunk, sizeof(chunk));
	if (r <= 0)
		return true;
	if (flip != 0)
		chunk[flip % r] ^= flip;
	return cipher_in(chunk, (size_t)r);
}

static void
peer_reads(void)
{
	// Whatever the gateway does, requests are heads followed by zeros.
	uint8_t got[4096];
	for (size_t n; (n = sealer_peer_read(f.peer, got, sizeof(got))) != 0;)
		for (size_t i = 0; i < n; i++)
			check(got[i] == 0 || strchr(HEAD, got[i]) != NULL);
}

static enum sealer_lane_result
seal(size_t len, bool right)
{
	static const uint8_t zeros[256];
	uint8_t sha[32];
	crypto_hash_sha256(sha, zeros, len);
	sha[5] ^= right ? 0 : 1;
	struct msg_seal m = {.lane = 1,
	    .audit_seq = 9,
	    .head = VIEW(HEAD),
	    .body_len = len,
	    .body_sha256 = {.p = (const char *)sha, .len = 32}};
	return sealer_lane_seal(f.lane, &m);
}

static bool
step(uint8_t op, uint8_t arg)
{
	static const uint8_t zeros[256 * 64];
	struct msg_credit c = {.kind = arg & 3, .bytes = (uint64_t)(arg >> 2) * 1000};
	switch (op % 12) {
	case 0:
	case 1:
		return relay(0);
	case 2:
		return relay(arg);
	case 3:
		return cipher_in((const uint8_t *)"\x17\x03\x03\x00\x20garbage", 12) &&
		       cipher_in(&arg, 1);
	case 4: {
		bool within = (int64_t)arg * 64 <= f.credit[CREDIT_BODY];
		enum sealer_lane_result r = sealer_lane_body(f.lane, zeros, (size_t)arg * 64);
		f.credit[CREDIT_BODY] -= (int64_t)arg * 64;
		check(r != SEALER_LANE_OK || within);
		return r == SEALER_LANE_OK;
	}
	case 5: {
		enum sealer_lane_result r = sealer_lane_body(f.lane, zeros, arg);
		f.credit[CREDIT_BODY] -= arg;
		return r == SEALER_LANE_OK;
	}
	case 6:
		return seal(arg, true) == SEALER_LANE_OK;
	case 7:
		return seal(arg, arg % 8 != 0) == SEALER_LANE_OK;
	case 8:
		if (sealer_lane_credit(f.lane, &c) != SEALER_LANE_OK)
			return false;
		f.credit[c.kind] += (int64_t)c.bytes;
		check(f.credit[c.kind] <= LANE_WINDOW);
		return true;
	case 9:
		if (SSL_is_init_finished(sealer_peer_ssl(f.peer)))
			(void)!sealer_peer_write(f.peer, zeros, (size_t)arg * 64);
		return true;
	case 10:
		peer_reads();
		return true;
	default:
		if (arg < 16)
			sealer_lane_eof(f.lane);
		else if (arg < 32)
			(void)SSL_shutdown(sealer_peer_ssl(f.peer));
		else if (SSL_is_init_finished(sealer_peer_ssl(f.peer)))
			(void)!sealer_peer_write(f.peer, HEAD, strlen(HEAD));
		return true;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (server == NULL)
		set_up();
	memset(&f, 0, sizeof(f));
	for (size_t i = 0; i < ARRAY_LEN(f.credit); i++)
		f.credit[i] = LANE_WINDOW;
	f.lane = sealer_lane_new(&env, 1);
	f.peer = sealer_peer_new(server);
	bool on = sealer_lane_run(f.lane) == SEALER_LANE_OK;
	for (size_t i = 0; on && i + 1 < size && i < 2000; i += 2)
		on = step(data[i], data[i + 1]) && sealer_lane_run(f.lane) == SEALER_LANE_OK;
	check(sodium_is_zero(env.scratch, SEALER_TLS_RECORD_MAX));
	sealer_lane_free(f.lane);
	peer_reads();
	sealer_peer_free(f.peer);
	sealer_buf_free(&f.out);
	return 0;
}
