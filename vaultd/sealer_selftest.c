// SPDX-License-Identifier: Apache-2.0
// Self-test of TLS and scanner. May touch: its own memory.
#include "vaultd/sealer_selftest.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "common/log.h"
#include "vaultd/sealer_body.h"
#include "vaultd/sealer_peer.h"
#include "vaultd/sealer_scan.h"

#define TEST_HOST "self-test.invalid" // RFC 2606: never a real name

static SSL_CTX *server;
static char ca_pem[2048];
static size_t ca_pem_len;

// --- the peer's certificate ------------------------------------------------------

static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	BUG_IF(x == NULL);
	X509_NAME *name = X509_get_subject_name(x);
	X509_EXTENSION *san =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" TEST_HOST);
	// Valid at all times: a wrong clock is not what this test is about.
	bool ok = X509_set_version(x, 2) == 1 && san != NULL &&
		  ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
		  ASN1_TIME_set_string(X509_getm_notBefore(x), "19700101000000Z") == 1 &&
		  ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z") == 1 &&
		  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		      (const unsigned char *)"sallyport self-test", -1, -1, 0) == 1 &&
		  X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
		  X509_add_ext(x, san, -1) == 1 && X509_sign(x, key, EVP_sha256()) > 0;
	if (!ok)
		BUG("cannot make the self-test certificate");
	X509_EXTENSION_free(san);
	return x;
}

static void
keep_pem(X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	if (b == NULL || PEM_write_bio_X509(b, x) != 1)
		BUG("cannot write the self-test certificate");
	int n = BIO_read(b, ca_pem, sizeof(ca_pem));
	BUG_IF(n <= 0 || (size_t)n == sizeof(ca_pem));
	ca_pem_len = (size_t)n;
	BIO_free(b);
}

void
sealer_selftest_prepare(void)
{
	BUG_IF(server != NULL);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	server = SSL_CTX_new(TLS_server_method());
	if (key == NULL || server == NULL)
		BUG("OpenSSL does not work");
	X509 *x = make_certificate(key);
	keep_pem(x);
	if (SSL_CTX_use_certificate(server, x) != 1 || SSL_CTX_use_PrivateKey(server, key) != 1)
		BUG("cannot use the self-test certificate");
	SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
	X509_free(x);
	EVP_PKEY_free(key);
}

// --- the test --------------------------------------------------------------------

static const char *
exchange(struct sealer_peer *peer, struct sealer_tls *t)
{
	static const char request[] = "GET / HTTP/1.1\r\n\r\n";
	static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n";
	uint8_t got[64];
	size_t n;
	if (sealer_peer_handshake(peer, t) != SEALER_TLS_OK)
		return sealer_tls_reason(t);
	if (sealer_tls_write(t, (const uint8_t *)request, sizeof(request)) != SEALER_TLS_OK)
		return "cannot encrypt";
	sealer_peer_shuttle(peer, t);
	if (sealer_peer_read(peer, got, sizeof(got)) != sizeof(request) ||
	    memcmp(got, request, sizeof(request)) != 0)
		return "the request did not arrive";
	if (sealer_peer_write(peer, answer, sizeof(answer)) != 0)
		return "the peer cannot encrypt";
	sealer_peer_shuttle(peer, t);
	if (sealer_tls_read(t, got, sizeof(got), &n) != SEALER_TLS_OK || n != sizeof(answer))
		return "the answer did not arrive";
	return NULL;
}

static const char *
test_tls(void)
{
	const char *why;
	struct view pem = {.p = ca_pem, .len = ca_pem_len};
	struct sealer_tls_ctx *c = sealer_tls_ctx_new(view_of(TEST_HOST), pem, &why);
	if (c == NULL)
		return why;
	struct sealer_peer *peer = sealer_peer_new(server);
	struct sealer_tls *t = sealer_tls_new(c);
	why = exchange(peer, t);
	sealer_tls_free(t);
	sealer_peer_free(peer);
	sealer_tls_ctx_free(c);
	return why;
}

static const char *
test_scan(void)
{
	static const char canary[] = "0123456789-not-a-secret";
	struct sealer_guard *g = sealer_guard_new();
	if (g == NULL)
		return "no secret memory for the scanner";
	sealer_guard_learn(g, (const uint8_t *)canary, sizeof(canary) - 1);
	struct sealer_scan s = {0};
	uint8_t room[SEALER_SCAN_ROOM + sizeof(canary)];
	memcpy(room + SEALER_SCAN_ROOM, canary, sizeof(canary));
	size_t pass = sealer_scan_feed(&s, g, room + SEALER_SCAN_ROOM, sizeof(canary));
	sealer_guard_free(g);
	return pass == 0 ? NULL : "the scanner is blind";
}

static const char *
test_body(void)
{
	static const uint8_t wrong[SEALER_SHA256_LEN];
	struct sealer_body b = {0};
	enum sealer_body_status s = sealer_body_bind(&b, 0, wrong);
	sealer_body_free(&b);
	return s == SEALER_BODY_MISMATCH ? NULL : "a wrong body hash was accepted";
}

int
sealer_selftest_run(bool scan)
{
	BUG_IF(server == NULL);
	const char *why = test_tls();
	if (why == NULL)
		why = test_body();
	if (why == NULL && scan)
		why = test_scan();
	ERR_clear_error();
	if (why == NULL)
		return 0;
	log_msg(LOG_ERROR, "self-test failed: %s", why);
	return -1;
}
